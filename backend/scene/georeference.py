# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the pixels of a raster lie, and how far apart they are on the ground.

Pixel coordinates are (column, row) of pixel corners: (0, 0) is the outer corner of the upper left pixel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from affine import Affine
from rasterio._err import CPLE_BaseError
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.errors import RasterioError
from rasterio.transform import GCPTransformer
from rasterio.warp import transform as transform_points

from ..protocol import ErrorCode, SardineError

Coordinates = npt.NDArray[np.float64]

LONGITUDE_LATITUDE = CRS.from_epsg(4326)
LOCAL_METRES = CRS.from_wkt('LOCAL_CS["metres from the upper left corner",UNIT["metre",1],AXIS["x",EAST],AXIS["y",NORTH]]')
"""Stands for the CRS of a raster without one, where arithmetic needs one."""

WGS84_SEMIMAJOR_M = 6378137.0
WGS84_ECCENTRICITY_SQUARED = 6.69437999014e-3


@dataclass(frozen=True)
class Georeference:
    """How the pixels of a raster map to `crs`: by `transform`, or by ground control points if that is None."""

    crs: CRS
    transform: Affine | None
    gcps: tuple[GroundControlPoint, ...]
    height: int
    width: int

    @property
    def north_up(self) -> bool:
        t = self.transform
        return t is not None and t.b == 0 and t.d == 0 and t.a > 0 and t.e < 0

    @property
    def is_local(self) -> bool:
        return bool(self.crs == LOCAL_METRES)

    @property
    def in_metres(self) -> bool:
        """Whether the CRS is projected and its unit is the metre."""
        return self.is_local or bool(self.crs.is_projected and self.crs.linear_units_factor[1] == 1.0)

    def same_as(self, other: Georeference) -> bool:
        """Whether both put every pixel in the same place (within a hundredth of a pixel)."""
        if (self.height, self.width) != (other.height, other.width) or self.crs != other.crs:
            return False
        if self.transform is None or other.transform is None:
            return self.transform is other.transform and _gcp_table(self).tolist() == _gcp_table(other).tolist()
        there = ~other.transform @ self.transform
        corners = [(0, 0), (self.width, 0), (0, self.height), (self.width, self.height)]
        return all(math.dist(there @ corner, corner) < 0.01 for corner in corners)

    def mapper(self) -> PixelMapper:
        return PixelMapper(self)


class PixelMapper:
    """Pixel coordinates to coordinates in the raster's CRS and back. Arrays in, arrays out, float64."""

    def __init__(self, georeference: Georeference) -> None:
        self._transform = georeference.transform
        self._spline: Any = None
        if georeference.transform is None:
            self._spline = GCPTransformer(list(georeference.gcps), tps=True)

    def to_crs(self, columns: Coordinates, rows: Coordinates) -> tuple[Coordinates, Coordinates]:
        if self._transform is not None:
            t = self._transform
            return t.a * columns + t.b * rows + t.c, t.d * columns + t.e * rows + t.f
        x, y = self._spline.xy(rows, columns, offset="ul")
        return np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)

    def to_pixels(self, x: Coordinates, y: Coordinates) -> tuple[Coordinates, Coordinates]:
        if self._transform is not None:
            t = ~self._transform
            return t.a * x + t.b * y + t.c, t.d * x + t.e * y + t.f
        rows, columns = self._spline.rowcol(x, y, op=lambda value: value)
        return np.asarray(columns, dtype=np.float64), np.asarray(rows, dtype=np.float64)


def georeference_of(dataset: Any, name: str, spacing_m: float | None) -> Georeference:
    """Where the pixels of the open `dataset` lie.

    Ground control points are moved to the local UTM zone first, so that the spline through them bends in metres and knows
    no date line. With `spacing_m` a raster without CRS lies in local metres from its upper left corner: the geotransform
    that GDAL or QGIS makes up for it is not used, one whose pixels have that size is kept, and points are not used.
    A raster with a CRS and no geotransform is nowhere either. Raises SardineError: crs_missing.
    """
    height, width = dataset.height, dataset.width
    points, points_crs = dataset.gcps
    has_crs = dataset.crs is not None and not _engineering(dataset.crs)
    if has_crs and _places_pixels(dataset.transform):
        return Georeference(dataset.crs, dataset.transform, (), height, width)
    if spacing_m is not None:
        return Georeference(LOCAL_METRES, _local_transform(dataset.transform, spacing_m), (), height, width)
    if len(points) >= 3 and points_crs is not None:
        utm = local_utm(*_centre_of_points(points, points_crs))
        return Georeference(utm, None, _points_in(points, points_crs, utm), height, width)
    raise SardineError(
        ErrorCode.CRS_MISSING,
        f"{name} has a CRS, but nothing that places its pixels." if has_crs else f"{name} has no coordinate reference system.",
        "A CRS with a geotransform, ground control points, or the ground spacing of its pixels is needed.",
        "Georeference the file, or give --spacing-m to use it as it is.",
    )


def to_longitude_latitude(crs: CRS, x: Coordinates, y: Coordinates) -> tuple[Coordinates, Coordinates]:
    """Raises SardineError: crs_missing for a CRS that is nowhere on Earth."""
    return transform_between(crs, LONGITUDE_LATITUDE, x, y)


def transform_between(source: CRS, target: CRS, x: Coordinates, y: Coordinates) -> tuple[Coordinates, Coordinates]:
    """Coordinates of points (float64 [n]) in another CRS; infinite where there is none. Raises SardineError: crs_missing."""
    if source == target:
        return x, y
    try:
        there_x, there_y = transform_points(source, target, x.tolist(), y.tolist())
    except CPLE_BaseError:
        # PROJ gives up on the whole array where it fails on many points, as for polygons of another continent in a UTM zone.
        there_x, there_y = np.transpose([_transform_point(source, target, *point) for point in zip(x, y, strict=True)])
    except RasterioError as error:
        raise SardineError(
            ErrorCode.CRS_MISSING,
            "The coordinate reference system cannot be related to places on Earth.",
            "A geographic or projected CRS is needed.",
            "Assign the right CRS to the layer.",
        ) from error
    return np.asarray(there_x, dtype=np.float64), np.asarray(there_y, dtype=np.float64)


def _transform_point(source: CRS, target: CRS, x: float, y: float) -> tuple[float, float]:
    try:
        (there_x,), (there_y,) = transform_points(source, target, [x], [y])
    except CPLE_BaseError:
        return math.inf, math.inf
    return there_x, there_y


def local_utm(longitude: float, latitude: float) -> CRS:
    """The UTM zone (WGS 84) of a place; universal polar stereographic beyond 84 degrees north and 80 south.

    The exceptions for Norway and Svalbard are not made: they are a convention of maps, and the scale is good without.
    """
    if latitude > 84:
        return CRS.from_epsg(32661)
    if latitude < -80:
        return CRS.from_epsg(32761)
    zone = int((longitude + 180) % 360 // 6) + 1
    return CRS.from_epsg((32600 if latitude >= 0 else 32700) + zone)


def centre_longitude_latitude(georeference: Georeference) -> tuple[float, float]:
    x, y = georeference.mapper().to_crs(np.array([georeference.width / 2]), np.array([georeference.height / 2]))
    longitude, latitude = to_longitude_latitude(georeference.crs, x, y)
    return (float(longitude[0]) + 180) % 360 - 180, float(latitude[0])


def ground_spacing_m(georeference: Georeference) -> tuple[float, float]:
    """Metres on the ground between neighbouring pixels of a row, and of a column, at the raster's centre.

    The step between two points a few pixels apart is measured straight through space, from their geocentric coordinates on
    the WGS 84 ellipsoid (Snyder 1987, equations 3-11 to 3-13): exact for short steps, at the poles too. A projection's scale
    factor is so included. Raises SardineError: request_invalid where the middle of the raster lies outside its CRS.
    """
    mapper, steps = georeference.mapper(), []
    middle = np.array([georeference.width / 2, georeference.height / 2])
    for axis, length in ((0, georeference.width), (1, georeference.height)):
        reach = min(8.0, length / 2)
        offset = np.zeros(2)
        offset[axis] = reach
        ends = np.stack([middle - offset, middle + offset])
        x, y = mapper.to_crs(ends[:, 0], ends[:, 1])
        if georeference.is_local:
            steps.append(math.hypot(x[1] - x[0], y[1] - y[0]) / (2 * reach))
        else:
            longitude, latitude = to_longitude_latitude(georeference.crs, x, y)
            steps.append(_short_distance_m(longitude, latitude) / (2 * reach))
    return steps[0], steps[1]


def control_point_residual_px(georeference: Georeference) -> tuple[float, float | None]:
    """How far, in pixels, the spline passes from its points at most; and from every second point when made of the others.

    The second figure tells how well the spline serves between points; None with fewer than 20 of them.
    """
    every = _residuals_px(georeference, georeference.gcps)
    if len(georeference.gcps) < 20:
        return float(every.max()), None
    half = replace(georeference, gcps=georeference.gcps[::2])
    return float(every.max()), float(np.median(_residuals_px(half, georeference.gcps[1::2])))


def _residuals_px(georeference: Georeference, points: tuple[GroundControlPoint, ...]) -> Coordinates:
    table = np.array([(p.col, p.row, p.x, p.y) for p in points])
    columns, rows = georeference.mapper().to_pixels(table[:, 2], table[:, 3])
    return np.asarray(np.hypot(columns - table[:, 0], rows - table[:, 1]))


def _short_distance_m(longitude: Coordinates, latitude: Coordinates) -> float:
    lam, phi = np.radians(longitude), np.radians(latitude)
    if not (np.isfinite(lam).all() and np.isfinite(phi).all()) or np.abs(phi).max() > math.pi / 2:
        raise coordinates_outside_crs()
    normal_m = WGS84_SEMIMAJOR_M / np.sqrt(1 - WGS84_ECCENTRICITY_SQUARED * np.sin(phi) ** 2)
    x, y = normal_m * np.cos(phi) * np.cos(lam), normal_m * np.cos(phi) * np.sin(lam)
    z = normal_m * (1 - WGS84_ECCENTRICITY_SQUARED) * np.sin(phi)
    return math.hypot(x[1] - x[0], y[1] - y[0], z[1] - z[0])


def coordinates_outside_crs() -> SardineError:
    return SardineError(
        ErrorCode.REQUEST_INVALID,
        "The raster's coordinates lie outside its CRS.",
        "Coordinates of a place on Earth are needed.",
        "Assign the CRS that the coordinates are in.",
    )


def _places_pixels(transform: Affine) -> bool:
    """Whether `transform` is one: GDAL gives the identity where there is none, and a file may hold zeros or NaN."""
    return bool(np.isfinite(transform[:6]).all()) and not transform.is_degenerate and not transform.is_identity


def _local_transform(transform: Affine, spacing_m: float) -> Affine:
    north_up = transform.b == 0 and transform.d == 0 and transform.a > 0 and transform.e < 0
    meant = all(abs(size / spacing_m - 1) <= 0.1 for size in (transform.a, -transform.e))
    return transform if north_up and meant and (transform.c, transform.f) != (0.0, 0.0) else Affine.scale(spacing_m, -spacing_m)


def _engineering(crs: CRS) -> bool:
    """Whether `crs` is a local one, which says no more than none."""
    return not (crs.is_geographic or crs.is_projected)


def _gcp_table(georeference: Georeference) -> Coordinates:
    return np.array([(p.col, p.row, p.x, p.y) for p in georeference.gcps])


def _centre_of_points(points: list[GroundControlPoint], crs: CRS) -> tuple[float, float]:
    """Mean longitude and latitude of the points; as directions, so that the date line does no harm."""
    x, y = np.array([p.x for p in points]), np.array([p.y for p in points])
    longitude, latitude = to_longitude_latitude(crs, x, y)
    turns = np.exp(1j * np.radians(longitude))
    return float(np.degrees(np.angle(turns.mean()))), float(latitude.mean())


def _points_in(points: list[GroundControlPoint], source: CRS, target: CRS) -> tuple[GroundControlPoint, ...]:
    x, y = transform_between(source, target, np.array([p.x for p in points]), np.array([p.y for p in points]))
    return tuple(GroundControlPoint(p.row, p.col, px, py) for p, px, py in zip(points, x.tolist(), y.tolist(), strict=True))
