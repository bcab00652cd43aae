# SPDX-License-Identifier: GPL-2.0-or-later
"""An algorithm on one scene: its parameters become a request, its results layers, figures and a summary."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from qgis.core import QgsProcessingContext, QgsProcessingException, QgsProcessingFeedback, QgsProcessingUtils, QgsRasterLayer

from ...backend.model_card import ModelCard
from ...backend.protocol import BandSource, JobRequest, JobResult, OutputPaths, encode
from ..child.backend_process import BackendError
from ..error_text import describe
from ..layers import request as layer_request
from ..layers.class_areas import areas_text, class_areas
from ..layers.results import summary_lines
from ..layers.styling import LayerStyler
from ..layers.summary_page import scene_page
from ..translation import tr
from .backend_algorithm import not_prepared
from .job_algorithm import JobAlgorithm
from .parameters import RASTER_OUTPUTS, raster_labels

_stylers: list[LayerStyler] = []
"""Processing holds stylers by pointer alone, and uses them after the algorithm is gone. A few hundred bytes each."""


class SceneAlgorithm(JobAlgorithm):
    """Base of `sardine:landcover` and `sardine:attention`, which differ in their parameters alone."""

    def __init__(self) -> None:
        super().__init__()
        self._request: JobRequest | None = None
        self._scene_name = ""

    def checkParameterValues(self, parameters: dict[str, Any], context: QgsProcessingContext) -> tuple[bool, str]:
        good, message = super().checkParameterValues(parameters, context)
        if good and not any(parameters.get(name) for name in self._rasters()):
            return False, tr("No result is asked for: choose a file for at least one of the rasters.")
        return good, message

    def prepare(self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> None:
        layer = self.raster_layer(parameters, "INPUT", context)
        if layer is None:
            raise QgsProcessingException(self.invalidRasterError(parameters, "INPUT"))
        second = self.raster_layer(parameters, "INPUT_2", context)
        self._scene_name = layer.name()
        for used in (layer, second):
            if used is not None and layer_request.crs_note(used):
                feedback.pushWarning(layer_request.crs_note(used))
        request = self.settings_of(parameters, context)
        bounds, bounds_crs = None, None
        extent = self.parameterAsExtent(parameters, "EXTENT", context)
        if not extent.isNull():
            extent_crs = self.parameterAsExtentCrs(parameters, "EXTENT", context)
            bounds, bounds_crs = layer_request.bounds_of(extent, extent_crs, layer, request.spacing_m)
        bands = self._bands(parameters, context, layer, second)
        self._request = dataclasses.replace(request, bands=bands, bounds=bounds, bounds_crs=bounds_crs)

    def process(self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> dict[str, Any]:
        if self._request is None:
            raise not_prepared()
        card = self.card
        paths = {name: self.parameterAsOutputLayer(parameters, name, context) for name in self._rasters()}
        paths = {name: path for name, path in paths.items() if path}
        outputs = OutputPaths(**{RASTER_OUTPUTS[name]: path for name, path in paths.items()})
        try:
            result = self.run_job(dataclasses.replace(self._request, outputs=outputs), feedback)
        except BackendError as error:
            raise QgsProcessingException(describe(error)) from error
        for line in summary_lines(result, card):
            feedback.pushInfo(line)
        labels = raster_labels()
        arrange_layers(
            {path: (RASTER_OUTPUTS[name], labels[name]) for name, path in paths.items()}, card, self._scene_name, context
        )
        rows = class_areas(result, card)
        texts = {"SUMMARY": scene_page(self._scene_name, result, card), "AREAS": areas_text(rows, ",")}
        texts = {name: text for name, text in texts.items() if self.parameterDefinition(name) is not None}
        files = self.write_files(texts, parameters, context, feedback)
        return {**paths, **files, **_numbers(result), "REPORT": encode(result).strip()}

    def _rasters(self) -> list[str]:
        """Ids of the rasters that this algorithm gives."""
        return [name for name in RASTER_OUTPUTS if self.parameterDefinition(name) is not None]

    def _bands(
        self, parameters: dict[str, Any], context: QgsProcessingContext, layer: QgsRasterLayer, second: QgsRasterLayer | None
    ) -> tuple[BandSource, ...]:
        sources = [layer_request.raster_source(used) for used in (layer, second) if used is not None]
        text = self.parameterAsString(parameters, "BANDS", context)
        if text.strip():
            return layer_request.parse_bands(text, dict(zip(("INPUT", "INPUT_2"), sources)), project_raster(context))
        vv = self.parameterAsInt(parameters, "VV_BAND", context)
        vh = self.parameterAsInt(parameters, "VH_BAND", context)
        return layer_request.chosen_bands(sources[0], sources[1] if second is not None else None, vv, vh)


def arrange_layers(rasters: Mapping[str, tuple[str, str]], card: ModelCard, scene_name: str, context: QgsProcessingContext) -> None:
    """Names, groups, orders and styles those results that Processing is going to load: path to (backend's output, label)."""
    for position, (path, (output, label)) in enumerate(rasters.items()):
        if not style_when_loaded(path, output, context, card):
            continue
        details = context.layerToLoadOnCompletionDetails(path)
        details.name = f"{label}: {scene_name} ({card.name})"
        details.forceName = True
        details.groupName = f"SARdine: {scene_name}"
        details.layerSortKey = -position  # the greatest lies on top


def style_when_loaded(path: str, output: str, context: QgsProcessingContext, card: ModelCard | None = None) -> bool:
    """Has Processing style the raster at `path` (the backend's `output`) where it is going to load it; says whether it is."""
    if not context.willLoadLayerOnCompletion(path):
        return False
    styler = LayerStyler(output, card)
    _stylers.append(styler)
    context.layerToLoadOnCompletionDetails(path).setPostProcessor(styler)
    return True


def project_raster(context: QgsProcessingContext) -> layer_request.LayerLookup:
    """Finds a raster layer of the project by name or id; nothing is loaded."""

    def lookup(name: str) -> QgsRasterLayer | None:
        found = QgsProcessingUtils.mapLayerFromString(name, context, allowLoadingNewLayers=False)
        return found if isinstance(found, QgsRasterLayer) else None

    return lookup


def _numbers(result: JobResult) -> dict[str, float]:
    """The figures among the outputs. A model without classes has no confidence: its figure is left out."""
    numbers = {
        "VALID_AREA_KM2": result.valid_area_km2,
        "VALID_PERCENT": 100 * result.valid_share,
        "PIXEL_AREA_M2": 1e6 * result.valid_area_km2 / (result.valid_share * result.height * result.width),
        "ELAPSED_S": result.elapsed_s,
    }
    if result.mean_confidence_percent is not None:
        numbers["MEAN_CONFIDENCE"] = result.mean_confidence_percent
    return numbers
