# SPDX-License-Identifier: GPL-2.0-or-later
"""One HTML file with every figure, plot and map: nothing beside it is needed to read it."""

from __future__ import annotations

import base64
import io
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure as Plot

from training.evaluate.figures import Figure, is_doubtful, labelled_px, mean_iou, overall_accuracy, total_counts, water_share
from training.evaluate.score import ALL, BINS, CLEAR, SceneScore, add_bins
from training.metrics import scores_of

if TYPE_CHECKING:
    from training.evaluate.measure import Measured

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 76em; padding: 0 1em; color: #222; }
table { border-collapse: collapse; margin: .6em 0 1.4em; }
td, th { border-bottom: 1px solid #ddd; padding: .2em .8em .2em 0; text-align: left; vertical-align: top; }
td.n { text-align: right; font-variant-numeric: tabular-nums; }
figure { margin: .5em 0 1em; display: inline-block; margin-right: 1em; } figcaption { font-size: 13px; color: #555; }
pre { background: #f4f4f2; padding: .8em; overflow-x: auto; white-space: pre-wrap; }
img { max-width: 100%; } h2 { margin-top: 2em; border-bottom: 2px solid #ccc; }
"""


def write_report(path: Path, facts: dict[str, Any], measured: Measured, figures: dict[str, list[Figure]]) -> None:
    """Writes the report of one method; it appears under its name only when it is whole."""
    parts = [f"<h1>Evaluation of {escape(measured.method)}</h1>", facts_html(facts), figures_html(figures)]
    for name in dict.fromkeys(score.label_set for score in measured.scores):
        scores = [score for score in measured.scores if score.label_set == name]
        parts.append(f"<h2>{escape(name)}</h2>")
        parts += set_html(scores)
        shown = [picture for picture in measured.pictures if picture.label_set == name]
        if shown:
            parts.append("<h3>Maps: radar, map, label</h3>" + legend_html(name, facts))
            parts += [picture_html(picture.png, picture.scene) for picture in shown]
    parts.append(left_out_html([(one.label_set, one.scene, one.reason) for one in measured.left_out]))
    write_page(path, f"Evaluation of {measured.method}", parts)


def write_page(path: Path, title: str, parts: Iterable[str]) -> None:
    part = path.with_name(path.name + ".part")
    body = "\n".join(parts)
    head = f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style></head>'
    foot = "<p>Contains modified Copernicus Sentinel data where scenes are real.</p>"
    part.write_text(f"{head}<body>{body}{foot}</body></html>", encoding="utf-8")
    part.replace(path)


def table_html(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; numbers stand to the right."""
    lines = ["<tr>" + "".join(f"<th>{escape(text)}</th>" for text in header) + "</tr>"]
    for row in rows:
        cells = []
        for value in row:
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            cells.append(f'<td class="n">{_number(value)}</td>' if number else f"<td>{escape(str(value))}</td>")
        lines.append("<tr>" + "".join(cells) + "</tr>")
    return "<table>" + "".join(lines) + "</table>"


def _number(value: Any) -> str:
    if value != value:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:.3f}"


def facts_html(facts: dict[str, Any]) -> str:
    rows: list[tuple[str, str]] = [(key, facts[key]) for key in ("date", "commit", "python") if key in facts]
    rows += [(key, value) for key, value in facts.get("model", {}).items()]
    rows += [("what the model saw", facts["note"])] if facts.get("note") else []
    rows += [("versions", ", ".join(f"{name} {number}" for name, number in facts["versions"].items()))]
    return (
        f"<pre>{escape(facts['command'])}</pre>"
        + table_html(("", ""), rows)
        + f"<details><summary>Settings</summary><pre>{escape(json.dumps(facts['settings'], indent=1))}</pre></details>"
    )


def figures_html(figures: dict[str, list[Figure]]) -> str:
    rows = [
        (name, item.name, item.value, interval(item), item.scenes, item.places) for name, items in figures.items() for item in items
    ]
    return (
        "<h2>Figures</h2><p>Intervals hold 95% of the draws of places with replacement; with few places they are rough. "
        "Labels are opinions and products of others: see each set.</p>"
        + table_html(("labels", "figure", "value", "95% interval", "scenes", "places"), rows)
    )


def interval(item: Figure) -> str:
    return f"{item.low:.3f} to {item.high:.3f}" if item.low == item.low else ""


def set_html(scores: Sequence[SceneScore]) -> list[str]:
    """Tables and plots of one label set and method."""
    labelled = [score for score in scores if labelled_px(score)]
    if not labelled:
        return [mapped_html(scores)]
    water = labelled[0].legend == "water"
    parts = [classes_html(labelled), confusion_html(labelled), reliability_html(labelled)]
    if water:
        parts.append(water_html(labelled))
    else:
        parts += [by_html(labelled, "scene"), by_html(labelled, "place"), by_html(labelled, "region")]
    return parts


def classes_html(scores: Sequence[SceneScore]) -> str:
    counts = total_counts(scores)
    found = scores_of(counts)
    rows = [
        (name, int(counts[index].sum()), int(counts[:, index].sum()), found.iou[index], found.f1[index])
        for index, name in enumerate(scores[0].groups)
    ]
    return table_html(("class", "pixels labelled", "pixels mapped (where labelled)", "IoU", "F1"), rows)


def confusion_html(scores: Sequence[SceneScore]) -> str:
    """The confusion matrix, rows summing to one, as a picture with the counts in numbers beside it."""
    counts = total_counts(scores)
    names = [*scores[0].groups, "none of these"]
    kept = [index for index in range(len(names)) if counts[index].sum() or counts[:, index].sum()]
    rows = [index for index in kept if counts[index].sum()]
    shares = counts[np.ix_(rows, kept)] / counts[rows].sum(axis=1, keepdims=True)
    plot = Plot(figsize=(1.4 + 0.8 * len(kept), 1.2 + 0.55 * len(rows)), layout="constrained")
    axes = plot.subplots()
    axes.imshow(shares, vmin=0, vmax=1, cmap="Blues", aspect="auto")
    axes.set_xticks(range(len(kept)), [names[index] for index in kept], rotation=30, ha="right")
    axes.set_yticks(range(len(rows)), [names[index] for index in rows])
    axes.set_xlabel("map")
    axes.set_ylabel("label")
    for r, row in enumerate(shares):
        for c, share in enumerate(row):
            axes.text(c, r, f"{share:.2f}", ha="center", va="center", color="white" if share > 0.6 else "black")
    return plot_html(plot, "Share of each label's pixels that is mapped as each class")


def reliability_html(scores: Sequence[SceneScore]) -> str:
    bins = add_bins([score.bins[ALL] for score in scores])
    if not bins[:, 0].sum():
        return ""
    kept = bins[:, 0] > 0
    plot = Plot(figsize=(4.2, 3.6), layout="constrained")
    axes = plot.subplots()
    axes.plot([0, 1], [0, 1], color="#999", linewidth=1)
    axes.bar((np.arange(BINS) + 0.5) / BINS, bins[:, 0] / bins[:, 0].sum(), width=0.9 / BINS, color="#ccd", label="share of pixels")
    axes.plot(bins[kept, 1] / bins[kept, 0], bins[kept, 2] / bins[kept, 0], "o-", color="#0064c8", label="right")
    axes.set(xlabel="confidence", ylabel="share", xlim=(0, 1), ylim=(0, 1))
    axes.legend()
    return plot_html(plot, "Reliability: share of pixels that are right, by the confidence that the map gives")


def water_html(scores: Sequence[SceneScore]) -> str:
    rows = []
    for score in sorted(scores, key=lambda one: one.scene):
        iou, clear = (scores_of(total_counts([score], variant)).iou[1] for variant in (ALL, CLEAR))
        counts = total_counts([score])
        false = counts[0, 1] / counts[0].sum() if counts[0].sum() else float("nan")
        doubt = "doubtful" if is_doubtful(score) else ""
        water = int(counts[1].sum())
        share = score.doubtful_px / water if water else float("nan")
        rows.append((score.scene, score.place, labelled_px(score), water_share(score), iou, clear, float(false), share, doubt))
    header = ("scene", "place", "pixels labelled", "share of water", "IoU", "IoU without doubtful pixels", "false water")
    return table_html((*header, "doubtful share of labelled water", ""), rows)


def by_html(scores: Sequence[SceneScore], key: str) -> str:
    grouped: dict[str, list[SceneScore]] = defaultdict(list)
    for score in scores:
        grouped[getattr(score, key)].append(score)
    rows = [
        (name, len(part), sum(labelled_px(s) for s in part), overall_accuracy(part), mean_iou(part))
        for name, part in sorted(grouped.items())
    ]
    return f"<h3>By {key}</h3>" + table_html((key, "scenes", "pixels labelled", "overall accuracy", "mean IoU"), rows)


def mapped_html(scores: Sequence[SceneScore]) -> str:
    """Shares of scenes without labels that are mapped as each group."""
    rows = [
        (score.scene, score.place, score.valid_px, *(count / max(score.valid_px, 1) for count in score.mapped_px[:-1]))
        for score in scores
    ]
    return "<p>No labels: shares of the map.</p>" + table_html(("scene", "place", "valid pixels", *scores[0].groups), rows)


def legend_html(name: str, facts: dict[str, Any]) -> str:
    from training.evaluate.legends import LEGENDS

    legend = next((item["legend"] for item in facts["settings"]["sets"] if item["name"] == name), None)
    if legend is None:
        return ""
    swatches = [f'<span style="background:{group.colour}">&emsp;</span> {escape(group.name)}' for group in LEGENDS[legend].groups]
    return "<p>Radar: red VV, green VH, blue VV - VH. " + " &ensp; ".join(swatches) + "</p>"


def left_out_html(rows: Sequence[tuple[str, str, str]]) -> str:
    return "<h2>Left out</h2>" + table_html(("labels", "scene", "reason"), rows) if rows else ""


def picture_html(png: bytes, caption: str) -> str:
    source = base64.b64encode(png).decode()
    return f'<figure><img alt="" src="data:image/png;base64,{source}"><figcaption>{escape(caption)}</figcaption></figure>'


def plot_html(plot: Plot, caption: str) -> str:
    buffer = io.BytesIO()
    with mpl.rc_context({"font.size": 9}):
        plot.savefig(buffer, format="png", dpi=110)
    return picture_html(buffer.getvalue(), caption)
