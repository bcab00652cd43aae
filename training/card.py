# SPDX-License-Identifier: GPL-2.0-or-later
"""The model card that a training configuration describes: the contract that training hands to the backend."""

from __future__ import annotations

import dataclasses

from backend.model_card import BandSpec, DecoderSpec, EncoderSpec, ModelCard
from training.classes import worldcover_classes
from training.config import SPACING_M, BandsConfig
from training.finetuning.config import FinetuneConfig, NetworkConfig
from training.pretraining.config import EncoderConfig, PretrainConfig


def band_specs(bands: BandsConfig, channel_drop: float = 0.0) -> tuple[BandSpec, ...]:
    """VV and VH, sigma nought; both needed unless training saw views without one (`channel_drop`)."""
    optional = channel_drop > 0
    return (
        BandSpec("VV", bands.vv_clip_db, bands.vv_mean_db, bands.vv_std_db, optional=optional),
        BandSpec("VH", bands.vh_clip_db, bands.vh_mean_db, bands.vh_std_db, optional=optional),
    )


def draft_card(config: FinetuneConfig) -> ModelCard:
    """The card of a model that is yet to be trained: sizes, bands and classes; no temperature, figures or hash."""
    card = _encoder_card(config.out.name, config.network, config.bands, config.data.channel_drop, config.data.crop_px)
    return dataclasses.replace(
        card,
        classes=worldcover_classes(config.data.classes),
        window_px=config.network.window_px,
        decoder=_decoder_spec(config.network),
    )


def encoder_card(config: PretrainConfig) -> ModelCard:
    """The card of an encoder alone that is yet to be trained: no classes, attention of the last block."""
    return _encoder_card(config.out.name, config.encoder, config.bands, config.crops.channel_drop, config.crops.global_px)


def _encoder_card(
    name: str, sizes: NetworkConfig | EncoderConfig, bands: BandsConfig, channel_drop: float, trained_px: int
) -> ModelCard:
    """`trained_px` is the side of the views or crops that positions are learnt on."""
    return ModelCard(
        name=name,
        description="",
        licence="",
        bands=band_specs(bands, channel_drop),
        classes=(),
        window_px=trained_px,
        spacing_m=SPACING_M,
        encoder=EncoderSpec(
            embed_dim=sizes.embed_dim,
            depth=sizes.depth,
            num_heads=sizes.num_heads,
            patch_px=sizes.patch_px,
            position_grid=trained_px // sizes.patch_px,
            register_tokens=sizes.register_tokens,
        ),
        decoder=None,
        attention_block=sizes.depth - 1,
    )


def _decoder_spec(network: NetworkConfig) -> DecoderSpec:
    if network.decoder == "linear":
        return DecoderSpec(network.decoder_blocks, kind="linear")
    return DecoderSpec(network.decoder_blocks, network.decoder_width, network.skip_width)
