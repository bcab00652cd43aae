# SPDX-License-Identifier: GPL-2.0-or-later
"""Loading and unloading, by the door that QGIS uses."""

from __future__ import annotations

import pytest
import sardine
from qgis.core import QgsApplication, QgsSettings
from qgis.gui import QgisInterface, QgsOptionsWidgetFactory
from qgis.PyQt.QtWidgets import QAction
from sardine.plugin import settings


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


def test_chosen_python_should_be_kept_and_forgotten(no_chosen_python: None) -> None:
    assert settings.chosen_python() == ""
    settings.choose_python(" /opt/räksmörgås/python ")
    assert QgsSettings().value("sardine/python") == "/opt/räksmörgås/python"
    assert settings.chosen_python() == "/opt/räksmörgås/python"
    settings.choose_python("")
    assert settings.chosen_python() == ""
