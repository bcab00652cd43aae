# SPDX-License-Identifier: GPL-2.0-or-later
"""Variants of the pre-training, each against the main encoder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from training.classes import worldcover_classes
from training.evaluate.figures import Definition
from training.study.results import ABOVE_CHANCE, MEAN_IOU, PRETRAINED, RATIO, REAL, TUNED_AT, Results
from training.study.table import SCORED_ON, Table, with_interval

WATER, BUILT_UP = 80, 50
Runs = list[list[Any]]


@dataclass(frozen=True)
class Measure:
    """A figure that encoders are compared by; `runs` has those of an arm, none where the figure cannot be told."""

    name: str
    definition: Definition
    runs: Callable[[str], Runs]


def variant_tables(results: Results) -> list[Table]:
    note = (
        "Encoders that were pre-trained otherwise, frozen; their probes have the same chips and patches as the main encoder's. The "
        "head is the best of any block on simulated validation chips, and what it overlaps above chance is counted. k-NN: as in "
        "section 4. One pre-training each, of one seed: the intervals say nothing of how much another seed would change."
    )
    header = ("variant", "figure", "variant", "main", "variant less main")
    return [Table(f"Variants, {SCORED_ON[scored]}", note, header, tuple(_rows(results, scored))) for scored in results.scored_on()]


def _rows(results: Results, scored: str) -> list[tuple[str, ...]]:
    found = measures(results, scored)
    of_main = [measure.runs(PRETRAINED) for measure in found]
    told = [with_interval(results.figure(one.definition, runs)) if runs else "–" for one, runs in zip(found, of_main, strict=True)]
    rows: list[tuple[str, ...]] = []
    for name, arm in results.variants.items():
        for number, measure in enumerate(found):
            runs = measure.runs(arm)
            figures = ("–", told[number], "–")
            if runs and of_main[number]:
                less = results.difference(measure.definition, runs, of_main[number])
                figures = (with_interval(results.figure(measure.definition, runs)), told[number], with_interval(less))
            rows.append(("" if number else name, measure.name, *figures))
    return rows


def measures(results: Results, scored: str) -> list[Measure]:
    """What encoders are compared by on `scored`: simulated or real chips."""
    fractions = results.config.fractions
    found = [
        Measure(f"linear probe at {fraction * 100:g}%, mean IoU", MEAN_IOU, _fraction_runs(results, fraction, scored))
        for fraction in sorted({min(fractions), *({TUNED_AT, 1.0} & set(fractions))})
    ]
    if scored == REAL:
        found.append(Measure("linear probe on real labels, mean IoU", MEAN_IOU, results.real_runs))
    found += [
        Measure(name.removeprefix(f"{scored}: "), RATIO, _sum_runs(results, name))
        for name in results.sum_names()
        if name.startswith(scored) and name.endswith("k-NN accuracy")
    ]
    classes = worldcover_classes(results.config.classes)
    found += [
        Measure(f"best head, {item.name}, IoU above chance", ABOVE_CHANCE, _head_runs(results, number, scored))
        for number, item in enumerate(classes)
        if item.code in (WATER, BUILT_UP)
    ]
    return found


def _fraction_runs(results: Results, fraction: float, scored: str) -> Callable[[str], Runs]:
    return lambda arm: results.fraction_runs(arm, fraction, scored)


def _sum_runs(results: Results, name: str) -> Callable[[str], Runs]:
    return lambda arm: results.sum_runs(arm, name)


def _head_runs(results: Results, number: int, scored: str) -> Callable[[str], Runs]:
    def runs(arm: str) -> Runs:
        found = results.head_runs(arm, number, False, scored)
        return found if found and sum(part.union for part in found[0]) else []

    return runs
