# SPDX-License-Identifier: GPL-2.0-or-later
"""What all algorithms have in common: icon and help, and how a request is run in a child process."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from qgis.core import (
    QgsPalettedRasterRenderer,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingUtils,
    QgsRasterLayer,
)
from qgis.PyQt.QtCore import QThread
from qgis.PyQt.QtGui import QIcon

from ...backend.protocol import BatchRequest, ErrorCode, JobRequest, Request, Result, SardineError, TaskResult
from .. import settings
from ..child.backend_environment import BackendCommand
from ..child.backend_process import BackendError, BackendRun, Patience
from ..environment.interpreter import backend_command
from ..error_text import describe
from ..layers import samples as sample_layers
from ..layers.results import remove_parts
from ..locations import ICONS, help_url
from ..translation import tr
from .job_feedback import JobFeedback

PARTS_LEFT_BY = (ErrorCode.CANCELLED, ErrorCode.BACKEND_CRASHED, ErrorCode.PROTOCOL_MISMATCH)
"""Ends of a backend that may have been killed, and then could not remove its unfinished files itself."""


RETRIES, RETRY_MS = 8, 250


class BackendAlgorithm(QgsProcessingAlgorithm):
    """Reads layers on the main thread (`prepare`), then waits for the backend in a worker thread without touching the project."""

    def __init__(self) -> None:
        super().__init__()
        self._command: BackendCommand | None = None
        self._patience = Patience()
        self._refusal: SardineError | QgsProcessingException | None = None

    def prepare(self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> None:
        """Copies what the worker needs from the layers. Raises SardineError or QgsProcessingException."""
        raise NotImplementedError

    def process(self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> dict[str, Any]:
        """Runs in the worker thread what was prepared, and returns the outputs."""
        raise NotImplementedError

    def createInstance(self) -> BackendAlgorithm:
        return type(self)()

    def icon(self) -> QIcon:
        return QIcon(self.svgIconPath())

    def svgIconPath(self) -> str:
        return str(ICONS / "sardine.svg")

    def helpUrl(self) -> str:
        return help_url(self.name())

    def prepareAlgorithm(self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> bool:
        """The only place that looks at the project."""
        try:
            self.prepare(parameters, context, feedback)
            self._command = backend_command()
            self._patience = Patience(stalled_s=settings.stall_s())
            feedback.pushDebugInfo(tr("Backend: {python}").format(python=self._command.program))
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
        return self.process(parameters, context, feedback)

    def run_request(
        self, request: Request, outputs: Iterable[str], feedback: QgsProcessingFeedback, listener: JobFeedback | None = None
    ) -> Result:
        """The result of `request`, which writes the files `outputs`; `listener` is told what goes on, by default a `JobFeedback`.

        Raises BackendError, when what the backend printed is in the log and its unfinished files are gone, but for those of a
        request that may be resumed.
        """
        if self._command is None:
            raise not_prepared()
        try:
            return BackendRun(self._command, request, listener or JobFeedback(feedback), self._patience).run()
        except BackendError as error:
            if error.log and error.code is not ErrorCode.CANCELLED:
                feedback.pushDebugInfo(tr("What the backend printed:"))
                feedback.pushDebugInfo(error.log)
            settings_of_run = request.settings if isinstance(request, BatchRequest) else request
            kept = isinstance(settings_of_run, JobRequest) and settings_of_run.resume
            if error.code in PARTS_LEFT_BY and not kept:
                for left in _remove_parts(list(outputs)):
                    feedback.pushWarning(tr("An unfinished file could not be removed: {file}").format(file=left))
            raise

    def run_task(self, request: Request, outputs: Iterable[str], feedback: QgsProcessingFeedback) -> TaskResult:
        """The result of `request`, its lines told to the log. `outputs` are the files that it writes.

        Raises QgsProcessingException, when what the backend printed is in the log and its unfinished files are gone.
        """
        try:
            result = self.run_request(request, outputs, feedback)
        except BackendError as error:
            raise QgsProcessingException(describe(error)) from error
        if not isinstance(result, TaskResult):
            raise QgsProcessingException(tr("The backend answered another request."))
        for line in result.lines:
            feedback.pushInfo(line)
        return result

    def raster_layer(self, parameters: dict[str, Any], name: str, context: QgsProcessingContext) -> QgsRasterLayer | None:
        """The layer of a raster parameter; None where it is left empty. Raises QgsProcessingException for one that is not there."""
        layer = self.parameterAsRasterLayer(parameters, name, context)
        if layer is None and parameters.get(name):
            raise QgsProcessingException(self.invalidRasterError(parameters, name))
        return layer

    def samples(
        self, parameters: dict[str, Any], name: str, field: str, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> str | None:
        """A copy of the features of a vector parameter with their class, as the backend reads it; None where it is left empty.

        Raises SardineError (samples_unreadable), QgsProcessingException.
        """
        source = self.parameterAsSource(parameters, name, context)
        if source is None:
            if parameters.get(name):
                raise QgsProcessingException(self.invalidSourceError(parameters, name))
            return None
        path = QgsProcessingUtils.generateTempFilename("samples.gpkg", context)
        mended = sample_layers.write_samples(source, field, path, context.transformContext())
        if mended:
            feedback.pushWarning(tr("{count} geometries were not valid and were mended.").format(count=mended))
        return path


def _remove_parts(outputs: list[str]) -> list[str]:
    """As `remove_parts`; tried again for a moment, for on Windows a worker of the backend that is just ending holds its files."""
    left = remove_parts(outputs)
    for _ in range(RETRIES):
        if not left:
            break
        QThread.msleep(RETRY_MS)
        left = remove_parts(outputs)
    return left


def class_names(layer: QgsRasterLayer) -> Mapping[str, str]:
    """Names of the codes of a class raster as QGIS shows them, where it shows them as classes; else none.

    A name that is only the code says nothing.
    """
    renderer = layer.renderer()
    if not isinstance(renderer, QgsPalettedRasterRenderer):
        return {}
    found = {str(int(item.value)): item.label for item in renderer.classes() if float(item.value).is_integer()}
    return {code: name for code, name in found.items() if name.strip() and not re.fullmatch(r"[-+\d.,\s]+", name)}


def not_prepared() -> QgsProcessingException:
    """For what cannot be: Processing calls `prepareAlgorithm` first."""
    return QgsProcessingException(tr("The algorithm was not prepared."))


def paragraphs(*texts: str) -> str:
    """`texts` as the help that stands beside a dialog."""
    return "".join(f"<p>{text}</p>" for text in texts)
