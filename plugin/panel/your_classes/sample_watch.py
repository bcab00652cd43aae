# SPDX-License-Identifier: GPL-2.0-or-later
"""Hears of all that changes the samples of a layer: drawn, moved, given another class, deleted, undone, saved, given up."""

from __future__ import annotations

from qgis.core import QgsProject, QgsVectorLayer
from qgis.PyQt.QtCore import QObject, QTimer, pyqtSignal


class SampleWatch(QObject):
    """`changed` comes once for what happens at one go, such as the deletion of many; `restyled` when the classes may be others."""

    changed = pyqtSignal()
    restyled = pyqtSignal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._layer_id = ""
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.timeout.connect(self.changed)

    @property
    def layer(self) -> QgsVectorLayer | None:
        """The layer that is watched; None when it has left the project."""
        layer = QgsProject.instance().mapLayer(self._layer_id)
        return layer if isinstance(layer, QgsVectorLayer) else None

    def watch(self, layer: QgsVectorLayer | None) -> None:
        """Listens to `layer`, and no longer to the one before."""
        before = self.layer
        if before is not None:
            for signal in _signals(before):
                signal.disconnect(self._heard)
            before.rendererChanged.disconnect(self.restyled)
        self._layer_id = layer.id() if layer is not None else ""
        if layer is not None:
            for signal in _signals(layer):
                signal.connect(self._heard)
            layer.rendererChanged.connect(self.restyled)

    def _heard(self, *_: object) -> None:
        self._soon.start(0)


def _signals(layer: QgsVectorLayer) -> tuple:
    """Undo and redo come as the same signals as what they undo."""
    return (
        layer.featureAdded,
        layer.featuresDeleted,
        layer.featureDeleted,
        layer.geometryChanged,
        layer.attributeValueChanged,
        layer.afterRollBack,
        layer.afterCommitChanges,
        layer.dataChanged,
        layer.subsetStringChanged,
    )
