# SPDX-License-Identifier: GPL-2.0-or-later
"""VV and VH levels inside the reference polygons, by class and scene, as a Markdown table.

`python -m training.reference.levels DATA_FOLDER [--split train]`. What the simulator must match is in the rows of split `train`.
"""

from __future__ import annotations

import argparse
import warnings
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.errors import NotGeoreferencedWarning

from training.reference.polygons import Reference, read_references

HEADER = (
    "class",
    "place",
    "scene",
    "split",
    "polygons",
    "pixels",
    "VV",
    "VH",
    "VV-VH",
    "VV sd",
    "VH sd",
    "VV sd of polygons",
    "VH sd of polygons",
)


@dataclass(frozen=True)
class Levels:
    """Statistics of one class in one scene, dB; deviations over pixels and over the medians of polygons (NaN for one polygon)."""

    code: int
    place: str
    scene: str
    split: str
    polygons: int
    pixels: int
    median_vv_db: float
    median_vh_db: float
    median_ratio_db: float
    deviation_db: tuple[float, float]
    deviation_of_polygons_db: tuple[float, float]


def read_bands_db(path: Path, bands: tuple[str, str]) -> npt.NDArray[np.float32]:
    """float32 [2, H, W] dB (VV, VH), NaN nodata. Raises ValueError where the scene lacks one of `bands`."""
    with warnings.catch_warnings():
        # Columns and rows are all that is needed here.
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        file = rasterio.open(path)
    with file:
        missing = [band for band in bands if band not in file.descriptions]
        if missing:
            raise ValueError(f"{path.name} has bands {file.descriptions}, without {missing}.")
        return np.asarray(file.read([file.descriptions.index(band) + 1 for band in bands]), dtype=np.float32)


def levels_of(reference: Reference, data: Path) -> list[Levels]:
    """One entry for each class and date of `reference`, in order of class and date."""
    found = []
    for scene in (reference.scene, *reference.also_valid_for):
        values_db = read_bands_db(data / scene, reference.bands)
        by_class: dict[int, list[npt.NDArray[np.float32]]] = defaultdict(list)
        for polygon in reference.polygons:
            inside = values_db[:, reference.mask(polygon)]  # [2, pixels]
            by_class[polygon.code].append(inside[:, np.isfinite(inside).all(0)])
        for code, parts in by_class.items():
            every = np.concatenate(parts, axis=1)
            medians = np.array([np.median(part, axis=1) for part in parts])  # [polygons, 2]
            spread = medians.std(0) if len(parts) > 1 else np.full(2, np.nan)
            median = np.median(every, axis=1)
            found.append(
                Levels(
                    code,
                    reference.place,
                    Path(scene).stem,
                    reference.split,
                    len(parts),
                    every.shape[1],
                    float(median[0]),
                    float(median[1]),
                    float(np.median(every[0] - every[1])),
                    (float(every[0].std()), float(every[1].std())),
                    (float(spread[0]), float(spread[1])),
                )
            )
    return sorted(found, key=lambda item: (item.code, item.scene))


def table(rows: list[Levels]) -> str:
    """`rows` as Markdown, by class, place and scene."""
    lines = ["| " + " | ".join(HEADER) + " |", "|" + "---|" * len(HEADER)]
    for row in sorted(rows, key=lambda item: (item.code, item.place, item.scene)):
        numbers = (row.median_vv_db, row.median_vh_db, row.median_ratio_db, *row.deviation_db, *row.deviation_of_polygons_db)
        cells = [str(row.code), row.place, row.scene, row.split, str(row.polygons), str(row.pixels)]
        lines.append("| " + " | ".join(cells + ["-" if np.isnan(number) else f"{number:.1f}" for number in numbers]) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder that the references' scene paths start from")
    parser.add_argument("--split", choices=("train", "test"), help="only places of this split")
    given = parser.parse_args()
    print(table([row for item in read_references(split=given.split) for row in levels_of(item, given.data)]))


if __name__ == "__main__":
    main()
