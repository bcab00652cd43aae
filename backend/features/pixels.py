# SPDX-License-Identifier: GPL-2.0-or-later
"""What a classifier sees of a pixel: the features of its surroundings from the network, and the backscatter around it.

Features of patches are interpolated between the patches' middles. Of each band in dB the mean and the deviation in squares of some
sizes are computed when they are needed, never stored. Neither depends on where tiles lie: each is read with a margin.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from ..grid import PixelWindow
from ..model_card import BandSpec
from ..radiometry import BoolArray, FloatArray, standardise
from ..scene.row_reader import SceneReader
from .file import FeatureFile

GROUPS = ("attention", "tokens", "db")
PATCH_GROUPS = frozenset({"attention", "tokens"})
"""Those that the network makes, one value a patch."""
SIZES_PX = (3, 9, 21)
"""Sides of the squares: at 10 m a street, a field, a block of them."""


class PixelFeatures:
    """Features of the pixels of a scene. `names` are in the order of the first axis of what `read` gives."""

    def __init__(
        self,
        scene: SceneReader,
        bands: Sequence[BandSpec],
        roles: Sequence[str],
        file: FeatureFile | None,
        groups: Sequence[str],
    ) -> None:
        """`file` is None where `groups` is of backscatter alone, which needs no network."""
        self._scene, self._bands, self._file, self._groups = scene, bands, file, tuple(groups)
        self._planes = [index for index, band in enumerate(bands) if band.role in roles]
        heads, components = (0, 0) if file is None else (file.heads, file.basis.components)
        self.names = feature_names(heads, components, [bands[plane].role for plane in self._planes], groups)

    def read(self, window: PixelWindow) -> tuple[FloatArray, BoolArray]:
        """float32 [features, height, width], and where all of them have values, bool [height, width].

        `window` lies inside the scene. Elsewhere the values are 0.
        """
        margin = max(SIZES_PX) // 2 if "db" in self._groups else 0
        wide = PixelWindow(window.row - margin, window.column - margin, window.height + 2 * margin, window.width + 2 * margin)
        db = self._scene.read(wide)
        inner = slice(margin, margin + window.height), slice(margin, margin + window.width)
        _, valid = standardise(np.ascontiguousarray(db[:, inner[0], inner[1]]), self._bands)
        parts: list[FloatArray] = []
        if self._file is not None:
            patches = self._patches(self._file, window)
            components = self._file.basis.components
            if "attention" in self._groups:
                parts.append(patches[components:])
            if "tokens" in self._groups:
                parts.append(patches[:components])
        if "db" in self._groups:
            parts += [part[:, inner[0], inner[1]] for part in _statistics(db[self._planes])]
        values = np.concatenate(parts)
        valid &= np.isfinite(values).all(axis=0)
        values[:, ~valid] = 0.0
        return values, valid

    @staticmethod
    def _patches(file: FeatureFile, window: PixelWindow) -> FloatArray:
        """The bands of the file of features, interpolated to pixels: float32 [bands, height, width], NaN where there are none."""
        patch, region = file.patch_px, file.region
        rows, first_row, row_count = _neighbours(window.row - region.row, window.height, patch, region.height // patch)
        columns, first_column, column_count = _neighbours(window.column - region.column, window.width, patch, region.width // patch)
        coarse = file.read(PixelWindow(first_row, first_column, row_count, column_count))
        there = np.isfinite(coarse[:1])
        filled = np.concatenate([np.where(np.isfinite(coarse), coarse, np.float32(0.0)), there.astype(np.float32)])
        low, high, share = rows
        tall = filled[:, low] + (filled[:, high] - filled[:, low]) * share[None, :, None]
        low, high, share = columns
        fine = tall[:, :, low] + (tall[:, :, high] - tall[:, :, low]) * share[None, None, :]
        weight = fine[-1]
        if weight.min() < 1.0:
            # Next to nodata the patches that are there stand for those that are not.
            with np.errstate(invalid="ignore", divide="ignore"):
                fine = np.where(weight > 1e-6, fine / weight, np.float32(np.nan))
        result: FloatArray = fine[:-1].astype(np.float32, copy=False)
        return result


def feature_names(heads: int, components: int, roles: Sequence[str], groups: Sequence[str]) -> tuple[str, ...]:
    """Names of all features of `groups`; before the colon stands the group."""
    names: list[str] = []
    if "attention" in groups:
        names += [f"attention: head {head + 1}" for head in range(heads)]
    if "tokens" in groups:
        names += [f"tokens: component {number + 1}" for number in range(components)]
    if "db" in groups:
        names += [f"db: {what} of {role} in {size} px" for size in SIZES_PX for what in ("mean", "deviation") for role in roles]
    return tuple(names)


Neighbours = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]


def _neighbours(start_px: int, length_px: int, patch_px: int, patches: int) -> tuple[Neighbours, int, int]:
    """For each pixel of an axis the patches before and after it, and the share of the latter; the first patch read and how many.

    Pixels beyond the middle of the outermost patch take that patch.
    """
    place = np.clip((start_px + np.arange(length_px) + 0.5) / patch_px - 0.5, 0, patches - 1)
    low = np.floor(place).astype(np.int64)
    high = np.minimum(low + 1, patches - 1)
    first, last = int(low[0]), int(high[-1])
    return (low - first, high - first, (place - low).astype(np.float32)), first, last - first + 1


def _statistics(db: FloatArray) -> list[FloatArray]:
    """For each size the means [bands, H, W] and the deviations of what has a value; NaN where the pixel itself has none."""
    there = np.isfinite(db)
    filled = np.where(there, db, np.float32(0.0))
    squares = filled * filled
    whole = bool(there.all())
    found: list[FloatArray] = []
    for size in SIZES_PX:
        box = (1, size, size)
        share = (
            np.float32(1.0)
            if whole
            else np.maximum(uniform_filter(there.astype(np.float32), box, mode="nearest"), np.float32(1e-6))
        )
        mean = uniform_filter(filled, box, mode="nearest") / share
        spread = uniform_filter(squares, box, mode="nearest") / share - mean * mean
        deviation = np.sqrt(np.maximum(spread, np.float32(0.0)))
        for values in (mean, deviation):
            values[~there] = np.nan
            found.append(values)
    return found
