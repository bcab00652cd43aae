# SPDX-License-Identifier: GPL-2.0-or-later
"""The output grid, and warped blocks against slow plain computations."""

from __future__ import annotations

import math

import numpy as np
import pytest
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.warp import transform as transform_points

from backend.grid import PixelWindow, RasterGrid
from backend.protocol import ErrorCode, SardineError
from backend.scene.georeference import (
    LOCAL_METRES,
    Georeference,
    control_point_residual_px,
    ground_spacing_m,
    local_utm,
)
from backend.scene.output_grid import choose_grid
from backend.scene.warp import GridReader

LATLON = CRS.from_epsg(4326)
UTM33 = CRS.from_epsg(32633)


def affine_reference(crs: CRS, transform: Affine, height: int, width: int) -> Georeference:
    return Georeference(crs, transform, (), height, width)


def degrees(height: int = 120, width: int = 150, *, west=13.3, north=52.5, step=9e-5) -> Georeference:
    return affine_reference(LATLON, Affine(step, 0, west, 0, -step, north), height, width)


def reader_of(georeference: Georeference, spacing_m: float = 10.0) -> tuple[GridReader, RasterGrid]:
    choice = choose_grid(georeference, spacing_m, name="a.tif")
    return GridReader(georeference, choice.grid, choice.crs), choice.grid


def from_array(values: np.ndarray):
    """What a file would give of `values` [bands, H, W]."""
    return lambda window: values[:, window.row : window.row_end, window.column : window.column_end].copy()


def plain_bilinear(values: np.ndarray, georeference: Georeference, grid: RasterGrid) -> np.ndarray:
    """Bilinear interpolation of each pixel centre, one by one, float64; NaN near edges and gaps."""
    crs = CRS.from_wkt(grid.crs_wkt)
    result = np.full((values.shape[0], grid.height, grid.width), np.nan)
    xs = [grid.origin_x + (column + 0.5) * grid.pixel_width for column in range(grid.width)]
    for row in range(grid.height):
        y = grid.origin_y - (row + 0.5) * grid.pixel_height
        there_x, there_y = transform_points(crs, georeference.crs, xs, [y] * grid.width)
        for column in range(grid.width):
            c, r = ~georeference.transform @ (there_x[column], there_y[column])
            c, r = c - 0.5, r - 0.5
            c0, r0 = math.floor(c), math.floor(r)
            if 0 <= c0 < georeference.width - 1 and 0 <= r0 < georeference.height - 1:
                part, dc, dr = values[:, r0 : r0 + 2, c0 : c0 + 2].astype(float), c - c0, r - r0
                top = part[:, 0, 0] * (1 - dc) + part[:, 0, 1] * dc
                bottom = part[:, 1, 0] * (1 - dc) + part[:, 1, 1] * dc
                result[:, row, column] = top * (1 - dr) + bottom * dr
    return result


# the grid


def test_a_projected_raster_near_the_models_spacing_should_be_read_as_it_is():
    georeference = affine_reference(UTM33, Affine(9.5, 0, 500_003, 0, -10.6, 5_400_001), 30, 40)
    choice = choose_grid(georeference, 10.0, name="a.tif")
    assert choice.note == ""
    assert choice.grid == RasterGrid(UTM33.to_wkt(), 500_003, 5_400_001, 9.5, 10.6, 30, 40)


@pytest.mark.parametrize(
    ("crs", "transform", "reason"),
    [
        ("EPSG:4326", Affine(9e-5, 0, 13.3, 0, -9e-5, 52.5), "degrees"),
        ("EPSG:2263", Affine(32.8, 0, 980_000, 0, -32.8, 200_000), "foot"),
        ("EPSG:32633", Affine(10, 0, 500_000, 0, 10, 5_400_000), "north-up"),
        ("EPSG:32633", Affine(10, 0.5, 500_000, 0.5, -10, 5_400_000), "north-up"),
        ("EPSG:32633", Affine(8.9, 0, 500_000, 0, -10, 5_400_000), "8.90"),
        ("EPSG:3857", Affine(10, 0, 1_500_000, 0, -10, 6_900_000), "6.0"),
    ],
)
def test_other_rasters_should_be_warped_to_utm_on_multiples_of_the_spacing(crs, transform, reason):
    choice = choose_grid(affine_reference(CRS.from_string(crs), transform, 60, 70), 10.0, name="a.tif")
    assert reason in choice.note
    assert choice.crs.to_epsg() // 100 == 326
    grid = choice.grid
    assert (grid.pixel_width, grid.pixel_height) == (10.0, 10.0)
    assert grid.origin_x % 10 == grid.origin_y % 10 == 0


def test_web_mercator_at_the_equator_should_be_read_as_it_is():
    georeference = affine_reference(CRS.from_epsg(3857), Affine(10, 0, 1_500_000, 0, -10, 10_000), 60, 70)
    assert choose_grid(georeference, 10.0, name="a.tif").note == ""


def test_a_scene_coarser_than_twice_the_models_spacing_should_be_refused_unless_forced():
    twice = affine_reference(UTM33, Affine(20, 0, 500_000, 0, -20, 5_400_000), 30, 40)
    assert choose_grid(twice, 10.0, name="a.tif").grid.width == 80
    coarse = affine_reference(UTM33, Affine(21, 0, 500_000, 0, -21, 5_400_000), 30, 40)
    with pytest.raises(SardineError) as caught:
        choose_grid(coarse, 10.0, name="a.tif")
    assert caught.value.code is ErrorCode.SPACING_TOO_COARSE
    assert choose_grid(coarse, 10.0, name="a.tif", allow_coarse=True).grid.width == 84


def test_a_scene_wider_than_a_zone_should_be_refused():
    with pytest.raises(SardineError) as caught:
        choose_grid(affine_reference(LATLON, Affine(9e-5, 0, 0, 0, -9e-5, 50), 1000, 600_000), 10.0, name="a.tif")
    assert caught.value.code is ErrorCode.REQUEST_INVALID


@pytest.mark.parametrize(
    ("crs", "transform"),
    [
        ("EPSG:32633", Affine(10, 0, 5e8, 0, -10, 5.4e9)),
        ("EPSG:4326", Affine(1e-4, 0, 500_000, 0, -1e-4, 5_400_000)),  # metres, called degrees
        ("EPSG:4326", Affine(1e-4, 0, 20, 0, -1e-4, 90.002)),  # beyond the pole in part
    ],
)
def test_coordinates_that_are_nowhere_should_be_refused(crs, transform):
    with pytest.raises(SardineError) as caught:
        choose_grid(affine_reference(CRS.from_string(crs), transform, 60, 70), 10.0, name="a.tif")
    assert caught.value.code is ErrorCode.REQUEST_INVALID
    assert "lie outside its CRS" in caught.value.found


def test_ground_spacing_should_hold_across_a_pole():
    """Polar stereographic with true scale at 70 degrees north: 0.9697 at the pole (Snyder 1987, equation 21-34 at its limit)."""
    pole = affine_reference(CRS.from_epsg(3413), Affine(10, 0, -320, 0, -10, 320), 64, 64)
    assert ground_spacing_m(pole) == pytest.approx((10 / 0.9697, 10 / 0.9697), rel=1e-3)


@pytest.mark.parametrize(
    ("longitude", "latitude", "code"),
    [(13.3, 52.5, 32633), (-73.9, 40.7, 32618), (151.2, -33.9, 32756), (180.0, 10, 32601), (179.99, 10, 32660), (0, 85, 32661)],
)
def test_local_utm_should_be_the_zone_of_the_place(longitude, latitude, code):
    assert local_utm(longitude, latitude).to_epsg() == code


@pytest.mark.parametrize("latitude", [0.0, 38.1, 52.5, -70.0])
def test_ground_spacing_should_match_the_length_of_a_degree(latitude):
    """Series for the length of a degree on WGS 84 (Rapp 1991, as tabulated by NGA), good to a centimetre."""
    phi = math.radians(latitude)
    meridian = 111132.92 - 559.82 * math.cos(2 * phi) + 1.175 * math.cos(4 * phi)
    parallel = 111412.84 * math.cos(phi) - 93.5 * math.cos(3 * phi) + 0.118 * math.cos(5 * phi)
    across, down = ground_spacing_m(degrees(20, 20, north=latitude + 10 * 9e-5))
    assert across == pytest.approx(parallel * 9e-5, rel=1e-5)
    assert down == pytest.approx(meridian * 9e-5, rel=1e-5)


def test_ground_spacing_should_include_the_scale_factor():
    transform = Affine(10, 0, 1_500_000, 0, -10, 8_399_737.89)  # 60 degrees north: Web Mercator's scale is about 2
    across, down = ground_spacing_m(affine_reference(CRS.from_epsg(3857), transform, 2, 2))
    assert across == pytest.approx(5.0126, rel=1e-3)
    assert down == pytest.approx(5.0042, rel=1e-3)


# warped values


def test_warp_should_match_plain_bilinear_interpolation():
    rng = np.random.default_rng(3)
    georeference = affine_reference(LATLON, Affine(14.7e-5, 0, 13.3, 0, -9e-5, 52.5), 60, 60)
    power = rng.gamma(4.4, 0.02, (2, 60, 60)).astype(np.float32)
    reader, grid = reader_of(georeference)
    warped = reader.read(grid.full_window, from_array(power), 2)
    expected = plain_bilinear(power, georeference, grid)
    inner = np.isfinite(expected).all(axis=0)
    assert inner.sum() > 3000
    # coordinates are good to 0.06 of a pixel; neighbours differ by 0.05 on average, and at most by about 0.3
    np.testing.assert_allclose(warped[:, inner], expected[:, inner], atol=1.5e-2)
    assert np.abs(warped - expected)[:, inner].mean() < 2e-3


@pytest.mark.parametrize("spacing_m", [0.5, 1.0, 2.0])
def test_pixels_of_a_metre_at_the_origin_should_be_warped_too(spacing_m):
    """GDAL takes a transform of ones for none."""
    reader, grid = reader_of(affine_reference(LOCAL_METRES, Affine(spacing_m, 0, 0, 0, -spacing_m, 0), 400, 600))
    read = reader.read(grid.full_window, from_array(np.full((1, 400, 600), 7, np.float32)), 1)
    np.testing.assert_allclose(read, 7)


def test_warp_should_give_a_constant_for_a_constant():
    reader, grid = reader_of(degrees())
    warped = reader.read(grid.full_window, from_array(np.full((1, 120, 150), 0.05, np.float32)), 1)
    assert np.isfinite(warped).mean() > 0.9
    np.testing.assert_allclose(warped[np.isfinite(warped)], 0.05, rtol=1e-5)


def test_warp_should_average_the_quantity_given_where_pixels_grow():
    georeference = affine_reference(UTM33, Affine(5, 0, 500_000, 0, -5, 5_400_000), 80, 80)
    checkers = np.where(np.indices((80, 80)).sum(axis=0) % 2, 1.0, 0.01).astype(np.float32)[None]
    reader, grid = reader_of(georeference)
    assert (grid.height, grid.width) == (40, 40)
    warped = reader.read(grid.full_window, from_array(checkers), 1)
    np.testing.assert_allclose(warped[0, 2:-2, 2:-2], 0.505, rtol=1e-3)


def test_warp_should_leave_nodata_out_of_averages_and_keep_its_place():
    georeference = degrees()
    values = np.full((2, 120, 150), 0.1, np.float32)
    values[0, 40:80, 50:100] = np.nan
    reader, grid = reader_of(georeference)
    warped = reader.read(grid.full_window, from_array(values), 2)
    np.testing.assert_allclose(warped[0][np.isfinite(warped[0])], 0.1, rtol=1e-5)
    gap = np.isnan(warped[0]) & np.isfinite(warped[1])  # the other band has no gap there
    area_m2 = 40 * 50 * np.prod(ground_spacing_m(georeference))
    assert gap.sum() * 100 == pytest.approx(area_m2, rel=0.12)


def test_blocks_should_agree_with_the_whole():
    rng = np.random.default_rng(5)
    georeference = degrees(400, 700)
    power = rng.gamma(4.4, 0.02, (1, 400, 700)).astype(np.float32)
    reader, grid = reader_of(georeference)
    whole = reader.read(grid.full_window, from_array(power), 1)
    for window in (PixelWindow(0, 0, 37, grid.width), PixelWindow(101, 13, 64, 250), PixelWindow(200, 300, 1, 1)):
        part = reader.read(window, from_array(power), 1)
        expected = whole[:, window.row : window.row_end, window.column : window.column_end]
        assert (np.isnan(part) == np.isnan(expected)).mean() > 0.999
        both = np.isfinite(part) & np.isfinite(expected)
        np.testing.assert_allclose(part[both], expected[both], atol=1e-5)


def test_crops_of_a_scene_should_share_pixels_and_values():
    rng = np.random.default_rng(6)
    power = rng.gamma(4.4, 0.02, (1, 120, 150)).astype(np.float32)
    whole_reader, whole = reader_of(degrees())
    crop_reader, crop = reader_of(degrees(80, 90, west=13.3 + 31 * 9e-5, north=52.5 - 17 * 9e-5))
    column = round((crop.origin_x - whole.origin_x) / 10)
    row = round((whole.origin_y - crop.origin_y) / 10)
    assert (crop.origin_x, crop.origin_y) == (whole.origin_x + 10 * column, whole.origin_y - 10 * row)
    a = whole_reader.read(PixelWindow(row + 5, column + 5, crop.height - 10, crop.width - 10), from_array(power), 1)
    b = crop_reader.read(PixelWindow(5, 5, crop.height - 10, crop.width - 10), from_array(power[:, 17:97, 31:121]), 1)
    both = np.isfinite(a) & np.isfinite(b)
    assert both.mean() > 0.9
    np.testing.assert_allclose(a[both], b[both], atol=1e-5)


def test_a_raster_on_the_same_lattice_should_be_shifted_not_resampled():
    grid = RasterGrid(UTM33.to_wkt(), 500_000, 5_400_000, 10, 10, 30, 40)
    georeference = affine_reference(UTM33, Affine(10, 0, 500_050, 0, -10, 5_399_980), 20, 20)
    reader = GridReader(georeference, grid, UTM33)
    assert reader.shift == (-2, -5)
    values = np.arange(400, dtype=np.float32).reshape(1, 20, 20)
    read = reader.read(grid.full_window, from_array(values), 1)
    np.testing.assert_array_equal(read[0, 2:22, 5:25], values[0])
    assert np.isnan(read).sum() == 30 * 40 - 400


def test_a_raster_on_another_grid_should_say_how_much_it_covers():
    grid = RasterGrid(UTM33.to_wkt(), 500_000, 5_400_000, 10, 10, 32, 32)
    half = affine_reference(UTM33, Affine(10, 0, 500_000, 0, -10, 5_400_000), 32, 16)
    away = affine_reference(UTM33, Affine(10, 0, 600_000, 0, -10, 5_400_000), 32, 16)
    assert GridReader(half, grid, UTM33).covers(grid.full_window) == 0.5
    assert GridReader(away, grid, UTM33).covers(grid.full_window) == 0.0


def test_a_scene_across_the_date_line_should_be_whole():
    georeference = degrees(100, 300, west=180 - 150 * 9e-5, north=10.0)
    values = np.ones((1, 100, 300), np.float32)
    reader, grid = reader_of(georeference)
    assert grid.width == pytest.approx(300 * 9.85, abs=60) or grid.width < 330
    warped = reader.read(grid.full_window, from_array(values), 1)
    assert np.isfinite(warped).mean() > 0.95


# ground control points


def tilted_points(height: int, width: int) -> tuple[list[GroundControlPoint], CRS]:
    """A lattice of points of a swath flown at an angle, displaced by up to 60 m in waves that no low polynomial follows."""
    points = []
    for row in np.linspace(0, height, 6):
        for column in np.linspace(0, width, 7):
            x = 400_000 + 10 * (column * 0.98 + row * 0.2) + 60 * math.sin(column / width * 9)
            y = 5_600_000 - 10 * (row * 0.98 - column * 0.2) + 50 * math.sin(row / height * 7)
            points.append(GroundControlPoint(row=float(row), col=float(column), x=x, y=y))
    return points, UTM33


def test_control_points_should_be_met_by_the_warp_within_a_pixel():
    height, width = 600, 900
    points, crs = tilted_points(height, width)
    georeference = Georeference(crs, None, tuple(points), height, width)
    assert control_point_residual_px(georeference)[0] < 1e-6
    reader, grid = reader_of(georeference)
    rows, columns = (axis + 0.5 for axis in np.mgrid[0:height, 0:width].astype(np.float32))
    warped = reader.read(grid.full_window, from_array(np.stack([rows, columns])), 2)
    misses = []
    for point in points:
        if not (0 < point.row < height and 0 < point.col < width):
            continue  # at the border there are no pixels on both sides to interpolate between
        # the value at the point, between the four pixel centres around it
        c, r = (point.x - grid.origin_x) / 10 - 0.5, (grid.origin_y - point.y) / 10 - 0.5
        c0, r0 = math.floor(c), math.floor(r)
        part, dc, dr = warped[:, r0 : r0 + 2, c0 : c0 + 2], c - c0, r - r0
        weights = np.array([[(1 - dr) * (1 - dc), (1 - dr) * dc], [dr * (1 - dc), dr * dc]])
        found = (part * weights).sum(axis=(1, 2))
        misses.append(math.hypot(found[0] - point.row, found[1] - point.col))
    assert len(misses) == 4 * 5
    assert max(misses) < 0.1


def test_control_points_should_be_read_in_bounded_pieces():
    height, width = 2000, 2600
    points, crs = tilted_points(height, width)
    georeference = Georeference(crs, None, tuple(points), height, width)
    reader, grid = reader_of(georeference)
    sizes = []

    def read(window: PixelWindow) -> np.ndarray:
        sizes.append(window.height * window.width)
        return np.ones((1, window.height, window.width), np.float32)

    reader.read(PixelWindow(1000, 0, 64, grid.width), read, 1)
    assert max(sizes) < 0.05 * height * width


def test_fine_sources_should_be_read_in_bounded_pieces():
    georeference = affine_reference(UTM33, Affine(0.5, 0, 500_000, 0, -0.5, 5_400_000), 40_000, 40_000)
    reader, _ = reader_of(georeference)
    sizes = []

    def read(window: PixelWindow) -> np.ndarray:
        sizes.append(window.height * window.width)
        return np.full((1, window.height, window.width), np.nan, np.float32)

    reader.read(PixelWindow(0, 0, 400, 400), read, 1)
    assert max(sizes) < 6 * 2**20


# without a CRS


@settings(max_examples=20, deadline=None)
@given(spacing=st.sampled_from([10.0, 9.2, 5.0, 20.0]))
def test_a_raster_without_crs_should_lie_in_local_metres(spacing):
    georeference = affine_reference(LOCAL_METRES, Affine.scale(spacing, -spacing), 40, 60)
    reader, grid = reader_of(georeference)
    assert grid.crs_wkt is None
    assert (grid.origin_x, grid.origin_y) == (0.0, 0.0)
    assert grid.bounds[1] == pytest.approx(-40 * spacing, abs=10)
    values = np.full((1, 40, 60), 0.2, np.float32)
    read = reader.read(grid.full_window, from_array(values), 1)
    assert (reader.shift is not None) == (abs(spacing - 10) <= 1)
    np.testing.assert_allclose(read[np.isfinite(read)], 0.2, rtol=1e-5)
    assert np.isfinite(read).mean() > 0.95
