# SPDX-License-Identifier: GPL-2.0-or-later
"""The area of each class, as rows for a table, text to paste, and CSV."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

from ...backend.model_card import ModelCard
from ...backend.protocol import JobResult


@dataclass(frozen=True)
class ClassArea:
    """`percent` is of the mapped (valid) area."""

    code: int
    name: str
    colour: str
    area_ha: float
    percent: float


def class_areas(result: JobResult, card: ModelCard) -> list[ClassArea]:
    """A row for each class of the model, largest first; classes that do not occur are there with 0."""
    areas_ha = [result.class_area_ha.get(str(item.code), 0.0) for item in card.classes]
    total_ha = sum(areas_ha)
    rows = [
        ClassArea(item.code, item.name, item.colour, area_ha, 100 * area_ha / total_ha if total_ha else 0.0)
        for item, area_ha in zip(card.classes, areas_ha)
    ]
    return sorted(rows, key=lambda row: (-row.area_ha, row.code))


def areas_text(rows: list[ClassArea], delimiter: str) -> str:
    """The rows with a heading; `delimiter` is a comma for a file and a tab for a spreadsheet's clipboard."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerow(("code", "class", "area_ha", "percent"))
    for row in rows:
        writer.writerow((row.code, row.name, f"{row.area_ha:.4f}", f"{row.percent:.3f}"))
    return text.getvalue()
