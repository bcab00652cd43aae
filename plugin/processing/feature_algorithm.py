# SPDX-License-Identifier: GPL-2.0-or-later
"""What the algorithms have in common that work from a scene's features: their inputs, and how a scene becomes a `SceneInput`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterFile,
)

from ...backend.model_card import ClassSpec
from ...backend.protocol import SceneInput
from ..translation import tr
from . import parameters as ours
from .backend_algorithm import not_prepared
from .scene_algorithm import SceneAlgorithm, arrange_layers

VECTORS = (QgsProcessing.SourceType.TypeVectorPolygon, QgsProcessing.SourceType.TypeVectorPoint)


class FeatureAlgorithm(SceneAlgorithm):
    """Base of the algorithms on features. `rasters` is by id of an output: the request's name of it, its style and its label."""

    rasters: ClassVar[Mapping[str, tuple[str, str]]] = {}

    def add_all(self, parameters: Iterable[QgsProcessingParameterDefinition]) -> None:
        """Adds the scene, `parameters`, and the settings that all have."""
        for parameter in ours.scene_inputs():
            if parameter.name() != "MASK":  # features are of all of an area
                self.addParameter(parameter)
        settings = ours.settings()
        for parameter in settings:
            if parameter.name() == "OVERLAP":
                parameter.setDefaultValue(SceneInput((), "").overlap)
        for parameter in (*parameters, ours.model_file(), *settings, cache_folder()):
            self.addParameter(parameter)

    def scene_input(self, parameters: dict[str, Any], context: QgsProcessingContext) -> SceneInput:
        """The scene that `prepare` has read. Raises QgsProcessingException."""
        request = self._request
        if request is None:
            raise not_prepared()
        return SceneInput(
            bands=request.bands,
            model=request.model,
            units=request.units,
            calibration_db=request.calibration_db,
            spacing_m=request.spacing_m,
            bounds=request.bounds,
            bounds_crs=request.bounds_crs,
            overlap=request.overlap,
            device=request.device,
            precision=request.precision,
            allow_coarse=request.allow_coarse,
            cache=self.parameterAsString(parameters, "CACHE", context).strip() or None,
        )

    def asked(self, parameters: dict[str, Any], context: QgsProcessingContext) -> dict[str, str]:
        """The rasters that are asked for: id to path."""
        paths = {name: self.parameterAsOutputLayer(parameters, name, context) for name in self.rasters}
        return {name: path for name, path in paths.items() if path}

    def arrange(self, paths: Mapping[str, str], classes: Iterable[ClassSpec], context: QgsProcessingContext) -> None:
        """Names, groups and styles the rasters that Processing loads; `classes` are those of a class raster."""
        card = dataclasses.replace(self.card, classes=tuple(classes))
        layers = {path: (self.rasters[name][1], self.parameterDefinition(name).description()) for name, path in paths.items()}
        arrange_layers(layers, card, self._scene_name, context)

    def _rasters(self) -> list[str]:
        return list(self.rasters)


def cache_folder() -> QgsProcessingParameterDefinition:
    """Where features are kept."""
    folder = QgsProcessingParameterFile(
        "CACHE", tr("Folder for features"), QgsProcessingParameterFile.Behavior.Folder, optional=True
    )
    return ours.advanced(
        folder, tr("Features that were computed once are kept there for the next run. Left empty: your own cache folder.")
    )


def places(name: str, label: str, text: str) -> QgsProcessingParameterDefinition:
    """Points or polygons of a person."""
    return ours.helped(QgsProcessingParameterFeatureSource(name, label, list(VECTORS)), text)
