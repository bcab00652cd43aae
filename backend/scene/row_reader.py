# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads a scene from top to bottom, each row once, as the network wants it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
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


def read_rows(scene: SceneReader, card: ModelCard, layout: WindowLayout, first: int = 0) -> Iterator[tuple[int, NewRows]]:
    """The number of each window row from `first` on, and its new rows, in order; of the first one all its rows.

    Each is a fresh array, so a thread may read ahead of the network. Whatever the first one is, the scene is read in the same
    pieces: a warped one may differ in the last digits where a piece ends elsewhere.

    What the network sees does not depend on the mask, nor on where the region ends inside the scene: a masked map equals the
    whole map where it has values.
    """
    pieces: list[NewRows] = []
    read_px = 0
    for index, start in enumerate(layout.row_starts):
        end_px = start + layout.window_px
        unused_px = max(0, layout.row_starts[first] - read_px) if first < len(layout.row_starts) else end_px
        if unused_px < end_px - read_px:
            pieces.append(_new_rows(scene, card, layout, read_px, end_px, unused_px))
        if index >= first:
            yield index, _joined(pieces)
            pieces = []
        read_px = end_px


def _new_rows(scene: SceneReader, card: ModelCard, layout: WindowLayout, start_px: int, end_px: int, unused_px: int) -> NewRows:
    """Rows of the canvas from `start_px` to `end_px`, without the first `unused_px`, which are read all the same."""
    canvas, patch = layout.canvas, layout.patch_px
    window = PixelWindow(canvas.row + start_px, canvas.column, end_px - start_px, canvas.width)
    x, valid = standardise(scene.read(window), card.bands)
    wanted = wanted_pixels(scene, layout.region, window, valid)
    x, valid, wanted = x[:, unused_px:], valid[unused_px:], wanted[unused_px:]
    return NewRows(x, wanted, any_in_patch(valid, patch), any_in_patch(wanted, patch))


def _joined(pieces: list[NewRows]) -> NewRows:
    """The rows of all `pieces`, one below the other."""
    if len(pieces) == 1:
        return pieces[0]
    # Rows are the last axis but one in all of them.
    joined = {item.name: np.concatenate([getattr(piece, item.name) for piece in pieces], axis=-2) for item in fields(NewRows)}
    return NewRows(**joined)


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
