# SPDX-License-Identifier: GPL-2.0-or-later
"""Which labelled chips and crops a fine-tuning sees, and how often."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from backend.radiometry import standardise
from tests.test_training.stores import simulated_store, water_store
from training.card import draft_card
from training.config import ConfigError
from training.finetuning.config import FinetuneConfig, LabelledDataConfig, NetworkConfig, StoreConfig
from training.finetuning.labelled_crops import CropPlanner, network_input, read_crops, read_window
from training.finetuning.labelled_data import LabelledData, open_labelled
from training.metrics import IGNORE

CPU = torch.device("cpu")
PLAIN = {"gain_db": 0.0, "band_gain_db": 0.0, "nodata_chance": 0.0, "flip": False}


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulated_store(tmp_path_factory.mktemp("simulated"))


@pytest.fixture(scope="module")
def water(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return water_store(tmp_path_factory.mktemp("water"))


def config_for(*stores: StoreConfig, label_fraction: float = 1.0, **data: Any) -> FinetuneConfig:
    return FinetuneConfig(
        Path("x"),
        LabelledDataConfig(stores, **{"crop_px": 32, **data}),
        network=NetworkConfig(window_px=64),
        label_fraction=label_fraction,
        batch_size=64,
    )


def opened(config: FinetuneConfig) -> LabelledData:
    return open_labelled(config, draft_card(config))


def planner(config: FinetuneConfig, data: LabelledData) -> CropPlanner:
    return CropPlanner(data, config.data, 2, config.batch_size, config.seed)


def test_stores_should_share_the_crops_by_their_weights(simulated: Path, water: Path) -> None:
    config = config_for(StoreConfig(simulated, weight=3), StoreConfig(water))
    data = opened(config)
    assert [float(chance.sum()) for chance in data.chances] == pytest.approx([0.75, 0.25])
    plan = planner(config, data)
    drawn = np.concatenate([plan.draws(step).store for step in range(40)])
    assert np.mean(drawn == 0) == pytest.approx(0.75, abs=0.03)


def test_places_should_share_a_store_by_the_root_of_their_labelled_pixels(simulated: Path) -> None:
    for power in (0.0, 0.5, 1.0):
        data = opened(config_for(StoreConfig(simulated), place_balance=power))
        (chips,), (chance,) = data.train, data.chances
        places = chips.places()
        pixels = {place: chips.labelled_px[places == place].sum() for place in set(places)}
        total = sum(count**power for count in pixels.values())
        for place, count in pixels.items():
            assert chance[places == place].sum() == pytest.approx(count**power / total)


def test_places_that_are_held_out_and_other_sources_should_not_be_seen(simulated: Path, water: Path) -> None:
    data = opened(config_for(StoreConfig(simulated), StoreConfig(water, hold_out_places=("place_[0-3]",), validate=False)))
    assert set(data.train[1].places().tolist()) <= {"place_4"}
    assert [chips.name for chips in data.validation] == ["simulated"]
    with pytest.raises(ValueError, match="has no source nothing; it has water"):
        opened(config_for(StoreConfig(simulated), StoreConfig(water, only_sources=("nothing",))))


def test_smaller_fractions_should_be_part_of_larger_ones_and_spread_over_places(simulated: Path) -> None:
    (whole,) = opened(config_for(StoreConfig(simulated))).train
    kept: set[int] = set()
    for fraction in (0.1, 0.25, 0.5, 0.75):
        (chips,) = opened(config_for(StoreConfig(simulated), label_fraction=fraction)).train
        assert len(chips) == round(fraction * len(whole))
        assert kept <= set(chips.rows.tolist())
        kept = set(chips.rows.tolist())
        if fraction == 0.25:
            assert len(set(chips.places().tolist())) == len(chips) == 4, "one chip of each place before a second of any"


def test_a_store_may_have_a_fraction_of_its_own(simulated: Path, water: Path) -> None:
    whole = opened(config_for(StoreConfig(simulated), StoreConfig(water))).train
    (shared,) = opened(config_for(StoreConfig(simulated), label_fraction=0.25)).train
    of_first, of_second = opened(
        config_for(StoreConfig(simulated), StoreConfig(water, label_fraction=1.0), label_fraction=0.25)
    ).train
    np.testing.assert_array_equal(of_first.rows, shared.rows)
    np.testing.assert_array_equal(of_second.rows, whole[1].rows)
    with pytest.raises(ConfigError, match=r"the label_fraction of .* must lie above 0"):
        config_for(StoreConfig(simulated, label_fraction=0.0))


def test_each_crop_should_hold_a_label(water: Path) -> None:
    config = config_for(StoreConfig(water), crop_px=16, classes=(10, 80), **PLAIN)
    data = opened(config)
    (chips,) = data.train
    assert (chips.split.labels[chips.rows][:, :, :8] == 0).any(), "there are unlabelled parts"
    for step in range(4):
        _, target = read_crops(data, planner(config, data).draws(step), 16)
        assert (target != IGNORE).any(axis=(1, 2)).all()


def test_crop_should_be_moved_onto_the_only_label(simulated: Path) -> None:
    config = config_for(StoreConfig(simulated), crop_px=16, **PLAIN)
    data = opened(config)
    (chips,) = data.train
    labels = np.zeros_like(chips.split.labels)
    labels[:, 3, 60] = 80
    split = replace(chips.split, labels=labels)
    data = replace(data, train=(replace(chips, split=split),))
    _, target = read_crops(data, planner(config, data).draws(0), 16)
    assert ((target == 5).sum(axis=(1, 2)) == 1).all()


def test_crops_should_be_placed_on_kinds_of_label_alike(simulated: Path) -> None:
    config = config_for(StoreConfig(simulated), crop_px=16, label_balance=1.0, **PLAIN)
    data = opened(config)
    (chips,) = data.train
    labels = np.full_like(chips.split.labels, 10)
    labels[:, 3, 60], labels[:, 40, 5] = 80, 50
    counted = np.zeros_like(chips.labelled_px)
    counted[:, [0, 3, 5]] = labels[0].size - 2, 1, 1
    data = replace(data, train=(replace(chips, split=replace(chips.split, labels=labels), labelled_px=counted),))
    targets = np.concatenate([read_crops(data, planner(config, data).draws(step), 16)[1] for step in range(10)])
    for rare in (3, 5):
        share = float((targets == rare).any(axis=(1, 2)).mean())
        # A third of the crops are placed on it, the others hold it rarely; of 640 crops four standard errors are 0.075.
        assert share == pytest.approx(1 / 3, abs=0.12)
    plain = planner(config_for(StoreConfig(simulated), crop_px=16, **PLAIN), data)
    targets = np.concatenate([read_crops(data, plain.draws(step), 16)[1] for step in range(10)])
    assert float((targets == 3).any(axis=(1, 2)).mean()) < 0.2


def test_input_should_be_that_of_the_backend(simulated: Path) -> None:
    config = config_for(StoreConfig(simulated), **PLAIN)
    data, card = opened(config), draft_card(config)
    draws = planner(config, data).draws(0)
    values_db, label = read_crops(data, draws, 32)
    x, target = network_input(values_db, label, card.bands, CPU, draws)
    for number in range(8):
        expected, valid = standardise(values_db[number], card.bands)
        np.testing.assert_allclose(x[number].numpy(), expected, atol=1e-6)
        np.testing.assert_array_equal(target[number].numpy(), np.where(valid, label[number], IGNORE))


def test_mirrored_crops_should_keep_label_and_picture_together(simulated: Path) -> None:
    plain = config_for(StoreConfig(simulated), **PLAIN)
    data = opened(plain)
    draws = planner(plain, data).draws(0)
    values_db, label = read_crops(data, draws, 32)
    mirrored = replace(draws, mirrored=np.tile([[True, False], [False, True]], (32, 1)))
    found_db, found = read_crops(data, mirrored, 32)
    np.testing.assert_array_equal(found_db[0], values_db[0][:, ::-1])
    np.testing.assert_array_equal(found[0], label[0][::-1])
    np.testing.assert_array_equal(found_db[1], values_db[1][:, :, ::-1])
    np.testing.assert_array_equal(found[1], label[1][:, ::-1])


def test_transposed_crops_should_keep_label_and_picture_together(simulated: Path) -> None:
    plain = config_for(StoreConfig(simulated), **PLAIN)
    data = opened(plain)
    draws = planner(plain, data).draws(0)
    assert not draws.transposed.any()
    values_db, label = read_crops(data, draws, 32)
    found_db, found = read_crops(data, replace(draws, transposed=np.ones(64, dtype=np.bool_)), 32)
    np.testing.assert_array_equal(found_db, values_db.transpose(0, 1, 3, 2))
    np.testing.assert_array_equal(found, label.transpose(0, 2, 1))
    turned = planner(config_for(StoreConfig(simulated), transpose=True, **PLAIN), data).draws(0).transposed
    assert 10 < turned.sum() < 54


def test_gain_and_speckle_should_change_levels_as_said(simulated: Path) -> None:
    config = config_for(StoreConfig(simulated), **{**PLAIN, "gain_db": 1.5, "speckle_chance": 1.0, "speckle_looks": (4.0, 4.0)})
    data, card = opened(config), draft_card(config)
    draws = planner(config, data).draws(0)
    values_db, label = read_crops(data, draws, 32)
    values_db[:] = -12.0
    x, _ = network_input(values_db, label, card.bands, CPU, draws)
    band = card.bands[0]
    db = x[:, 0].numpy() * band.std_db + band.mean_db - draws.gain_db[:, 0, None, None]
    power = 10 ** (db / 10) / 10**-1.2
    assert power.mean() == pytest.approx(1.0, abs=0.02)
    assert power.var() == pytest.approx(1 / 4, rel=0.1)
    assert np.abs(draws.gain_db[:, 0] - draws.gain_db[:, 1]).max() == 0, "without a gain of each band they go together"


def test_dropped_band_should_be_zero_unless_it_is_the_only_one(simulated: Path) -> None:
    config = config_for(StoreConfig(simulated), **{**PLAIN, "channel_drop": 1.0})
    data, card = opened(config), draft_card(config)
    assert all(band.optional for band in card.bands)
    draws = planner(config, data).draws(0)
    values_db, label = read_crops(data, draws, 32)
    values_db[:8, 1] = np.nan  # these have the first band alone
    x, target = network_input(values_db, label, card.bands, CPU, draws)
    for number in range(8, 64):
        dropped = draws.dropped_band[number]
        assert (x[number, dropped] == 0).all()
        assert (x[number, 1 - dropped] != 0).any()
    assert (x[:8, 0] != 0).flatten(1).any(1).all()
    assert (target != IGNORE).flatten(1).any(1).all()


def test_parts_of_a_team_should_make_the_whole_step(simulated: Path) -> None:
    config = config_for(StoreConfig(simulated))
    plan = planner(config, opened(config))
    whole = plan.draws(5)
    for name in ("chip", "corner", "gain_db", "noise_seed"):
        parts = [getattr(whole.part(rank, 4), name) for rank in range(4)]
        np.testing.assert_array_equal(np.concatenate(parts), getattr(whole, name))
    assert not np.array_equal(plan.draws(6).chip, whole.chip)
    np.testing.assert_array_equal(plan.draws(5).corner, whole.corner)


def test_validation_window_should_lie_on_the_labels(simulated: Path) -> None:
    (chips,) = opened(config_for(StoreConfig(simulated))).train
    labels = np.zeros_like(chips.split.labels)
    labels[:, 50:60, 0:4] = 80
    _, target = read_window(replace(chips, split=replace(chips.split, labels=labels)), 0, 32)
    assert (target == 5).sum() == 40


def changed(store: Path, copy: Path, **info: Any) -> Path:
    """A copy of the store whose store.json says something else."""
    copy.mkdir()
    for path in store.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    text = json.loads((copy / "store.json").read_text())
    (copy / "store.json").write_text(json.dumps({**text, **info}))
    return copy


def test_stores_that_cannot_be_used_should_be_refused_all_at_once(simulated: Path, water: Path, tmp_path: Path) -> None:
    def refused(*stores: Path, **data: Any) -> str:
        with pytest.raises(ValueError, match=r"\w") as caught:
            opened(config_for(*(StoreConfig(store) for store in stores), **data))
        return str(caught.value)

    short = changed(simulated, tmp_path / "short")
    (short / "train_values.npy").write_bytes((short / "train_values.npy").read_bytes()[:9000])
    newer = changed(simulated, tmp_path / "newer", format=99)
    said = refused(tmp_path / "nothing", short, newer)
    assert "nothing is no chip store" in said
    assert "train_values.npy is cut short" in said
    assert "format 99" in said
    assert "chips of 64 px, smaller than data.crop_px 128" in refused(simulated, crop_px=128)
    other = changed(simulated, tmp_path / "other", bands=["HH", "HV"])
    assert "other holds HH, HV; the model needs VV, VH" in refused(other)
    assert "labelled 95 (Mangroves)" in refused(simulated, classes=(10, 30, 40, 80, 95))
    assert "no IoU can be told" in refused(water, classes=(10, 30)) or "says anything" in refused(water, classes=(10, 30))
    legend = changed(simulated, tmp_path / "legend", label_sets={"1": [10]})
    assert "no training chip that says anything of the classes" in refused(legend)
