# SPDX-License-Identifier: GPL-2.0-or-later
"""Polygon masks from GeoJSON and GeoPackage against a slow point-in-polygon test."""

from __future__ import annotations

import json
import math
import sqlite3
import struct
from pathlib import Path

import numpy as np
import pytest
from rasterio.crs import CRS
from rasterio.warp import transform as transform_points

from backend.grid import PixelWindow, RasterGrid
from backend.protocol import ErrorCode, SardineError
from backend.scene.mask import PolygonMask
from tests.test_backend.rasters import write_polygons_geojson

UTM33 = CRS.from_epsg(32633)
GRID = RasterGrid(UTM33.to_wkt(), 500_000, 5_400_000, 10, 10, 50, 60)
STAR = [
    (500_300 + radius * math.sin(i * math.pi / 5), 5_399_750 + radius * math.cos(i * math.pi / 5))
    for i, radius in enumerate([220, 90] * 5)
]
STAR.append(STAR[0])


def inside(ring, x: float, y: float) -> bool:
    """Even-odd rule, one crossing at a time."""
    odd = False
    for (x0, y0), (x1, y1) in zip(ring, ring[1:], strict=False):
        if (y0 > y) != (y1 > y) and x < x0 + (y - y0) * (x1 - x0) / (y1 - y0):
            odd = not odd
    return odd


def plain_mask(rings, grid: RasterGrid = GRID) -> np.ndarray:
    """True where a pixel's centre lies in an odd number of rings."""
    result = np.zeros((grid.height, grid.width), bool)
    for row in range(grid.height):
        for column in range(grid.width):
            x, y = grid.origin_x + (column + 0.5) * 10, grid.origin_y - (row + 0.5) * 10
            result[row, column] = sum(inside(ring, x, y) for ring in rings) % 2 == 1
    return result


def in_degrees(ring):
    x, y = transform_points(UTM33, CRS.from_epsg(4326), [p[0] for p in ring], [p[1] for p in ring])
    return list(zip(x, y, strict=True))


def wkb_polygon(rings, *, order="<", dimensions=2) -> bytes:
    thousands = {2: 0, 3: 1000, 4: 3000}[dimensions]
    body = struct.pack(f"{order}BII", order == "<", 3 + thousands, len(rings))
    for ring in rings:
        body += struct.pack(f"{order}I", len(ring))
        for x, y in ring:
            body += struct.pack(f"{order}{dimensions}d", x, y, *([7.0] * (dimensions - 2)))
    return body


def write_geopackage(path: Path, layers: dict[str, list[bytes]], *, srs=(32633, "EPSG", 32633), envelope=1) -> str:
    """A GeoPackage with the tables that a reader needs. Geometries are well-known binary."""
    with sqlite3.connect(path) as database:
        database.execute(
            "CREATE TABLE gpkg_spatial_ref_sys (srs_name TEXT, srs_id INTEGER PRIMARY KEY, organization TEXT,"
            " organization_coordsys_id INTEGER, definition TEXT, description TEXT)"
        )
        database.execute("INSERT INTO gpkg_spatial_ref_sys VALUES ('a', ?, ?, ?, ?, '')", (*srs, UTM33.to_wkt()))
        database.execute(
            "CREATE TABLE gpkg_geometry_columns (table_name TEXT, column_name TEXT, geometry_type_name TEXT,"
            " srs_id INTEGER, z INTEGER, m INTEGER)"
        )
        for name, geometries in layers.items():
            database.execute("INSERT INTO gpkg_geometry_columns VALUES (?, 'the geom', 'POLYGON', ?, 0, 0)", (name, srs[0]))
            quoted = name.replace('"', '""')
            database.execute(f'CREATE TABLE "{quoted}" (fid INTEGER PRIMARY KEY, "the geom" BLOB)')
            for wkb in geometries:
                flags = 1 | envelope << 1
                head = struct.pack("<2sBBi", b"GP", 0, flags, srs[0]) + bytes({0: 0, 1: 32, 2: 48}[envelope])
                database.execute(f'INSERT INTO "{quoted}" ("the geom") VALUES (?)', (head + wkb,))  # noqa: S608
    return str(path)


def read_all(source: str, grid: RasterGrid = GRID) -> np.ndarray:
    return PolygonMask(source, grid).read(grid.full_window)


def refusal(source: str, grid: RasterGrid = GRID) -> SardineError:
    with pytest.raises(SardineError) as caught:
        PolygonMask(source, grid)
    assert caught.value.refused
    return caught.value


def test_mask_should_hold_the_pixels_whose_centre_is_inside(tmp_path):
    source = write_polygons_geojson(tmp_path / "a.geojson", [STAR], "urn:ogc:def:crs:EPSG::32633")
    np.testing.assert_array_equal(read_all(source), plain_mask([STAR]))


def test_mask_should_follow_geojson_in_degrees(tmp_path):
    source = write_polygons_geojson(tmp_path / "a.geojson", [in_degrees(STAR)])
    assert (read_all(source) != plain_mask([STAR])).mean() < 0.002


def test_a_ring_that_is_not_closed_should_be_closed(tmp_path):
    source = write_polygons_geojson(tmp_path / "a.geojson", [STAR[:-1]], "urn:ogc:def:crs:EPSG::32633")
    np.testing.assert_array_equal(read_all(source), plain_mask([STAR]))


def test_mask_should_be_the_same_in_any_window(tmp_path):
    mask = PolygonMask(write_polygons_geojson(tmp_path / "a.geojson", [STAR], "EPSG:32633"), GRID)
    whole = mask.read(GRID.full_window)
    for row in range(0, 50, 7):
        window = PixelWindow(row, 3, 7, 50)
        expected = np.zeros((7, 50), bool)
        there = whole[row : row + 7, 3:53]
        expected[: there.shape[0], : there.shape[1]] = there
        np.testing.assert_array_equal(mask.read(window), expected)
    beyond = mask.read(PixelWindow(-5, -5, 60, 70))
    np.testing.assert_array_equal(beyond[5:55, 5:65], whole)
    assert beyond.sum() == whole.sum()


def test_mask_window_should_be_the_pixels_that_polygons_touch(tmp_path):
    ring = [(500_101, 5_399_899), (500_149, 5_399_899), (500_149, 5_399_871), (500_101, 5_399_871), (500_101, 5_399_899)]
    mask = PolygonMask(write_polygons_geojson(tmp_path / "a.geojson", [ring], "EPSG:32633"), GRID)
    assert mask.window == PixelWindow(row=10, column=10, height=3, width=5)


@pytest.mark.parametrize(("order", "dimensions", "envelope"), [("<", 2, 1), (">", 2, 0), ("<", 3, 2), (">", 4, 1)])
def test_mask_should_be_read_from_geopackages_in_each_form(tmp_path, order, dimensions, envelope):
    hole = [(x * 0.3 + 500_300 * 0.7, y * 0.3 + 5_399_750 * 0.7) for x, y in STAR]
    wkb = wkb_polygon([STAR, hole], order=order, dimensions=dimensions)
    source = write_geopackage(tmp_path / "ä b.gpkg", {'odd " name': [wkb]}, envelope=envelope)
    np.testing.assert_array_equal(read_all(source), plain_mask([STAR, hole]))


def test_mask_should_be_read_from_a_geopackage_of_multipolygons(tmp_path):
    other = [(x - 240, y + 180) for x, y in STAR]
    wkb = struct.pack("<BII", 1, 6, 2) + wkb_polygon([STAR]) + wkb_polygon([other], order=">")
    source = write_geopackage(tmp_path / "a.gpkg", {"a": [wkb]})
    np.testing.assert_array_equal(read_all(source), plain_mask([STAR]) | plain_mask([other]))


def test_a_layer_of_several_should_have_to_be_named(tmp_path):
    small = [(500_000, 5_400_000), (500_100, 5_400_000), (500_100, 5_399_900), (500_000, 5_399_900), (500_000, 5_400_000)]
    source = write_geopackage(tmp_path / "a.gpkg", {"star": [wkb_polygon([STAR])], "small": [wkb_polygon([small])]})
    error = refusal(source)
    assert error.code is ErrorCode.MASK_UNREADABLE
    assert "star, small" in error.found
    assert read_all(f"{source}|layername=small").sum() == 100
    assert refusal(f"{source}|layername=no").code is ErrorCode.MASK_UNREADABLE


def test_straight_edges_should_be_curved_into_the_scenes_crs(tmp_path):
    """A box of degrees 4 degrees wide: its upper edge bends by kilometres in UTM."""
    grid = RasterGrid(UTM33.to_wkt(), 400_000, 5_400_000, 1000, 1000, 200, 200)
    box = [(13.0, 47.5), (17.0, 47.5), (17.0, 48.2), (13.0, 48.2), (13.0, 47.5)]
    found = read_all(write_polygons_geojson(tmp_path / "a.geojson", [box]), grid)
    rows, columns = np.mgrid[0:200, 0:200]
    x, y = grid.origin_x + (columns.ravel() + 0.5) * 1000, grid.origin_y - (rows.ravel() + 0.5) * 1000
    longitude, latitude = (np.array(axis) for axis in transform_points(UTM33, CRS.from_epsg(4326), x.tolist(), y.tolist()))
    expected = (longitude > 13) & (longitude < 17) & (latitude > 47.5) & (latitude < 48.2)
    assert (found != expected.reshape(200, 200)).mean() < 0.0005


def test_polygons_on_the_other_side_of_the_earth_should_be_left_out(tmp_path):
    away = [(-160, -10), (-150, -10), (-150, 0), (-160, -10)]
    source = write_polygons_geojson(tmp_path / "a.geojson", [away, in_degrees(STAR)])
    assert (read_all(source) != plain_mask([STAR])).mean() < 0.002


@pytest.mark.parametrize(
    "box",
    [(-180, -90, 180, 90), (-10, 35, 40, 70), (-1000, -89, 1000, 89)],
    ids=["the world", "a continent", "more than the world"],
)
def test_polygons_far_larger_than_a_zone_should_hold_the_scene(tmp_path, box):
    x0, y0, x1, y1 = box
    ring = [(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)]
    assert read_all(write_polygons_geojson(tmp_path / "a.geojson", [ring])).all()


def test_a_far_larger_polygon_should_keep_its_hole_and_its_edge(tmp_path):
    (x0, y0), (x1, y1) = in_degrees([(500_200, 5_399_700), (500_400, 5_399_900)])
    world = [(-170, -80), (x1, -80), (x1, 80), (-170, 80), (-170, -80)]
    hole = [(x0, y0), (x0, y1), (x1 - 1e-9, y1), (x1 - 1e-9, y0), (x0, y0)]
    feature = {"type": "Polygon", "coordinates": [world, hole]}
    (tmp_path / "a.geojson").write_text(json.dumps(feature))
    x, y = np.meshgrid(500_005 + 10 * np.arange(60), 5_399_995 - 10 * np.arange(50))
    expected = (x < 500_400) & ~((x > 500_200) & (y > 5_399_700) & (y < 5_399_900))
    assert 0.2 < expected.mean() < 0.9
    assert (read_all(str(tmp_path / "a.geojson")) != expected).mean() < 0.005


@pytest.mark.parametrize("x0", [179.9, -180.1])
def test_polygons_should_be_found_across_the_date_line(tmp_path, x0):
    zone60 = CRS.from_epsg(32660)
    (x,), (y,) = transform_points(CRS.from_epsg(4326), zone60, [180.0], [10.0])
    grid = RasterGrid(zone60.to_wkt(), x - 1000, y + 1000, 10, 10, 200, 200)  # the date line in its middle
    ring = [(x0, 9.9), (x0 + 0.2, 9.9), (x0 + 0.2, 10.1), (x0, 10.1), (x0, 9.9)]
    assert read_all(write_polygons_geojson(tmp_path / "a.geojson", [ring]), grid).all()


def test_a_mask_outside_the_scene_should_be_refused(tmp_path):
    away = [(x + 100_000, y) for x, y in STAR]
    assert refusal(write_polygons_geojson(tmp_path / "a.geojson", [away], "EPSG:32633")).code is ErrorCode.MASK_OUTSIDE


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not json",
        b"[1, 2]",
        b'{"type": "FeatureCollection", "features": []}',
        b'{"type": "Feature", "geometry": {"type": "Point", "coordinates": [1, 2]}}',
        b'{"type": "Polygon", "coordinates": [[["a", 2]]]}',
        b'{"type": "Polygon", "coordinates": 7}',
        b'{"type": "Polygon", "coordinates": [[[NaN, 2], [1, 2], [3, 4], [NaN, 2]]]}',
        b"[" * 100_000,
        b"SQLite format 3\x00 and no more",
        b"\xff\xfe\x00",
    ],
)
def test_an_unreadable_mask_should_be_refused(tmp_path, content):
    path = tmp_path / "a.geojson"
    path.write_bytes(content)
    assert refusal(str(path)).code is ErrorCode.MASK_UNREADABLE


def test_a_damaged_geopackage_should_be_refused(tmp_path):
    whole = wkb_polygon([STAR])
    for number, wkb in enumerate([whole[:-9], b"\x01\x01\x00\x00\x00" + bytes(16), b"", struct.pack("<BII", 1, 3, 2**31)]):
        source = write_geopackage(tmp_path / f"{number}.gpkg", {"a": [wkb]})
        assert refusal(source).code is ErrorCode.MASK_UNREADABLE


def test_a_missing_mask_should_be_refused(tmp_path):
    assert refusal(str(tmp_path / "no.gpkg")).code is ErrorCode.MASK_UNREADABLE


def test_a_mask_on_a_scene_without_crs_should_be_refused(tmp_path):
    grid = RasterGrid(None, 0, 0, 10, 10, 50, 60)
    assert refusal(write_polygons_geojson(tmp_path / "a.geojson", [STAR]), grid).code is ErrorCode.CRS_MISSING
