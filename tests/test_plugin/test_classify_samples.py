# SPDX-License-Identifier: GPL-2.0-or-later
"""The algorithms on a person's own samples, with the real backend."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from qgis.core import (
    QgsApplication,
    QgsCategorizedSymbolRenderer,
    QgsFeature,
    QgsField,
    QgsFillSymbol,
    QgsGeometry,
    QgsProcessingException,
    QgsProcessingModelAlgorithm,
    QgsProcessingModelChildAlgorithm,
    QgsProcessingModelChildParameterSource,
    QgsProcessingModelOutput,
    QgsProject,
    QgsRendererCategory,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QVariant

from tests.test_plugin.conftest import LoggedFeedback
from tests.test_plugin.material import read_raster

PLACES = {"water": 2, "land": 40}


@pytest.fixture(autouse=True)
def real_backend(backend_python: str, no_chosen_python: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SARDINE_PYTHON", backend_python)


@pytest.fixture
def samples(qgis_new_project: None) -> QgsVectorLayer:
    """A layer in memory of three polygons a class, in colours."""
    layer = QgsVectorLayer("Polygon?crs=EPSG:32633", "my samples", "memory")
    layer.dataProvider().addAttributes([QgsField("what", QVariant.String)])
    layer.updateFields()
    for name, column in PLACES.items():
        for row in (8, 28, 48):
            feature = QgsFeature(layer.fields())
            x, y = 500_000 + 10 * column, 5_400_000 - 10 * row
            feature.setGeometry(
                QgsGeometry.fromWkt(f"Polygon(({x} {y}, {x + 120} {y}, {x + 120} {y - 120}, {x} {y - 120}, {x} {y}))")
            )
            feature.setAttributes([name])
            layer.dataProvider().addFeature(feature)
    categories = [
        QgsRendererCategory(name, QgsFillSymbol.createSimple({"color": colour}), name)
        for name, colour in (("water", "#0000ff"), ("land", "#00ff00"))
    ]
    layer.setRenderer(QgsCategorizedSymbolRenderer("what", categories))
    QgsProject.instance().addMapLayer(layer)
    return layer


@pytest.fixture
def parameters(scene: Path, model: Path, samples: QgsVectorLayer, tmp_path: Path) -> dict[str, object]:
    return {
        "INPUT": str(scene),
        "MODEL": str(model),
        "UNITS": "db",
        "DEVICE": "cpu",
        "CACHE": str(tmp_path / "cache"),
        "SAMPLES": samples.id(),
        "FIELD": "what",
        "METHOD": "logistic",
        "CLASSES": str(tmp_path / "c.tif"),
        "CONFIDENCE": str(tmp_path / "p.tif"),
        "CLASSIFIER": str(tmp_path / "k.safetensors"),
        "HTML": str(tmp_path / "r.html"),
    }


def run(name, parameters, context, feedback=None):
    algorithm = QgsApplication.processingRegistry().createAlgorithmById(f"sardine:{name}")
    results, ok = algorithm.run(parameters, context, feedback or LoggedFeedback(), catchExceptions=False)
    assert ok
    return results


def without(parameters, *names):
    return {name: value for name, value in parameters.items() if name not in names}


def test_a_map_should_come_from_the_samples_and_the_classifier_map_again(plugin, parameters, context, tmp_path) -> None:
    feedback = LoggedFeedback()
    parameters = {**parameters, "FEATURES": ["attention", "tokens", "db"]}
    results = run("classify_samples", parameters, context, feedback)
    classes = read_raster(results["CLASSES"])[0]
    report = json.loads(results["REPORT"])
    assert [(item["code"], item["name"], item["colour"]) for item in report["classes"]] == [
        (1, "land", "#00ff00"),
        (2, "water", "#0000ff"),
    ]
    assert (classes[8:60, 2:14] == 2).mean() > 0.9
    assert (classes[8:60, 40:52] == 1).mean() > 0.9
    assert results["OVERALL_ACCURACY"] > 0.9
    assert "water" in Path(results["HTML"]).read_text(encoding="utf-8")
    assert any("cross-validation" in text for text in feedback.infos)
    assert any("Few samples of" in text for text in feedback.warnings)
    again = without(parameters, "SAMPLES", "FIELD", "METHOD", "FEATURES", "HTML", "CONFIDENCE")
    again = {**again, "CLASSES": str(tmp_path / "again.tif")}
    applied = run("apply_classifier", again, context)
    assert (read_raster(applied["CLASSES"])[0] == classes).all()
    assert applied["VALID_AREA_KM2"] == results["VALID_AREA_KM2"]


def test_processing_should_load_the_map_in_the_persons_colours(plugin, parameters) -> None:
    import processing

    wanted = {**without(parameters, "CLASSIFIER", "HTML"), "CLASSES": "TEMPORARY_OUTPUT", "VALIDATE": False, "FEATURES": ["db"]}
    processing.runAndLoadResults("sardine:classify_samples", wanted)
    layers = {layer.name().split(":")[0]: layer for layer in QgsProject.instance().mapLayers().values()}
    legend = {item.label: item.color.name() for item in layers["Your classes"].renderer().classes()}
    assert legend == {"land": "#00ff00", "water": "#0000ff"}
    assert layers["Confidence of your classes"].renderer().type() == "singlebandgray"


def test_features_and_similar_places_should_be_styled_layers(plugin, parameters, tmp_path, samples, scene) -> None:
    import processing

    common = {name: parameters[name] for name in ("INPUT", "MODEL", "UNITS", "DEVICE", "CACHE")}
    processing.runAndLoadResults("sardine:features", {**common, "COMPONENTS": 3, "OUTPUT": str(tmp_path / "f.tif")})
    samples.selectByExpression("\"what\" = 'water'")
    from qgis.core import QgsProcessingFeatureSourceDefinition

    places = QgsProcessingFeatureSourceDefinition(samples.id(), True)
    asked = {"PLACES": places, "THRESHOLD": 0.3, "SIMILARITY": str(tmp_path / "s.tif"), "POLYGONS": str(tmp_path / "places.gpkg")}
    results = processing.runAndLoadResults("sardine:similarity", {**common, **asked, "PLACES_INPUT": str(scene)})
    layers = {layer.name().split(":")[0]: layer for layer in QgsProject.instance().mapLayers().values()}
    assert layers["Features"].renderer().type() == "multibandcolor"
    assert layers["Similarity"].renderer().type() == "singlebandpseudocolor"
    values = read_raster(results["SIMILARITY"])[0]
    assert values.shape == (8, 9)
    assert values[1:7, 0:2].mean() > values[1:7, 5:8].mean()
    polygons = QgsVectorLayer(str(tmp_path / "places.gpkg"))
    assert sum(feature["patches"] for feature in polygons.getFeatures()) == (values >= 3000).sum()
    assert results["AREA_HA"] > 0


def test_bad_samples_should_be_refused_in_words(plugin, parameters, context, samples) -> None:
    samples.dataProvider().deleteFeatures([feature.id() for feature in samples.getFeatures() if feature["what"] == "land"])
    with pytest.raises(QgsProcessingException, match=r"Samples cannot be used: All samples are of one class, water"):
        run("classify_samples", parameters, context)
    assert not Path(parameters["CLASSES"]).exists()
    Path(parameters["CLASSIFIER"]).write_bytes(b"no classifier")
    other = without(parameters, "SAMPLES", "FIELD", "METHOD", "HTML")
    with pytest.raises(QgsProcessingException, match="Classifier file cannot be used"):
        run("apply_classifier", other, context)


def test_a_model_should_hand_the_map_on(plugin, parameters, context) -> None:
    model = QgsProcessingModelAlgorithm("chain", "tests")
    child = QgsProcessingModelChildAlgorithm("sardine:classify_samples")
    child.setChildId("map")
    static = QgsProcessingModelChildParameterSource.fromStaticValue
    for name, value in without(parameters, "CLASSES", "CONFIDENCE", "CLASSIFIER", "HTML").items():
        child.addParameterSources(name, [static(value)])
    child.addParameterSources("VALIDATE", [static(False)])
    model.addChildAlgorithm(child)
    reclassify = QgsProcessingModelChildAlgorithm("native:rasterlayeruniquevaluesreport")
    reclassify.setChildId("count")
    from_map = QgsProcessingModelChildParameterSource.fromChildOutput("map", "CLASSES")
    reclassify.addParameterSources("INPUT", [from_map])
    reclassify.addParameterSources("BAND", [static(1)])
    output = QgsProcessingModelOutput("TABLE", "TABLE")
    output.setChildOutputName("OUTPUT_TABLE")
    output.setChildId("count")
    reclassify.setModelOutputs({"TABLE": output})
    model.addChildAlgorithm(reclassify)
    results, ok = model.run({"count:TABLE": "memory:", "TABLE": "memory:"}, context, LoggedFeedback())
    assert ok
    assert results["CHILD_RESULTS"]["count"]["TOTAL_PIXEL_COUNT"] == 64 * 72


@pytest.mark.parametrize("name", ["classify_samples", "apply_classifier", "similarity", "features"])
def test_algorithms_should_explain_themselves(plugin, name) -> None:
    algorithm = QgsApplication.processingRegistry().createAlgorithmById(f"sardine:{name}")
    assert algorithm.shortDescription()
    assert len(algorithm.shortHelpString()) > 200
    assert all(parameter.help() for parameter in algorithm.parameterDefinitions())
