# SPDX-License-Identifier: GPL-2.0-or-later
"""`sardine:landcover`: one Sentinel-1 scene to land cover, confidence, probabilities and attention."""

from __future__ import annotations

import dataclasses
from typing import Any

from qgis.core import (
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingUtils,
    QgsRasterLayer,
)
from qgis.PyQt.QtGui import QIcon

from ...backend.model_card import ModelCard, read_header
from ...backend.protocol import BandSource, ErrorCode, JobRequest, JobResult, OutputPaths, SardineError, encode
from .. import layer_request
from ..backend_environment import BackendCommand
from ..backend_process import BackendError, BackendRun
from ..error_text import describe
from ..interpreter import backend_command
from ..locations import ICONS, bundled_model
from ..results import remove_parts, summary_lines
from ..styling import LayerStyler
from ..translation import tr
from .job_feedback import JobFeedback
from .parameters import RASTER_OUTPUTS, inputs, other_outputs, raster_outputs

_stylers: list[LayerStyler] = []
"""Processing holds stylers by pointer alone, and uses them after the algorithm is gone. A few hundred bytes each."""


class LandcoverAlgorithm(QgsProcessingAlgorithm):
    """Reads layers on the main thread, then waits for the backend in a worker thread without touching the project."""

    def __init__(self) -> None:
        super().__init__()
        self._request: JobRequest | None = None
        self._command: BackendCommand | None = None
        self._card: ModelCard | None = None
        self._scene_name = ""
        self._refusal: SardineError | QgsProcessingException | None = None

    def createInstance(self) -> LandcoverAlgorithm:
        return LandcoverAlgorithm()

    def name(self) -> str:
        return "landcover"

    def displayName(self) -> str:
        return tr("Land cover from Sentinel-1")

    def shortDescription(self) -> str:
        return tr("Maps land cover, its confidence and the model's attention from a Sentinel-1 radar scene.")

    def tags(self) -> list[str]:
        return tr("sentinel-1,radar,sar,land cover,classification,vision transformer,attention,dino").split(",")

    def icon(self) -> QIcon:
        return QIcon(self.svgIconPath())

    def svgIconPath(self) -> str:
        return str(ICONS / "sardine.svg")

    def shortHelpString(self) -> str:
        return tr(
            "<p>Maps land cover from Sentinel-1 radar (VV and VH) with a Vision Transformer, and shows where the model looked.</p>"
            "<p>The raster may hold dB, linear power or amplitude, in any coordinate system. The unit is detected and told with "
            "its evidence; where it is not certain the run stops and asks.</p>"
            "<p>The work is done by a Python process of its own, which needs torch, timm and rasterio: choose its interpreter "
            "under Raster › SARdine, or set SARDINE_PYTHON.</p>"
            "<p>A result is written in full or not at all: a run that is cancelled or fails leaves nothing behind.</p>"
        )

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        for parameter in [*inputs(), *raster_outputs()]:
            self.addParameter(parameter)
        for output in other_outputs():
            self.addOutput(output)

    def checkParameterValues(self, parameters: dict[str, Any], context: QgsProcessingContext) -> tuple[bool, str]:
        good, message = super().checkParameterValues(parameters, context)
        if good and not any(parameters.get(name) for name in RASTER_OUTPUTS):
            return False, tr("No result is asked for: choose land cover, confidence, probabilities or attention.")
        return good, message

    def prepareAlgorithm(self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> bool:
        """Copies what the worker needs from the layers: files, bands, bounds. The only place that looks at the project."""
        try:
            self._prepare(parameters, context, feedback)
        except (SardineError, QgsProcessingException) as error:
            # Raised by processAlgorithm: of what is raised here Processing tells its caller only that there were errors.
            self._refusal = error
        return True

    def processAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        if isinstance(self._refusal, SardineError):
            raise QgsProcessingException(describe(self._refusal)) from self._refusal
        if self._refusal is not None:
            raise self._refusal
        if self._request is None or self._command is None or self._card is None:
            raise QgsProcessingException(tr("The algorithm was not prepared."))
        paths = {name: self.parameterAsOutputLayer(parameters, name, context) for name in RASTER_OUTPUTS}
        paths = {name: path for name, path in paths.items() if path}
        outputs = OutputPaths(**{RASTER_OUTPUTS[name]: path for name, path in paths.items()})
        # Processing has asked already whether a file may be replaced.
        request = dataclasses.replace(self._request, outputs=outputs, overwrite=True)
        try:
            result = BackendRun(self._command, request, JobFeedback(feedback)).run()
        except BackendError as error:
            self._clean_up(error, list(paths.values()), feedback)
            raise QgsProcessingException(describe(error)) from error
        for line in summary_lines(result, self._card):
            feedback.pushInfo(line)
        self._arrange_layers(paths, self._card, context)
        return {**paths, **_numbers(result), "REPORT": encode(result).strip()}

    def _prepare(self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> None:
        model = self.parameterAsFile(parameters, "MODEL", context) or str(bundled_model())
        self._card = read_header(model).card
        self._request = self._build_request(parameters, context, feedback, model)
        self._command = backend_command()
        feedback.pushDebugInfo(tr("Backend: {python}").format(python=self._command.program))

    def _build_request(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback, model: str
    ) -> JobRequest:
        layer = self.parameterAsRasterLayer(parameters, "INPUT", context)
        if layer is None:
            raise QgsProcessingException(self.invalidRasterError(parameters, "INPUT"))
        second = self.parameterAsRasterLayer(parameters, "INPUT_2", context)
        if second is None and parameters.get("INPUT_2"):
            raise QgsProcessingException(self.invalidRasterError(parameters, "INPUT_2"))
        self._scene_name = layer.name()
        for used in (layer, second):
            if used is not None and layer_request.crs_note(used):
                feedback.pushWarning(layer_request.crs_note(used))
        spacing_m = self._number(parameters, "SPACING_M", context)
        bounds, bounds_crs = None, None
        extent = self.parameterAsExtent(parameters, "EXTENT", context)
        if not extent.isNull():
            extent_crs = self.parameterAsExtentCrs(parameters, "EXTENT", context)
            bounds, bounds_crs = layer_request.bounds_of(extent, extent_crs, layer, spacing_m)
        return JobRequest(
            bands=self._bands(parameters, context, layer, second),
            model=model,
            outputs=OutputPaths(),
            units=self.parameterAsString(parameters, "UNITS", context),
            calibration_db=self._number(parameters, "CALIBRATION_DB", context),
            spacing_m=spacing_m,
            bounds=bounds,
            bounds_crs=bounds_crs,
            mask=self._mask(parameters, context),
            overlap=self.parameterAsDouble(parameters, "OVERLAP", context),
            device=self.parameterAsString(parameters, "DEVICE", context).strip() or "auto",
            allow_coarse=self.parameterAsBoolean(parameters, "ALLOW_COARSE", context),
        )

    def _number(self, parameters: dict[str, Any], name: str, context: QgsProcessingContext) -> float | None:
        """An optional number: left empty it is None, where Processing would say 0."""
        if parameters.get(name) in (None, ""):
            return None
        return self.parameterAsDouble(parameters, name, context)

    def _mask(self, parameters: dict[str, Any], context: QgsProcessingContext) -> str | None:
        source = self.parameterAsSource(parameters, "MASK", context)
        if source is None:
            if parameters.get("MASK"):
                raise QgsProcessingException(self.invalidSourceError(parameters, "MASK"))
            return None
        path = QgsProcessingUtils.generateTempFilename("mask.gpkg", context)
        layer_request.write_mask(source, path, context.transformContext())
        return path

    def _bands(
        self, parameters: dict[str, Any], context: QgsProcessingContext, layer: QgsRasterLayer, second: QgsRasterLayer | None
    ) -> tuple[BandSource, ...]:
        sources = [layer_request.raster_source(used) for used in (layer, second) if used is not None]
        text = self.parameterAsString(parameters, "BANDS", context)
        if text.strip():
            named = dict(zip(("INPUT", "INPUT_2"), sources))

            def lookup(name: str) -> QgsRasterLayer | None:
                found = QgsProcessingUtils.mapLayerFromString(name, context, allowLoadingNewLayers=False)
                return found if isinstance(found, QgsRasterLayer) else None

            return layer_request.parse_bands(text, named, lookup)
        vv = self.parameterAsInt(parameters, "VV_BAND", context)
        vh = self.parameterAsInt(parameters, "VH_BAND", context)
        return layer_request.chosen_bands(sources[0], sources[1] if second is not None else None, vv, vh)

    def _clean_up(self, error: BackendError, paths: list[str], feedback: QgsProcessingFeedback) -> None:
        """Tells the log what the backend printed, and removes what a backend that was killed could not remove itself."""
        if error.log and error.code is not ErrorCode.CANCELLED:
            feedback.pushDebugInfo(tr("What the backend printed:"))
            feedback.pushDebugInfo(error.log)
        if error.code in (ErrorCode.CANCELLED, ErrorCode.BACKEND_CRASHED, ErrorCode.PROTOCOL_MISMATCH):
            for left in remove_parts(paths):
                feedback.pushWarning(tr("An unfinished file could not be removed: {file}").format(file=left))

    def _arrange_layers(self, paths: dict[str, str], card: ModelCard, context: QgsProcessingContext) -> None:
        """Names, groups, orders and styles those results that Processing is going to load."""
        for position, (name, path) in enumerate(paths.items()):
            if not context.willLoadLayerOnCompletion(path):
                continue
            styler = LayerStyler(RASTER_OUTPUTS[name], card)
            _stylers.append(styler)
            details = context.layerToLoadOnCompletionDetails(path)
            details.name = f"{self.parameterDefinition(name).description()}: {self._scene_name} ({card.name})"
            details.forceName = True
            details.groupName = f"SARdine: {self._scene_name}"
            details.layerSortKey = -position  # the greatest lies on top
            details.setPostProcessor(styler)


def _numbers(result: JobResult) -> dict[str, float]:
    """The figures among the outputs. A model without classes has no confidence: its figure is left out."""
    numbers = {"VALID_AREA_KM2": result.valid_area_km2}
    if result.mean_confidence_percent is not None:
        numbers["MEAN_CONFIDENCE"] = result.mean_confidence_percent
    return numbers
