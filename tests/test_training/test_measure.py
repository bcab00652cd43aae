# SPDX-License-Identifier: GPL-2.0-or-later
"""Figures on labelled scenes, through the backend, against a plain count."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch

from backend.model import build_model
from backend.model_file import save_model
from training.card import draft_card
from training.config import DataConfig, FinetuneConfig, MeasureConfig, NetworkConfig, SimulateConfig
from training.measure import measure
from training.scene_files import label_path_of, list_scenes
from training.simulate_folder import simulate_folder


@pytest.fixture(scope="module")
def model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that calls everything water: its last layer ignores the input."""
    network = NetworkConfig(
        embed_dim=16, depth=1, num_heads=1, window_px=64, decoder_blocks=(0,), decoder_width=8, skip_width=4, patch_px=16
    )
    card = draft_card(FinetuneConfig(Path("x"), DataConfig(Path("y"), crop_px=64), network=network))
    model = build_model(card)
    with torch.no_grad():
        model.decoder.classify.weight.zero_()
        model.decoder.classify.bias.copy_(torch.tensor([0.0, 0, 0, 0, 0, 1]))
    path = tmp_path_factory.mktemp("model") / "water.safetensors"
    save_model(path, card, model, "float32")
    return path


def test_measure_should_count_as_a_plain_loop_does(model_path: Path, tmp_path: Path) -> None:
    simulate_folder(SimulateConfig(out=tmp_path, scenes=2, height_px=96, width_px=80, seed=2, landscape="coast"))
    truths = []
    for number, scene in enumerate(list_scenes(tmp_path)):
        scene.rename(tmp_path / f"place{number}_S1.tif")
        with rasterio.open(label_path_of(scene), "r+") as file:
            label = file.read(1)
            water = np.where(label == 80, 1, 0).astype(np.uint8)
            water[:10] = 255
            file.nodata = None
            file.write(water[None])
        label_path_of(scene).rename(tmp_path / f"place{number}_label.tif")
        with rasterio.open(tmp_path / f"place{number}_S1.tif") as file:
            seen = np.isfinite(file.read()).all(0)
        truths.append(((water == 1) & seen, (water != 255) & seen))
    out = tmp_path / "water.json"
    found = measure(MeasureConfig(model_path, (tmp_path,), out, "two simulated scenes"))
    for one, (is_water, counted) in zip(found, truths, strict=True):
        assert (one.both, one.either, one.truth) == (is_water.sum(), counted.sum(), is_water.sum())
    figures = json.loads(out.read_text())
    assert figures[0]["value"] == pytest.approx(sum(w.sum() for w, _ in truths) / sum(c.sum() for _, c in truths), abs=1e-4)
    assert {figure["measured_on"] for figure in figures} == {"two simulated scenes"}


def test_folder_without_labelled_scenes_should_be_refused(model_path: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="_label"):
        measure(MeasureConfig(model_path, (tmp_path,), tmp_path / "out.json", "nothing"))
