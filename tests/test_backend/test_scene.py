# SPDX-License-Identifier: GPL-2.0-or-later
"""Scenes opened from real files: units, nodata in every form, grids, layers, windows. Values are simulated."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.env import get_gdal_config
from rasterio.warp import Resampling, reproject

from backend.grid import PixelWindow
from backend.protocol import BandSource
from backend.scene.open import Scene, open_scene
from backend.scene.sources import LEAST_CACHE_BYTES, cache_bytes
from tests.test_backend.cards import VH, VV, small_card
from tests.test_backend.rasters import (
    UTM33,
    UTM33_TRANSFORM,
    backscatter_db,
    write_polygons_geojson,
    write_raster,
    write_scene,
)

CARD = small_card()
DEGREES = Affine(9e-5, 0, 14.99, 0, -9e-5, 48.75)


def both(path: str) -> list[BandSource]:
    return [BandSource("VV", path, 1), BandSource("VH", path, 2)]


def open_at(path: str | list[BandSource], **options) -> Scene:
    return open_scene(both(path) if isinstance(path, str) else path, options.pop("card", CARD), **options)


def read_all(path: str | list[BandSource], **options) -> np.ndarray:
    with open_at(path, **options) as scene:
        return scene.read(scene.grid.full_window)


def codes(scene: Scene) -> set[str]:
    return {code for code, _ in scene.warnings}


# units


def test_decibels_should_be_read_as_they_are(tmp_path):
    db = backscatter_db()
    with open_at(write_raster(tmp_path / "a.tif", db)) as scene:
        assert scene.unit_report.unit == "db"
        assert scene.warp_note == ""
        assert scene.warnings == []
        assert scene.calibrated
        assert scene.grid.geotransform == UTM33_TRANSFORM.to_gdal()
        assert CRS.from_wkt(scene.grid.crs_wkt) == CRS.from_string(UTM33)
        read = scene.read(scene.grid.full_window)
    np.testing.assert_array_equal(read, db)
    assert read.dtype == np.float32


@pytest.mark.parametrize("unit", ["power", "amplitude"])
@pytest.mark.parametrize("units", ["auto", "given"])
def test_power_and_amplitude_should_come_as_decibels(tmp_path, unit, units):
    db = backscatter_db()
    values = 10 ** (db / (10 if unit == "power" else 20))
    read = read_all(write_raster(tmp_path / "a.tif", values), units=unit if units == "given" else "auto")
    np.testing.assert_allclose(read, db, atol=1e-4)


def test_digital_numbers_should_be_calibrated_with_the_constant(tmp_path):
    db = backscatter_db()
    dn = np.round(10 ** ((db + 55.5) / 20)).astype(np.uint16)
    path = write_raster(tmp_path / "a.tif", dn, tags={"TIFFTAG_IMAGEDESCRIPTION": "Sentinel-1A IW GRD HR L1"})
    with open_at(path, calibration_db=55.5) as scene:
        assert scene.unit_report.unit == "dn"
        assert scene.unit_report.backscatter == "sigma0"
        read = scene.read(scene.grid.full_window)
    np.testing.assert_allclose(read, 20 * np.log10(dn) - 55.5, atol=1e-4)


def test_grey_levels_should_be_standardised_once_over_the_whole_scene(tmp_path):
    rng = np.random.default_rng(0)
    grey = np.clip(rng.normal([[[90]], [[130]]], [[[25]], [[30]]], (2, 300, 90)), 1, 255).astype(np.uint8)
    grey[:, :40, :] = 0
    grey[0, 60, 7] = 0  # a dark pixel in one band alone is a value
    path = write_raster(tmp_path / "a.tif", grey)
    with open_at(path, units="scaled") as scene:
        assert not scene.calibrated
        assert "uncalibrated" in codes(scene)
        read = scene.read(scene.grid.full_window)
        part = scene.read(PixelWindow(100, 10, 20, 30))
    valid = grey[:, 40:].astype(np.float64)
    for band, spec in enumerate((VV, VH)):
        expected = (valid[band] - valid[band].mean()) / valid[band].std() * spec.std_db + spec.mean_db
        np.testing.assert_allclose(read[band, 40:], expected, atol=1e-3)
    assert np.isnan(read[:, :40]).all()
    np.testing.assert_array_equal(part, read[:, 100:120, 10:40])


def test_decibels_as_tenths_should_lose_no_value(tmp_path):
    """-9.9 dB is stored as -99, which is nodata in files of plain numbers."""
    tenths = np.round(backscatter_db() * 10).astype(np.int16)
    assert (tenths == -99).any()
    tenths[:, 0, 0] = -32768
    read = read_all(write_raster(tmp_path / "a.tif", tenths, scale_offset=(0.1, 0.0)))
    assert np.isnan(read[:, 0, 0]).all()
    tenths[:, 0, 0] = 0
    np.testing.assert_allclose(np.nan_to_num(read), tenths * 0.1, atol=1e-5)


def test_scale_and_offset_of_the_file_should_be_applied(tmp_path):
    db = backscatter_db()
    stored = np.round((db + 50) * 100).astype(np.uint16)
    stored[:, 3, 4] = 0
    read = read_all(write_raster(tmp_path / "a.tif", stored, scale_offset=(0.01, -50.0), nodata=0))
    assert np.isnan(read[:, 3, 4]).all()
    there = np.isfinite(read)
    assert there.sum() == db.size - 2
    np.testing.assert_allclose(read[there], db[there], atol=0.006)


def test_the_unit_should_not_depend_on_statistics_left_beside_the_file(tmp_path):
    path = write_scene(tmp_path / "a.tif")
    with open_at(path) as scene:
        before, read_before = scene.unit_report, scene.read(scene.grid.full_window)
    bands = "".join(
        f'<PAMRasterBand band="{n}"><Metadata><MDI key="STATISTICS_MAXIMUM">255</MDI><MDI key="STATISTICS_MEAN">100 power</MDI>'
        f'<MDI key="STATISTICS_MINIMUM">0</MDI><MDI key="STATISTICS_STDDEV">30</MDI></Metadata></PAMRasterBand>'
        for n in (1, 2)
    )
    Path(f"{path}.aux.xml").write_text(f"<PAMDataset>{bands}</PAMDataset>")
    with open_at(path) as scene:
        assert scene.unit_report == before
        np.testing.assert_array_equal(scene.read(scene.grid.full_window), read_before)


# nodata


def test_nodata_should_be_seen_in_every_form(tmp_path):
    db = backscatter_db()
    db[:, 0, :5] = -9999.0
    db[:, 1, :5] = -32768.0
    db[:, 2, :5] = -99.0
    db[:, 3, :5] = np.nan
    db[:, 4, :5] = np.inf
    db[:, 5, :5] = 0.0
    db[:, 6, :5] = -150.0
    db[:, 7, :5] = 1e6
    db[0, 20, :5] = 0.0  # 0 dB in one band alone is a value
    read = read_all(write_raster(tmp_path / "a.tif", db))
    assert np.isnan(read[:, :8, :5]).all()
    assert np.isfinite(read).sum() == db.size - 2 * 8 * 5
    assert (read[0, 20, :5] == 0).all()


@pytest.mark.parametrize("nodata", [-9999.0, 0.0, -3.4028234663852886e38, float("nan"), -20.0])
def test_declared_nodata_should_be_left_out(tmp_path, nodata):
    db = backscatter_db()
    db[:, 10:20, 5:9] = nodata
    read = read_all(write_raster(tmp_path / "a.tif", db, nodata=nodata))
    expected = np.zeros(db.shape, bool)
    expected[:, 10:20, 5:9] = True
    np.testing.assert_array_equal(np.isnan(read), expected)


def test_the_mask_band_should_be_followed(tmp_path):
    db = backscatter_db()
    valid = np.ones(db.shape[1:], bool)
    valid[30:40, 12:50] = False
    read = read_all(write_raster(tmp_path / "a.tif", db, mask=valid))
    np.testing.assert_array_equal(np.isfinite(read).all(axis=0), valid)


def test_zero_power_should_be_nodata_in_its_band(tmp_path):
    power = 10 ** (backscatter_db() / 10)
    power[1, 10:20, 10:20] = 0.0
    power[0, 30, 30] = -0.001
    read = read_all(write_raster(tmp_path / "a.tif", power))
    assert np.isnan(read[1, 10:20, 10:20]).all()
    assert np.isnan(read).sum() == 101


def test_zero_in_both_of_two_files_should_be_nodata(tmp_path):
    db = backscatter_db()
    db[:, :10] = 0.0
    db[1, 40, 40] = 0.0
    vv, vh = (write_raster(tmp_path / f"{name}.tif", db[i]) for i, name in enumerate(("vv", "vh")))
    read = read_all([BandSource("VV", vv), BandSource("VH", vh)])
    assert np.isnan(read[:, :10]).all()
    assert read[1, 40, 40] == 0
    assert np.isfinite(read[:, 10:]).all()


def test_nodata_should_not_leak_into_warped_pixels(tmp_path):
    """-9999 averaged with its neighbours would be a dark value: it must be gone before any averaging."""
    db = np.full((2, 90, 120), -10.0, np.float32)
    db[1] = -17.0
    db[:, 30:60, 40:80] = -9999.0
    with open_at(write_raster(tmp_path / "a.tif", db, crs="EPSG:4326", transform=DEGREES)) as scene:
        assert "degrees" in scene.warp_note
        read = scene.read(scene.grid.full_window)
    for band, value in ((0, -10.0), (1, -17.0)):
        np.testing.assert_allclose(read[band][np.isfinite(read[band])], value, atol=1e-3)
    assert 0.7 < np.isfinite(read).mean() < 0.95


# windows


@pytest.mark.parametrize("crs_transform", [(UTM33, UTM33_TRANSFORM), ("EPSG:4326", DEGREES)])
def test_row_bands_should_agree_with_the_whole(tmp_path, crs_transform):
    crs, transform = crs_transform
    path = write_scene(tmp_path / "a.tif", height=150, width=170, crs=crs, transform=transform)
    with open_at(path) as scene:
        whole = scene.read(scene.grid.full_window)
        grid = scene.grid
        parts = [scene.read(PixelWindow(row, 0, 37, grid.width)) for row in range(0, grid.height, 37)]
    joined = np.concatenate(parts, axis=1)
    assert np.isnan(joined[:, grid.height :]).all()
    np.testing.assert_allclose(joined[:, : grid.height], whole, atol=1e-4)


def test_a_window_beyond_the_grid_should_be_nodata_there(tmp_path):
    path = write_scene(tmp_path / "a.tif")
    with open_at(path) as scene:
        whole = scene.read(scene.grid.full_window)
        beyond = scene.read(PixelWindow(-3, -5, 80, 100))
        outside = scene.read(PixelWindow(500, 0, 4, 6))
    np.testing.assert_array_equal(beyond[:, 3:67, 5:85], whole)
    assert np.isfinite(beyond).sum() == whole.size
    assert outside.shape == (2, 4, 6)
    assert np.isnan(outside).all()


@pytest.mark.parametrize(("height", "width"), [(1, 40), (40, 1), (1, 1)])
def test_a_scene_one_pixel_wide_should_be_read(tmp_path, height, width):
    db = np.stack([np.full((height, width), -9.0), np.full((height, width), -16.0)]).astype(np.float32)
    np.testing.assert_array_equal(read_all(write_raster(tmp_path / "a.tif", db)), db)


@pytest.mark.parametrize(("height", "width"), [(2, 40), (40, 2), (2, 2)])
def test_a_scene_two_pixels_wide_should_be_warped(tmp_path, height, width):
    """One pixel of 6.6 m can lie between the centres of two of 10 m."""
    db = np.stack([np.full((height, width), -9.0), np.full((height, width), -16.0)]).astype(np.float32)
    read = read_all(write_raster(tmp_path / "a.tif", db, crs="EPSG:4326", transform=DEGREES))
    assert np.isfinite(read).any()
    np.testing.assert_allclose(read[0][np.isfinite(read[0])], -9.0, atol=1e-3)


# grids and layers


def test_a_warped_scene_should_match_a_whole_array_warped_in_power(tmp_path):
    db = backscatter_db(140, 160)
    with open_at(write_raster(tmp_path / "a.tif", db, crs="EPSG:4326", transform=DEGREES)) as scene:
        read, grid = scene.read(scene.grid.full_window), scene.grid
        expected = np.full(read.shape, np.nan, np.float32)
        x0, dx, _, y0, _, dy = grid.geotransform
        reproject(
            (10 ** (db / 10)).astype(np.float32),
            expected,
            src_transform=DEGREES,
            src_crs="EPSG:4326",
            dst_transform=Affine(dx, 0, x0, 0, dy, y0),
            dst_crs=scene.crs,
            src_nodata=np.nan,
            dst_nodata=np.nan,
            resampling=Resampling.bilinear,
        )
    there = np.isfinite(read) & np.isfinite(expected)
    assert there.mean() > 0.9
    difference_db = np.abs(read - 10 * np.log10(np.where(there, expected, 1)))[there]
    # GDAL places pixels within 0.125 px in this call; speckle differs by several dB from pixel to pixel
    assert np.median(difference_db) < 0.05
    assert np.percentile(difference_db, 99) < 0.5


def test_two_layers_of_one_grid_in_any_order_should_be_one_scene(tmp_path):
    db = backscatter_db()
    vh = write_raster(tmp_path / "b.tif", db[1], descriptions=("VH",))
    vv = write_raster(tmp_path / "a.tif", db[0], descriptions=("VV",))
    with open_at([BandSource("VH", vh), BandSource("VV", vv)]) as scene:
        assert scene.roles == ("VH", "VV")
        assert scene.sources == {"VH": f"{vh}:1", "VV": f"{vv}:1"}
        np.testing.assert_array_equal(scene.read(scene.grid.full_window), db)


def test_roles_should_be_read_off_the_files_where_not_given(tmp_path):
    db = backscatter_db()
    path = write_raster(tmp_path / "a.tif", db[::-1].copy(), descriptions=("Sigma0_VH", "Sigma0_VV"))
    np.testing.assert_array_equal(read_all([BandSource("", path, 0)]), db)


def test_a_layer_on_a_shifted_lattice_should_be_cut_and_filled_without_resampling(tmp_path):
    db = backscatter_db()
    vv = write_raster(tmp_path / "vv.tif", db[0])
    vh = write_raster(tmp_path / "vh.tif", db[1, 10:, 20:], transform=UTM33_TRANSFORM @ Affine.translation(20, 10))
    with open_at([BandSource("VV", vv), BandSource("VH", vh)]) as scene:
        read = scene.read(scene.grid.full_window)
        assert "layers_aligned" in codes(scene)
    np.testing.assert_array_equal(read[0], db[0])
    np.testing.assert_array_equal(read[1, 10:, 20:], db[1, 10:, 20:])
    assert np.isnan(read[1, :10]).all()


def test_a_layer_of_another_grid_should_be_brought_onto_the_first(tmp_path):
    vv = write_raster(tmp_path / "vv.tif", np.full((60, 60), -10.0, np.float32))
    degrees = Affine(9e-5, 0, 14.99, 0, -9e-5, 48.76)
    vh = write_raster(tmp_path / "vh.tif", np.full((300, 300), -17.0, np.float32), crs="EPSG:4326", transform=degrees)
    with open_at([BandSource("VV", vv), BandSource("VH", vh)]) as scene:
        assert (scene.grid.height, scene.grid.width) == (60, 60)
        read = scene.read(scene.grid.full_window)
    assert np.isfinite(read[1]).any()
    np.testing.assert_allclose(read[1][np.isfinite(read[1])], -17.0, atol=1e-3)


def test_a_virtual_raster_should_be_read_as_its_source(tmp_path):
    path = write_scene(tmp_path / "a.tif")
    bands = "".join(
        f'<VRTRasterBand dataType="Float32" band="{n}"><SimpleSource><SourceFilename>{path}</SourceFilename>'
        f"<SourceBand>{n}</SourceBand></SimpleSource></VRTRasterBand>"
        for n in (1, 2)
    )
    geo = ", ".join(str(number) for number in UTM33_TRANSFORM.to_gdal())
    vrt = tmp_path / "a.vrt"
    vrt.write_text(
        f'<VRTDataset rasterXSize="80" rasterYSize="64"><SRS>{UTM33}</SRS><GeoTransform>{geo}</GeoTransform>{bands}</VRTDataset>'
    )
    np.testing.assert_array_equal(read_all(str(vrt)), read_all(path))


def test_control_points_should_be_used_and_their_residual_told(tmp_path):
    db = backscatter_db(120, 160)
    points = [
        GroundControlPoint(row=row, col=column, x=15 + (column + 0.2 * row) * 1.3e-4, y=48.7 - (row - 0.15 * column) * 9e-5, z=300)
        for row in np.linspace(0, 120, 5).tolist()
        for column in np.linspace(0, 160, 6).tolist()
    ]
    path = write_raster(tmp_path / "a.tif", db, crs=None, transform=None, gcps=points)
    with open_at(path) as scene:
        assert "30 ground control points" in scene.warp_note
        assert "meets the points within 0.000 px" in scene.warp_note
        assert "misses the others by" in scene.warp_note
        read = scene.read(scene.grid.full_window)
    assert scene.crs.to_epsg() == 32633
    assert 0.5 < np.isfinite(read).mean() < 1
    # means of power are kept
    assert 10 * np.log10(np.nanmean(10 ** (read[0] / 10))) == pytest.approx(10 * np.log10(np.mean(10 ** (db[0] / 10))), abs=0.2)


def test_a_raster_without_crs_should_be_used_as_it_is_with_its_spacing(tmp_path):
    db = backscatter_db()
    path = write_raster(tmp_path / "a.tif", db, crs=None, transform=None)
    with open_at(path, spacing_m=10.0) as scene:
        assert scene.grid.crs_wkt is None
        assert scene.grid.geotransform == (0.0, 10.0, 0.0, 0.0, 0.0, -10.0)
        np.testing.assert_array_equal(scene.read(scene.grid.full_window), db)
        assert scene.area_window((100, -200, 300, -50)) == PixelWindow(row=5, column=10, height=15, width=20)
    with open_at(path, spacing_m=5.0) as scene:
        assert (scene.grid.height, scene.grid.width) == (32, 40)
        assert "local metres" in scene.warp_note


def test_a_spacing_for_a_raster_with_crs_should_be_warned_of(tmp_path):
    with open_at(write_scene(tmp_path / "a.tif"), spacing_m=10.0) as scene:
        assert codes(scene) == {"spacing_ignored"}


def test_a_forced_coarse_scene_should_be_warned_of(tmp_path):
    transform = Affine(40, 0, 500_000, 0, -40, 5_400_000)
    with open_at(write_scene(tmp_path / "a.tif", transform=transform), allow_coarse=True) as scene:
        assert codes(scene) == {"spacing_coarse"}
        assert scene.grid.width == 320


def test_an_absent_optional_band_should_be_nodata(tmp_path):
    card = small_card(bands=(VV, dataclasses.replace(VH, optional=True)))
    db = backscatter_db()
    path = write_raster(tmp_path / "a.tif", db[0], descriptions=("Sigma0_VV_db",))
    with open_at([BandSource("VV", path)], card=card) as scene:
        assert scene.roles == ("VV",)
        assert codes(scene) == {"band_left_out"}
        read = scene.read(scene.grid.full_window)
    np.testing.assert_array_equal(read[0], db[0])
    assert np.isnan(read[1]).all()


# sigma and gamma nought


def test_gamma_nought_for_a_model_of_sigma_nought_should_be_warned_of(tmp_path):
    db = backscatter_db()
    path = write_raster(tmp_path / "a.tif", db, descriptions=("Gamma0_VV_db", "Gamma0_VH_db"))
    with open_at(path) as scene:
        assert scene.unit_report.backscatter == "gamma0"
        assert codes(scene) == {"backscatter_mismatch"}
    mixed = tuple(dataclasses.replace(band, backscatter="mixed") for band in (VV, VH))
    with open_at(path, card=small_card(bands=mixed)) as scene:
        assert scene.warnings == []


def test_a_brighter_cross_band_that_is_named_so_should_be_warned_of(tmp_path):
    path = write_raster(tmp_path / "a.tif", backscatter_db()[::-1].copy(), descriptions=("VV", "VH"))
    with open_at(path) as scene:
        assert codes(scene) == {"cross_brighter"}


# areas


def test_bounds_should_give_the_pixels_they_touch(tmp_path):
    with open_at(write_scene(tmp_path / "a.tif")) as scene:
        assert scene.area_window() == scene.grid.full_window
        assert scene.area_window((500_101, 5_399_801, 500_199, 5_399_899)) == PixelWindow(10, 10, 10, 10)
        assert scene.area_window((0, 0, 1e7, 1e7)) == scene.grid.full_window
        window = scene.area_window((15.0, 48.7, 15.1, 48.8), "EPSG:4326")
        assert window.column == 0
        assert window.width == 80


def test_ground_area_of_a_pixel_should_include_the_scale_factor(tmp_path):
    with open_at(write_scene(tmp_path / "a.tif")) as scene:
        assert scene.pixel_area_m2 == pytest.approx(100 / 0.9996**2, rel=1e-4)


def test_the_mask_should_be_true_inside_its_polygons(tmp_path):
    ring = [(500_100, 5_399_900), (500_200, 5_399_900), (500_200, 5_399_800), (500_100, 5_399_800), (500_100, 5_399_900)]
    path = write_scene(tmp_path / "a.tif")
    with open_at(path) as scene:
        assert scene.mask_window() is None
        assert scene.read_mask(PixelWindow(0, 0, 3, 4)).all()
    with open_at(path, mask=write_polygons_geojson(tmp_path / "a.geojson", [ring], UTM33)) as scene:
        assert scene.mask_window() == PixelWindow(10, 10, 10, 10)
        mask = scene.read_mask(PixelWindow(5, 5, 20, 20))
        assert mask[5:15, 5:15].all()
        assert mask.sum() == 100


def test_the_block_cache_should_hold_two_rows_of_blocks_and_not_grow_with_the_height(tmp_path):
    """A full IW scene, 25,000 px wide in tiles of 512: 205 MB of float32 in two bands."""
    sizes = {}
    for height in (1024, 4096):
        for width in (1024, 25_000):
            path = tmp_path / f"{height} {width}.tif"
            profile = {"driver": "GTiff", "height": height, "width": width, "count": 2, "dtype": "float32", "crs": UTM33}
            tiles = {"tiled": True, "blockxsize": 512, "blockysize": 512, "sparse_ok": True}
            with rasterio.open(path, "w", transform=UTM33_TRANSFORM, **profile, **tiles):
                pass
            with rasterio.open(path) as dataset:
                sizes[height, width] = cache_bytes([(dataset, 1), (dataset, 2)])
    assert sizes[1024, 1024] == LEAST_CACHE_BYTES
    assert 205e6 < sizes[1024, 25_000] < 400e6
    assert sizes[4096, 25_000] == sizes[1024, 25_000]
    with open_at(write_scene(tmp_path / "a.tif")):
        assert get_gdal_config("GDAL_CACHEMAX") == LEAST_CACHE_BYTES


def test_files_should_be_closed_with_the_scene(tmp_path):
    path = write_scene(tmp_path / "a.tif")
    with open_at(path) as scene:
        datasets = [dataset for layer in scene.layers for dataset in layer.datasets]
        assert not any(dataset.closed for dataset in datasets)
    assert all(dataset.closed for dataset in datasets)
