# SPDX-License-Identifier: GPL-2.0-or-later
"""Blocks of a raster brought onto the output grid as they are read; the raster is never read whole.

Averaging is bilinear with GDAL's kernel, which widens where pixels become larger and leaves NaN out; the caller hands in
linear power (or grey levels of unknown scale) and gets the same back.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.warp import reproject

from ..grid import PixelWindow, RasterGrid
from ..radiometry import FloatArray
from .georeference import Coordinates, Georeference, transform_between

BLOCK_PX = 512
BLOCK_SOURCE_PX = 4 * 2**20
"""A block of the grid is read at a time. Blocks shrink until they need at most this many source pixels: memory stays bounded
whatever the source's spacing."""

TILE_PX = 256
SMALLEST_TILE_PX = 16
MISFIT_PX = 0.06
"""A block is warped in tiles, each by the affine map that fits the exact one at 3 x 3 of its points within this error (tiles
are quartered until it does): half of GDAL's default, and a fraction of the sensor's own error of position. GDAL's
interpolation of coordinates would differ from block to block; tiles start at multiples of 256 px from the CRS's origin, so
every window and every crop of a scene is warped alike."""

REMEMBERED_TILES = 4096

PIXEL_FRAME = Affine(1.0, 0.0, 1e6, 0.0, -1.0, 1e6)
"""Pixels of the grid are handed to GDAL in this frame instead of the grid's own coordinates: a raster of 1 m at the origin of
its coordinates has the transform by which GDAL means none, and would be left out."""


class GridReader:
    """Reads windows of an output grid from one raster, warped where its pixels lie elsewhere."""

    def __init__(self, georeference: Georeference, grid: RasterGrid, crs: CRS) -> None:
        self._georeference = georeference
        self._grid = grid
        self._crs = crs
        self._mapper = georeference.mapper()
        self._source = PixelWindow(0, 0, georeference.height, georeference.width)
        self.shift = self._whole_shift()  # (row, column) of the grid's corner in the raster, or None: warped
        self._scale = (1.0, 1.0) if self.shift is not None else self._kernel_scale()
        self._fits: dict[PixelWindow, tuple[Affine | None, float]] = {}
        self._turn_about = self._middle_longitude()

    def read(self, window: PixelWindow, read_source: Callable[[PixelWindow], FloatArray], bands: int) -> FloatArray:
        """Values in `window` of the grid, float32 [bands, height, width], NaN where the raster has none.

        `read_source` gives [bands, height, width] of a window inside the raster, NaN nodata, in the quantity to average.
        """
        result = np.full((bands, window.height, window.width), np.nan, dtype=np.float32)
        if self.shift is not None:
            row, column = self.shift
            wanted = PixelWindow(window.row + row, window.column + column, window.height, window.width)
            inside = wanted.intersect(self._source)
            if inside is not None:
                top, left = inside.row - wanted.row, inside.column - wanted.column
                result[:, top : top + inside.height, left : left + inside.width] = read_source(inside)
            return result
        with rasterio.Env():  # once, instead of for each tile
            for block in self._blocks_of(window):
                top, left = block.row - window.row, block.column - window.column
                self._warp_block(block, read_source, result[:, top : top + block.height, left : left + block.width])
        return result

    def covers(self, window: PixelWindow) -> float:
        """The share of `window` of the grid whose pixels lie in the raster, from a lattice of 32 x 32 points."""
        rows = window.row + (np.arange(32) + 0.5) * window.height / 32
        columns = window.column + (np.arange(32) + 0.5) * window.width / 32
        source_columns, source_rows = self.source_pixels(*(axis.ravel() for axis in np.meshgrid(columns, rows)))
        inside = (source_columns >= 0) & (source_columns < self._source.width)
        inside &= (source_rows >= 0) & (source_rows < self._source.height)
        return float(inside.mean())

    def _warp_block(self, block: PixelWindow, read_source: Callable[[PixelWindow], FloatArray], out: FloatArray) -> None:
        window = self._source_window(block)
        if window is None:
            return
        source = read_source(window)
        if np.isnan(source).all():
            return
        for tile in self._lattice(block, TILE_PX):
            self._warp_tile(tile, block, source, window, out)

    def _blocks_of(self, window: PixelWindow) -> Iterator[PixelWindow]:
        """Pieces of `window` to read at a time, cut where tiles are."""
        for square in self._lattice(window, self._block_px()):
            block = square.intersect(window)
            if block is not None:
                yield block

    def _lattice(self, window: PixelWindow, side: int) -> Iterator[PixelWindow]:
        """The squares that touch `window`, of a lattice fixed to the CRS's origin."""
        row_phase = round(-self._grid.origin_y / self._grid.pixel_height) % side
        column_phase = round(self._grid.origin_x / self._grid.pixel_width) % side
        first_row = (window.row + row_phase) // side * side - row_phase
        first_column = (window.column + column_phase) // side * side - column_phase
        for row in range(first_row, window.row_end, side):
            for column in range(first_column, window.column_end, side):
                yield PixelWindow(row, column, side, side)

    def _warp_tile(self, tile: PixelWindow, block: PixelWindow, source: FloatArray, window: PixelWindow, out: FloatArray) -> None:
        """Fills the part of `out`, which is `block`, that lies in `tile`, from `source`, which is `window` of the raster."""
        part = tile.intersect(block)
        if part is None:
            return
        fit, misfit_px = self._remembered_fit(tile)
        if misfit_px > MISFIT_PX and tile.height > SMALLEST_TILE_PX:
            half = tile.height // 2
            for row, column in ((0, 0), (0, half), (half, 0), (half, half)):
                self._warp_tile(PixelWindow(tile.row + row, tile.column + column, half, half), block, source, window, out)
            return
        if fit is None or fit.is_degenerate:
            return
        near = self._source_of(part, fit).intersect(window)  # the part of the source that this tile needs
        if near is None:
            return
        top, left = near.row - window.row, near.column - window.column
        source = np.ascontiguousarray(source[:, top : top + near.height, left : left + near.width])
        warped = np.full((source.shape[0], part.height, part.width), np.nan, dtype=np.float32)
        reproject(
            source,
            warped,
            src_transform=PIXEL_FRAME @ ~fit @ Affine.translation(near.column, near.row),
            src_crs=self._crs,
            dst_transform=PIXEL_FRAME @ Affine.translation(part.column, part.row),
            dst_crs=self._crs,
            src_nodata=np.nan,
            dst_nodata=np.nan,
            resampling=Resampling.bilinear,
            UNIFIED_SRC_NODATA="NO",  # a band's own gaps alone are gaps in it
            XSCALE=self._scale[0],  # else GDAL measures it on each tile, and tiles differ
            YSCALE=self._scale[1],
        )
        top, left = part.row - block.row, part.column - block.column
        out[:, top : top + part.height, left : left + part.width] = warped

    def _remembered_fit(self, tile: PixelWindow) -> tuple[Affine | None, float]:
        """`_fit`, kept for the next rows of the same tile."""
        if tile not in self._fits:
            if len(self._fits) >= REMEMBERED_TILES:
                self._fits.clear()
            self._fits[tile] = self._fit(tile)
        return self._fits[tile]

    def _fit(self, tile: PixelWindow) -> tuple[Affine | None, float]:
        """The affine map from grid pixels to source pixels that fits the exact one on `tile`, and its largest misfit."""
        across, down = np.linspace(0, tile.width, 3) + tile.column, np.linspace(0, tile.height, 3) + tile.row
        columns, rows = (axis.ravel() for axis in np.meshgrid(across, down))
        source_columns, source_rows = self.source_pixels(columns, rows)
        if not (np.isfinite(source_columns).all() and np.isfinite(source_rows).all()):
            return None, math.inf
        design = np.stack([columns - tile.column, rows - tile.row, np.ones(9)], axis=1)
        target = np.stack([source_columns, source_rows], axis=1)
        solution = np.linalg.lstsq(design, target, rcond=None)[0]  # [3, 2]
        misfit_px = float(np.abs(design @ solution - target).max())
        (a, d), (b, e), (c, f) = solution.tolist()
        return Affine(a, b, c, d, e, f) @ Affine.translation(-tile.column, -tile.row), misfit_px

    def _source_of(self, part: PixelWindow, fit: Affine) -> PixelWindow:
        """The source pixels under the corners of `part`, with the kernel's reach."""
        corners = [
            fit @ (float(column), float(row)) for row in (part.row, part.row_end) for column in (part.column, part.column_end)
        ]
        return self._with_reach(np.array([c for c, _ in corners]), np.array([r for _, r in corners]))

    def _with_reach(self, columns: Coordinates, rows: Coordinates) -> PixelWindow:
        """The window of source pixels around these coordinates, with the kernel's reach."""
        margin_x, margin_y = (math.ceil(1 / scale) + 3 for scale in self._scale)
        left, top = math.floor(columns.min()) - margin_x, math.floor(rows.min()) - margin_y
        right, bottom = math.ceil(columns.max()) + margin_x, math.ceil(rows.max()) + margin_y
        return PixelWindow(top, left, bottom - top, right - left)

    def _source_window(self, block: PixelWindow) -> PixelWindow | None:
        """The part of the raster that `block` of the grid needs, with the kernel's reach; None for no part."""
        down, across = np.linspace(0, block.height, 9) + block.row, np.linspace(0, block.width, 9) + block.column
        columns, rows = self.source_pixels(*(axis.ravel() for axis in np.meshgrid(across, down)))
        finite = np.isfinite(columns) & np.isfinite(rows)
        if not finite.any():
            return None
        return self._with_reach(columns[finite], rows[finite]).intersect(self._source)

    def source_pixels(self, columns: Coordinates, rows: Coordinates) -> tuple[Coordinates, Coordinates]:
        """Pixel coordinates in the raster of pixel coordinates in the grid."""
        x = self._grid.origin_x + columns * self._grid.pixel_width
        y = self._grid.origin_y - rows * self._grid.pixel_height
        there_x, there_y = transform_between(self._crs, self._georeference.crs, x, y)
        if self._turn_about is not None:  # longitudes near the raster's own, across the date line too
            there_x = there_x + 360.0 * np.round((self._turn_about - there_x) / 360.0)
        return self._mapper.to_pixels(there_x, there_y)

    def _middle_longitude(self) -> float | None:
        """The longitude of the raster's middle, as the raster counts it; None for a raster that is not in degrees."""
        if not self._georeference.crs.is_geographic:
            return None
        middle = self._mapper.to_crs(np.array([self._source.width / 2]), np.array([self._source.height / 2]))
        return float(middle[0][0])

    def _whole_shift(self) -> tuple[int, int] | None:
        """Where the grid's corner lies in the raster if both share their pixels (within 1/100 pixel), else None."""
        t, grid = self._georeference.transform, self._grid
        if t is None or not self._georeference.north_up or self._georeference.crs != self._crs:
            return None
        column, row = (grid.origin_x - t.c) / t.a, (grid.origin_y - t.f) / t.e
        drift = max(abs(grid.pixel_width / t.a - 1) * grid.width, abs(grid.pixel_height / -t.e - 1) * grid.height)
        if drift > 0.01 or abs(column - round(column)) > 0.01 or abs(row - round(row)) > 0.01:
            return None
        return round(row), round(column)

    def _kernel_scale(self) -> tuple[float, float]:
        """Grid pixels per source pixel along the source's rows and columns, at most 1: how much the kernel is widened."""
        middle = np.array([self._source.width / 2, self._source.height / 2])
        across, down = min(8.0, middle[0]), min(8.0, middle[1])
        columns = np.array([middle[0] - across, middle[0] + across, middle[0], middle[0]])
        rows = np.array([middle[1], middle[1], middle[1] - down, middle[1] + down])
        x, y = transform_between(self._georeference.crs, self._crs, *self._mapper.to_crs(columns, rows))
        x, y = x / self._grid.pixel_width, y / self._grid.pixel_height
        scale_x = math.hypot(x[1] - x[0], y[1] - y[0]) / (2 * across)
        scale_y = math.hypot(x[3] - x[2], y[3] - y[2]) / (2 * down)
        return min(1.0, scale_x), min(1.0, scale_y)

    def _block_px(self) -> int:
        per_pixel = 1 / (self._scale[0] * self._scale[1])
        side = min(BLOCK_PX, int(math.sqrt(BLOCK_SOURCE_PX / per_pixel)))
        return max(SMALLEST_TILE_PX, 1 << (side.bit_length() - 1))  # a power of two, as tiles are: one divides the other
