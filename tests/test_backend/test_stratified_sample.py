# SPDX-License-Identifier: GPL-2.0-or-later
import json
from collections import Counter

import numpy as np
import pytest
import rasterio
from rasterio.crs import CRS
from rasterio.warp import transform as transform_points

from backend.accuracy.stratified_sample import allocate, run_stratified_sample
from backend.protocol import ErrorCode, SardineError, StratifiedSampleRequest
from tests.test_backend.rasters import UTM33, write_raster


@pytest.fixture
def raster(tmp_path):
    """700 x 300 pixels: half class 1, nearly half class 2, 20 pixels of class 3; the first rows have no data."""
    codes = np.ones((700, 300), np.uint8)
    codes[350:] = 2
    codes[600, 100:120] = 3
    codes[:10] = 0
    return write_raster(tmp_path / "map.tif", codes, nodata=0)


def draw(raster, out, **settings):
    messages = []
    result = run_stratified_sample(StratifiedSampleRequest(raster, str(out), **settings), messages.append, lambda: False)
    return json.loads(out.read_text())["features"], result


def test_each_point_should_lie_in_a_pixel_of_its_class_and_none_twice(raster, tmp_path):
    features, result = draw(raster, tmp_path / "p.geojson", points=200, least=30, seed=3)
    lon, lat = zip(*(f["geometry"]["coordinates"] for f in features), strict=True)
    x, y = transform_points(CRS.from_epsg(4326), CRS.from_string(UTM33), lon, lat)
    with rasterio.open(raster) as file:
        places = [file.index(*point) for point in zip(x, y, strict=True)]
        codes = file.read(1)
    assert [int(codes[place]) for place in places] == [f["properties"]["map_code"] for f in features]
    assert len(set(places)) == len(places)
    counts = Counter(f["properties"]["map_code"] for f in features)
    assert counts[3] == 20
    assert min(counts[1], counts[2]) >= 85
    assert result.figures["points"] == len(features)
    assert any("3 (20)" in text for text in result.warnings)
    assert all(f["properties"]["reference"] is None for f in features)
    assert len({f["properties"]["map_code"] for f in features[:20]}) > 1


def test_the_same_seed_should_draw_the_same_points(raster, tmp_path):
    first, _ = draw(raster, tmp_path / "a.geojson", points=50, least=5, seed=1)
    again, _ = draw(raster, tmp_path / "b.geojson", points=50, least=5, seed=1)
    other, _ = draw(raster, tmp_path / "c.geojson", points=50, least=5, seed=2)
    assert first == again
    assert first != other


def test_points_should_be_spread_evenly_over_a_class(tmp_path):
    raster = write_raster(tmp_path / "map.tif", np.ones((1000, 1000), np.uint8))
    features, _ = draw(raster, tmp_path / "p.geojson", points=4000, least=0)
    lat = np.array([f["geometry"]["coordinates"][1] for f in features])
    counts, _ = np.histogram(lat, bins=10)
    assert counts.min() > 330
    assert counts.max() < 470


def test_allocation_should_keep_the_least_and_follow_area():
    assert allocate({1: 10**6, 2: 10**6}, {1: 3.0, 2: 1.0}, 100, 10) == {1: 75, 2: 25}
    assert allocate({1: 10**6, 2: 10**6}, {1: 99.0, 2: 1.0}, 100, 10) == {1: 90, 2: 10}
    assert allocate({1: 5, 2: 4}, {1: 5.0, 2: 4.0}, 100, 50) == {1: 5, 2: 4}


def test_bad_requests_should_be_refused(raster, tmp_path):
    for settings, code in (
        ({"points": 0}, ErrorCode.REQUEST_INVALID),
        ({"points": 10**7}, ErrorCode.REQUEST_INVALID),
        ({"band": 4}, ErrorCode.REQUEST_INVALID),
    ):
        with pytest.raises(SardineError) as caught:
            draw(raster, tmp_path / "p.geojson", **settings)
        assert caught.value.code is code
    empty = write_raster(tmp_path / "empty.tif", np.zeros((5, 5), np.uint8), nodata=0)
    with pytest.raises(SardineError) as caught:
        draw(empty, tmp_path / "p.geojson")
    assert caught.value.code is ErrorCode.CLASS_RASTER_UNSUITABLE
    assert not (tmp_path / "p.geojson").exists()
