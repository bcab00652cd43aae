# SPDX-License-Identifier: GPL-2.0-or-later
"""Which places a model was trained on, by its card: figures on these say how well it remembers, not how well it maps."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from backend.model_card import ModelCard
from training.evaluate.output import LeftOut
from training.evaluate.scenes import LabelledScene

WITHOUT_LABELS = "pretrain run"
"""Kind of an earlier run that saw places without labels, as cards have it."""


def places_seen(card: ModelCard, with_labels: bool = False) -> set[str]:
    """The real places that the card's training lists, those of the runs that it went on from among them; or only those that it
    saw labels of.
    """
    return set(_listed(card.training, with_labels))


def _listed(told: Any, with_labels: bool) -> list[str]:
    if isinstance(told, dict):
        if with_labels and told.get("kind") == WITHOUT_LABELS:
            return []
        own = [str(place) for place in told.get("real_places") or ()]
        return own + [place for value in told.values() for place in _listed(value, with_labels)]
    return [place for value in told for place in _listed(value, with_labels)] if isinstance(told, (list, tuple)) else []


def without_seen(
    scenes: Sequence[LabelledScene], card: ModelCard, include_seen: bool, leave_out_places: Sequence[str]
) -> tuple[list[LabelledScene], list[LeftOut]]:
    """The scenes that count, and those that do not with the reason: places that the card says were trained on (unless
    `include_seen`), and places that a pattern of `leave_out_places` names.
    """
    seen = set() if include_seen else places_seen(card)
    kept, left_out = [], []
    for scene in scenes:
        place = scene.place.name
        if place in seen:
            left_out.append(LeftOut(scene.label_set.name, scene.name, f"the model was trained on {place}, says its card"))
        elif any(re.fullmatch(pattern, place) for pattern in leave_out_places):
            left_out.append(LeftOut(scene.label_set.name, scene.name, f"{place} is in leave_out_places"))
        else:
            kept.append(scene)
    return kept, left_out
