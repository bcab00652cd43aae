# SPDX-License-Identifier: GPL-2.0-or-later
"""The polygons that a map is limited to, rasterised window by window: a pixel is inside where its centre is."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence

import numpy as np
from affine import Affine
from rasterio.crs import CRS
from rasterio.features import rasterize

from ..grid import Bounds, PixelWindow, RasterGrid
from ..protocol import ErrorCode, SardineError
from ..radiometry import BoolArray
from .georeference import transform_between
from .vector_file import read_polygons
from .wkb import Polygon, Ring

DENSIFY_DEGREES = 0.01
DENSIFY_M = 1000.0
"""Edges are cut into pieces this long before their CRS changes: a straight edge of one is curved in another. A kilometre of
geodesic strays from its chord by centimetres."""
MARGIN_SHARE = 0.1
"""Polygons are cut to the grid and a tenth more on each side, in their own CRS, before they are brought to the grid's: a country
or the whole world as a mask holds points where a UTM zone is not defined, or folds over."""


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
        self._grid = grid
        self._polygons = [(bounds, polygon) for _, bounds, polygon in place_polygons(layer.polygons, layer.crs, grid)]
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

    @property
    def sha256(self) -> str:
        """The hash of the polygons as they lie on the grid: that of a file would change with each copy of a layer."""
        return hashlib.sha256(repr(self._polygons).encode("ascii")).hexdigest()

    def _window(self) -> PixelWindow | None:
        """The pixels between the outermost of the polygons that touch the grid."""
        windows = [window for bounds, _ in self._polygons if (window := self._grid.window_of(bounds)) is not None]
        if not windows:
            return None
        row, column = min(w.row for w in windows), min(w.column for w in windows)
        return PixelWindow(row, column, max(w.row_end for w in windows) - row, max(w.column_end for w in windows) - column)


def place_polygons(polygons: Sequence[Polygon], source: CRS, grid: RasterGrid) -> Iterator[tuple[int, Bounds, Polygon]]:
    """Those of `polygons` (in `source`) that touch `grid`, in its CRS: the number of each, its bounds, and itself."""
    crs = CRS.from_wkt(grid.crs_wkt)
    for box, turn in _boxes(grid, crs, source):
        for number, polygon in enumerate(polygons):
            cut = [_clip([(x + turn, y) for x, y in ring], box) for ring in polygon]
            if not cut[0]:
                continue
            placed = [_in_crs(ring, source, crs) for ring in cut if ring]
            xs, ys = zip(*placed[0], strict=True)
            bounds = (min(xs), min(ys), max(xs), max(ys))
            if grid.window_of(bounds) is not None:
                yield number, bounds, placed


def _boxes(grid: RasterGrid, crs: CRS, target: CRS) -> Iterator[tuple[Bounds, float]]:
    """The surroundings of the grid in `target`, with the turns in x at which polygons may touch them: degrees come round.

    None where `target` is not defined there: its polygons lie elsewhere.
    """
    columns, rows = np.meshgrid(np.linspace(0, grid.width, 33), np.linspace(0, grid.height, 33))
    x, y = grid.origin_x + columns.ravel() * grid.pixel_width, grid.origin_y - rows.ravel() * grid.pixel_height
    x, y = transform_between(crs, target, x, y)
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        return
    if target.is_geographic:  # as one piece, across the date line too
        x = x[0] + (x - x[0] + 180) % 360 - 180
    margin = MARGIN_SHARE * max(float(np.ptp(x)), float(np.ptp(y)))
    xmin, ymin, xmax, ymax = float(x.min()) - margin, float(y.min()) - margin, float(x.max()) + margin, float(y.max()) + margin
    if target.is_geographic:
        ymin, ymax = max(ymin, -90.0), min(ymax, 90.0)
    for turn in (0.0, 360.0, -360.0) if target.is_geographic else (0.0,):
        yield (xmin, ymin, xmax, ymax), turn


def _clip(ring: Ring, box: Bounds) -> Ring:
    """The part of a closed ring inside `box`, closed; empty for none.

    Sutherland and Hodgman, "Reentrant polygon clipping", CACM 17(1), 1974. A ring that falls into several parts stays one,
    joined along the box's edge, where no pixel lies.
    """
    for axis, limit, sign in ((0, box[0], 1), (1, box[1], 1), (0, box[2], -1), (1, box[3], -1)):
        kept: Ring = []
        for p, q in zip(ring, ring[1:], strict=False):
            p_inside, q_inside = sign * (p[axis] - limit) >= 0, sign * (q[axis] - limit) >= 0
            if p_inside:
                kept.append(p)
            if p_inside != q_inside:
                share = (limit - p[axis]) / (q[axis] - p[axis])
                across = p[1 - axis] + share * (q[1 - axis] - p[1 - axis])
                kept.append((limit, across) if axis == 0 else (across, limit))
        ring = [*kept, kept[0]] if kept else []
    return ring


def _in_crs(ring: Ring, source: CRS, target: CRS) -> Ring:
    if source == target:
        return ring
    dense = _densify(ring, DENSIFY_DEGREES if source.is_geographic else DENSIFY_M / source.linear_units_factor[1])
    x, y = transform_between(source, target, np.array([p[0] for p in dense]), np.array([p[1] for p in dense]))
    return list(zip(x.tolist(), y.tolist(), strict=True))


def _densify(ring: Ring, longest: float) -> Ring:
    dense: Ring = []
    for (x0, y0), (x1, y1) in zip(ring, ring[1:], strict=False):
        pieces = max(1, math.ceil(math.hypot(x1 - x0, y1 - y0) / longest))
        dense += [(x0 + (x1 - x0) * i / pieces, y0 + (y1 - y0) * i / pieces) for i in range(pieces)]
    return [*dense, ring[-1]]
