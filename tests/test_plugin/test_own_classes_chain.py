# SPDX-License-Identifier: GPL-2.0-or-later
"""All algorithms for one's own classes in one graphical model, each with what another gives it, run by the real `qgis_process`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from qgis.core import (
    QgsProcessing,
    QgsProcessingModelAlgorithm,
    QgsProcessingModelChildAlgorithm,
    QgsProcessingModelChildParameterSource,
    QgsProcessingModelOutput,
    QgsProcessingModelParameter,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterRasterLayer,
    QgsVectorLayer,
)

from tests.test_plugin.material import read_raster, run_qgis_process

FIXED = QgsProcessingModelChildParameterSource.fromStaticValue
GIVEN = QgsProcessingModelChildParameterSource.fromModelParameter
OF = QgsProcessingModelChildParameterSource.fromChildOutput


def child(model: QgsProcessingModelAlgorithm, algorithm: str, name: str, sources: dict, outputs: dict[str, str]) -> None:
    """Adds a step; `sources` that are no sources are fixed values, `outputs` are the model's by the step's."""
    step = QgsProcessingModelChildAlgorithm(algorithm)
    step.setChildId(name)
    for parameter, source in sources.items():
        step.addParameterSources(
            parameter, [source if isinstance(source, QgsProcessingModelChildParameterSource) else FIXED(source)]
        )
    kept = {}
    for output, called in outputs.items():
        kept[called] = QgsProcessingModelOutput(called, called)
        kept[called].setChildOutputName(output)
        kept[called].setChildId(name)
    step.setModelOutputs(kept)
    model.addChildAlgorithm(step)


@pytest.fixture
def chain(plugin, model: Path, tmp_path: Path) -> Path:
    """A model file: features, similar places, a map, the same again from its classifier, points on it, and what they say."""
    made = QgsProcessingModelAlgorithm("own classes", "tests")
    made.addModelParameter(QgsProcessingParameterRasterLayer("SCENE", "SCENE"), QgsProcessingModelParameter("SCENE"))
    polygons = [QgsProcessing.SourceType.TypeVectorPolygon]
    made.addModelParameter(QgsProcessingParameterFeatureSource("DRAWN", "DRAWN", polygons), QgsProcessingModelParameter("DRAWN"))
    scene = {"INPUT": GIVEN("SCENE"), "MODEL": str(model), "UNITS": "db", "DEVICE": "cpu", "CACHE": str(tmp_path / "cache")}
    child(made, "sardine:features", "features", {**scene, "COMPONENTS": 16}, {"OUTPUT": "FEATURES"})
    places = {**scene, "PLACES": GIVEN("DRAWN"), "THRESHOLD": 0.1}
    child(made, "sardine:similarity", "similar", places, {"SIMILARITY": "SIMILARITY", "POLYGONS": "PLACES"})
    drawn = {**scene, "SAMPLES": GIVEN("DRAWN"), "FIELD": "what", "METHOD": "logistic", "FEATURES": [0, 1, 2]}
    child(made, "sardine:classify_samples", "map", drawn, {"CLASSES": "CLASSES"})
    child(made, "sardine:apply_classifier", "again", {**scene, "CLASSIFIER": OF("map", "CLASSIFIER")}, {"CLASSES": "AGAIN"})
    child(made, "sardine:stratified_sample", "points", {"INPUT": OF("again", "CLASSES"), "POINTS": 40, "LEAST": 20}, {})
    label = {"INPUT": OF("points", "OUTPUT"), "FIELD_NAME": "reference", "FIELD_TYPE": 2, "FORMULA": '"map_class"'}
    child(made, "native:fieldcalculator", "label", label, {"OUTPUT": "POINTS"})
    judged = {"INPUT": OF("again", "CLASSES"), "REFERENCE": OF("label", "OUTPUT"), "FIELD": "reference"}
    child(made, "sardine:accuracy", "accuracy", judged, {"CSV": "TABLE"})
    path = tmp_path / "chain.model3"
    assert made.toFile(str(path))
    return path


def test_all_algorithms_should_hand_on_in_a_model_under_qgis_process(
    chain: Path, scene: Path, profile: Path, backend_python: str, tmp_path: Path
) -> None:
    features = []
    for name, column in (("water", 2), ("land", 40)):
        for row in (8, 28, 48):
            x, y = 500_000 + 10 * column, 5_400_000 - 10 * row
            ring = [[x, y], [x + 120, y], [x + 120, y - 120], [x, y - 120], [x, y]]
            geometry = {"type": "Polygon", "coordinates": [ring]}
            features.append({"type": "Feature", "properties": {"what": name}, "geometry": geometry})
    crs = {"type": "name", "properties": {"name": "EPSG:32633"}}
    (tmp_path / "drawn.geojson").write_text(json.dumps({"type": "FeatureCollection", "crs": crs, "features": features}))
    files = {"features": "f.tif", "similarity": "s.tif", "places": "places.gpkg", "classes": "c.tif"}
    files |= {"again": "a.tif", "points": "points.gpkg", "table": "t.csv"}
    wanted = {"SCENE": scene, "DRAWN": tmp_path / "drawn.geojson"} | {name: tmp_path / file for name, file in files.items()}
    line = [f"{name}={value}" for name, value in wanted.items()]
    done = run_qgis_process(profile, backend_python, "--json", "run", str(chain), "--", *line)
    assert done.returncode == 0, done.stdout + done.stderr
    classes = read_raster(tmp_path / "c.tif")[0]
    assert (classes[8:60, 2:14] == 2).mean() > 0.9
    assert (read_raster(tmp_path / "a.tif")[0] == classes).all()
    assert read_raster(tmp_path / "f.tif").shape == (18, 8, 9)
    assert read_raster(tmp_path / "s.tif").shape == (1, 8, 9)
    assert QgsVectorLayer(str(tmp_path / "places.gpkg")).featureCount() > 0
    assert [feature["reference"] for feature in QgsVectorLayer(str(tmp_path / "points.gpkg")).getFeatures()].count("water") >= 20
    assert "overall accuracy,1.0" in (tmp_path / "t.csv").read_text(encoding="utf-8")
