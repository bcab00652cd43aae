# SPDX-License-Identifier: GPL-2.0-or-later
"""Points and polygons, with one field of theirs, read from GeoJSON (RFC 7946, and the older form with a `crs` member) and from
GeoPackage (OGC 12-128).

Both are read with the standard library: the backend's environment has no OGR for vectors.
"""

from __future__ import annotations

import json
import sqlite3
import struct
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rasterio.crs import CRS
from rasterio.errors import RasterioError

from ..protocol import ErrorCode, SardineError
from .wkb import MAX_DEPTH, Point, Polygon, Shapes, closed_polygon, finite_point, read_wkb

ENVELOPE_BYTES = {0: 0, 1: 32, 2: 48, 3: 48, 4: 64}
"""Of a GeoPackage geometry, by the envelope code in its flags (OGC 12-128, clause 2.1.3)."""

_UNREADABLE_ERRORS = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    IndexError,
    RecursionError,
    struct.error,
    sqlite3.Error,
    RasterioError,
)


@dataclass(frozen=True)
class VectorFeature:
    """One feature: its shapes, and its value in the field that was asked for (None where it has none)."""

    points: tuple[Point, ...]
    polygons: tuple[Polygon, ...]
    value: str | int | float | None = None


@dataclass(frozen=True)
class VectorLayer:
    """Features and their CRS. Features without a geometry are not among them."""

    crs: CRS
    features: tuple[VectorFeature, ...]


@dataclass(frozen=True)
class PolygonLayer:
    """Polygons and their CRS."""

    crs: CRS
    polygons: tuple[Polygon, ...]


def read_polygons(source: str) -> PolygonLayer:
    """The polygons of a .geojson, .json or .gpkg file; `file.gpkg|layername=x` names one layer of several.

    Raises SardineError: mask_unreadable.
    """
    try:
        layer = read_features(source)
    except SardineError as error:
        raise _no_mask(error.found) from error
    polygons = tuple(polygon for feature in layer.features for polygon in feature.polygons)
    if not polygons:
        raise _no_mask(f"{Path(source.partition('|')[0]).name} holds no polygons.")
    return PolygonLayer(layer.crs, polygons)


def read_features(source: str, field: str | None = None) -> VectorLayer:
    """The points and polygons of a file named as for `read_polygons`, each feature with its value in `field`.

    Raises SardineError: samples_unreadable, also where no feature has such a field.
    """
    path_text, _, options = source.partition("|")
    path = Path(path_text)
    layer = options.removeprefix("layername=") or None
    if not path.is_file():
        raise _no_samples(f"There is no file {path_text}.")
    try:
        with path.open("rb") as file:
            is_sqlite = file.read(16) == b"SQLite format 3\x00"
        return _from_geopackage(path, layer, field) if is_sqlite else _from_geojson(path, field)
    except _UNREADABLE_ERRORS as error:
        reason = str(error)[:160].rstrip(".")
        raise _no_samples(f"{path.name} cannot be read as GeoJSON or GeoPackage ({reason}).") from error


def _from_geojson(path: Path, field: str | None) -> VectorLayer:
    data = json.loads(path.read_text(encoding="utf-8-sig"))
    if not isinstance(data, dict):
        raise ValueError("it is not a JSON object")
    crs = CRS.from_epsg(4326)
    if isinstance(data.get("crs"), dict):
        crs = CRS.from_user_input(data["crs"]["properties"]["name"])
    found: list[VectorFeature] = []
    fields: set[str] = set()
    for item in data["features"] if data["type"] == "FeatureCollection" else [data]:
        is_feature = item["type"] == "Feature"
        properties = (item.get("properties") or {}) if is_feature else {}
        shapes = _geojson_shapes(item["geometry"] if is_feature else item)
        fields.update(properties)
        if shapes.points or shapes.polygons:
            value = _plain(properties.get(field)) if field is not None else None
            found.append(VectorFeature(tuple(shapes.points), tuple(shapes.polygons), value))
    if field is not None and field not in fields:
        raise _no_field(field, sorted(fields))
    return VectorLayer(crs, tuple(found))


def _geojson_shapes(item: Mapping[str, Any] | None, depth: int = 0) -> Shapes:
    shapes = Shapes()
    if item is None:
        return shapes
    if depth > MAX_DEPTH:
        raise ValueError("geometries are nested too deeply")
    kind = item["type"]
    if kind == "GeometryCollection":
        for geometry in item["geometries"]:
            shapes.add(_geojson_shapes(geometry, depth + 1))
    elif kind == "MultiPolygon":
        shapes.polygons += [polygon for rings in item["coordinates"] for polygon in closed_polygon(rings)]
    elif kind == "Polygon":
        shapes.polygons += closed_polygon(item["coordinates"])
    elif kind == "MultiPoint":
        shapes.points += [finite_point(point) for point in item["coordinates"]]
    elif kind == "Point":
        shapes.points.append(finite_point(item["coordinates"]))
    return shapes


def _from_geopackage(path: Path, layer: str | None, field: str | None) -> VectorLayer:
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
        table, column = _quoted(layer), _quoted(tables[layer])
        columns = [name for _, name, *_ in database.execute(f"PRAGMA table_info({table})")]
        if field is not None and field not in columns:
            raise _no_field(field, [name for name in columns if name != tables[layer]])
        value = "NULL" if field is None else _quoted(field)
        # the names are this file's own, and quoted
        rows = database.execute(f"SELECT {column}, {value} FROM {table}")  # noqa: S608  # nosec B608
        features = list(_geopackage_features(rows))
    crs = CRS.from_epsg(code) if str(organization).upper() == "EPSG" else CRS.from_wkt(definition)
    return VectorLayer(crs, tuple(features))


def _geopackage_features(rows: sqlite3.Cursor) -> Iterator[VectorFeature]:
    for blob, value in rows:
        if not blob:
            continue
        magic, _version, flags = struct.unpack_from("<2sBB", blob)
        envelope = (flags >> 1) & 7
        if magic != b"GP" or envelope not in ENVELOPE_BYTES:
            raise ValueError("a geometry is not in GeoPackage form")
        if flags & 0x10:  # an empty geometry
            continue
        shapes = read_wkb(blob, 8 + ENVELOPE_BYTES[envelope])
        if shapes.points or shapes.polygons:
            yield VectorFeature(tuple(shapes.points), tuple(shapes.polygons), _plain(value))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _plain(value: Any) -> str | int | float | None:
    return value if isinstance(value, (str, int, float)) and not isinstance(value, bool) else None


def _no_field(field: str, fields: list[str]) -> SardineError:
    return SardineError(
        ErrorCode.SAMPLES_UNREADABLE,
        f"The layer has no field “{field}”.",
        f"It has {', '.join(fields[:20]) or 'no fields at all'}.",
        "Name the field that holds the class.",
    )


def _no_samples(found: str) -> SardineError:
    return SardineError(
        ErrorCode.SAMPLES_UNREADABLE,
        found,
        "A .geojson or .gpkg file with points or polygons is needed.",
        "Check the file, or export the layer again.",
    )


def _no_mask(found: str) -> SardineError:
    return SardineError(
        ErrorCode.MASK_UNREADABLE,
        found,
        "A .geojson or .gpkg file with polygons is needed.",
        "Check the file, or export the polygons again.",
    )
