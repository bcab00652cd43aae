# SPDX-License-Identifier: GPL-2.0-or-later
"""Views of chips against plain loops: where pixels come from, what nodata does, gain, speckle, dates, and bounds."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.model_card import BandSpec
from backend.radiometry import standardise
from training.pretraining.config import CropsConfig
from training.pretraining.crops import ViewDraws, draw_views, power_planes, render_views, standardise_batch

BANDS = (BandSpec("VV", (-30.0, 5.0), -12.55, 5.26), BandSpec("VH", (-38.0, 0.0), -20.19, 5.91))
OPTIONAL = tuple(dataclasses.replace(band, optional=True) for band in BANDS)
PLAIN = CropsConfig(gain_db=0, band_gain_db=0, speckle_chance=0, flip=False)


def chips_of(count: int, side_px: int, dates: int = 1, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(-15, 4, (count, dates, 2, side_px, side_px)).astype(np.float16)


def whole_chip(chips: int, count: int, side_px: int, view_px: int) -> ViewDraws:
    """Views of the whole chip, nothing changed."""
    shape = (chips, count)
    return ViewDraws(
        centre_px=np.full((*shape, 2), side_px / 2, np.float32),
        step_px=np.full((*shape, 2), side_px / view_px, np.float32),
        mirrored=np.zeros((*shape, 2), bool),
        transposed=np.zeros(shape, bool),
        gain_db=np.zeros((*shape, 2), np.float32),
        looks=np.full(shape, np.inf, np.float32),
        noise_seed=np.arange(chips * count).reshape(shape),
        dropped_band=np.full(shape, -1),
    )


def plain_view(chip_db: np.ndarray, draws: ViewDraws, chip: int, view: int, view_px: int) -> np.ndarray:
    """Decibels [bands, view, view], NaN nodata: bilinear means of power over the pixels that have data, one pixel at a time."""
    side = chip_db.shape[-1]
    power = 10 ** (chip_db.astype(np.float64) / 10)
    out = np.full((len(chip_db), view_px, view_px), np.nan)
    step, centre = draws.step_px[chip, view].astype(float), draws.centre_px[chip, view].astype(float)
    for i in range(view_px):
        for j in range(view_px):
            v, u = i + 0.5 - view_px / 2, j + 0.5 - view_px / 2
            if draws.transposed[chip, view]:
                v, u = u, v
            v, u = (-x if m else x for x, m in zip((v, u), draws.mirrored[chip, view], strict=True))
            row, column = centre[0] + v * step[0] - 0.5, centre[1] + u * step[1] - 0.5
            top, left = int(np.floor(row)), int(np.floor(column))
            for band in range(len(chip_db)):
                total = weight = 0.0
                for r, c in [(top, left), (top, left + 1), (top + 1, left), (top + 1, left + 1)]:
                    if 0 <= r < side and 0 <= c < side and np.isfinite(power[band, r, c]):
                        w = (1 - abs(row - r)) * (1 - abs(column - c))
                        total, weight = total + w * power[band, r, c], weight + w
                if weight >= 0.5:
                    out[band, i, j] = 10 * np.log10(total / weight)
    return out + draws.gain_db[chip, view][:, None, None]


def test_views_should_match_a_plain_loop() -> None:
    chips = chips_of(3, 24)
    chips[0, 0, :, 5:12, :9] = np.nan
    chips[1, 0, 1, 8:, 8:] = np.nan
    config = CropsConfig(speckle_chance=0, transpose=True, spacing_m=(5, 20))
    draws = draw_views(np.random.default_rng(2), 3, 4, (0.1, 0.9), 16, 24, 2, config)
    found = render_views(power_planes(torch.from_numpy(chips)), draws, 16, BANDS).view(4, 3, 2, 16, 16)
    for chip in range(3):
        for view in range(4):
            db = plain_view(chips[chip, 0], draws, chip, view, 16).astype(np.float32)
            expected, _ = standardise(db, BANDS)
            np.testing.assert_allclose(found[view, chip].numpy(), expected, atol=2e-3)


def test_view_of_the_whole_chip_should_be_the_chip() -> None:
    chips = chips_of(2, 16)
    found = render_views(power_planes(torch.from_numpy(chips)), whole_chip(2, 1, 16, 16), 16, BANDS)
    for chip in range(2):
        np.testing.assert_allclose(found[chip], standardise(chips[chip, 0].astype(np.float32), BANDS)[0], atol=1e-4)


def test_mirrors_and_transpose_should_be_those_of_the_array() -> None:
    chips = chips_of(1, 16)
    draws = whole_chip(1, 4, 16, 16)
    draws.mirrored[0, 1], draws.mirrored[0, 2], draws.transposed[0, 3] = (True, False), (False, True), True
    upright, rows, columns, swapped = render_views(power_planes(torch.from_numpy(chips)), draws, 16, BANDS)
    torch.testing.assert_close(rows, upright.flip(1), atol=1e-4, rtol=0)
    torch.testing.assert_close(columns, upright.flip(2), atol=1e-4, rtol=0)
    torch.testing.assert_close(swapped, upright.transpose(1, 2), atol=1e-4, rtol=0)


def test_views_of_two_dates_should_take_turns() -> None:
    chips = chips_of(3, 16, dates=2)
    found = render_views(power_planes(torch.from_numpy(chips)), whole_chip(3, 4, 16, 16), 16, BANDS).view(4, 3, 2, 16, 16)
    for view in range(4):
        for chip in range(3):
            expected, _ = standardise(chips[chip, view % 2].astype(np.float32), BANDS)
            np.testing.assert_allclose(found[view, chip], expected, atol=1e-4)


def test_chips_rendered_apart_should_equal_those_rendered_together() -> None:
    chips = torch.from_numpy(chips_of(4, 24))
    draws = draw_views(np.random.default_rng(0), 4, 3, (0.1, 1.0), 16, 24, 2, CropsConfig(speckle_chance=1.0))
    together = render_views(power_planes(chips), draws, 16, BANDS).view(3, 4, 2, 16, 16)
    for start in (0, 2):
        apart = render_views(power_planes(chips[start : start + 2]), draws.part(start, start + 2), 16, BANDS).view(3, 2, 2, 16, 16)
        assert torch.equal(apart, together[:, start : start + 2])


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    view_px=st.sampled_from([16, 32, 64]),
    chip_px=st.sampled_from([64, 100, 128]),
    low=st.floats(2, 8),
    high=st.floats(8, 20),
    scale=st.tuples(st.floats(0.02, 0.5), st.floats(0.5, 1)),
)
def test_views_should_keep_within_the_chip_and_the_ground_spacing(
    seed: int, view_px: int, chip_px: int, low: float, high: float, scale: tuple[float, float]
) -> None:
    config = CropsConfig(spacing_m=(low, high))
    draws = draw_views(np.random.default_rng(seed), 20, 3, scale, view_px, chip_px, 2, config)
    half = draws.step_px * view_px / 2
    assert (draws.centre_px - half >= -1e-3).all()
    assert (draws.centre_px + half <= chip_px + 1e-3).all()
    spacing_m = draws.step_px * 10
    assert (spacing_m >= low - 1e-3).all()
    assert (spacing_m <= high + 1e-3).all()


def test_areas_should_be_uniform_within_their_bounds() -> None:
    config = CropsConfig(spacing_m=(0.1, 20), aspect=(1.0, 1.0))
    draws = draw_views(np.random.default_rng(0), 2000, 2, (0.4, 1.0), 64, 100, 2, config)
    area = draws.step_px.prod(-1) * 64**2 / 100**2
    assert area.min() == pytest.approx(0.4, abs=0.01)
    assert area.max() == pytest.approx(1.0, abs=0.01)
    assert area.mean() == pytest.approx(0.7, abs=0.01)


def test_gains_should_stay_within_their_bounds_and_be_added_in_decibels() -> None:
    config = dataclasses.replace(PLAIN, gain_db=1.5, band_gain_db=0.5)
    draws = draw_views(np.random.default_rng(0), 500, 2, (1, 1), 16, 16, 2, config)
    assert 1.9 < np.abs(draws.gain_db).max() <= 2.0
    assert np.abs(draws.gain_db[..., 0] - draws.gain_db[..., 1]).max() <= 1.0
    chips = np.full((1, 1, 2, 16, 16), -15, np.float16)
    shifted = whole_chip(1, 1, 16, 16)
    shifted.gain_db[:] = (1.25, -0.75)
    x = render_views(power_planes(torch.from_numpy(chips)), shifted, 16, BANDS)
    assert float(x[0, 0].mean()) == pytest.approx((-13.75 + 12.55) / 5.26, abs=1e-4)
    assert float(x[0, 1].mean()) == pytest.approx((-15.75 + 20.19) / 5.91, abs=1e-4)


@pytest.mark.parametrize("looks", [4.0, 10.0])
def test_speckle_should_be_gamma_distributed_with_mean_one(looks: float) -> None:
    from scipy.stats import gamma, kstest

    chips = np.full((2, 1, 2, 128, 128), -12.55, np.float32)
    draws = whole_chip(2, 2, 128, 128)
    draws.looks[:] = looks
    wide = tuple(dataclasses.replace(band, clip_db=(-100.0, 100.0), mean_db=-12.55, std_db=1.0) for band in BANDS)
    speckle = 10 ** (render_views(power_planes(torch.from_numpy(chips)), draws, 128, wide).numpy() / 10)
    assert speckle.mean() == pytest.approx(1.0, abs=0.005)
    assert speckle.var() == pytest.approx(1 / looks, rel=0.03)
    assert kstest(speckle.ravel(), gamma(looks, scale=1 / looks).cdf).statistic < 0.01
    vectors = speckle.reshape(4 * 2, -1)  # every view and band is independent, and so are neighbours
    correlation = np.corrcoef(vectors) - np.eye(8)
    assert np.abs(correlation).max() < 0.04
    assert abs(np.corrcoef(speckle[..., 1:].ravel(), speckle[..., :-1].ravel())[0, 1]) < 0.02


def test_dropped_band_should_be_zero_and_leave_the_other() -> None:
    chips = torch.from_numpy(chips_of(1, 16))
    draws = whole_chip(1, 2, 16, 16)
    draws.dropped_band[0, 1] = 0
    both, one = render_views(power_planes(chips), draws, 16, OPTIONAL)
    assert (one[0] == 0).all()
    assert torch.equal(one[1], both[1])
    drawn = draw_views(np.random.default_rng(0), 1000, 2, (1, 1), 16, 16, 2, dataclasses.replace(PLAIN, channel_drop=0.3))
    shares = [(drawn.dropped_band == band).mean() for band in (-1, 0, 1)]
    np.testing.assert_allclose(shares, [0.7, 0.15, 0.15], atol=0.03)


def test_only_band_of_a_chip_should_never_be_dropped() -> None:
    chips = chips_of(2, 16)
    chips[0, 0, 0] = np.nan
    draws = whole_chip(2, 2, 16, 16)
    draws.dropped_band[:, 1] = 1
    whole, dropped = render_views(power_planes(torch.from_numpy(chips)), draws, 16, OPTIONAL).view(2, 2, 2, 16, 16)
    assert torch.equal(dropped[0], whole[0]), "the first chip has the second band alone"
    assert (dropped[0, 1] != 0).any()
    assert (dropped[1, 1] == 0).all()


@pytest.mark.parametrize("bands", [BANDS, OPTIONAL, (BANDS[0], OPTIONAL[1])])
def test_standardisation_should_have_the_bits_of_the_backend(bands: tuple[BandSpec, ...]) -> None:
    rng = np.random.default_rng(0)
    db = rng.normal(-15, 9, (4, 2, 8, 9)).astype(np.float32)
    db[rng.random(db.shape) < 0.3] = np.nan
    found = standardise_batch(torch.from_numpy(db), torch.from_numpy(np.isfinite(db)), bands).numpy()
    for number in range(4):
        np.testing.assert_array_equal(found[number], standardise(db[number], bands)[0])
