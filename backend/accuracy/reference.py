# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a class raster and a reference meet: pairs of map and reference code, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.features import rasterize

from ..grid import PixelWindow
from ..protocol import ErrorCode, SardineError
from ..scene.georeference import transform_between
from ..scene.mask import place_polygons
from ..scene.vector_file import VectorFeature, VectorLayer
from .class_raster import NO_CLASS, ClassRaster

GoOn = Callable[[int, int], None]
UNDECIDED = NO_CLASS + 1
"""A pixel under polygons of different classes."""


@dataclass
class Pairs:
    """`counts` is by (map code, reference code). The other figures are of reference points or pixels that were not counted."""

    counts: Counter[tuple[int, int]] = field(default_factory=Counter)
    outside: int = 0
    on_nodata: int = 0
    unlabelled: int = 0
    undecided: int = 0


def reference_codes(features: tuple[VectorFeature, ...], names: Mapping[int, str]) -> list[int | None]:
    """The class code of each feature: its number, or the code of the class with its name; None for an empty value.

    Raises SardineError: samples_unsuitable for a name that no class has.
    """
    by_name = {name.strip().casefold(): code for code, name in names.items()}
    codes: list[int | None] = []
    unknown: set[str] = set()
    for feature in features:
        value = feature.value
        text = str(value).strip() if value is not None else ""
        if not text:
            codes.append(None)
        elif text.casefold() in by_name:
            codes.append(by_name[text.casefold()])
        else:
            try:
                number = float(text)
                codes.append(int(number))
                if number != int(number):
                    unknown.add(text)
            except (ValueError, OverflowError):
                unknown.add(text)
                codes.append(None)
    if unknown:
        known = ", ".join(sorted(names.values())) or "none: the raster has no class names"
        raise SardineError(
            ErrorCode.SAMPLES_UNSUITABLE,
            f"The reference has classes that the map does not know: {', '.join(sorted(unknown)[:5])}.",
            f"Its names are {known}.",
            "Use the map's class codes or names, or give the names of its codes.",
        )
    return codes


def pair_points(raster: ClassRaster, layer: VectorLayer, codes: list[int | None]) -> Pairs:
    """Each point against the pixel that it lies in."""
    pairs = Pairs()
    points = [(point, code) for feature, code in zip(layer.features, codes, strict=True) for point in feature.points]
    if not points:
        return pairs
    x, y = (np.array([point[axis] for point, _ in points]) for axis in (0, 1))
    x, y = transform_between(layer.crs, raster.crs, x, y)
    grid = raster.grid
    with np.errstate(invalid="ignore"):
        columns, rows = np.floor((x - grid.origin_x) / grid.pixel_width), np.floor((grid.origin_y - y) / grid.pixel_height)
        inside = (columns >= 0) & (columns < grid.width) & (rows >= 0) & (rows < grid.height)
    for index in sorted(np.flatnonzero(inside).tolist(), key=lambda i: (rows[i], columns[i])):
        code = points[index][1]
        if code is None:
            pairs.unlabelled += 1
            continue
        mapped = int(raster.read(PixelWindow(int(rows[index]), int(columns[index]), 1, 1))[0, 0])
        if mapped == NO_CLASS:
            pairs.on_nodata += 1
        else:
            pairs.counts[mapped, code] += 1
    pairs.outside = int(np.count_nonzero(~inside))
    return pairs


def pair_polygons(raster: ClassRaster, layer: VectorLayer, codes: list[int | None], go_on: GoOn) -> Pairs:
    """Each pixel whose centre lies in a polygon against its class; a pixel in two of different classes counts for none."""
    pairs = Pairs()
    owner = [index for index, feature in enumerate(layer.features) for _ in feature.polygons]
    polygons = [polygon for feature in layer.features for polygon in feature.polygons]
    placed = [
        (codes[owner[number]], bounds, polygon) for number, bounds, polygon in place_polygons(polygons, layer.crs, raster.grid)
    ]
    pairs.outside = len(polygons) - len(placed)
    pairs.unlabelled = sum(code is None for code, _, _ in placed)
    shapes = [(code, bounds, polygon) for code, bounds, polygon in placed if code is not None]
    for block in raster.blocks():
        go_on(block.row, raster.grid.height)
        grid = raster.grid.crop(PixelWindow(block.row, 0, block.codes.shape[0], raster.grid.width))
        reference = np.full(block.codes.shape, NO_CLASS, dtype=np.int64)
        transform = Affine(grid.pixel_width, 0.0, grid.origin_x, 0.0, -grid.pixel_height, grid.origin_y)
        for code, bounds, polygon in shapes:
            window = grid.window_of(bounds)
            if window is None:
                continue
            part = slice(window.row, window.row_end), slice(window.column, window.column_end)
            shape = {"type": "Polygon", "coordinates": polygon}
            moved = transform @ Affine.translation(window.column, window.row)
            drawn = rasterize([shape], out_shape=(window.height, window.width), transform=moved, dtype="uint8") == 1
            there = reference[part]
            there[drawn] = np.where((there[drawn] == NO_CLASS) | (there[drawn] == code), code, UNDECIDED)
        _count(pairs, block.codes, reference)
    return pairs


def pair_rasters(raster: ClassRaster, other: ClassRaster, go_on: GoOn) -> Pairs:
    """Each pixel of the map against the reference's nearest one."""
    pairs = Pairs()
    with other.on_grid(raster.grid) as vrt:
        for block in raster.blocks():
            go_on(block.row, raster.grid.height)
            window = PixelWindow(block.row, 0, block.codes.shape[0], raster.grid.width)
            _count(pairs, block.codes, other.read_other(vrt, window))
    return pairs


def _count(pairs: Pairs, mapped: NDArray[np.int64], reference: NDArray[np.int64]) -> None:
    labelled = reference != NO_CLASS
    pairs.on_nodata += int(np.count_nonzero(labelled & (mapped == NO_CLASS)))
    pairs.undecided += int(np.count_nonzero(reference == UNDECIDED))
    both = labelled & (reference != UNDECIDED) & (mapped != NO_CLASS)
    if both.any():
        found, counts = np.unique(np.stack([mapped[both], reference[both]]), axis=1, return_counts=True)
        for (one, two), count in zip(found.T.tolist(), counts.tolist(), strict=True):
            pairs.counts[one, two] += count
