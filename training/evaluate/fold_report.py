# SPDX-License-Identifier: GPL-2.0-or-later
"""The report of a cross-validation: methods side by side, differences, each chip, each place, the folds."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from training.evaluate.figures import (
    WET_SHARE,
    Figure,
    group_iou,
    is_doubtful,
    labelled_px,
    overall_accuracy,
    total_counts,
    water_share,
)
from training.evaluate.folds import Material, Scores
from training.evaluate.report import confusion_html, facts_html, interval, left_out_html, reliability_html, table_html, write_page
from training.evaluate.score import CLEAR, SceneScore
from training.metrics import IGNORE, scores_of


def write_fold_report(
    path: Path,
    facts: dict[str, Any],
    folds: Sequence[Sequence[str]],
    material: Material,
    scores: Scores,
    table: dict[str, dict[str, list[Figure]]],
    differences: dict[str, dict[str, list[Figure]]],
) -> None:
    """Writes the report; it appears under its name only when it is whole."""
    parts = [f"<h1>Cross-validation by place, {len(folds)} folds</h1>", facts_html(facts), _folds_html(folds, material)]
    for legend, by_method in table.items():
        parts.append(f"<h2>{escape(legend)}</h2>")
        parts.append(methods_html(by_method))
        if legend in differences:
            parts.append("<h3>Paired differences to the best of the others</h3>" + differences_html(differences[legend]))
        runs = {
            name: [score for score in next(iter(by_seed.values())) if score.legend == legend and labelled_px(score)]
            for name, by_seed in scores.items()
        }
        runs = {name: run for name, run in runs.items() if run}
        parts.append(chips_html(runs) if legend == "water" else classes_by_method_html(runs) + places_html(runs))
        for name, run in runs.items():
            parts.append(f"<h3>{escape(name)}</h3>" + confusion_html(run) + reliability_html(run))
    parts.append(left_out_html([(one.label_set, one.scene, one.reason) for one in material.left_out]))
    write_page(path, "Cross-validation by place", parts)


def _folds_html(folds: Sequence[Sequence[str]], material: Material) -> str:
    rows = []
    for number, places in enumerate(folds):
        tested = [scene for scene in material.real if scene.place in places]
        wet = sum(scene.wet and (scene.groups == IGNORE).all() for scene in tested)
        rows.append((number, ", ".join(places), len(tested), int(wet)))
    return "<h2>Folds</h2><p>No place is in two.</p>" + table_html(
        ("fold", "places held out", "labelled scenes", "wet chips"), rows
    )


def methods_html(by_method: dict[str, list[Figure]]) -> str:
    """One row a figure, one column a method: the mean over seeds, the interval over places and seeds, the seeds' values."""
    names = list(by_method)
    order = list(dict.fromkeys(item.name for items in by_method.values() for item in items))
    rows = []
    for figure_name in order:
        found = {name: next((item for item in items if item.name == figure_name), None) for name, items in by_method.items()}
        some = next(item for item in found.values() if item is not None)
        cells = [_cell(found[name]) for name in names]
        rows.append((figure_name, f"{some.scenes} of {some.places}", *cells))
    return table_html(("figure", "scenes of places", *names), rows)


def differences_html(by_method: dict[str, list[Figure]]) -> str:
    rows = [(name, item.name, _cell(item)) for name, items in by_method.items() for item in items]
    return table_html(("method", "figure", "difference"), rows)


def _cell(item: Figure | None) -> str:
    if item is None:
        return "–"
    each = " · seeds " + ", ".join(f"{value:.3f}" for value in item.each) if len(item.each) > 1 else ""
    between = interval(item)
    return f"{item.value:.3f}" + (f" ({between})" if between else "") + each


def chips_html(runs: dict[str, list[SceneScore]]) -> str:
    """Water IoU of each chip by method (first seed), labels as given / without doubtful pixels; false water of dry chips."""
    by_chip: dict[str, dict[str, SceneScore]] = {}
    for name, run in runs.items():
        for score in run:
            by_chip.setdefault(score.scene, {})[name] = score
    rows = []
    for chip, found in sorted(by_chip.items()):
        some = next(iter(found.values()))
        cells = [_chip_cell(found[name]) if name in found else "–" for name in runs]
        rows.append((chip, some.place, water_share(some), "doubtful" if is_doubtful(some) else "", *cells))
    return "<h3>Chips: water IoU as labelled / without doubtful pixels, false water of dry ones (first seed)</h3>" + table_html(
        ("chip", "place", "share of water", "", *runs), rows
    )


def _chip_cell(score: SceneScore) -> str:
    counts = total_counts([score])
    if water_share(score) < WET_SHARE:
        return f"false {counts[0, 1] / max(1, counts[0].sum()):.3f}"
    return f"{group_iou([score], 1):.3f} / {group_iou([score], 1, CLEAR):.3f}"


def classes_by_method_html(runs: dict[str, list[SceneScore]]) -> str:
    groups = next(iter(runs.values()))[0].groups
    ious = {name: scores_of(total_counts(run)).iou for name, run in runs.items()}
    rows = [(group, *(ious[name][index] for name in runs)) for index, group in enumerate(groups)]
    return "<h3>IoU by group (first seed)</h3>" + table_html(("group", *runs), rows)


def places_html(runs: dict[str, list[SceneScore]]) -> str:
    places = sorted({score.place for run in runs.values() for score in run})
    rows = []
    for place in places:
        parts = [[score for score in run if score.place == place] for run in runs.values()]
        rows.append((place, sum(labelled_px(s) for s in parts[0]), *(overall_accuracy(part) for part in parts)))
    return "<h3>Overall accuracy by place (first seed)</h3>" + table_html(("place", "pixels labelled", *runs), rows)
