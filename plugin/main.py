# SPDX-License-Identifier: GPL-2.0-or-later
"""The plugin object: registers the provider, and in the window a button that opens the panel."""

from __future__ import annotations

import typing

from qgis.core import QgsApplication, QgsRasterLayer
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtGui import QIcon
from qgis.PyQt.QtWidgets import QAction, QWidget

from . import translation
from .child.guarded_process import Background
from .environment.dialog import SetupDialog
from .environment.options_page import SardineOptionsFactory
from .environment.setup import EnvironmentSetup
from .locations import ICONS
from .panel.dock import SardineDock
from .processing.provider import SardineProvider
from .translation import tr

if typing.TYPE_CHECKING:
    from qgis.gui import QgisInterface

ALGORITHM = "sardine:landcover"


class SardinePlugin:
    """What QGIS loads and unloads. `iface` is None under `qgis_process`, which calls `initProcessing` alone."""

    def __init__(self, iface: QgisInterface | None) -> None:
        self._iface = iface
        self._translator = translation.install()  # before any text is shown
        self._provider: SardineProvider | None = None
        self._actions: list[QAction] = []
        self._options: SardineOptionsFactory | None = None
        self.dock: SardineDock | None = None
        self.setup: EnvironmentSetup | None = None
        self.setup_dialog: SetupDialog | None = None

    def initProcessing(self) -> None:
        """Adds the provider, once."""
        if self._provider is None:
            self._provider = SardineProvider()
            QgsApplication.processingRegistry().addProvider(self._provider)

    def initGui(self) -> None:
        """Adds provider, button, menu and the page in QGIS's options. The panel itself is made when it is first asked for."""
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
        setup = QAction(tr("Set up the backend…"), window)
        setup.setObjectName("sardine_setup")
        setup.triggered.connect(self.open_setup)
        self._iface.addToolBarIcon(panel)
        self._actions = [panel, dialog, setup]
        self.setup = EnvironmentSetup()
        self._options = SardineOptionsFactory(self.open_setup)
        self._iface.registerOptionsWidgetFactory(self._options)
        for action in self._actions:
            self._iface.addPluginToRasterMenu("SARdine", action)

    def unload(self) -> None:
        """Takes back all that `initProcessing` and `initGui` added; ends a backend that runs and a set-up, and waits for it."""
        if self._options is not None and self._iface is not None:
            self._iface.unregisterOptionsWidgetFactory(self._options)
            self._options = None
        if self.dock is not None and self._iface is not None:
            self.dock.release()
            self._iface.removeDockWidget(self.dock)
            self.dock.deleteLater()
            self.dock = None
        if self.setup_dialog is not None:
            self.setup_dialog.close()
        if self.setup is not None:
            self.setup.shut_down()
            self.setup.deleteLater()
            self.setup = None
            Background.wait_for_all()
        if self._iface is not None:
            for action in self._actions:
                self._iface.removePluginRasterMenu("SARdine", action)
                self._iface.removeToolBarIcon(action)
                action.deleteLater()
        self._actions = []
        if self._provider is not None:
            QgsApplication.processingRegistry().removeProvider(self._provider)
            self._provider = None
        translation.remove(self._translator)
        self._translator = None

    def open_panel(self) -> None:
        """Shows the panel, with the active layer as scene where that is a raster."""
        if self._iface is None or self.setup is None:
            return
        if self.dock is None:
            self.dock = SardineDock(self._iface, self.open_setup, self.setup)
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

    def open_setup(self, _checked: bool = False, parent: QWidget | None = None) -> None:
        """Opens the dialog that sets up the backend, over `parent` or QGIS's window; QGIS can be used meanwhile."""
        if self._iface is None or self.setup is None:
            return
        if self.setup_dialog is not None:
            self.setup_dialog.close()
        dialog = self.setup_dialog = SetupDialog(self.setup, parent or self._iface.mainWindow())
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.finished.connect(self._setup_closed)
        dialog.changed.connect(self._backend_changed)
        dialog.show()

    def _setup_closed(self) -> None:
        self.setup_dialog = None
        self._backend_changed()

    def _backend_changed(self) -> None:
        if self.dock is not None:
            self.dock.look_for_backend()
