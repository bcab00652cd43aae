# SPDX-License-Identifier: GPL-2.0-or-later
"""`sardine:features`: attention and embeddings of a scene as a raster for other algorithms."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterDestination,
)

from ...backend.protocol import FeaturesRequest
from ..translation import tr
from . import parameters as ours
from .backend_algorithm import paragraphs
from .feature_algorithm import FeatureAlgorithm
from .job_algorithm import tags


class FeaturesAlgorithm(FeatureAlgorithm):
    """One raster of many bands; its first three as a picture."""

    rasters: ClassVar = {"OUTPUT": ("features", "features")}

    def name(self) -> str:
        return "features"

    def displayName(self) -> str:
        return tr("Features from Sentinel-1")

    def shortDescription(self) -> str:
        return tr("Gives attention and embeddings of a Vision Transformer as bands of a raster.")

    def tags(self) -> list[str]:
        return tags(tr("features"), tr("embeddings"), tr("attention"), tr("principal components"))

    def shortHelpString(self) -> str:
        return paragraphs(
            tr(
                "Runs a model over a Sentinel-1 scene and writes what it makes of each patch (80 or 160 m): components of "
                "the patch's embedding, and the attention of each head as its binary logarithm."
            ),
            tr("The bands serve other algorithms: clustering, regression, change. The first three components make a picture."),
            tr("What was computed once is kept for <i>Map from your samples</i> and <i>Similar places</i> on the same scene."),
        )

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        number = QgsProcessingParameterNumber
        components = number("COMPONENTS", tr("Components"), number.Type.Integer, defaultValue=16, minValue=1, maxValue=64)
        self.add_all([ours.helped(components, tr("Principal components that the embeddings are reduced to."))])
        destination = QgsProcessingParameterRasterDestination("OUTPUT", tr("Features"))
        self.addParameter(ours.helped(destination, tr("Components first, then the heads. One pixel a patch.")))
        self.addOutput(QgsProcessingOutputNumber("EXPLAINED", tr("Share of the variance that the components hold")))
        self.addOutput(QgsProcessingOutputNumber("BANDS_OUT", tr("Bands")))

    def process(self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> dict[str, Any]:
        components = self.parameterAsInt(parameters, "COMPONENTS", context)
        scene = dataclasses.replace(self.scene_input(parameters, context), components=components)
        paths = self.asked(parameters, context)
        result = self.run_task(FeaturesRequest(scene, paths["OUTPUT"], overwrite=True), paths.values(), feedback)
        self.arrange(paths, (), context)
        return {**paths, "EXPLAINED": result.figures["explained"], "BANDS_OUT": result.figures["bands"]}
