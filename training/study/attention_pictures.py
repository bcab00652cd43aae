# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the pre-trained encoder looks, to look at: some crops, each with its labels and with maps of attention beside it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure as Plot

from backend.model_card import BandSpec
from training.classes import worldcover_classes
from training.evaluate.report import plot_html
from training.metrics import IGNORE
from training.reference.overlay import composite
from training.study.cells import Cell
from training.study.crops import I64, CropSet, subset
from training.study.encoders import FrozenEncoder, extract
from training.study.results import PRETRAINED, Results, encoder_name

PICTURED = 6
"""Crops, of as many places."""
MAPPED = (80, 50, 10)
"""WorldCover codes of the classes whose best heads are shown."""
BRIGHTEST = 0.98
"""Quantile of a map that is drawn as white: single patches draw most of it."""


def pictured(crops: CropSet, count: int = PICTURED) -> I64:
    """Numbers of the crops that are shown, [count] at most: of each place the one with the most classes, then with the most
    labelled patches; places with more classes first.
    """
    kinds = np.array([len(np.unique(labels[labels != IGNORE])) for labels in crops.patch_labels])
    labelled = (crops.patch_labels != IGNORE).sum(axis=1)
    order = np.lexsort((np.arange(len(crops)), -labelled, -kinds))
    chosen: dict[str, int] = {}
    for number in order.tolist():
        chosen.setdefault(str(crops.places[number]), number)
    return np.array(list(chosen.values())[:count], dtype=np.int64)


def pictures_cell(encoder: FrozenEncoder, crops: CropSet, bands: Sequence[BandSpec]) -> Cell:
    """Of each pictured crop its place, `radar` as `composite` shows it [s, s, 3], `labels` [s, s], `attention` [blocks, heads, P]
    and `rollout` [P]. `bands` are those of the encoder's card, VV and VH.
    """
    chosen = subset(crops, pictured(crops))
    features = extract(encoder, chosen)
    scale, mean = (np.array([getattr(band, name) for band in bands], np.float32) for name in ("std_db", "mean_db"))
    values_db = chosen.x * scale[:, None, None] + mean[:, None, None]
    return {
        "crops": [
            {
                "place": str(place),
                "radar": composite(db).tolist(),
                "labels": labels.tolist(),
                "attention": np.round(attention, 3).tolist(),
                "rollout": np.round(rollout, 3).tolist(),
            }
            for place, db, labels, attention, rollout in zip(
                chosen.places, values_db, chosen.pixel_labels, features.attention, features.rollout, strict=True
            )
        ]
    }


def attention_plot(results: Results) -> str:
    """A row a crop: radar, labels, the best head of each class of MAPPED (chosen on validation crops), rollout."""
    crops = results.cells[encoder_name("pictures", PRETRAINED)]["crops"]
    classes = worldcover_classes(results.config.classes)
    columns = []
    for number, item in enumerate(classes):
        [head] = results.heads(PRETRAINED, number, last_block=False)
        if item.code in MAPPED and head is not None:
            columns.append((f"{item.name}:\nblock {head[0] + 1}, head {head[1] + 1}", head))
    plot = Plot(figsize=(1.7 * (3 + len(columns)), 1.75 * len(crops)), layout="constrained")
    grid = plot.subplots(len(crops), 3 + len(columns), squeeze=False)
    for row, crop in zip(grid, crops, strict=True):
        labels = np.array(crop["labels"])
        row[0].imshow(np.array(crop["radar"], np.uint8))
        row[0].set_ylabel(crop["place"], fontsize=7)
        colours = ListedColormap([item.colour for item in classes])
        row[1].imshow(np.ma.masked_equal(labels, IGNORE), cmap=colours, vmin=0, vmax=len(classes) - 1, interpolation="nearest")
        maps = [np.array(crop["attention"])[head] for _, head in columns] + [np.array(crop["rollout"])]
        for panel, flat in zip(row[2:], maps, strict=True):
            side = round(flat.size**0.5)
            panel.imshow(flat.reshape(side, side), cmap="magma", vmin=0, vmax=np.quantile(flat, BRIGHTEST) or 1)
    for panel, title in zip(grid[0], ("radar", "labels", *(title for title, _ in columns), "rollout"), strict=True):
        panel.set_title(title, fontsize=7)
    for panel in grid.ravel():
        panel.set(xticks=(), yticks=())
    scored = "real crops. Contains modified Copernicus Sentinel data" if results.with_real else "simulated test crops"
    return plot_html(plot, f"Attention of the pre-trained encoder over {scored}; red VV, green VH, blue VV - VH")
