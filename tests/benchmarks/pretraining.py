# SPDX-License-Identifier: GPL-2.0-or-later
"""Does pre-training beat a random encoder? k-NN accuracy of crops of simulated scenes that none saw, of enough to decide it.

    python -m tests.benchmarks.pretraining --encoder RUN --bank STORE --queries STORE

The class of a crop is its commonest label. Neighbours are training crops of BANK, queries the crops of QUERIES' test split, four a
chip. Encoders are frozen; random ones have the same form. The interval of the difference draws scenes with replacement, for all
encoders alike.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import numpy as np

from training.chips.store import open_store
from training.study.config import StudyConfig
from training.study.crops import CropSet, cut_crops
from training.study.embedding import _neighbours, classed
from training.study.encoders import FrozenEncoder, extract, random_encoder, read_encoder
from training.study.probes import Look

OF_CROPS = ("x", "patch_labels", "patch_valid", "chips", "places")
PART = 512
"""Crops that are run at a time: their patch tokens are dropped before the next."""


def classes_of(encoder: FrozenEncoder, crops: CropSet) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Class tokens, classes and places of the crops that have a class."""
    parts = []
    for start in range(0, len(crops), PART):
        rows = slice(start, start + PART)
        part = dataclasses.replace(crops, **{name: getattr(crops, name)[rows] for name in OF_CROPS})
        parts.append(classed(Look(part, extract(encoder, part))))
    tokens, classes, places = (np.concatenate([part[number] for part in parts]) for number in range(3))
    return tokens, classes, places


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", type=Path, required=True, help="run folder of pretrain")
    parser.add_argument("--bank", type=Path, required=True, help="chip store whose train split is searched for neighbours")
    parser.add_argument("--queries", type=Path, required=True, help="chip store whose test split is asked")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of random encoders")
    parser.add_argument("--draws", type=int, default=2000)
    chosen = parser.parse_args()
    pretrained, card = read_encoder(chosen.encoder)
    config = StudyConfig(Path("unused"), chosen.encoder, chosen.bank)
    bank = cut_crops([open_store(chosen.bank)["train"]], config, card, config.train_crops_per_side, config.train_chips)
    queries = cut_crops([open_store(chosen.queries)["test"]], config, card, config.crops_per_side, None)
    right = {}
    for encoder in (pretrained, *(random_encoder(card, seed) for seed in chosen.seeds)):
        tokens, classes, _ = classes_of(encoder, bank)
        asked, answers, places = classes_of(encoder, queries)
        right[encoder.name] = _neighbours(tokens, classes, asked) == answers
        print(f"{encoder.name:12} {right[encoder.name].mean():.4f}", flush=True)
    print(f"{'commonest':12} {np.mean(answers == np.bincount(classes).argmax()):.4f}")
    gain = right[pretrained.name].astype(float) - np.mean(
        [values for name, values in right.items() if name != pretrained.name], axis=0
    )
    scenes, scene = np.unique(places, return_inverse=True)
    sums, counts = np.bincount(scene, gain), np.bincount(scene)
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, len(scenes), (chosen.draws, len(scenes)))
    low, high = np.quantile(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1), (0.025, 0.975))
    print(f"difference {gain.mean():+.4f} ({low:+.4f} to {high:+.4f}), {len(gain)} crops of {len(scenes)} scenes")


if __name__ == "__main__":
    main()
