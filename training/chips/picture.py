# SPDX-License-Identifier: GPL-2.0-or-later
"""A contact sheet of a store: chips of every source as pictures, with their labels beside them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from backend.scene.bands import polarisation_of
from training.chips.legends import Codes
from training.chips.store import ChipSplit, ChipStore
from training.classes import WORLDCOVER
from training.pretraining.view_pictures import GAP_PX, write_png
from training.reference.overlay import composite

U8 = npt.NDArray[np.uint8]

WIDEST_PX = 1200
"""Sheets are made of as many pairs of tiles as fit into this width; tiles are thinned to `TILE_PX`."""
TILE_PX = 128
UNLABELLED_GREY = 40
HATCH_PX = 6
"""Of labels that stand for several classes: stripes of their colours, this wide."""


def write_sheet(path: Path, store: ChipStore, split: str, chips: int) -> int:
    """Writes a PNG of up to `chips` chips of a split, spread over its sources, the labelled ones of each first; returns how many.

    Beside each chip (as `composite` shows it: red VV, green VH, blue VV - VH) lies its label in WorldCover's colours; stripes
    are labels that may be one of several classes, dark grey is unlabelled, black is nodata. Raises ValueError for no chip.
    """
    chosen = choose(store[split], chips)
    if not chosen:
        raise ValueError(f"{store.folder} has no chip in {split}.")
    tiles = [np.concatenate([_radar(store[split], row), _label(store[split], row)], axis=1) for row in chosen]
    height, width = (side + 2 * GAP_PX for side in tiles[0].shape[:2])
    columns = max(1, min(len(tiles), WIDEST_PX // width))
    sheet = np.full((-(-len(tiles) // columns) * height, columns * width, 3), 255, dtype=np.uint8)
    for number, tile in enumerate(tiles):
        top, left = number // columns * height + GAP_PX, number % columns * width + GAP_PX
        sheet[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
    write_png(path, sheet)
    return len(tiles)


def choose(split: ChipSplit, chips: int) -> list[int]:
    """Rows of up to `chips` chips: sources take turns, of each the best labelled chips of all its places first."""
    order = np.lexsort((-split.index["labelled_share"], split.index["place"].astype(str), split.index["source"].astype(str)))
    by_source: dict[str, dict[str, list[int]]] = {}
    for row in order.tolist():
        by_source.setdefault(split.index["source"][row], {}).setdefault(split.index["place"][row], []).append(row)
    queues = [[row for turn in _turns(list(places.values())) for row in turn] for places in by_source.values()]
    return [row for turn in _turns(queues) for row in turn][:chips]


def _turns(queues: list[list[int]]) -> list[list[int]]:
    """First of each queue, second of each, and so on."""
    return [[queue[turn] for queue in queues if turn < len(queue)] for turn in range(max(map(len, queues), default=0))]


def _radar(split: ChipSplit, row: int) -> U8:
    """[s, s, 3] of a chip's first date: `composite` of its co- and cross-polarised bands."""
    db = split.read_db(row)[0]
    cross = [polarisation_of(role) in ("VH", "HV") for role in split.info.bands]
    planes = [next((band for band, is_cross in zip(db, cross, strict=True) if is_cross == want), None) for want in (False, True)]
    there = [np.full(db.shape[1:], np.nan, np.float32) if plane is None else plane for plane in planes]
    return _thin(composite(np.stack(there)))


def _label(split: ChipSplit, row: int) -> U8:
    """[s, s, 3]: colours of the labels."""
    labels, db = split.labels[row], split.read_db(row)[0]
    picture = np.full((*labels.shape, 3), UNLABELLED_GREY, dtype=np.uint8)
    picture[~np.isfinite(db).any(axis=0)] = 0
    stripe = np.add.outer(np.arange(labels.shape[0]), np.arange(labels.shape[1])) // HATCH_PX
    for value in np.unique(labels[labels > 0]).tolist():
        colours = _colours(split.info.label_sets[value])
        here = labels == value
        picture[here] = colours[stripe[here] % len(colours)]
    return _thin(picture)


def _colours(codes: Codes) -> U8:
    table = {item.code: tuple(int(item.colour[start : start + 2], 16) for start in (1, 3, 5)) for item in WORLDCOVER}
    return np.array([table[code] for code in codes], dtype=np.uint8)


def _thin(picture: U8) -> U8:
    step = max(1, picture.shape[0] // TILE_PX)
    return picture[::step, ::step]
