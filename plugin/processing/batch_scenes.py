# SPDX-License-Identifier: GPL-2.0-or-later
"""Which files are the scenes of a batch, and what their results are called."""

from __future__ import annotations

import dataclasses
import fnmatch
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..layers.output_names import result_path
from ..panel.band_guess import split_polarisation
from ..translation import tr
from .parameters import RASTER_OUTPUTS


@dataclass(frozen=True)
class FoundScene:
    """One scene: the sources that hold it (VV before VH where there are two), and where below the output folder it goes.

    `problem` is a sentence on why it cannot be mapped; empty where nothing is known against it.
    """

    name: str
    sources: tuple[str, ...]
    subfolder: str = ""
    problem: str = ""

    def paths(self, folder: Path, outputs: Iterable[str]) -> dict[str, Path]:
        """The file of each raster, by parameter id."""
        return {name: result_path(folder / self.subfolder, self.name, RASTER_OUTPUTS[name]) for name in outputs}


def scenes_in(folder: Path, pattern: str, recursive: bool, results: Path | None = None) -> list[FoundScene]:
    """The scenes in the files of `folder` that match one of the patterns (separated by semicolons; case does not matter).

    Results of ours that lie beside their scenes are left out, and all that lies in the folder `results` below `folder`.
    Raises OSError where the folder cannot be read.
    """
    patterns = [part.strip().lower() for part in pattern.split(";") if part.strip()]
    below = folder.rglob("*") if recursive else folder.iterdir()
    files = [path for path in below if any(fnmatch.fnmatchcase(path.name.lower(), part) for part in patterns) and path.is_file()]
    by_place: dict[Path, list[Path]] = {}
    if results is not None and folder in results.parents:
        files = [path for path in files if results not in path.parents]
    for path in sorted(files, key=lambda path: (path.parent, path.name)):
        by_place.setdefault(path.parent, []).append(path)
    return [
        dataclasses.replace(scene, subfolder="" if place == folder else str(place.relative_to(folder)))
        for place, beside in by_place.items()
        for scene in group_sources([str(path) for path in _without_results(beside)])
    ]


def group_sources(sources: Sequence[str]) -> list[FoundScene]:
    """The scenes in `sources`: files of one folder whose names differ in the polarisation alone are one scene."""
    groups: dict[tuple[str, ...], dict[str, str]] = {}
    for source in sources:
        path = Path(source)
        rest, polarisation = split_polarisation(path.stem)
        group = groups.setdefault((str(path.parent), rest, path.suffix), {})
        if polarisation and polarisation not in group:
            group[polarisation] = source
        else:
            groups[(source,)] = {"": source}
    return [_scene(group) for group in groups.values() if group]


def apart(scenes: Iterable[FoundScene]) -> list[FoundScene]:
    """`scenes`, each once, where one whose results would have the names of an earlier one's has a problem."""
    seen: dict[tuple[str, str], FoundScene] = {}
    sources: set[tuple[str, ...]] = set()
    told = []
    for scene in scenes:
        real = tuple(os.path.realpath(source) for source in scene.sources)
        if real in sources:
            continue  # it is in the list and in the folder
        sources.add(real)
        first = seen.setdefault((scene.subfolder, scene.name.lower()), scene)
        if first is not scene:
            text = tr("Its results would have the same names as those of {source}: rename it, or map it apart.")
            scene = dataclasses.replace(scene, problem=scene.problem or text.format(source=first.sources[0]))
        told.append(scene)
    return told


def _without_results(files: Sequence[Path]) -> list[Path]:
    """`files` of one folder without those that a batch into the same folder makes of the others."""
    results = {
        path
        for scene in group_sources([str(file) for file in files])
        for path in scene.paths(files[0].parent, RASTER_OUTPUTS).values()
    }
    return [path for path in files if path not in results]


def _scene(group: Mapping[str, str]) -> FoundScene:
    # "vv" before "vh", as the algorithms on one scene have it: INPUT, INPUT_2.
    sources = tuple(group[polarisation] for polarisation in sorted(group, reverse=True))
    name = Path(sources[0]).stem
    if len(sources) > 1:
        rest, _ = split_polarisation(name)
        name = re.sub(r"([_\-. ])[_\-. ]+", r"\1", rest).strip("_-. ") or name
    return FoundScene(name, sources)
