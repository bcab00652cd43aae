# SPDX-License-Identifier: GPL-2.0-or-later
"""The comparison of simulated with real patches: its statistics, and that it tells what differs and not what is alike."""

from __future__ import annotations

import numpy as np
import pytest

from tests.benchmarks.simulated_real import PATCH_PX, STATISTICS, Patches, compare, statistics_of


def patches(seed: int, mean_db: float = -10.0) -> Patches:
    """Of five places, with noise of 2 dB deviation."""
    rng = np.random.default_rng(seed)
    values_db = mean_db + 2 * rng.standard_normal((100, 2, PATCH_PX, PATCH_PX))
    return Patches(values_db.astype(np.float32), np.array([f"{seed} {number % 5}" for number in range(100)]))


def test_statistics_should_be_those_of_the_made_noise() -> None:
    rng = np.random.default_rng(0)
    vv = rng.standard_normal((300, PATCH_PX, PATCH_PX))
    smooth = (vv + np.roll(vv, 1, axis=1) + np.roll(vv, 1, axis=2) + np.roll(vv, (1, 1), axis=(1, 2))) / 2
    found = statistics_of(np.stack([smooth - 10, smooth - 17], axis=1))
    mean = dict(zip(STATISTICS, found.mean(axis=0), strict=True))
    assert mean["VV mean"] == pytest.approx(-10, abs=0.02)
    assert mean["VV - VH mean"] == pytest.approx(7, abs=1e-5)
    assert mean["VH deviation"] == pytest.approx(1, abs=0.03)
    assert mean["VV autocorrelation 1 px"] == pytest.approx(0.5, abs=0.04)
    assert mean["VV autocorrelation 4 px"] == pytest.approx(0, abs=0.04)
    assert mean["VV, VH correlation"] == pytest.approx(1, abs=1e-4)


def test_comparison_should_tell_a_shift_and_not_the_like_of_it() -> None:
    alike, brighter = compare("alike", patches(1), patches(2)), compare("brighter", patches(1), patches(3, -8.0))
    assert alike.forest[0] == pytest.approx(0.5, abs=0.15)
    assert brighter.forest[0] > 0.98
    assert brighter.levels > 0.98
    assert brighter.texture == pytest.approx(0.5, abs=0.15)
    assert max(brighter.alone, key=lambda name: abs(brighter.alone[name][0] - 0.5)) in ("VV mean", "VH mean")
