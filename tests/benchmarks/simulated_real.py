# SPDX-License-Identifier: GPL-2.0-or-later
"""Can simulated patches be told from real ones of the same class by simple statistics? A table, and pictures side by side.

    python -m tests.benchmarks.simulated_real --real STORE --simulated STORE --out table.md --picture docs/simulation.png

Patches are squares of 16 x 16 px whose every pixel has both bands and a label that names one class. A place or a simulated scene
gives at most 40 of a class. Logistic regression and a random forest are fitted on four fifths of the places and scenes and asked
about the rest; both sides weigh the same, each place by the root of its patches. 0.5 is a simulation that these statistics cannot
tell from the real world, 1 one that they always can.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tests.benchmarks.simulated_real_picture import write_picture
from training.chips.store import SPLITS, ChipSplit, open_store

CLASSES = {"tree cover": (10,), "open": (20, 30, 40, 100), "built-up": (50,), "bare": (60,), "water": (80,), "wetland": (90,)}
PATCH_PX = 16
STEP_PX = 8
"""Between patches that are looked at: neighbours overlap by half, so that small polygons give some."""
PATCHES_A_PLACE = 40
FEWEST_PLACES, FEWEST_PATCHES = 3, 60
"""Of real patches of a class: below these there is no figure."""
LAGS_PX = (1, 2, 4)
FOLDS = 5

LEVELS = ("VV mean", "VH mean", "VV - VH mean")
STATISTICS = (
    *LEVELS,
    *(f"{band} {name}" for band in ("VV", "VH") for name in ("deviation", "skewness", "local variation")),
    *(f"{band} autocorrelation {lag} px" for band in ("VV", "VH") for lag in LAGS_PX),
    "VV, VH correlation",
)
TEXTURE = tuple(name for name in STATISTICS if name not in LEVELS)


@dataclass(frozen=True)
class Patches:
    """Patches of one class: `values_db` float32 [N, 2, 16, 16], and the place or simulated scene of each, [N] str."""

    values_db: np.ndarray
    places: np.ndarray


def patches_of(folder: Path, places: str, most_places: int | None = None, seed: int = 0) -> dict[str, Patches]:
    """Patches of each of CLASSES, from every split of a store: of places that match `places`, so many of them by chance."""
    rng = np.random.default_rng(seed)
    store = open_store(folder)
    values = {
        name: [value for value, told in store.info.label_sets.items() if len(told) == 1 and told[0] in codes]
        for name, codes in CLASSES.items()
    }
    wanted = {place for split in SPLITS for place in store[split].index["place"].tolist() if re.fullmatch(places, place)}
    some = rng.permutation(sorted(wanted))[:most_places]
    found: dict[str, dict[str, list[np.ndarray]]] = {name: {} for name in CLASSES}
    for split in (store[name] for name in SPLITS):
        for row in np.flatnonzero((split.index["labelled_share"] > 0) & np.isin(split.index["place"], some)):
            for name, squares in _squares(split, int(row), values, rng).items():
                found[name].setdefault(split.index["place"][row], []).extend(squares)
    return {name: _some_of_each(by_place, rng) for name, by_place in found.items()}


def _squares(split: ChipSplit, row: int, values: dict[str, list[int]], rng: np.random.Generator) -> dict[str, list[np.ndarray]]:
    """Up to PATCHES_A_PLACE whole squares of each class of a chip, [2, 16, 16] dB."""
    db, labels = split.read_db(row)[0], split.labels[row]
    valid = np.isfinite(db).all(axis=0)
    found = {}
    for name, of_class in values.items():
        fits = np.isin(labels, of_class) & valid
        whole = np.lib.stride_tricks.sliding_window_view(fits, (PATCH_PX, PATCH_PX))[::STEP_PX, ::STEP_PX].all(axis=(2, 3))
        corners = rng.permutation(np.argwhere(whole) * STEP_PX)[:PATCHES_A_PLACE]
        found[name] = [db[:, top : top + PATCH_PX, left : left + PATCH_PX].copy() for top, left in corners]
    return found


def _some_of_each(by_place: dict[str, list[np.ndarray]], rng: np.random.Generator) -> Patches:
    chosen = {place: [found[i] for i in rng.permutation(len(found))[:PATCHES_A_PLACE]] for place, found in by_place.items()}
    squares = [square for found in chosen.values() for square in found]
    names = np.array([place for place, found in chosen.items() for _ in found], dtype=str)
    return Patches(np.stack(squares) if squares else np.empty((0, 2, PATCH_PX, PATCH_PX), np.float32), names)


def statistics_of(values_db: np.ndarray) -> np.ndarray:
    """STATISTICS of patches [N, 2, 16, 16] in dB: [N, len(STATISTICS)].

    Local variation is the mean over 5 x 5 px windows of deviation over mean in linear power; autocorrelation the mean of that along
    rows and along columns, in dB about the patch's mean; correlation that of the pixels' VV and VH.
    """
    count = len(values_db)
    mean, deviation = values_db.mean(axis=(2, 3)), values_db.std(axis=(2, 3)) + 1e-6  # water at the clip's end may not vary
    unit = (values_db - mean[..., None, None]) / deviation[..., None, None]
    skewness = (unit**3).mean(axis=(2, 3))
    power = 10 ** (values_db.astype(np.float64) / 10)
    local_mean = ndimage.uniform_filter(power, (0, 0, 5, 5))[..., 2:-2, 2:-2]
    local_square = ndimage.uniform_filter(power**2, (0, 0, 5, 5))[..., 2:-2, 2:-2]
    variation = (np.sqrt(np.maximum(local_square - local_mean**2, 0)) / local_mean).mean(axis=(2, 3))
    columns = [mean[:, 0], mean[:, 1], mean[:, 0] - mean[:, 1]]
    for band in (0, 1):
        columns += [deviation[:, band], skewness[:, band], variation[:, band]]
    for band in (0, 1):
        for lag in LAGS_PX:
            along = (unit[:, band, :, :-lag] * unit[:, band, :, lag:]).mean(axis=(1, 2))
            down = (unit[:, band, :-lag] * unit[:, band, lag:]).mean(axis=(1, 2))
            columns.append((along + down) / 2)
    columns.append((unit[:, 0] * unit[:, 1]).mean(axis=(1, 2)))
    found = np.stack(columns, axis=1)
    if found.shape != (count, len(STATISTICS)):
        raise RuntimeError(f"{found.shape[1]} statistics were made, {len(STATISTICS)} are named")
    return found


@dataclass(frozen=True)
class Comparison:
    """One class: areas under the curve of all statistics by both classifiers, of levels and of texture by the forest; and of each
    statistic alone (above 0.5: real is higher), with the medians of both sides.
    """

    name: str
    real: Patches
    simulated: Patches
    logistic: tuple[float, float]
    """Mean and deviation over the folds."""
    forest: tuple[float, float]
    levels: float
    texture: float
    alone: dict[str, tuple[float, float, float]]


def compare(name: str, real: Patches, simulated: Patches) -> Comparison:
    x = statistics_of(np.concatenate([real.values_db, simulated.values_db]))
    is_real = np.repeat([True, False], [len(real.places), len(simulated.places)])
    places = np.concatenate([real.places, simulated.places])
    weights = _place_weights(places, is_real)

    def area(make: Callable[[], object], names: Sequence[str]) -> tuple[float, float]:
        found = _areas_by_place(make, x[:, [STATISTICS.index(name) for name in names]], is_real, places, weights)
        return float(np.mean(found)), float(np.std(found))

    alone = {}
    for column, statistic in enumerate(STATISTICS):
        values = x[:, column]
        medians = [_weighted_median(values[side], weights[side]) for side in (is_real, ~is_real)]
        alone[statistic] = (float(roc_auc_score(is_real, values, sample_weight=weights)), *medians)
    return Comparison(
        name,
        real,
        simulated,
        area(_regression, STATISTICS),
        area(_forest, STATISTICS),
        area(_forest, LEVELS)[0],
        area(_forest, TEXTURE)[0],
        alone,
    )


def _place_weights(places: np.ndarray, is_real: np.ndarray) -> np.ndarray:
    """Both sides weigh the same, and within a side each place by the root of its patches: many tell more, but of one place."""
    _, inverse, counts = np.unique(places, return_inverse=True, return_counts=True)
    weights = 1 / np.sqrt(counts[inverse])
    for side in (is_real, ~is_real):
        weights[side] /= weights[side].sum()
    return weights * len(places) / 2


def _regression() -> object:
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))


def _forest() -> object:
    return RandomForestClassifier(60, min_samples_leaf=10, random_state=0)


def _areas_by_place(make, x, is_real, places, weights) -> list[float]:
    """Area under the curve of answers about places that were not learnt from: one a fold."""
    found = []
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
    for learn, ask in folds.split(x, is_real, places):
        if len(np.unique(is_real[ask])) < 2:
            continue  # fewer real places than folds
        model = make()
        key = "logisticregression__sample_weight" if hasattr(model, "steps") else "sample_weight"
        model.fit(x[learn], is_real[learn], **{key: weights[learn]})
        found.append(roc_auc_score(is_real[ask], model.predict_proba(x[ask])[:, 1], sample_weight=weights[ask]))
    return found


def _weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    order = np.argsort(values)
    summed = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(summed, summed[-1] / 2)])


def as_table(found: Sequence[Comparison]) -> str:
    """Markdown: a line a class; then each statistic that alone tells at least a little."""
    lines = [
        "| class | real: patches, places | simulated: patches, scenes | regression | forest | forest, levels | forest, texture |",
        "|---|---|---|---|---|---|---|",
    ]
    for item in found:
        sizes = [f"{len(side.places)}, {len(np.unique(side.places))}" for side in (item.real, item.simulated)]
        areas = [f"{mean:.2f} ± {spread:.2f}" for mean, spread in (item.logistic, item.forest)]
        lines.append(f"| {item.name} | {' | '.join([*sizes, *areas])} | {item.levels:.2f} | {item.texture:.2f} |")
    lines += ["", "| class | most telling by itself: area, real median against simulated |", "|---|---|"]
    for item in found:
        order = sorted(item.alone, key=lambda name: -abs(item.alone[name][0] - 0.5))[:5]
        told = [
            f"{name} {max(area, 1 - area):.2f} ({real:.2f} / {simulated:.2f})"
            for name, (area, real, simulated) in ((name, item.alone[name]) for name in order)
        ]
        lines.append(f"| {item.name} | {'; '.join(told)} |")
    return "\n".join(lines)


def spread_table(found: Sequence[Comparison]) -> str:
    """Markdown: how levels spread between places, and all medians: what a simulator is set by."""
    lines = ["| class | statistic | area alone | real | simulated |", "|---|---|---|---|---|"]
    for item in found:
        for side_name in LEVELS:
            column = STATISTICS.index(side_name)
            spreads = []
            for side in (item.real, item.simulated):
                values = statistics_of(side.values_db)[:, column]
                medians = [np.median(values[side.places == place]) for place in np.unique(side.places)]
                low, middle, high = np.quantile(medians, [0.1, 0.5, 0.9])
                spreads.append(f"{middle:.1f} ({low:.1f} to {high:.1f})")
            lines.append(
                f"| {item.name} | {side_name} of places, 10 to 90% | {item.alone[side_name][0]:.2f} | {' | '.join(spreads)} |"
            )
        for name in TEXTURE:
            area, real, simulated = item.alone[name]
            lines.append(f"| {item.name} | {name} | {area:.2f} | {real:.2f} | {simulated:.2f} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", type=Path, required=True, help="chip store of real scenes")
    parser.add_argument("--simulated", type=Path, required=True, help="chip store of simulated scenes")
    parser.add_argument("--scenes", type=int, default=60, help="simulated scenes that count, drawn by chance")
    parser.add_argument("--places", default=".*", help="real places that count: a regular expression on the whole name")
    parser.add_argument("--out", type=Path, required=True, help="Markdown to write")
    parser.add_argument("--details", action="store_true", help="every statistic of every class in it too")
    parser.add_argument("--picture", type=Path, help="PNG to write")
    arguments = parser.parse_args()
    real, simulated = patches_of(arguments.real, arguments.places), patches_of(arguments.simulated, ".*", arguments.scenes)
    found = []
    for name in CLASSES:
        count, places = len(real[name].places), len(np.unique(real[name].places))
        if places < FEWEST_PLACES or count < FEWEST_PATCHES:
            print(f"{name}: {count} real patches of {places} places are too few")
            continue
        found.append(compare(name, real[name], simulated[name]))
        print(f"{name}: forest {found[-1].forest[0]:.3f}", flush=True)
    text = as_table(found) + (f"\n\n{spread_table(found)}" if arguments.details else "") + "\n"
    arguments.out.write_text(text, encoding="utf-8")
    print(text)
    if arguments.picture:
        write_picture(arguments.picture, arguments.real, arguments.simulated, CLASSES)


if __name__ == "__main__":
    main()
