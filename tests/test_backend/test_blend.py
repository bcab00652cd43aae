# SPDX-License-Identifier: GPL-2.0-or-later
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.blend import RowBlend, axis_weights, hann_taper
from backend.windows import window_starts


@st.composite
def axes(draw):
    window = draw(st.integers(1, 40))
    length = window + draw(st.integers(0, 150))
    return window, length, window_starts(length, window, draw(st.integers(1, window)))


@given(axes())
def test_weights_of_an_axis_should_be_positive_and_sum_to_one(axis):
    window, length, starts = axis
    weights = axis_weights(starts, window, length)
    total = np.zeros(length)
    for start, weight in zip(starts, weights, strict=True):
        total[start : start + window] += weight
    assert weights.min() > 0
    np.testing.assert_allclose(total, 1.0, rtol=0, atol=2e-6)


def test_taper_should_be_the_documented_one():
    # sin^2(pi/8), sin^2(3 pi/8): by hand for a window of four
    np.testing.assert_allclose(hann_taper(4), [0.14644661, 0.85355339, 0.85355339, 0.14644661], rtol=1e-7)


def test_weights_at_half_overlap_should_be_the_taper_itself():
    """Hann windows sum to one at 50% overlap (Pielawski and Wahlby 2020), so the normalisation changes nothing inside."""
    weights = axis_weights((0, 8, 16), 16, 32)
    np.testing.assert_allclose(weights[1], hann_taper(16), rtol=1e-6)


def stream(values, window, row_starts, column_starts):
    """`values` [rows of windows, columns of windows, channels, window, window] through RowBlend; whole [channels, H, W]."""
    blend = RowBlend(values.shape[2], window, row_starts, column_starts)
    parts = []
    for row in range(len(row_starts)):
        for column in range(len(column_starts)):
            blend.add(column, torch.from_numpy(values[row, column]))
        parts.append(blend.finished().numpy().copy())
        blend.drop()
    return np.concatenate(parts, axis=1)


def slow_blend(values, window, row_starts, column_starts):
    """The definition: whole arrays, the weighted sum over the sum of weights, in float64."""
    height, width = row_starts[-1] + window, column_starts[-1] + window
    total, weights = np.zeros((values.shape[2], height, width)), np.zeros((height, width))
    taper = np.sin(np.pi * (np.arange(window) + 0.5) / window) ** 2
    for i, row in enumerate(row_starts):
        for j, column in enumerate(column_starts):
            for y in range(window):
                for x in range(window):
                    total[:, row + y, column + x] += values[i, j, :, y, x] * taper[y] * taper[x]
                    weights[row + y, column + x] += taper[y] * taper[x]
    return total / weights


@st.composite
def grids(draw):
    window = draw(st.integers(1, 6))
    rows, columns = (window_starts(window + draw(st.integers(0, 12)), window, draw(st.integers(1, window))) for _ in range(2))
    return window, rows, columns


@settings(deadline=None, max_examples=40)
@given(grids(), st.integers(0, 2**32 - 1))
def test_streamed_blend_should_equal_the_slow_plain_version(grid, seed):
    window, rows, columns = grid
    values = np.random.default_rng(seed).normal(size=(len(rows), len(columns), 2, window, window)).astype(np.float32)
    np.testing.assert_allclose(stream(values, window, rows, columns), slow_blend(values, window, rows, columns), atol=1e-5)


@settings(deadline=None)
@given(grids(), st.floats(-100, 100, width=32, allow_subnormal=False))
def test_constant_in_should_be_constant_out(grid, constant):
    window, rows, columns = grid
    values = np.full((len(rows), len(columns), 1, window, window), constant, np.float32)
    np.testing.assert_allclose(stream(values, window, rows, columns), constant, rtol=1e-5)


def test_left_out_window_should_not_change_pixels_that_it_does_not_cover():
    window, rows, columns = 4, (0, 2), (0, 2, 6)
    values = np.random.default_rng(0).normal(size=(2, 3, 1, 4, 4)).astype(np.float32)
    whole = stream(values, window, rows, columns)
    values[:, 2] = 0  # as if never added
    without = stream(values, window, rows, columns)
    np.testing.assert_array_equal(without[:, :, :6], whole[:, :, :6])


def test_finished_rows_should_hold_nothing_of_the_rows_before():
    blend = RowBlend(1, 4, (0, 4), (0,))
    blend.add(0, torch.ones(1, 4, 4))
    blend.drop()
    assert torch.count_nonzero(blend.finished()) == 0


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_windows_should_be_summed_in_float32(dtype):
    blend = RowBlend(1, 4, (0,), (0,))
    blend.add(0, torch.full((1, 4, 4), 3.0, dtype=dtype))
    assert blend.finished().dtype == torch.float32
    np.testing.assert_allclose(blend.finished().numpy(), 3.0, rtol=1e-6)
