# SPDX-License-Identifier: GPL-2.0-or-later
"""`sardine:landcover_batch`: scene after scene through the job of `sardine:landcover`, into one folder, with one report."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from qgis.core import (
    QgsMapLayer,
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingMultiStepFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingOutputString,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterEnum,
    QgsProcessingParameterFile,
    QgsProcessingParameterFolderDestination,
    QgsProcessingParameterMultipleLayers,
    QgsProcessingParameterString,
)

from ...backend.protocol import BandSource, ErrorCode, JobRequest, OutputPaths, SardineError
from ..child.backend_process import BackendError
from ..error_text import describe
from ..layers import request as layer_request
from ..translation import tr
from . import parameters as ours
from .backend_algorithm import not_prepared, paragraphs
from .batch_report import CANCELLED, DONE, FAILED, NOT_BEGUN, SKIPPED, SceneOutcome, batch_csv, batch_json, batch_page, count
from .batch_scenes import BatchScene, apart, group_sources, scenes_in
from .job_algorithm import JobAlgorithm, tags
from .parameters import RASTER_OUTPUTS, helped
from .scene_algorithm import project_raster

DEFAULT_PATTERN = "*.tif;*.tiff"

ENDS_ALL = {
    *(code for code in ErrorCode if code.value.startswith(("model_", "interpreter_"))),
    ErrorCode.REQUEST_INVALID,
    ErrorCode.PROTOCOL_MISMATCH,
    ErrorCode.DEVICE_UNAVAILABLE,
    ErrorCode.DISK_FULL,
    ErrorCode.CANCELLED,
} - {ErrorCode.MODEL_OUTPUT_NOT_FINITE}
"""What would meet each scene that follows as well."""


class LandcoverBatchAlgorithm(JobAlgorithm):
    """What its parameters ask for says nothing of how the scenes are worked off: in turn today, side by side some day."""

    def __init__(self) -> None:
        super().__init__()
        self._settings: JobRequest | None = None
        self._jobs: list[tuple[BatchScene, tuple[BandSource, ...]]] = []

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
        folder = QgsProcessingParameterFile.Behavior.Folder
        for parameter in (
            helped(
                QgsProcessingParameterMultipleLayers("SCENES", tr("Scenes"), QgsProcessing.SourceType.TypeRaster, optional=True),
                tr("Raster layers or files with VV and VH, or with one of them each."),
            ),
            helped(
                QgsProcessingParameterFile("FOLDER", tr("Folder of scenes"), folder, optional=True),
                tr("Its raster files are added to the list above."),
            ),
            helped(
                QgsProcessingParameterString("PATTERN", tr("File names"), DEFAULT_PATTERN, optional=True),
                tr("Which files of the folder: patterns with * and ?, separated by semicolons."),
            ),
            helped(
                QgsProcessingParameterBoolean("RECURSIVE", tr("Subfolders too"), False),
                tr("Results of a subfolder go into one of the same name."),
            ),
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
        if good and not parameters.get("SCENES") and not parameters.get("FOLDER"):
            return False, tr("No scene is named: choose layers or files, or a folder.")
        if good and not self.parameterAsEnumStrings(parameters, "OUTPUTS", context):
            return False, tr("No result is asked for: choose at least one.")
        return good, message

    def prepare(self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> None:
        self._settings = self.settings_of(parameters, context)
        lookup = project_raster(context)
        scenes = [*_listed(parameters.get("SCENES"), lookup), *self._in_folder(parameters, context)]
        if not scenes:
            raise QgsProcessingException(tr("No scene was found: choose another folder or other file names."))
        bands = self.parameterAsString(parameters, "BANDS", context)
        self._jobs = [(scene, _bands(scene, bands, lookup)) for scene in apart(scenes)]

    def process(self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> dict[str, Any]:
        folder = Path(self.parameterAsString(parameters, "OUTPUT_FOLDER", context))
        ids = {value: name for name, value in RASTER_OUTPUTS.items()}
        wanted = [ids[value] for value in self.parameterAsEnumStrings(parameters, "OUTPUTS", context)]
        overwrite = self.parameterAsBoolean(parameters, "OVERWRITE", context)
        outcomes = list(self._in_turn(folder, wanted, overwrite, feedback))
        texts = {"SUMMARY": batch_page(outcomes, self.card), "TABLE": batch_csv(outcomes, self.card)}
        files = self.write_files(texts, parameters, context, feedback)
        done, skipped, failed = (count(outcomes, state) for state in (DONE, SKIPPED, FAILED))
        told = tr("{done} scenes done, {skipped} there already, {failed} failed.")
        told = told.format(done=done, skipped=skipped, failed=failed)
        if feedback.isCanceled():
            raise QgsProcessingException(tr("Cancelled. {told} What is done is kept.").format(told=told))
        if not done and not skipped:
            reason = next(outcome.sentence for outcome in outcomes if outcome.state == FAILED)
            raise QgsProcessingException(tr("No scene could be mapped. {reason}").format(reason=reason))
        feedback.pushInfo(told)
        report = batch_json(outcomes)
        return {"OUTPUT_FOLDER": str(folder), **files, "DONE": done, "SKIPPED": skipped, "FAILED": failed, "REPORT": report}

    def _in_folder(self, parameters: dict[str, Any], context: QgsProcessingContext) -> list[BatchScene]:
        folder = self.parameterAsFile(parameters, "FOLDER", context)
        if not folder:
            return []
        pattern = self.parameterAsString(parameters, "PATTERN", context) or DEFAULT_PATTERN
        recursive = self.parameterAsBoolean(parameters, "RECURSIVE", context)
        results = Path(self.parameterAsString(parameters, "OUTPUT_FOLDER", context))
        try:
            return scenes_in(Path(folder).resolve(), pattern, recursive, results.resolve())
        except OSError as error:
            text = tr("The folder {folder} cannot be read ({reason}): choose another.")
            raise QgsProcessingException(text.format(folder=folder, reason=error.strerror)) from error

    def _in_turn(self, folder: Path, wanted: list[str], overwrite: bool, feedback: QgsProcessingFeedback) -> Iterator[SceneOutcome]:
        """The outcome of each scene, one after the other; after an error that would meet all, the others are not begun."""
        steps = QgsProcessingMultiStepFeedback(len(self._jobs), feedback)
        ended = False
        for number, (scene, bands) in enumerate(self._jobs):
            steps.setCurrentStep(number)
            if ended or feedback.isCanceled():
                yield SceneOutcome(scene.name, NOT_BEGUN)
                continue
            text = tr("Scene {number} of {total}: {name}")
            feedback.pushInfo(text.format(number=number + 1, total=len(self._jobs), name=scene.name))
            try:
                outcome = self._map(scene, bands, folder, wanted, overwrite, steps)
            except BackendError as error:
                cancelled = error.code is ErrorCode.CANCELLED
                outcome = SceneOutcome(scene.name, CANCELLED if cancelled else FAILED, "" if cancelled else describe(error))
                ended = error.code in ENDS_ALL
            if outcome.state == FAILED:
                feedback.reportError(f"{scene.name}: {outcome.sentence}", False)
            yield outcome

    def _map(
        self,
        scene: BatchScene,
        bands: tuple[BandSource, ...],
        folder: Path,
        wanted: list[str],
        overwrite: bool,
        feedback: QgsProcessingFeedback,
    ) -> SceneOutcome:
        """One scene through the job of `sardine:landcover`. Raises BackendError."""
        if scene.problem:
            return SceneOutcome(scene.name, FAILED, scene.problem)
        if self._settings is None:
            raise not_prepared()
        paths = {name: str(path) for name, path in scene.paths(folder, wanted).items()}
        missing = {name: path for name, path in paths.items() if overwrite or not Path(path).exists()}
        if not missing:
            feedback.pushInfo(tr("All its results are there already."))
            return SceneOutcome(scene.name, SKIPPED, "", paths)
        place = folder / scene.subfolder
        try:
            place.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            text = tr("The folder {folder} cannot be made ({reason}).")
            return SceneOutcome(scene.name, FAILED, text.format(folder=place, reason=error.strerror))
        outputs = OutputPaths(**{RASTER_OUTPUTS[name]: path for name, path in missing.items()})
        result = self.run_job(dataclasses.replace(self._settings, bands=bands, outputs=outputs), feedback, scene.name)
        return SceneOutcome(scene.name, DONE, "", paths, result)


def _listed(value: Any, lookup: layer_request.LayerLookup) -> list[BatchScene]:
    """The scenes of the list that the parameter holds: layers, their ids or names, or files.

    Not `parameterAsLayerList`: it passes over what cannot be opened, which is to be reported.
    """
    items = value if isinstance(value, (list, tuple)) else [value] if value else []
    sources, refused = [], []
    for item in items:
        layer = item if isinstance(item, QgsMapLayer) else lookup(str(item))
        if layer is None:
            sources.append(str(item))
            continue
        try:
            sources.append(layer_request.raster_source(layer))
        except SardineError as error:
            refused.append(BatchScene(layer.name(), (layer.source(),), problem=describe(error)))
    return [*group_sources(sources), *refused]


def _bands(scene: BatchScene, text: str, lookup: layer_request.LayerLookup) -> tuple[BandSource, ...]:
    """The bands as BANDS says, or to be read off each source. Raises SardineError (request_invalid) for a wrong BANDS."""
    if text.strip():
        return layer_request.parse_bands(text, dict(zip(("INPUT", "INPUT_2"), scene.sources)), lookup)
    return tuple(BandSource("", source, 0) for source in scene.sources)
