# SPDX-License-Identifier: GPL-2.0-or-later
"""A map against a reference, from files to figures."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from rasterio.crs import CRS
from rasterio.warp import transform as transform_points

from backend.accuracy.assess import run_accuracy
from backend.accuracy.error_matrix import agreement, area_estimates
from backend.protocol import AccuracyRequest, ErrorCode, SardineError
from tests.test_backend.rasters import write_raster

EQUAL_AREA = "EPSG:3035"
ORIGIN = (4_300_000.0, 3_200_000.0)

# Olofsson et al. 2014, section 5: deforestation, forest gain, stable forest, stable other; 30 m pixels.
MATRIX = np.array([[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]])
MAPPED_PX = np.array([200_000, 150_000, 3_200_000, 6_450_000])


def write_points(path: Path, points, values, *, crs=EQUAL_AREA, field="reference") -> str:
    """GeoJSON points from coordinates in `crs`."""
    x, y = transform_points(CRS.from_string(crs), CRS.from_epsg(4326), [p[0] for p in points], [p[1] for p in points])
    features = [
        {"type": "Feature", "properties": {field: value}, "geometry": {"type": "Point", "coordinates": [lon, lat]}}
        for lon, lat, value in zip(x, y, values, strict=True)
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return str(path)


def write_classes(path: Path, codes, *, pixel_m=30.0, **options) -> str:
    transform = Affine(pixel_m, 0, ORIGIN[0], 0, -pixel_m, ORIGIN[1])
    return write_raster(path, np.asarray(codes, np.uint8), crs=EQUAL_AREA, transform=transform, nodata=0, **options)


def centre(row, column, pixel_m=30.0):
    return ORIGIN[0] + (column + 0.5) * pixel_m, ORIGIN[1] - (row + 0.5) * pixel_m


def run(**request):
    messages = []
    result = run_accuracy(AccuracyRequest(**request), messages.append, lambda: False)
    return result, json.loads(result.details), messages


def refusal(**request) -> SardineError:
    with pytest.raises(SardineError) as caught:
        run(**request)
    assert caught.value.refused
    return caught.value


@pytest.fixture
def small_map(tmp_path):
    """10 x 10 pixels: class 1 in the upper half, class 2 below, one pixel without data."""
    codes = np.repeat([[1], [2]], 5, axis=0).repeat(10, axis=1)
    codes[0, 0] = 0
    return write_classes(tmp_path / "map.tif", codes)


def test_estimates_should_be_those_of_the_worked_example():
    found = area_estimates(MATRIX, MAPPED_PX * 0.09)
    assert found.area.round().tolist() == [21158, 11686, 285770, 581386]
    assert found.area_interval.round().tolist() == [6158, 3756, 15510, 16282]
    assert (round(found.overall, 2), round(found.overall_interval, 2)) == (0.95, 0.02)
    assert found.users.round(2).tolist() == [0.88, 0.73, 0.93, 0.96]
    assert found.users_interval.round(2).tolist() == [0.07, 0.10, 0.04, 0.02]
    assert found.producers.round(2).tolist() == [0.75, 0.85, 0.93, 0.96]
    assert found.producers_interval.round(2).tolist() == [0.21, 0.25, 0.03, 0.02]
    assert found.proportions.sum() == pytest.approx(1.0)


def test_accuracy_should_give_the_worked_example_from_files(tmp_path):
    """The example's map, 10 million pixels of 30 m, and its 640 points."""
    codes = np.repeat([1, 2, 3, 4], MAPPED_PX).astype(np.uint8).reshape(2500, 4000)
    raster = write_classes(tmp_path / "map.tif", codes, tags={}, compress="deflate")
    points, values = [], []
    first = np.concatenate([[0], np.cumsum(MAPPED_PX)[:-1]])
    for mapped, row in enumerate(MATRIX):
        for place, reference in enumerate(np.repeat([1, 2, 3, 4], row)):
            points.append(centre(*divmod(int(first[mapped]) + 251 * place, 4000)))
            values.append(int(reference))
    reference = write_points(tmp_path / "points.geojson", points, values)
    result, data, _ = run(
        raster=raster, reference=reference, field="reference", html=str(tmp_path / "r.html"), csv=str(tmp_path / "r.csv")
    )
    assert data["matrix"] == MATRIX.tolist()
    assert data["design"] == "stratified"
    assert data["estimates"]["area"] == pytest.approx([21158, 11686, 285770, 581386], rel=2e-4)
    assert data["estimates"]["area_interval"] == pytest.approx([6158, 3756, 15510, 16282], rel=2e-4)
    assert result.figures["overall_accuracy"] == pytest.approx(0.9465, abs=1e-4)
    rows = list(csv.reader((tmp_path / "r.csv").open()))
    assert rows[1][2:7] == ["66", "0", "5", "4", "75"]
    assert float(rows[1][rows[0].index("area_ha")]) == pytest.approx(21158, rel=2e-4)
    page = (tmp_path / "r.html").read_text()
    assert "0.947 ± 0.018" in page
    assert '<td class="hit">313</td>' in page


def test_agreement_should_follow_from_counts_alone():
    found = agreement(np.array([[8, 2], [4, 6]]))
    assert found.overall == 0.7
    assert found.users.tolist() == [0.8, 0.6]
    assert found.producers.tolist() == pytest.approx([8 / 12, 6 / 8])
    assert found.f1.tolist() == pytest.approx([16 / 22, 12 / 18])


def test_estimates_should_have_no_interval_where_one_point_stands_for_a_class():
    found = area_estimates(np.array([[1, 0], [2, 8]]), np.array([10.0, 90.0]))
    assert np.isnan(found.users_interval[0])
    assert np.isfinite(found.users_interval[1])
    assert found.overall == pytest.approx(0.1 + 0.9 * 0.8)


def test_reference_names_should_be_those_of_the_map_or_of_the_request(tmp_path, small_map):
    points = [centre(1, 1), centre(2, 2), centre(7, 7), centre(8, 8)]
    reference = write_points(tmp_path / "p.geojson", points, ["rice", "Rice ", "burnt", "2"])
    _, data, _ = run(raster=small_map, reference=reference, field="reference", class_names={"1": "rice", "2": "burnt"})
    assert data["matrix"] == [[2, 0], [0, 2]]
    error = refusal(raster=small_map, reference=reference, field="reference", class_names={"1": "rice"})
    assert error.code is ErrorCode.SAMPLES_UNSUITABLE
    assert "burnt" in error.found


def test_accuracy_should_say_what_it_left_out(tmp_path, small_map):
    points = [centre(1, 1), centre(7, 7), centre(0, 0), centre(50, 50), centre(8, 8)]
    reference = write_points(tmp_path / "p.geojson", points, [1, 2, 1, 1, None])
    result, data, messages = run(raster=small_map, reference=reference, field="reference")
    assert data["left_out"] == {"outside": 1, "on_nodata": 1, "unlabelled": 1, "undecided": 0}
    codes = {message.code for message in messages if message.type == "warning"}
    assert {"reference_outside", "reference_on_nodata", "reference_unlabelled", "strata_few"} <= codes
    assert len(result.warnings) == len([m for m in messages if m.type == "warning"])


def test_a_class_without_points_should_be_told_and_left_out(tmp_path, small_map):
    reference = write_points(tmp_path / "p.geojson", [centre(1, 1), centre(2, 2)], [1, 1])
    _, data, messages = run(raster=small_map, reference=reference, field="reference")
    assert any("No reference point lies in the map's 2" in message.text for message in messages if message.type == "warning")
    assert data["estimates"]["overall"] == 1.0


def polygons_file(path, boxes, values):
    """Boxes (row, column, row_end, column_end) in pixels of the map."""
    features = []
    for (top, left, bottom, right), value in zip(boxes, values, strict=True):
        ring = [centre(r - 0.5, c - 0.5) for r, c in ((top, left), (top, right), (bottom, right), (bottom, left), (top, left))]
        shape = {"type": "Polygon", "coordinates": [ring]}
        features.append({"type": "Feature", "properties": {"class": value}, "geometry": shape})
    crs = {"type": "name", "properties": {"name": EQUAL_AREA}}
    path.write_text(json.dumps({"type": "FeatureCollection", "crs": crs, "features": features}))
    return str(path)


def test_polygons_should_be_counted_by_pixel_without_intervals(tmp_path, small_map):
    boxes = [(1, 1, 3, 3), (4, 4, 6, 6), (8, 0, 9, 2), (8, 1, 9, 3)]
    reference = polygons_file(tmp_path / "p.geojson", boxes, [1, 2, 2, 1])
    _, data, messages = run(raster=small_map, reference=reference, field="class", design="stratified")
    assert data["matrix"] == [[4, 2], [1, 3]]
    assert data["left_out"]["undecided"] == 1
    assert "estimates" not in data
    assert {"design_ignored", "polygons_no_sample"} <= {m.code for m in messages if m.type == "warning"}


def test_a_reference_raster_should_be_compared_where_it_lies(tmp_path, small_map):
    """A finer raster with an origin of its own: nearest neighbour."""
    fine = np.ones((20, 20), np.uint8)
    fine[10:] = 2
    fine[:, 10:] = 0
    transform = Affine(15, 0, ORIGIN[0], 0, -15, ORIGIN[1])
    reference = write_raster(tmp_path / "ref.tif", fine, crs=EQUAL_AREA, transform=transform, nodata=0)
    _, data, _ = run(raster=small_map, reference=reference)
    assert data["matrix"] == [[24, 0], [0, 25]]
    assert data["left_out"]["on_nodata"] == 1


def test_accuracy_should_refuse_what_cannot_be_compared(tmp_path, small_map):
    points = write_points(tmp_path / "p.geojson", [centre(50, 50)], [1])
    assert refusal(raster=small_map, reference=points, field="reference").code is ErrorCode.SAMPLES_OUTSIDE
    assert refusal(raster=small_map, reference=points).code is ErrorCode.REQUEST_INVALID
    error = refusal(raster=small_map, reference=points, field="klass")
    assert error.code is ErrorCode.SAMPLES_UNREADABLE
    assert "reference" in error.needed
    assert refusal(raster=small_map, reference=str(tmp_path / "no.gpkg"), field="a").code is ErrorCode.SAMPLES_UNREADABLE
    fractions = write_raster(tmp_path / "f.tif", np.random.default_rng(0).normal(size=(9, 9)).astype(np.float32))
    assert refusal(raster=fractions, reference=points, field="reference").code is ErrorCode.CLASS_RASTER_UNSUITABLE
    many = write_raster(tmp_path / "m.tif", np.arange(400, dtype=np.uint16).reshape(20, 20))
    assert refusal(raster=many, reference=points, field="reference").code is ErrorCode.CLASS_RASTER_UNSUITABLE
    assert refusal(raster=small_map, reference=points, field="reference", csv=points).code is ErrorCode.OUTPUT_UNSUITABLE


def test_a_cancel_should_leave_no_report(tmp_path, small_map):
    reference = write_points(tmp_path / "p.geojson", [centre(1, 1), centre(7, 7)], [1, 2])
    out = tmp_path / "r.html"
    for stage in ("counting the classes", "comparing", "writing"):
        seen = []

        def reached(seen=seen, stage=stage):
            return any(message.type == "progress" and message.stage == stage for message in seen)

        request = AccuracyRequest(raster=small_map, reference=reference, field="reference", html=str(out))
        with pytest.raises(SardineError) as caught:
            run_accuracy(request, seen.append, reached)
        assert caught.value.code is ErrorCode.CANCELLED
        assert not out.exists()
