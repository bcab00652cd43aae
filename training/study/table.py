# SPDX-License-Identifier: GPL-2.0-or-later
"""A table, once for the HTML report and for Markdown alike, and how figures are written in it."""

from __future__ import annotations

import html
from dataclasses import dataclass

from training.evaluate.figures import Figure
from training.evaluate.report import table_html
from training.study.results import REAL, SIMULATED

SCORED_ON = {SIMULATED: "simulated test chips", REAL: "real chips"}


@dataclass(frozen=True)
class Table:
    """`note` is a sentence or two under the title."""

    title: str
    note: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def html(self) -> str:
        return f"<h3>{html.escape(self.title)}</h3><p>{html.escape(self.note)}</p>" + table_html(self.header, self.rows)

    def markdown(self) -> str:
        lines = ["| " + " | ".join(line) + " |" for line in (self.header, ("---",) * len(self.header), *self.rows)]
        return f"### {self.title}\n\n" + (f"{self.note}\n\n" if self.note else "") + "\n".join(lines) + "\n"


def with_interval(item: Figure) -> str:
    """Mean over seeds, the interval, and the spread of the seeds where there are several."""
    if item.value != item.value:
        return "–"
    between = f" ({item.low:.3f} to {item.high:.3f})" if item.low == item.low else ""
    seeds = f" [{min(item.each):.3f} – {max(item.each):.3f}]" if len(set(item.each)) > 1 else ""
    return f"{item.value:.3f}{between}{seeds}"
