# SPDX-License-Identifier: GPL-2.0-or-later
"""The grid that a scene is read on.

A raster is read as it is where it is north-up, projected in metres, and its ground spacing is within a tenth of the model's.
Else it is warped to the local UTM zone at the model's spacing, on a grid whose pixel edges are multiples of the spacing:
crops of one scene so share their pixels. A raster without CRS stays in local metres.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from rasterio.crs import CRS

from ..grid import RasterGrid
from ..protocol import ErrorCode, SardineError
from .georeference import (
    Coordinates,
    Georeference,
    centre_longitude_latitude,
    control_point_residual_px,
    coordinates_outside_crs,
    ground_spacing_m,
    local_utm,
    to_longitude_latitude,
    transform_between,
)

SPACING_TOLERANCE = 0.1
COARSEST_RATIO = 2.02
"""Twice the model's spacing, and the scale factor that makes a 20 m UTM pixel 20.01 m on the ground."""
WIDEST_DEGREES = 24.0
"""A transverse Mercator grid is about 2% off in scale 12 degrees from its meridian at the equator; wider scenes are refused."""


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
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise coordinates_outside_crs()
    tolerance = 1e-6
    left, right = math.floor(x.min() / spacing_m + tolerance), math.ceil(x.max() / spacing_m - tolerance)
    bottom, top = math.floor(y.min() / spacing_m + tolerance), math.ceil(y.max() / spacing_m - tolerance)
    crs_wkt = None if georeference.is_local else crs.to_wkt()
    height, width = max(1, top - bottom), max(1, right - left)
    return RasterGrid(crs_wkt, left * spacing_m, top * spacing_m, spacing_m, spacing_m, height, width)


def _check_extent(crs: CRS, x: Coordinates, y: Coordinates) -> None:
    longitude, latitude = to_longitude_latitude(crs, x, y)
    if not (np.isfinite(longitude).all() and np.isfinite(latitude).all()):
        raise coordinates_outside_crs()
    centre = longitude[longitude.size // 2]
    turn = np.abs((longitude - centre + 180) % 360 - 180) * np.cos(np.radians(latitude))
    if turn.max() > WIDEST_DEGREES / 2:
        raise SardineError(
            ErrorCode.REQUEST_INVALID,
            "The scene is wider than a UTM grid can hold.",
            f"A scene of at most {WIDEST_DEGREES:g} degrees is needed.",
            "Cut it into parts, or check its CRS.",
        )
