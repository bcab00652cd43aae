# SPDX-License-Identifier: GPL-2.0-or-later
"""Small labelled scenes and models for the tests of `evaluate`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import rasterio
import torch
from rasterio.transform import from_origin

from backend.network.model import build_model
from backend.network.model_file import save_model
from training.card import draft_card
from training.evaluate.config import LabelSet
from training.finetuning.config import FinetuneConfig, LabelledDataConfig, NetworkConfig, StoreConfig

WATER_SET = LabelSet("water chips", "rasters", ("*_S1.tif",), "water")


def constant_model(path: Path, code: int, logit: float = 1.0, training: Mapping[str, object] | None = None) -> Path:
    """A model file that maps every pixel as `code`: its last layer ignores the input. The other five logits are 0."""
    network = NetworkConfig(
        embed_dim=16, depth=1, num_heads=1, window_px=64, decoder_blocks=(0,), decoder_width=8, skip_width=4, patch_px=16
    )
    card = draft_card(FinetuneConfig(Path("x"), LabelledDataConfig((StoreConfig(Path("y")),), crop_px=64), network=network))
    card = dataclasses.replace(card, training=training or {})
    model = build_model(card)
    with torch.no_grad():
        model.decoder.classify.weight.zero_()
        model.decoder.classify.bias.copy_(torch.tensor([logit * (item.code == code) for item in card.classes]))
    save_model(path, card, model, "float32")
    return path


def write_chip(folder: Path, name: str, values_db: np.ndarray, label: np.ndarray, east_m: float = 500_000) -> None:
    """`<name>_S1.tif` with VV and VH in dB, [2, H, W], and `<name>_label.tif`, uint8 [H, W], on one 10 m grid."""
    profile = {
        "driver": "GTiff",
        "height": label.shape[0],
        "width": label.shape[1],
        "crs": "EPSG:32632",
        "transform": from_origin(east_m, 5_500_000, 10, 10),
    }
    with rasterio.open(folder / f"{name}_S1.tif", "w", count=2, dtype="float32", nodata=np.nan, **profile) as file:
        file.write(values_db.astype(np.float32))
        file.descriptions = ("VV", "VH")
    with rasterio.open(folder / f"{name}_label.tif", "w", count=1, dtype=label.dtype, **profile) as file:
        file.write(label[None])


def half_water_db(label: np.ndarray, water_vv_db: float = -20, seed: int = 0) -> np.ndarray:
    """Decibels [2, H, W]: water (label 1) at `water_vv_db` and -27, the rest at -9 and -16, with 1 dB of noise."""
    rng = np.random.default_rng(seed)
    vv, vh = np.where(label == 1, water_vv_db, -9.0), np.where(label == 1, -27.0, -16.0)
    return np.stack([vv, vh]) + rng.normal(0, 1, (2, *label.shape))
