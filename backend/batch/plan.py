# SPDX-License-Identifier: GPL-2.0-or-later
"""What a batch has to do: of each scene which outputs are there, which are missing, and what is known against it."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from pathlib import Path

from ..output.paths import check_output_paths
from ..protocol import RASTERS, BatchRequest, BatchScene, ErrorCode, JobRequest, OutputPaths, SardineError


@dataclass(frozen=True)
class ScenePlan:
    """One scene: all its outputs, and the request that makes the missing ones; None where all are there or it has a problem."""

    scene: BatchScene
    outputs: dict[str, str]
    request: JobRequest | None


def plan_batch(request: BatchRequest) -> list[ScenePlan]:
    """The plan of each scene, in the order of the request. Folders are made here, once.

    Paths become absolute: workers may have been started in other folders.
    Raises SardineError: request_invalid, output_folder_missing, and what `check_output_paths` raises on table and mosaic.
    """
    unknown = [name for name in request.outputs if name not in RASTERS]
    if unknown or not request.outputs or not request.scenes:
        found = f"The output “{unknown[0]}” is not known." if unknown else "No scene or no output was named."
        raise SardineError(
            ErrorCode.REQUEST_INVALID, found, f"Scenes, and outputs out of {', '.join(RASTERS)}, are needed.", "Correct it."
        )
    if request.mosaic and not {"landcover", "confidence"} <= set(request.outputs):
        raise SardineError(
            ErrorCode.REQUEST_INVALID,
            "A mosaic was asked for without land cover and confidence.",
            "Where scenes overlap, the mosaic takes the one that is surest.",
            "Add both to the outputs.",
        )
    folder = Path(request.folder).absolute()
    settings = request.settings
    mask = None if settings.mask is None else _absolute(settings.mask)
    request = dataclasses.replace(request, settings=dataclasses.replace(settings, model=_absolute(settings.model), mask=mask))
    for place in {folder / scene.subfolder for scene in request.scenes}:
        _make(place)
    check_batch_files(request)
    return [_plan(request, scene, folder) for scene in request.scenes]


def check_batch_files(request: BatchRequest) -> dict[str, Path]:
    """Absolute targets of table and mosaic by name. They tell of the batch as it is, so that a new run replaces them."""
    files = {name: path for name in ("csv", "html", "mosaic") if (path := getattr(request, name))}
    suffixes = {"csv": (".csv",), "html": (".html", ".htm"), "mosaic": (".tif", ".tiff", ".vrt")}
    inputs = [band.path for scene in request.scenes for band in scene.bands] + [request.settings.model]
    return check_output_paths(files, inputs, overwrite=True, suffixes=suffixes)


def output_path(folder: Path, name: str, output: str) -> Path:
    """The file of one output of a scene; what a file name cannot hold is replaced in `name`."""
    stem = re.sub(r'[\\/:*?"<>|\x00-\x1f]+', "_", name).strip(" .") or "scene"
    return folder / f"{stem}_{output}.tif"


def _plan(request: BatchRequest, scene: BatchScene, folder: Path) -> ScenePlan:
    outputs = {name: str(output_path(folder / scene.subfolder, scene.name, name)) for name in request.outputs}
    missing = {name: path for name, path in outputs.items() if request.settings.overwrite or not Path(path).exists()}
    if scene.problem or not missing:
        return ScenePlan(scene, outputs, None)
    bands = tuple(dataclasses.replace(band, path=_absolute(band.path)) for band in scene.bands)
    return ScenePlan(scene, outputs, dataclasses.replace(request.settings, bands=bands, outputs=OutputPaths(**missing)))


def _absolute(path: str) -> str:
    """`path` as seen from anywhere; names that are no file (`NETCDF:…`, `/vsizip/…`) stay as they are."""
    return str(Path(path).absolute()) if Path(path).exists() else path


def _make(place: Path) -> None:
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SardineError(
            ErrorCode.OUTPUT_FOLDER_MISSING,
            f"The folder {place} cannot be made ({error.strerror}).",
            "Outputs go into a folder.",
            "Choose another one.",
        ) from error
