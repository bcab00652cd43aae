# SPDX-License-Identifier: GPL-2.0-or-later
"""`sardine:landcover_batch`: many scenes through the backend's `batch`, into one folder, with one report."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingOutputString,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterEnum,
    QgsProcessingParameterFolderDestination,
)

from ...backend.protocol import BandSource, BatchRequest, BatchScene, ErrorCode, JobRequest
from ..child.backend_process import BackendError
from ..error_text import describe
from ..layers import request as layer_request
from ..translation import tr
from . import parameters as ours
from .backend_algorithm import not_prepared, paragraphs
from .batch_report import BatchFeedback
from .batch_scenes import FoundScene, apart
from .job_algorithm import JobAlgorithm, tags
from .many_scenes import find_scenes, names_scenes, no_scene_named, scene_parameters
from .parameters import RASTER_OUTPUTS, helped
from .scene_algorithm import project_raster


class LandcoverBatchAlgorithm(JobAlgorithm):
    """What its parameters ask for says nothing of how the scenes are worked off: the backend hands them to worker processes."""

    def __init__(self) -> None:
        super().__init__()
        self._settings: JobRequest | None = None
        self._jobs: list[tuple[FoundScene, tuple[BandSource, ...]]] = []

    def name(self) -> str:
        return "landcover_batch"

    def displayName(self) -> str:
        return tr("Land cover of many Sentinel-1 scenes")

    def shortDescription(self) -> str:
        return tr("Maps land cover of each Sentinel-1 radar scene in a folder or list, and reports on all of them.")

    def tags(self) -> list[str]:
        return tags(tr("land cover"), tr("classification"), tr("attention"), tr("batch"), tr("folder"))

    def shortHelpString(self) -> str:
        return paragraphs(
            tr("Maps scene after scene with a Vision Transformer, all with the same settings, into one folder."),
            tr("Two files of a folder whose names differ in VV and VH alone are one scene."),
            tr("Results that exist are kept and only what is missing is made, so that a batch that was stopped can go on."),
            tr("A scene that fails is reported and does not stop the others. Cancel keeps those that are done."),
            tr("The report is a page and a table with a row a scene: state, area, confidence, time, hectares of each class."),
        )

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        for parameter in (
            *scene_parameters(tr("Results of a subfolder go into one of the same name.")),
            ours.model_file(),
            helped(
                QgsProcessingParameterEnum(
                    "OUTPUTS",
                    tr("Results"),
                    list(RASTER_OUTPUTS.values()),
                    True,
                    ["landcover", "confidence"],
                    usesStaticStrings=True,
                ),
                tr("The rasters to make of each scene."),
            ),
            helped(
                QgsProcessingParameterBoolean("OVERWRITE", tr("Make anew what exists"), False),
                tr("Otherwise results that exist are kept, and only what is missing is made."),
            ),
            ours.mask(),
            *ours.settings(),
            ours.advanced(ours.attention_heads()),
            ours.resume(),
            helped(
                QgsProcessingParameterFolderDestination("OUTPUT_FOLDER", tr("Folder for the results")),
                tr("Results are called <scene>_landcover.tif and so on."),
            ),
            ours.file_output(
                "SUMMARY", tr("Report"), tr("HTML files (*.html)"), tr("A page with a row a scene, to read or print."), True
            ),
            ours.file_output("TABLE", tr("Report as table"), tr("CSV files (*.csv)"), tr("The same as CSV."), True),
        ):
            self.addParameter(parameter)
        for name, label in (("DONE", tr("Scenes done")), ("SKIPPED", tr("Scenes there already")), ("FAILED", tr("Scenes failed"))):
            self.addOutput(QgsProcessingOutputNumber(name, label))
        self.addOutput(QgsProcessingOutputString("REPORT", tr("Report (JSON)")))

    def checkParameterValues(self, parameters: dict[str, Any], context: QgsProcessingContext) -> tuple[bool, str]:
        # Of the list QGIS would open each raster, and refuse all for one that is not there.
        good, message = super().checkParameterValues({**parameters, "SCENES": None}, context)
        if good and not names_scenes(parameters):
            return False, no_scene_named()
        if good and not self.parameterAsEnumStrings(parameters, "OUTPUTS", context):
            return False, tr("No result is asked for: choose at least one.")
        return good, message

    def prepare(self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> None:
        self._settings = self.settings_of(parameters, context)
        lookup = project_raster(context)
        scenes = find_scenes(self, parameters, context, Path(self.parameterAsString(parameters, "OUTPUT_FOLDER", context)))
        bands = self.parameterAsString(parameters, "BANDS", context)
        self._jobs = [(scene, _bands(scene, bands, lookup)) for scene in apart(scenes)]

    def process(self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> dict[str, Any]:
        folder = Path(self.parameterAsString(parameters, "OUTPUT_FOLDER", context))
        ids = {value: name for name, value in RASTER_OUTPUTS.items()}
        wanted = [ids[value] for value in self.parameterAsEnumStrings(parameters, "OUTPUTS", context)]
        files = {name: self.parameterAsFileOutput(parameters, name, context) for name in ("SUMMARY", "TABLE")}
        files = {name: path for name, path in files.items() if path}
        request = self._request(folder, wanted, self.parameterAsBoolean(parameters, "OVERWRITE", context), files)
        outputs = [str(path) for scene, _ in self._jobs for path in scene.paths(folder, wanted).values()]
        told = BatchFeedback(feedback, {scene.problem for scene, _ in self._jobs})
        try:
            self.run_request(request, outputs, feedback, told)
        except BackendError as error:
            if error.code is ErrorCode.CANCELLED:
                raise QgsProcessingException(tr("Cancelled. {told} What is done is kept.").format(told=_counts(told))) from error
            reason = describe(error)
            if not told.count("done") and not told.count("skipped"):
                raise QgsProcessingException(tr("No scene could be mapped. {reason}").format(reason=reason)) from error
            raise QgsProcessingException(f"{reason} {_counts(told)}") from error
        done, skipped, failed = (told.count(state) for state in ("done", "skipped", "failed"))
        if not done and not skipped:
            reason = next(told.sentence(outcome) for outcome in told.outcomes if outcome.state == "failed")
            raise QgsProcessingException(tr("No scene could be mapped. {reason}").format(reason=reason))
        feedback.pushInfo(_counts(told))
        files = {name: path for name, path in files.items() if Path(path).exists()}
        return {"OUTPUT_FOLDER": str(folder), **files, "DONE": done, "SKIPPED": skipped, "FAILED": failed, "REPORT": told.json()}

    def _request(self, folder: Path, wanted: list[str], overwrite: bool, files: dict[str, str]) -> BatchRequest:
        if self._settings is None:
            raise not_prepared()
        return BatchRequest(
            scenes=tuple(BatchScene(scene.name, bands, scene.subfolder, scene.problem) for scene, bands in self._jobs),
            folder=str(folder),
            settings=dataclasses.replace(self._settings, overwrite=overwrite),
            outputs=tuple(RASTER_OUTPUTS[name] for name in wanted),
            csv=files.get("TABLE"),
            html=files.get("SUMMARY"),
        )


def _bands(scene: FoundScene, text: str, lookup: layer_request.LayerLookup) -> tuple[BandSource, ...]:
    """The bands as BANDS says, or to be read off each source. Raises SardineError (request_invalid) for a wrong BANDS."""
    if text.strip():
        return layer_request.parse_bands(text, dict(zip(("INPUT", "INPUT_2"), scene.sources)), lookup)
    return tuple(BandSource("", source, 0) for source in scene.sources)


def _counts(told: BatchFeedback) -> str:
    text = tr("{done} scenes done, {skipped} there already, {failed} failed.")
    return text.format(done=told.count("done"), skipped=told.count("skipped"), failed=told.count("failed"))
