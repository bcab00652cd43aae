# SPDX-License-Identifier: GPL-2.0-or-later
"""The study as one HTML file, and its tables as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
from matplotlib.figure import Figure as Plot

from training.classes import worldcover_classes
from training.evaluate.output import run_facts
from training.evaluate.report import facts_html, plot_html, write_page
from training.study.attention_pictures import attention_plot
from training.study.cells import IDENTITY
from training.study.results import MEAN_IOU, PRETRAINED, RANDOM, Results, encoder_name
from training.study.table import SCORED_ON, Table
from training.study.tables import tables_of

ARM_NAMES = {PRETRAINED: "pre-trained", RANDOM: "random"}
REPORT, MARKDOWN = "report.html", "study.md"
EXPLAINED = (
    "Each figure is the mean over seeds; in round brackets 95% of the draws of places (a simulated scene is a place) with "
    "replacement, of all seeds together; in square brackets the lowest and the highest seed. A seed is, for the pre-trained "
    "encoder, an order of the training chips and a draw of patches; for random encoders also their weights; of a fine-tuning its "
    "chips, crops and new weights. Differences are paired: the same places are drawn for both, and the same patches or crops are "
    "learnt from. Simulated chips are simulated: what holds on them need not hold on real ones."
)
WITHOUT_REAL = "No chip store of real scenes was there: the real part is left out."
WITHOUT_FINETUNING = "No network was fine-tuned: finetune_steps was 0."
WITHOUT_REAL_LABELS = "No network was fine-tuned on real labels: finetune_real_folds was 0."
WITHOUT_VARIANTS = "No variant of the pre-training was asked for: variants and imagenet were empty."
TITLE = "What encoders know"


def write_study(results: Results, identity: dict[str, Any]) -> None:
    """Writes report.html and study.md into `config.out`; each appears under its name only when it is whole."""
    sections = tables_of(results)
    facts = run_facts(results.config)
    facts["model"] = {"encoder": results.config.encoder.name, "encoder_sha256": identity["encoder_sha256"]}
    facts["model"] |= {f"{name} store": value for name, value in identity["stores_sha256"].items()}
    facts["model"] |= {f"variant {name}, sha256": arm.rsplit("_", 1)[1] for name, arm in results.variants.items()}
    parts = [f"<h1>{TITLE}</h1>", facts_html(facts), f"<p>{escape(EXPLAINED)} Cells: see {IDENTITY}.</p>"]
    left_out = left_out_of(results)
    parts += [f"<p><b>{text}</b></p>" for text in left_out]
    plots = {0: learning_plots(results), 1: [attention_plot(results)], 3: embedding_plots(results)}
    for number, (title, tables) in enumerate(sections):
        parts += [f"<h2>{escape(title)}</h2>", *plots.get(number, ()), *(table.html() for table in tables)]
    write_page(results.config.out / REPORT, TITLE, parts)
    path = results.config.out / MARKDOWN
    part = path.with_name(path.name + ".part")
    part.write_text(markdown(sections, left_out), encoding="utf-8")
    part.replace(path)


def left_out_of(results: Results) -> list[str]:
    """Sentences about the parts that are not there."""
    config = results.config
    there = {
        WITHOUT_REAL: results.with_real,
        WITHOUT_FINETUNING: config.finetune_steps,
        WITHOUT_REAL_LABELS: config.finetune_real_folds or not config.finetune_steps or not results.with_real,
        WITHOUT_VARIANTS: results.variants,
    }
    return [text for text, is_there in there.items() if not is_there]


def markdown(sections: Sequence[tuple[str, list[Table]]], left_out: Sequence[str]) -> str:
    lines = [EXPLAINED, *left_out]
    lines += [f"## {title}\n\n" + "\n".join(table.markdown() for table in tables) for title, tables in sections]
    return "\n\n".join(lines)


def learning_plots(results: Results) -> list[str]:
    """Mean IoU against the share of labelled chips, one plot a set that is scored."""
    shares = [100 * fraction for fraction in results.config.fractions]
    found = []
    for scored in results.scored_on():
        plot = Plot(figsize=(5, 3.4), layout="constrained")
        axes = plot.subplots()
        for arm, colour in ((PRETRAINED, "#0064c8"), (RANDOM, "#999")):
            items = [results.figure(MEAN_IOU, results.fraction_runs(arm, f, scored)) for f in results.config.fractions]
            axes.plot(shares, [item.value for item in items], "o-", color=colour, label=ARM_NAMES[arm])
            axes.fill_between(
                shares, [item.low for item in items], [item.high for item in items], color=colour, alpha=0.2, linewidth=0
            )
        axes.set(xscale="log", xlabel="labelled simulated training chips, %", ylabel="mean IoU", title=SCORED_ON[scored])
        axes.set_xticks(shares, [f"{share:g}" for share in shares])
        axes.minorticks_off()
        axes.legend()
        found.append(plot_html(plot, f"Linear probe, scored on {SCORED_ON[scored]}; bands: 95% of draws of places and seeds"))
    return found


def embedding_plots(results: Results) -> list[str]:
    """The first two principal components of class tokens, by class, simulated and real side by side, and their t-SNE, both in one;
    one plot an encoder.
    """
    classes = worldcover_classes(results.config.classes)
    found = []
    for arm in (PRETRAINED, RANDOM):
        pca = results.encoder_cells("embedding", arm)[0]["pca"]
        points = np.array(pca["points"])
        plot = Plot(figsize=(12.5, 3.8), layout="constrained")
        *panels, tsne = plot.subplots(1, 3)
        panels[1].sharex(panels[0])
        panels[1].sharey(panels[0])
        for panel, is_real, title in zip(panels, (0, 1), ("simulated", "real"), strict=True):
            for number, item in enumerate(classes):
                x, y, *_ = points[(points[:, 2] == number) & (points[:, 3] == is_real)].T
                panel.scatter(x, y, s=9, color=item.colour, edgecolors="#333", linewidths=0.2, label=item.name)
            panel.set(title=title, xlabel=f"component 1 ({pca['explained'][0]:.0%} of variance)")
        panels[0].set_ylabel(f"component 2 ({pca['explained'][1]:.0%})")
        cell = results.cells[encoder_name("tsne", arm, None if arm == PRETRAINED else results.config.seeds[0])]
        points = np.array(cell["points"])
        for number, item in enumerate(classes):
            for is_real, marker in ((0, "o"), (1, "^")):
                x, y, *_ = points[(points[:, 2] == number) & (points[:, 3] == is_real)].T
                tsne.scatter(x, y, s=11, color=item.colour, marker=marker, edgecolors="#333", linewidths=0.2)
        tsne.set(title="t-SNE: simulated circles, real triangles", xticks=(), yticks=())
        plot.legend(*panels[1].get_legend_handles_labels(), fontsize=7, loc="outside right center")
        found.append(plot_html(plot, f"Class tokens of {'the' if arm == PRETRAINED else 'the first'} {ARM_NAMES[arm]} encoder"))
    return found
