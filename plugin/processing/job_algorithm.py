# SPDX-License-Identifier: GPL-2.0-or-later
"""What the algorithms that run a model have in common: the settings of a job, its result, and the texts written beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qgis.core import (
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingUtils,
)

from ...backend.model_card import ModelCard, read_header
from ...backend.protocol import JobRequest, JobResult, OutputPaths
from ..layers import request as layer_request
from ..layers.results import write_whole
from ..locations import bundled_model
from ..translation import tr
from .backend_algorithm import BackendAlgorithm, not_prepared


class JobAlgorithm(BackendAlgorithm):
    """Base of the algorithms that run a model."""

    def __init__(self) -> None:
        super().__init__()
        self._card: ModelCard | None = None

    @property
    def card(self) -> ModelCard:
        """The card of the model, once `settings_of` has read it."""
        if self._card is None:
            raise not_prepared()
        return self._card

    def settings_of(self, parameters: dict[str, Any], context: QgsProcessingContext) -> JobRequest:
        """A request with all that the parameters say but for the scene, its extent and the outputs. Raises SardineError."""
        model = self.parameterAsFile(parameters, "MODEL", context) or str(bundled_model())
        self._card = read_header(model).card
        return JobRequest(
            bands=(),
            model=model,
            outputs=OutputPaths(),
            units=self.parameterAsString(parameters, "UNITS", context),
            calibration_db=number_or_none(self, parameters, "CALIBRATION_DB", context),
            spacing_m=number_or_none(self, parameters, "SPACING_M", context),
            mask=self._mask(parameters, context),
            overlap=self.parameterAsDouble(parameters, "OVERLAP", context),
            device=self.parameterAsString(parameters, "DEVICE", context).strip() or "auto",
            precision=self.parameterAsString(parameters, "PRECISION", context),
            attention_heads=self.parameterAsString(parameters, "ATTENTION_HEADS", context),
            attention_scope=self.parameterAsString(parameters, "ATTENTION_SCOPE", context),
            overwrite=True,  # Processing has asked already whether a file may be replaced
            allow_coarse=self.parameterAsBoolean(parameters, "ALLOW_COARSE", context),
            resume=self.parameterAsBoolean(parameters, "RESUME", context),
        )

    def run_job(self, request: JobRequest, feedback: QgsProcessingFeedback) -> JobResult:
        """The result of `request`; see `run_request`."""
        result = self.run_request(request, request.outputs.chosen().values(), feedback)
        if not isinstance(result, JobResult):
            raise QgsProcessingException(tr("The backend answered another request."))
        return result

    def write_files(
        self,
        texts: Mapping[str, str],
        parameters: dict[str, Any],
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> dict[str, str]:
        """Writes the text of each file output that is asked for; returns their paths by id.

        One that cannot be written is a warning: the rasters are there, and are worth more.
        """
        written = {}
        for name, text in texts.items():
            path = self.parameterAsFileOutput(parameters, name, context)
            if not path:
                continue
            try:
                write_whole(path, text)
            except OSError as error:
                feedback.pushWarning(tr("{file} could not be written ({reason}).").format(file=path, reason=error.strerror))
            else:
                written[name] = path
        return written

    def _mask(self, parameters: dict[str, Any], context: QgsProcessingContext) -> str | None:
        source = self.parameterAsSource(parameters, "MASK", context)
        if source is None:
            if parameters.get("MASK"):
                raise QgsProcessingException(self.invalidSourceError(parameters, "MASK"))
            return None
        path = QgsProcessingUtils.generateTempFilename("mask.gpkg", context)
        layer_request.write_mask(source, path, context.transformContext())
        return path


def number_or_none(
    algorithm: QgsProcessingAlgorithm, parameters: dict[str, Any], name: str, context: QgsProcessingContext
) -> float | None:
    """An optional number: left empty it is None, where Processing would say 0."""
    if parameters.get(name) in (None, ""):
        return None
    return float(algorithm.parameterAsDouble(parameters, name, context))


def tags(*words: str) -> list[str]:
    """The words that the toolbox finds an algorithm by: `words`, and those that fit all of ours."""
    return [*words, *tr("sentinel-1,radar,sar,vision transformer,dino,deep learning").split(",")]
