# SPDX-License-Identifier: GPL-2.0-or-later
import json

import numpy as np
import pytest
import rasterio

from backend.features.similarity import cosine, run_similarity
from backend.protocol import ErrorCode, SardineError, SimilarityRequest
from tests.test_backend.test_classify_samples import box, folder, scene_input, write_samples

__all__ = ["folder"]  # the fixture


def similar(folder, samples, tmp_path, **changes):
    outputs = {"similarity": str(tmp_path / "s.tif"), "polygons": str(tmp_path / "p.geojson")}
    request = SimilarityRequest(**{"scene": scene_input(folder), "samples": samples, **outputs, **changes})
    return run_similarity(request, lambda _: None, lambda: False)


def test_cosine_should_be_that_of_vectors():
    values = np.array([[[1.0, 0.0, -2.0, np.nan, 0.0]], [[0.0, 3.0, 0.0, 1.0, 0.0]]], np.float32)
    np.testing.assert_allclose(cosine(values, np.array([2.0, 0.0], np.float32)), [[1.0, 0.0, -1.0, np.nan, 0.0]], atol=1e-6)


def test_places_like_water_should_be_water(folder, tmp_path):
    samples = write_samples(tmp_path / "a.geojson", [(box(30, 8, 16), "water")])
    result = similar(folder, samples, tmp_path, threshold=0.5)
    with rasterio.open(tmp_path / "s.tif") as file:
        values = file.read(1, masked=True) * file.scales[0]
        assert file.shape == (12, 15)
    assert values[4:6, 1:3].mean() > 0.8
    assert values[:, 1:4].mean() > values[:, 6:9].mean() + 0.3
    assert values.max() <= 1
    polygons = json.loads((tmp_path / "p.geojson").read_text())["features"]
    assert sum(item["properties"]["patches"] for item in polygons) == (values >= 0.5).sum()
    assert result.figures["polygons"] == len(polygons) > 0
    assert all(item["properties"]["mean"] >= 0.5 for item in polygons)


def test_a_click_should_do_and_places_may_lie_on_another_scene(folder, tmp_path):
    click = {"type": "Point", "coordinates": [500_100, 5_399_500]}
    samples = write_samples(tmp_path / "a.geojson", [(click, "")])
    similar(folder, samples, tmp_path, scene=scene_input(folder, 1), places_scene=scene_input(folder, 0))
    with rasterio.open(tmp_path / "s.tif") as file:
        values = file.read(1, masked=True) * file.scales[0]
    assert values[:, 1:4].mean() > values[:, 11:14].mean() + 0.2


def test_what_cannot_be_compared_should_be_refused(folder, tmp_path):
    there = write_samples(tmp_path / "a.geojson", [(box(30, 8), "x")])
    away = write_samples(tmp_path / "b.geojson", [(box(900, 8), "x")])
    cases = (
        (away, {}, ErrorCode.SAMPLES_OUTSIDE),
        (str(tmp_path / "no.gpkg"), {}, ErrorCode.SAMPLES_UNREADABLE),
        (there, {"threshold": 3.0}, ErrorCode.REQUEST_INVALID),
        (there, {"similarity": None, "polygons": None}, ErrorCode.REQUEST_INVALID),
        (there, {"places_scene": scene_input(folder, 0, "other")}, ErrorCode.REQUEST_INVALID),
    )
    for samples, changes, code in cases:
        with pytest.raises(SardineError) as caught:
            similar(folder, samples, tmp_path, **changes)
        assert caught.value.code is code
        assert not (tmp_path / "s.tif").exists()


@pytest.mark.parametrize("stage", ["opening the scene", "comparing places"])
def test_a_cancel_should_leave_nothing(folder, tmp_path, stage):
    samples = write_samples(tmp_path / "a.geojson", [(box(30, 8), "x")])
    similar(folder, samples, tmp_path)  # the features are there now
    (tmp_path / "s.tif").unlink()
    (tmp_path / "p.geojson").unlink()
    outputs = {"similarity": str(tmp_path / "s.tif"), "polygons": str(tmp_path / "p.geojson")}
    reached = []

    def report(message):
        reached.append(message.type == "progress" and message.stage == stage)

    with pytest.raises(SardineError) as caught:
        run_similarity(SimilarityRequest(scene=scene_input(folder), samples=samples, **outputs), report, lambda: any(reached))
    assert caught.value.code is ErrorCode.CANCELLED
    assert [path.name for path in tmp_path.iterdir()] == ["a.geojson"]
