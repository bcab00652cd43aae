# SPDX-License-Identifier: GPL-2.0-or-later
"""What became of each scene of a batch, a row a scene: as CSV and as a page of HTML that needs nothing else."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from ..model_card import ModelCard
from ..protocol import SCENE_STATES, SceneOutcome
from .figures import SceneFigures, figures_of_file, figures_of_result

DONE, SKIPPED, FAILED, CANCELLED, NOT_BEGUN = SCENE_STATES
LABELS = {SKIPPED: "there already"}

_STYLE = (
    "body{font-family:sans-serif;margin:2em}table{border-collapse:collapse}th,td{border:1px solid #999;padding:.3em .6em;"
    "text-align:right}th{background:#eee}td{white-space:nowrap}td.text{text-align:left}tr.total{font-weight:bold}"
    "tr.failed td{background:#f8dcdc}.warning{color:#a04000}"
)


def count(outcomes: Sequence[SceneOutcome], state: str) -> int:
    """How many scenes ended in `state`."""
    return sum(outcome.state == state for outcome in outcomes)


def counts_text(outcomes: Sequence[SceneOutcome]) -> str:
    """How many scenes ended in which state: “3 done, 1 failed”."""
    found = [(count(outcomes, state), LABELS.get(state, state)) for state in SCENE_STATES]
    return ", ".join(f"{number} {label}" for number, label in found if number) or "no scene"


@dataclass(frozen=True)
class Row:
    """One scene in the table. `figures` are None where its outputs are not there."""

    outcome: SceneOutcome
    figures: SceneFigures | None


def row_of(outcome: SceneOutcome) -> Row:
    """The row of a scene. It may open one of its files, so make it once."""
    if outcome.state not in (DONE, SKIPPED):
        return Row(outcome, None)
    figures = figures_of_result(outcome.result) if outcome.result is not None else None
    if figures is None or not figures.class_area_ha:  # its land cover may be of an earlier run
        path = next((outcome.outputs[name] for name in ("landcover", "confidence") if name in outcome.outputs), None)
        earlier = figures_of_file(path or next(iter(outcome.outputs.values())))
        figures = earlier if figures is None or earlier.class_area_ha else figures
    return Row(outcome, figures)


def as_csv(rows: Sequence[Row], card: ModelCard) -> str:
    """A row a scene; figures that are not known are empty, and there is a column of hectares for each class."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    classes = sorted(card.classes, key=lambda item: item.code)
    columns = ("valid_area_km2", "valid_percent", "mean_confidence_percent", "elapsed_s")
    names = [f"{item.code} {item.name} (ha)" for item in classes]
    writer.writerow(("scene", "state", "reason", *columns, *names, "attempts", "warnings"))
    for row in rows:
        outcome, figures = row.outcome, row.figures or SceneFigures()
        digits = dict(zip(columns, (6, 3, 2, 2), strict=True))
        cells = [_cell(getattr(figures, name), digits[name]) for name in columns]
        areas = [_cell(figures.class_area_ha.get(str(item.code), 0.0), 4) if figures.class_area_ha else "" for item in classes]
        writer.writerow(
            (outcome.name, outcome.state, reason(outcome), *cells, *areas, outcome.attempts, " ".join(figures.warnings))
        )
    return text.getvalue()


def as_html(rows: Sequence[Row], card: ModelCard) -> str:
    """The page on all scenes: how many, a row each, the sums, and the reasons of those that failed."""
    classes = sorted(card.classes, key=lambda item: item.code)
    headings = ["Scene", "State", "Area (km²)", "Valid (%)", "Confidence (%)", "Time (s)", *(f"{c.name} (ha)" for c in classes)]
    lines, warnings, known = [], [], []
    outcomes = [row.outcome for row in rows]
    for row in rows:
        outcome, figures = row.outcome, row.figures
        cells = [escape(outcome.name), LABELS.get(outcome.state, outcome.state)]
        if figures is None:
            cells += [""] * (len(headings) - 2)
        else:
            known.append(figures)
            warnings += [f"{outcome.name}: {text}" for text in figures.warnings]
            cells += [_cell(figures.valid_area_km2, 2), _cell(figures.valid_percent, 1), _cell(figures.mean_confidence_percent, 1)]
            cells += [_cell(figures.elapsed_s, 1), *(_cell(figures.class_area_ha.get(str(c.code)), 2) for c in classes)]
        lines.append(_row(cells, "failed" if outcome.state == FAILED else ""))
    total = ["All", "", _sum([f.valid_area_km2 for f in known], 2), "", "", _sum([f.elapsed_s for f in known], 1)]
    total += [_sum([f.class_area_ha.get(str(c.code)) for f in known], 2) for c in classes]
    if len(known) > 1:
        lines.append(_row(total, "total"))
    reasons = [f"{outcome.name}: {reason(outcome)}" for outcome in outcomes if outcome.failure is not None]
    notes = "".join(f'<p class="warning">{escape(text)}</p>' for text in [*reasons, *warnings])
    if len(known) > 1:
        notes += "<p>Sums count ground that several scenes show once for each of them.</p>"
    if card.training.get("simulated_only"):
        notes += "<p>The model was trained on simulated scenes only: its map is a demonstration.</p>"
    title = escape(f"{card.name}: {counts_text(outcomes)}")
    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    return (
        f"<!DOCTYPE html>\n<html><head><meta charset='utf-8'><title>{title}</title><style>{_STYLE}</style></head>"
        f"<body><h1>{title}</h1>\n<table><tr>{head}</tr>\n{''.join(lines)}</table>\n{notes}</body></html>\n"
    )


def reason(outcome: SceneOutcome) -> str:
    """Why the scene is not done; empty where it is."""
    return outcome.failure.sentence if outcome.failure is not None else ""


def _row(cells: Sequence[str], kind: str) -> str:
    """A row of cells that are HTML already; the first two are texts, the others numbers."""
    kinds = (" class='text'" if place < 2 else "" for place in range(len(cells)))
    inner = "".join(f"<td{style}>{cell}</td>" for style, cell in zip(kinds, cells, strict=True))
    return f"<tr{f' class={kind!r}' if kind else ''}>{inner}</tr>\n"


def _cell(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _sum(values: Sequence[float | None], digits: int) -> str:
    there = [value for value in values if value is not None]
    return _cell(sum(there), digits) if there else ""
