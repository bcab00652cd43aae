# SPDX-License-Identifier: GPL-2.0-or-later
"""Small model cards for tests."""

from __future__ import annotations

import dataclasses
from typing import Any

from backend.model_card import BandSpec, ClassSpec, DecoderSpec, EncoderSpec, ModelCard

VV = BandSpec("VV", (-30.0, 5.0), -12.5, 5.25)
VH = BandSpec("VH", (-38.0, 0.0), -20.25, 6.0)
CLASSES = (
    ClassSpec(10, "Tree cover", "#006400"),
    ClassSpec(50, "Built-up", "#fa0000"),
    ClassSpec(80, "Permanent water bodies", "#0064c8"),
)


def small_card(**changes: Any) -> ModelCard:
    """A card of a network that runs in a millisecond: window 32, patch 8, two blocks, two heads."""
    card = ModelCard(
        name="test model",
        description="random weights, for tests",
        licence="GPL-2.0-or-later",
        bands=(VV, VH),
        classes=CLASSES,
        window_px=32,
        spacing_m=10.0,
        encoder=EncoderSpec(embed_dim=16, depth=2, num_heads=2, patch_px=8, position_grid=4),
        decoder=DecoderSpec(blocks=(0, 1), width=8, skip_width=4),
        attention_block=1,
        training={"simulated_only": True},
    )
    return dataclasses.replace(card, **changes)


def encoder_only_card(**changes: Any) -> ModelCard:
    return small_card(**{"classes": (), "decoder": None, **changes})
