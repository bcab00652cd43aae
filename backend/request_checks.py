# SPDX-License-Identifier: GPL-2.0-or-later
"""What of a request can be refused by the model's card alone, before any raster is opened."""

from __future__ import annotations

from .model_card import ModelCard
from .protocol import ATTENTION_HEADS, ATTENTION_SCOPES, ErrorCode, JobRequest, SardineError
from .strip import CLASS_OUTPUTS
from .windows import window_stride


def check_outputs(request: JobRequest, card: ModelCard) -> None:
    """Refuses what this model cannot give, and a wrong overlap, before any raster is opened. Raises SardineError."""
    window_stride(card.window_px, card.patch_px, request.overlap)
    asked = request.outputs.chosen()
    if not asked:
        raise SardineError(
            ErrorCode.REQUEST_INVALID,
            "No output was asked for.",
            "At least one is needed.",
            "Name a file for land cover or attention.",
        )
    if request.attention_scope not in ATTENTION_SCOPES:
        raise SardineError(
            ErrorCode.REQUEST_INVALID,
            f"The attention scope “{request.attention_scope}” is not known.",
            f"It is one of {', '.join(ATTENTION_SCOPES)}.",
            "Leave it out to take the default.",
        )
    if not card.classes and CLASS_OUTPUTS & asked.keys():
        raise SardineError(
            ErrorCode.REQUEST_INVALID,
            f"The model {card.name} has no classes: it cannot give {' or '.join(sorted(CLASS_OUTPUTS & asked.keys()))}.",
            "An encoder alone gives attention only.",
            "Ask for attention alone, or choose a model with classes.",
        )
    if request.attention_heads not in ATTENTION_HEADS:
        raise SardineError(
            ErrorCode.REQUEST_INVALID,
            f"The attention heads “{request.attention_heads}” were not understood.",
            f"They are one of {', '.join(ATTENTION_HEADS)}.",
            "Choose all or mean.",
        )
