# SPDX-License-Identifier: GPL-2.0-or-later
"""The polygons that a map is limited to, rasterised window by window: a pixel is inside where its centre is."""

from __future__ import annotations

import math

import numpy as np
from affine import Affine
from rasterio.crs import CRS
from rasterio.features import rasterize

from .georeference import transform_between
from .grid import Bounds, PixelWindow, RasterGrid
from .polygons import Polygon, Ring, read_polygons
from .protocol import ErrorCode, SardineError
from .radiometry import BoolArray

DENSIFY_DEGREES = 0.01
DENSIFY_M = 1000.0
"""Edges are cut into pieces this long before their CRS changes: a straight edge of one is curved in another. A kilometre of
geodesic strays from its chord by centimetres."""
MAX_PIECES = 10_000


class PolygonMask:
    """Polygons on a grid. `window` is the pixels that they touch, clipped to the grid.

    Raises SardineError: mask_unreadable, mask_outside where they touch no pixel, crs_missing for a grid without CRS.
    """

    def __init__(self, source: str, grid: RasterGrid) -> None:
        layer = read_polygons(source)
        if grid.crs_wkt is None:
            raise SardineError(
                ErrorCode.CRS_MISSING,
                "The scene has no CRS, so polygons cannot be placed on it.",
                "A scene with a CRS is needed for a mask.",
                "Leave the mask out, or assign the scene's CRS.",
            )
        crs = CRS.from_wkt(grid.crs_wkt)
        self._grid = grid
        self._polygons: list[tuple[Bounds, Polygon]] = []
        for polygon in layer.polygons:
            placed = [_in_crs(ring, layer.crs, crs) for ring in polygon]
            bounds = _bounds_of(placed, grid)
            if bounds is not None:
                self._polygons.append((bounds, placed))
        window = self._window()
        if window is None:
            raise SardineError(
                ErrorCode.MASK_OUTSIDE,
                "The mask's polygons lie outside the scene.",
                "Polygons that touch the scene are needed.",
                "Choose another mask, or check its CRS.",
            )
        self.window = window

    def read(self, window: PixelWindow) -> BoolArray:
        """True where a pixel's centre lies inside a polygon, bool [height, width]; False beyond the grid."""
        result = np.zeros((window.height, window.width), dtype=np.bool_)
        inside = window.intersect(self.window)
        if inside is None:
            return result
        grid = self._grid.crop(inside)
        shapes = [
            {"type": "Polygon", "coordinates": polygon} for bounds, polygon in self._polygons if grid.window_of(bounds) is not None
        ]
        if shapes:
            transform = Affine(grid.pixel_width, 0.0, grid.origin_x, 0.0, -grid.pixel_height, grid.origin_y)
            drawn = rasterize(shapes, out_shape=(inside.height, inside.width), transform=transform, dtype="uint8")
            top, left = inside.row - window.row, inside.column - window.column
            result[top : top + inside.height, left : left + inside.width] = drawn == 1
        return result

    def _window(self) -> PixelWindow | None:
        """The pixels between the outermost of the polygons that touch the grid."""
        windows = [window for bounds, _ in self._polygons if (window := self._grid.window_of(bounds)) is not None]
        if not windows:
            return None
        row, column = min(w.row for w in windows), min(w.column for w in windows)
        return PixelWindow(row, column, max(w.row_end for w in windows) - row, max(w.column_end for w in windows) - column)


def _in_crs(ring: Ring, source: CRS, target: CRS) -> Ring:
    if source == target:
        return ring
    dense = _densify(ring, DENSIFY_DEGREES if source.is_geographic else DENSIFY_M / source.linear_units_factor[1])
    x, y = transform_between(source, target, np.array([p[0] for p in dense]), np.array([p[1] for p in dense]))
    return list(zip(x.tolist(), y.tolist(), strict=True))


def _densify(ring: Ring, longest: float) -> Ring:
    dense: Ring = []
    for (x0, y0), (x1, y1) in zip(ring, ring[1:], strict=False):
        pieces = min(MAX_PIECES, max(1, math.ceil(math.hypot(x1 - x0, y1 - y0) / longest)))
        dense += [(x0 + (x1 - x0) * i / pieces, y0 + (y1 - y0) * i / pieces) for i in range(pieces)]
    return [*dense, ring[-1]]


def _bounds_of(polygon: Polygon, grid: RasterGrid) -> Bounds | None:
    """Of the outer ring; None for a polygon off the grid. Points where the grid's CRS is not defined are infinite."""
    finite = [point for point in polygon[0] if math.isfinite(point[0]) and math.isfinite(point[1])]
    if not finite:
        return None
    xs, ys = [p[0] for p in finite], [p[1] for p in finite]
    bounds = (min(xs), min(ys), max(xs), max(ys))
    if grid.window_of(bounds) is None:
        return None
    if len(finite) < len(polygon[0]):
        raise SardineError(
            ErrorCode.MASK_OUTSIDE,
            "A polygon of the mask reaches beyond where the scene's CRS is defined.",
            "Polygons near the scene are needed.",
            "Cut the polygons to the scene's surroundings.",
        )
    return bounds
