# SPDX-License-Identifier: GPL-2.0-or-later
"""Folders of scenes, with label rasters beside them or over them. Most published layouts are this with other names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from backend.protocol import SardineError
from training.chips.config import SourceConfig
from training.chips.readers.files import below, date_of, ground_by_name, list_files, orbit_of, place_by_name
from training.chips.readers.looks import looks_of, pair_files
from training.chips.readers.reference import polygons_by_scene
from training.chips.scene_items import Found, Refusal, SceneItem


def find(source: SourceConfig, roles: tuple[str, ...]) -> Found:
    """The scenes that `source.files` name. Raises FileNotFoundError for a folder that is not there."""
    items: list[SceneItem] = []
    refused: list[Refusal] = []
    paths = list_files(source)
    over_all = tuple(sorted(path for pattern in source.label_rasters for path in source.root.glob(pattern)))
    drawn = polygons_by_scene(source)
    # Label rasters that match the pattern of scenes are labels.
    labels = {label for path in paths for label in label_beside(source, path)} | set(over_all)
    for group in pair_files([path for path in paths if path not in labels]):
        file = below(source, group[0])
        try:
            looks = looks_of(group, source.bands, roles)
        except SardineError as error:
            refused.append(Refusal(source.name, file, str(error)))
            continue
        beside = label_beside(source, group[0])
        missing = [label.name for label in beside if not label.is_file()]
        if missing:
            refused.append(Refusal(source.name, file, f"its label {missing[0]} is not there; the scene is used without"))
        polygons = drawn.get(group[0].resolve())
        for look in looks:
            items.append(
                SceneItem(
                    file=file,
                    bands=look.bands,
                    labels=(*over_all, *(label for label in beside if label.is_file())),
                    polygons=polygons,
                    place=polygons.place if polygons is not None else place_by_name(source, file),
                    split=polygons.split if polygons is not None and source.split == "polygons" else "",
                    same_ground=ground_by_name(source, file),
                    date=date_of(look.words, file),
                    orbit=orbit_of(look.words, file),
                )
            )
    return Found(tuple(items), tuple(refused))


def find_dfc2020(source: SourceConfig, roles: tuple[str, ...]) -> Found:
    """DFC2020 and SEN12MS: the label is the `dfc` raster where there is one, else band 1 of the `lc` raster."""
    found = find(source, roles)
    items = []
    for item in found.items:
        choices = [(source.root / _other_layer(item.file, layer), legend) for layer, legend in (("dfc", "dfc2020"), ("lc", "igbp"))]
        chosen = next(((path, legend) for path, legend in choices if path.is_file()), None)
        if chosen is not None:
            item = replace(item, labels=(chosen[0],), legend=source.legend or chosen[1])
        items.append(item)
    return Found(tuple(items), found.refused)


def _other_layer(file: str, layer: str) -> str:
    """s1_validation/ROIs0000_validation_s1_0_p0.tif -> dfc_validation/ROIs0000_validation_dfc_0_p0.tif."""
    return re.sub(r"(^|/)s1_", rf"\1{layer}_", file).replace("_s1_", f"_{layer}_")


def label_beside(source: SourceConfig, path: Path) -> tuple[Path, ...]:
    """The label of a scene by `label_replace`; none where no pattern applies to its name."""
    file = below(source, path)
    changed = _replaced(file, source.label_replace.items())
    return () if changed == file else (source.root / changed,)


def _replaced(text: str, rules: Iterable[tuple[str, str]]) -> str:
    for pattern, replacement in rules:
        text = re.sub(pattern, replacement, text)
    return text
