# SPDX-License-Identifier: GPL-2.0-or-later
"""Figures of a method over many scenes, with intervals by drawing places."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np

from training.evaluate.score import ALL, CLEAR, SceneScore, add_bins, expected_calibration_error
from training.metrics import scores_of

WET_SHARE = 0.01
"""From this share of water on, a chip counts in the mean over chips; below it is dry and counts for its false water."""


class Placed(Protocol):
    """What was measured in one place: a scene's score, or sums over a place."""

    @property
    def place(self) -> str: ...


Statistic = Callable[[Sequence[Any]], float]
"""Of several things that were measured, all of one kind."""


@dataclass(frozen=True)
class Figure:
    """A value with the interval in which 95% of the draws lie (NaN where none was drawn), and what it was measured on."""

    name: str
    value: float
    low: float
    high: float
    scenes: int
    places: int
    each: tuple[float, ...] = ()
    """The value of each seed, where a method was run with several."""

    @property
    def text(self) -> str:
        if self.value != self.value:
            return "–"
        interval = f" ({self.low:.3f} to {self.high:.3f})" if self.low == self.low else ""
        return f"{self.value:.3f}{interval}"


@dataclass(frozen=True)
class Definition:
    """What a figure is: the statistic of those scores that `select` leaves."""

    name: str
    statistic: Statistic
    select: Callable[[Sequence[Any]], list[Any]] = list


def figure(definition: Definition, runs: Sequence[Sequence[Placed]], draws: int, seed: int) -> Figure:
    """The statistic, its mean over `runs` (seeds of one method on the same scenes), and the percentile interval over draws.

    A draw takes as many places as there are, with replacement: pixels of one chip, and chips of one place, are not independent
    (Efron and Tibshirani 1993, chapter 8). With a handful of places an interval is itself rough.
    """
    chosen = [definition.select(run) for run in runs]
    values = [definition.statistic(scores) if scores else float("nan") for scores in chosen]
    low, high = percentiles(np.concatenate([drawn_values(scores, definition.statistic, draws, seed) for scores in chosen]))
    places = {score.place for score in chosen[0]}
    return Figure(definition.name, float(np.mean(values)), low, high, len(chosen[0]), len(places), tuple(values))


def drawn_values(scores: Sequence[Placed], statistic: Statistic, draws: int, seed: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The statistic of each of `draws` draws of places, [draws]; empty for one place alone.

    One seed draws the same places, whatever method the scores are of.
    """
    by_place: dict[str, list[Placed]] = defaultdict(list)
    for score in scores:
        by_place[score.place].append(score)
    places = [by_place[name] for name in sorted(by_place)]
    if len(places) < 2:
        return np.empty(0)
    rng = np.random.default_rng(seed)
    return np.array(
        [
            statistic([score for number in rng.integers(0, len(places), len(places)) for score in places[number]])
            for _ in range(draws)
        ]
    )


def percentiles(values: np.ndarray[Any, np.dtype[np.float64]]) -> tuple[float, float]:
    """The 2.5th and 97.5th percentile of the values that are numbers; NaN where there are none."""
    kept = values[np.isfinite(values)]
    if not len(kept):
        return float("nan"), float("nan")
    low, high = np.percentile(kept, [2.5, 97.5])
    return float(low), float(high)


def difference(
    definition: Definition, first: Sequence[Sequence[Placed]], second: Sequence[Sequence[Placed]], draws: int, seed: int
) -> Figure:
    """`first` minus `second`, both measured on the same scenes: paired, so that each draw of places is the same for both.

    Run by run where both have as many; else every run of one with every run of the other.
    """
    pairs = list(zip(first, second)) if len(first) == len(second) else [(a, b) for a in first for b in second]
    chosen = [(definition.select(a), definition.select(b)) for a, b in pairs]
    values = [definition.statistic(a) - definition.statistic(b) for a, b in chosen]
    drawn = [
        drawn_values(a, definition.statistic, draws, seed) - drawn_values(b, definition.statistic, draws, seed) for a, b in chosen
    ]
    low, high = percentiles(np.concatenate(drawn))
    scores = chosen[0][0]
    return Figure(
        definition.name, float(np.mean(values)), low, high, len(scores), len({score.place for score in scores}), tuple(values)
    )


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


def water_definitions() -> list[Definition]:
    """The figures of water labels, as given and without the doubtful ones."""

    def without_wettest(scores: Sequence[SceneScore]) -> list[SceneScore]:
        largest = wettest(scores)
        return [score for score in scores if score is not largest]

    found = []
    for variant, label in ((ALL, "labels as given"), (CLEAR, "without doubtful pixels")):
        iou, mean = partial(group_iou, group=1, variant=variant), partial(mean_water_iou, variant=variant)
        found += [
            Definition(f"water IoU, mean over chips, {label}", mean, wet),
            Definition(f"water IoU, pooled, {label}", iou),
            Definition(f"water IoU, pooled without the wettest chip, {label}", iou, without_wettest),
        ]
    return [
        *found,
        Definition("water IoU, mean over clear chips", mean_water_iou, lambda s: [one for one in wet(s) if not is_doubtful(one)]),
        Definition("water IoU, mean over doubtful chips", mean_water_iou, lambda s: [one for one in wet(s) if is_doubtful(one)]),
        Definition("false water on dry chips", false_water, dry),
        Definition("ECE, without doubtful pixels", partial(calibration_error, variant=CLEAR)),
    ]


def group_definitions(groups: Sequence[str]) -> list[Definition]:
    """The figures of labels of several groups; of polygons also those that were drawn as sure."""
    return [
        Definition("overall accuracy", overall_accuracy),
        Definition("mean IoU", mean_iou),
        Definition("overall accuracy, sure labels alone", partial(overall_accuracy, variant=CLEAR), _with_unsure),
        Definition("mean IoU, sure labels alone", partial(mean_iou, variant=CLEAR), _with_unsure),
        Definition("ECE", calibration_error),
        *(Definition(f"IoU {name}", partial(group_iou, group=index)) for index, name in enumerate(groups)),
    ]


def _with_unsure(scores: Sequence[SceneScore]) -> list[SceneScore]:
    return list(scores) if any(score.doubtful_px for score in scores) else []


def definitions_of(scores: Sequence[SceneScore]) -> list[Definition]:
    """The figures that suit the legend of `scores`."""
    return water_definitions() if scores[0].legend == "water" else group_definitions(scores[0].groups)


def figures_of(runs: Sequence[Sequence[SceneScore]], draws: int, seed: int) -> list[Figure]:
    """Every figure of one legend's scores, of one or several seeds, that is a number."""
    labelled = [[score for score in run if labelled_px(score)] for run in runs]
    if not labelled or not labelled[0]:
        return []
    every = [figure(definition, labelled, draws, seed) for definition in definitions_of(labelled[0])]
    return [item for item in every if item.value == item.value]
