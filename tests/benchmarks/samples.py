# SPDX-License-Identifier: GPL-2.0-or-later
"""Is it worth it? How good a map of unseen chips gets from few polygons, with and without the network's features.

    python -m tests.benchmarks.samples --scenes FOLDER --out docs/samples_table.md

FOLDER holds `scene_<n>.tif` (VV and VH in dB) with `label_<n>.tif` of class codes, 0 unlabelled, or the pairs are named with
`--pair SCENE LABEL`. In each draw a random half of the chips is trained on: so many small polygons of each class (squares of
9 x 9 px around a random pixel, cut to its class). The other half is mapped, and judged on random pixels of the whole chips by macro
F1. All sets of features and both encoders see the same polygons and pixels, so that their differences are paired.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
import torch
from scipy import stats

from backend.classification.classifier_fit import _estimator, _fitted
from backend.features.extract import Context, features_of, open_input
from backend.features.pixels import GROUPS, PixelFeatures
from backend.grid import PixelWindow
from backend.model_card import read_header
from backend.network.model import build_model
from backend.network.model_file import save_model
from backend.protocol import BandSource, SceneInput
from tests.benchmarks.inference import starter_model

SETS = {"dB": ("db",), "dB + attention": ("attention", "db"), "dB + tokens": ("tokens", "db"), "all": GROUPS}
SIDE_PX = 9
PIXELS_A_POLYGON = 20
TEST_PIXELS = 2000
CONTEXT = Context(lambda _message: None, lambda: False)


@dataclass(frozen=True)
class Chip:
    """`x` float32 [features, H * W] of one encoder, `label` int [H, W] with 0 where there is none or no data."""

    x: np.ndarray
    label: np.ndarray


def read_chips(pairs: Sequence[tuple[Path, Path]], model: Path, cache: Path, water: bool) -> tuple[list[Chip], tuple[str, ...]]:
    """All chips with the features of `model`, in the basis of the first of them; and the names of the features."""
    chips: list[Chip] = []
    names: tuple[str, ...] = ()
    basis = None
    for scene_path, label_path in pairs:
        source = SceneInput((BandSource("", str(scene_path), 0),), str(model), units="db", cache=str(cache))
        with open_input(source) as (scene, card), features_of(scene, card, source, CONTEXT, basis) as file:
            basis = file.basis
            features = PixelFeatures(scene, card.bands, scene.roles, file, GROUPS)
            names = features.names
            x, valid = features.read(PixelWindow(0, 0, scene.grid.height, scene.grid.width))
            with rasterio.open(label_path) as labels:
                label = labels.read(1).astype(int)
            if water:  # 0 land, 1 water, 255 not known
                label = np.where(label == 255, 0, label + 1)
            if scene.warp_note:  # the label as it lies there, by nearest neighbour
                label = on_grid(label_path, scene, water)
            chips.append(Chip(x.reshape(len(x), -1), np.where(valid, label, 0)))
    return chips, names


def on_grid(path: Path, scene, water: bool) -> np.ndarray:
    """The label raster on the scene's grid."""
    from rasterio.enums import Resampling
    from rasterio.vrt import WarpedVRT

    grid = scene.grid
    transform = rasterio.Affine(grid.pixel_width, 0, grid.origin_x, 0, -grid.pixel_height, grid.origin_y)
    with rasterio.open(path) as file:
        nodata = 255 if water else 0
        options = {"crs": scene.crs, "transform": transform, "height": grid.height, "width": grid.width}
        with WarpedVRT(file, **options, resampling=Resampling.nearest, src_nodata=nodata, nodata=nodata) as vrt:
            label = vrt.read(1).astype(int)
    return np.where(label == 255, 0, label + 1) if water else label


def draw_polygons(chips: Sequence[Chip], train: Sequence[int], classes: Sequence[int], count: int, rng: np.random.Generator):
    """(chip, flat pixel, class) of `count` polygons a class."""
    taken: list[tuple[int, np.ndarray, int]] = []
    for code in classes:
        places = [(chip, np.flatnonzero(chips[chip].label == code)) for chip in train]
        sizes = np.array([len(pixels) for _, pixels in places])
        for _ in range(count):
            chip, pixels = places[rng.choice(len(places), p=sizes / sizes.sum())]
            label = chips[chip].label
            row, column = divmod(int(rng.choice(pixels)), label.shape[1])
            half = SIDE_PX // 2
            rows, columns = slice(max(row - half, 0), row + half + 1), slice(max(column - half, 0), column + half + 1)
            inside = np.argwhere(label[rows, columns] == code) + np.array((rows.start, columns.start))
            flat = inside[:, 0] * label.shape[1] + inside[:, 1]
            taken.append((chip, rng.choice(flat, min(PIXELS_A_POLYGON, len(flat)), replace=False), code))
    return taken


def macro_f1(truth: np.ndarray, found: np.ndarray, classes: Sequence[int]) -> float:
    scores = []
    for code in classes:
        hits = np.count_nonzero((truth == code) & (found == code))
        both = np.count_nonzero(truth == code) + np.count_nonzero(found == code)
        if np.count_nonzero(truth == code):
            scores.append(2 * hits / both)
    return float(np.mean(scores))


def random_encoder(model: Path, folder: Path) -> Path:
    """A model file of the same sizes with random weights."""
    card = read_header(model).card
    torch.manual_seed(0)
    path = folder / "random.safetensors"
    save_model(path, dataclasses.replace(card, name="random weights"), build_model(card))
    return path


def measure(pairs, model: Path, cache: Path, *, draws: int, counts: Sequence[int], methods: Sequence[str], water: bool):
    """Macro F1 [draws] by (method, polygons a class, encoder, set of features)."""
    with tempfile.TemporaryDirectory() as folder:
        started_s = time.monotonic()
        by_encoder = {}
        for encoder, path in (("starter", model), ("random", random_encoder(model, Path(folder)))):
            by_encoder[encoder] = read_chips(pairs, path, cache, water)
            print(f"features of {len(pairs)} chips, {encoder}: {time.monotonic() - started_s:.0f} s", flush=True)
    scores: dict[tuple[str, int, str, str], list[float]] = {}
    chips = by_encoder["starter"][0]
    for draw in range(draws):
        rng = np.random.default_rng(draw)
        order = rng.permutation(len(chips))
        train, test = order[: len(order) // 2].tolist(), order[len(order) // 2 :].tolist()
        present = [set(np.unique(chips[chip].label[chips[chip].label > 0]).tolist()) for chip in range(len(chips))]
        classes = sorted(set().union(*(present[chip] for chip in train)) & set().union(*(present[chip] for chip in test)))
        judged = [(chip, rng.permutation(np.flatnonzero(np.isin(chips[chip].label, classes)))[:TEST_PIXELS]) for chip in test]
        truth = np.concatenate([chips[chip].label.ravel()[flat] for chip, flat in judged])
        polygons = draw_polygons(chips, train, classes, max(counts), rng)
        for count in counts:
            some = [item for code in classes for item in [p for p in polygons if p[2] == code][:count]]
            y = np.concatenate([np.full(len(flat), code) for _, flat, code in some])
            for encoder, (own, names) in by_encoder.items():
                x = np.concatenate([own[chip].x[:, flat].T for chip, flat, _ in some])
                unseen = np.concatenate([own[chip].x[:, flat].T for chip, flat in judged])
                for name, groups in SETS.items():
                    if encoder == "random" and name == "dB":
                        continue
                    columns = [i for i, feature in enumerate(names) if feature.split(":")[0] in groups]
                    for method in methods:
                        if method != methods[0] and (encoder == "random" or name not in ("dB", "all")):
                            continue
                        estimator = _fitted(_estimator(method, draw, 100, 60), x[:, columns], y)
                        score = macro_f1(truth, estimator.predict(unseen[:, columns]), classes)
                        scores.setdefault((method, count, encoder, name), []).append(score)
        print(f"draw {draw + 1} of {draws}: {time.monotonic() - started_s:.0f} s", flush=True)
    return {key: np.array(values) for key, values in scores.items()}


def interval(differences: np.ndarray) -> float:
    """Half a 95% interval of the mean, by Student's t over draws."""
    return float(stats.t.ppf(0.975, len(differences) - 1) * differences.std(ddof=1) / np.sqrt(len(differences)))


def as_table(scores, counts: Sequence[int], methods: Sequence[str]) -> str:
    """Markdown: macro F1, and the paired difference to dB alone with its interval."""
    lines = ["| method | encoder | features | " + " | ".join(f"{n} polygons a class" for n in counts) + " |"]
    lines.append("|---|---|---|" + "---|" * len(counts))
    for method in methods:
        for encoder in ("starter", "random"):
            for name in SETS:
                cells = []
                for count in counts:
                    values = scores.get((method, count, encoder, name))
                    if values is None:
                        break
                    cell = f"{values.mean():.3f}"
                    if name != "dB":
                        difference = values - scores[method, count, "starter", "dB"]
                        cell += f" ({difference.mean():+.3f} ± {interval(difference):.3f})"
                    cells.append(cell)
                if cells:
                    lines.append(f"| {method} | {'–' if name == 'dB' else encoder} | {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=Path, help="folder of scene_<n>.tif and label_<n>.tif")
    parser.add_argument("--pair", nargs=2, type=Path, action="append", default=[], metavar=("SCENE", "LABEL"))
    parser.add_argument("--water", action="store_true", help="labels are 0 land, 1 water, 255 not known")
    parser.add_argument("--last", type=int, default=12, help="how many of the folder's last scenes")
    parser.add_argument("--model", type=Path, default=starter_model(), help="a model file; the starter if left out")
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--polygons", type=int, nargs="+", default=[3, 10, 30])
    parser.add_argument("--methods", nargs="+", default=["forest", "logistic"])
    parser.add_argument("--cache", type=Path, required=True, help="folder for features")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    pairs = list(arguments.pair)
    if arguments.scenes:
        scenes = sorted(arguments.scenes.glob("scene_*.tif"))[-arguments.last :]
        pairs += [(scene, scene.with_name(scene.name.replace("scene", "label"))) for scene in scenes]
    scores = measure(
        pairs, arguments.model, arguments.cache,
        draws=arguments.draws, counts=arguments.polygons, methods=arguments.methods, water=arguments.water,
    )  # fmt: skip
    table = as_table(scores, arguments.polygons, arguments.methods)
    arguments.out.write_text(f"{len(pairs)} chips, {arguments.draws} draws\n\n{table}\n", encoding="utf-8")
    print(table)


if __name__ == "__main__":
    main()
