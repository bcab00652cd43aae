# SPDX-License-Identifier: GPL-2.0-or-later
"""The panel looks at a scene before it is mapped."""

from __future__ import annotations

from qgis.core import QgsProject, QgsRectangle
from sardine.backend.model_card import LEFT_OUT
from sardine.plugin.panel.area import DRAWN
from sardine.plugin.panel.dock import SardineDock
from sardine.plugin.panel.scene_check import LONGEST_MS

from tests.test_plugin.material import EITHER_BAND, radar_db, write_model, write_raster
from tests.test_plugin.panel_tools import add, children, finish, until_mapping


def test_check_should_tell_unit_grid_and_cost_until_the_choice_changes(dock, qtbot, model, backend_python, monkeypatch) -> None:
    monkeypatch.setenv("SARDINE_PYTHON", backend_python)
    dock.model.choose(str(model))
    with qtbot.waitSignal(dock.check.check.ended, timeout=60_000):
        dock.check.button.click()
        assert dock.check.text.text() == "Checking…"
    lines = dock.check.text.text().splitlines()
    assert lines[0].startswith("Decibels (dB): most values are negative, ")
    assert lines[1:3] == ["The scene's own pixels are used as they are.", "64 × 72 pixels, 99% valid"]
    assert len(lines) == 3
    assert cost(dock).startswith("About ")
    assert cost(dock).endswith(" GB of memory")
    dock.bands.unit.setCurrentIndex(dock.bands.unit.findData("power"))
    assert (dock.check.text.text(), cost(dock)) == ("", "")


def test_check_and_run_should_say_of_a_band_left_out_what_the_panel_says(
    dock, qtbot, backend_python, root, tmp_path, monkeypatch
) -> None:
    monkeypatch.setenv("SARDINE_PYTHON", backend_python)
    dock.model.choose(str(write_model(tmp_path / "either.safetensors", backend_python, root, **EITHER_BAND)))
    dock.take_up(add(write_raster(tmp_path / "may_VH.tif", radar_db()[1:])))
    write_raster(tmp_path / "may_VV.tif", radar_db()[:1])
    dock.advanced.device.setCurrentText("cpu")
    note = dock.bands.note()
    assert note.startswith("No band was given for VV: the map is made from VH alone")
    assert note.endswith(" Add may_VV.tif, which lies beside the scene.")
    with qtbot.waitSignal(dock.check.check.ended, timeout=LONGEST_MS) as ended:
        dock.check.button.click()
    assert ended.args[0]["warnings"] == [{"code": LEFT_OUT, "text": note}]
    assert note not in dock.check.text.text()  # it stands beside the bands already
    run = finish(dock, qtbot, timeout_ms=LONGEST_MS)
    assert (run.outcome, run.feedback.warnings) == ("done", [note])
    assert dock.result.summary.warning.text() == f"⚠ {note}"


def test_check_should_say_why_it_found_nothing(dock, qtbot, python) -> None:
    python("leaves")
    with qtbot.waitSignal(dock.check.check.ended, timeout=20_000):
        dock.check.button.click()
    assert dock.check.text.text() == "⚠ The check ended without a result. It printed: No module named backend"
    python("refused_check")
    with qtbot.waitSignal(dock.check.check.ended, timeout=20_000):
        dock.check.button.click()
    assert dock.check.text.text().startswith("⚠ Unit of the values not certain: F. N. Choose it under")


def test_check_should_end_with_the_panel(dock, qtbot, python) -> None:
    python("no_hello")
    before = children()
    dock.check.button.click()
    qtbot.waitUntil(lambda: children() != before, timeout=5000)
    dock.close()
    assert children() == before
    assert dock.check.button.isEnabled()


def test_check_should_begin_by_itself_when_the_choices_rest_and_ask_for_the_chosen_part(dock, qtbot, python) -> None:
    python("refused_check")
    dock._iface.mainWindow().show()
    dock.show()
    dock.area.kind.setCurrentIndex(dock.area.kind.findData(DRAWN))
    with qtbot.waitSignal(dock.check.check.ended, timeout=20_000):
        dock.advanced.check_at_once.setChecked(True)
        dock._iface.mapCanvas().setDestinationCrs(dock.scene.currentLayer().crs())
        dock.area.set_rectangle(QgsRectangle(500_100, 5_399_800, 500_300, 5_399_900))
        dock.advanced.precision.setCurrentText("fp32")
    asked = dock.check.arguments
    bounds = [float(value) for value in asked[asked.index("--bounds") + 1 :][:4]]
    assert bounds == [500_100, 5_399_800, 500_300, 5_399_900]
    assert asked[asked.index("--precision") + 1] == "fp32"
    dock._iface.mapCanvas().setExtent(QgsRectangle(500_000, 5_399_000, 501_000, 5_400_000))
    qtbot.wait(50)
    assert dock.check.text.text() != ""  # the map was moved, the choice was not


def test_check_should_not_go_on_beside_a_run(dock, qtbot, python) -> None:
    python("obedient")
    dock._iface.mainWindow().show()
    dock.show()
    dock.advanced.check_at_once.setChecked(True)
    qtbot.waitUntil(lambda: dock.check.check.is_running, timeout=20_000)
    until_mapping(dock, qtbot)
    assert not dock.check.check.is_running
    dock.advanced.overlap.setValue(0.5)
    qtbot.wait(1500)
    assert not dock.check.check.is_running
    finish(dock, qtbot, dock.run_bar.cancel.click)
    qtbot.waitUntil(lambda: dock.check.check.is_running, timeout=20_000)


def test_layer_that_leaves_during_a_check_should_end_it(dock, qtbot, python) -> None:
    python("no_hello")
    before = children()
    dock.check.button.click()
    qtbot.waitUntil(lambda: children() != before, timeout=5000)
    QgsProject.instance().removeAllMapLayers()
    assert children() == before
    assert dock.check.text.text() == ""
    assert dock.problem() == "Load a Sentinel-1 raster into the project."


def cost(dock: SardineDock) -> str:
    return dock.area._cost.text()
