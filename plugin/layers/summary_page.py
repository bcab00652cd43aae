# SPDX-License-Identifier: GPL-2.0-or-later
"""Summaries as HTML pages. Names of files, models and classes are text from strangers: all of it is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from ...backend.model_card import ModelCard
from ...backend.protocol import JobResult
from ..translation import tr
from .class_areas import class_areas
from .results import notes

STYLE = (
    "body{font-family:sans-serif;max-width:60em;margin:1em auto;padding:0 1em}"
    "table{border-collapse:collapse}td,th{padding:.2em .7em;border-bottom:1px solid #ccc;text-align:left;vertical-align:top}"
    "td.number,th.number{text-align:right}.swatch{display:inline-block;width:1em;height:1em;margin-right:.5em;"
    "border:1px solid #888;vertical-align:middle}.warning{color:#a04000}"
)


def scene_page(scene_name: str, result: JobResult, card: ModelCard) -> str:
    """The page on one scene: areas by class, warnings, and how the result came about."""
    title = f"{scene_name} · {card.name}"
    return page(title, areas_table(result, card), paragraphs(result.warnings, "warning"), paragraphs(notes(result, card)))


def page(title: str, *parts: str) -> str:
    """A whole page with `title` as its heading; `parts` are HTML already."""
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style>'
    return f"<!DOCTYPE html>\n<html><head>{head}</head><body><h1>{escape(title)}</h1>\n{''.join(parts)}</body></html>\n"


def areas_table(result: JobResult, card: ModelCard) -> str:
    """The area of each class with its colour; nothing for a model or a run without classes."""
    if not result.class_area_ha:
        return ""
    rows = [
        (_swatch(row.colour) + escape(row.name), f"{row.area_ha:,.2f}", f"{row.percent:.1f}") for row in class_areas(result, card)
    ]
    return table((tr("Class"), tr("Area (ha)"), "%"), rows)


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], texts: int = 1) -> str:
    """A table of cells that are HTML already; all but the first `texts` columns are numbers, set to the right."""

    def cells(tag: str, values: Sequence[str]) -> str:
        kinds = ("" if place < texts else ' class="number"' for place in range(len(values)))
        return "".join(f"<{tag}{kind}>{value}</{tag}>" for kind, value in zip(kinds, values))

    body = "".join(f"<tr>{cells('td', row)}</tr>\n" for row in rows)
    return f"<table><tr>{cells('th', [escape(heading) for heading in headings])}</tr>\n{body}</table>\n"


def paragraphs(texts: Iterable[str], kind: str = "") -> str:
    """Each text as a paragraph, of the style class `kind` where one is given."""
    opening = f'<p class="{kind}">' if kind else "<p>"
    return "".join(f"{opening}{escape(text)}</p>\n" for text in texts)


def _swatch(colour: str) -> str:
    return f'<span class="swatch" style="background:{escape(colour)}"></span>'
