# SPDX-License-Identifier: GPL-2.0-or-later
"""Which place a scene shows. Splits and folds go by place: scenes of one place never stand on both sides."""

from __future__ import annotations

import csv
import functools
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

TABLE = Path(__file__).parent / "places.csv"
"""Patterns of scene paths below the data folder. Scenes that share ground are one place, and so are scenes of one region taken
for one by `reference/README.md` ("Places overlap"), the three chips of Ghana and the two of the Brahmaputra. SEN12MS-CR patches
5254, 6780 and 746 go with those of the nearest number: they may be neighbours."""


@dataclass(frozen=True)
class Place:
    name: str
    region: str
    """Continent; `unknown` where the data set does not say where its patches lie."""


def place_of(scene: str) -> Place:
    """The place of the scene at `scene`, its path below the data folder with forward slashes.

    A scene that the table does not know is a place of its own, by its path.
    """
    for pattern, place in _table():
        if fnmatchcase(scene, pattern):
            return place
    return Place(scene, "unknown")


@functools.cache
def _table() -> tuple[tuple[str, Place], ...]:
    with TABLE.open(newline="", encoding="utf-8") as file:
        return tuple((row["scenes"], Place(row["place"], row["region"])) for row in csv.DictReader(file))
