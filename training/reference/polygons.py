# SPDX-License-Identifier: GPL-2.0-or-later
"""The reference polygons of `training/reference`: reading them, burning them, agreement with a second interpreter.

The polygons are labels alone; the scenes they were drawn on are not part of the project. `training/reference/README.md` tells
how they were drawn and what to doubt.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rasterio.features import rasterize

FOLDER = Path(__file__).parent

GROUPS: Mapping[int, str] = {10: "tree", 30: "open", 40: "open", 50: "built", 60: "bare", 80: "water", 90: "wetland"}
"""Group of each WorldCover code that the polygons use. Grass and crop are one group: one radar image seldom tells them apart."""

UNLABELLED = 0

SECOND_PASS: Mapping[str, int] = {
    "assam": 8,
    "bourget": 9,
    "chicago_ew": 14,
    "finland_288afc34": 6,
    "heilongjiang": 16,
    "pakistan": 4,
    "sanfrancisco": 23,
    "sen12mscr_2266": 7,
    "sen12mscr_3968": 4,
    "sen12mscr_4294": 5,
    "sen12mscr_5278": 2,
    "sen12mscr_6317": 4,
    "sen12mscr_7657": 3,
    "terramind_denmark": 12,
    "upper_austria_61_40": 3,
}
"""What a second interpreter is asked: every third file of 2026-11-21, each with its highest number of that day. It is kept by
name, so that files and polygons that are added do not change the question that was answered."""


@dataclass(frozen=True)
class ReferencePolygon:
    """One polygon in pixels of its scene: columns to the right and rows downward from the outer corner of the first pixel."""

    number: int
    """Counts from 1 within its file."""
    code: int
    """WorldCover code."""
    group: str
    confidence: str
    """`sure` or `likely`."""
    ring: tuple[tuple[float, float], ...]
    """(column, row) of each corner; the first is repeated at the end."""

    @property
    def geometry(self) -> dict[str, object]:
        return {"type": "Polygon", "coordinates": [list(self.ring)]}


@dataclass(frozen=True)
class Reference:
    """The polygons of one scene."""

    name: str
    scene: str
    """Path of the scene below the data folder."""
    also_valid_for: tuple[str, ...]
    """Other dates on the same grid that the polygons were checked on or that show the same place unchanged."""
    bands: tuple[str, str]
    """Descriptions of the scene's VV and VH bands, in this order."""
    height: int
    width: int
    place: str
    """Splits go by place: scenes of one place share it."""
    split: str
    """`train` (may calibrate and train) or `test` (kept aside)."""
    optical_picture: str | None
    polygons: tuple[ReferencePolygon, ...]

    def mask(self, polygon: ReferencePolygon) -> npt.NDArray[np.bool_]:
        """The pixels whose centre lies inside, bool [H, W]."""
        return np.asarray(rasterize([(polygon.geometry, 1)], (self.height, self.width)) > 0)

    def burn(self, sure_only: bool = False) -> npt.NDArray[np.uint8]:
        """uint8 [H, W]: WorldCover codes, UNLABELLED outside the polygons."""
        kept = [(item.geometry, item.code) for item in self.polygons if item.confidence == "sure" or not sure_only]
        if not kept:
            return np.zeros((self.height, self.width), dtype=np.uint8)
        return np.asarray(rasterize(kept, (self.height, self.width), fill=UNLABELLED, dtype="uint8"))


def read_reference(path: Path) -> Reference:
    """The polygons of one GeoJSON file. Raises ValueError where its coordinates are not columns and rows."""
    document = json.loads(path.read_text(encoding="utf-8"))
    if document.get("coordinate_space") != "column_row":
        raise ValueError(f"{path.name} has coordinates in {document.get('coordinate_space')!r}; 'column_row' is what is read here.")
    polygons = tuple(
        ReferencePolygon(
            number=feature["id"],
            code=feature["properties"]["class"],
            group=feature["properties"]["group"],
            confidence=feature["properties"]["confidence"],
            ring=tuple((float(column), float(row)) for column, row in feature["geometry"]["coordinates"][0]),
        )
        for feature in document["features"]
    )
    vv, vh = document["bands"]
    return Reference(
        name=path.stem,
        scene=document["scene"],
        also_valid_for=tuple(document["also_valid_for"]),
        bands=(vv, vh),
        height=document["height"],
        width=document["width"],
        place=document["place"],
        split=document["split"],
        optical_picture=document["optical_picture"],
        polygons=polygons,
    )


def read_references(folder: Path = FOLDER, split: str | None = None) -> list[Reference]:
    """All references of `folder`, or those of one split, by name."""
    every = [read_reference(path) for path in sorted(folder.glob("*.geojson"))]
    return [item for item in every if split in (None, item.split)]


@dataclass(frozen=True)
class Agreement:
    """How two interpreters named the same outlines, by group."""

    polygons: int
    same: int
    kappa: float
    """Cohen's kappa (Cohen 1960, Educational and Psychological Measurement 20): agreement above chance; 1 is full."""
    differing: tuple[str, ...]
    """One line for each polygon that they name differently."""


def agreement(references: list[Reference], second: Mapping[tuple[str, int], int]) -> Agreement:
    """Compares the first pass with `second`: WorldCover code by (file name without suffix, polygon number).

    Only polygons in `second` count. Raises ValueError for a polygon or a code that is not known, and where nothing is compared.
    """
    first = {(item.name, polygon.number): polygon.code for item in references for polygon in item.polygons}
    problems = [f"{name} has no polygon {number}" for name, number in second if (name, number) not in first]
    problems += [f"{name} {number} has the unknown code {code}" for (name, number), code in second.items() if code not in GROUPS]
    if problems or not second:
        raise ValueError("; ".join(problems) or "No polygon was named in the second pass.")
    names = sorted(set(GROUPS.values()))
    counts = np.zeros((len(names), len(names)), dtype=np.int64)
    differing = []
    for key, code in second.items():
        mine, theirs = GROUPS[first[key]], GROUPS[code]
        counts[names.index(mine), names.index(theirs)] += 1
        if mine != theirs:
            differing.append(f"{key[0]} {key[1]}: first {mine}, second {theirs}")
    total = int(counts.sum())
    observed = float(np.trace(counts)) / total
    by_chance = float(counts.sum(0) @ counts.sum(1)) / total**2
    kappa = (observed - by_chance) / (1 - by_chance) if by_chance < 1 else 1.0
    return Agreement(total, int(np.trace(counts)), kappa, tuple(differing))


def read_second_pass(path: Path) -> dict[tuple[str, int], int]:
    """The answers of a second interpreter, by file and polygon, from a CSV with the columns `file`, `polygon` and `class`.

    A row without a class is left out: the interpreter was not sure.
    """
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {(row["file"], int(row["polygon"])): int(row["class"]) for row in rows if row["class"].strip()}


def blank_second_pass(references: list[Reference]) -> str:
    """The CSV that a second interpreter fills in: the polygons of SECOND_PASS, a row each, the class left open."""
    rows = [
        f"{item.name},{polygon.number},"
        for item in references
        for polygon in item.polygons
        if polygon.number <= SECOND_PASS.get(item.name, 0)
    ]
    return "\n".join(["file,polygon,class", *rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    steps = parser.add_subparsers(dest="step", required=True)
    steps.add_parser("blank", help="print the CSV that a second interpreter fills in")
    agree = steps.add_parser("agree", help="compare a filled CSV with the first pass")
    agree.add_argument("answers", type=Path, help="the CSV, its column `class` filled with WorldCover codes where sure")
    given = parser.parse_args()
    references = read_references()
    if given.step == "blank":
        print(blank_second_pass(references))
        return
    found = agreement(references, read_second_pass(given.answers))
    print(f"{found.same} of {found.polygons} polygons have the same group, Cohen's kappa {found.kappa:.2f}.")
    print("\n".join(found.differing))


if __name__ == "__main__":
    main()
