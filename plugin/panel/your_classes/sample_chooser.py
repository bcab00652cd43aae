# SPDX-License-Identifier: GPL-2.0-or-later
"""The part of the page that chooses a layer of samples, or makes a new one."""

from __future__ import annotations

from pathlib import Path

from qgis.core import Qgis, QgsCoordinateReferenceSystem, QgsProject, QgsRasterLayer, QgsVectorLayer
from qgis.gui import QgsFieldComboBox, QgsMapLayerComboBox
from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtWidgets import QFileDialog, QHBoxLayout, QMenu, QPushButton, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from ....backend.protocol import SardineError
from ...translation import tr
from . import sample_layer
from .sample_watch import SampleWatch


class SampleChooser(QWidget):
    """`changed` tells that the layer, its samples or its classes are others; `refused` why no layer was made."""

    changed = pyqtSignal()
    refused = pyqtSignal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._crs = QgsCoordinateReferenceSystem()
        self._name = ""
        self._colours: dict[str, str] = {}
        self.layers = QgsMapLayerComboBox(self)
        self.layers.setObjectName("samples")
        self.layers.setFilters(Qgis.LayerFilter.PolygonLayer | Qgis.LayerFilter.PointLayer)
        self.layers.setAllowEmptyLayer(True)
        self.layers.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.new = QToolButton(self)
        self.new.setObjectName("new_samples")
        self.new.setText(tr("New"))
        self.new.setToolTip(
            tr("Makes an empty layer of polygons for your samples. It is gone when QGIS closes, unless you save it.")
        )
        self.new.setPopupMode(QToolButton.ToolButtonPopupMode.MenuButtonPopup)
        menu = QMenu(self.new)
        menu.addAction(tr("Temporary layer"), self.make)
        menu.addAction(tr("In a GeoPackage…"), self._ask_and_make)
        self.new.setMenu(menu)
        self.fields = QgsFieldComboBox(self)
        self.fields.setObjectName("class_field")
        self.show_by = QPushButton(tr("Show by classes"), self)
        self.show_by.setToolTip(tr("Gives each value of the field a colour. The classes are those of the layer's symbology."))
        first, self._field_line = QHBoxLayout(), QWidget(self)
        first.addWidget(self.layers, 1)
        first.addWidget(self.new)
        second = QHBoxLayout(self._field_line)
        second.setContentsMargins(0, 0, 0, 0)
        second.addWidget(self.fields, 1)
        second.addWidget(self.show_by)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(first)
        layout.addWidget(self._field_line)
        self._watch = SampleWatch(self)
        self._watch.changed.connect(self._samples_changed)
        self._watch.restyled.connect(self._tell)
        self.new.clicked.connect(lambda: self.make())
        self.show_by.clicked.connect(self._show_by_classes)
        self.layers.layerChanged.connect(self._layer_changed)
        self._layer_changed(self.layers.currentLayer())

    @property
    def layer(self) -> QgsVectorLayer | None:
        """The chosen layer, as long as it is in the project."""
        return self._watch.layer

    def set_scene(self, scene: QgsRasterLayer | None) -> None:
        """A new layer is in the reference system of `scene` and bears its name."""
        self._crs = scene.crs() if scene is not None and scene.crs().isValid() else QgsProject.instance().crs()
        self._name = scene.name() if scene is not None else ""

    def make(self, path: str = "") -> None:
        """Makes a new layer of samples with two classes to begin with, in memory or in the new GeoPackage `path`; chooses it."""
        name = Path(path).stem if path else tr("Samples of {scene}").format(scene=self._name) if self._name else tr("Samples")
        try:
            layer = sample_layer.make_layer(name, self._crs, path)
        except SardineError as error:
            self.refused.emit(str(error))
            return
        for first in (tr("water"), tr("land")):
            sample_layer.add_class(layer, first)
        QgsProject.instance().addMapLayer(layer, False)
        QgsProject.instance().layerTreeRoot().insertLayer(0, layer)
        self.layers.setLayer(layer)
        self.refused.emit("")

    def release(self) -> None:
        """Listens to no layer any more."""
        self.layers.layerChanged.disconnect(self._layer_changed)
        self._watch.watch(None)

    def _ask_and_make(self) -> None:
        title = tr("New layer of samples")
        path, _ = QFileDialog.getSaveFileName(self, title, f"{self._name}_samples.gpkg", tr("GeoPackages (*.gpkg)"))
        if path:
            self.make(path if path.lower().endswith(".gpkg") else f"{path}.gpkg")

    def _layer_changed(self, layer: object) -> None:
        vector = layer if isinstance(layer, QgsVectorLayer) else None
        self._watch.watch(vector)
        self._colours = {}
        self.fields.setLayer(vector)
        self._tell()

    def _show_by_classes(self) -> None:
        if self.layer is not None and self.fields.currentField():
            sample_layer.show_by_classes(self.layer, self.fields.currentField())

    def _samples_changed(self) -> None:
        layer = self.layer
        if layer is not None and sample_layer.class_field(layer):
            sample_layer.complete_classes(layer, self._colours)
        self._tell()

    def _tell(self) -> None:
        layer = self.layer
        named = bool(sample_layer.class_field(layer))
        self._field_line.setVisible(layer is not None and not named)
        if named:
            self._colours |= {item.name: item.colour for item in sample_layer.classes_of(layer)}
        self.changed.emit()
