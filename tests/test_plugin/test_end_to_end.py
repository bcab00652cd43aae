# SPDX-License-Identifier: GPL-2.0-or-later
"""`sardine:landcover` with the real backend: alone, in the project, in a model, through qgis_process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from osgeo import gdal
from qgis.core import (
    QgsApplication,
    QgsProcessingAlgorithm,
    QgsProcessingException,
    QgsProcessingModelAlgorithm,
    QgsProcessingModelChildAlgorithm,
    QgsProcessingModelChildParameterSource,
    QgsProcessingModelOutput,
    QgsProcessingModelParameter,
    QgsProcessingParameterFile,
    QgsProcessingParameterRasterLayer,
    QgsProject,
)
from sardine.plugin.main import SardinePlugin

from tests.test_backend.products import SMALL, small_product
from tests.test_plugin.conftest import LoggedFeedback
from tests.test_plugin.material import GROUND_KM2, big_scene, read_raster, run_qgis_process, write_raster

OUTPUTS = {"LANDCOVER": "lc.tif", "CONFIDENCE": "c.tif", "PROBABILITIES": "p.tif", "ATTENTION": "at.tif"}


@pytest.fixture
def algorithm(plugin: SardinePlugin, real_backend: None) -> QgsProcessingAlgorithm:
    return QgsApplication.processingRegistry().createAlgorithmById("sardine:landcover")


@pytest.fixture
def parameters(scene: Path, model: Path, tmp_path: Path) -> dict[str, object]:
    outputs = {name: str(tmp_path / file) for name, file in OUTPUTS.items()}
    return {"INPUT": str(scene), "MODEL": str(model), "UNITS": "db", "DEVICE": "cpu", **outputs}


def test_landcover_should_write_rasters_and_figures_that_agree(algorithm, parameters, context, scene, tmp_path) -> None:
    parameters |= {"SUMMARY": str(tmp_path / "summary.html"), "AREAS": str(tmp_path / "areas.csv")}
    results, ok = algorithm.run(parameters, context, LoggedFeedback(), catchExceptions=False)
    assert ok
    valid = np.isfinite(read_raster(scene)).all(axis=0)
    classes, confidence = (read_raster(results[name])[0] for name in ("LANDCOVER", "CONFIDENCE"))
    assert set(np.unique(classes[valid])) <= {10, 50, 80}
    assert (classes[~valid] == 0).all()
    assert (confidence[~valid] == 255).all()
    assert results["MEAN_CONFIDENCE"] == pytest.approx(confidence[valid].mean(), abs=0.5)
    areas = [line.split(",") for line in (tmp_path / "areas.csv").read_text().splitlines()[1:]]
    hectares = {int(code): float(area_ha) for code, _, area_ha, _ in areas}
    assert hectares == {code: pytest.approx((classes == code).sum() * 100 * GROUND_KM2, rel=1e-3) for code in (10, 50, 80)}
    assert "Permanent water bodies" in (tmp_path / "summary.html").read_text(encoding="utf-8")
    assert results["VALID_AREA_KM2"] == pytest.approx(valid.sum() * GROUND_KM2, rel=1e-4)
    assert read_raster(results["PROBABILITIES"]).shape == (3, 64, 72)
    assert read_raster(results["ATTENTION"]).shape == (3, 8, 9)
    assert gdal.Open(results["LANDCOVER"]).GetGeoTransform() == gdal.Open(str(scene)).GetGeoTransform()


def test_landcover_should_equal_the_command_line(
    algorithm, parameters, context, scene, tmp_path, backend_python, root, model
) -> None:
    only = {name: None if name in ("PROBABILITIES", "ATTENTION") else parameters[name] for name in OUTPUTS}
    algorithm.run({**parameters, **only}, context, LoggedFeedback(), catchExceptions=False)
    line = [
        "predict",
        "--band",
        f"VV={scene}:1",
        "--band",
        f"VH={scene}:2",
        "--model",
        str(model),
        "--units",
        "db",
        "--device",
        "cpu",
    ]
    line += ["--landcover", str(tmp_path / "cli lc.tif"), "--confidence", str(tmp_path / "cli c.tif")]
    environ = {**os.environ, "PYTHONPATH": str(root)}
    subprocess.run([backend_python, "-P", "-m", "backend", *line], check=True, env=environ, capture_output=True, timeout=120)
    for name in ("lc.tif", "c.tif"):
        assert (read_raster(tmp_path / name) == read_raster(tmp_path / f"cli {name}")).all()


def test_measurements_of_a_raw_product_should_be_calibrated(algorithm, parameters, context, tmp_path) -> None:
    rng = np.random.default_rng(0)
    dn = {name: np.zeros(SMALL, np.uint16) for name in ("VV", "VH")}
    for values in dn.values():
        values[200:264, 200:264] = rng.integers(100, 300, (64, 64))  # windows without data cost nothing
    product = small_product(tmp_path, dn=dn, write=lambda path, values: write_raster(path, values[None], epsg=None))
    vv, vh = (next((product / "measurement").glob(f"*-{name}-*.tiff")) for name in ("vv", "vh"))
    parameters |= {"INPUT": str(vv), "INPUT_2": str(vh), "UNITS": "auto", "ATTENTION": None, "PROBABILITIES": None}
    results, ok = algorithm.run(parameters, context, LoggedFeedback(), catchExceptions=False)
    assert ok
    report = json.loads(results["REPORT"])
    assert (report["unit"], report["unit_evidence"]) == ("power", "calibrated here from the product's own tables")
    assert any("without terrain correction" in text for text in report["warnings"])
    assert gdal.Open(results["LANDCOVER"]).GetMetadataItem("SARDINE_RELATIVE_ORBIT") == "59"


def test_landcover_should_map_the_extent_and_the_mask_alone(algorithm, parameters, context, tmp_path) -> None:
    mask = tmp_path / "mask.geojson"
    west, north = 500_000 + 16 * 10, 5_400_000 - 8 * 10
    ring = [[west, north], [west + 300, north], [west + 300, north - 200], [west, north - 200], [west, north]]
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32633"}}
    feature = {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [ring]}}
    mask.write_text(json.dumps({"type": "FeatureCollection", "crs": crs, "features": [feature]}))
    part = {"EXTENT": f"{west - 50},{west + 100},{north - 100},{north + 40} [EPSG:32633]", "MASK": str(mask)}
    results, _ = algorithm.run({**parameters, **part}, context, LoggedFeedback(), catchExceptions=False)
    assert results["VALID_AREA_KM2"] == pytest.approx(10 * 10 * GROUND_KM2, rel=1e-4)
    assert (read_raster(results["LANDCOVER"]) > 0).sum() == 100


def test_attention_should_come_from_an_encoder_without_classes(
    plugin, real_backend, encoder, scene, tmp_path, qgis_new_project
) -> None:
    import processing

    wanted = {"INPUT": str(scene), "MODEL": str(encoder), "UNITS": "db", "SUMMARY": str(tmp_path / "summary.html")}
    results = processing.run("sardine:attention", {**wanted, "ATTENTION": str(tmp_path / "all.tif")})
    every = read_raster(tmp_path / "all.tif")
    assert every.shape == (3, 8, 9)
    assert np.nanmean(every[0]) == pytest.approx(1.0, abs=0.2)
    assert "MEAN_CONFIDENCE" not in results
    assert (results["VALID_PERCENT"], results["PIXEL_AREA_M2"]) == (
        pytest.approx(100 * (64 * 72 - 25) / (64 * 72)),
        pytest.approx(1e6 * GROUND_KM2, rel=1e-4),
    )
    page = (tmp_path / "summary.html").read_text(encoding="utf-8")
    assert "s1 münchen · test encoder" in page
    assert "<table>" not in page
    processing.runAndLoadResults("sardine:attention", {**wanted, "ATTENTION_HEADS": "mean", "ATTENTION": "TEMPORARY_OUTPUT"})
    (layer,) = QgsProject.instance().mapLayers().values()
    assert (layer.bandCount(), layer.renderer().type()) == (1, "singlebandpseudocolor")
    assert layer.name() == f"Attention: {scene.stem} (test encoder)"


def test_processing_should_load_styled_layers_into_one_group(plugin, real_backend, parameters, scene, qgis_new_project) -> None:
    import processing

    wanted = {**parameters, "LANDCOVER": "TEMPORARY_OUTPUT"}
    processing.runAndLoadResults("sardine:landcover", wanted)
    (group,) = QgsProject.instance().layerTreeRoot().findGroups()
    assert group.name() == f"SARdine: {scene.stem}"
    layers = {layer.name().split(":")[0]: layer for layer in QgsProject.instance().mapLayers().values()}
    assert {name: layer.renderer().type() for name, layer in layers.items()} == {
        "Land cover": "paletted",
        "Confidence": "singlebandgray",
        "Class probabilities": "singlebandgray",
        "Attention": "singlebandpseudocolor",
    }
    assert group.findLayers()[0].layer().name() == f"Land cover: {scene.stem} (test model)"
    assert [c.label for c in layers["Land cover"].renderer().classes()] == ["Tree cover", "Built-up", "Permanent water bodies"]


def test_second_run_should_equal_the_first_whatever_qgis_left_beside_the_scene(algorithm, parameters, context, scene) -> None:
    auto = {**parameters, "UNITS": "auto"}
    algorithm.run(auto, context, LoggedFeedback(), catchExceptions=False)
    first = read_raster(parameters["LANDCOVER"])
    file = gdal.Open(str(scene))
    file.GetRasterBand(1).ComputeStatistics(False)
    file = None
    assert scene.with_name(scene.name + ".aux.xml").exists()
    again = QgsApplication.processingRegistry().createAlgorithmById("sardine:landcover")
    again.run(auto, context, LoggedFeedback(), catchExceptions=False)
    assert (read_raster(parameters["LANDCOVER"]) == first).all()


def test_cancel_should_leave_nothing_of_a_real_run(algorithm, parameters, context, tmp_path) -> None:
    scene = big_scene(tmp_path)
    before = sorted(tmp_path.iterdir())
    cancelled_at_s: list[float] = []
    feedback = LoggedFeedback("Mapping")
    feedback.canceled.connect(lambda: cancelled_at_s.append(time.monotonic()))
    with pytest.raises(QgsProcessingException, match=r"^Cancelled\.$"):
        algorithm.run({**parameters, "INPUT": str(scene)}, context, feedback, catchExceptions=False)
    assert time.monotonic() - cancelled_at_s[0] < 5
    assert sorted(tmp_path.iterdir()) == before


def test_kill_should_leave_nothing_of_a_real_run(algorithm, parameters, context, tmp_path) -> None:
    scene = big_scene(tmp_path)
    before = sorted(tmp_path.iterdir())
    feedback = LoggedFeedback("Mapping", kill_children)
    with pytest.raises(QgsProcessingException, match="was ended by signal 9 in the middle of the run"):
        algorithm.run({**parameters, "INPUT": str(scene)}, context, feedback, catchExceptions=False)
    assert sorted(tmp_path.iterdir()) == before


def kill_children() -> None:
    for task in Path("/proc/self/task").iterdir():
        for child in (task / "children").read_text().split():
            os.kill(int(child), signal.SIGKILL)


def test_output_should_not_replace_the_input(algorithm, parameters, context, scene) -> None:
    before = scene.read_bytes()
    with pytest.raises(QgsProcessingException, match="Output is also an input"):
        algorithm.run({**parameters, "LANDCOVER": str(scene)}, context, LoggedFeedback(), catchExceptions=False)
    assert scene.read_bytes() == before


def chained_model() -> QgsProcessingModelAlgorithm:
    """A graphical model: land cover, whose raster a native algorithm counts."""
    model = QgsProcessingModelAlgorithm("chained", "tests")
    for parameter in (QgsProcessingParameterRasterLayer("scene", "Scene"), QgsProcessingParameterFile("model", "Model")):
        model.addModelParameter(parameter, QgsProcessingModelParameter(parameter.name()))
    source = QgsProcessingModelChildParameterSource
    land = QgsProcessingModelChildAlgorithm("sardine:landcover")
    land.setChildId("land")
    land.addParameterSources("INPUT", [source.fromModelParameter("scene")])
    land.addParameterSources("MODEL", [source.fromModelParameter("model")])
    land.addParameterSources("BANDS", [source.fromStaticValue("VV=INPUT:1;VH=INPUT:2")])
    land.addParameterSources("UNITS", [source.fromStaticValue("db")])
    land.addParameterSources("DEVICE", [source.fromStaticValue("cpu")])
    land.setModelOutputs({"cover": model_output("cover", "land", "LANDCOVER")})
    model.addChildAlgorithm(land)
    count = QgsProcessingModelChildAlgorithm("native:rasterlayeruniquevaluesreport")
    count.setChildId("count")
    count.addParameterSources("INPUT", [source.fromChildOutput("land", "LANDCOVER")])
    count.addParameterSources("BAND", [source.fromStaticValue(1)])
    count.setModelOutputs({"table": model_output("table", "count", "OUTPUT_TABLE")})
    model.addChildAlgorithm(count)
    return model


def model_output(name: str, child: str, output: str) -> QgsProcessingModelOutput:
    result = QgsProcessingModelOutput(name)
    result.setChildId(child)
    result.setChildOutputName(output)
    return result


def test_landcover_should_feed_a_native_algorithm_in_a_model(plugin, real_backend, context, scene, model, tmp_path) -> None:
    chained = chained_model()
    assert chained.validate()[0]
    saved = tmp_path / "chained.model3"
    assert chained.toFile(str(saved))
    loaded = QgsProcessingModelAlgorithm()
    assert loaded.fromFile(str(saved))
    cover, table = tmp_path / "cover.tif", tmp_path / "table.csv"
    wanted = {"scene": str(scene), "model": str(model), "land:cover": str(cover), "count:table": str(table)}
    assert {parameter.name() for parameter in loaded.parameterDefinitions()} == set(wanted)
    _, ok = loaded.run(wanted, context, LoggedFeedback(), catchExceptions=False)
    assert ok
    rows = table.read_text().splitlines()[1:]
    counted = {int(float(row.split(",")[0].strip('"'))): int(float(row.split(",")[1].strip('"'))) for row in rows}
    codes, pixels = np.unique(read_raster(cover)[0], return_counts=True)
    assert counted == {int(code): int(n) for code, n in zip(codes, pixels) if code}


def test_qgis_process_should_run_the_algorithm(profile, backend_python, parameters, tmp_path) -> None:
    arguments = [f"{name}={value}" for name, value in parameters.items() if name not in ("PROBABILITIES", "ATTENTION")]
    done = run_qgis_process(profile, backend_python, "--json", "run", "sardine:landcover", "--", *arguments)
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)["results"]
    assert results["LANDCOVER"] == parameters["LANDCOVER"]
    assert results["MEAN_CONFIDENCE"] > 30
    assert read_raster(tmp_path / "lc.tif").shape == (1, 64, 72)
    assert not (tmp_path / "p.tif").exists()


def test_qgis_process_should_run_a_batch(profile, backend_python, scene, model, tmp_path) -> None:
    arguments = [f"FOLDER={scene.parent}", f"MODEL={model}", "OUTPUTS=attention", f"OUTPUT_FOLDER={tmp_path / 'maps'}"]
    done = run_qgis_process(profile, backend_python, "--json", "run", "sardine:landcover_batch", "--", *arguments)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["results"]["DONE"] == 1
    assert read_raster(tmp_path / "maps" / "s1 münchen_attention.tif").shape == (3, 8, 9)


def test_qgis_process_should_map_from_samples(profile, backend_python, scene, model, tmp_path) -> None:
    features = []
    for name, column in (("water", 2), ("land", 40)):
        for row in (8, 28, 48):
            x, y = 500_000 + 10 * column, 5_400_000 - 10 * row
            ring = [[x, y], [x + 120, y], [x + 120, y - 120], [x, y - 120], [x, y]]
            shape = {"type": "Polygon", "coordinates": [ring]}
            features.append({"type": "Feature", "properties": {"what": name}, "geometry": shape})
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32633"}}
    samples = tmp_path / "samples.geojson"
    samples.write_text(json.dumps({"type": "FeatureCollection", "crs": crs, "features": features}))
    classes = tmp_path / "classes.tif"
    arguments = [f"INPUT={scene}", f"MODEL={model}", "UNITS=db", f"SAMPLES={samples}", "FIELD=what", f"CLASSES={classes}"]
    done = run_qgis_process(profile, backend_python, "--json", "run", "sardine:classify_samples", "--", *arguments)
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)["results"]
    assert results["OVERALL_ACCURACY"] > 0.9
    judge = [f"INPUT={classes}", f"REFERENCE={samples}", "FIELD=what"]
    raster = gdal.Open(str(classes))  # held: a band does not keep its raster
    names = raster.GetRasterBand(1).GetMetadata()
    assert {names["CLASS_1"], names["CLASS_2"]} == {"water", "land"}
    done = run_qgis_process(profile, backend_python, "--json", "run", "sardine:accuracy", "--", *judge)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["results"]["OVERALL_ACCURACY"] > 0.9


def test_qgis_process_should_fail_with_the_reason(profile, backend_python, parameters, tmp_path) -> None:
    arguments = [f"{name}={value}" for name, value in {**parameters, "BANDS": "VV=INPUT:2;VH=INPUT:1"}.items()]
    done = run_qgis_process(profile, backend_python, "run", "sardine:landcover", "--", *arguments)
    assert done.returncode != 0
    assert "VV and VH look swapped: " in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert not any((tmp_path / file).exists() for file in OUTPUTS.values())
