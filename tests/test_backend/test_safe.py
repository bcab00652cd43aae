# SPDX-License-Identifier: GPL-2.0-or-later
"""Products of Sentinel-1 as they are downloaded. The formula is ESA's: sigma nought = (DN^2 - noise) / A^2."""

import re
import shutil
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import rasterio
from rasterio.windows import Window

from backend.__main__ import main
from backend.inspect import inspect
from backend.network.model import build_model
from backend.network.model_file import save_model
from backend.output.paths import check_output_paths
from backend.protocol import BandSource, ErrorCode, SardineError
from backend.scene.georeference import georeference_of, ground_spacing_m
from backend.scene.open import open_scene
from backend.scene.safe_dataset import FLOOR_POWER, open_source
from backend.scene.xml_tree import XmlError, parse_xml
from tests.test_backend.cards import small_card
from tests.test_backend.products import CALIBRATION_A, NOISE_DN2, SMALL, real_product, small_product, zipped

WHOLE = Window(0, 0, SMALL[1], SMALL[0])
STEM = "s1a-iw-grd-vv-20210809t173953-20210809t174018-039156-049f13-001"


def expected_power(dn, polarisation, line, sample, *, azimuth=True):
    """By hand, in plain numbers, from what `products.py` writes into the tables."""
    first, last = CALIBRATION_A[polarisation]
    a = first + (last - first) * sample / (SMALL[1] - 1)
    a *= 1.0 - 0.1 * line / (SMALL[0] - 1)
    noise = NOISE_DN2 * (1.0 + line / (SMALL[0] - 1) if azimuth and sample >= 300 else 1.0)
    return (dn**2 - noise) / a**2


def refusal(call):
    with pytest.raises(SardineError) as caught:
        call()
    assert caught.value.refused
    return caught.value


@pytest.mark.parametrize("old_noise", [False, True])
def test_values_should_be_those_of_the_calibration_formula(tmp_path, old_noise):
    with open_source(str(small_product(tmp_path, old_noise=old_noise))) as dataset:
        assert dataset.descriptions == ("VV", "VH")
        for band, polarisation in enumerate(dataset.descriptions, 1):
            power = dataset.read(band, WHOLE)
            assert power.dtype == np.float32
            for line, sample in ((0, 0), (0, 639), (519, 0), (519, 639), (200, 299), (200, 300), (317, 411)):
                expected = expected_power(200.0, polarisation, line, sample, azimuth=not old_noise)
                assert power[line, sample] == pytest.approx(expected, rel=2e-5)


def test_part_of_a_product_should_equal_that_part_of_the_whole(tmp_path):
    rng = np.random.default_rng(0)
    dn = {name: rng.integers(0, 400, SMALL).astype(np.uint16) for name in ("VV", "VH")}
    product = small_product(tmp_path, dn=dn)
    with open_source(str(product)) as dataset:
        whole = dataset.read(2, WHOLE)
    with open_source(str(product)) as dataset:
        for row, column, height, width in ((0, 0, 30, 40), (250, 10, 20, 600), (500, 600, 20, 40), (100, 100, 1, 1)):
            part = dataset.read(2, Window(column, row, width, height))
            np.testing.assert_array_equal(part, whole[row : row + height, column : column + width])


def test_dark_water_should_keep_a_value_and_zero_should_be_nodata(tmp_path):
    dn = np.full(SMALL, 200, np.uint16)
    dn[100:150, 100:150] = 20  # below the noise of 30
    dn[300:310, 300:310] = 0
    with open_source(str(small_product(tmp_path, ("VV",), dn={"VV": dn}))) as dataset:
        power = dataset.read(1, WHOLE)
    assert (power[100:150, 100:150] == FLOOR_POWER).all()
    assert np.isnan(power[300:310, 300:310]).all()
    assert np.isnan(power).sum() == 100


def test_border_noise_should_be_nodata_from_every_side_and_nothing_else(tmp_path):
    rng = np.random.default_rng(1)
    dn = np.sqrt(rng.gamma(4.4, 40_000 / 4.4, SMALL)).astype(np.uint16)  # land under speckle
    image = np.zeros(SMALL, bool)
    image[20:480, 60:600] = True
    dn[~image] = rng.integers(0, 12, (~image).sum())  # the processor's leavings, far below the noise of 30
    dn[200:240, 200:260] = np.sqrt(rng.gamma(4.4, 600 / 4.4, (40, 60))).astype(np.uint16)  # a lake below the noise, inside
    with open_source(str(small_product(tmp_path, ("VV",), dn={"VV": dn}))) as dataset:
        there = np.isfinite(dataset.read(1, WHOLE))
    assert not there[~image].any(), "border noise was kept"
    assert there[image].mean() > 0.97  # up to fifteen pixels of the image at its edges go with it
    assert there[200:240, 200:260][dn[200:240, 200:260] > 0].all()


def test_zip_should_be_read_as_the_folder(tmp_path):
    folder = small_product(tmp_path)
    archive = zipped(folder, tmp_path / "S1A.zip")
    with open_source(str(folder)) as one, open_source(str(archive)) as other:
        np.testing.assert_array_equal(one.read(1, WHOLE), other.read(1, WHOLE))
        assert one.gcps[0][7].x == other.gcps[0][7].x
        assert other.tags()["SARDINE_RELATIVE_ORBIT"] == "59"


def test_measurement_or_manifest_inside_a_product_should_be_calibrated_too(tmp_path):
    product = small_product(tmp_path)
    with open_source(str(product)) as whole:
        expected = whole.read(2, WHOLE)
    (vh,) = (product / "measurement").glob("*-vh-*.tiff")
    with open_source(str(vh)) as dataset:
        assert dataset.descriptions == ("VH",)
        np.testing.assert_array_equal(dataset.read(1, WHOLE), expected)
    with open_source(str(product / "manifest.safe")) as dataset:
        assert dataset.count == 2
    archive = zipped(product, tmp_path / "S1A.zip")
    with open_source(f"/vsizip/{archive}/{vh.relative_to(tmp_path).as_posix()}") as dataset:
        np.testing.assert_array_equal(dataset.read(1, WHOLE), expected)
    alone = tmp_path / "alone.tiff"
    shutil.copy(vh, alone)
    with open_source(str(alone)) as dataset:  # without its annotation it is a raster of digital numbers
        assert dataset.dtypes == ("uint16",)


def test_scene_should_be_known_as_power_placed_and_say_what_it_is(tmp_path):
    product = small_product(tmp_path)
    with open_scene([BandSource("", str(product), 0)], small_card()) as scene:
        assert scene.roles == ("VV", "VH")
        assert (scene.unit_report.unit, scene.unit_report.backscatter) == ("power", "sigma0")
        assert "no_terrain_correction" in [code for code, _ in scene.warnings]
        assert scene.product_facts["SARDINE_ORBIT_DIRECTION"] == "ascending"
        assert scene.product_facts["SARDINE_SENSED"].startswith("2021-08-09T17:39:53")
        assert scene.spacing_m == pytest.approx((9.9, 10.1), abs=0.4)
        db = scene.read(scene.grid.full_window)
        middle = db[:, scene.grid.height // 2, scene.grid.width // 2]
    for value, polarisation in zip(middle, ("VV", "VH"), strict=True):
        near = 10 * np.log10(expected_power(200.0, polarisation, 260, 320))
        assert value == pytest.approx(near, abs=0.1)


def test_prediction_should_keep_the_product_in_its_provenance(tmp_path, capsys):
    archive = zipped(small_product(tmp_path), tmp_path / "S1A.zip")
    out, model = tmp_path / "lc.tif", tmp_path / "m.safetensors"
    save_model(model, small_card(), build_model(small_card()))
    bounds = ["--bounds", "1.970", "44.508", "1.974", "44.511", "--bounds-crs", "EPSG:4326"]
    assert main(["predict", "--scene", str(archive), "--model", str(model), "--landcover", str(out), *bounds]) == 0
    assert "without terrain correction" in capsys.readouterr().err
    with rasterio.open(out) as file:
        tags = file.tags()
        assert file.crs.to_epsg() == 32631
        assert (file.read(1) > 0).mean() > 0.8
    assert tags["SARDINE_ORBIT_DIRECTION"] == "ascending"
    assert tags["SARDINE_RELATIVE_ORBIT"] == "59"
    assert tags["SARDINE_SENSED"].startswith("2021-08-09")
    assert tags["SARDINE_TERRAIN_CORRECTION"].startswith("none")
    assert tags["SARDINE_BACKSCATTER"] == "sigma0"


def test_output_inside_a_product_should_be_refused(tmp_path):
    product = small_product(tmp_path)
    error = refusal(
        lambda: check_output_paths({"landcover": str(product / "measurement" / "lc.tif")}, [str(product)], overwrite=True)
    )
    assert error.code == ErrorCode.OUTPUT_IS_INPUT


def test_hh_hv_product_should_be_inspected_and_refused_by_a_vv_vh_model_with_the_reason(tmp_path):
    product = small_product(tmp_path, ("HH", "HV"))
    found = inspect([BandSource("", str(product), 0)], None)
    assert [band["role"] for band in found["bands"]] == ["HH", "HV"]
    assert found["unit"] == "power"
    error = refusal(lambda: open_scene([BandSource("", str(product), 0)], small_card()))
    assert error.code == ErrorCode.BAND_ABSENT
    assert "HH and HV" in error.found
    assert "VV, VH" in error.needed
    assert refusal(lambda: open_scene([BandSource("VV", str(product), 1)], small_card())).code == ErrorCode.BANDS_SWAPPED


def test_single_polarisation_should_be_read_and_name_what_a_model_misses(tmp_path):
    product = small_product(tmp_path, ("VV",))
    error = refusal(lambda: open_scene([BandSource("", str(product), 0)], small_card()))
    assert (error.code, "no VH" in error.found) == (ErrorCode.BAND_ABSENT, True)
    card = small_card(bands=(small_card().bands[0], replace(small_card().bands[1], optional=True)))
    with open_scene([BandSource("", str(product), 0)], card) as scene:
        assert scene.roles == ("VV",)


def test_another_unit_should_not_be_believed_of_a_product(tmp_path):
    with open_scene([BandSource("", str(small_product(tmp_path)), 0)], small_card(), units="db") as scene:
        assert scene.unit_report.unit == "power"
        assert "unit_ignored" in [code for code, _ in scene.warnings]


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("damage", "code", "says"),
    [
        ("no calibration", ErrorCode.CALIBRATION_MISSING, "calibration of VV"),
        ("no noise", ErrorCode.SOURCE_UNREADABLE, "noise-s1a"),
        ("no measurement", ErrorCode.SOURCE_UNREADABLE, "measurement of VV is missing"),
        ("no manifest", ErrorCode.SOURCE_UNREADABLE, "manifest.safe: it is missing"),
        ("other size", ErrorCode.SOURCE_UNREADABLE, "520 x 640 pixels, its annotation says 520 x 641"),
        ("cut XML", ErrorCode.SOURCE_UNREADABLE, "unclosed token"),
        ("short vector", ErrorCode.SOURCE_UNREADABLE, "2 values at 3 pixels"),
        ("zero calibration", ErrorCode.SOURCE_UNREADABLE, "at or below zero"),
        ("words for numbers", ErrorCode.SOURCE_UNREADABLE, "holds no numbers"),
        ("entity", ErrorCode.SOURCE_UNREADABLE, "entities, which are not read"),
        ("complex", ErrorCode.SOURCE_COMPLEX, "type SLC"),
        ("no points", ErrorCode.SOURCE_UNREADABLE, "0 geolocation points"),
        ("cut measurement", ErrorCode.SOURCE_UNREADABLE, "cannot be"),
    ],
)
def test_damaged_product_should_be_refused_with_what_is_wrong(tmp_path, damage, code, says):
    product = small_product(tmp_path, ("VV",) if damage == "other size" else ("VV", "VH"))
    annotation = product / f"annotation/{STEM}.xml"
    calibration = product / f"annotation/calibration/calibration-{STEM}.xml"
    noise = product / f"annotation/calibration/noise-{STEM}.xml"
    measurement = product / f"measurement/{STEM}.tiff"
    changes = {
        "no calibration": calibration.unlink,
        "no noise": noise.unlink,
        "no measurement": measurement.unlink,
        "no manifest": (product / "manifest.safe").unlink,
        "other size": lambda: edit(annotation, "<numberOfSamples>640<", "<numberOfSamples>641<"),
        "cut XML": lambda: calibration.write_text(calibration.read_text()[:500]),
        "short vector": lambda: edit(calibration, ">0 639<", ">0 100 639<"),
        "zero calibration": lambda: edit(calibration, "6.000000e+02", "0.000000e+00"),
        "words for numbers": lambda: edit(noise, f"{NOISE_DN2} {NOISE_DN2}", "much more"),
        "entity": lambda: calibration.write_text('<!DOCTYPE c [<!ENTITY a "b">]>' + calibration.read_text()),
        "complex": lambda: edit(annotation, ">GRD<", ">SLC<"),
        "no points": lambda: edit(annotation, "geolocationGridPoint>", "otherPoint>"),
        "cut measurement": lambda: measurement.write_bytes(measurement.read_bytes()[:3000]),
    }
    changes[damage]()
    error = refusal(lambda: open_scene([BandSource("", str(product), 0)], small_card()))
    assert error.code == code
    assert says in error.found


def test_zip_that_is_cut_short_or_no_product_should_be_refused(tmp_path):
    archive = zipped(small_product(tmp_path), tmp_path / "S1A.zip")
    archive.write_bytes(archive.read_bytes()[:-3000])
    assert refusal(lambda: open_source(str(archive))).code in (ErrorCode.SOURCE_NOT_RASTER, ErrorCode.SOURCE_UNREADABLE)
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as two:
        for name in ("a.SAFE", "b.SAFE"):
            two.writestr(f"{name}/manifest.safe", "<a/>")
    assert "it holds 2 products" in refusal(lambda: open_source(str(tmp_path / "two.zip"))).found
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as other:
        other.writestr("readme.txt", "no product")
    assert refusal(lambda: open_source(str(tmp_path / "other.zip"))).code == ErrorCode.SOURCE_NOT_RASTER


@pytest.mark.parametrize(
    "text",
    [
        b'<!DOCTYPE a [<!ENTITY x "y"><!ENTITY z "&x;&x;">]><a>&z;</a>',
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        b"<a>" * 100 + b"</a>" * 100,
        b"",
        b"<a><b></a>",
        b"\x00\x01",
    ],
)
def test_xml_that_declares_nests_or_breaks_should_be_refused(text):
    with pytest.raises(XmlError):
        parse_xml(text)


# Real annotations, with measurements of the full size of which a few blocks hold values.

REAL = {
    "S1A_EW_GRDM_1SDH_20221130T014342_20221130T014446_046117_058549_BB15.SAFE.zip": ("HH", "HV"),
    "S1A_IW_GRDH_1SDV_20150203T043109_20150203T043134_004454_00574F_6D00.zip": ("VV", "VH"),
    "S1A_IW_GRDH_1SDV_20210809T173953_20210809T174018_039156_049F13_6FF8.SAFE.zip": ("VV", "VH"),
    "S1B_IW_GRDH_1SDV_20211223T051122_20211223T051147_030148_039993_5371.SAFE.zip": ("VV",),
    "S1C_S4_GRDH_1SDH_20250118T171404_20250118T171421_000638_000538_4B8B.SAFE.zip": ("HH", "HV"),
}


def table_by_hand(text, vector, value, line, sample):
    """A table read with a regular expression and interpolated in plain Python, at one pixel."""
    vectors = []
    for body in re.findall(rf"<{vector}>(.*?)</{vector}>", text, re.DOTALL):
        pixels, values = (re.search(rf"<{name}[^>]*>([^<]*)<", body)[1].split() for name in ("pixel", value))
        pixels, values = [int(p) for p in pixels], [float(v) for v in values]
        at = max(i for i, p in enumerate(pixels) if p <= sample)
        if at == len(pixels) - 1:
            across = values[at]
        else:
            share = (sample - pixels[at]) / (pixels[at + 1] - pixels[at])
            across = values[at] * (1 - share) + values[at + 1] * share
        vectors.append((int(re.search(r"<line>(-?\d+)<", body)[1]), across))
    before = [v for v in vectors if v[0] <= line][-1]
    after = next((v for v in vectors if v[0] > line), before)
    share = 0.0 if after[0] == before[0] else (line - before[0]) / (after[0] - before[0])
    return before[1] * (1 - share) + after[1] * share


def azimuth_by_hand(text, line, sample):
    for body in re.findall(r"<noiseAzimuthVector>(.*?)</noiseAzimuthVector>", text, re.DOTALL):
        names = ("firstAzimuthLine", "lastAzimuthLine", "firstRangeSample", "lastRangeSample")
        first, last, left, right = (int(re.search(rf"<{name}>(\d+)<", body)[1]) for name in names)
        if first <= line <= last and left <= sample <= right:
            lines = [float(v) for v in re.search(r"<line[^>]*>([^<]*)<", body)[1].split()]
            values = [float(v) for v in re.search(r"<noiseAzimuthLut[^>]*>([^<]*)<", body)[1].split()]
            return float(np.interp(line, lines, values))
    return 1.0


@pytest.mark.real
@pytest.mark.parametrize("name", list(REAL))
def test_real_tables_should_give_the_values_of_the_formula(tmp_path, data_folder, name):
    places = [(1000, 600), (4321, 3131), (7003, 5015), (9000, 7001)]
    block = np.full((64, 64), 400, np.uint16)
    product = real_product(tmp_path, data_folder / "safe" / name, dict.fromkeys(places, block))
    with open_source(str(product)) as dataset:
        assert dataset.descriptions == REAL[name]
        for band, polarisation in enumerate(dataset.descriptions, 1):
            pattern = f"*-{polarisation.lower()}*.xml"
            (calibration,) = (product / "annotation/calibration").glob(f"calibration{pattern}")
            (noise,) = (product / "annotation/calibration").glob(f"noise{pattern}")
            calibration, noise = calibration.read_text(), noise.read_text()
            new = "noiseRangeVector" in noise
            for place in places:
                line, sample = place[0] + 17, place[1] + 29
                a = table_by_hand(calibration, "calibrationVector", "sigmaNought", line, sample)
                vector, value = ("noiseRangeVector", "noiseRangeLut") if new else ("noiseVector", "noiseLut")
                power_of_noise = table_by_hand(noise, vector, value, line, sample) * azimuth_by_hand(noise, line, sample)
                got = dataset.read(band, Window(sample, line, 1, 1))[0, 0]
                assert got == pytest.approx((400.0**2 - power_of_noise) / a**2, rel=1e-4)
                assert 0 < power_of_noise < 400.0**2


@pytest.mark.real
def test_real_product_should_lie_where_its_points_say(tmp_path, data_folder):
    name = "S1A_IW_GRDH_1SDV_20210809T173953_20210809T174018_039156_049F13_6FF8.SAFE.zip"
    product = real_product(tmp_path, data_folder / "safe" / name, {(8000, 12000): np.full((64, 64), 300, np.uint16)})
    with open_source(str(product)) as dataset:
        assert dataset.tags()["SARDINE_RELATIVE_ORBIT"] == "59"
        assert dataset.tags()["SARDINE_ORBIT_DIRECTION"] == "ascending"
        georeference = georeference_of(dataset, dataset.name, None)
        assert ground_spacing_m(georeference) == pytest.approx((10.0, 10.0), abs=0.5)
        columns, rows = georeference.mapper().to_crs(
            np.array([p.col for p in georeference.gcps]), np.array([p.row for p in georeference.gcps])
        )
        offsets = np.hypot(columns - [p.x for p in georeference.gcps], rows - [p.y for p in georeference.gcps])
    assert offsets.max() < 1.0
