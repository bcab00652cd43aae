# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs from the panel with children that misbehave (children.py) in the place of the backend."""

from __future__ import annotations

import time

import pytest
from qgis.core import QgsApplication, QgsProject, QgsSettings
from sardine.plugin import settings
from sardine.plugin.panel.run_queue import Run

from tests.test_plugin.panel_tools import children, finish, sent, until_mapping


def test_runs_should_queue_and_not_write_the_same_files(dock, qtbot, python, tmp_path) -> None:
    python("echo")
    dock.outputs.destination.setCurrentIndex(1)
    dock.outputs.folder.setFilePath(str(tmp_path))
    ended: list[Run] = []
    dock.queue.ended.connect(ended.append)
    for _ in range(3):
        dock.start_run()
    assert len(dock.queue.waiting) == 2
    assert (dock.run_bar.run.text(), dock.run_bar.drop.text()) == ("Queue", "Forget 2 waiting")
    dock.queue.waiting.pop()
    qtbot.waitUntil(lambda: len(ended) == 2, timeout=20_000)
    first, second = (sent(run)["outputs"]["landcover"] for run in ended)
    assert second == first.replace(".tif", "_2.tif")
    assert dock.queue.current is None
    assert dock.run_bar.run.text() == "Run"


def test_waiting_run_should_not_need_its_layers_any_more(dock, qtbot, python, scene) -> None:
    python("echo")
    ended: list[Run] = []
    dock.queue.ended.connect(ended.append)
    dock.start_run()
    dock.start_run()
    QgsProject.instance().removeAllMapLayers()
    qtbot.waitUntil(lambda: len(ended) == 2, timeout=20_000)
    assert [run.outcome for run in ended] == ["done", "done"]
    assert sent(ended[1])["bands"][0]["path"] == str(scene)


def test_result_that_qgis_cannot_open_should_be_told(dock, qtbot) -> None:
    run = finish(dock, qtbot)
    assert run.outcome == "done"
    assert "QGIS could not open the result" in dock.result.summary.warning.text()


def test_error_should_be_shown_with_what_to_do_and_a_report_to_paste(dock, qtbot, python, scene) -> None:
    python("refused")
    run = finish(dock, qtbot)
    view = dock.result.error
    assert run.outcome == "failed"
    assert dock.result.currentWidget() is view
    assert view.title.text() == "Unit of the values not certain"
    assert view.sentence.text() == "F. N. Choose it under “Unit of the pixel values”."
    assert "What the backend printed:\nD" in view.log.toPlainText()
    view.copy()
    report = QgsApplication.clipboard().text()
    assert report.startswith("SARdine ")
    assert "QGIS 3." in report
    assert f"INPUT: …/{scene.name}" in report
    assert str(scene.parent) not in report


def test_cancel_should_stop_the_run_and_say_so(dock, qtbot, python) -> None:
    python("obedient")
    until_mapping(dock, qtbot)
    started_s = time.monotonic()
    run = finish(dock, qtbot, dock.run_bar.cancel.click)
    assert run.outcome == "cancelled"
    assert time.monotonic() - started_s < 3
    assert dock.result.error.title.text() == "Cancelled"
    assert QgsProject.instance().layerTreeRoot().findGroups() == []


def test_cancel_in_the_task_manager_should_be_the_same(dock, qtbot, python) -> None:
    python("obedient")
    until_mapping(dock, qtbot)
    (task,) = QgsApplication.taskManager().activeTasks()
    assert task.description().startswith("SARdine: ")
    assert finish(dock, qtbot, task.cancel).outcome == "cancelled"


@pytest.mark.parametrize("end", ["panel", "project"])
def test_run_should_end_with_its_panel_and_its_project(end, dock, qtbot, python) -> None:
    python("obedient")
    before = children()
    until_mapping(dock, qtbot)
    dock.start_run()
    run = finish(dock, qtbot, dock.close if end == "panel" else QgsProject.instance().clear)
    assert run.outcome == "cancelled"
    assert dock.queue.waiting == []
    assert children() == before


def test_unload_should_end_the_run_before_it_returns(dock, gui, qtbot, python) -> None:
    python("obedient")
    before = children()
    until_mapping(dock, qtbot)
    assert children() != before
    gui.unload()
    assert children() == before
    gui.unload()


def test_run_that_hangs_should_be_told_with_an_offer_to_end_it(dock, qtbot, python) -> None:
    python("silent")
    QgsSettings().setValue(settings.STALL_KEY, 0.5)
    before = children()
    until_mapping(dock, qtbot)
    assert dock.run_bar.end.isHidden()
    qtbot.waitUntil(lambda: not dock.run_bar.end.isHidden(), timeout=10_000)
    assert dock.run_bar.stall.text().startswith("⚠ No progress for 1 s. The computer may be busy, or the backend hangs")
    started_s = time.monotonic()
    run = finish(dock, qtbot, dock.run_bar.end.click)
    assert time.monotonic() - started_s < 6  # 2.5 s on a machine that does nothing else: asked, told, killed
    assert run.outcome == "cancelled"
    assert dock.run_bar.end.isHidden()
    assert children() == before


def test_run_that_goes_on_after_all_should_take_the_warning_back(dock, qtbot, python) -> None:
    python("stalls")
    QgsSettings().setValue(settings.STALL_KEY, 0.5)
    shown: list[bool] = []
    dock.start_run()
    dock.queue.current.feedback.stalled.connect(lambda _: shown.append(not dock.run_bar.end.isHidden()))
    with qtbot.waitSignal(dock.queue.ended, timeout=20_000) as ended:
        pass
    assert ended.args[0].outcome == "done"
    assert shown == [True, False]
    assert "No progress for" in ended.args[0].feedback.log
