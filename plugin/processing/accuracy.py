# SPDX-License-Identifier: GPL-2.0-or-later
"""`sardine:accuracy`: any class raster against reference points, polygons or a raster."""

from __future__ import annotations

import dataclasses
from typing import Any

from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingOutputString,
    QgsProcessingParameterBand,
    QgsProcessingParameterEnum,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterRasterLayer,
)

from ...backend.protocol import SAMPLE_DESIGNS, AccuracyRequest
from ..layers import request as layer_request
from ..layers.samples import CLASS_FIELD
from ..translation import tr
from .backend_algorithm import BackendAlgorithm, class_names, not_prepared, paragraphs
from .parameters import helped

FILES = {"HTML": "html", "CSV": "csv"}
"""Parameter id to the request's name of the output."""


class AccuracyAlgorithm(BackendAlgorithm):
    """Compares, and writes a report; no layer comes of it."""

    def __init__(self) -> None:
        super().__init__()
        self._request: AccuracyRequest | None = None

    def name(self) -> str:
        return "accuracy"

    def displayName(self) -> str:
        return tr("Accuracy of a class map")

    def shortDescription(self) -> str:
        return tr("Compares a class raster with reference points, polygons or a raster, and estimates areas with intervals.")

    def tags(self) -> list[str]:
        return tr("accuracy,confusion matrix,error matrix,validation,area estimation,olofsson,f1,land cover").split(",")

    def shortHelpString(self) -> str:
        return paragraphs(
            tr(
                "Says how well a class map, whoever made it, agrees with a reference: confusion matrix, overall, user's and "
                "producer's accuracy, and F1."
            ),
            tr(
                "From reference points that were drawn at random within each class of the map (<i>Stratified random sample of "
                "points</i> draws them) follow also the true area of each class, adjusted for the map's bias, with 95% intervals "
                "(Olofsson et al. 2014)."
            ),
            tr("Polygons and rasters are counted pixel by pixel; they are no random sample, and no interval follows from them."),
            tr("The reference's field holds class codes, or names as the map's layer shows them."),
        )

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        vector = [QgsProcessing.SourceType.TypeVectorPoint, QgsProcessing.SourceType.TypeVectorPolygon]
        for parameter in (
            helped(QgsProcessingParameterRasterLayer("INPUT", tr("Class raster")), tr("A raster of whole class codes.")),
            helped(
                QgsProcessingParameterBand("BAND", tr("Band"), defaultValue=1, parentLayerParameterName="INPUT"),
                tr("The band with the class codes."),
            ),
            helped(
                QgsProcessingParameterFeatureSource("REFERENCE", tr("Reference points or polygons"), vector, optional=True),
                tr("A class is read off each. Points without one are left out and counted."),
            ),
            helped(
                QgsProcessingParameterField("FIELD", tr("Class field"), parentLayerParameterName="REFERENCE", optional=True),
                tr("Holds the code, or the name, of a class of the map."),
            ),
            helped(
                QgsProcessingParameterRasterLayer("REFERENCE_RASTER", tr("Reference raster"), optional=True),
                tr("Instead of points or polygons: a class raster with the same codes, on any grid."),
            ),
            helped(
                QgsProcessingParameterEnum(
                    "DESIGN", tr("How the points were drawn"), SAMPLE_DESIGNS, defaultValue="auto", usesStaticStrings=True
                ),
                tr(
                    "stratified: at random within each class of the map; auto takes points for such a sample. random: over "
                    "the whole map. none: otherwise; no intervals and areas follow."
                ),
            ),
            helped(
                QgsProcessingParameterFileDestination("HTML", tr("Report"), tr("Web page (*.html)"), optional=True),
                tr("Matrix, figures and notes as a page."),
            ),
            helped(
                QgsProcessingParameterFileDestination(
                    "CSV", tr("Table"), tr("Comma-separated values (*.csv)"), optional=True, createByDefault=False
                ),
                tr("Matrix and figures for a spreadsheet."),
            ),
        ):
            self.addParameter(parameter)
        self.addOutput(QgsProcessingOutputNumber("OVERALL_ACCURACY", tr("Overall accuracy (0 to 1)")))
        self.addOutput(QgsProcessingOutputNumber("OVERALL_INTERVAL", tr("Half its 95% interval")))
        self.addOutput(QgsProcessingOutputNumber("SAMPLES", tr("Points or pixels compared")))
        self.addOutput(QgsProcessingOutputString("REPORT", tr("Figures (JSON)")))

    def checkParameterValues(self, parameters: dict[str, Any], context: QgsProcessingContext) -> tuple[bool, str]:
        good, message = super().checkParameterValues(parameters, context)
        vector, raster = parameters.get("REFERENCE"), parameters.get("REFERENCE_RASTER")
        if good and bool(vector) == bool(raster):
            return False, tr("Choose one reference: points or polygons, or a raster.")
        if good and vector and not parameters.get("FIELD"):
            return False, tr("Choose the field that holds the class.")
        return good, message

    def prepare(self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> None:
        layer = self.raster_layer(parameters, "INPUT", context)
        if layer is None:
            raise QgsProcessingException(self.invalidRasterError(parameters, "INPUT"))
        field = self.parameterAsString(parameters, "FIELD", context)
        reference = self.samples(parameters, "REFERENCE", field, context, feedback)
        if reference is None:
            other = self.raster_layer(parameters, "REFERENCE_RASTER", context)
            if other is None:
                raise QgsProcessingException(tr("Choose one reference: points or polygons, or a raster."))
            reference, field = layer_request.raster_source(other), ""
        self._request = AccuracyRequest(
            raster=layer_request.raster_source(layer),
            reference=reference,
            band=self.parameterAsInt(parameters, "BAND", context),
            field=CLASS_FIELD if field else None,
            design=self.parameterAsString(parameters, "DESIGN", context),
            class_names=class_names(layer),
            overwrite=True,  # Processing has asked already
        )

    def process(self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> dict[str, Any]:
        if self._request is None:
            raise not_prepared()
        files = {name: self.parameterAsFileOutput(parameters, name, context) for name in FILES}
        files = {name: path for name, path in files.items() if path}
        request = dataclasses.replace(self._request, **{FILES[name]: path for name, path in files.items()})
        result = self.run_task(request, files.values(), feedback)
        ids = {"overall_accuracy": "OVERALL_ACCURACY", "overall_accuracy_interval": "OVERALL_INTERVAL", "samples": "SAMPLES"}
        figures = {ids[name]: value for name, value in result.figures.items()}
        return {**files, **figures, "REPORT": result.details}
