# SPDX-License-Identifier: GPL-2.0-or-later
"""`sardine:similarity`: where else in a scene it looks like the places that a person points at."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from qgis.core import (
    QgsFeature,
    QgsFeatureSink,
    QgsField,
    QgsFields,
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingParameterFeatureSink,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterRasterLayer,
    QgsProcessingUtils,
    QgsVectorLayer,
    QgsWkbTypes,
)

from ...backend.protocol import BandSource, SimilarityRequest
from ..layers import request as layer_request
from ..layers.samples import field_type
from ..translation import tr
from . import parameters as ours
from .backend_algorithm import paragraphs
from .feature_algorithm import FeatureAlgorithm, places
from .job_algorithm import tags


class SimilarityAlgorithm(FeatureAlgorithm):
    """A raster, and polygons if they are asked for."""

    rasters: ClassVar = {"SIMILARITY": ("similarity", "similarity")}

    def __init__(self) -> None:
        super().__init__()
        self._places = ""
        self._places_bands: tuple[BandSource, ...] = ()

    def name(self) -> str:
        return "similarity"

    def displayName(self) -> str:
        return tr("Similar places")

    def shortDescription(self) -> str:
        return tr("Shows where a Sentinel-1 scene is like the places that you point at.")

    def tags(self) -> list[str]:
        return tags(tr("similarity"), tr("embeddings"), tr("search"), tr("cosine"))

    def shortHelpString(self) -> str:
        return paragraphs(
            tr(
                "Point at one or several places, by points or polygons: each patch of the scene (80 or 160 m) is compared with "
                "them by the cosine of the model's embeddings. 1 is the same, 0 as unlike as two patches at random."
            ),
            tr("The places may lie on another scene: name it, and the two are compared with the same model."),
        )

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        number = QgsProcessingParameterNumber
        self.add_all(
            [
                places("PLACES", tr("Places"), tr("Points or polygons; all together make one example.")),
                ours.helped(
                    QgsProcessingParameterRasterLayer("PLACES_INPUT", tr("Scene of the places"), optional=True),
                    tr("Where they lie on another scene than the one to be searched. Its bands are found by their names."),
                ),
                ours.helped(
                    number("THRESHOLD", tr("Least similarity of the polygons"), number.Type.Double, 0.8, False, -1, 1),
                    tr("From -1 to 1. For the polygons alone."),
                ),
            ]
        )
        self.addParameter(
            ours.helped(
                QgsProcessingParameterRasterDestination("SIMILARITY", tr("Similarity")), tr("One pixel a patch, from -1 to 1.")
            )
        )
        polygons = QgsProcessingParameterFeatureSink(
            "POLYGONS", tr("Similar places"), QgsProcessing.SourceType.TypeVectorPolygon, optional=True, createByDefault=False
        )
        self.addParameter(ours.helped(polygons, tr("Around what is at least so much alike: fields id, mean, patches.")))
        self.addOutput(QgsProcessingOutputNumber("AREA_HA", tr("Area that is at least so much alike (ha)")))

    def prepare(self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> None:
        super().prepare(parameters, context, feedback)
        self._places = self.samples(parameters, "PLACES", "", context, feedback) or ""
        other = self.raster_layer(parameters, "PLACES_INPUT", context)
        if other is not None:
            self._places_bands = (BandSource("", layer_request.raster_source(other), 0),)

    def process(self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> dict[str, Any]:
        scene = self.scene_input(parameters, context)
        paths = self.asked(parameters, context)
        polygons = ""
        if parameters.get("POLYGONS"):
            polygons = QgsProcessingUtils.generateTempFilename("places.geojson", context)
        elsewhere = dataclasses.replace(scene, bands=self._places_bands, bounds=None, bounds_crs=None)
        request = SimilarityRequest(
            scene=scene,
            samples=self._places,
            places_scene=elsewhere if self._places_bands else None,
            similarity=paths.get("SIMILARITY"),
            polygons=polygons or None,
            threshold=self.parameterAsDouble(parameters, "THRESHOLD", context),
            overwrite=True,
        )
        result = self.run_task(request, [*paths.values(), *([polygons] if polygons else [])], feedback)
        self.arrange(paths, (), context)
        written = {"POLYGONS": self._copy(polygons, parameters, context)} if polygons else {}
        return {**paths, **written, "AREA_HA": result.figures["area_ha"]}

    def _copy(self, path: str, parameters: dict[str, Any], context: QgsProcessingContext) -> str:
        """The polygons in whatever format the person asks for."""
        found = QgsVectorLayer(path, "places", "ogr")
        fields = QgsFields()
        for name, kind in (("id", "Int"), ("mean", "Double"), ("patches", "Int")):
            fields.append(QgsField(name, field_type(kind)))
        sink, written = self.parameterAsSink(parameters, "POLYGONS", context, fields, QgsWkbTypes.Type.Polygon, found.crs())
        if sink is None:
            raise QgsProcessingException(self.invalidSinkError(parameters, "POLYGONS"))
        for feature in found.getFeatures():
            copy = QgsFeature(fields)
            copy.setGeometry(feature.geometry())
            copy.setAttributes([feature["id"], feature["mean"], feature["patches"]])
            if not sink.addFeature(copy, QgsFeatureSink.Flag.FastInsert):
                raise QgsProcessingException(self.writeFeatureError(sink, parameters, "POLYGONS"))
        sink.flushBuffer()
        return str(written)
