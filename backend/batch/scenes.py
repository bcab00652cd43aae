# SPDX-License-Identifier: GPL-2.0-or-later
"""Files, folders and patterns become scenes: two files whose names differ in the polarisation alone are one."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..model_card import POLARISATION
from ..protocol import RASTERS, BandSource, BatchScene, ErrorCode, SardineError
from ..scene.bands import polarisation_of
from ..scene.safe_product import product_path

RASTER_SUFFIXES = (".tif", ".tiff", ".vrt")


def find_scenes(texts: Sequence[str]) -> list[BatchScene]:
    """The scenes that `texts` name: a raster, a product, a folder of them, or a pattern with * and ?.

    Rasters that a batch made of scenes beside them are left out. Two scenes of one name would have the same outputs: the second
    has a problem. Raises SardineError (source_missing) where a text names nothing.
    """
    sources = list(dict.fromkeys(source for text in texts for source in _sources(text)))
    return _apart(_scene(group) for group in group_sources(_without_outputs(sources)))


def group_sources(sources: Iterable[str]) -> list[tuple[str, ...]]:
    """`sources` in groups of one scene, VV before VH, in the order of the first of each."""
    groups: dict[tuple[str, ...], dict[str, str]] = {}
    for source in sources:
        path = Path(source)
        polarisation = polarisation_of(path.stem)
        rest = POLARISATION.sub("", path.stem)
        group = groups.setdefault((str(path.parent), rest, path.suffix), {}) if polarisation else {}
        if polarisation is None or polarisation in group:
            groups[(source,)] = {"": source}
        else:
            group[polarisation] = source
    return [tuple(group[name] for name in sorted(group, reverse=True)) for group in groups.values() if group]


def scene_name(sources: Sequence[str]) -> str:
    """What a scene is called: its file's stem, without the polarisation where it lies in two files.

    >>> scene_name(["x/S1A_VV_may.tif", "x/S1A_VH_may.tif"]), scene_name(["x/S1A.tif"])
    ('S1A_may', 'S1A')
    """
    name = Path(sources[0]).stem
    if len(sources) > 1:
        name = re.sub(r"([_\-. ])[_\-. ]+", r"\1", POLARISATION.sub("", name)).strip("_-. ") or name
    return name


def _sources(text: str) -> list[str]:
    place = Path(text)
    if product_path(text) is not None or place.is_file():
        return [text]
    if place.is_dir():
        found = [str(path) for path in sorted(place.iterdir()) if _is_scene(path)]
    else:
        found = sorted(path for path in glob.glob(text) if _is_scene(Path(path)))  # noqa: PTH207 - Path.glob wants a folder first
    if not found:
        raise SardineError(
            ErrorCode.SOURCE_MISSING,
            f"“{text}” names no scene.",
            f"Rasters ({', '.join(RASTER_SUFFIXES)}), Sentinel-1 products, a folder of them, or a pattern is needed.",
            "Check the path.",
        )
    return found


def _is_scene(path: Path) -> bool:
    if path.suffix.lower() in RASTER_SUFFIXES:
        return path.is_file()
    return product_path(str(path)) is not None


def _without_outputs(sources: Sequence[str]) -> list[str]:
    scenes = [Path(group[0]).parent / scene_name(group) for group in group_sources(sources)]
    outputs = {Path(f"{scene}_{raster}.tif") for scene in scenes for raster in RASTERS}
    return [source for source in sources if Path(source) not in outputs]


def _scene(group: Sequence[str]) -> BatchScene:
    return BatchScene(scene_name(group), tuple(BandSource("", source, 0) for source in group))


def _apart(scenes: Iterable[BatchScene]) -> list[BatchScene]:
    seen: dict[str, BatchScene] = {}
    told = []
    for scene in scenes:
        first = seen.setdefault(scene.name.lower(), scene)
        problem = "" if first is scene else f"Its outputs would have the same names as those of {first.bands[0].path}: rename it."
        told.append(BatchScene(scene.name, scene.bands, problem=problem))
    return told
