# SPDX-License-Identifier: GPL-2.0-or-later
"""Real scenes of each kind, as their analysts left them. Medians were looked up in the files, not in our output."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import rasterio

from backend.grid import PixelWindow
from backend.inspect import as_text, inspect
from backend.protocol import BandSource, ErrorCode, SardineError
from backend.scene.open import open_scene
from backend.scene.units import BandSample, detect_unit
from backend.scene.warp import GridReader
from tests.test_backend.cards import VH, VV, small_card
from tests.test_backend.rasters import write_raster

pytestmark = pytest.mark.real

ONE_VV, ONE_VH = small_card(bands=(VV,)), small_card(bands=(VH,))
DB_SCENES = [
    ("slovakia/slovakia_S1.tif", False),
    ("stac_overflow/awc00_S1.tif", False),
    ("stac_overflow/pxs10_S1.tif", False),
    ("sen1floods11/Spain_7370579_S1.tif", True),
    ("sen1floods11/Ghana_53713_S1.tif", True),
    ("cities_and_fields/Berlin_IW_VVVH.tif", True),
    ("cities_and_fields/SanFrancisco_650_IW_VVVH.tif", True),
    ("terramind/282D_485L_3_3_S1RTC.tif", False),
    ("worldcereal/belgium_2021-05_S1.tif", False),
    ("worldcereal/belgium_good_mean_S1.tif", False),
    ("bigearthnet/S1A_IW_GRDH_1SDV_20170613T165043_33UUP_61_39.tif", False),
]


def stored(path: Path) -> np.ndarray:
    with rasterio.open(path) as dataset:
        return dataset.read(masked=True).astype(np.float64).filled(np.nan)


@pytest.mark.parametrize(("name", "warped"), DB_SCENES)
def test_decibel_scenes_should_open_by_themselves(data_folder, name, warped):
    path = data_folder / name
    with open_scene([BandSource.parse(str(path))], small_card()) as scene:
        assert scene.unit_report.unit == "db"
        assert bool(scene.warp_note) == warped
        read = scene.read(scene.grid.full_window)
    values = stored(path)
    for band in range(2):
        # power is what averaging keeps; the warped frame cuts other corners than the stored one
        expected_db = 10 * math.log10(np.nanmean(10 ** (values[band] / 10)))
        assert 10 * math.log10(np.nanmean(10 ** (read[band].astype(float) / 10))) == pytest.approx(expected_db, abs=0.15)
    if not warped:
        np.testing.assert_allclose(read, values, atol=1e-5)


def test_the_unit_should_never_be_wrong_without_any_metadata(data_folder):
    """Each scene as dB, power and amplitude, values alone: dB is always found; the others are found or asked for."""
    names = [*(name for name, _ in DB_SCENES), "linear/matjayet_France_dB.tif"]
    asked = 0
    for name in names:
        db = stored(data_folder / name)
        for unit, form in (("db", db), ("power", 10 ** (db / 10)), ("amplitude", 10 ** (db / 20))):
            planes = [plane[np.isfinite(plane)].astype(np.float32) for plane in form]
            report = detect_unit([BandSample(role, "float32", p, ("",)) for role, p in zip(("VV", "VH"), planes, strict=True)])
            assert report.unit == unit if report.certain else unit != "db", (name, unit, report)
            asked += not report.certain
    assert asked <= len(names) // 2


def test_linear_power_in_the_order_vh_vv_should_match_the_same_scene_in_decibels(data_folder):
    with open_scene([BandSource.parse(str(data_folder / "linear/matjayet_France_VHVV_linear.tif"))], small_card()) as scene:
        assert (scene.unit_report.unit, scene.unit_report.backscatter) == ("power", "sigma0")
        power = scene.read(scene.grid.full_window)
    with open_scene([BandSource.parse(str(data_folder / "linear/matjayet_France_dB.tif"))], small_card()) as scene:
        db = scene.read(scene.grid.full_window)
    np.testing.assert_allclose(power, db, atol=1e-3)


def test_single_layers_should_open_for_models_of_one_band(data_folder):
    with open_scene([BandSource.parse(str(data_folder / "pyrosar/S1A_IW_20150309_VV.tif"))], ONE_VV) as scene:
        assert "20.00 x 20.00 m" in scene.warp_note
        assert {code for code, _ in scene.warnings} == {"spacing_coarse"}
    with open_scene([BandSource.parse(str(data_folder / "linear/townsville_VH_linear.tif"))], ONE_VH) as scene:
        assert scene.unit_report.unit == "power"
    with pytest.raises(SardineError) as caught:
        open_scene([BandSource.parse(str(data_folder / "pyrosar/S1A_IW_20150309_VV.tif"))], small_card())
    assert caught.value.code is ErrorCode.BAND_ABSENT


def test_two_layers_should_match_one_file_of_two_bands(data_folder, tmp_path):
    path = data_folder / "sen1floods11/India_900498_S1.tif"
    with rasterio.open(path) as dataset:
        layers = [
            write_raster(tmp_path / f"S1_{role}.tif", dataset.read(n), crs="EPSG:4326", transform=dataset.transform)
            for n, role in ((1, "VV"), (2, "VH"))
        ]
    with open_scene([BandSource.parse(layer) for layer in reversed(layers)], small_card()) as scene:
        two = scene.read(scene.grid.full_window)
    with open_scene([BandSource.parse(str(path))], small_card()) as scene:
        np.testing.assert_array_equal(scene.read(scene.grid.full_window), two)


def test_a_raw_grd_should_be_placed_by_its_points(data_folder):
    names = [f"grd_gcp/S1A_IW_GRDH_20180716T004042_iw-{p}.tiff" for p in ("vv", "vh")]
    sources = [BandSource.parse(str(data_folder / name)) for name in names]
    with pytest.raises(SardineError) as caught:
        open_scene(sources, small_card(), calibration_db=55.5)
    assert caught.value.code is ErrorCode.SPACING_TOO_COARSE
    with pytest.raises(SardineError) as caught:
        open_scene(sources, small_card(spacing_m=200.0))
    assert caught.value.code is ErrorCode.CALIBRATION_MISSING
    with open_scene(sources, small_card(spacing_m=200.0), calibration_db=55.5) as scene:
        assert scene.unit_report.unit == "dn"
        assert scene.crs.to_epsg() == 32643
        assert "210 ground control points" in scene.warp_note
        read = scene.read(scene.grid.full_window)
        grid = scene.grid
    for band, name in enumerate(names):
        dn = stored(data_folder / name)[0]
        expected_db = 10 * math.log10(np.mean(dn[dn > 0] ** 2)) - 55.5
        assert 10 * math.log10(np.nanmean(10 ** (read[band].astype(float) / 10))) == pytest.approx(expected_db, abs=0.1)
    with rasterio.open(sources[0].path) as dataset:
        points, points_crs = dataset.gcps
    inner = [p for p in points if 0 < p.row < dataset.height - 1 and 0 < p.col < dataset.width - 1]
    xs, ys = rasterio.warp.transform(points_crs, scene.crs, [p.x for p in inner], [p.y for p in inner])
    columns = (np.array(xs) - grid.origin_x) / grid.pixel_width
    rows = (grid.origin_y - np.array(ys)) / grid.pixel_height
    # the grid holds every point, and what the reader takes for its source pixel is the point's own within a pixel
    reader = GridReader(scene.layers[0].georeference, grid, scene.crs)
    there_columns, there_rows = reader.source_pixels(columns, rows)
    miss = np.hypot(there_columns - [p.col for p in inner], there_rows - [p.row for p in inner])
    assert miss.max() < 0.01


def test_eight_bit_without_crs_should_open_as_scaled(data_folder):
    source = [BandSource.parse(str(data_folder / "etci2021/northalabama_20190630_VVVH8.tif"))]
    for options, code in (({}, ErrorCode.CRS_MISSING), ({"spacing_m": 10.0}, ErrorCode.UNIT_AMBIGUOUS)):
        with pytest.raises(SardineError) as caught:
            open_scene(source, small_card(), **options)
        assert caught.value.code is code
    with open_scene(source, small_card(), spacing_m=10.0, units="scaled") as scene:
        assert scene.grid.crs_wkt is None
        read = scene.read(PixelWindow(0, 0, scene.grid.height, scene.grid.width))
    grey = stored(Path(source[0].path))
    outside = (grey == 0).all(axis=0)
    np.testing.assert_array_equal(np.isnan(read).all(axis=0), outside)
    assert np.nanmean(read, axis=(1, 2)) == pytest.approx([VV.mean_db, VH.mean_db], abs=0.01)
    assert np.nanstd(read, axis=(1, 2)) == pytest.approx([VV.std_db, VH.std_db], abs=0.01)


def test_world_mercator_should_be_warped_to_ground_metres(data_folder):
    source = [BandSource.parse(str(data_folder / "los_angeles_vh/003_VH8.tif"))]
    with open_scene(source, ONE_VH, units="scaled") as scene:
        assert scene.crs.to_epsg() == 32611
        assert scene.spacing_m == pytest.approx((8.27, 8.27), abs=0.01)
        side_m = 1024 * scene.spacing_m[0]
        assert scene.grid.width * 10 == pytest.approx(side_m, rel=0.03)


@pytest.mark.parametrize("name", ["slovakia/slovakia_S1.tif", "cities_and_fields/Berlin_IW_VVVH.tif"])
def test_inspect_should_describe_real_scenes(data_folder, name):
    found = inspect([BandSource.parse(str(data_folder / name))], small_card(window_px=224), seconds_per_window=0.1)
    assert found["unit"] == "db"
    assert found["valid_share"] > 0.9
    assert "dB at 1, 50, 99%" in as_text(found)
