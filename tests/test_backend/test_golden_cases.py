# SPDX-License-Identifier: GPL-2.0-or-later
"""What other plugins get wrong, each run from file to file through the command line with a real (tiny) network."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
import rasterio
import torch
from scipy.ndimage import gaussian_filter

from backend.__main__ import main
from backend.grid import PixelWindow
from backend.model_card import EncoderSpec
from backend.network.model import build_model
from backend.network.model_file import save_model
from backend.windows import lay_windows
from tests.test_backend.cards import VH, VV, small_card
from tests.test_backend.test_bad_input import radar, write_tif

STATISTICS = """<PAMDataset>
  <PAMRasterBand band="1"><Metadata>
    <MDI key="STATISTICS_MINIMUM">0</MDI><MDI key="STATISTICS_MAXIMUM">65535</MDI>
    <MDI key="STATISTICS_MEAN">30000</MDI><MDI key="STATISTICS_STDDEV">1</MDI>
  </Metadata></PAMRasterBand>
</PAMDataset>
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A folder of models that differ in one thing each."""
    folder = tmp_path_factory.mktemp("models")
    registers = EncoderSpec(embed_dim=16, depth=2, num_heads=2, patch_px=8, position_grid=4, register_tokens=4)
    seasons = tuple(
        dataclasses.replace(band, role=f"{band.role}_{season}", optional=season == "autumn")
        for season in ("winter", "spring", "summer", "autumn")
        for band in (VV, VH)
    )
    cards = {
        "plain": small_card(),
        "registers": small_card(encoder=registers),
        "eight bands": small_card(bands=seasons),
        "patch 16": small_card(encoder=EncoderSpec(embed_dim=16, depth=2, num_heads=2, patch_px=16, position_grid=2)),
    }
    for name, card in cards.items():
        torch.manual_seed(0)
        save_model(folder / f"{name}.safetensors", card, build_model(card))
    return folder


def mapped(models, tmp_path, bands, *extra, model="plain"):
    """Land cover [H, W], attention [bands, H/p, W/p] and the result message of a run in fp32."""
    out = tmp_path / "out"
    out.mkdir(exist_ok=True)
    args = ["predict", "--model", str(models / f"{model}.safetensors"), "--precision", "fp32", "--overwrite", "--json"]
    args += [part for band in bands for part in ("--band", band)]
    args += [part for name in ("landcover", "attention") for part in (f"--{name}", str(out / f"{name}.tif"))]
    assert main([*args, *extra]) == 0
    with rasterio.open(out / "landcover.tif") as landcover, rasterio.open(out / "attention.tif") as attention:
        return landcover.read(1), attention.read(), landcover.transform, attention.transform


def two(path):
    return [f"VV={path}:1", f"VH={path}:2"]


@pytest.mark.parametrize(("fill", "nodata"), [(np.nan, None), (np.nan, np.nan), (-9999.0, -9999.0), (-9999.0, None), (0.0, None)])
def test_nodata_should_cost_its_own_pixels_alone(models, tmp_path, fill, nodata):
    """Scattered nodata in each window: rivals lose the window, or fail because a class raster cannot hold the value."""
    values = radar(70, 90)
    gone = np.random.default_rng(1).random((70, 90)) < 0.06
    gone[10:20, 30:60] = True
    values[:, gone] = fill
    scene = write_tif(tmp_path / "scene.tif", values, descriptions=("VV", "VH"), nodata=nodata)
    landcover, attention, _, _ = mapped(models, tmp_path, two(scene))
    np.testing.assert_array_equal(landcover == 0, gone)
    assert np.isfinite(attention).all()  # each patch of 8 x 8 px has a valid pixel


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 100), (5, 7), (31, 32), (32, 32), (33, 32), (33, 65)])
@pytest.mark.parametrize("model", ["plain", "patch 16"])
def test_any_size_should_give_a_whole_map_in_its_place(models, tmp_path, height, width, model):
    patch = 16 if model == "patch 16" else 8
    scene = write_tif(tmp_path / "scene.tif", radar(height, width), descriptions=("VV", "VH"))
    landcover, attention, place, attention_place = mapped(models, tmp_path, two(scene), model=model)
    assert landcover.shape == (height, width)
    assert (landcover != 0).all()
    assert attention.shape == (3, -(-height // patch), -(-width // patch))
    assert np.isfinite(attention).all()
    assert place == rasterio.transform.from_origin(500_000, 5_400_000, 10, 10)
    assert attention_place == rasterio.transform.from_origin(500_000, 5_400_000, 10 * patch, 10 * patch)


def test_statistics_beside_a_raster_should_change_nothing(models, tmp_path):
    scene = write_tif(tmp_path / "scene.tif", radar(70, 90), descriptions=("VV", "VH"))
    before, _, _, _ = mapped(models, tmp_path, two(scene))
    (tmp_path / "scene.tif.aux.xml").write_text(STATISTICS)
    after, _, _, _ = mapped(models, tmp_path, two(scene))
    np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("name", ["s1 [a].tif", "s(1) ü'.tif", "a:b.tif", "vv=vh.tif", "*.tif"])
def test_odd_file_names_should_name_that_file_alone(models, tmp_path, name):
    good = write_tif(tmp_path / "good.tif", radar(40, 50), descriptions=("VV", "VH"))
    expected, _, _, _ = mapped(models, tmp_path, two(good))
    (tmp_path / "below").mkdir()
    write_tif(tmp_path / "below" / name, np.full((2, 40, 50), -30, np.float32))
    shutil.copy(good, tmp_path / name)
    found, _, _, _ = mapped(models, tmp_path, two(tmp_path / name))
    np.testing.assert_array_equal(found, expected)


def test_register_tokens_should_not_shift_the_patches(models, tmp_path):
    scene = write_tif(tmp_path / "scene.tif", radar(40, 50), descriptions=("VV", "VH"))
    _, attention, _, _ = mapped(models, tmp_path, two(scene), model="registers")
    assert attention.shape == (3, 5, 7)
    assert np.isfinite(attention).all()


def test_seasonal_bands_should_be_taken_in_any_order_and_optional_ones_left_out(models, tmp_path):
    roles = [f"{polarisation}_{season}" for season in ("winter", "spring", "summer", "autumn") for polarisation in ("VV", "VH")]
    values = np.concatenate([radar(40, 50, seed=seed) for seed in range(4)])
    scene = write_tif(tmp_path / "all.tif", values, descriptions=roles)
    named, _, _, _ = mapped(models, tmp_path, [str(scene)], model="eight bands")
    given = [f"{role}={scene}:{number}" for number, role in enumerate(roles, 1)]
    listed, _, _, _ = mapped(models, tmp_path, given[::-1], model="eight bands")
    np.testing.assert_array_equal(named, listed)
    values[6:] = np.nan
    empty = write_tif(tmp_path / "empty autumn.tif", values, descriptions=roles)
    absent, _, _, _ = mapped(models, tmp_path, given[:6], model="eight bands")
    without, _, _, _ = mapped(models, tmp_path, [str(empty)], model="eight bands")
    np.testing.assert_array_equal(absent, without)
    assert (absent != 0).all()


def test_same_run_twice_should_give_the_same_map(models, tmp_path, capsys):
    scene = write_tif(tmp_path / "scene.tif", radar(70, 90), descriptions=("VV", "VH"))
    first, first_attention, _, _ = mapped(models, tmp_path, two(scene))
    second, second_attention, _, _ = mapped(models, tmp_path, two(scene), "--batch-size", "3")
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(first_attention, second_attention, rtol=1e-5)
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["windows_total"] > 3


@pytest.mark.parametrize(("units", "of_db"), [("power", lambda db: 10 ** (db / 10)), ("amplitude", lambda db: 10 ** (db / 20))])
def test_unit_of_the_values_should_not_change_the_map(models, tmp_path, units, of_db):
    """Rivals divide by 255 whatever the values are."""
    db = radar(70, 90)
    scene = write_tif(tmp_path / "db.tif", db, descriptions=("VV", "VH"))
    expected, _, _, _ = mapped(models, tmp_path, two(scene), "--units", "db")
    other = write_tif(tmp_path / f"{units}.tif", of_db(db).astype(np.float32), descriptions=("VV", "VH"))
    found, _, _, _ = mapped(models, tmp_path, two(other), "--units", units)
    assert (found != expected).mean() < 0.001  # float32 turns a value at the border of two classes


def test_windows_should_leave_no_step_at_their_borders(models, tmp_path):
    """Rivals' maps step 3 to 4 times as far across the border of two tiles as inside; so do ours without any overlap."""
    smooth = np.stack([gaussian_filter(band, 2) for band in radar(96, 400)])
    smooth = 4 * (smooth - smooth.mean()) / smooth.std() + np.array([-11, -18])[:, None, None]
    scene = write_tif(tmp_path / "scene.tif", smooth.astype(np.float32), descriptions=("VV", "VH"))
    assert border_step(models, tmp_path, scene, 0.125) < 1.25
    assert border_step(models, tmp_path, scene, 0.0) > 2


def border_step(models, tmp_path, scene, overlap):
    """Mean step of the class probabilities across the borders of windows, as a multiple of the mean step elsewhere."""
    probabilities = tmp_path / "p.tif"
    mapped(models, tmp_path, two(scene), "--units", "db", "--overlap", str(overlap), "--probabilities", str(probabilities))
    with rasterio.open(probabilities) as file:
        values = file.read().astype(float)
    steps = np.abs(np.diff(values, axis=2)).mean(axis=(0, 1))  # between column n and n + 1
    layout = lay_windows(PixelWindow(0, 0, 96, 400), 96, 400, window_px=32, patch_px=8, overlap=overlap)
    edges = {layout.canvas.column + start + side for start in layout.column_starts for side in (0, layout.window_px)}
    at_edges = [column - 1 for column in edges if 0 < column < 400]
    return steps[at_edges].mean() / np.delete(steps, at_edges).mean()
