# SPDX-License-Identifier: GPL-2.0-or-later
from hypothesis import given
from hypothesis import strategies as st

from backend.grid import PixelWindow, RasterGrid

GRID = RasterGrid("EPSG:32633", 500_000.0, 5_400_000.0, 10.0, 10.0, 300, 200)
windows = st.builds(PixelWindow, st.integers(-50, 400), st.integers(-50, 400), st.integers(1, 200), st.integers(1, 200))


def pixels(window: PixelWindow) -> set[tuple[int, int]]:
    return {(r, c) for r in range(window.row, window.row_end) for c in range(window.column, window.column_end)}


def test_bounds_should_be_xmin_ymin_xmax_ymax():
    assert GRID.bounds == (500_000.0, 5_397_000.0, 502_000.0, 5_400_000.0)


def test_geotransform_should_be_in_gdal_order():
    assert GRID.geotransform == (500_000.0, 10.0, 0.0, 5_400_000.0, 0.0, -10.0)


@given(windows, windows)
def test_intersect_should_hold_exactly_the_shared_pixels(a, b):
    a = PixelWindow(a.row, a.column, min(a.height, 12), min(a.width, 12))
    b = PixelWindow(a.row + b.height % 20 - 10, a.column + b.width % 20 - 10, 9, 7)
    both = a.intersect(b)
    assert (pixels(both) if both else set()) == pixels(a) & pixels(b)


@given(windows, st.sampled_from([8, 16]))
def test_snap_out_should_be_the_smallest_aligned_window_around(window, patch):
    snapped = window.snap_out(patch)
    assert [n % patch for n in (snapped.row, snapped.column, snapped.height, snapped.width)] == [0, 0, 0, 0]
    assert window.row - patch < snapped.row <= window.row
    assert window.row_end <= snapped.row_end < window.row_end + patch
    assert window.column - patch < snapped.column <= window.column
    assert window.column_end <= snapped.column_end < window.column_end + patch


@given(windows)
def test_window_of_should_return_the_window_whose_bounds_are_given(window):
    inside = window.intersect(GRID.full_window)
    assert GRID.window_of(GRID.crop(window).bounds) == inside


def test_window_of_should_include_pixels_that_are_touched():
    assert GRID.window_of((500_005.0, 5_399_975.0, 500_021.0, 5_399_999.0)) == PixelWindow(0, 0, 3, 3)


def test_window_of_should_be_none_outside_or_without_area():
    assert GRID.window_of((0.0, 0.0, 10.0, 10.0)) is None
    assert GRID.window_of((500_100.0, 5_399_000.0, 500_100.0, 5_399_100.0)) is None


def test_coarsen_should_keep_the_origin_and_cover_the_grid():
    coarse = GRID.coarsen(16)
    assert (coarse.height, coarse.width) == (19, 13)
    assert coarse.geotransform == (500_000.0, 160.0, 0.0, 5_400_000.0, 0.0, -160.0)
