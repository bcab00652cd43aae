# SPDX-License-Identifier: GPL-2.0-or-later
"""The results of a run become one group of styled layers in the project. Main thread only."""

from __future__ import annotations

from qgis.core import QgsLayerTreeGroup, QgsMapLayer, QgsProject, QgsRasterLayer

from ..layers.metadata import metadata_of
from ..layers.styling import style
from .run_queue import Run

OUTPUT_PROPERTY = "sardine/output"
"""Marks a result layer, and says which: the panel does not take it for the next scene."""


def add_results(run: Run, project: QgsProject, position: int = 0) -> tuple[QgsLayerTreeGroup, list[str]]:
    """The group, on top of the layer tree or below so many of its entries, and the files that QGIS could not open.

    The classes are shown; a click on confidence, attention or probabilities shows that one in its place. All cover the same
    ground, and where one lay under another its edges would look out: attention has pixels as large as a patch.
    """
    layers: dict[str, QgsRasterLayer] = {}
    broken = []
    labels = run.labels()
    for name in [name for name in run.rasters if name in run.outputs]:
        layer = QgsRasterLayer(run.outputs[name], labels[name], "gdal")
        if not layer.isValid():
            broken.append(run.outputs[name])
            continue
        style(layer, run.rasters[name], run.card)
        layer.setCustomProperty(OUTPUT_PROPERTY, run.rasters[name])
        if run.result is not None:
            title = f"{labels[name]}: {run.title}"
            layer.setMetadata(metadata_of(name, title, run.scene_name, run.result, run.card))
        layers[name] = layer
    group = project.layerTreeRoot().insertGroup(position, run.title)
    for name in sorted(layers, key=lambda name: name == "PROBABILITIES"):  # the others in their order
        project.addMapLayer(layers[name], False)
        node = group.addLayer(layers[name])
        node.setExpanded(run.rasters[name] == "landcover")
    group.setIsMutuallyExclusive(True, 0)
    return group, broken


def is_result(layer: QgsMapLayer) -> bool:
    """Whether `layer` came out of a run of the panel."""
    return bool(layer.customProperty(OUTPUT_PROPERTY))
