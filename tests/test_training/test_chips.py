# SPDX-License-Identifier: GPL-2.0-or-later
"""Chips: cut once, split by scene, standardised by the backend's function, labels that are not asked for ignored."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from backend.radiometry import standardise
from training.card import band_specs
from training.config import BandsConfig, DataConfig, SimulateConfig
from training.metrics import IGNORE
from training.scene_chips import class_index, draw_batch, open_chips, prepare
from training.scene_files import list_scenes, read_scene
from training.simulate_folder import simulate_folder

BANDS = band_specs(BandsConfig())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("scenes")
    simulate_folder(SimulateConfig(out=out, scenes=5, height_px=140, width_px=132, seed=40))
    return out


def config_for(folder: Path) -> DataConfig:
    return DataConfig(folder=folder, validation_share=0.34, chip_px=64, crop_px=48)


def test_chips_should_hold_the_pixels_of_their_scenes_and_never_share_one(folder: Path) -> None:
    train, validation = open_chips(config_for(folder))
    assert set(train.scenes).isdisjoint(validation.scenes)
    assert set(train.scenes) | set(validation.scenes) == {path.name for path in list_scenes(folder)}
    assert len(train) == 4 * 4
    assert len(validation) == 4
    assert train.simulated
    values, label = read_scene(folder / train.scenes[0])
    np.testing.assert_allclose(train.values_db[1].astype(np.float32), values[:, :64, 64:128], atol=0.02)
    np.testing.assert_array_equal(train.labels[2], label[64:128, :64])


def test_chips_should_be_cut_again_only_when_scenes_change(folder: Path) -> None:
    config = config_for(folder)
    open_chips(config)
    store = next(path for path in folder.iterdir() if path.is_dir())
    written = (store / "train_values.npy").stat().st_mtime_ns
    open_chips(config)
    assert (store / "train_values.npy").stat().st_mtime_ns == written
    list_scenes(folder)[0].touch()
    open_chips(config)
    assert (store / "train_values.npy").stat().st_mtime_ns > written


def test_scene_smaller_than_a_chip_should_be_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="smaller than a chip of 256 px"):
        open_chips(dataclasses.replace(config_for(folder), chip_px=256))


def test_folder_without_scenes_should_be_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"training\.run simulate"):
        open_chips(DataConfig(folder=tmp_path))


def test_class_index_should_ignore_every_other_code() -> None:
    label = np.array([[0, 10, 40, 80, 90, 255]], dtype=np.uint8)
    np.testing.assert_array_equal(class_index(label, (80, 10)), [[IGNORE, 1, IGNORE, 0, IGNORE, IGNORE]])


def test_prepare_should_be_the_backends_standardisation_and_ignore_nodata() -> None:
    values = np.array([[[-12.55, np.nan], [-60.0, 20.0]], [[-20.19, -20.0], [-20.0, np.nan]]], dtype=np.float32)
    x, target = prepare(values, np.full((2, 2), 10, np.uint8), BANDS, (10, 80))
    expected, _ = standardise(values, BANDS)
    np.testing.assert_array_equal(x, expected)
    assert x[:, 0, 0] == pytest.approx([0, 0], abs=1e-6)
    assert x[0, 1, 0] == pytest.approx((-30 + 12.55) / 5.26, abs=1e-5)
    np.testing.assert_array_equal(target, [[0, IGNORE], [0, IGNORE]])


def test_batch_without_augmentation_should_be_crops_of_chips(folder: Path) -> None:
    config = dataclasses.replace(config_for(folder), crop_px=64, gain_db=0.0, band_gain_db=0.0, nodata_chance=0.0, flip=False)
    train, _ = open_chips(config)
    x, target = draw_batch(np.random.default_rng(0), train, config, BANDS, 6)
    known = [
        prepare(values.astype(np.float32), label, BANDS, config.classes)
        for values, label in zip(train.values_db, train.labels, strict=True)
    ]
    for one_x, one_target in zip(x, target, strict=True):
        assert any(np.array_equal(one_x, kx) and np.array_equal(one_target, kt) for kx, kt in known)


def test_batch_should_repeat_with_its_seed_and_shift_by_the_gain(folder: Path) -> None:
    config = dataclasses.replace(config_for(folder), crop_px=64, band_gain_db=0.0, nodata_chance=0.0, flip=False)
    train, _ = open_chips(config)
    first, again = (draw_batch(np.random.default_rng(1), train, config, BANDS, 4) for _ in range(2))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert first[0].dtype == np.float32
    assert np.isfinite(first[0]).all()
