# SPDX-License-Identifier: GPL-2.0-or-later
"""The plugin object: registers the provider, and in the window a button that opens the panel."""

from __future__ import annotations

import typing

from qgis.core import QgsApplication, QgsRasterLayer
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtGui import QIcon
from qgis.PyQt.QtWidgets import QAction, QFileDialog

from . import settings
from .dock import SardineDock
from .locations import ICONS
from .processing.provider import SardineProvider
from .translation import tr

if typing.TYPE_CHECKING:
    from qgis.gui import QgisInterface

ALGORITHM = "sardine:landcover"


class SardinePlugin:
    """What QGIS loads and unloads. `iface` is None under `qgis_process`, which calls `initProcessing` alone."""

    def __init__(self, iface: QgisInterface | None) -> None:
        self._iface = iface
        self._provider: SardineProvider | None = None
        self._actions: list[QAction] = []
        self.dock: SardineDock | None = None

    def initProcessing(self) -> None:
        """Adds the provider, once."""
        if self._provider is None:
            self._provider = SardineProvider()
            QgsApplication.processingRegistry().addProvider(self._provider)

    def initGui(self) -> None:
        """Adds provider, toolbar button and menu. The panel itself is made when it is first asked for."""
        self.initProcessing()
        if self._iface is None:
            return
        window = self._iface.mainWindow()
        panel = QAction(QIcon(str(ICONS / "sardine.svg")), tr("SARdine panel"), window)
        panel.setObjectName("sardine_panel")
        panel.triggered.connect(self.open_panel)
        dialog = QAction(tr("Land cover from Sentinel-1…"), window)
        dialog.setObjectName("sardine_landcover")
        dialog.triggered.connect(self.open_dialog)
        choose = QAction(tr("Choose the backend's Python…"), window)
        choose.setObjectName("sardine_choose_python")
        choose.triggered.connect(self.choose_python)
        self._iface.addToolBarIcon(panel)
        self._actions = [panel, dialog, choose]
        for action in self._actions:
            self._iface.addPluginToRasterMenu("SARdine", action)

    def unload(self) -> None:
        """Takes back all that `initProcessing` and `initGui` added; waits for a backend that runs to end."""
        if self.dock is not None and self._iface is not None:
            self.dock.release()
            self._iface.removeDockWidget(self.dock)
            self.dock.deleteLater()
            self.dock = None
        if self._iface is not None:
            for action in self._actions:
                self._iface.removePluginRasterMenu("SARdine", action)
                self._iface.removeToolBarIcon(action)
                action.deleteLater()
        self._actions = []
        if self._provider is not None:
            QgsApplication.processingRegistry().removeProvider(self._provider)
            self._provider = None

    def open_panel(self) -> None:
        """Shows the panel, with the active layer as scene where that is a raster."""
        if self._iface is None:
            return
        if self.dock is None:
            self.dock = SardineDock(self._iface, self.choose_python)
            self._iface.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, self.dock)
        else:
            self.dock.take_up(self._iface.activeLayer())
        self.dock.show()
        self.dock.raise_()

    def open_dialog(self) -> None:
        """Opens the algorithm's dialog, with the active layer as input where that is a raster."""
        import processing  # QGIS's own plugin: not there yet when this one is imported

        layer = self._iface.activeLayer() if self._iface is not None else None
        parameters = {"INPUT": layer.id()} if isinstance(layer, QgsRasterLayer) else {}
        processing.execAlgorithmDialog(ALGORITHM, parameters)

    def choose_python(self) -> None:
        """Asks for the interpreter that runs the backend."""
        window = self._iface.mainWindow() if self._iface is not None else None
        title = tr("Python with torch, timm and rasterio")
        path, _ = QFileDialog.getOpenFileName(window, title, settings.chosen_python())
        if path:
            settings.choose_python(path)
