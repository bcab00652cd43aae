# SPDX-License-Identifier: GPL-2.0-or-later
"""A study of small stores and a random encoder, for the tests of `training.study`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from backend.model_card import ModelCard
from backend.network.model import build_model
from tests.test_training.made_stores import made_chip, write_store
from training.card import encoder_card
from training.checkpoint import Checkpoint, save_checkpoint
from training.pretraining.config import PretrainConfig
from training.run import main, parse
from training.study.config import StudyConfig
from training.study.crops import CropSet
from training.study.encoders import Features
from training.study.probes import Look

SIDE, CROP, PATCH = 64, 32, 8
PATCHES = (CROP // PATCH) ** 2
WATER, TREES, NOT_WATER = 80, 10, 201
SMALL = {
    "crop_px": CROP,
    "fractions": "[0.5,1.0]",
    "seeds": "[0,1]",
    "classes": f"[{TREES},{WATER}]",
    "max_patches": 60,
    "set_patches": 40,
    "trees": 5,
    "real_folds": 2,
    "finetune_steps": 0,
    "bootstrap_draws": 20,
    "threads": 1,
}


def made_config(tmp_path: Path, **settings: object) -> StudyConfig:
    names = {"out": tmp_path / "study", "encoder": tmp_path / "pretrain", "simulated": tmp_path / "simulated"}
    _, config = parse(["study", *(f"--{name}={value}" for name, value in {**names, **SMALL, **settings}.items())])
    assert isinstance(config, StudyConfig)
    return config


def half_water(seed: int, place: str, label: int = TREES):
    """A chip whose left half is labelled water and is dark, and whose right half has `label` and is bright."""
    rng = np.random.default_rng(seed)
    db = np.full((2, SIDE, SIDE), -8.0, np.float32)
    db[:, :, : SIDE // 2] = -22
    db[1] -= 6
    labels = np.full((SIDE, SIDE), label, np.uint8)
    labels[:, : SIDE // 2] = WATER
    return made_chip(db + rng.normal(0, 1, db.shape).astype(np.float32), labels, place=place)


def tiny_card(tmp_path: Path, **encoder: int):
    sizes = {"embed_dim": 16, "depth": 2, "num_heads": 2, "patch_px": PATCH, **encoder}
    _, config = parse(
        [
            "pretrain",
            f"--out={tmp_path / 'pretrain'}",
            f"--data.stores=['{tmp_path / 'simulated'}']",
            f"--crops.global_px={CROP}",
            "--crops.local_px=16",
            *(f"--encoder.{name}={value}" for name, value in sizes.items()),
        ]
    )
    assert isinstance(config, PretrainConfig)
    return encoder_card(config)


FINETUNED = {
    "fractions": "[1.0]",
    "finetune_steps": 2,
    "finetune_batch": 2,
    "finetune_crop_px": 16,
    "finetune_fractions": "[0.5]",
    "finetune_rates": "[0.001,0.01]",
}


def make_ready(folder: Path) -> Path:
    """Stores and an encoder to study, in `folder`."""
    for name, simulated in (("simulated", True), ("real", False)):
        splits = {
            split: [half_water(10 * number + chip, f"{split} {chip}") for chip in range(count)]
            for number, (split, count) in enumerate((("train", 6), ("validation", 3), ("test", 3)))
        }
        for _, _, line in (chip for chips in splits.values() for chip in chips):
            line["simulated"] = "yes" if simulated else "no"
        write_store(folder / name, splits, simulated=simulated)
    save_encoder(folder / "pretrain", tiny_card(folder))
    return folder


def save_encoder(folder: Path, card: ModelCard) -> Path:
    """The run folder of a pre-training that was none: random weights of the form of `card`."""
    folder.mkdir()
    report = {"simulated_only": True, "provenance": {"commit": "none"}}
    save_checkpoint(folder, Checkpoint(build_model(card).state_dict(), card.to_json(), "{}", 1, report))
    return folder


def run_study(ready: Path, **settings: object) -> int:
    names = {"out": ready / "study", "encoder": ready / "pretrain", "simulated": ready / "simulated", "real": ready / "real"}
    return main(["study", *(f"--{name}={value}" for name, value in {**names, **SMALL, **settings}.items())])


def made_look(labels: np.ndarray, tokens: np.ndarray | None = None, attention: np.ndarray | None = None) -> Look:
    """Crops with the patch labels [N, P], one chip and one place each, and features that are given or say nothing."""
    count, patches = labels.shape
    side = int(patches**0.5) * PATCH
    rng = np.random.default_rng(5)
    x = rng.normal(0, 1, (count, 2, side, side)).astype(np.float32)
    places = np.array([f"place {n}" for n in range(count)])
    labels = labels.astype(np.uint8)
    pixels = labels.reshape(count, side // PATCH, side // PATCH).repeat(PATCH, axis=1).repeat(PATCH, axis=2)
    crops = CropSet(x, pixels, labels, np.ones(labels.shape, np.bool_), np.arange(count), places, PATCH)
    tokens = rng.normal(0, 1, (count, patches, 3)).astype(np.float32) if tokens is None else tokens
    attention = np.ones((count, 1, 1, patches), np.float32) if attention is None else attention
    rollout = np.ones(labels.shape, np.float32)
    return Look(crops, Features(tokens, np.ones(labels.shape, np.float32), tokens.mean(axis=1), attention, rollout))
