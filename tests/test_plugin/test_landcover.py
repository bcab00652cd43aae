# SPDX-License-Identifier: GPL-2.0-or-later
"""The algorithm in real QGIS with children that misbehave (children.py) in the place of the backend."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from qgis.core import (
    QgsApplication,
    QgsFeature,
    QgsGeometry,
    QgsProcessingAlgorithm,
    QgsProcessingAlgRunnerTask,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeatureSourceDefinition,
    QgsProject,
    QgsRasterLayer,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QEventLoop, QTimer
from sardine.backend.output import paths as output_paths
from sardine.plugin.main import SardinePlugin

from tests.test_plugin.conftest import LoggedFeedback
from tests.test_plugin.material import radar_db, write_raster


@pytest.fixture
def algorithm(plugin: SardinePlugin, no_chosen_python: None) -> QgsProcessingAlgorithm:
    return QgsApplication.processingRegistry().createAlgorithmById("sardine:landcover")


@pytest.fixture
def parameters(scene: Path, header_model: Path, tmp_path: Path) -> dict[str, object]:
    return {"INPUT": str(scene), "MODEL": str(header_model), "LANDCOVER": str(tmp_path / "lc.tif")}


def request_of(
    algorithm: QgsProcessingAlgorithm, parameters: dict[str, object], context: QgsProcessingContext
) -> dict[str, object]:
    """The request that the child was sent, as it arrived there."""
    feedback = LoggedFeedback()
    algorithm.run(parameters, context, feedback, catchExceptions=False)
    return json.loads(feedback.warnings[-1])


def failure_of(
    algorithm: QgsProcessingAlgorithm, parameters: dict[str, object], context: QgsProcessingContext, feedback: LoggedFeedback
) -> str:
    with pytest.raises(QgsProcessingException) as caught:
        algorithm.run(parameters, context, feedback, catchExceptions=False)
    return str(caught.value)


def test_algorithm_should_return_figures_and_tell_the_log(algorithm, python, parameters, context) -> None:
    python("done")
    feedback = LoggedFeedback()
    results, ok = algorithm.run(parameters, context, feedback, catchExceptions=False)
    assert ok
    report = json.loads(results.pop("REPORT"))
    assert (report["type"], report["class_area_ha"]) == ("result", {"80": 1.0})
    figures = {"VALID_AREA_KM2": 2.5, "VALID_PERCENT": 100.0, "PIXEL_AREA_M2": 2.5e6, "ELAPSED_S": 0.1, "MEAN_CONFIDENCE": 80.0}
    assert results == {"LANDCOVER": parameters["LANDCOVER"], **figures}
    assert feedback.warnings == ["request of type predict"]
    assert feedback.progress() == 48.5
    assert feedback.texts == ["Mapping"]
    assert "Decibels (dB): e" in feedback.infos
    assert " 80 Permanent water bodies: 1.00 ha" in feedback.infos
    assert any("simulated scenes only" in line for line in feedback.infos)


def test_request_should_hold_what_was_chosen(algorithm, python, parameters, context, scene, header_model) -> None:
    python("echo")
    chosen = {
        "VV_BAND": 2,
        "VH_BAND": 1,
        "EXTENT": "500100,500300,5399800,5399900 [EPSG:32633]",
        "UNITS": "db",
        "OVERLAP": 0.25,
        "DEVICE": "cpu",
        "PRECISION": "fp32",
        "ATTENTION_HEADS": "mean",
        "ATTENTION_SCOPE": "window",
        "CALIBRATION_DB": 55.5,
        "SPACING_M": 10,
        "ALLOW_COARSE": True,
        "RESUME": True,
        "ATTENTION": parameters["LANDCOVER"].replace("lc.tif", "at.tif"),
    }
    assert request_of(algorithm, {**parameters, **chosen}, context) == {
        "type": "predict",
        "bands": [{"role": "VV", "path": str(scene), "band": 2}, {"role": "VH", "path": str(scene), "band": 1}],
        "model": str(header_model),
        "outputs": {
            "landcover": parameters["LANDCOVER"],
            "confidence": None,
            "probabilities": None,
            "attention": chosen["ATTENTION"],
        },
        "units": "db",
        "calibration_db": 55.5,
        "spacing_m": 10.0,
        "bounds": [500100, 5399800, 500300, 5399900],
        "bounds_crs": "EPSG:32633",
        "mask": None,
        "overlap": 0.25,
        "device": "cpu",
        "precision": "fp32",
        "attention_heads": "mean",
        "attention_scope": "window",
        "resume": True,
        "batch_size": None,
        "overwrite": True,
        "allow_coarse": True,
        "protocol": 1,
    }


def test_request_should_leave_open_what_was_not_chosen(algorithm, python, parameters, context, scene) -> None:
    python("echo")
    request = request_of(algorithm, parameters, context)
    assert request["bands"] == [{"role": "", "path": str(scene), "band": 0}]
    left_open = {
        name: request[name] for name in ("units", "calibration_db", "spacing_m", "bounds", "bounds_crs", "mask", "overlap")
    }
    assert left_open == {
        "units": "auto",
        "calibration_db": None,
        "spacing_m": None,
        "bounds": None,
        "bounds_crs": None,
        "mask": None,
        "overlap": 0.125,
    }
    assert {name: request[name] for name in left_open} == left_open


def test_request_should_take_a_layer_of_the_project_and_a_second_raster(
    algorithm, python, parameters, context, scene, tmp_path, qgis_new_project
) -> None:
    python("echo")
    second = write_raster(tmp_path / "vh.tif", radar_db()[1:])
    layer = QgsRasterLayer(str(scene), "my scene")
    QgsProject.instance().addMapLayer(layer)
    request = request_of(
        algorithm, {**parameters, "INPUT": layer.id(), "INPUT_2": str(second), "VV_BAND": 1, "VH_BAND": 1}, context
    )
    assert request["bands"] == [{"role": "VV", "path": str(scene), "band": 1}, {"role": "VH", "path": str(second), "band": 1}]
    request = request_of(algorithm, {**parameters, "BANDS": f"VV=my scene:1;VH={second}", "VV_BAND": 2}, context)
    assert request["bands"] == [{"role": "VV", "path": str(scene), "band": 1}, {"role": "VH", "path": str(second), "band": 1}]


def test_request_should_hold_a_copy_of_the_selected_polygons(algorithm, python, parameters, context, qgis_new_project) -> None:
    python("echo")
    layer = QgsVectorLayer("Polygon?crs=EPSG:32633", "mask", "memory")
    for column in range(3):
        feature = QgsFeature()
        feature.setGeometry(QgsGeometry.fromWkt(f"Polygon(({column} 0, {column} 1, {column + 1} 1, {column} 0))"))
        layer.dataProvider().addFeature(feature)
    QgsProject.instance().addMapLayer(layer)
    layer.selectByIds([2])
    mask = request_of(algorithm, {**parameters, "MASK": QgsProcessingFeatureSourceDefinition(layer.id(), True)}, context)["mask"]
    copy = QgsVectorLayer(mask, "copy")
    assert copy.featureCount() == 1
    assert copy.extent().xMinimum() == 1.0
    assert copy.crs().authid() == "EPSG:32633"


def test_algorithm_should_raise_what_the_backend_reported(algorithm, python, parameters, context) -> None:
    python("refused")
    feedback = LoggedFeedback()
    text = failure_of(algorithm, parameters, context, feedback)
    assert text == "Unit of the values not certain: F. N. Choose it under “Unit of the pixel values”."
    assert feedback.details[-1] == "D"


@pytest.mark.parametrize("resume", [False, True])
def test_algorithm_should_remove_what_a_killed_backend_left_unless_it_may_go_on(
    resume, algorithm, python, parameters, context, tmp_path
) -> None:
    python("killed")
    target = tmp_path / "lc.tif"
    left = [output_paths.part_path(target), output_paths.spill_path(target), output_paths.journal_path(target)]
    for path in left:
        path.write_bytes(b"half")
    feedback = LoggedFeedback()
    assert "signal 9" in failure_of(algorithm, {**parameters, "RESUME": resume}, context, feedback)
    assert feedback.details[-1].startswith("first words")
    assert feedback.details[-1].endswith("last words")
    assert [path.exists() for path in left] == [resume] * 3
    assert not (tmp_path / "lc.tif").exists()


@pytest.mark.parametrize(
    ("habit", "words"),
    [("leaves", "did not run the backend"), ("no_torch", "has no torch"), ("other_version", "different versions")],
)
def test_algorithm_should_say_what_is_wrong_with_the_interpreter(habit, words, algorithm, python, parameters, context) -> None:
    python(habit)
    assert words in failure_of(algorithm, parameters, context, LoggedFeedback())


def test_algorithm_should_say_that_the_interpreter_is_missing(algorithm, parameters, context, monkeypatch) -> None:
    monkeypatch.setenv("SARDINE_PYTHON", "/nowhere/python")
    text = failure_of(algorithm, parameters, context, LoggedFeedback())
    assert text.startswith("Python for the backend not found: The Python interpreter /nowhere/python")


def test_algorithm_should_say_that_a_real_python_has_no_torch(algorithm, parameters, context, monkeypatch, tmp_path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "bare")], check=True)
    monkeypatch.setenv("SARDINE_PYTHON", str(tmp_path / "bare" / "bin" / "python"))
    text = failure_of(algorithm, parameters, context, LoggedFeedback())
    assert text.startswith("Python cannot run the backend: ")
    assert "has no torch, timm, rasterio, numpy, safetensors." in text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"INPUT": "/nowhere.tif"}, "/nowhere.tif"),
        ({"MODEL": "/nowhere.safetensors"}, "Model file not found: "),
        ({"BANDS": "VV=a.tif:0"}, "The inputs do not fit together: The band “VV=a.tif:0”"),
        ({"INPUT_2": "/nowhere.tif"}, "/nowhere.tif"),
    ],
)
def test_algorithm_should_refuse_bad_input_before_it_starts_a_child(changes, words, algorithm, python, parameters, context) -> None:
    python("killed")
    assert words in failure_of(algorithm, {**parameters, **changes}, context, LoggedFeedback())


def test_algorithm_should_ask_for_one_result_at_least(algorithm, parameters, context) -> None:
    good, text = algorithm.checkParameterValues({**parameters, "LANDCOVER": None}, context)
    assert not good
    assert text.startswith("No result is asked for")
    assert algorithm.checkParameterValues(parameters, context)[0]
    for units in ("1", "decibel"):
        assert not algorithm.checkParameterValues({**parameters, "UNITS": units}, context)[0]


def test_cancel_should_stop_a_task_in_the_background_while_the_window_lives(algorithm, python, parameters, context) -> None:
    python("obedient")
    feedback = LoggedFeedback()
    task = QgsProcessingAlgRunnerTask(algorithm, parameters, context, feedback)
    ended: list[bool] = []
    beats: list[float] = []
    loop = QEventLoop()
    task.executed.connect(lambda ok, _results: (ended.append(ok), loop.quit()))
    beat = QTimer()
    beat.timeout.connect(lambda: beats.append(time.monotonic()))
    beat.start(20)
    cancelled_at_s: list[float] = []
    QTimer.singleShot(1000, lambda: (cancelled_at_s.append(time.monotonic()), feedback.cancel()))
    QTimer.singleShot(20_000, loop.quit)
    QgsApplication.taskManager().addTask(task)
    loop.exec()
    assert ended == [False]
    assert time.monotonic() - cancelled_at_s[0] < 1.5
    assert max(later - earlier for earlier, later in zip(beats, beats[1:])) < 0.5


def test_algorithm_should_cancel_on_the_thread_that_runs_it(algorithm, python, parameters, context) -> None:
    python("obedient")
    started_s = time.monotonic()
    assert failure_of(algorithm, parameters, context, LoggedFeedback(act_at="")) == "Cancelled."
    assert time.monotonic() - started_s < 3
