# SPDX-License-Identifier: GPL-2.0-or-later
"""What one map and one label have in common, as counts that add up over scenes."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from training.doubtful_water import doubtful_water
from training.evaluate.legends import F32, U8, WATER
from training.evaluate.maps import GroupMap
from training.evaluate.scenes import LabelledScene, LabelOnGrid
from training.metrics import IGNORE, ConfusionMatrix

BINS = 15
"""Equal bins of confidence (Guo et al. 2017, arXiv 1706.04599, section 2)."""

ALL, CLEAR = "all", "clear"
"""Labels as given, and without the doubtful ones."""


@dataclass(frozen=True)
class SceneScore:
    """Counts of one map on one scene. `counts[variant]` is [groups + 1][groups + 1], true group by mapped group; the last one
    stands for codes in no group. `bins[variant]` holds (pixels, sum of confidence, pixels that are right) of each bin.
    """

    label_set: str
    legend: str
    groups: tuple[str, ...]
    scene: str
    place: str
    region: str
    simulated: bool
    valid_px: int
    mapped_px: tuple[int, ...]
    """Pixels of the map in each group, labelled or not; the last for codes in no group."""
    unmapped_px: int
    """Labelled pixels where the map has no data."""
    doubtful_px: int
    counts: dict[str, list[list[int]]]
    bins: dict[str, list[list[float]]]

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> SceneScore:
        values = {**data, "groups": tuple(data["groups"]), "mapped_px": tuple(data["mapped_px"])}
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def score_scene(scene: LabelledScene, found: GroupMap, label: LabelOnGrid | None, values_db: F32, simulated: bool) -> SceneScore:
    """Compares `found` with `label` on one grid; `label` None counts only what was mapped."""
    legend = scene.legend
    truth = np.full(found.groups.shape, IGNORE, np.uint8) if label is None else legend.truth(label.values)
    doubtful = np.zeros(truth.shape, dtype=np.bool_)
    if label is not None:
        doubtful = doubtful_water(truth == 1, values_db[0]) if legend == WATER else label.unsure & (truth != IGNORE)
    missing = (found.groups == IGNORE) & (truth != IGNORE)
    truth = np.where(missing, IGNORE, truth).astype(np.uint8)
    clear = np.where(doubtful, IGNORE, truth).astype(np.uint8)
    return SceneScore(
        label_set=scene.label_set.name,
        legend=scene.label_set.legend,
        groups=legend.names,
        scene=scene.name,
        place=scene.place.name,
        region=scene.place.region,
        simulated=simulated,
        valid_px=int((found.groups != IGNORE).sum()),
        mapped_px=tuple(int(count) for count in np.bincount(found.groups[found.groups != IGNORE], minlength=len(legend) + 1)),
        unmapped_px=int(missing.sum()),
        doubtful_px=int((doubtful & (truth != IGNORE)).sum()),
        counts={name: _counts(part, found.groups, len(legend)) for name, part in ((ALL, truth), (CLEAR, clear))},
        bins={name: reliability_bins(part, found.groups, found.confidence) for name, part in ((ALL, truth), (CLEAR, clear))},
    )


def _counts(truth: U8, groups: U8, classes: int) -> list[list[int]]:
    matrix = ConfusionMatrix(classes + 1)
    matrix.add(truth, groups)
    return [[int(value) for value in row] for row in matrix.counts]


def reliability_bins(truth: U8, groups: U8, confidence: F32 | None) -> list[list[float]]:
    """(pixels, sum of confidence, right pixels) of each of BINS bins of confidence in 0..1; empty without confidence."""
    if confidence is None:
        return []
    kept = truth != IGNORE
    value = np.clip(confidence[kept].astype(np.float64), 0, 1)
    number = np.minimum((value * BINS).astype(np.int64), BINS - 1)
    right = (truth[kept] == groups[kept]).astype(np.float64)
    columns = (np.bincount(number, weights, BINS) for weights in (None, value, right))
    return [[float(entry) for entry in row] for row in zip(*columns, strict=True)]


def add_bins(parts: Sequence[Sequence[Sequence[float]]]) -> npt.NDArray[np.float64]:
    """The sum of several scenes' bins, [BINS, 3]; all zero where none has any."""
    kept = [np.asarray(part, dtype=np.float64) for part in parts if len(part)]
    return np.sum(kept, axis=0) if kept else np.zeros((BINS, 3))


def expected_calibration_error(bins: npt.NDArray[np.float64]) -> float:
    """ECE of `bins` [BINS, 3]: the mean over pixels of |share that is right - mean confidence| of each pixel's bin.

    Guo et al. 2017, equation 3. NaN where no pixel is counted.
    """
    total = bins[:, 0].sum()
    return float(np.abs(bins[:, 2] - bins[:, 1]).sum() / total) if total else float("nan")
