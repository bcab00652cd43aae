# SPDX-License-Identifier: GPL-2.0-or-later
"""The part of the panel that says how much of the scene is mapped."""

from __future__ import annotations

from qgis.core import (
    Qgis,
    QgsCoordinateTransform,
    QgsCsException,
    QgsDistanceArea,
    QgsGeometry,
    QgsMapLayer,
    QgsProcessingFeatureSourceDefinition,
    QgsProject,
    QgsRasterLayer,
    QgsRectangle,
    QgsReferencedRectangle,
)
from qgis.gui import QgsMapCanvas, QgsMapLayerComboBox, QgsMapToolExtent
from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from ...backend.grid import Bounds
from ..layers import request as layer_request
from ..translation import tr

WHOLE, VISIBLE, DRAWN, POLYGONS = "whole", "visible", "drawn", "polygons"


class AreaChooser(QWidget):
    """Whole layer, visible map, a rectangle drawn on the map, or the polygons of a layer."""

    changed = pyqtSignal()

    def __init__(self, canvas: QgsMapCanvas, parent: QWidget | None = None, *, with_polygons: bool = True) -> None:
        """Without `with_polygons` there is no choice of a mask."""
        super().__init__(parent)
        self._canvas = canvas
        self._scene_id = ""
        self._drawn: QgsReferencedRectangle | None = None
        self._tool: QgsMapToolExtent | None = None
        self._previous_tool = None
        self.kind = QComboBox(self)
        self.kind.setObjectName("area")
        self.kind.addItem(tr("Whole layer"), WHOLE)
        self.kind.addItem(tr("Visible map"), VISIBLE)
        self.kind.addItem(tr("Drawn rectangle"), DRAWN)
        if with_polygons:
            self.kind.addItem(tr("Inside polygons"), POLYGONS)
        self.draw = QPushButton(tr("Draw on the map"), self)
        self.polygons = QgsMapLayerComboBox(self)
        self.polygons.setObjectName("polygons")
        self.polygons.setFilters(Qgis.LayerFilter.PolygonLayer)
        self.selected_only = QCheckBox(tr("Selected features only"), self)
        self._size = QLabel(self)
        self._size.setObjectName("size")
        self._cost = QLabel(self)
        self._cost.setObjectName("cost")
        self._cost.setWordWrap(True)
        line = QHBoxLayout()
        line.addWidget(self.kind, 1)
        line.addWidget(self._size)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(line)
        layout.addWidget(self.draw)
        layout.addWidget(self.polygons)
        layout.addWidget(self.selected_only)
        layout.addWidget(self._cost)
        self.kind.currentIndexChanged.connect(self._update)
        self.polygons.layerChanged.connect(self._update)
        self.draw.clicked.connect(self._start_drawing)
        canvas.extentsChanged.connect(self._update)
        self.set_cost("")
        self._update()

    def set_layer(self, layer: QgsRasterLayer | None) -> None:
        """Measures the area on `layer` from now on."""
        self._scene_id = layer.id() if layer is not None else ""
        self._update()

    def set_rectangle(self, extent: QgsRectangle) -> None:
        """Takes `extent`, in the map's coordinates, as the drawn rectangle."""
        self._drawn = QgsReferencedRectangle(extent, self._canvas.mapSettings().destinationCrs())
        self._stop_drawing()
        self._update()

    def problem(self) -> str:
        """Why a run cannot start with this choice; empty where it can."""
        kind = self.kind.currentData()
        if kind == DRAWN and self._drawn is None:
            return tr("No rectangle is drawn yet: press “Draw on the map” and drag over it.")
        if kind == POLYGONS and self.polygons.currentLayer() is None:
            return tr("The project has no polygon layer: load or draw one, or choose another area.")
        extent, layer = self._extent(), self._layer()
        if layer is not None and extent is not None and not _in_layer(extent, layer).intersects(layer.extent()):
            return tr("The chosen area lies outside the scene: move the map or choose another area.")
        return ""

    def parameters(self) -> dict[str, object]:
        """EXTENT or MASK of the algorithm; nothing for the whole layer."""
        if self.kind.currentData() == POLYGONS:
            only = self.selected_only.isChecked() and self.selected_only.isEnabled()
            return {"MASK": QgsProcessingFeatureSourceDefinition(self.polygons.currentLayer().id(), only)}
        extent = self._extent()
        return {} if extent is None else {"EXTENT": extent}

    def bounds(self, layer: QgsRasterLayer, spacing_m: float | None) -> tuple[Bounds, str | None] | None:
        """What a run on `layer` is bounded by, and in which reference system; None for the whole layer.

        Of polygons it is what they lie in, in which there may be less to do.
        """
        extent = self._extent()
        if self.kind.currentData() == POLYGONS:
            polygons = self.polygons.currentLayer()
            only = self.selected_only.isChecked() and self.selected_only.isEnabled()
            box = polygons.boundingBoxOfSelected() if only else polygons.extent()
            extent = QgsReferencedRectangle(box, polygons.crs())
        return None if extent is None else layer_request.bounds_of(extent, extent.crs(), layer, spacing_m)

    def set_cost(self, text: str) -> None:
        """Shows what a run over the area is expected to take."""
        self._cost.setText(text)
        self._cost.setVisible(bool(text))

    def release(self) -> None:
        """Gives the map back its tool and its signals: the panel goes."""
        self._stop_drawing()
        self._canvas.extentsChanged.disconnect(self._update)

    def _extent(self) -> QgsReferencedRectangle | None:
        kind = self.kind.currentData()
        if kind == VISIBLE:
            return QgsReferencedRectangle(self._canvas.extent(), self._canvas.mapSettings().destinationCrs())
        return self._drawn if kind == DRAWN else None

    def _layer(self) -> QgsMapLayer | None:
        """The scene; None when it has left the project."""
        return QgsProject.instance().mapLayer(self._scene_id)

    def _update(self) -> None:
        kind = self.kind.currentData()
        self.draw.setVisible(kind == DRAWN)
        self.polygons.setVisible(kind == POLYGONS)
        polygons = self.polygons.currentLayer()
        self.selected_only.setVisible(kind == POLYGONS)
        self.selected_only.setEnabled(polygons is not None and polygons.selectedFeatureCount() > 0)
        self._size.setText(self._size_text())
        self.changed.emit()

    def _size_text(self) -> str:
        """The area in km²; empty where it is not known before the run."""
        layer = self._layer()
        if layer is None or not layer.crs().isValid() or self.kind.currentData() == POLYGONS:
            return ""
        extent = self._extent()
        part = layer.extent() if extent is None else _in_layer(extent, layer).intersect(layer.extent())
        if part.isEmpty():
            return ""
        measure = QgsDistanceArea()
        measure.setSourceCrs(layer.crs(), QgsProject.instance().transformContext())
        measure.setEllipsoid(layer.crs().ellipsoidAcronym())
        area_km2 = measure.convertAreaMeasurement(measure.measureArea(QgsGeometry.fromRect(part)), Qgis.AreaUnit.SquareKilometers)
        return tr("{area} km²").format(area=f"{area_km2:,.0f}" if area_km2 >= 100 else f"{area_km2:.2f}")

    def _start_drawing(self) -> None:
        self._stop_drawing()
        self._previous_tool = self._canvas.mapTool()
        self._tool = QgsMapToolExtent(self._canvas)
        self._tool.extentChanged.connect(self.set_rectangle)
        self._canvas.setMapTool(self._tool)

    def _stop_drawing(self) -> None:
        if self._tool is None:
            return
        tool, self._tool = self._tool, None
        if self._canvas.mapTool() == tool:
            self._canvas.unsetMapTool(tool)
            if self._previous_tool is not None:
                self._canvas.setMapTool(self._previous_tool)
        self._previous_tool = None
        tool.deleteLater()


def _in_layer(extent: QgsReferencedRectangle, layer: QgsMapLayer) -> QgsRectangle:
    """`extent` in the coordinates of `layer`."""
    if not extent.crs().isValid() or not layer.crs().isValid():
        return QgsRectangle(extent)
    try:
        return QgsCoordinateTransform(extent.crs(), layer.crs(), QgsProject.instance()).transformBoundingBox(extent)
    except QgsCsException:
        return QgsRectangle(extent)  # the backend will say that it lies outside
