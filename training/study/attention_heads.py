# SPDX-License-Identifier: GPL-2.0-or-later
"""Where heads look, against where classes are: overlap of the brightest patches of each head's map with each class.

The mask of a map is the fewest patches that hold MASS of it in a crop (Caron et al. 2021, arXiv 2104.14294, section
4.2.2). Counted are the crops that show a class, and in them the patches with a label.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from training.metrics import IGNORE
from training.simulation.fields import F32
from training.study.crops import BoolArray, CropSet

MASS = 0.6
I64 = npt.NDArray[np.int64]


def mass_masks(attention: F32, mass: float = MASS) -> BoolArray:
    """Of `attention` [..., P], not negative: the fewest patches that hold `mass` of its sum, bool [..., P]."""
    order = np.argsort(-attention, axis=-1, kind="stable")
    ranked = np.take_along_axis(attention, order, axis=-1).astype(np.float64)
    before = np.cumsum(ranked, axis=-1) - ranked
    inside = before < mass * ranked.sum(axis=-1, keepdims=True)
    masks = np.zeros(attention.shape, dtype=np.bool_)
    np.put_along_axis(masks, order, inside, axis=-1)
    return masks


def overlap_cell(crops: CropSet, maps: F32, classes: int) -> dict[str, dict[str, Any]]:
    """Of each place, with `maps` [N, blocks, heads, P] not negative: patches in `hits` (mask and class) and `union` (either)
    [blocks, heads, classes]; and, for what marking all would get, `of_class` and `labelled` [classes].
    """
    masks = mass_masks(maps)
    labels = crops.patch_labels
    found = {}
    for place in np.unique(crops.places):
        here = crops.places == place
        hits, union = (np.zeros((*masks.shape[1:3], classes), dtype=np.int64) for _ in range(2))
        of_class, labelled = (np.zeros(classes, dtype=np.int64) for _ in range(2))
        for number in range(classes):
            shows = here & (labels == number).any(axis=1)
            target = (labels[shows] == number)[:, None, None]
            counted = (labels[shows] != IGNORE)[:, None, None]
            mask = masks[shows] & counted
            hits[..., number] = (mask & target).sum(axis=(0, 3))
            union[..., number] = (mask | target).sum(axis=(0, 3))
            of_class[number], labelled[number] = target.sum(), counted.sum()
        values = {"hits": hits, "union": union, "of_class": of_class, "labelled": labelled}
        found[str(place)] = {name: value.tolist() for name, value in values.items()}
    return found


def choose_head(validation: dict[str, dict[str, Any]], number: int, last_block: bool) -> tuple[int, int] | None:
    """Block and head of the largest IoU with class `number` over all validation places; None where none shows the class."""
    hits, union = (sum(np.array(place[name])[..., number] for place in validation.values()) for name in ("hits", "union"))
    if not np.any(union):
        return None
    iou = np.asarray(hits / np.maximum(union, 1))
    if last_block:
        iou[:-1] = -1
    block, head = np.unravel_index(iou.argmax(), iou.shape)
    return int(block), int(head)
