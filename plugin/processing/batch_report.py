# SPDX-License-Identifier: GPL-2.0-or-later
"""What became of each scene of a batch, as a page, as CSV and as JSON."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

from ...backend.model_card import ModelCard
from ...backend.protocol import JobResult
from ..layers.summary_page import page, paragraphs, table
from ..translation import tr

DONE, SKIPPED, FAILED, CANCELLED, NOT_BEGUN = "done", "skipped", "failed", "cancelled", "not begun"
"""States of a scene. The words are part of CSV and JSON and are not translated there."""


@dataclass(frozen=True)
class SceneOutcome:
    """How one scene ended: `sentence` says why where it is not done; `outputs` are files by parameter id."""

    name: str
    state: str
    sentence: str = ""
    outputs: dict[str, str] = field(default_factory=dict)
    result: JobResult | None = None


def count(outcomes: Sequence[SceneOutcome], state: str) -> int:
    """How many scenes ended in `state`."""
    return sum(outcome.state == state for outcome in outcomes)


def state_labels() -> dict[str, str]:
    """The states as a person reads them."""
    return {
        DONE: tr("done"),
        SKIPPED: tr("there already"),
        FAILED: tr("failed"),
        CANCELLED: tr("cancelled"),
        NOT_BEGUN: tr("not begun"),
    }


def batch_page(outcomes: Sequence[SceneOutcome], card: ModelCard) -> str:
    """The page on all scenes: how many, a row each, and the reasons of those that failed."""
    labels = state_labels()
    counts = ", ".join(f"{count(outcomes, state)} {label}" for state, label in labels.items() if count(outcomes, state))
    classes = sorted(card.classes, key=lambda item: item.code)
    headings = [tr("Scene"), tr("State"), tr("Area (km²)"), tr("Valid (%)"), tr("Confidence (%)"), tr("Time (s)")]
    headings += [f"{item.name} (ha)" for item in classes]
    rows = []
    for outcome in outcomes:
        row = [escape(outcome.name), labels[outcome.state]]
        result = outcome.result
        if result is None:
            rows.append([*row, *[""] * (len(headings) - 2)])
            continue
        confidence = "" if result.mean_confidence_percent is None else f"{result.mean_confidence_percent:.1f}"
        row += [f"{result.valid_area_km2:,.2f}", f"{100 * result.valid_share:.1f}", confidence, f"{result.elapsed_s:.1f}"]
        rows.append([*row, *(_area(result, item.code) for item in classes)])
    reasons = [f"{outcome.name}: {outcome.sentence}" for outcome in outcomes if outcome.sentence and outcome.state != SKIPPED]
    warnings = [f"{outcome.name}: {text}" for outcome in outcomes if outcome.result is not None for text in outcome.result.warnings]
    parts = [table(headings, rows, texts=2), paragraphs(reasons, "warning"), paragraphs(warnings, "warning")]
    if card.training.get("simulated_only"):
        parts.append(paragraphs([tr("The model was trained on simulated scenes only: its map is a demonstration.")]))
    return page(tr("{model}: {counts}").format(model=card.name, counts=counts), *parts)


def batch_csv(outcomes: Sequence[SceneOutcome], card: ModelCard) -> str:
    """A row a scene; columns of figures are empty where there are none, and there is a column of hectares for each class."""
    classes = sorted(card.classes, key=lambda item: item.code)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    figures = ("valid_area_km2", "valid_percent", "mean_confidence_percent", "elapsed_s")
    writer.writerow(("scene", "state", "reason", *figures, *(f"{item.code} {item.name} (ha)" for item in classes)))
    for outcome in outcomes:
        row = [outcome.name, outcome.state, outcome.sentence]
        result = outcome.result
        if result is not None:
            confidence = "" if result.mean_confidence_percent is None else f"{result.mean_confidence_percent:.2f}"
            row += [f"{result.valid_area_km2:.6f}", f"{100 * result.valid_share:.3f}", confidence, f"{result.elapsed_s:.2f}"]
            row += [f"{result.class_area_ha.get(str(item.code), 0.0):.4f}" if result.class_area_ha else "" for item in classes]
        writer.writerow([*row, *[""] * (3 + len(figures) + len(classes) - len(row))])
    return text.getvalue()


def batch_json(outcomes: Sequence[SceneOutcome]) -> str:
    """Each outcome with its whole `JobResult`, as one line of JSON."""
    return json.dumps([dataclasses.asdict(outcome) for outcome in outcomes], ensure_ascii=False, allow_nan=False)


def _area(result: JobResult, code: int) -> str:
    return f"{result.class_area_ha.get(str(code), 0.0):,.2f}" if result.class_area_ha else ""
