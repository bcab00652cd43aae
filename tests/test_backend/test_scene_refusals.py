# SPDX-License-Identifier: GPL-2.0-or-later
"""Bad input: each fault has its code and says what was found, what was needed and what to do; no file stays open."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from affine import Affine

from backend.grid import PixelWindow
from backend.protocol import BandSource, ErrorCode, SardineError
from backend.scene.open import open_scene
from tests.test_backend.cards import VV, small_card
from tests.test_backend.rasters import UTM33_TRANSFORM, backscatter_db, write_polygons_geojson, write_raster, write_scene

CARD = small_card()


def both(path: str) -> list[BandSource]:
    return [BandSource("VV", path, 1), BandSource("VH", path, 2)]


def refusal(bands: str | list[BandSource], **options) -> SardineError:
    """The refusal, checked for its form."""
    with pytest.raises(SardineError) as caught:
        open_scene(both(bands) if isinstance(bands, str) else bands, options.pop("card", CARD), **options)
    error = caught.value
    assert error.refused
    for sentence in (error.found, error.needed, error.action):
        assert sentence.endswith(".")
        assert "\n" not in sentence
        assert "Traceback" not in sentence
    return error


def truncate(path: str, share: float) -> str:
    data = Path(path).read_bytes()
    Path(path).write_bytes(data[: int(len(data) * share)])
    return path


def test_a_missing_file_should_be_refused(tmp_path):
    assert refusal(str(tmp_path / "no.tif")).code is ErrorCode.SOURCE_MISSING


@pytest.mark.parametrize("content", [b"", b"not a raster", b'{"type": "FeatureCollection", "features": []}'])
def test_a_file_that_is_no_raster_should_be_refused(tmp_path, content):
    path = tmp_path / "a.tif"
    path.write_bytes(content)
    assert refusal(str(path)).code is ErrorCode.SOURCE_NOT_RASTER


def test_a_folder_should_be_refused(tmp_path):
    assert refusal(str(tmp_path)).code is ErrorCode.SOURCE_NOT_RASTER


@pytest.mark.parametrize("share", [0.9, 0.6, 0.3])
@pytest.mark.parametrize("options", [{}, {"tiled": True, "blockxsize": 128, "blockysize": 128, "compress": "deflate"}])
def test_a_truncated_raster_should_be_refused_before_the_run(tmp_path, share, options):
    path = truncate(write_scene(tmp_path / "a.tif", height=600, width=600, **options), share)
    assert refusal(path).code is ErrorCode.SOURCE_UNREADABLE


def test_a_raster_cut_in_its_header_should_be_refused(tmp_path):
    path = write_scene(tmp_path / "a.tif")
    Path(path).write_bytes(Path(path).read_bytes()[:20])
    assert refusal(path).code in (ErrorCode.SOURCE_UNREADABLE, ErrorCode.SOURCE_NOT_RASTER)


def test_a_read_error_half_way_should_be_a_failure_not_a_refusal(tmp_path):
    """Damage in the middle, which no look at the ends can see."""
    path = write_scene(tmp_path / "a.tif", height=3000, width=600, tiled=True, blockxsize=128, blockysize=128, compress="deflate")
    whole = Path(path).read_bytes()
    middle = len(whole) // 2
    with open_scene(both(path), CARD) as scene:
        Path(path).write_bytes(whole[: middle - 60_000] + bytes(120_000) + whole[middle + 60_000 :])
        with pytest.raises(SardineError) as caught:
            [scene.read(PixelWindow(row, 0, 128, 600)) for row in range(0, 3000, 128)]
    assert caught.value.code is ErrorCode.SOURCE_UNREADABLE
    assert not caught.value.refused


def test_no_crs_should_be_refused_with_the_way_out(tmp_path):
    error = refusal(write_scene(tmp_path / "a.tif", crs=None, transform=None))
    assert error.code is ErrorCode.CRS_MISSING
    assert "--spacing-m" in error.action


@pytest.mark.parametrize("transform", [None, Affine(10, 10, 0, 10, 10, 0), Affine(0, 0, 0, 0, 0, 0)])
def test_a_crs_without_a_geotransform_should_be_refused_with_the_way_out(tmp_path, transform):
    path = write_scene(tmp_path / "a.tif", transform=transform)
    error = refusal(path)
    assert error.code is ErrorCode.CRS_MISSING
    assert "nothing that places its pixels" in error.found
    with open_scene(both(path), CARD, spacing_m=10.0) as scene:
        assert scene.grid.crs_wkt is None


def test_the_same_band_for_both_roles_should_be_refused(tmp_path):
    path = write_raster(tmp_path / "a.tif", backscatter_db())
    assert refusal([BandSource("VV", path, 1), BandSource("VH", path, 1)]).code is ErrorCode.BAND_DUPLICATE


def test_the_same_content_in_two_files_should_be_refused(tmp_path):
    db = backscatter_db()
    bands = [BandSource(role, write_raster(tmp_path / f"{i}.tif", db[0])) for i, role in enumerate(("VV", "VH"))]
    assert refusal(bands).code is ErrorCode.BAND_DUPLICATE


def test_swapped_bands_should_be_refused_by_their_descriptions(tmp_path):
    path = write_raster(tmp_path / "a.tif", backscatter_db()[::-1].copy(), descriptions=("VH", "VV"))
    assert refusal(path).code is ErrorCode.BANDS_SWAPPED


@pytest.mark.parametrize("unit", ["db", "power"])
def test_swapped_bands_without_descriptions_should_be_refused_by_their_values(tmp_path, unit):
    db = backscatter_db()[::-1].copy()
    values = db if unit == "db" else 10 ** (db / 10)
    error = refusal(write_raster(tmp_path / "a.tif", values), units=unit)
    assert error.code is ErrorCode.BANDS_SWAPPED
    assert "-16" in error.found or "-17" in error.found


def test_an_absent_band_should_be_refused(tmp_path):
    error = refusal([BandSource("VV", write_scene(tmp_path / "a.tif"), 1)])
    assert error.code is ErrorCode.BAND_ABSENT


def test_eight_bit_should_be_asked_for_its_unit(tmp_path):
    grey = np.clip(backscatter_db() * 6 + 200, 1, 255).astype(np.uint8)
    error = refusal(write_raster(tmp_path / "a.tif", grey))
    assert error.code is ErrorCode.UNIT_AMBIGUOUS
    assert "scaled" in error.found
    assert "--units" in error.action


def test_digital_numbers_without_a_constant_should_be_refused_with_typical_ones(tmp_path):
    dn = np.round(10 ** ((backscatter_db() + 55.5) / 20)).astype(np.uint16)
    path = write_raster(tmp_path / "a.tif", dn)
    assert refusal(path).code is ErrorCode.UNIT_AMBIGUOUS
    error = refusal(path, units="dn")
    assert error.code is ErrorCode.CALIBRATION_MISSING
    assert all(constant in error.action for constant in ("IW 55.5", "EW 63.2", "SM 46.8"))


def test_a_complex_band_should_be_refused(tmp_path):
    values = (backscatter_db() + 1j).astype(np.complex64)
    assert refusal(write_raster(tmp_path / "a.tif", values)).code is ErrorCode.SOURCE_COMPLEX


@pytest.mark.parametrize("fill", [np.nan, -9999.0, 0.0])
@pytest.mark.parametrize("units", ["auto", "db", "power"])
def test_a_scene_of_nodata_alone_should_be_refused(tmp_path, fill, units):
    values = np.full((2, 64, 64), fill, np.float32)
    assert refusal(write_raster(tmp_path / "a.tif", values), units=units).code is ErrorCode.SOURCE_ALL_NODATA


def test_one_band_of_nodata_alone_should_be_refused(tmp_path):
    db = backscatter_db()
    db[1] = np.nan
    error = refusal(write_raster(tmp_path / "a.tif", db))
    assert error.code is ErrorCode.SOURCE_ALL_NODATA
    assert "VH" in error.found


def test_decibels_taken_as_power_should_be_refused(tmp_path):
    assert refusal(write_raster(tmp_path / "a.tif", backscatter_db() - 5), units="power").code is ErrorCode.SOURCE_ALL_NODATA


def test_a_scene_with_few_values_should_be_found_not_to_be_empty(tmp_path):
    """A sliver of 30 columns in a raster that the sample's blocks step over."""
    db = np.full((2, 1600, 1600), np.nan, np.float32)
    db[:, 700:702, 80:120] = backscatter_db(2, 40)
    with open_scene(both(write_raster(tmp_path / "a.tif", db, compress="deflate")), CARD) as scene:
        assert np.isfinite(scene.read(PixelWindow(700, 80, 2, 40))).all()


def test_layers_that_do_not_overlap_should_be_refused(tmp_path):
    db = backscatter_db()
    vv = write_raster(tmp_path / "vv.tif", db[0])
    vh = write_raster(tmp_path / "vh.tif", db[1], transform=UTM33_TRANSFORM @ Affine.translation(80, 0))
    assert refusal([BandSource("VV", vv), BandSource("VH", vh)]).code is ErrorCode.LAYERS_DO_NOT_OVERLAP


def test_layers_without_crs_of_other_shapes_should_not_be_stacked_blindly(tmp_path):
    db = backscatter_db()
    vv = write_raster(tmp_path / "vv.tif", db[0])
    vh = write_raster(tmp_path / "vh.tif", db[1], crs=None, transform=None)
    assert refusal([BandSource("VV", vv), BandSource("VH", vh)], spacing_m=10.0).code is ErrorCode.LAYERS_DO_NOT_OVERLAP


def test_a_coarse_scene_should_be_refused(tmp_path):
    path = write_scene(tmp_path / "a.tif", transform=Affine(40, 0, 500_000, 0, -40, 5_400_000))
    error = refusal(path)
    assert error.code is ErrorCode.SPACING_TOO_COARSE
    assert "40.0" in error.found


@pytest.mark.parametrize("spacing_m", [0.0, -10.0, float("nan"), 1e9])
def test_a_senseless_spacing_should_be_refused(tmp_path, spacing_m):
    assert refusal(write_scene(tmp_path / "a.tif"), spacing_m=spacing_m).code is ErrorCode.REQUEST_INVALID


def test_no_bands_and_unknown_units_should_be_refused(tmp_path):
    assert refusal([]).code is ErrorCode.REQUEST_INVALID
    assert refusal(write_scene(tmp_path / "a.tif"), units="volts").code is ErrorCode.REQUEST_INVALID


@pytest.mark.parametrize(
    ("bounds", "bounds_crs", "code"),
    [
        ((600_000, 5_399_000, 600_100, 5_399_900), None, ErrorCode.BOUNDS_OUTSIDE),
        ((16.0, 48.0, 16.1, 48.1), "EPSG:4326", ErrorCode.BOUNDS_OUTSIDE),
        ((500_100, 5_399_900, 500_100, 5_399_950), None, ErrorCode.REQUEST_INVALID),
        ((float("nan"), 0, 1, 1), None, ErrorCode.REQUEST_INVALID),
        ((15.0, 48.7, 15.1, 48.8), "EPSG:nonsense", ErrorCode.REQUEST_INVALID),
        ((15.0, 488, 15.1, 489), "EPSG:4326", ErrorCode.REQUEST_INVALID),
    ],
)
def test_bounds_that_cannot_be_met_should_be_refused(tmp_path, bounds, bounds_crs, code):
    with open_scene(both(write_scene(tmp_path / "a.tif")), CARD) as scene, pytest.raises(SardineError) as caught:
        scene.area_window(bounds, bounds_crs)
    assert caught.value.code is code


def test_bounds_in_a_crs_on_a_scene_without_one_should_be_refused(tmp_path):
    path = write_scene(tmp_path / "a.tif", crs=None, transform=None)
    with open_scene(both(path), CARD, spacing_m=10.0) as scene, pytest.raises(SardineError) as caught:
        scene.area_window((15.0, 48.7, 15.1, 48.8), "EPSG:4326")
    assert caught.value.code is ErrorCode.CRS_MISSING


def test_a_mask_outside_or_unreadable_should_be_refused(tmp_path):
    path = write_scene(tmp_path / "a.tif")
    away = write_polygons_geojson(tmp_path / "a.geojson", [[(0, 0), (1, 0), (1, 1), (0, 0)]])
    assert refusal(path, mask=away).code is ErrorCode.MASK_OUTSIDE
    assert refusal(path, mask=path).code is ErrorCode.MASK_UNREADABLE


def test_one_polarisation_for_a_model_of_one_should_not_be_refused(tmp_path):
    path = write_raster(tmp_path / "a.tif", backscatter_db()[0])
    with open_scene([BandSource("VV", path)], small_card(bands=(VV,))) as scene:
        assert scene.roles == ("VV",)
