# SPDX-License-Identifier: GPL-2.0-or-later
"""Loading and unloading, by the door that QGIS uses."""

from __future__ import annotations

import gc
import time
from pathlib import Path

import pytest
import sardine
from qgis.core import QgsApplication, QgsProject, QgsRasterLayer, QgsSettings
from qgis.gui import QgisInterface, QgsOptionsWidgetFactory
from qgis.PyQt.QtWidgets import QAction
from sardine.plugin import settings
from sardine.plugin.panel.run_queue import Run

from tests.test_desktop.leftovers import snapshot
from tests.test_plugin.material import write_interpreter


def provider_ids() -> list[str]:
    return [provider.id() for provider in QgsApplication.processingRegistry().providers()]


def plugin_actions(iface: QgisInterface) -> list[str]:
    return [action.objectName() for action in iface.mainWindow().findChildren(QAction) if action.objectName().startswith("sardine")]


def test_plugin_should_load_and_unload_twice_without_a_window(qgis_processing: None) -> None:
    for _ in range(2):
        plugin = sardine.classFactory(None)
        plugin.initProcessing()
        plugin.initProcessing()
        assert provider_ids().count("sardine") == 1
        assert QgsApplication.processingRegistry().algorithmById("sardine:landcover") is not None
        plugin.unload()
        assert "sardine" not in provider_ids()


def test_plugin_should_undo_all_that_it_added_to_the_window(
    qgis_processing: None, qgis_iface: QgisInterface, monkeypatch: pytest.MonkeyPatch
) -> None:
    factories: list[QgsOptionsWidgetFactory] = []
    monkeypatch.setattr(qgis_iface, "registerOptionsWidgetFactory", factories.append, raising=False)
    monkeypatch.setattr(qgis_iface, "unregisterOptionsWidgetFactory", factories.remove, raising=False)
    for _ in range(2):
        plugin = sardine.classFactory(qgis_iface)
        plugin.initGui()
        assert sorted(plugin_actions(qgis_iface)) == ["sardine_landcover", "sardine_panel", "sardine_setup"]
        assert len(factories) == 1
        assert provider_ids().count("sardine") == 1
        plugin.unload()
        QgsApplication.sendPostedEvents(None, 52)  # QEvent::DeferredDelete
        assert plugin_actions(qgis_iface) == []
        assert factories == []
        assert "sardine" not in provider_ids()


def test_plugin_should_leave_nothing_after_use(
    qgis_processing: None,
    qgis_iface: QgisInterface,
    qgis_new_project: None,
    no_chosen_python: None,
    scene: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With panel and set-up dialog open and a run going on. tests/test_desktop does the same in QGIS itself."""
    factories: list[QgsOptionsWidgetFactory] = []
    monkeypatch.setattr(qgis_iface, "registerOptionsWidgetFactory", factories.append, raising=False)
    monkeypatch.setattr(qgis_iface, "unregisterOptionsWidgetFactory", factories.remove, raising=False)
    monkeypatch.setenv("SARDINE_PYTHON", str(write_interpreter(tmp_path / "python", "done")))
    layer = QgsRasterLayer(str(scene), "scene")
    QgsProject.instance().addMapLayer(layer)
    window = qgis_iface.mainWindow()
    settle()
    before = snapshot(window)
    for _ in range(2):
        plugin = sardine.classFactory(qgis_iface)
        plugin.initGui()
        plugin.open_panel()
        plugin.open_setup()
        plugin.dock.take_up(layer)
        run = Run(plugin.dock.parameters(), "scene", plugin.dock.model.card)
        plugin.dock.queue.add(run)
        during = snapshot(window)
        assert during["connections"] != before["connections"]
        assert "sardine.plugin.panel.dock.SardineDock" in during["widgets"]
        plugin.unload()
        del run
        plugin = None
        end_s = time.monotonic() + 20  # the task's thread ends when it comes to it
        while snapshot(window) != before and time.monotonic() < end_s:
            settle()
        assert snapshot(window) == before


def settle() -> None:
    """Lets what is to be deleted be deleted."""
    for _ in range(3):
        QgsApplication.processEvents()
        QgsApplication.sendPostedEvents(None, 52)  # QEvent::DeferredDelete
        gc.collect()


def test_chosen_python_should_be_kept_and_forgotten(no_chosen_python: None) -> None:
    assert settings.chosen_python() == ""
    settings.choose_python(" /opt/räksmörgås/python ")
    assert QgsSettings().value("sardine/python") == "/opt/räksmörgås/python"
    assert settings.chosen_python() == "/opt/räksmörgås/python"
    settings.choose_python("")
    assert settings.chosen_python() == ""
