# SPDX-License-Identifier: GPL-2.0-or-later
"""Polygons read from GeoJSON (RFC 7946, and the older form with a `crs` member) and from GeoPackage (OGC 12-128).

Both are read with the standard library: the backend's environment has no OGR for vectors.
"""

from __future__ import annotations

import json
import math
import sqlite3
import struct
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rasterio.crs import CRS
from rasterio.errors import RasterioError

from .protocol import ErrorCode, SardineError

Ring = list[tuple[float, float]]
Polygon = list[Ring]
"""An outer ring, then holes."""

ENVELOPE_BYTES = {0: 0, 1: 32, 2: 48, 3: 48, 4: 64}
"""Of a GeoPackage geometry, by the envelope code in its flags (OGC 12-128, clause 2.1.3)."""

WKB_POLYGON, WKB_MULTIPOLYGON, WKB_COLLECTION = 3, 6, 7
WKB_DIMENSIONS = {0: 2, 1: 3, 2: 3, 3: 4}
"""Numbers a point by the thousands of an ISO WKB type: xy, xyz, xym, xyzm."""
MAX_DEPTH = 8


@dataclass(frozen=True)
class PolygonLayer:
    """Polygons and their CRS."""

    crs: CRS
    polygons: tuple[Polygon, ...]


def read_polygons(source: str) -> PolygonLayer:
    """The polygons of a .geojson, .json or .gpkg file; `file.gpkg|layername=x` names one layer of several.

    Raises SardineError: mask_unreadable.
    """
    path_text, _, options = source.partition("|")
    path = Path(path_text)
    layer = options.removeprefix("layername=") or None
    if not path.is_file():
        raise _unreadable(f"There is no file {path_text}.")
    try:
        with path.open("rb") as file:
            is_sqlite = file.read(16) == b"SQLite format 3\x00"
        found = _from_geopackage(path, layer) if is_sqlite else _from_geojson(path)
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        IndexError,
        RecursionError,
        struct.error,
        sqlite3.Error,
        RasterioError,
    ) as error:
        raise _unreadable(f"{path.name} cannot be read as GeoJSON or GeoPackage ({str(error)[:120].rstrip('.')}).") from error
    if not found.polygons:
        raise _unreadable(f"{path.name} holds no polygons.")
    return found


def _from_geojson(path: Path) -> PolygonLayer:
    data = json.loads(path.read_text(encoding="utf-8-sig"))
    if not isinstance(data, dict):
        raise ValueError("it is not a JSON object")
    crs = CRS.from_epsg(4326)
    if isinstance(data.get("crs"), dict):
        crs = CRS.from_user_input(data["crs"]["properties"]["name"])
    return PolygonLayer(crs, tuple(_geojson_polygons(data)))


def _geojson_polygons(item: Mapping[str, Any] | None, depth: int = 0) -> Iterator[Polygon]:
    if item is None:
        return
    if depth > MAX_DEPTH:
        raise ValueError("geometries are nested too deeply")
    kind = item["type"]
    if kind == "FeatureCollection":
        for feature in item["features"]:
            yield from _geojson_polygons(feature, depth + 1)
    elif kind == "Feature":
        yield from _geojson_polygons(item["geometry"], depth + 1)
    elif kind == "GeometryCollection":
        for geometry in item["geometries"]:
            yield from _geojson_polygons(geometry, depth + 1)
    elif kind == "MultiPolygon":
        for rings in item["coordinates"]:
            yield from _polygon(rings)
    elif kind == "Polygon":
        yield from _polygon(item["coordinates"])


def _polygon(rings: Any) -> Iterator[Polygon]:
    polygon = [[(float(point[0]), float(point[1])) for point in ring] for ring in rings]
    if not all(math.isfinite(value) for ring in polygon for point in ring for value in point):
        raise ValueError("a coordinate is not a number")
    if polygon and len(polygon[0]) >= 4:
        yield [ring if ring[0] == ring[-1] else [*ring, ring[0]] for ring in polygon if len(ring) >= 4]


def _from_geopackage(path: Path, layer: str | None) -> PolygonLayer:
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
        tables = dict(database.execute("SELECT table_name, column_name FROM gpkg_geometry_columns").fetchall())
        if layer is None and len(tables) > 1:
            raise ValueError(f"it holds several layers ({', '.join(tables)}); add |layername= and one of them")
        layer = layer if layer is not None else next(iter(tables))
        if layer not in tables:
            raise ValueError(f"it holds no layer {layer}")
        srs_query = (
            "SELECT s.organization, s.organization_coordsys_id, s.definition FROM gpkg_spatial_ref_sys s "
            "JOIN gpkg_geometry_columns g ON g.srs_id = s.srs_id WHERE g.table_name = ?"
        )
        organization, code, definition = database.execute(srs_query, (layer,)).fetchone()
        column, table = (name.replace('"', '""') for name in (tables[layer], layer))
        # the names are this file's own, and quoted
        rows = database.execute(f'SELECT "{column}" FROM "{table}"')  # noqa: S608  # nosec B608
        polygons = [polygon for (blob,) in rows if blob for polygon in _geopackage_polygons(blob)]
    crs = CRS.from_epsg(code) if str(organization).upper() == "EPSG" else CRS.from_wkt(definition)
    return PolygonLayer(crs, tuple(polygons))


def _geopackage_polygons(blob: bytes) -> Iterator[Polygon]:
    magic, _version, flags = struct.unpack_from("<2sBB", blob)
    envelope = (flags >> 1) & 7
    if magic != b"GP" or envelope not in ENVELOPE_BYTES:
        raise ValueError("a geometry is not in GeoPackage form")
    if flags & 0x10:  # an empty geometry
        return
    polygons, _ = _wkb_polygons(blob, 8 + ENVELOPE_BYTES[envelope])
    yield from polygons


def _wkb_polygons(blob: bytes, at: int, depth: int = 0) -> tuple[list[Polygon], int]:
    """Polygons of the well-known binary at byte `at`, and the byte after it."""
    if depth > MAX_DEPTH:
        raise ValueError("geometries are nested too deeply")
    order = "<" if blob[at] == 1 else ">"
    (code,) = struct.unpack_from(f"{order}I", blob, at + 1)
    thousands, kind = divmod(code & 0x1FFFFFFF, 1000)
    numbers = 2 + bool(code & 0x80000000) + bool(code & 0x40000000) if code & 0xC0000000 else WKB_DIMENSIONS[thousands]
    if kind == WKB_POLYGON:
        return _wkb_polygon(blob, at + 5, order, numbers)
    if kind not in (WKB_MULTIPOLYGON, WKB_COLLECTION):
        raise ValueError("it holds geometries other than plain polygons")
    (count,) = struct.unpack_from(f"{order}I", blob, at + 5)
    at += 9
    polygons: list[Polygon] = []
    for _ in range(count):
        part, at = _wkb_polygons(blob, at, depth + 1)
        polygons += part
    return polygons, at


def _wkb_polygon(blob: bytes, at: int, order: str, numbers: int) -> tuple[list[Polygon], int]:
    (ring_count,) = struct.unpack_from(f"{order}I", blob, at)
    at += 4
    rings: Polygon = []
    for _ in range(ring_count):
        (point_count,) = struct.unpack_from(f"{order}I", blob, at)
        values = struct.unpack_from(f"{order}{point_count * numbers}d", blob, at + 4)
        at += 4 + point_count * numbers * 8
        rings.append(list(zip(values[::numbers], values[1::numbers], strict=True)))
    return list(_polygon(rings)), at


def _unreadable(found: str) -> SardineError:
    return SardineError(
        ErrorCode.MASK_UNREADABLE,
        found,
        "A .geojson or .gpkg file with polygons is needed.",
        "Check the file, or export the polygons again.",
    )
