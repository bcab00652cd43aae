# SPDX-License-Identifier: GPL-2.0-or-later
"""`sardine:stratified_sample`: random points in each class of a map, for a person to label."""

from __future__ import annotations

import dataclasses
from typing import Any

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
    QgsProcessingParameterBand,
    QgsProcessingParameterFeatureSink,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterLayer,
    QgsProcessingUtils,
    QgsVectorLayer,
    QgsWkbTypes,
)

from ...backend.protocol import StratifiedSampleRequest
from ..layers import request as layer_request
from ..layers.samples import field_type
from ..translation import tr
from .backend_algorithm import BackendAlgorithm, class_names, not_prepared, paragraphs
from .parameters import helped


class StratifiedSampleAlgorithm(BackendAlgorithm):
    """The backend draws; the points come in whatever vector format the person asks for."""

    def __init__(self) -> None:
        super().__init__()
        self._request: StratifiedSampleRequest | None = None

    def name(self) -> str:
        return "stratified_sample"

    def displayName(self) -> str:
        return tr("Stratified random sample of points")

    def shortDescription(self) -> str:
        return tr("Draws random points in each class of a map, to be labelled for its accuracy.")

    def tags(self) -> list[str]:
        return tr("sampling,stratified,random points,accuracy,validation,reference,olofsson").split(",")

    def shortHelpString(self) -> str:
        return paragraphs(
            tr(
                "Draws points at random within each class of a map, each at the centre of a pixel and none twice. Every class "
                "gets at least a certain number; the others share the rest by area."
            ),
            tr(
                "Label them: look at each point, on an image or in the field, and write what is really there into the field "
                "<i>reference</i>, as a code or name of the map's classes. Do not look at the map while doing so."
            ),
            tr(
                "Then <i>Accuracy of a class map</i> gives the map's accuracy and true areas with intervals. The points are in "
                "random order: the first of them are a sample too."
            ),
        )

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        number = QgsProcessingParameterNumber
        for parameter in (
            helped(QgsProcessingParameterRasterLayer("INPUT", tr("Class raster")), tr("A raster of whole class codes.")),
            helped(
                QgsProcessingParameterBand("BAND", tr("Band"), defaultValue=1, parentLayerParameterName="INPUT"),
                tr("The band with the class codes."),
            ),
            helped(
                number("POINTS", tr("Points in all"), number.Type.Integer, defaultValue=500, minValue=1, maxValue=100_000),
                tr("Some hundred give intervals of a few percent."),
            ),
            helped(
                number(
                    "LEAST", tr("Points in each class at least"), number.Type.Integer, defaultValue=50, minValue=0, maxValue=100_000
                ),
                tr("50 or more keep rare classes judged."),
            ),
            helped(
                number("SEED", tr("Seed"), number.Type.Integer, defaultValue=0, minValue=0),
                tr("The same seed draws the same points."),
            ),
            helped(
                QgsProcessingParameterFeatureSink("OUTPUT", tr("Points to label"), QgsProcessing.SourceType.TypeVectorPoint),
                tr("Fields: id, map_code, map_class, and reference, which is yours to fill in."),
            ),
        ):
            self.addParameter(parameter)
        self.addOutput(QgsProcessingOutputNumber("COUNT", tr("Points drawn")))

    def prepare(self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> None:
        layer = self.raster_layer(parameters, "INPUT", context)
        if layer is None:
            raise QgsProcessingException(self.invalidRasterError(parameters, "INPUT"))
        self._request = StratifiedSampleRequest(
            raster=layer_request.raster_source(layer),
            output="",
            band=self.parameterAsInt(parameters, "BAND", context),
            points=self.parameterAsInt(parameters, "POINTS", context),
            least=self.parameterAsInt(parameters, "LEAST", context),
            seed=self.parameterAsInt(parameters, "SEED", context),
            class_names=class_names(layer),
            overwrite=True,
        )

    def process(self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> dict[str, Any]:
        if self._request is None:
            raise not_prepared()
        path = QgsProcessingUtils.generateTempFilename("points.geojson", context)
        result = self.run_task(dataclasses.replace(self._request, output=path), [path], feedback)
        drawn = QgsVectorLayer(path, "points", "ogr")
        fields = QgsFields()
        for name, kind in (("id", "Int"), ("map_code", "Int"), ("map_class", "QString"), ("reference", "QString")):
            fields.append(QgsField(name, field_type(kind)))
        sink, written = self.parameterAsSink(parameters, "OUTPUT", context, fields, QgsWkbTypes.Type.Point, drawn.crs())
        if sink is None:
            raise QgsProcessingException(self.invalidSinkError(parameters, "OUTPUT"))
        for feature in drawn.getFeatures():
            copy = QgsFeature(fields)
            copy.setGeometry(feature.geometry())
            copy.setAttributes([feature["id"], feature["map_code"], feature["map_class"], None])
            if not sink.addFeature(copy, QgsFeatureSink.Flag.FastInsert):
                raise QgsProcessingException(self.writeFeatureError(sink, parameters, "OUTPUT"))
        sink.flushBuffer()
        return {"OUTPUT": written, "COUNT": result.figures["points"]}
