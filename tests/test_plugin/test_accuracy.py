# SPDX-License-Identifier: GPL-2.0-or-later
"""`sardine:stratified_sample` and `sardine:accuracy` with the real backend: drawn, labelled, judged."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from qgis.core import (
    QgsApplication,
    QgsFeature,
    QgsField,
    QgsGeometry,
    QgsPalettedRasterRenderer,
    QgsProcessingException,
    QgsProject,
    QgsRasterLayer,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QVariant
from qgis.PyQt.QtGui import QColor

from tests.test_plugin.conftest import LoggedFeedback
from tests.test_plugin.material import write_raster


@pytest.fixture(autouse=True)
def real_backend(backend_python: str, no_chosen_python: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SARDINE_PYTHON", backend_python)


@pytest.fixture
def class_map(tmp_path: Path) -> Path:
    """80 x 60 pixels: rice in the upper half, burnt below."""
    codes = np.full((1, 80, 60), 1, np.uint8)
    codes[:, 40:] = 7
    return write_raster(tmp_path / "Karte ü.tif", codes)


def named_layer(path: Path) -> QgsRasterLayer:
    layer = QgsRasterLayer(str(path), "map")
    classes = [
        QgsPalettedRasterRenderer.Class(1, QColor("#00ff00"), "rice"),
        QgsPalettedRasterRenderer.Class(7, QColor("#000000"), "burnt"),
    ]
    layer.setRenderer(QgsPalettedRasterRenderer(layer.dataProvider(), 1, classes))
    QgsProject.instance().addMapLayer(layer)
    return layer


def run(name, parameters, context, feedback=None):
    algorithm = QgsApplication.processingRegistry().createAlgorithmById(f"sardine:{name}")
    results, ok = algorithm.run(parameters, context, feedback or LoggedFeedback(), catchExceptions=False)
    assert ok
    return results


def polygons(rings, values, *, text=False) -> QgsVectorLayer:
    layer = QgsVectorLayer("Polygon?crs=EPSG:32633", "reference", "memory")
    layer.dataProvider().addAttributes([QgsField("what", QVariant.String if text else QVariant.Int)])
    layer.updateFields()
    for ring, value in zip(rings, values):
        feature = QgsFeature(layer.fields())
        points = ", ".join(f"{500_000 + 10 * x} {5_400_000 - 10 * y}" for x, y in ring)
        feature.setGeometry(QgsGeometry.fromWkt(f"Polygon(({points}))"))
        feature.setAttributes([value])
        layer.dataProvider().addFeature(feature)
    QgsProject.instance().addMapLayer(layer)
    return layer


def test_points_should_be_drawn_labelled_and_give_areas(plugin, context, class_map, tmp_path, qgis_new_project) -> None:
    layer = named_layer(class_map)
    out = tmp_path / "points.gpkg"
    drawn = run("stratified_sample", {"INPUT": layer.id(), "POINTS": 60, "LEAST": 30, "OUTPUT": str(out)}, context)
    assert drawn["COUNT"] == 60
    points = QgsVectorLayer(str(out), "points")
    names = [feature["map_class"] for feature in points.getFeatures()]
    assert (names.count("rice"), names.count("burnt")) == (30, 30)
    points.startEditing()
    index = points.fields().lookupField("reference")
    wrong = [feature.id() for feature in points.getFeatures() if feature["map_class"] == "burnt"][:6]
    for feature in points.getFeatures():
        points.changeAttributeValue(feature.id(), index, "Rice" if feature.id() in wrong else feature["map_class"])
    assert points.commitChanges()
    QgsProject.instance().addMapLayer(points)
    asked = {"INPUT": layer.id(), "REFERENCE": points.id(), "FIELD": "reference"}
    files = {"HTML": str(tmp_path / "r.html"), "CSV": str(tmp_path / "r.csv")}
    results = run("accuracy", {**asked, **files}, context)
    report = json.loads(results["REPORT"])
    assert report["matrix"] == [[30, 0], [6, 24]]
    assert [item["name"] for item in report["classes"]] == ["rice", "burnt"]
    assert results["OVERALL_ACCURACY"] == pytest.approx(0.9)
    assert results["OVERALL_INTERVAL"] == pytest.approx(1.96 * 0.5 * np.sqrt(0.8 * 0.2 / 29))
    assert report["estimates"]["area"][0] == pytest.approx(24 * 1.2, rel=1e-3)
    assert "rice" in Path(results["HTML"]).read_text(encoding="utf-8")
    assert (tmp_path / "r.csv").is_file()


def test_polygons_that_cross_themselves_should_be_mended_and_told(plugin, context, class_map, qgis_new_project) -> None:
    layer = polygons([[(0, 0), (8, 8), (8, 0), (0, 8), (0, 0)], [(0, 50), (4, 50), (4, 54), (0, 54), (0, 50)]], [1, 7])
    context.setInvalidGeometryCheck(type(context.invalidGeometryCheck())(2))  # as the toolbox: stop at invalid geometries
    feedback = LoggedFeedback()
    results = run("accuracy", {"INPUT": str(class_map), "REFERENCE": layer.id(), "FIELD": "what"}, context, feedback)
    matrix = json.loads(results["REPORT"])["matrix"]
    assert matrix[1] == [0, 16]
    assert 24 <= matrix[0][0] <= 40
    assert any("1 geometries were not valid" in text for text in feedback.warnings)


def test_a_raster_should_do_as_reference(plugin, context, class_map, tmp_path) -> None:
    codes = np.full((1, 80, 60), 1, np.uint8)
    codes[:, 20:] = 7
    results = run("accuracy", {"INPUT": str(class_map), "REFERENCE_RASTER": str(write_raster(tmp_path / "r.tif", codes))}, context)
    assert json.loads(results["REPORT"])["matrix"] == [[1200, 1200], [0, 2400]]
    assert "OVERALL_INTERVAL" not in results


def test_bad_references_should_be_refused_in_words(plugin, context, class_map, qgis_new_project) -> None:
    layer = polygons([[(0, 0), (8, 8), (8, 0), (0, 0)]], ["swamp"], text=True)
    asked = {"INPUT": str(class_map), "REFERENCE": layer.id(), "FIELD": "what"}
    with pytest.raises(QgsProcessingException, match=r"Samples cannot be used: .*swamp"):
        run("accuracy", asked, context)
    algorithm = QgsApplication.processingRegistry().createAlgorithmById("sardine:accuracy")
    for change, words in (
        ({"FIELD": None}, "field"),
        ({"REFERENCE_RASTER": str(class_map)}, "one reference"),
        ({"REFERENCE": None}, "one reference"),
    ):
        good, text = algorithm.checkParameterValues({**asked, **change}, context)
        assert not good
        assert words in text


@pytest.mark.parametrize("name", ["accuracy", "stratified_sample"])
def test_algorithms_should_explain_themselves(plugin, name) -> None:
    algorithm = QgsApplication.processingRegistry().createAlgorithmById(f"sardine:{name}")
    assert algorithm.shortDescription()
    assert len(algorithm.shortHelpString()) > 200
    assert all(parameter.help() for parameter in algorithm.parameterDefinitions())
