# SPDX-License-Identifier: GPL-2.0-or-later
"""The button that has QGIS's own tool draw samples of the selected class."""

from __future__ import annotations

import typing

from qgis.core import QgsVectorLayer
from qgis.gui import QgsMapTool
from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtWidgets import QPushButton, QWidget

from ...translation import tr
from . import sample_layer

if typing.TYPE_CHECKING:
    from qgis.gui import QgisInterface


class DrawButton(QPushButton):
    """Down while QGIS's tool “Add feature” is at work on the samples; any other tool lets it up."""

    refused = pyqtSignal(str)

    def __init__(self, iface: QgisInterface, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("draw_samples")
        self.setCheckable(True)
        self.setToolTip(tr("Click the corners of a polygon on the map; a right click ends it."))
        self._iface = iface
        self._layer: QgsVectorLayer | None = None
        self._name = ""
        self._tool: QgsMapTool | None = None
        self.clicked.connect(self._pressed)
        iface.mapCanvas().mapToolSet.connect(self._tool_changed)

    def set_target(self, layer: QgsVectorLayer | None, name: str) -> None:
        """New samples go into `layer` as the class `name`; an empty name is none to be drawn.

        A layer that somebody made for something else is set up for it when the button is pressed, and not before.
        """
        if self._layer is not layer:
            self.put_down()
        self._layer, self._name = layer, name
        possible = layer is not None and bool(name)
        self.setEnabled(possible)
        self.setText(tr("Draw “{name}”").format(name=name) if possible else tr("Draw samples"))
        if possible and (self.isChecked() or sample_layer.is_own(layer)):
            sample_layer.set_class_of_new_samples(layer, name)

    def put_down(self) -> None:
        """Gives the map back to the tool that moves it, where this one is at work."""
        if self._tool is not None:
            self._iface.actionPan().trigger()
            self._tool = None
        self.setChecked(False)

    def release(self) -> None:
        """Gives back all that it holds of QGIS's."""
        self.put_down()
        self._iface.mapCanvas().mapToolSet.disconnect(self._tool_changed)

    def _pressed(self, down: bool) -> None:
        if not down:
            self.put_down()
            return
        if not self._layer.isEditable() and not self._layer.startEditing():
            self.setChecked(False)
            self.refused.emit(tr("The layer “{layer}” cannot be edited: make a new one.").format(layer=self._layer.name()))
            return
        self.refused.emit("")
        sample_layer.set_class_of_new_samples(self._layer, self._name)
        self._iface.setActiveLayer(self._layer)
        self._iface.actionAddFeature().trigger()
        self._tool = self._iface.mapCanvas().mapTool()

    def _tool_changed(self, tool: QgsMapTool | None) -> None:
        if self._tool is not None and tool is not self._tool:
            self._tool = None
            self.setChecked(False)
