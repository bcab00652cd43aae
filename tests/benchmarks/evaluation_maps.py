# SPDX-License-Identifier: GPL-2.0-or-later
"""Radar, map and reference polygons of some scenes as one picture, each mapped by the model of the fold that held its place out.

Run after `evaluate --folds` as

    .venv/bin/python -m tests.benchmarks.evaluation_maps runs/bundled/folds/maps.png --folds runs/bundled/folds --method finetune

and look at it: figures do not tell where a map is wrong.
"""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path

import matplotlib as mpl
import matplotlib.image
import numpy as np
import PIL.Image

from training.evaluate.config import LabelSet
from training.evaluate.maps import BackendMapper, read_radar
from training.evaluate.pictures import picture_of
from training.evaluate.scenes import label_on_grid, list_labelled

mpl.use("Agg")
import matplotlib.pyplot as plt

SCENES = {
    "San Francisco": "SanFrancisco_650",
    "Berlin": "Berlin_IW",
    "Flevoland": "Flevoland_IW",
    "Frankfurt": "Frankfurt_512",
    "Heilongjiang, August": "heilongjiang_aug",
    "Western Slovakia": "slovakia_S1",
    "Para": "s1_-55.20_-4.39_2019_06_08",
    "Brahmaputra": "pxs10_S1",
}
POLYGONS = LabelSet("reference polygons", "polygons", ("training/reference/*.geojson",), "six_groups")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--folds", type=Path, required=True, help="what `evaluate --folds` made")
    parser.add_argument("--method", default="finetune")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    chosen = parser.parse_args()
    held_out = json.loads((chosen.folds / "folds.json").read_text(encoding="utf-8"))["folds"]
    scenes = list_labelled([POLYGONS], chosen.data)
    figure, all_axes = plt.subplots(-(-len(SCENES) // 2), 2, figsize=(11.6, 13), dpi=100)
    for axes, (title, part) in zip(all_axes.ravel(), SCENES.items(), strict=False):
        scene = next(one for one in scenes if part in one.name)
        fold = next(number for number, places in enumerate(held_out) if scene.place.name in places)
        mapper = BackendMapper(chosen.folds / f"fold_{fold}" / f"{chosen.method}_{chosen.seed}.safetensors", "cpu")
        radar = read_radar(scene)
        found = mapper.map(scene, scene.legend)
        png = picture_of(scene, radar.values_db, found, label_on_grid(scene, radar.grid), 280).png
        axes.imshow(matplotlib.image.imread(io.BytesIO(png)))
        axes.set_title(title, fontsize=9)
    for axes in all_axes.ravel():
        axes.set_axis_off()
    figure.tight_layout(pad=0.4)
    pixels = io.BytesIO()
    figure.savefig(pixels)
    pixels.seek(0)
    picture = matplotlib.image.imread(pixels)
    # 256 colours are plenty for maps, and a fifth of the size.
    PIL.Image.fromarray((picture[..., :3] * 255).astype(np.uint8)).quantize(256).save(chosen.picture, optimize=True)


if __name__ == "__main__":
    main()
