# SPDX-License-Identifier: GPL-2.0-or-later
"""`sardine:landcover_batch`: which files are scenes, what is skipped, what a failure or a cancel leaves."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from qgis.core import (
    QgsApplication,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProject,
    QgsRasterLayer,
)
from sardine.plugin.main import SardinePlugin
from sardine.plugin.processing.batch_scenes import FoundScene, apart, scenes_in

from tests.test_plugin.conftest import LoggedFeedback
from tests.test_plugin.material import radar_db, read_raster, write_raster


@pytest.fixture
def algorithm(plugin: SardinePlugin, no_chosen_python: None) -> QgsProcessingAlgorithm:
    return QgsApplication.processingRegistry().createAlgorithmById("sardine:landcover_batch")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a scene in one file and a scene in two, and what is no scene."""
    folder = tmp_path / "Szenen [a], 'ü'"
    (folder / "below").mkdir(parents=True)
    write_raster(folder / "both.TIF", radar_db(), descriptions=("VV", "VH"))
    write_raster(folder / "S1A_VV_may.tif", radar_db(seed=1)[:1])
    write_raster(folder / "S1A_VH_may.tif", radar_db(seed=1)[1:])
    shutil.copy(folder / "both.TIF", folder / "below" / "both.tif")
    (folder / "notes.txt").write_text("no scene")
    return folder


def run(algorithm: QgsProcessingAlgorithm, parameters: dict, context: QgsProcessingContext, feedback: LoggedFeedback) -> dict:
    assert algorithm.checkParameterValues(parameters, context) == (True, "")
    results, _ = algorithm.create().run(parameters, context, feedback, catchExceptions=False)
    return results


def states(table: Path) -> dict[str, str]:
    with table.open(encoding="utf-8", newline="") as file:
        return {row["scene"]: row["state"] for row in csv.DictReader(file)}


def test_scenes_should_be_files_that_match_with_two_polarisations_joined_and_results_left_out(folder: Path) -> None:
    (folder / "both_landcover.tif").write_bytes(b"")
    (folder / "S1A_may_attention.tif").write_bytes(b"")
    (folder / "land_landcover.tif").write_bytes(b"")  # a scene: no other is called “land”
    found = scenes_in(folder, "*.tif;*.tiff", recursive=False)
    assert [(scene.name, [Path(source).name for source in scene.sources]) for scene in found] == [
        ("S1A_may", ["S1A_VV_may.tif", "S1A_VH_may.tif"]),
        ("both", ["both.TIF"]),
        ("land_landcover", ["land_landcover.tif"]),
    ]
    assert [scene.name for scene in scenes_in(folder, "BOTH.*", recursive=False)] == ["both"]
    below = scenes_in(folder, "both.*", recursive=True)
    assert [(scene.name, scene.subfolder) for scene in below] == [("both", ""), ("both", "below")]
    assert below[1].paths(Path("out"), ["LANDCOVER"]) == {"LANDCOVER": Path("out/below/both_landcover.tif")}
    (folder / "maps").mkdir()
    shutil.copy(folder / "both.TIF", folder / "maps" / "both.tif")
    below = scenes_in(folder, "both.*", recursive=True, results=folder / "maps")
    assert [scene.subfolder for scene in below] == ["", "below"]
    assert len(scenes_in(folder, "both.*", recursive=False, results=folder.parent)) == 1
    with pytest.raises(OSError, match="nowhere"):
        scenes_in(folder / "nowhere", "*", recursive=False)


def test_scenes_whose_results_would_have_one_name_should_be_told() -> None:
    listed, found = FoundScene("a", ("x/a.tif",)), FoundScene("a", ("x/../x/a.tif",))
    first, second, other = apart([listed, FoundScene("A", ("y/A.tif",)), FoundScene("a", ("z",), "below"), found])
    assert (first.problem, other.problem) == ("", "")
    assert "the same names as those of x/a.tif" in second.problem


def test_batch_should_map_each_scene_report_failures_and_skip_what_exists(
    algorithm, context, folder, model, tmp_path, real_backend
) -> None:
    maps = tmp_path / "maps"
    parameters = {
        "FOLDER": str(folder),
        "SCENES": [str(tmp_path / "not there.tif")],
        "MODEL": str(model),
        "UNITS": "db",
        "DEVICE": "cpu",
        "OUTPUT_FOLDER": str(maps),
        "TABLE": str(tmp_path / "table.csv"),
        "SUMMARY": str(tmp_path / "report.html"),
    }
    feedback = LoggedFeedback()
    results = run(algorithm, parameters, context, feedback)
    assert (results["DONE"], results["SKIPPED"], results["FAILED"]) == (2, 0, 1)
    made = ["S1A_may_confidence.tif", "S1A_may_landcover.tif", "both_confidence.tif", "both_landcover.tif"]
    assert sorted(path.name for path in maps.iterdir()) == made
    assert states(tmp_path / "table.csv") == {"not there": "failed", "S1A_may": "done", "both": "done"}
    report = {outcome["name"]: outcome for outcome in json.loads(results["REPORT"])}
    assert report["not there"]["sentence"].startswith("Raster not found: ")
    codes = read_raster(maps / "both_landcover.tif")[0]
    hectares = report["both"]["result"]["class_area_ha"]
    assert {int(code) for code, area_ha in hectares.items() if area_ha} == set(codes[codes > 0])
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "2 done, 1 failed" in page
    assert "not there: There is no file " in page
    before = {path: path.stat().st_mtime_ns for path in maps.iterdir()}
    results = run(algorithm, {**parameters, "SCENES": None}, context, LoggedFeedback())
    assert (results["DONE"], results["SKIPPED"], results["FAILED"]) == (0, 2, 0)
    assert {path: path.stat().st_mtime_ns for path in maps.iterdir()} == before


def test_batch_should_ask_for_what_is_chosen(algorithm, context, folder, header_model, tmp_path, python) -> None:
    python("batch")
    parameters = {"FOLDER": str(folder), "MODEL": str(header_model), "OUTPUT_FOLDER": str(tmp_path / "maps")}
    parameters |= {"TABLE": str(tmp_path / "t.csv"), "OUTPUTS": ["landcover", "attention"], "OVERLAP": 0.5}
    for overwrite in (False, True):
        feedback = LoggedFeedback()
        assert run(algorithm, {**parameters, "OVERWRITE": overwrite}, context, feedback)["DONE"] == 2
        request = json.loads(feedback.warnings[-1])
        assert (request["settings"]["overwrite"], request["settings"]["overlap"]) == (overwrite, 0.5)
        assert request["outputs"] == ["landcover", "attention"]
        assert (request["folder"], request["csv"], request["html"]) == (str(tmp_path / "maps"), str(tmp_path / "t.csv"), None)
        assert [scene["name"] for scene in request["scenes"]] == ["S1A_may", "both"]
    assert "both: done" in feedback.infos


def test_scenes_that_all_fail_should_be_an_error_with_the_reason(
    algorithm, context, folder, header_model, tmp_path, python
) -> None:
    python("batch_fails")
    parameters = {"FOLDER": str(folder), "MODEL": str(header_model), "OUTPUT_FOLDER": str(tmp_path / "maps")}
    with pytest.raises(QgsProcessingException, match=r"^No scene could be mapped\. Unit of the values not certain: F\. N\."):
        run(algorithm, parameters, context, LoggedFeedback())


def test_cancel_should_end_the_batch_and_say_what_is_kept(algorithm, context, folder, header_model, tmp_path, python) -> None:
    python("batch_obedient")
    parameters = {"FOLDER": str(folder), "MODEL": str(header_model), "OUTPUT_FOLDER": str(tmp_path / "maps")}
    feedback = LoggedFeedback("both: Mapping")
    with pytest.raises(QgsProcessingException, match=r"^Cancelled\. 1 scenes done, 0 there already, 0 failed\. What is done"):
        run(algorithm, parameters, context, feedback)
    assert "both: cancelled" in feedback.infos


def test_real_cancel_should_leave_a_table_and_no_worker(algorithm, context, folder, model, tmp_path, real_backend) -> None:
    """A larger scene than the others, so that it runs when the cancel comes."""
    write_raster(folder / "zz.tif", np.tile(radar_db(), (1, 90, 90)), descriptions=("VV", "VH"))
    parameters = {"FOLDER": str(folder), "MODEL": str(model), "OUTPUT_FOLDER": str(tmp_path / "maps"), "UNITS": "db"}
    parameters |= {"TABLE": str(tmp_path / "table.csv"), "DEVICE": "cpu", "PATTERN": "*.tif"}
    parameters |= {"OVERLAP": 0.75}  # sixteen times the windows: the scene lasts
    before, seen = worker_count(), []

    def count_and_cancel() -> None:
        seen.append(worker_count())
        feedback.cancel()

    feedback = LoggedFeedback("zz: Mapping", count_and_cancel)
    with pytest.raises(QgsProcessingException, match=r"^Cancelled\."):
        run(algorithm, parameters, context, feedback)
    assert seen[0] > before
    assert states(tmp_path / "table.csv")["S1A_may"] == "done"
    assert states(tmp_path / "table.csv")["zz"] in ("cancelled", "not begun")
    assert not list((tmp_path / "maps").glob("zz*"))
    until_s = time.monotonic() + 20
    while worker_count() > before and time.monotonic() < until_s:
        time.sleep(0.1)
    assert worker_count() == before


def worker_count() -> int:
    """Python processes of this machine that a Python process has spawned, below this one or left by it."""
    found = 0
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            environment = (place.parent / "environ").read_bytes()
            found += b"spawn_main" in place.read_bytes() and f"SARDINE_HOME={os.environ['SARDINE_HOME']}".encode() in environment
    return found


def test_batch_should_end_at_a_backend_that_cannot_run(algorithm, context, folder, header_model, tmp_path, python) -> None:
    python("no_torch")
    parameters = {"FOLDER": str(folder), "MODEL": str(header_model), "OUTPUT_FOLDER": str(tmp_path / "maps")}
    with pytest.raises(QgsProcessingException, match=r"^No scene could be mapped\. Python cannot run the backend: .* has no torch"):
        run(algorithm, parameters, context, LoggedFeedback())


def test_scenes_may_be_layers_of_the_project_and_one_in_memory_should_be_told(
    algorithm, context, folder, header_model, tmp_path, python, qgis_new_project
) -> None:
    python("batch")
    layer = QgsRasterLayer(str(folder / "both.TIF"), "my scene")
    write_raster(Path("/vsimem/memory.tif"), radar_db(), descriptions=("VV", "VH"))
    memory = QgsRasterLayer("/vsimem/memory.tif", "memory")
    QgsProject.instance().addMapLayers([layer, memory])
    parameters = {"SCENES": [layer.id(), memory.id()], "MODEL": str(header_model), "OUTPUT_FOLDER": str(tmp_path / "maps")}
    parameters |= {"BANDS": "VV=INPUT:2;VH=INPUT:1", "OUTPUTS": ["attention"], "ATTENTION_HEADS": "mean", "PRECISION": "fp32"}
    feedback = LoggedFeedback()
    results = run(algorithm, parameters, context, feedback)
    request = json.loads(feedback.warnings[-1])
    assert request["scenes"][0]["bands"] == [
        {"role": role, "path": str(folder / "both.TIF"), "band": band} for role, band in (("VV", 2), ("VH", 1))
    ]
    assert (request["settings"]["attention_heads"], request["settings"]["precision"]) == ("mean", "fp32")
    outcomes = {outcome["name"]: (outcome["state"], outcome["sentence"]) for outcome in json.loads(results["REPORT"])}
    assert outcomes["both"] == ("done", "")
    assert outcomes["memory"][1].startswith("Not a raster file: The layer “memory” lies in the memory of QGIS.")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"FOLDER": None}, "No scene is named"),
        ({"OUTPUTS": []}, "OUTPUTS"),
    ],
)
def test_batch_should_say_what_is_missing(changes, words, algorithm, context, folder, header_model, tmp_path) -> None:
    parameters = {"FOLDER": str(folder), "MODEL": str(header_model), "OUTPUT_FOLDER": str(tmp_path / "maps"), **changes}
    good, text = algorithm.checkParameterValues(parameters, context)
    assert not good
    assert words in text or "Results" in text


def test_folder_without_scenes_should_be_told(algorithm, context, tmp_path, header_model) -> None:
    parameters = {"FOLDER": str(tmp_path), "MODEL": str(header_model), "OUTPUT_FOLDER": str(tmp_path / "maps")}
    with pytest.raises(QgsProcessingException, match="No scene was found"):
        run(algorithm, parameters, context, LoggedFeedback())
