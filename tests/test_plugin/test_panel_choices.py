# SPDX-License-Identifier: GPL-2.0-or-later
"""The panel: what it proposes, explains and refuses, and the request that comes of the choices."""

from __future__ import annotations

from pathlib import Path

import pytest
from qgis.core import QgsApplication, QgsFeature, QgsGeometry, QgsProject, QgsRasterLayer, QgsRectangle, QgsVectorLayer
from qgis.PyQt.QtCore import QObject, QUrl, pyqtSlot
from qgis.PyQt.QtGui import QDesktopServices
from qgis.PyQt.QtWidgets import QLabel, QStyle
from sardine.plugin.main import SardinePlugin
from sardine.plugin.panel.area import DRAWN, POLYGONS, VISIBLE
from sardine.plugin.panel.dock import SardineDock

from tests.test_plugin.material import EITHER_BAND, radar_db, write_header_only_model, write_interpreter, write_raster
from tests.test_plugin.panel_tools import add, finish, sent


def test_panel_should_take_up_the_scene_and_find_its_bands(dock: SardineDock, scene: Path) -> None:
    assert dock.scene.currentLayer().name() == scene.stem
    assert {role: (layer.name(), band) for role, (layer, band) in dock.bands.bands().items()} == {
        "VV": (scene.stem, 1),
        "VH": (scene.stem, 2),
    }
    assert dock.problem() == ""
    assert dock.run_bar.run.isEnabled()
    assert dock.area._size.text() == "0.46 km²"


def test_panel_should_explain_what_is_missing_until_it_is_there(
    gui: SardinePlugin, qtbot, header_model: Path, tmp_path: Path
) -> None:
    gui.open_panel()
    dock = gui.dock
    dock.model.choose(str(header_model))
    assert dock.problem() == "Load a Sentinel-1 raster into the project."
    assert not dock.run_bar.run.isEnabled()
    vv = add(write_raster(tmp_path / "may_VV.tif", radar_db()[:1]))
    gui.dock.take_up(vv)
    assert dock.problem().startswith("The model needs VH, which no layer names")
    vh = write_raster(tmp_path / "may_VH.tif", radar_db()[1:])
    dock.take_up(vv)
    assert dock.run_bar.problem.text() == "⚠ The model needs VH too: load may_VH.tif, which lies beside the scene."
    add(vh)
    qtbot.waitUntil(lambda: dock.problem() == "", timeout=5000)
    assert dock.bands.bands()["VH"][0].name() == "may_VH"
    dock.bands.choose("VH", vv, 1)
    assert dock.problem() == "One band is chosen twice: choose another."
    dock.bands.choose("VH", vv, 0)
    assert dock.problem().startswith("The model needs VH")
    QgsProject.instance().removeAllMapLayers()
    assert dock.problem() == "Load a Sentinel-1 raster into the project."


def test_panel_should_tell_of_a_band_that_the_model_can_do_without_and_run(
    gui: SardinePlugin, qtbot, python, tmp_path: Path
) -> None:
    python("echo")
    gui.open_panel()
    dock = gui.dock
    dock.model.choose(str(write_header_only_model(tmp_path / "either.safetensors", **EITHER_BAND)))
    vv = add(write_raster(tmp_path / "may_VV.tif", radar_db()[:1]))
    dock.take_up(vv)
    told = dock.findChild(QLabel, "left_out")
    assert told.text() == "⚠ No band was given for VH: the map is made from VV alone and is less reliable."
    assert not told.isHidden()
    vh = write_raster(tmp_path / "may_VH.tif", radar_db()[1:])
    dock.take_up(vv)
    assert told.text().endswith(" alone and is less reliable. Add may_VH.tif, which lies beside the scene.")
    assert (dock.problem(), dock.run_bar.run.isEnabled()) == ("", True)
    assert [(band["role"], band["path"]) for band in sent(finish(dock, qtbot))["bands"]] == [("VV", vv.source())]
    layer = add(vh)
    qtbot.waitUntil(lambda: dock.bands.note() == "", timeout=5000)
    assert (dock.bands.bands()["VH"][0].name(), told.isHidden()) == ("may_VH", True)
    dock.bands.choose("VH", layer, 0)
    assert told.text().startswith("⚠ No band was given for VH: ")
    add(write_raster(tmp_path / "june_VH.tif", radar_db()[1:]))
    qtbot.wait(50)
    assert list(dock.bands.bands()) == ["VV"]  # a row that was emptied stays so
    dock.bands.choose("VV", vv, 0)
    assert (dock.bands.note(), told.isHidden(), dock.run_bar.run.isEnabled()) == ("", True, False)
    assert dock.problem() == "Choose layer and band of at least one row."
    dock.take_up(add(write_raster(tmp_path / "april_HH.tif", radar_db()[:1])))
    assert dock.problem() == "The scene holds HH; the model needs VV, VH. Choose another scene, or a model for these bands."


def test_panel_should_refuse_layers_that_the_backend_cannot_read(dock: SardineDock, tmp_path: Path) -> None:
    from osgeo import gdal

    gdal.GetDriverByName("GTiff").Create("/vsimem/s1.tif", 8, 8, 2, gdal.GDT_Float32)
    layer = QgsRasterLayer("/vsimem/s1.tif", "in memory")
    QgsProject.instance().addMapLayer(layer)
    dock.take_up(layer)
    dock.bands.choose("VV", layer, 1)
    dock.bands.choose("VH", layer, 2)
    assert dock.problem().startswith("The layer “in memory” lies in the memory of QGIS.")


def test_panel_should_explain_an_unsuitable_model(dock: SardineDock, tmp_path: Path) -> None:
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"no model")
    dock.model.choose(str(broken))
    assert dock.problem().startswith("Not a model file: ")
    band = {"role": "HH", "clip_db": [-30.0, 5.0], "mean_db": -12.5, "std_db": 5.25}
    dock.model.choose(str(write_header_only_model(tmp_path / "hh.safetensors", bands=[band])))
    assert dock.problem() == ("The scene holds VV, VH; the model needs HH. Choose another scene, or a model for these bands.")
    dock.model.choose(str(write_header_only_model(tmp_path / "encoder.safetensors", classes=[], decoder=None)))
    assert dock.problem() == ""
    assert dock.outputs.chosen() == ["ATTENTION"]
    assert not dock.outputs.boxes["LANDCOVER"].isEnabled()


def test_run_and_check_without_a_backend_should_open_its_setup(
    dock: SardineDock, gui: SardinePlugin, monkeypatch, tmp_path
) -> None:
    monkeypatch.setenv("SARDINE_PYTHON", "/nowhere/python")
    dock.take_up(None)
    assert not dock.python.isHidden()
    assert (
        dock.python.text.text()
        == "The Python interpreter /nowhere/python, named in the variable SARDINE_PYTHON, does not exist or cannot be run."
    )
    for button in (dock.run_bar.run, dock.check.button, dock.python.button):
        button.click()
        assert gui.setup_dialog.isVisible()
        assert gui.setup_dialog.headline.text() == "The backend is not set up"
        gui.setup_dialog.leave.click()
        assert gui.setup_dialog is None
    assert dock.queue.current is None
    monkeypatch.setenv("SARDINE_PYTHON", str(write_interpreter(tmp_path / "python", "done")))
    dock.look_for_backend()
    assert dock.python.isHidden()


def test_run_should_ask_the_backend_for_what_is_chosen(dock, qtbot, python, scene, header_model, tmp_path) -> None:
    python("echo")
    dock.bands.unit.setCurrentIndex(dock.bands.unit.findData("db"))
    dock.area.kind.setCurrentIndex(dock.area.kind.findData(DRAWN))
    assert dock.problem().startswith("No rectangle is drawn yet")
    dock._iface.mapCanvas().setDestinationCrs(dock.scene.currentLayer().crs())
    dock.area.set_rectangle(QgsRectangle(0, 0, 10, 10))
    assert dock.problem().startswith("The chosen area lies outside the scene")
    dock.area.set_rectangle(QgsRectangle(500_100, 5_399_800, 500_300, 5_399_900))
    dock.outputs.destination.setCurrentIndex(1)
    dock.outputs.folder.setFilePath(str(tmp_path / "nowhere"))
    assert dock.problem().startswith("The folder for the results does not exist")
    dock.outputs.folder.setFilePath(str(tmp_path))
    dock.outputs.boxes["CONFIDENCE"].setChecked(False)
    dock.advanced.overlap.setValue(0.25)
    dock.advanced.device.setCurrentText("cpu")
    dock.advanced.precision.setCurrentText("fp32")
    assert dock.advanced.attention_scope.currentData() == "scene"
    dock.advanced.attention_scope.setCurrentIndex(1)
    dock.outputs.heads.setCurrentIndex(dock.outputs.heads.findData("mean"))
    request = sent(finish(dock, qtbot))
    assert request["bands"] == [{"role": "VV", "path": str(scene), "band": 1}, {"role": "VH", "path": str(scene), "band": 2}]
    assert (request["units"], request["overlap"], request["device"]) == ("db", 0.25, "cpu")
    assert (request["precision"], request["attention_heads"]) == ("fp32", "mean")
    assert request["attention_scope"] == "window"
    assert (request["bounds"], request["bounds_crs"]) == ([500_100, 5_399_800, 500_300, 5_399_900], "EPSG:32633")
    assert request["model"] == str(header_model)
    assert request["outputs"] == {
        "landcover": str(tmp_path / f"{scene.stem}_landcover.tif"),
        "confidence": None,
        "probabilities": None,
        "attention": str(tmp_path / f"{scene.stem}_attention.tif"),
    }


def test_run_should_map_the_visible_map_or_the_selected_polygons(dock, qtbot, python) -> None:
    python("echo")
    canvas = dock._iface.mapCanvas()
    canvas.setDestinationCrs(dock.scene.currentLayer().crs())
    canvas.setExtent(QgsRectangle(500_100, 5_399_700, 500_300, 5_399_900))
    dock.area.kind.setCurrentIndex(dock.area.kind.findData(VISIBLE))
    shown = canvas.extent()
    request = sent(finish(dock, qtbot))
    assert request["bounds"] == pytest.approx([shown.xMinimum(), shown.yMinimum(), shown.xMaximum(), shown.yMaximum()])
    dock.area.kind.setCurrentIndex(dock.area.kind.findData(POLYGONS))
    assert dock.problem().startswith("The project has no polygon layer")
    layer = QgsVectorLayer("Polygon?crs=EPSG:32633", "mask", "memory")
    feature = QgsFeature()
    feature.setGeometry(QgsGeometry.fromRect(QgsRectangle(500_100, 5_399_700, 500_300, 5_399_900)))
    layer.dataProvider().addFeature(feature)
    QgsProject.instance().addMapLayer(layer)
    dock.area.polygons.setLayer(layer)
    assert dock.problem() == ""
    request = sent(finish(dock, qtbot))
    assert request["bounds"] is None
    assert QgsVectorLayer(request["mask"], "copy").featureCount() == 1


def test_panel_should_remember_its_choices(dock: SardineDock, gui: SardinePlugin, qtbot, header_model: Path, tmp_path) -> None:
    dock.outputs.boxes["ATTENTION"].setChecked(False)
    dock.outputs.boxes["PROBABILITIES"].setChecked(True)
    dock.outputs.destination.setCurrentIndex(1)
    dock.outputs.folder.setFilePath(str(tmp_path))
    dock.advanced.overlap.setValue(0.5)
    dock.advanced.device.setCurrentText("cuda:1")
    dock.advanced.precision.setCurrentText("bf16")
    dock.advanced.attention_scope.setCurrentIndex(1)
    dock.outputs.heads.setCurrentIndex(dock.outputs.heads.findData("mean"))
    finish(dock, qtbot)
    again = SardineDock(gui._iface, gui.open_setup, gui.setup)
    try:
        assert again.model.path() == str(header_model)
        assert again.outputs.chosen() == ["LANDCOVER", "CONFIDENCE", "PROBABILITIES"]
        assert again.outputs.folder.filePath() == str(tmp_path)
        assert (again.advanced.overlap.value(), again.advanced.device.currentText()) == (0.5, "cuda:1")
        assert (again.advanced.precision.currentText(), again.outputs.heads.currentData()) == ("bf16", "mean")
        assert again.advanced.attention_scope.currentData() == "window"
        assert not again.advanced.check_at_once.isChecked()
    finally:
        again.release()
        again.deleteLater()


def test_panel_should_not_take_an_override_of_the_unit_to_the_next_scene(dock: SardineDock, tmp_path: Path) -> None:
    dock.bands.unit.setCurrentIndex(dock.bands.unit.findData("power"))
    dock.take_up(dock.scene.currentLayer())
    assert dock.bands.unit.currentData() == "power"
    dock.take_up(add(write_raster(tmp_path / "next.tif", radar_db(), descriptions=("VV", "VH"))))
    assert dock.bands.unit.currentData() == "auto"


def test_digital_numbers_should_need_a_constant_that_was_entered(dock: SardineDock) -> None:
    dock.bands.unit.setCurrentIndex(dock.bands.unit.findData("dn"))
    assert dock.problem().startswith("Digital numbers need their calibration constant")
    assert not dock.run_bar.run.isEnabled()
    dock.bands.calibration_db.setValue(55.5)
    assert dock.run_bar.run.isEnabled()
    assert dock.parameters()["CALIBRATION_DB"] == 55.5
    dock.bands.unit.setCurrentIndex(dock.bands.unit.findData("db"))
    assert "CALIBRATION_DB" not in dock.parameters()


def test_panel_should_fit_its_width_whatever_is_chosen(dock: SardineDock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SARDINE_PYTHON", "/nowhere/python")
    dock.take_up(None)
    page = dock.tabs.widget(0).widget()
    for area in range(dock.area.kind.count()):
        dock.area.kind.setCurrentIndex(area)
        dock.outputs.destination.setCurrentIndex(area % 2)
        page.layout().activate()
        scroll_bar_px = dock.style().pixelMetric(QStyle.PixelMetric.PM_ScrollBarExtent)
        assert page.minimumSizeHint().width() + scroll_bar_px <= dock.minimumWidth()


def test_unload_should_leave_no_panel(dock: SardineDock, gui: SardinePlugin) -> None:
    window = gui._iface.mainWindow()
    assert window.findChildren(SardineDock) == [dock]
    gui.unload()
    QgsApplication.sendPostedEvents(None, 52)  # QEvent::DeferredDelete
    assert window.findChildren(SardineDock) == []
    gui.initGui()
    gui.open_panel()
    assert len(window.findChildren(SardineDock)) == 1


def test_help_should_open_a_page_on_this_disk(dock: SardineDock, root: Path) -> None:
    opened: list[QUrl] = []
    handler = HelpHandler(opened)
    QDesktopServices.setUrlHandler("file", handler.open)
    try:
        dock.run_bar.help.click()
    finally:
        QDesktopServices.unsetUrlHandler("file")
    assert [Path(url.toLocalFile()) for url in opened] == [root / "resources" / "help" / "panel.html"]


class HelpHandler(QObject):
    """Takes the pages that would go to a browser."""

    def __init__(self, opened: list[QUrl]) -> None:
        super().__init__()
        self._opened = opened

    @pyqtSlot(QUrl)
    def open(self, url: QUrl) -> None:
        self._opened.append(url)
