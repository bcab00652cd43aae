# SPDX-License-Identifier: GPL-2.0-or-later
"""Figures of a method over many scenes, with intervals by drawing places."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.evaluate.score import ALL, CLEAR, SceneScore, add_bins, expected_calibration_error
from training.metrics import scores_of

WET_SHARE = 0.01
"""From this share of water on, a chip counts in the mean over chips; below it is dry and counts for its false water."""

Statistic = Callable[[Sequence[SceneScore]], float]


@dataclass(frozen=True)
class Figure:
    """A value with the interval in which 95% of the draws lie (NaN where none was drawn), and what it was measured on."""

    name: str
    value: float
    low: float
    high: float
    scenes: int
    places: int

    @property
    def text(self) -> str:
        if self.value != self.value:
            return "–"
        interval = f" ({self.low:.3f} to {self.high:.3f})" if self.low == self.low else ""
        return f"{self.value:.3f}{interval}"


def figure(name: str, scores: Sequence[SceneScore], statistic: Statistic, draws: int, seed: int) -> Figure:
    """`statistic` of `scores`, and its percentile interval over `draws` draws of as many places with replacement.

    Pixels of one chip, and chips of one place, are not independent: places are what is drawn (Efron and Tibshirani 1993,
    chapter 8). With a handful of places an interval is itself rough.
    """
    if not scores:
        return Figure(name, float("nan"), float("nan"), float("nan"), 0, 0)
    by_place: dict[str, list[SceneScore]] = defaultdict(list)
    for score in scores:
        by_place[score.place].append(score)
    places = list(by_place.values())
    low = high = float("nan")
    if draws and len(places) > 1:
        rng = np.random.default_rng(seed)
        values = []
        for _ in range(draws):
            drawn = [score for number in rng.integers(0, len(places), len(places)) for score in places[number]]
            values.append(statistic(drawn))
        kept = [value for value in values if value == value]
        if kept:
            low, high = (float(value) for value in np.percentile(kept, [2.5, 97.5]))
    return Figure(name, statistic(scores), low, high, len(scores), len(places))


def total_counts(scores: Sequence[SceneScore], variant: str = ALL) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The sum of the scenes' confusion matrices, [groups + 1, groups + 1]."""
    return np.asarray(np.sum([np.asarray(score.counts[variant], dtype=np.int64) for score in scores], axis=0))


def overall_accuracy(scores: Sequence[SceneScore], variant: str = ALL) -> float:
    return scores_of(total_counts(scores, variant)).overall_accuracy


def mean_iou(scores: Sequence[SceneScore], variant: str = ALL) -> float:
    """Over the groups that the labels of `scores` hold."""
    return scores_of(total_counts(scores, variant)).mean_iou


def group_iou(scores: Sequence[SceneScore], group: int, variant: str = ALL) -> float:
    return scores_of(total_counts(scores, variant)).iou[group]


def calibration_error(scores: Sequence[SceneScore], variant: str = ALL) -> float:
    return expected_calibration_error(add_bins([score.bins[variant] for score in scores]))


def labelled_px(score: SceneScore, variant: str = ALL) -> int:
    return int(np.sum(score.counts[variant]))


def water_share(score: SceneScore, variant: str = ALL) -> float:
    """Share of the labelled pixels that are water; NaN where nothing is labelled."""
    total = labelled_px(score, variant)
    return float(np.sum(score.counts[variant][1]) / total) if total else float("nan")


def wet(scores: Sequence[SceneScore]) -> list[SceneScore]:
    """Chips with at least WET_SHARE of water by the label as given."""
    return [score for score in scores if water_share(score) >= WET_SHARE]


def dry(scores: Sequence[SceneScore]) -> list[SceneScore]:
    return [score for score in scores if water_share(score) < WET_SHARE]


def is_doubtful(score: SceneScore) -> bool:
    """Whether more than half of the chip's labelled water is doubtful."""
    water = int(np.sum(score.counts[ALL][1]))
    return water > 0 and score.doubtful_px > water / 2


def wettest(scores: Sequence[SceneScore]) -> SceneScore | None:
    """The chip with most clear water, which dominates pooled figures; None where there is none."""
    return max(scores, key=lambda score: int(np.sum(score.counts[CLEAR][1])), default=None)


def mean_water_iou(scores: Sequence[SceneScore], variant: str = ALL) -> float:
    """Mean over chips of the IoU of water; chips without water in this variant are left out. NaN where none is left."""
    values = [group_iou([score], 1, variant) for score in scores]
    kept = [value for value in values if value == value]
    return float(np.mean(kept)) if kept else float("nan")


def false_water(scores: Sequence[SceneScore]) -> float:
    """Share of the pixels labelled as not water that are mapped as water, pooled."""
    counts = total_counts(scores) if scores else np.zeros((3, 3), dtype=np.int64)
    total = int(counts[0].sum())
    return float(counts[0, 1] / total) if total else float("nan")


def water_figures(scores: Sequence[SceneScore], draws: int, seed: int) -> list[Figure]:
    """The figures of the water labels, labels as given and without the doubtful ones."""

    def one(name: str, of: Sequence[SceneScore], statistic: Statistic) -> Figure:
        return figure(name, of, statistic, draws, seed)

    chips, largest = wet(scores), wettest(scores)
    rest = [score for score in scores if score is not largest]
    clear, doubtful = [s for s in chips if not is_doubtful(s)], [s for s in chips if is_doubtful(s)]
    found = []
    for variant, label in ((ALL, "labels as given"), (CLEAR, "without doubtful pixels")):
        found.append(one(f"water IoU, mean over chips, {label}", chips, lambda s, v=variant: mean_water_iou(s, v)))  # type: ignore[misc]
        found.append(one(f"water IoU, pooled, {label}", scores, lambda s, v=variant: group_iou(s, 1, v)))  # type: ignore[misc]
        found.append(
            one(f"water IoU, pooled without the wettest chip, {label}", rest, lambda s, v=variant: group_iou(s, 1, v))  # type: ignore[misc]
        )
    found.append(one("water IoU, mean over clear chips", clear, mean_water_iou))
    found.append(one("water IoU, mean over doubtful chips", doubtful, mean_water_iou))
    found.append(one("false water on dry chips", dry(scores), false_water))
    found.append(one("ECE, water labels without doubtful pixels", scores, lambda s: calibration_error(s, CLEAR)))
    return [item for item in found if item.scenes]


def group_figures(scores: Sequence[SceneScore], draws: int, seed: int) -> list[Figure]:
    """The figures of labels of several groups; of labels of two kinds (polygons) also those drawn as sure alone."""

    def one(name: str, statistic: Statistic) -> Figure:
        return figure(name, scores, statistic, draws, seed)

    found = [one("overall accuracy", overall_accuracy), one("mean IoU", mean_iou)]
    if any(score.doubtful_px for score in scores):
        found.append(one("overall accuracy, sure labels alone", lambda s: overall_accuracy(s, CLEAR)))
        found.append(one("mean IoU, sure labels alone", lambda s: mean_iou(s, CLEAR)))
    found.append(one("ECE", calibration_error))
    counts = total_counts(scores)
    for index, name in enumerate(scores[0].groups):
        if counts[index].sum():
            found.append(one(f"IoU {name}", lambda s, i=index: group_iou(s, i)))  # type: ignore[misc]
    return found


def figures_of(scores: Sequence[SceneScore], draws: int, seed: int) -> list[Figure]:
    """The figures of one legend's scores."""
    labelled = [score for score in scores if labelled_px(score)]
    if not labelled:
        return []
    return (water_figures if labelled[0].legend == "water" else group_figures)(labelled, draws, seed)
