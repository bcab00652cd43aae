# SPDX-License-Identifier: GPL-2.0-or-later
"""What the algorithms on many scenes have in common: how scenes are named, in a list, a folder or both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qgis.core import (
    QgsMapLayer,
    QgsProcessing,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterFile,
    QgsProcessingParameterMultipleLayers,
    QgsProcessingParameterString,
)

from ...backend.protocol import SardineError
from ..error_text import describe
from ..layers import request as layer_request
from ..translation import tr
from .batch_scenes import FoundScene, group_sources, scenes_in
from .parameters import helped
from .scene_algorithm import project_raster

DEFAULT_PATTERN = "*.tif;*.tiff"


def scene_parameters(of_subfolders: str) -> list[QgsProcessingParameterDefinition]:
    """SCENES, FOLDER, PATTERN and RECURSIVE; `of_subfolders` says what becomes of scenes of subfolders."""
    return [
        helped(
            QgsProcessingParameterMultipleLayers("SCENES", tr("Scenes"), QgsProcessing.SourceType.TypeRaster, optional=True),
            tr("Raster layers or files with VV and VH, or with one of them each."),
        ),
        helped(
            QgsProcessingParameterFile("FOLDER", tr("Folder of scenes"), QgsProcessingParameterFile.Behavior.Folder, optional=True),
            tr("Its raster files are added to the list above."),
        ),
        helped(
            QgsProcessingParameterString("PATTERN", tr("File names"), DEFAULT_PATTERN, optional=True),
            tr("Which files of the folder: patterns with * and ?, separated by semicolons."),
        ),
        helped(QgsProcessingParameterBoolean("RECURSIVE", tr("Subfolders too"), False), of_subfolders),
    ]


def names_scenes(parameters: dict[str, Any]) -> bool:
    """Whether any scene is named at all."""
    return bool(parameters.get("SCENES") or parameters.get("FOLDER"))


def no_scene_named() -> str:
    """What a person is told where none is."""
    return tr("No scene is named: choose layers or files, or a folder.")


def find_scenes(
    algorithm: QgsProcessingAlgorithm, parameters: dict[str, Any], context: QgsProcessingContext, results: Path | None = None
) -> list[FoundScene]:
    """The scenes of the list, then those of the folder but for what lies in `results`.

    Raises QgsProcessingException where there is none, or the folder cannot be read.
    """
    scenes = [*_listed(parameters.get("SCENES"), project_raster(context)), *_in_folder(algorithm, parameters, context, results)]
    if not scenes:
        raise QgsProcessingException(tr("No scene was found: choose another folder or other file names."))
    return scenes


def _in_folder(
    algorithm: QgsProcessingAlgorithm, parameters: dict[str, Any], context: QgsProcessingContext, results: Path | None
) -> list[FoundScene]:
    folder = algorithm.parameterAsFile(parameters, "FOLDER", context)
    if not folder:
        return []
    pattern = algorithm.parameterAsString(parameters, "PATTERN", context) or DEFAULT_PATTERN
    recursive = algorithm.parameterAsBoolean(parameters, "RECURSIVE", context)
    try:
        return scenes_in(Path(folder).resolve(), pattern, recursive, None if results is None else results.resolve())
    except OSError as error:
        text = tr("The folder {folder} cannot be read ({reason}): choose another.")
        raise QgsProcessingException(text.format(folder=folder, reason=error.strerror)) from error


def _listed(value: Any, lookup: layer_request.LayerLookup) -> list[FoundScene]:
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
            refused.append(FoundScene(layer.name(), (layer.source(),), problem=describe(error)))
    return [*group_sources(sources), *refused]
