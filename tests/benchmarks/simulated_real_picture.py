# SPDX-License-Identifier: GPL-2.0-or-later
"""Real crops beside simulated ones of the same classes, in the same stretch: for `simulated_real`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np

from training.chips.store import SPLITS, ChipSplit, open_store
from training.reference.overlay import composite

mpl.use("Agg")
import matplotlib.pyplot as plt

CROP_PX = 96
CROPS = 4
WIDTH_PX, DPI = 1160, 100
CREDIT = (
    "Red VV -22 to 0 dB, green VH -28 to -6 dB, blue VV - VH 0 to 14 dB; 96 x 96 px of 10 m. Left real: contains modified "
    "Copernicus Sentinel data. Right simulated."
)


def write_picture(path: Path, real: Path, simulated: Path, classes: Mapping[str, Sequence[int]], seed: int = 1) -> None:
    """Writes a PNG: a row a class, real crops on the left, simulated ones on the right.

    Chips are drawn by chance, each of another place; of a chip that part is shown whose middle belongs to the class for the most.
    """
    rng = np.random.default_rng(seed)
    sides = [{name: _crops(folder, codes, rng) for name, codes in classes.items()} for folder in (real, simulated)]
    shown = [name for name in classes if all(len(side[name]) >= CROPS - 1 for side in sides)]
    width = WIDTH_PX / DPI
    figure, axes = plt.subplots(
        len(shown), 2 * CROPS + 1, figsize=(width, width / (2 * CROPS + 1) * len(shown) * 1.13 + 0.5),
        gridspec_kw={"width_ratios": [*[1] * CROPS, 0.12, *[1] * CROPS]},
    )  # fmt: skip
    for row, name in enumerate(shown):
        for column, axis in enumerate(axes[row]):
            axis.set_axis_off()
            if column == CROPS:
                continue
            crops = sides[column > CROPS][name]
            place = column - CROPS - 1 if column > CROPS else column
            if place < len(crops):
                axis.imshow(crops[place], interpolation="nearest")
            if place == 0:
                axis.set_title(f"{name}, {'simulated' if column > CROPS else 'real'}", fontsize=8, loc="left", pad=2)
    figure.text(0.01, 0.006, CREDIT, fontsize=7)
    figure.subplots_adjust(0.005, 0.03, 0.995, 0.97, wspace=0.03, hspace=0.14)
    figure.savefig(path, dpi=DPI)
    plt.close(figure)


def _crops(folder: Path, codes: Sequence[int], rng: np.random.Generator) -> list[np.ndarray]:
    """Up to CROPS pictures [96, 96, 3] around places of a class, each of another place where there are so many."""
    store = open_store(folder)
    values = [value for value, names in store.info.label_sets.items() if len(names) == 1 and names[0] in codes]
    found: dict[str, np.ndarray] = {}
    for split in (store[name] for name in SPLITS):
        for row in rng.permutation(np.flatnonzero(split.index["labelled_share"] > 0)).tolist():
            place = split.index["place"][row]
            crop = None if place in found else _crop(split, row, values)
            if crop is not None:
                found[place] = crop
            if len(found) == CROPS:
                return list(found.values())
    return list(found.values())


def _crop(split: ChipSplit, row: int, values: Sequence[int]) -> np.ndarray | None:
    """The square of a chip whose middle third is of the class most, or None where that is less than a third of it."""
    of_class = np.isin(split.labels[row], values)
    if of_class.sum() < CROP_PX:
        return None
    db = split.read_db(row)[0]
    valid = np.isfinite(db).all(axis=0)
    third = CROP_PX // 3
    best, corner = 0.0, (0, 0)
    for top in range(0, of_class.shape[0] - CROP_PX + 1, 16):
        for left in range(0, of_class.shape[1] - CROP_PX + 1, 16):
            if not valid[top : top + CROP_PX, left : left + CROP_PX].all():
                continue
            share = of_class[top + third : top + 2 * third, left + third : left + 2 * third].mean()
            if share > best:
                best, corner = float(share), (top, left)
    if best < 1 / 3:
        return None
    top, left = corner
    return composite(db[:, top : top + CROP_PX, left : left + CROP_PX], smooth_px=1)
