# SPDX-License-Identifier: GPL-2.0-or-later
"""From cells to figures: each with the values of its seeds and the interval over places, paired where two are compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from training.evaluate.figures import Definition, Figure, difference, figure
from training.metrics import Scores, scores_of
from training.study.attention_heads import choose_head
from training.study.cells import Cell
from training.study.config import StudyConfig
from training.study.probes import DB

PRETRAINED, RANDOM = "pretrained", "random"
SCRATCH = "scratch"
BEGINNINGS = (PRETRAINED, SCRATCH)
"""Of a fine-tuning; a random encoder that learns is one from scratch."""
TUNED_AT = 0.1
"""Share of the training chips at which learning rates are chosen."""
SIMULATED, REAL = "simulated", "real"
DRAW_SEED = 0


@dataclass(frozen=True, eq=False)
class PlaceCounts:
    """The confusion matrix of one place, int64 [classes, classes]: patches of a probe, pixels of a fine-tuned network."""

    place: str
    counts: npt.NDArray[np.int64]


@dataclass(frozen=True)
class PlaceRatio:
    """Two sums of one place, whose ratio over several places is the figure."""

    place: str
    above: float
    below: float


@dataclass(frozen=True)
class PlaceOverlap:
    """Patches of one place's crops that show a class: in mask and class, in either, in the class, labelled at all."""

    place: str
    hits: int
    union: int
    of_class: int
    labelled: int


def overlap_iou(parts: Sequence[PlaceOverlap]) -> float:
    union = sum(part.union for part in parts)
    return sum(part.hits for part in parts) / union if union else float("nan")


def chance_iou(parts: Sequence[PlaceOverlap]) -> float:
    """What a mask of the same size would get anywhere: even attention makes large masks, and a large mask overlaps much."""
    labelled, of_class = (sum(getattr(part, name) for part in parts) for name in ("labelled", "of_class"))
    if not labelled:
        return float("nan")
    share, mask = of_class / labelled, sum(part.union + part.hits - part.of_class for part in parts) / labelled
    return share * mask / (share + mask - share * mask) if share + mask else float("nan")


def scores(parts: Sequence[PlaceCounts]) -> Scores:
    return scores_of(np.asarray(np.sum([part.counts for part in parts], axis=0)))


def ratio(parts: Sequence[PlaceRatio]) -> float:
    below = sum(part.below for part in parts)
    return sum(part.above for part in parts) / below if below else float("nan")


MEAN_IOU = Definition("mean IoU", lambda parts: scores(parts).mean_iou)
MACRO_F1 = Definition("macro F1", lambda parts: scores(parts).mean_f1)
ACCURACY = Definition("accuracy", lambda parts: scores(parts).overall_accuracy)
PROBE_FIGURES = (MEAN_IOU, MACRO_F1, ACCURACY)
RATIO = Definition("ratio", ratio)
OVERLAP = Definition("IoU", overlap_iou)
CHANCE = Definition("IoU of a mask of its size anywhere", chance_iou)
ABOVE_CHANCE = Definition("IoU above chance", lambda parts: overlap_iou(parts) - chance_iou(parts))


def fraction_name(arm: str, seed: int, fraction: float) -> str:
    return f"fractions/{arm}_seed{seed}_{fraction * 100:g}percent"


def real_name(arm: str, seed: int) -> str:
    return f"real_labels/{arm}_seed{seed}"


def set_name(features: str, classifier: str, arm: str, seed: int) -> str:
    return f"feature_sets/{features}_{classifier}_{arm}_seed{seed}"


def encoder_name(section: str, arm: str, seed: int | None = None) -> str:
    """Of `attention`, `pictures`, `rollout`, `embedding`, `position` and `tsne`, which have one cell an encoder."""
    return f"{section}/{arm}" + ("" if seed is None else f"_seed{seed}")


@dataclass(frozen=True)
class Finetuning:
    """One of the study's fine-tunings: `arm` is one of BEGINNINGS, `rate` the learning rate. With `real_folds` above 0 it is one a
    fold, and these learn from real chips too.
    """

    arm: str
    seed: int
    fraction: float
    rate: float
    real_folds: int = 0

    def name(self, config: StudyConfig) -> str:
        """Of its cell, and of its run folder: all that a fine-tuning depends on beside what all cells do."""
        schedule = f"{config.finetune_steps}steps_{config.finetune_batch}x{config.finetune_crop_px}px"
        part = f"{schedule}/real_{self.real_folds}folds" if self.real_folds else schedule
        return f"finetune/{part}/{self.arm}_seed{self.seed}_{self.fraction * 100:g}percent_rate{self.rate:g}"


def tuning_runs(config: StudyConfig) -> Iterator[Finetuning]:
    """Those that the learning rates are chosen by."""
    return (Finetuning(arm, config.seeds[0], TUNED_AT, rate) for arm in BEGINNINGS for rate in config.finetune_rates)


def chosen_rate(config: StudyConfig, cells: Mapping[str, Cell], arm: str) -> float:
    """The learning rate with the highest mean IoU on simulated validation chips; the first of the list where none has any."""

    def quality(run: Finetuning) -> float:
        value = cells[run.name(config)]["validation"]["mean_iou"]
        return -1.0 if value is None else float(value)

    return max((run for run in tuning_runs(config) if run.arm == arm), key=quality).rate


@dataclass(frozen=True, eq=False)
class Results:
    """All cells of a study by name, and how figures are made of them."""

    config: StudyConfig
    cells: dict[str, Cell]
    with_real: bool
    variants: dict[str, str] = field(default_factory=dict)
    """The arm of each variant of the pre-training, by its name."""

    def figure(self, definition: Definition, runs: Sequence[Sequence[Any]]) -> Figure:
        return figure(definition, runs, self.config.bootstrap_draws, DRAW_SEED)

    def difference(self, definition: Definition, first: Sequence[Sequence[Any]], second: Sequence[Sequence[Any]]) -> Figure:
        return difference(definition, first, second, self.config.bootstrap_draws, DRAW_SEED)

    def scored_on(self) -> tuple[str, ...]:
        return (SIMULATED, REAL) if self.with_real else (SIMULATED,)

    def fraction_runs(self, arm: str, fraction: float, scored: str) -> list[list[PlaceCounts]]:
        return [self._counts(fraction_name(arm, seed, fraction), scored) for seed in self.config.seeds]

    def real_runs(self, arm: str) -> list[list[PlaceCounts]]:
        return [self._counts(real_name(arm, seed), REAL) for seed in self.config.seeds]

    def set_runs(self, features: str, classifier: str, arm: str, scored: str) -> list[list[PlaceCounts]]:
        """Decibels are the same whatever the encoder: their cells are kept with the pre-trained one's."""
        arm = PRETRAINED if features == DB else arm
        return [self._counts(set_name(features, classifier, arm, seed), scored) for seed in self.config.seeds]

    def _counts(self, name: str, scored: str) -> list[PlaceCounts]:
        found = self.cells[name]["counts"][scored]
        return [PlaceCounts(place, np.array(counts, dtype=np.int64)) for place, counts in found.items()]

    def encoder_cells(self, section: str, arm: str) -> list[Cell]:
        names = [encoder_name(section, arm, s) for s in self.config.seeds] if arm == RANDOM else [encoder_name(section, arm)]
        return [self.cells[name] for name in names]

    def heads(self, arm: str, number: int, last_block: bool) -> list[tuple[int, int] | None]:
        """Of each encoder the head that is best for class `number` on validation crops."""
        return [choose_head(cell["validation"], number, last_block) for cell in self.encoder_cells("attention", arm)]

    def head_runs(self, arm: str, number: int, last_block: bool, scored: str) -> list[list[PlaceOverlap]]:
        """The overlaps of those heads; empty where validation crops do not show the class."""
        chosen = zip(self.encoder_cells("attention", arm), self.heads(arm, number, last_block), strict=True)
        return [_overlaps(cell[scored], *head, number) for cell, head in chosen if head is not None]

    def rollout_runs(self, arm: str, number: int, scored: str) -> list[list[PlaceOverlap]]:
        """The overlaps of attention rollout, which is one map an encoder."""
        return [_overlaps(cell[scored], 0, 0, number) for cell in self.encoder_cells("rollout", arm)]

    def sum_names(self) -> list[str]:
        """Figures of the embedding cells."""
        return list(self.encoder_cells("embedding", PRETRAINED)[0]["sums"])

    def sum_runs(self, arm: str, name: str) -> list[list[PlaceRatio]]:
        return [_ratios(cell["sums"][name]) for cell in self.encoder_cells("embedding", arm)]

    def position_runs(self, arm: str, scored: str) -> list[list[PlaceRatio]]:
        """Squares that position in the crop explains, and all."""
        return [_ratios(cell[scored]["sums"]) for cell in self.encoder_cells("position", arm)]

    def rate(self, arm: str) -> float:
        return chosen_rate(self.config, self.cells, arm)

    def with_real_finetuning(self) -> bool:
        """Whether networks were fine-tuned on real labels too."""
        return self.with_real and bool(self.config.finetune_steps and self.config.finetune_real_folds)

    def finetune_names(self, arm: str, fraction: float, real_folds: int = 0) -> list[str]:
        """Cells of the fine-tunings with the chosen rate, by seed."""
        return [Finetuning(arm, seed, fraction, self.rate(arm), real_folds).name(self.config) for seed in self.config.seeds]

    def finetune_runs(self, arm: str, fraction: float, scored: str, real_folds: int = 0) -> list[list[PlaceCounts]]:
        return [self._counts(name, scored) for name in self.finetune_names(arm, fraction, real_folds)]


def _overlaps(places: Mapping[str, Any], block: int, head: int, number: int) -> list[PlaceOverlap]:
    """Of class `number` with one map of an `overlap_cell`."""
    return [
        PlaceOverlap(
            name,
            place["hits"][block][head][number],
            place["union"][block][head][number],
            place["of_class"][number],
            place["labelled"][number],
        )
        for name, place in places.items()
    ]


def _ratios(sums: Mapping[str, Sequence[float]]) -> list[PlaceRatio]:
    return [PlaceRatio(place, *values) for place, values in sums.items()]
