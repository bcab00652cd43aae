# SPDX-License-Identifier: GPL-2.0-or-later
"""Radar, map and label of a scene side by side, as small pictures for the report."""

from __future__ import annotations

import io
from dataclasses import dataclass

import matplotlib.image
import numpy as np

from training.evaluate.legends import F32, U8, Legend
from training.evaluate.maps import GroupMap
from training.evaluate.scenes import LabelledScene, LabelOnGrid
from training.metrics import IGNORE
from training.reference.overlay import composite

OTHER_COLOUR = (255, 0, 255)
"""Map codes that are in no group of the legend."""


@dataclass(frozen=True)
class Picture:
    """`png` shows radar, map and label (black where there is none) of one scene, from left to right."""

    label_set: str
    scene: str
    png: bytes


def picture_of(scene: LabelledScene, values_db: F32, found: GroupMap, label: LabelOnGrid | None, longest_px: int) -> Picture:
    """The picture, each panel at most `longest_px` high and wide: every n-th pixel is shown."""
    step = -(-max(found.groups.shape) // longest_px)
    legend = scene.legend
    panels = [composite(values_db[:, ::step, ::step]), colours(found.groups[::step, ::step], legend)]
    if label is not None:
        panels.append(colours(legend.truth(label.values)[::step, ::step], legend))
    gap = np.full((panels[0].shape[0], 6, 3), 255, np.uint8)
    joined = [part for panel in panels for part in (panel, gap)][:-1]
    buffer = io.BytesIO()
    matplotlib.image.imsave(buffer, np.concatenate(joined, axis=1), format="png")
    return Picture(scene.label_set.name, scene.name, buffer.getvalue())


def colours(groups: U8, legend: Legend) -> U8:
    """uint8 [H, W, 3] of group indices [H, W]; IGNORE is black, codes in no group are magenta."""
    table = np.zeros((256, 3), dtype=np.uint8)
    for index, group in enumerate(legend.groups):
        table[index] = [int(group.colour[start : start + 2], 16) for start in (1, 3, 5)]
    table[len(legend)] = OTHER_COLOUR
    table[IGNORE] = 0
    return np.asarray(table[groups])
