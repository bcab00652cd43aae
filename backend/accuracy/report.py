# SPDX-License-Identifier: GPL-2.0-or-later
"""The figures of an accuracy assessment: as sentences, as CSV, and as a page of HTML that needs nothing else."""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .error_matrix import Agreement, AreaEstimates


@dataclass(frozen=True)
class AccuracyFigures:
    """All that is known of a map's accuracy. `counts` [classes, classes], rows the map; `mapped_ha` [classes].

    `kind` is what the reference is, `design` how it was drawn (without auto); `estimates` is None where that is `none`.
    `left_out` counts what could not be compared, by reason.
    """

    codes: tuple[int, ...]
    names: tuple[str, ...]
    kind: str
    design: str
    counts: NDArray[np.int64]
    mapped_ha: NDArray[np.float64]
    agreement: Agreement
    estimates: AreaEstimates | None
    left_out: Mapping[str, int]

    def as_data(self) -> dict[str, Any]:
        """Everything as plain JSON-able values; what cannot be computed is None."""
        data: dict[str, Any] = {
            "classes": [{"code": code, "name": name} for code, name in zip(self.codes, self.names, strict=True)],
            "reference": self.kind,
            "design": self.design,
            "matrix": self.counts.tolist(),
            "mapped_ha": _plain(self.mapped_ha),
            "agreement": {
                "overall": _plain(self.agreement.overall),
                "users": _plain(self.agreement.users),
                "producers": _plain(self.agreement.producers),
                "f1": _plain(self.agreement.f1),
            },
            "left_out": dict(self.left_out),
        }
        if self.estimates is not None:
            fields = ("overall", "users", "producers", "f1", "area")
            estimates = {name: _plain(getattr(self.estimates, name)) for name in fields}
            intervals = {f"{name}_interval": _plain(getattr(self.estimates, f"{name}_interval")) for name in fields if name != "f1"}
            data["estimates"] = {**estimates, **intervals}
        return data


def as_lines(figures: AccuracyFigures) -> list[str]:
    """The figures for a terminal or a log."""
    e, a = figures.estimates, figures.agreement
    overall = f"{a.overall:.3f}" if e is None else f"{e.overall:.3f} ± {e.overall_interval:.3f}"
    lines = [f"Overall accuracy {overall}, from {figures.counts.sum()} {_units(figures)}"]
    for index, name in enumerate(figures.names):
        if e is None:
            lines.append(
                f"  {name}: user's {_text(a.users[index])}, producer's {_text(a.producers[index])}, F1 {_text(a.f1[index])}"
            )
            continue
        parts = [
            f"user's {_pm(e.users[index], e.users_interval[index])}",
            f"producer's {_pm(e.producers[index], e.producers_interval[index])}",
            f"F1 {_text(e.f1[index])}",
            f"area {_pm(e.area[index], e.area_interval[index], 0)} ha (mapped {figures.mapped_ha[index]:.0f} ha)",
        ]
        lines.append(f"  {name}: {', '.join(parts)}")
    return lines


def as_csv(figures: AccuracyFigures) -> str:
    """The matrix with the figures of each class, one row a class of the map, and the overall figures below."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    e, a = figures.estimates, figures.agreement
    heading = ["code", "class", *(f"reference {name}" for name in figures.names), "map total", "mapped_ha"]
    heading += ["users_accuracy", "producers_accuracy", "f1"]
    if e is not None:
        heading += ["users_interval", "producers_interval", "area_ha", "area_interval_ha"]
    writer.writerow(heading)
    best: Agreement | AreaEstimates = a if e is None else e
    for i, (code, name) in enumerate(zip(figures.codes, figures.names, strict=True)):
        row: list[Any] = [code, name, *figures.counts[i].tolist(), int(figures.counts[i].sum()), _cell(figures.mapped_ha[i], 4)]
        row += [_cell(best.users[i]), _cell(best.producers[i]), _cell(best.f1[i])]
        if e is not None:
            row += [_cell(e.users_interval[i]), _cell(e.producers_interval[i]), _cell(e.area[i], 4), _cell(e.area_interval[i], 4)]
        writer.writerow(row)
    writer.writerow(["", "reference total", *figures.counts.sum(axis=0).tolist(), int(figures.counts.sum())])
    writer.writerow(["", "overall accuracy", _cell(best.overall)])
    if e is not None:
        writer.writerow(["", "overall accuracy interval", _cell(e.overall_interval)])
    return text.getvalue()


def as_html(figures: AccuracyFigures, raster: str, reference: str, notes: Sequence[str]) -> str:
    """A page with the matrix, the figures, and what has to be known to read them."""
    e, a = figures.estimates, figures.agreement
    names = [html.escape(name) for name in figures.names]
    head = "".join(f"<th>{name}</th>" for name in names)
    matrix = "".join(
        f"<tr><th>{name}</th>"
        + "".join(f'<td class="{"hit" if i == j else ""}">{count}</td>' for j, count in enumerate(figures.counts[i].tolist()))
        + f"<td>{figures.counts[i].sum()}</td></tr>"
        for i, name in enumerate(names)
    )
    totals = "".join(f"<td>{n}</td>" for n in figures.counts.sum(axis=0).tolist())
    if e is None:
        overall = f"{a.overall:.3f}"
        columns = ["user's accuracy", "producer's accuracy", "F1"]
        rows = [[_text(a.users[i]), _text(a.producers[i]), _text(a.f1[i])] for i in range(len(names))]
    else:
        overall = f"{e.overall:.3f} ± {e.overall_interval:.3f}"
        columns = ["user's accuracy", "producer's accuracy", "F1", "mapped area (ha)", "estimated area (ha)"]
        rows = [
            [
                _pm(e.users[i], e.users_interval[i]),
                _pm(e.producers[i], e.producers_interval[i]),
                _text(e.f1[i]),
                f"{figures.mapped_ha[i]:,.1f}",
                _pm(e.area[i], e.area_interval[i], 1),
            ]
            for i in range(len(names))
        ]
    table = "".join(
        f"<tr><th>{name}</th>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for name, row in zip(names, rows, strict=True)
    )
    listed = "".join(f"<li>{html.escape(note)}</li>" for note in notes)
    return (
        "<!DOCTYPE html><html><head><meta charset='utf-8'><title>Accuracy of a map</title><style>"
        "body{font-family:sans-serif;margin:2em;max-width:70em}table{border-collapse:collapse;margin:1em 0}"
        "th,td{border:1px solid #999;padding:.3em .6em;text-align:right}th{background:#eee}.hit{background:#dff0d8}"
        "</style></head><body><h1>Accuracy of a map</h1>"
        f"<p>Map: {html.escape(_last(raster))}<br>Reference: {html.escape(_last(reference))} ({html.escape(figures.kind)}, "
        f"{figures.counts.sum()} {_units(figures)})<br>{html.escape(_design_text(figures.design))}</p>"
        f"<p><b>Overall accuracy: {overall}</b></p>"
        f"<h2>Each class</h2><table><tr><th></th>{''.join(f'<th>{html.escape(c)}</th>' for c in columns)}</tr>{table}</table>"
        f"<h2>Confusion matrix</h2><p>Rows: the map. Columns: the reference. Counts of {_units(figures)}.</p>"
        f"<table><tr><th></th>{head}<th>total</th></tr>{matrix}<tr><th>total</th>{totals}<td>{figures.counts.sum()}</td></tr></table>"
        + (f"<h2>Notes</h2><ul>{listed}</ul>" if listed else "")
        + "</body></html>\n"
    )


def _design_text(design: str) -> str:
    return {
        "stratified": "Taken as a stratified random sample with the map's classes as strata. ± is a 95% interval "
        "(Olofsson et al. 2014); accuracies and areas are adjusted for the map's bias.",
        "random": "Taken as a simple random sample, stratified by the map's classes after it was drawn. ± is a 95% interval "
        "(Olofsson et al. 2014); accuracies and areas are adjusted for the map's bias.",
        "none": "Not a random sample: the figures are agreement by count, without intervals, and say nothing of areas.",
    }[design]


def _units(figures: AccuracyFigures) -> str:
    return "points" if figures.kind == "points" else "pixels"


def _last(path: str) -> str:
    return path.replace("\\", "/").rsplit("/", 1)[-1]


def _text(value: float, digits: int = 3) -> str:
    return f"{value:,.{digits}f}" if np.isfinite(value) else "–"


def _pm(value: float, interval: float, digits: int = 3) -> str:
    return f"{_text(value, digits)} ± {_text(interval, digits)}" if np.isfinite(interval) else _text(value, digits)


def _cell(value: float, digits: int = 6) -> str:
    return f"{value:.{digits}f}" if np.isfinite(value) else ""


def _plain(value: Any) -> Any:
    """A float, or a list of them, with None for what is not finite."""
    if isinstance(value, np.ndarray):
        return [_plain(float(item)) for item in value]
    return float(value) if np.isfinite(value) else None
