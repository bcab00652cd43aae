# SPDX-License-Identifier: GPL-2.0-or-later
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.grid import PixelWindow
from backend.protocol import ErrorCode, SardineError
from backend.windows import lay_windows, window_starts, window_stride


@st.composite
def layouts(draw):
    patch = draw(st.sampled_from([8, 16]))
    window = patch * draw(st.integers(1, 6))
    height, width = draw(st.integers(1, 400)), draw(st.integers(1, 400))
    row, column = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
    area = PixelWindow(row, column, draw(st.integers(1, height - row)), draw(st.integers(1, width - column)))
    overlap = draw(st.floats(0, 0.89))
    return height, width, lay_windows(area, height, width, window_px=window, patch_px=patch, overlap=overlap)


@given(layouts())
def test_windows_should_cover_each_pixel_of_the_region_and_lie_on_patches(case):
    _, _, layout = case
    assert layout.region == layout.area.snap_out(layout.patch_px)
    assert layout.canvas.intersect(layout.region) == layout.region
    for starts, first, length, begin, end in (
        (layout.row_starts, layout.canvas.row, layout.canvas.height, layout.region.row, layout.region.row_end),
        (layout.column_starts, layout.canvas.column, layout.canvas.width, layout.region.column, layout.region.column_end),
    ):
        covered = np.zeros(length, int)
        for start in starts:
            covered[start : start + layout.window_px] += 1
            assert (first + start) % layout.patch_px == 0
        assert covered.min() >= 1
        assert starts[0] == 0
        assert starts[-1] + layout.window_px == length
        assert list(starts) == sorted(set(starts))
        assert first <= begin
        assert first + length >= end
    assert layout.count == len(layout.row_starts) * len(layout.column_starts)


@given(layouts())
def test_finished_rows_should_add_up_to_the_canvas(case):
    _, _, layout = case
    rows = [layout.finished_rows(index) for index in range(len(layout.row_starts))]
    assert sum(rows) == layout.canvas.height
    assert min(rows) >= layout.patch_px


@given(layouts())
def test_small_area_should_get_its_surroundings_from_inside_the_scene(case):
    height, _, layout = case
    assert layout.canvas.row >= 0
    padded_height = -(-height // layout.patch_px) * layout.patch_px
    if padded_height >= layout.window_px:
        assert layout.canvas.row_end <= padded_height
    else:
        assert layout.canvas.row == 0


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (1, (0,)),  # one pixel wide
        (100, (0,)),  # smaller than a window
        (224, (0,)),  # equal
        (225, (0, 8)),  # one pixel larger: the region is 232 long
        (416, (0, 192)),  # two strides exactly
        (504, (0, 192, 280)),  # the worked example of windows.py
    ],
)
def test_starts_should_be_those_worked_out_by_hand(length, expected):
    layout = lay_windows(PixelWindow(0, 0, length, 1), length, 1, window_px=224, patch_px=8, overlap=0.125)
    assert layout.row_starts == expected
    assert layout.column_starts == (0,)


@pytest.mark.parametrize(
    ("window", "patch", "overlap", "stride"),
    [(224, 8, 0.0, 224), (224, 8, 0.125, 192), (224, 16, 0.125, 192), (224, 8, 0.5, 112), (32, 16, 0.89, 16), (16, 16, 0.5, 16)],
)
def test_stride_should_be_the_window_less_the_overlap_in_whole_patches(window, patch, overlap, stride):
    assert window_stride(window, patch, overlap) == stride


@pytest.mark.parametrize("overlap", [-0.1, 0.9, 1.0, float("nan")])
def test_overlap_out_of_range_should_be_refused(overlap):
    with pytest.raises(SardineError) as caught:
        window_stride(224, 8, overlap)
    assert caught.value.code == ErrorCode.REQUEST_INVALID
    assert caught.value.refused


def test_starts_should_refuse_less_than_a_window():
    with pytest.raises(ValueError, match="100 px cannot hold"):
        window_starts(100, 224, 192)
