# SPDX-License-Identifier: GPL-2.0-or-later
"""A raster layer whose file is another one after each preview. Main thread only."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from qgis.core import QgsLayerTreeLayer, QgsProject, QgsRasterLayer, QgsVectorLayer

from ....backend.model_card import ModelCard
from ...layers.styling import style
from ..results_group import OUTPUT_PROPERTY


class LiveLayer:
    """One layer that keeps its place, visibility and opacity in the project while its content changes.

    It takes the newest content whether it is shown or not. Files that are its own are removed with their content.
    """

    def __init__(self, output: str, name: str, opacity: float, position: Callable[[], int]) -> None:
        """`output` is the style, as `styling.renderer_for` knows it; `position` the place in the layer tree when it comes."""
        self._output, self._name, self._opacity, self._position = output, name, opacity, position
        self._layer_id = ""
        self._content: tuple[str, ModelCard] | None = None
        self._own_file = ""
        self._shown = False

    @property
    def layer(self) -> QgsRasterLayer | None:
        """The layer; None where there is none, or where a person has removed it."""
        layer = QgsProject.instance().mapLayer(self._layer_id)
        return layer if isinstance(layer, QgsRasterLayer) else None

    @property
    def has_content(self) -> bool:
        """Whether there is anything to show."""
        return self._content is not None

    def take(self, path: str, card: ModelCard, *, own: bool) -> None:
        """The raster at `path` with the classes of `card` is the content from now on; `own` where nobody else needs the file."""
        before, self._own_file = self._own_file, path if own else ""
        self._content = path, card
        if self._shown:
            self._show(path, card)
        _remove(before)

    def set_shown(self, shown: bool) -> None:
        """Shows the content, now or when there is some; or takes the layer out of the project."""
        self._shown = shown
        if shown and self._content is not None:
            self._show(*self._content)
        elif not shown and self.layer is not None:
            QgsProject.instance().removeMapLayer(self._layer_id)

    def forget(self) -> None:
        """Takes the layer out of the project until there is new content, and its own file off the disk."""
        if self.layer is not None:
            QgsProject.instance().removeMapLayer(self._layer_id)
        _remove(self._own_file)
        self._own_file, self._content = "", None

    def _show(self, path: str, card: ModelCard) -> None:
        layer = self.layer
        if layer is not None:
            opacity = layer.opacity()  # the renderer's
            layer.setDataSource(path, self._name, "gdal")
            style(layer, self._output, card)
            layer.setOpacity(opacity)
            layer.legendChanged.emit()
            return
        layer = QgsRasterLayer(path, self._name, "gdal")
        layer.setCustomProperty(OUTPUT_PROPERTY, self._output)
        style(layer, self._output, card)
        layer.setOpacity(self._opacity)
        QgsProject.instance().addMapLayer(layer, False)
        QgsProject.instance().layerTreeRoot().insertLayer(self._position(), layer).setExpanded(False)
        self._layer_id = layer.id()


def below(samples: QgsVectorLayer | None) -> int:
    """The place in the layer tree right below the samples; the top where they are not there, or inside a group."""
    root = QgsProject.instance().layerTreeRoot()
    node: QgsLayerTreeLayer | None = root.findLayer(samples.id()) if samples is not None else None
    return root.children().index(node) + 1 if node is not None and node.parent() == root else 0


def _remove(path: str) -> None:
    if path:
        for file in (path, f"{path}.aux.xml"):
            with contextlib.suppress(OSError):  # QGIS's folder of temporary files goes with QGIS
                Path(file).unlink(missing_ok=True)
