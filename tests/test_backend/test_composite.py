# SPDX-License-Identifier: GPL-2.0-or-later
"""`composite`: values against a slow plain version, nodata pixel by pixel, bands that a model of seasons finds, memory."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from affine import Affine

from backend.__main__ import main
from backend.batch.scenes import find_scenes
from backend.composite import run as composite_run
from backend.composite.dates import date_in, date_of, period_of
from backend.composite.reduce import reduce_dates
from backend.network.model import build_model
from backend.network.model_file import save_model
from backend.protocol import CompositeRequest, CompositeScene, SardineError
from backend.radiometry import to_power
from backend.tasks import run_request
from tests.benchmarks.made_scene import write_made_scene
from tests.test_backend.cards import VH, VV, small_card
from tests.test_backend.rasters import UTM33_TRANSFORM, backscatter_db, write_raster

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("SARDINE_DATA", ROOT.parent / "shared" / "data"))
DATES = ("2020-01-03", "2020-02-20", "2020-07-01", "2020-07-13", "2020-08-30", "2021-12-24")


def with_gaps(seed: int) -> np.ndarray:
    """A date with a corner without data, other pixels without VH alone, and the lake and fields of all."""
    values = backscatter_db(70, 90, seed=seed)
    values[:, : 5 * seed, : 7 * seed] = np.nan
    values[1, 40:50, seed::9] = np.nan
    values[:, 60:64, 80:84] = np.nan  # on no date
    return values


@pytest.fixture
def dated(tmp_path):
    folder = tmp_path / "dates"
    folder.mkdir()
    values = {}
    for seed, date in enumerate(DATES, 1):
        values[date] = with_gaps(seed)
        name = f"S1_{date.replace('-', '')}T0530.tif"
        write_raster(folder / name, values[date], descriptions=("VV", "VH"), nodata=float("nan"))
    return folder, values


def run(arguments: list[str]) -> int:
    return main(["composite", *arguments])


def slowly(stack: np.ndarray, reduction: str, percentile: float = 50.0) -> np.ndarray:
    """The definition, pixel by pixel, in double precision: [dates, rows, columns] dB to [rows, columns] dB."""
    result = np.full(stack.shape[1:], np.nan)
    for row, column in np.ndindex(*result.shape):
        power = [10 ** (float(v) / 10) for v in stack[:, row, column] if np.isfinite(v)]
        if power:
            value = np.mean(power) if reduction == "mean" else np.percentile(power, percentile)
            result[row, column] = 10 * np.log10(value)
    return result


@pytest.mark.parametrize(
    ("reduction", "percentile"), [("median", 50.0), ("mean", 50.0), ("percentile", 10.0), ("percentile", 100.0)]
)
def test_composite_should_equal_the_slow_definition_in_linear_power(reduction, percentile, dated, tmp_path, capsys):
    folder, values = dated
    out, count = tmp_path / "c.tif", tmp_path / "n.tif"
    command = ["--scenes", str(folder), "--out", str(out), "--count", str(count), "--reduce", reduction]
    assert run([*command, "--percentile", str(percentile)]) == 0
    stack = np.stack(list(values.values()))
    with rasterio.open(out) as composite, rasterio.open(count) as counts:
        assert composite.descriptions == ("VV 2020-01-03/2021-12-24 n=6", "VH 2020-01-03/2021-12-24 n=6")
        assert composite.units == ("dB", "dB")
        for plane in range(2):
            wanted = slowly(stack[:, plane], reduction, percentile)
            np.testing.assert_allclose(composite.read(plane + 1), wanted, atol=2e-4)
            np.testing.assert_array_equal(counts.read(plane + 1), np.isfinite(stack[:, plane]).sum(axis=0))
        assert np.isnan(composite.read(1)[60:64, 80:84]).all()
        assert (composite.crs, composite.transform) == ("EPSG:32633", UTM33_TRANSFORM)
    assert "6 dates, 2 bands" in capsys.readouterr().out


def test_seasons_should_be_bands_that_a_model_of_seasons_finds(dated, tmp_path, capsys):
    folder, values = dated
    out = tmp_path / "c.tif"
    assert run(["--scenes", str(folder), "--out", str(out), "--by", "season"]) == 0
    with rasterio.open(out) as composite:
        assert composite.descriptions == (
            "VV_winter 2020-01-03/2021-12-24 n=3",
            "VH_winter 2020-01-03/2021-12-24 n=3",
            "VV_summer 2020-07-01/2020-08-30 n=3",
            "VH_summer 2020-07-01/2020-08-30 n=3",
        )
        summer = np.stack([values[date][0] for date in DATES if date[5:7] in ("07", "08")])
        np.testing.assert_allclose(composite.read(3), slowly(summer, "median"), atol=2e-4)
        told = json.loads(composite.tags()["SARDINE_DATES"])
        assert told["VV_summer 2020-07-01/2020-08-30 n=3"] == ["2020-07-01", "2020-07-13", "2020-08-30"]
    roles = [(spec, season) for season in ("summer", "winter") for spec in (VV, VH)]  # not in the file's order
    card = small_card(bands=tuple(dataclasses.replace(spec, role=f"{spec.role}_{season}") for spec, season in roles))
    torch.manual_seed(0)
    save_model(tmp_path / "m.safetensors", card, build_model(card))
    assert (
        main(["predict", "--scene", str(out), "--model", str(tmp_path / "m.safetensors"), "--landcover", str(tmp_path / "l.tif")])
        == 0
    )
    with rasterio.open(tmp_path / "l.tif") as landcover:
        sources = json.loads(landcover.tags()["SARDINE_SOURCES"])
    assert {role: source.rsplit(":", 1)[1] for role, source in sources.items()} == {
        "VV_summer": "3",
        "VH_summer": "4",
        "VV_winter": "1",
        "VH_winter": "2",
    }


def test_orbit_directions_should_be_kept_apart_on_request_and_refused_where_nothing_tells_them(dated, tmp_path, capsys):
    folder, _ = dated
    both = tmp_path / "both"
    both.mkdir()
    stack = []
    for number, date in enumerate(("2020-05-01", "2020-06-01")):
        stack.append(np.concatenate([backscatter_db(seed=20 + number), backscatter_db(seed=30 + number) - 3]))
        write_raster(both / f"{date}.tif", stack[-1], descriptions=("VV_asc", "VH_asc", "VV_desc", "VH_desc"))
    out = tmp_path / "c.tif"
    assert run(["--scenes", str(both), "--out", str(out), "--directions-apart"]) == 0
    with rasterio.open(out) as composite:
        assert [text.split()[0] for text in composite.descriptions] == ["VV_asc", "VH_asc", "VV_desc", "VH_desc"]
        np.testing.assert_allclose(composite.read(3), slowly(np.stack([s[2] for s in stack]), "median"), atol=2e-4)
    assert run(["--scenes", str(both), "--out", str(out), "--overwrite"]) == 0
    with rasterio.open(out) as composite:
        assert list(composite.descriptions) == ["VV 2020-05-01/2020-06-01 n=4", "VH 2020-05-01/2020-06-01 n=4"]
        together = np.stack([s[plane] for s in stack for plane in (0, 2)])
        np.testing.assert_allclose(composite.read(1), slowly(together, "median"), atol=2e-4)
    assert run(["--scenes", str(folder), "--out", str(tmp_path / "d.tif"), "--directions-apart"]) == 2
    assert "Nothing tells the orbit direction of VV of S1_20200103T0530.tif" in capsys.readouterr().err
    assert not (tmp_path / "d.tif").exists()


def test_scene_on_another_grid_should_be_warped_in_power_and_told(dated, tmp_path, capsys):
    folder, values = dated
    shifted = backscatter_db(70, 90, seed=40)
    half = UTM33_TRANSFORM @ Affine.translation(0.5, 0)
    write_raster(folder / "S1_20200401.tif", shifted, descriptions=("VV", "VH"), transform=half)
    out = tmp_path / "c.tif"
    scenes = [str(folder / "S1_20200103T0530.tif"), str(folder / "S1_20200401.tif")]
    assert run(["--scenes", *scenes, "--out", str(out), "--by", "month"]) == 0
    assert "S1_20200401.tif lies on another grid, and is warped onto that of S1_20200103T0530.tif" in capsys.readouterr().err
    with rasterio.open(out) as composite:
        assert [text.split()[0] for text in composite.descriptions] == ["VV_jan", "VH_jan", "VV_apr", "VH_apr"]
        np.testing.assert_allclose(composite.read(1), values["2020-01-03"][0], atol=2e-4)
        power = to_power(shifted[0])  # bilinear, half a pixel to the right: the mean of two neighbours
        wanted = 10 * np.log10((power[:, :-1] + power[:, 1:]) / 2)
        np.testing.assert_allclose(composite.read(3)[:, 1:], wanted, atol=1e-3)


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"transform": UTM33_TRANSFORM @ Affine.translation(5000, 0)}, "layers_do_not_overlap", "covers no part"),
        ({"transform": UTM33_TRANSFORM @ Affine.scale(3)}, "spacing_too_coarse", "are 30.0 m on the ground"),
        ({"crs": None, "transform": None}, "crs_missing", "odd_20200501.tif has no coordinate reference system"),
    ],
)
def test_scene_that_does_not_fit_should_be_refused_with_the_reason(change, code, words, dated, tmp_path, capsys):
    folder, _ = dated
    write_raster(folder / "odd_20200501.tif", backscatter_db(), descriptions=("VV", "VH"), **change)
    assert run(["--scenes", str(folder), "--out", str(tmp_path / "c.tif")]) == 2
    error = capsys.readouterr().err
    assert f"{code}: " in error
    assert words in error
    assert list(tmp_path.glob("c.tif*")) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--reduce", "percentile", "--percentile", "101"], "The percentile is 101"),
        (["--dates", "2020-01-01"], "1 dates were given for 6 scenes"),
        (["--dates", "2020-01-01", "x", *["2020-01-02"] * 4], "“x” is no date"),
        (["--out", "c.txt"], "is not named as a GeoTIFF"),
    ],
)
def test_composite_should_refuse_wrong_settings(arguments, words, dated, tmp_path, capsys):
    folder, _ = dated
    assert run(["--scenes", str(folder), "--out", str(tmp_path / "c.tif"), *arguments]) == 2
    assert words in capsys.readouterr().err


def test_scene_without_a_date_should_be_refused_with_the_way_to_give_it(dated, tmp_path, capsys):
    folder, _ = dated
    (folder / "S1_20200103T0530.tif").rename(folder / "first.tif")
    assert run(["--scenes", str(folder), "--out", str(tmp_path / "c.tif")]) == 2
    assert "Nothing tells when first.tif was taken" in capsys.readouterr().err


def test_dates_should_be_read_off_names_and_seasons_follow_the_hemisphere():
    assert date_in("s1_-55.20_-4.39_2019_05_27_VVVH_dB") == "2019-05-27"
    assert date_in("S1B_20201399_20200131") == "2020-01-31"  # there is no month 13
    assert date_in("tile_202001311234") is None
    assert date_of(" 2020-02 ", {}, "x_20210101.tif") == "2020-02"
    assert date_of(None, {"SARDINE_SENSED": "2021-08-09T17:39:53 to 2021-08-09T17:40:18"}, "x_20210101.tif") == "2021-08-09"
    with pytest.raises(SardineError, match="is no date"):
        date_of("2020-02-31", {}, "x")
    north = [period_of(f"2020-{month:02}-01", "season", southern=False) for month in range(1, 13)]
    assert north == ["winter"] * 2 + ["spring"] * 3 + ["summer"] * 3 + ["autumn"] * 3 + ["winter"]
    south = [period_of(f"2020-{month:02}-01", "season", southern=True) for month in range(1, 13)]
    assert south == ["summer"] * 2 + ["autumn"] * 3 + ["winter"] * 3 + ["spring"] * 3 + ["summer"]
    assert period_of("2020-03", "month", southern=True) == "mar"


def test_blocks_should_not_change_the_values_and_bound_the_memory(dated, tmp_path, monkeypatch):
    folder, _ = dated
    request = CompositeRequest(
        tuple(CompositeScene(scene.bands) for scene in find_scenes([str(folder)])), str(tmp_path / "whole.tif"), units="db"
    )
    run_request(request, lambda _: None, lambda: False)
    monkeypatch.setattr(composite_run, "ROWS", 32)
    monkeypatch.setattr(composite_run, "COLUMNS", 16)
    monkeypatch.setattr(composite_run, "BLOCK_BYTES", 1)
    run_request(dataclasses.replace(request, output=str(tmp_path / "blocks.tif")), lambda _: None, lambda: False)
    with rasterio.open(tmp_path / "whole.tif") as whole, rasterio.open(tmp_path / "blocks.tif") as blocks:
        np.testing.assert_array_equal(whole.read(), blocks.read())
    monkeypatch.undo()
    for planes in (2, 24, 240):
        columns = composite_run.block_columns(planes, 256)
        assert columns == 512 or columns * planes * 256 * 4 <= composite_run.BLOCK_BYTES


def test_memory_should_not_depend_on_the_height_of_the_scenes(tmp_path):
    """Twelve dates, more than GDAL's cache holds even of the lower ones."""
    peaks_mb = []
    for height in (1024, 3072):
        folder = tmp_path / str(height)
        folder.mkdir()
        first = write_made_scene(folder / "S1_20200101.tif", height, 2048)
        for month in range(2, 13):
            (folder / f"S1_2020{month:02}01.tif").symlink_to(first)
        command = [sys.executable, "-m", "backend", "composite", "--scenes", str(folder), "--units", "db", "--out"]
        child = subprocess.Popen([*command, str(tmp_path / f"{height}.tif")], cwd=ROOT, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        assert status == 0
        peaks_mb.append(usage.ru_maxrss / 1024)
    assert peaks_mb[1] < 1.05 * peaks_mb[0], peaks_mb


def test_cancel_should_leave_nothing(dated, tmp_path):
    folder, _ = dated
    request = CompositeRequest(tuple(CompositeScene(s.bands) for s in find_scenes([str(folder)])), str(tmp_path / "c.tif"))
    asked = iter([False, True])
    with pytest.raises(SardineError, match="cancelled"):
        run_request(request, lambda _: None, lambda: next(asked))
    assert list(tmp_path.glob("c.tif*")) == []


def test_median_of_an_even_number_should_lie_between_both_and_single_values_be_kept():
    power = np.array([[[1.0, np.nan, 4.0]], [[3.0, np.nan, np.nan]]], dtype=np.float32)
    values, count = reduce_dates(power.copy(), "median", 0.0)
    np.testing.assert_array_equal(values, [[2.0, np.nan, 4.0]])
    np.testing.assert_array_equal(count, [[2, 0, 1]])
    np.testing.assert_array_equal(reduce_dates(power.copy(), "percentile", 25.0)[0], [[1.5, np.nan, 4.0]])
    np.testing.assert_array_equal(reduce_dates(power.copy(), "mean", 0.0)[0], [[2.0, np.nan, 4.0]])


@pytest.mark.real
@pytest.mark.skipif(not (DATA / "biomassters").is_dir(), reason=f"no real scenes under {DATA}: set SARDINE_DATA")
def test_composites_of_real_dates_should_equal_the_slow_definition(tmp_path):
    """Twelve months of a Finnish place, both directions, in seasons; two dates of a Chinese town."""
    place = DATA / "biomassters"
    scenes = [str(place / f"0060c0a5_S1_{month:02}_dB.tif") for month in range(12)]
    months = [f"2019-{month:02}" for month in range(9, 13)] + [f"2020-{month:02}" for month in range(1, 9)]
    out = tmp_path / "finland.tif"
    arguments = ["--scenes", *scenes, "--dates", *months, "--spacing-m", "10", "--by", "season", "--directions-apart"]
    assert run([*arguments, "--out", str(out), "--count", str(tmp_path / "n.tif")]) == 0
    planes = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for scene in scenes:
            with rasterio.open(scene) as dataset:
                values = dataset.read()
                values[~((values >= -80) & (values <= 60))] = np.nan
                planes.append(values)
        with rasterio.open(out) as composite, rasterio.open(tmp_path / "n.tif") as counts:
            names = [text.split()[0] for text in composite.descriptions]
            assert names == [
                f"{p}_{season}"
                for season in ("winter", "spring", "summer", "autumn")
                for p in ("VV_asc", "VH_asc", "VV_desc", "VH_desc")
            ]
            for band, name in enumerate(names, 1):
                season = name.rsplit("_", 1)[1]
                chosen = np.stack(
                    [
                        p[(band - 1) % 4]
                        for p, m in zip(planes, months, strict=True)
                        if period_of(m, "season", southern=False) == season
                    ]
                )
                np.testing.assert_allclose(composite.read(band)[:64, :64], slowly(chosen[:, :64, :64], "median"), atol=3e-4)
                np.testing.assert_array_equal(counts.read(band), np.isfinite(chosen).sum(axis=0))
    town = sorted(str(path) for path in (DATA / "town_two_dates").glob("*.tif"))
    assert (
        run(
            [
                "--scenes",
                *town,
                "--dates",
                "2020-08",
                "2020-12",
                "--spacing-m",
                "10",
                "--reduce",
                "mean",
                "--out",
                str(tmp_path / "t.tif"),
            ]
        )
        == 0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dates = np.stack([rasterio.open(path).read() for path in town])
        with rasterio.open(tmp_path / "t.tif") as composite:
            np.testing.assert_allclose(
                composite.read(2)[300:340, 300:340], slowly(dates[:, 1, 300:340, 300:340], "mean"), atol=3e-4
            )
