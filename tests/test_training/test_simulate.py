# SPDX-License-Identifier: GPL-2.0-or-later
"""Simulated scenes: repeatable, honest in their tags, and with the statistics that their recipe states."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio

from training.config import SimulateConfig
from training.simulation.fields import draw_parcels, fractal_noise, smooth_noise
from training.simulation.folder import simulate_folder
from training.simulation.layout import LANDSCAPES, WORLDCOVER_CODE, Cover, draw_ground
from training.simulation.levels import LEVELS, draw_levels
from training.simulation.radar import RadarSettings, backscatter_power
from training.simulation.reception import draw_speckle
from training.simulation.scene_files import label_path_of, scene_path
from training.simulation.simulate import RECIPE, simulate_scene

DECLARED = {0, *WORLDCOVER_CODE.values()}


def test_scene_should_be_the_same_for_the_same_seed_and_another_for_another() -> None:
    first, again, other = simulate_scene(7, (96, 128)), simulate_scene(7, (96, 128)), simulate_scene(8, (96, 128))
    assert first.values_db.tobytes() == again.values_db.tobytes()
    assert first.label.tobytes() == again.label.tobytes()
    assert first.values_db.tobytes() != other.values_db.tobytes()


@pytest.mark.parametrize("landscape", list(LANDSCAPES))
def test_scene_should_hold_declared_codes_and_physical_values(landscape: str) -> None:
    for seed in range(3):
        scene = simulate_scene(seed, (160, 130), landscape=landscape)
        assert scene.values_db.shape == (2, 160, 130)
        assert scene.values_db.dtype == np.float32
        assert set(np.unique(scene.label)) <= DECLARED
        seen = np.isfinite(scene.values_db)
        assert (seen[0] == seen[1]).all()
        assert (scene.label[~seen[0]] == 0).all()
        assert scene.values_db[seen].min() >= -50.001
        assert scene.values_db[seen].max() < 35


def test_any_landscape_should_bring_every_class_within_some_scenes() -> None:
    found = set()
    for seed in range(40):
        found |= set(np.unique(draw_ground(np.random.default_rng(seed), (128, 128)).label))
    assert found >= {10, 30, 40, 50, 60, 80, 90}


def test_swath_edge_should_cut_scenes_and_leave_border_noise_unlabelled() -> None:
    cut = simulate_scene(3, (128, 128), RadarSettings(edge_share=1.0))
    whole = simulate_scene(3, (128, 128), RadarSettings(edge_share=0.0))
    beyond = np.isnan(cut.values_db[0])
    assert 0 < beyond.mean() < 0.6
    assert not np.isnan(whole.values_db).any()
    # Border noise is finite, far below the land beside it, and no class.
    border = ~beyond & (cut.label == 0) & (whole.label != 0)
    assert border.any()
    assert np.median(cut.values_db[0][border]) < -25


@pytest.mark.parametrize("looks", [1.0, 4.4, 20.0])
def test_speckle_should_have_mean_one_and_the_stated_looks(looks: float) -> None:
    speckle = draw_speckle(np.random.default_rng(1), (700, 700), looks, (0.84, 0.84))
    assert speckle.mean() == pytest.approx(1.0, abs=0.02)
    assert speckle.mean() ** 2 / speckle.var() == pytest.approx(looks, rel=0.04)


def test_speckle_should_be_correlated_like_grd_pixels() -> None:
    speckle = draw_speckle(np.random.default_rng(2), (700, 700), 4.4, (0.84, 0.84)) - 1
    lags = [float((speckle[:, :-lag] * speckle[:, lag:]).mean() / speckle.var()) for lag in (1, 2, 3)]
    # 0.70, 0.26, 0.06 were measured over forest.
    assert lags == pytest.approx([0.70, 0.26, 0.06], abs=0.05)


def test_speckle_should_match_a_slow_gamma_distribution() -> None:
    rng = np.random.default_rng(3)
    ours = np.sort(draw_speckle(rng, (500, 500), 4.4, (0.3, 0.3)).ravel())
    plain = np.sort(rng.gamma(4.4, 1 / 4.4, ours.size))
    shares = (np.array([0.01, 0.1, 0.5, 0.9, 0.99]) * ours.size).astype(int)
    assert ours[shares] == pytest.approx(plain[shares], rel=0.03)


@pytest.mark.parametrize("cover", [Cover.TREES, Cover.GRASS, Cover.CROPS, Cover.BARE])
def test_land_should_have_the_mean_levels_of_its_table(cover: Cover) -> None:
    vv, ratio = [], []
    for seed in range(120):
        rng = np.random.default_rng(seed)
        ground = draw_ground(rng, (64, 64), "mixed")
        ground.cover[:] = cover
        values_db = 10 * np.log10(backscatter_power(rng, ground, RadarSettings(incidence_deg=(36.0, 40.0))))
        vv.append(values_db[0].mean())
        ratio.append((values_db[0] - values_db[1]).mean())
    # The mean over places; a tenth of them is frozen or dry and lies about 3 dB lower, in VH a quarter more.
    assert np.mean(vv) == pytest.approx(LEVELS[cover].vv_db - 0.3, abs=0.6)
    assert np.mean(ratio) == pytest.approx(LEVELS[cover].ratio_db + 0.15, abs=0.4)


def test_fields_should_be_tall_crops_wet_soil_or_seed_beds_in_some_scenes_and_marsh_flooded() -> None:
    levels = {Cover.CROPS: [], Cover.WETLAND: []}
    for seed in range(150):
        for cover, found in levels.items():
            rng = np.random.default_rng(seed)
            ground = draw_ground(rng, (64, 64), "farmland")
            ground.cover[:] = cover
            vv_db, ratio_db = draw_levels(rng, ground)
            found.append((float(np.quantile(vv_db, 0.9)), float(np.quantile(vv_db, 0.1)), float(np.median(ratio_db))))
    crops, marsh = (np.array(found) for found in levels.values())
    assert 0.02 < np.mean((np.abs(crops[:, 0] + 9) < 1.5) & (crops[:, 2] < 6)) < 0.4, "as bright as trees, and as near in VH"
    assert (crops[:, 0] > -7).any(), "wet soil"
    assert (crops[:, 1] < -14).any(), "seed beds"
    assert ((marsh[:, 0] > -10) & (marsh[:, 2] > 10)).any(), "VV back from stems and water, VH not"


def test_noise_should_have_unit_deviation_and_its_scale() -> None:
    rng = np.random.default_rng(4)
    noise = smooth_noise(rng, (600, 600), 10)
    assert noise.std() == pytest.approx(1.0, abs=0.06)
    near, far = (float((noise[:, :-lag] * noise[:, lag:]).mean()) for lag in (3, 40))
    assert near > 0.85
    assert abs(far) < 0.1
    assert fractal_noise(rng, (600, 600), 20).std() == pytest.approx(1.0, abs=0.08)


def test_parcels_should_be_uniform_inside_and_have_straight_borders() -> None:
    rng = np.random.default_rng(5)
    parcels = draw_parcels(rng, (200, 200), (15, 25), regions=3)
    value = parcels.uniform(rng)
    inside = parcels.border_px > 1.5
    same_as_right = value[:, :-1] == value[:, 1:]
    assert same_as_right[inside[:, :-1] & inside[:, 1:]].mean() > 0.99
    assert 30 < len(np.unique(parcels.key)) < 400


def test_folder_should_hold_tagged_geotiffs_that_read_back(tmp_path: Path) -> None:
    simulate_folder(SimulateConfig(out=tmp_path, scenes=2, height_px=80, width_px=96, seed=11))
    simulate_folder(SimulateConfig(out=tmp_path / "again", scenes=2, height_px=80, width_px=96, seed=11))
    assert [path.name for path in sorted(tmp_path.glob("scene_*"))] == ["scene_00000.tif", "scene_00001.tif"]
    assert not list(tmp_path.glob("*.part"))
    path = scene_path(tmp_path, 1)
    assert path.read_bytes() == scene_path(tmp_path / "again", 1).read_bytes()
    expected = simulate_scene(12, (80, 96))
    for file_path in (path, label_path_of(path)):
        with rasterio.open(file_path) as file:
            tags = file.tags()
            assert tags["SIMULATED"] == "yes"
            assert tags["SIMULATION_RECIPE"] == RECIPE
            assert tags["SIMULATION_SEED"] == "12"
            assert file.crs.is_projected
            assert file.res == (10.0, 10.0)
    with rasterio.open(path) as file:
        assert file.descriptions == ("VV", "VH")
        assert np.isnan(file.nodata)
        np.testing.assert_array_equal(file.read(), expected.values_db)
    with rasterio.open(label_path_of(path)) as file:
        np.testing.assert_array_equal(file.read(1), expected.label)
        assert file.colormap(1)[80] == (0, 100, 200, 255)


def test_folder_should_be_the_same_with_more_workers(tmp_path: Path) -> None:
    settings = {"scenes": 3, "height_px": 64, "width_px": 64, "seed": 3}
    simulate_folder(SimulateConfig(out=tmp_path / "one", workers=1, **settings))
    simulate_folder(SimulateConfig(out=tmp_path / "two", workers=2, **settings))
    paths = sorted((tmp_path / "one").iterdir())
    assert len(paths) == 6
    for path in paths:
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()
