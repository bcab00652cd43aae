# SPDX-License-Identifier: GPL-2.0-or-later
"""The model card that a training configuration describes: the contract that training hands to the backend."""

from __future__ import annotations

from backend.model_card import BandSpec, DecoderSpec, EncoderSpec, ModelCard
from training.classes import worldcover_classes
from training.config import SPACING_M, BandsConfig
from training.finetuning.config import FinetuneConfig, NetworkConfig


def band_specs(bands: BandsConfig, channel_drop: float = 0.0) -> tuple[BandSpec, ...]:
    """VV and VH, sigma nought; both needed unless training saw views without one (`channel_drop`)."""
    optional = channel_drop > 0
    return (
        BandSpec("VV", bands.vv_clip_db, bands.vv_mean_db, bands.vv_std_db, optional=optional),
        BandSpec("VH", bands.vh_clip_db, bands.vh_mean_db, bands.vh_std_db, optional=optional),
    )


def draft_card(config: FinetuneConfig) -> ModelCard:
    """The card of a model that is yet to be trained: sizes, bands and classes; no temperature, figures or hash."""
    network = config.network
    return ModelCard(
        name=config.out.name,
        description="",
        licence="",
        bands=band_specs(config.bands, config.data.channel_drop),
        classes=worldcover_classes(config.data.classes),
        window_px=network.window_px,
        spacing_m=SPACING_M,
        encoder=EncoderSpec(
            embed_dim=network.embed_dim,
            depth=network.depth,
            num_heads=network.num_heads,
            patch_px=network.patch_px,
            position_grid=config.data.crop_px // network.patch_px,
            register_tokens=network.register_tokens,
        ),
        decoder=_decoder_spec(network),
        attention_block=network.depth - 1,
    )


def _decoder_spec(network: NetworkConfig) -> DecoderSpec:
    if network.decoder == "linear":
        return DecoderSpec(network.decoder_blocks, kind="linear")
    return DecoderSpec(network.decoder_blocks, network.decoder_width, network.skip_width)
