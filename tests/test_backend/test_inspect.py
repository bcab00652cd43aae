# SPDX-License-Identifier: GPL-2.0-or-later
"""What inspect says of a scene, against what the test put in it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from affine import Affine

from backend.grid import PixelWindow
from backend.inspect import as_text, inspect
from backend.protocol import BandSource, ErrorCode, SardineError
from backend.windows import lay_windows
from tests.test_backend.cards import small_card
from tests.test_backend.rasters import backscatter_db, write_raster, write_scene

CARD = small_card()


def test_inspect_should_tell_role_unit_place_and_share_of_valid_pixels(tmp_path):
    db = backscatter_db()
    db[:, :16] = -9999.0
    db[0, 20, :8] = np.nan
    path = write_raster(tmp_path / "a.tif", db[::-1].copy(), descriptions=("Sigma0_VH_db", "Sigma0_VV_db"), nodata=-9999.0)
    found = inspect([BandSource.parse(path)], CARD, seconds_per_window=0.5)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert [(band["role"], band["band"], band["named"]) for band in found["bands"]] == [
        ("VH", 1, "Sigma0_VH_db"),
        ("VV", 2, "Sigma0_VV_db"),
    ]
    assert (found["unit"], found["backscatter"], found["crs"]) == ("db", "sigma0", "EPSG:32633")
    assert found["ground_spacing_m"] == pytest.approx([10.004, 10.004], abs=1e-3)
    assert found["valid_share"] == pytest.approx((48 * 80 - 8) / (64 * 80), abs=1e-4)
    assert found["bands"][0]["nodata"] == {"declared": 0.25}
    assert found["bands"][1]["nodata"] == {"declared": 0.25, "not finite": round(8 / 5120, 6)}
    there = db[1][np.isfinite(db[1]) & (db[1] > -9999)]
    assert found["bands"][0]["db_1_50_99"] == pytest.approx(np.percentile(there, (1, 50, 99)).tolist(), abs=2e-3)
    assert not found["warped"]
    layout = lay_windows(PixelWindow(0, 0, 64, 80), 64, 80, window_px=CARD.window_px, patch_px=CARD.patch_px, overlap=0.125)
    assert found["model"]["windows_total"] == layout.count
    assert found["model"]["seconds_expected"] == pytest.approx(0.5 * layout.count)
    assert found["model"]["memory_mb_expected"] > 0


def test_inspect_should_tell_the_cost_of_the_part_that_is_to_be_mapped(tmp_path):
    path = write_raster(tmp_path / "a.tif", backscatter_db(), descriptions=("VV", "VH"))
    west, _, _, north = inspect([BandSource.parse(path)], CARD)["bounds"]
    part = (west, north - 320, west + 320, north)
    found = inspect([BandSource.parse(path)], CARD, bounds=part, overlap=0.5, seconds_per_window=0.5)
    layout = lay_windows(PixelWindow(0, 0, 32, 32), 64, 80, window_px=CARD.window_px, patch_px=CARD.patch_px, overlap=0.5)
    assert (found["height"], found["width"]) == (64, 80)
    assert found["model"]["windows_total"] == layout.count
    assert found["model"]["seconds_expected"] == pytest.approx(0.5 * layout.count)
    with pytest.raises(SardineError) as caught:
        inspect([BandSource.parse(path)], CARD, bounds=(0, 0, 1, 1))
    assert caught.value.code is ErrorCode.BOUNDS_OUTSIDE


def test_inspect_should_name_each_form_of_nodata(tmp_path):
    db = backscatter_db()
    db[:, 0] = -9999.0
    db[:, 1] = np.inf
    db[:, 2] = 0.0
    db[:, 3] = -140.0
    found = inspect([BandSource.parse(write_raster(tmp_path / "a.tif", db, descriptions=("VV", "VH")))], CARD)
    row = round(1 / 64, 6)
    assert found["bands"][0]["nodata"] == {
        "undeclared -9999, -32768 or -99": row,
        "not finite": row,
        "0 in every band": row,
        "beyond -80 to 60 dB": row,
    }
    assert found["valid_share"] == pytest.approx(60 / 64)


def test_inspect_should_tell_zero_power(tmp_path):
    power = 10 ** (backscatter_db() / 10)
    power[:, 0] = 0.0
    found = inspect([BandSource.parse(write_raster(tmp_path / "a.tif", power, descriptions=("VV", "VH")))], None)
    assert found["unit"] == "power"
    assert found["bands"][1]["nodata"] == {"0 or negative": round(1 / 64, 6)}


def test_inspect_without_a_model_should_find_the_roles_that_are_named(tmp_path):
    db = np.concatenate([backscatter_db(), backscatter_db(seed=2), np.full((1, 64, 80), 38.0, np.float32)])
    path = write_raster(tmp_path / "a.tif", db, descriptions=("VV_asc", "VH_asc", "VV_desc", "VH_desc", "angle"))
    found = inspect([BandSource.parse(path)], None)
    assert [band["role"] for band in found["bands"]] == ["VV_asc", "VH_asc", "VV_desc", "VH_desc"]
    assert "model" not in found
    assert "No model was given" in as_text(found)


def test_inspect_should_tell_how_a_scene_would_be_warped(tmp_path):
    path = write_scene(tmp_path / "a.tif", crs="EPSG:4326", transform=Affine(9e-5, 0, 14.99, 0, -9e-5, 48.75))
    found = inspect([BandSource.parse(path)], CARD)
    assert found["warped"]
    assert "EPSG:32633" in found["warp"]
    assert found["source_crs"] == "EPSG:4326"
    assert 0.9 < found["valid_share"] < 1


def test_inspect_should_sample_a_large_scene_and_say_so(tmp_path):
    db = np.full((2, 1500, 1500), np.nan, np.float32)
    db[:, :750] = backscatter_db(750, 1500)
    path = write_raster(tmp_path / "a.tif", db, descriptions=("VV", "VH"), tiled=True)
    found = inspect([BandSource.parse(path)], CARD, seconds_per_window=0.01)
    assert found["sampled_share"] == pytest.approx(144 * 64 * 64 / 1500**2, rel=1e-3)
    assert found["valid_share"] == pytest.approx(0.5, abs=0.05)
    assert found["model"]["windows_expected"] == pytest.approx(found["model"]["windows_total"] / 2, rel=0.1)
    assert "from a sample of 26" in as_text(found)


def test_the_text_should_hold_what_was_found(tmp_path):
    path = write_scene(tmp_path / "a.tif")
    text = as_text(inspect([BandSource.parse(path)], CARD, seconds_per_window=100.0))
    for part in (
        "VV",
        "VH",
        "unit       db",
        "EPSG:32633",
        "Read as it is.",
        "100.0% of the pixels",
        "windows",
        "min on the device",
    ):
        assert part in text


def test_inspect_should_refuse_like_a_run(tmp_path):
    path = write_raster(tmp_path / "a.tif", np.full((2, 30, 30), 90, np.uint8), descriptions=("VV", "VH"))
    with pytest.raises(SardineError) as caught:
        inspect([BandSource("VV", path, 1), BandSource("VH", path, 2)], CARD)
    assert caught.value.code is ErrorCode.UNIT_AMBIGUOUS
    found = inspect([BandSource("VV", path, 1), BandSource("VH", path, 2)], CARD, units="scaled")
    assert not found["calibrated"]
    assert "grey level" in as_text(found)
