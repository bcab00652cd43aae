# SPDX-License-Identifier: GPL-2.0-or-later
"""M3LEO: `<area>/<area>_partitions_aschips_<hash>/<data set>/<tile>.tif`, tile ids shared between data sets, and a CSV
`identifier, split` (Allen et al. 2024, arXiv 2406.04230). Radar is in the data sets whose name begins with s1grd, WorldCover in
those that name it. Bands are named by season, polarisation and orbit direction.
"""

from __future__ import annotations

import re
from pathlib import Path

from backend.protocol import SardineError
from training.chips.config import SourceConfig
from training.chips.readers.files import below, date_of, file_place, orbit_of, place_by_name
from training.chips.readers.looks import looks_of
from training.chips.scene_items import Found, Refusal, SceneItem

RADAR = re.compile(r"(s1grd|s1_?grd|sentinel-?1|s1)(?![a-z])", re.IGNORECASE)
WORLDCOVER = re.compile(r"(esa)?[-_]?world[-_]?cover", re.IGNORECASE)


def find(source: SourceConfig, roles: tuple[str, ...]) -> Found:
    """Tiles of all areas below the root, with WorldCover where it has the tile. Raises FileNotFoundError where there are none."""
    partitions = sorted(path for path in source.root.glob("**/*_partitions_aschips_*") if path.is_dir())
    if not partitions:
        raise FileNotFoundError(f"{source.name}: {source.root} holds no folder <area>_partitions_aschips_<hash>")
    items: list[SceneItem] = []
    refused: list[Refusal] = []
    for folder in partitions:
        data_sets = sorted(path for path in folder.iterdir() if path.is_dir())
        radar = [path for path in data_sets if RADAR.match(path.name)]
        covers = [path for path in data_sets if WORLDCOVER.search(path.name)]
        if not radar:
            refused.append(Refusal(source.name, below(source, folder), "it holds no radar data set (s1grd…)"))
        for path in (tile for data_set in radar for tile in sorted(data_set.glob("*.tif"))):
            file = below(source, path)
            label = next((cover / path.name for cover in covers if (cover / path.name).is_file()), None)
            try:
                looks = looks_of([path], source.bands, roles)
            except SardineError as error:
                refused.append(Refusal(source.name, file, str(error)))
                continue
            if covers and label is None:
                refused.append(Refusal(source.name, file, f"no {covers[0].name} holds this tile; it is used without a label"))
            area = folder.name.split("_partitions_aschips_")[0]
            # The tile is the place, whichever data set (year) it is seen in.
            place = place_by_name(source, file)
            if place == file_place(source, file):
                place = f"{source.name}/{area}/{path.stem}"
            for look in looks:
                items.append(
                    SceneItem(
                        file=file,
                        bands=look.bands,
                        labels=(label,) if label else (),
                        place=place,
                        same_ground=f"{area}/{path.stem}",
                        date=date_of(look.words, file),
                        orbit=orbit_of(look.words),
                    )
                )
    return Found(tuple(items), tuple(refused))


def split_file(source: SourceConfig) -> Path | None:
    """The CSV `identifier, split` beside the data, where the configuration names none."""
    for path in sorted(Path(source.root).glob("**/*.csv")):
        with path.open(encoding="utf-8", errors="replace") as file:
            columns = {name.strip().lower() for name in file.readline().split(",")}
        if {"identifier", "split"} <= columns:
            return path
    return None
