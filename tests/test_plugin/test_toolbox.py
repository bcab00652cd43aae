# SPDX-License-Identifier: GPL-2.0-or-later
"""The dialogs of QGIS's own toolbox on our algorithms: the one for a single run, and the batch with a row a scene."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from qgis.core import QgsApplication, QgsProcessingContext, QgsProject, QgsVectorLayer
from sardine.plugin.main import SardinePlugin

from tests.test_plugin.material import radar_db, write_raster


@pytest.fixture
def toolbox(
    plugin: SardinePlugin, qgis_new_project: None, no_chosen_python: None, monkeypatch: pytest.MonkeyPatch
) -> SardinePlugin:
    import processing.gui.ParametersPanel

    # pytest-qgis has no browser model for the dialog's file widgets; without a window QGIS makes its own.
    monkeypatch.setattr(processing.gui.ParametersPanel, "iface", None)
    return plugin


@pytest.mark.parametrize("name", ["landcover", "attention", "landcover_batch", "class_areas_by_polygon"])
def test_dialog_should_show_each_parameter_and_give_back_what_was_entered(name, toolbox, scene, header_model, tmp_path) -> None:
    from processing.gui.AlgorithmDialog import AlgorithmDialog

    polygons = QgsVectorLayer("Polygon?crs=EPSG:32633", "polygons", "memory")
    QgsProject.instance().addMapLayer(polygons)
    algorithm = QgsApplication.processingRegistry().createAlgorithmById(f"sardine:{name}")
    dialog = AlgorithmDialog(algorithm)
    entered = {
        "landcover": {"INPUT": str(scene), "PRECISION": "fp32", "ATTENTION_HEADS": "mean"},
        "attention": {"INPUT": str(scene), "ATTENTION_HEADS": "mean"},
        "landcover_batch": {"FOLDER": str(tmp_path), "OUTPUTS": ["attention"], "RECURSIVE": True, "OUTPUT_FOLDER": str(tmp_path)},
        "class_areas_by_polygon": {"SCENE": str(scene), "POLYGONS": polygons.id(), "UNITS": "power"},
    }[name]
    dialog.setParameters(entered)
    shown = dialog.createProcessingParameters()
    dialog.close()
    assert {key: shown[key] for key in entered} == entered


def test_batch_dialog_should_run_a_row_a_scene(toolbox, qtbot, python: Callable, header_model, tmp_path: Path) -> None:
    from processing.gui.BatchAlgorithmDialog import BatchAlgorithmDialog

    python("done")
    algorithm = QgsApplication.processingRegistry().createAlgorithmById("sardine:landcover")
    dialog = BatchAlgorithmDialog(algorithm)
    panel = dialog.mainWidget()
    panel.addRow()
    scenes = [write_raster(tmp_path / f"{name}.tif", radar_db(), descriptions=("VV", "VH")) for name in ("one", "two")]
    rows = []
    for row, scene in enumerate(scenes):
        parameters, _ = panel.parametersForRow(row, QgsProcessingContext(), QgsProject.instance(), warnOnInvalid=False)
        assert parameters["UNITS"] == "auto"
        assert not parameters.get("SUMMARY")  # QGIS 3.40's batch stumbles over a page among the results of any algorithm
        own = {"INPUT": str(scene), "LANDCOVER": str(tmp_path / f"lc {row}.tif"), "AREAS": str(tmp_path / f"{row}.csv")}
        rows.append({**parameters, **own, "MODEL": str(header_model)})
    dialog.execute(rows)
    # QGIS closes and deletes the dialog at the end.
    qtbot.waitUntil(lambda: all(Path(row["AREAS"]).exists() for row in rows), timeout=30_000)
    qtbot.waitUntil(lambda: not QgsApplication.taskManager().activeTasks(), timeout=30_000)
    for row in rows:
        assert Path(row["AREAS"]).read_text(encoding="utf-8").splitlines()[1] == "80,Permanent water bodies,1.0000,100.000"
