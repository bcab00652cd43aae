# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads a scene from top to bottom, each row once, as the network wants it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..grid import PixelWindow
from ..model_card import ModelCard
from ..radiometry import BoolArray, FloatArray, standardise
from ..windows import WindowLayout


class SceneReader(Protocol):
    """What is asked of a scene here; `scene.Scene` is one. Windows may reach beyond the scene."""

    def read(self, window: PixelWindow) -> FloatArray:
        """Decibels [bands, height, width], NaN where there is no data."""

    def read_mask(self, window: PixelWindow) -> BoolArray:
        """True inside the mask's polygons, [height, width]."""


@dataclass(frozen=True)
class NewRows:
    """The rows that a window row adds to the one before: `x` float32 [bands, rows, width], width that of the canvas.

    `wanted` [rows, width] are the pixels to be mapped: valid, inside the mask's polygons and inside the region.
    `patch_valid` and `patch_wanted` [rows / patch, width / patch] tell of each patch whether any pixel of it is.
    """

    x: FloatArray
    wanted: BoolArray
    patch_valid: BoolArray
    patch_wanted: BoolArray


def read_rows(scene: SceneReader, card: ModelCard, layout: WindowLayout) -> Iterator[NewRows]:
    """The new rows of each window row, in order. Each is a fresh array, so a thread may read ahead of the network.

    What the network sees does not depend on the mask, nor on where the region ends inside the scene: a masked map equals the
    whole map where it has values.
    """
    canvas, region = layout.canvas, layout.region
    read_px = 0
    for start in layout.row_starts:
        window = PixelWindow(canvas.row + read_px, canvas.column, start + layout.window_px - read_px, canvas.width)
        x, valid = standardise(scene.read(window), card.bands)
        wanted = wanted_pixels(scene, region, window, valid)
        yield NewRows(x, wanted, any_in_patch(valid, layout.patch_px), any_in_patch(wanted, layout.patch_px))
        read_px = start + layout.window_px


def wanted_pixels(scene: SceneReader, region: PixelWindow, window: PixelWindow, valid: BoolArray) -> BoolArray:
    """The pixels of `window` to be mapped: `valid` ones ([height, width]) inside the region and the mask's polygons."""
    wanted = np.zeros_like(valid)
    inside = window.intersect(region)
    if inside is not None:
        rows = slice(inside.row - window.row, inside.row_end - window.row)
        columns = slice(inside.column - window.column, inside.column_end - window.column)
        wanted[rows, columns] = valid[rows, columns] & scene.read_mask(inside)
    return wanted


def any_in_patch(pixels: BoolArray, patch_px: int) -> BoolArray:
    """Of each patch, whether any of its pixels is True: [height / patch, width / patch]."""
    height, width = pixels.shape
    # [height/p, p, width/p, p]; rows first, which runs over contiguous memory.
    some = np.logical_or.reduce(pixels.reshape(height // patch_px, patch_px, width), axis=1)
    result: BoolArray = np.logical_or.reduce(some.reshape(height // patch_px, width // patch_px, patch_px), axis=2)
    return result
