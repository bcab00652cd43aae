# SPDX-License-Identifier: GPL-2.0-or-later
"""Scores a model on held-out chips and fits its temperature there."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from backend.model_card import ModelCard
from backend.network.model import SardineModel
from training.finetuning.labelled_crops import F32, network_input, read_window
from training.finetuning.labelled_data import I64, LabelledChips, LabelledData
from training.metrics import ConfusionMatrix, Scores, fit_temperature

_TEMPERATURE_PIXELS = 400
"""Pixels of each chip that the temperature is fitted on; neighbours say nearly the same."""

_CHIPS_AT_ONCE = 8


@dataclass(frozen=True)
class Sample:
    """A chip for a picture: standardised first band [S, S], targets [S, S] and, where there are any, predicted classes [S, S]."""

    x: F32
    truth: npt.NDArray[np.uint8]
    predicted: npt.NDArray[np.int64] | None


@dataclass(frozen=True)
class Validation:
    """Scores over all chips, by store, and the temperature fitted on them."""

    scores: Scores
    by_store: dict[str, Scores]
    temperature: float
    chips: int
    samples: tuple[Sample, ...]

    def figures(self) -> dict[str, Any]:
        """As plain values."""
        by_store = {name: dataclasses.asdict(scores) for name, scores in self.by_store.items()}
        return {**dataclasses.asdict(self.scores), "by_store": by_store, "temperature": self.temperature}


@torch.no_grad()
def validate(
    model: SardineModel,
    card: ModelCard,
    data: LabelledData,
    device: torch.device,
    bf16: bool,
    limit: int = 0,
    pictured: int = 6,
    class_bias: Sequence[float] = (),
) -> Validation:
    """Looks at `limit` chips of each store, spread over it (0: all). `class_bias` is added to the logits of each class.

    A chip is seen through one window of the card's size, as the model will be used, around the middle of its labels.
    """
    bias = np.array(class_bias or (0.0,) * len(card.classes), dtype=np.float32)
    total = ConfusionMatrix(len(card.classes), data.members)
    by_store: dict[str, Scores] = {}
    rng = np.random.default_rng(0)
    kept_logits, kept_truth = [], []
    samples: list[Sample] = []
    seen = 0
    for number, chips in enumerate(data.validation):
        matrix = ConfusionMatrix(len(card.classes), data.members)
        chosen = np.arange(len(chips)) if limit == 0 else np.unique(np.linspace(0, len(chips) - 1, limit).astype(np.int64))
        share = pictured * (number + 1) // len(data.validation)  # pictures of each store
        for start in range(0, len(chosen), _CHIPS_AT_ONCE):
            x, truth, logits = _look(model, card, chips, chosen[start : start + _CHIPS_AT_ONCE], device, bf16)
            logits += bias[:, None, None]
            for one_x, one_truth, one in zip(x, truth, logits, strict=True):
                predicted = one.argmax(0)
                matrix.add(one_truth, predicted)
                sample = rng.choice(one_truth.size, min(_TEMPERATURE_PIXELS, one_truth.size), replace=False)
                kept_logits.append(one.reshape(len(one), -1).T[sample])
                kept_truth.append(one_truth.ravel()[sample])
                if len(samples) < share:
                    samples.append(Sample(one_x[0], one_truth, predicted))
        total.counts += matrix.counts
        by_store[chips.name] = matrix.scores()
        seen += len(chosen)
    temperature = fit_temperature(np.concatenate(kept_logits), np.concatenate(kept_truth), data.members)
    return Validation(total.scores(), by_store, temperature, seen, tuple(samples))


def _look(
    model: SardineModel, card: ModelCard, chips: LabelledChips, chosen: I64, device: torch.device, bf16: bool
) -> tuple[F32, npt.NDArray[np.uint8], F32]:
    """Input [n, bands, S, S], targets [n, S, S] and logits [n, classes, S, S] of some chips."""
    side = min(card.window_px, chips.split.info.chip_px // card.patch_px * card.patch_px)
    read = [read_window(chips, int(chip), side) for chip in chosen]
    x, target = network_input(np.stack([db for db, _ in read]), np.stack([label for _, label in read]), card.bands, device)
    with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        logits = model(x, want_attention=False).logits
    return x.cpu().numpy(), target.to(torch.uint8).cpu().numpy(), logits.float().cpu().numpy()
