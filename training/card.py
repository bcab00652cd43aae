# SPDX-License-Identifier: GPL-2.0-or-later
"""The model card that a training configuration describes: the contract that training hands to the backend."""

from __future__ import annotations

from backend.model_card import BandSpec, DecoderSpec, EncoderSpec, ModelCard
from training.classes import worldcover_classes
from training.config import BandsConfig, FinetuneConfig
from training.scene_files import SPACING_M


def band_specs(bands: BandsConfig) -> tuple[BandSpec, ...]:
    """VV and VH, sigma nought, both needed."""
    return (
        BandSpec("VV", bands.vv_clip_db, bands.vv_mean_db, bands.vv_std_db),
        BandSpec("VH", bands.vh_clip_db, bands.vh_mean_db, bands.vh_std_db),
    )


def draft_card(config: FinetuneConfig) -> ModelCard:
    """The card of a model that is yet to be trained: sizes, bands and classes; no temperature, figures or hash."""
    network = config.network
    return ModelCard(
        name=config.out.name,
        description="",
        licence="",
        bands=band_specs(config.bands),
        classes=worldcover_classes(config.data.classes),
        window_px=network.window_px,
        spacing_m=SPACING_M,
        encoder=EncoderSpec(
            embed_dim=network.embed_dim,
            depth=network.depth,
            num_heads=network.num_heads,
            patch_px=network.patch_px,
            position_grid=config.data.crop_px // network.patch_px,
        ),
        decoder=DecoderSpec(network.decoder_blocks, network.decoder_width, network.skip_width),
        attention_block=network.depth - 1,
    )
