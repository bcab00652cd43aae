# SPDX-License-Identifier: GPL-2.0-or-later
"""Scenes that reference polygons were drawn on, on all dates that the polygons hold for."""

from __future__ import annotations

from pathlib import Path

from backend.protocol import BandSource, SardineError
from backend.scene.sources import open_raster
from training.chips.config import SourceConfig
from training.chips.readers.files import date_of, orbit_of
from training.chips.scene_items import Found, Refusal, SceneItem
from training.reference.polygons import FOLDER, Reference, read_references


def find(source: SourceConfig, roles: tuple[str, ...]) -> Found:
    """The polygons' scenes below `source.root`. Raises FileNotFoundError for a folder that is not there."""
    if not source.root.is_dir():
        raise FileNotFoundError(f"{source.name}: there is no folder {source.root}")
    items: list[SceneItem] = []
    refused: list[Refusal] = []
    for polygons in read_references(source.polygons or FOLDER):
        for file in (polygons.scene, *polygons.also_valid_for):
            path = source.root / file
            try:
                bands = _bands(path, polygons)
            except SardineError as error:
                refused.append(Refusal(source.name, file, str(error)))
                continue
            ground = polygons.place + "/" + polygons.name if polygons.also_valid_for else ""
            text = " ".join(polygons.bands)
            items.append(
                SceneItem(
                    file,
                    bands,
                    polygons=polygons,
                    place=polygons.place,
                    split=polygons.split if source.split == "polygons" else "",
                    same_ground=ground,
                    date=date_of(file),
                    orbit=orbit_of(text),
                )
            )
    return Found(tuple(items), tuple(refused))


def _bands(path: Path, polygons: Reference) -> tuple[BandSource, ...]:
    """VV and VH, found by the descriptions that the polygons' file gives."""
    dataset = open_raster(str(path))
    try:
        descriptions = [text or "" for text in dataset.descriptions]
    finally:
        dataset.close()
    numbers = [descriptions.index(text) + 1 if text in descriptions else 0 for text in polygons.bands]
    if 0 in numbers:
        return (BandSource("", str(path), 0),)  # the backend says what it misses
    return tuple(BandSource(role, str(path), number) for role, number in zip(("VV", "VH"), numbers, strict=True))


def polygons_by_scene(source: SourceConfig) -> dict[Path, Reference]:
    """The polygons of each scene of `source.polygons`, by the scene's resolved path; empty where the source has none."""
    if source.polygons is None:
        return {}
    root = source.data_root or source.root
    return {
        (root / file).resolve(): item for item in read_references(source.polygons) for file in (item.scene, *item.also_valid_for)
    }
