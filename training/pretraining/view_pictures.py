# SPDX-License-Identifier: GPL-2.0-or-later
"""A picture of what the network is shown, so that wrong levels, nodata or crops are seen before hours have gone."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import MemoryFile
from torch import Tensor

GAP_PX = 2
DARKEST, BRIGHTEST = -2.5, 2.5
"""Standardised values that are black and white; 0, which is also what nodata becomes, is mid grey."""


def write_views(path: Path, large: Tensor, small: Tensor | None, chips: int) -> None:
    """Writes a grey PNG of the first band: a row a chip, its global views and then its local ones.

    `large` is [2 N, bands, S, S] and `small` [count N, bands, s, s], view by view; the first `chips` of N are drawn.
    """
    groups = [view for view in (large, small) if view is not None]
    chip_count = len(large) // 2
    rows = []
    for chip in range(min(chips, chip_count)):
        views = [group[number, 0].cpu().numpy() for group in groups for number in range(chip, len(group), chip_count)]
        rows.append(np.concatenate([_framed(view, large.shape[-1]) for view in views], axis=1))
    write_png(path, np.concatenate(rows, axis=0)[..., None])


def write_png(path: Path, picture: npt.NDArray[np.uint8]) -> None:
    """Writes `picture` [H, W, 1 or 3]. Raises OSError, for a full disk among others."""
    height, width, count = picture.shape
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)  # a picture has no place on the ground
        # In memory first: GDAL raises no OSError for a disk that is full.
        with MemoryFile() as memory:
            with memory.open(driver="PNG", height=height, width=width, count=count, dtype="uint8") as file:
                file.write(picture.transpose(2, 0, 1))
            path.write_bytes(memory.read())


def grey_levels(view: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """0..255 of standardised values [s, s]."""
    share = (view.clip(DARKEST, BRIGHTEST) - DARKEST) / (BRIGHTEST - DARKEST)
    levels: npt.NDArray[np.uint8] = np.rint(share * 255).astype(np.uint8)
    return levels


def _framed(view: npt.NDArray[np.float32], side_px: int) -> npt.NDArray[np.uint8]:
    """Grey levels of `view` [s, s] in the upper left corner of a black tile that is `side_px` high."""
    tile = np.zeros((side_px + GAP_PX, view.shape[1] + GAP_PX), dtype=np.uint8)
    tile[: view.shape[0], : view.shape[1]] = grey_levels(view)
    return tile
