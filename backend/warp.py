# SPDX-License-Identifier: GPL-2.0-or-later
"""The grid that a scene is read on, and blocks of a raster brought onto it.

A raster is read as it is where it is north-up, projected in metres, and its ground spacing is within a tenth of the model's.
Else it is warped, block by block as it is read, to the local UTM zone at the model's spacing, on a grid whose pixel edges are
multiples of the spacing: crops of one scene so share their pixels. Averaging is bilinear with GDAL's kernel, which widens
where pixels become larger and leaves NaN out; it works in linear power, except for grey levels of unknown scale.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from affine import Affine
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.warp import reproject

from .georeference import (
    Georeference,
    centre_longitude_latitude,
    control_point_residual_px,
    ground_spacing_m,
    local_utm,
    to_longitude_latitude,
    transform_between,
)
from .grid import PixelWindow, RasterGrid
from .protocol import ErrorCode, SardineError
from .radiometry import FloatArray

SPACING_TOLERANCE = 0.1
COARSEST_RATIO = 2.02
"""Twice the model's spacing, and the scale factor that makes a 20 m UTM pixel 20.01 m on the ground."""
WIDEST_DEGREES = 24.0
"""A transverse Mercator grid is about 2% off in scale 12 degrees from its meridian at the equator; wider scenes are refused."""

BLOCK_PX = 512
BLOCK_SOURCE_PX = 4 * 2**20
"""Blocks shrink until they need at most this many source pixels: memory stays bounded whatever the source's spacing."""
APPROXIMATION_PX = 0.01
"""GDAL interpolates coordinates along rows within this error, so blocks agree with each other."""


@dataclass(frozen=True)
class GridChoice:
    """The output grid, its CRS, the source's ground spacing (across, down), and why it is warped: empty where it is not."""

    grid: RasterGrid
    crs: CRS
    spacing_m: tuple[float, float]
    note: str


def choose_grid(georeference: Georeference, model_spacing_m: float, *, name: str, allow_coarse: bool = False) -> GridChoice:
    """The grid to read the raster on. Raises SardineError: spacing_too_coarse, crs_missing, request_invalid."""
    across_m, down_m = ground_spacing_m(georeference)
    if max(across_m, down_m) > COARSEST_RATIO * model_spacing_m and not allow_coarse:
        raise SardineError(
            ErrorCode.SPACING_TOO_COARSE,
            f"The pixels of {name} are {across_m:.1f} x {down_m:.1f} m on the ground.",
            f"The model was made for {model_spacing_m:g} m and takes at most twice that.",
            "Use a scene at full resolution, or force it with --allow-coarse.",
        )
    reason = _reason_to_warp(georeference, (across_m, down_m), model_spacing_m)
    if not reason and georeference.transform is not None:
        t = georeference.transform
        crs_wkt = None if georeference.is_local else georeference.crs.to_wkt()
        grid = RasterGrid(crs_wkt, t.c, t.f, t.a, -t.e, georeference.height, georeference.width)
        return GridChoice(grid, georeference.crs, (across_m, down_m), "")
    crs = georeference.crs if georeference.is_local else local_utm(*centre_longitude_latitude(georeference))
    grid = _covering_grid(georeference, crs, model_spacing_m)
    target = "a grid in local metres" if georeference.is_local else f"EPSG:{crs.to_epsg()}"
    note = f"Warped on the fly to {target} at {model_spacing_m:g} m, because {reason}."
    return GridChoice(grid, crs, (across_m, down_m), note + _residual_note(georeference, across_m))


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
        side = self._block_px()
        for row in range(0, window.height, side):
            for column in range(0, window.width, side):
                height, width = min(side, window.height - row), min(side, window.width - column)
                block = PixelWindow(window.row + row, window.column + column, height, width)
                self._warp_block(block, read_source, result[:, row : row + height, column : column + width])
        return result

    def covers(self, window: PixelWindow) -> float:
        """The share of `window` of the grid whose pixels lie in the raster, from a lattice of 32 x 32 points."""
        rows = window.row + (np.arange(32) + 0.5) * window.height / 32
        columns = window.column + (np.arange(32) + 0.5) * window.width / 32
        source_columns, source_rows = self._to_source(*(axis.ravel() for axis in np.meshgrid(columns, rows)))
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
        geometry: dict[str, object] = {}
        if self._georeference.transform is not None:
            geometry["src_transform"] = self._georeference.transform * Affine.translation(window.column, window.row)
        else:
            geometry["gcps"] = [
                GroundControlPoint(p.row - window.row, p.col - window.column, p.x, p.y) for p in self._georeference.gcps
            ]
            geometry["METHOD"] = "GCP_TPS"
        grid = self._grid.crop(block)
        warped = np.full(out.shape, np.nan, dtype=np.float32)
        reproject(
            source,
            warped,
            src_crs=self._georeference.crs,
            dst_crs=self._crs,
            dst_transform=Affine(grid.pixel_width, 0.0, grid.origin_x, 0.0, -grid.pixel_height, grid.origin_y),
            src_nodata=np.nan,
            dst_nodata=np.nan,
            resampling=Resampling.bilinear,
            tolerance=APPROXIMATION_PX,
            UNIFIED_SRC_NODATA="NO",  # a band's own gaps alone are gaps in it
            XSCALE=self._scale[0],  # else GDAL measures it on each block, and blocks differ
            YSCALE=self._scale[1],
            **geometry,
        )
        out[...] = warped

    def _source_window(self, block: PixelWindow) -> PixelWindow | None:
        """The part of the raster that `block` of the grid needs, with the kernel's reach; None for no part."""
        down, across = np.linspace(0, block.height, 9) + block.row, np.linspace(0, block.width, 9) + block.column
        columns, rows = self._to_source(*(axis.ravel() for axis in np.meshgrid(across, down)))
        finite = np.isfinite(columns) & np.isfinite(rows)
        if not finite.any():
            return None
        margin_x, margin_y = (math.ceil(1 / scale) + 3 for scale in self._scale)
        left, top = math.floor(columns[finite].min()) - margin_x, math.floor(rows[finite].min()) - margin_y
        right, bottom = math.ceil(columns[finite].max()) + margin_x, math.ceil(rows[finite].max()) + margin_y
        return PixelWindow(top, left, bottom - top, right - left).intersect(self._source)

    def _to_source(self, columns: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pixel coordinates in the raster of pixel coordinates in the grid."""
        x = self._grid.origin_x + columns * self._grid.pixel_width
        y = self._grid.origin_y - rows * self._grid.pixel_height
        there_x, there_y = transform_between(self._crs, self._georeference.crs, x, y)
        if self._georeference.crs.is_geographic:  # longitudes near the raster's own, across the date line too
            middle = self._mapper.to_crs(np.array([self._source.width / 2]), np.array([self._source.height / 2]))[0][0]
            there_x = there_x + 360.0 * np.round((middle - there_x) / 360.0)
        return self._mapper.to_pixels(there_x, there_y)

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
        return max(16, min(BLOCK_PX, int(math.sqrt(BLOCK_SOURCE_PX / per_pixel))))


def _reason_to_warp(georeference: Georeference, spacing_m: tuple[float, float], model_spacing_m: float) -> str:
    measured = f"{spacing_m[0]:.2f} x {spacing_m[1]:.2f} m on the ground"
    if georeference.transform is None:
        return f"it has {len(georeference.gcps)} ground control points only"
    if not georeference.is_local and georeference.crs.is_geographic:
        return f"its pixels are in degrees ({measured})"
    if not georeference.in_metres:
        return f"its CRS is in {georeference.crs.linear_units}"
    if not georeference.north_up:
        return "it is rotated or not north-up"
    if any(abs(size / model_spacing_m - 1) > SPACING_TOLERANCE for size in spacing_m):
        return f"its pixels are {measured}"
    return ""


def _residual_note(georeference: Georeference, spacing_m: float) -> str:
    if georeference.transform is not None:
        return ""
    at_points_px, between_px = control_point_residual_px(georeference)
    note = f" A thin-plate spline meets the points within {at_points_px:.3f} px ({at_points_px * spacing_m:.2f} m)"
    if between_px is not None:
        note += (
            f"; made of every second point, it misses the others by {between_px:.3f} px ({between_px * spacing_m:.2f} m, median)"
        )
    return note + "."


def _covering_grid(georeference: Georeference, crs: CRS, spacing_m: float) -> RasterGrid:
    """The grid with edges on multiples of `spacing_m` that covers the raster."""
    across, down = np.linspace(0, georeference.width, 65), np.linspace(0, georeference.height, 65)
    columns, rows = (axis.ravel() for axis in np.meshgrid(across, down))
    x, y = georeference.mapper().to_crs(columns, rows)
    if not georeference.is_local:
        _check_extent(georeference.crs, x, y)
    x, y = transform_between(georeference.crs, crs, x, y)
    tolerance = 1e-6
    left, right = math.floor(x.min() / spacing_m + tolerance), math.ceil(x.max() / spacing_m - tolerance)
    bottom, top = math.floor(y.min() / spacing_m + tolerance), math.ceil(y.max() / spacing_m - tolerance)
    crs_wkt = None if georeference.is_local else crs.to_wkt()
    height, width = max(1, top - bottom), max(1, right - left)
    return RasterGrid(crs_wkt, left * spacing_m, top * spacing_m, spacing_m, spacing_m, height, width)


def _check_extent(crs: CRS, x: np.ndarray, y: np.ndarray) -> None:
    longitude, latitude = to_longitude_latitude(crs, x, y)
    centre = longitude[longitude.size // 2]
    turn = np.abs((longitude - centre + 180) % 360 - 180) * np.cos(np.radians(latitude))
    if not (np.isfinite(longitude).all() and np.isfinite(latitude).all()) or turn.max() > WIDEST_DEGREES / 2:
        raise SardineError(
            ErrorCode.REQUEST_INVALID,
            "The scene is wider than a UTM grid can hold, or its coordinates lie outside its CRS.",
            f"A scene of at most {WIDEST_DEGREES:g} degrees is needed.",
            "Cut it into parts, or check its CRS.",
        )
