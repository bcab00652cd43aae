# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line as a person uses it: what it prints, where, and with which exit status."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch

from backend.__main__ import main
from backend.network.model import build_model
from backend.network.model_file import save_model
from backend.protocol import PROTOCOL_VERSION, JobRequest, OutputPaths, SardineError
from backend.request_checks import check_outputs
from tests.test_backend.cards import encoder_only_card, small_card
from tests.test_backend.test_bad_input import radar, write_tif

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A scene and two models: one with classes, one an encoder alone."""
    folder = tmp_path_factory.mktemp("commands")
    torch.manual_seed(0)
    save_model(folder / "m.safetensors", small_card(), build_model(small_card()))
    save_model(folder / "encoder.safetensors", encoder_only_card(), build_model(encoder_only_card()))
    write_tif(folder / "scene.tif", radar(70, 90), descriptions=("VV", "VH"))
    return folder


def predict(folder, out, *extra, model="m.safetensors"):
    scene = folder / "scene.tif"
    return main(["predict", "--band", f"VV={scene}:1", "--band", f"VH={scene}:2", "--model", str(folder / model), *out, *extra])


def test_predict_should_print_the_paths_and_keep_progress_on_stderr(folder, tmp_path, capsys):
    out = ["--landcover", str(tmp_path / "lc.tif"), "--attention", str(tmp_path / "a.tif")]
    assert predict(folder, out) == 0
    printed = capsys.readouterr()
    assert printed.out.split() == ["landcover", str(tmp_path / "lc.tif"), "attention", str(tmp_path / "a.tif")]
    assert "mapping" in printed.err


def test_attention_of_the_mean_alone_should_be_the_first_band_of_all(folder, tmp_path, capsys):
    for heads in ("all", "mean"):
        assert predict(folder, ["--attention", str(tmp_path / f"{heads}.tif")], "--attention-heads", heads) == 0
    with rasterio.open(tmp_path / "all.tif") as every, rasterio.open(tmp_path / "mean.tif") as mean:
        assert (every.count, mean.count, mean.descriptions) == (3, 1, ("mean",))
        np.testing.assert_array_equal(mean.read(1), every.read(1))
    wrong = JobRequest((), "m", OutputPaths(attention="a.tif"), attention_heads="best")
    with pytest.raises(SardineError, match="The attention heads “best” were not understood"):
        check_outputs(wrong, small_card())


def test_predict_should_write_each_output_in_its_documented_encoding(folder, tmp_path):
    names = ("landcover", "confidence", "probabilities", "attention")
    assert predict(folder, [part for name in names for part in (f"--{name}", str(tmp_path / f"{name}.tif"))]) == 0
    rasters = {name: rasterio.open(tmp_path / f"{name}.tif") for name in names}
    assert [rasters[name].dtypes[0] for name in names] == ["uint8", "uint8", "uint8", "float32"]
    assert [rasters[name].nodata for name in names[:3]] == [0, 255, 255]
    assert np.isnan(rasters["attention"].nodata)
    assert [rasters[name].count for name in names] == [1, 1, 3, 3]
    assert rasters["attention"].descriptions == ("mean", "head 1", "head 2")
    landcover, confidence, probabilities = (rasters[name].read() for name in names[:3])
    codes = np.array([10, 50, 80])
    # The class is the one with the largest probability, and the confidence is that probability, each as far as rounding goes.
    largest = probabilities.max(axis=0).astype(int)
    of_class = np.take_along_axis(probabilities, np.searchsorted(codes, landcover), axis=0)[0].astype(int)
    assert np.array_equal(of_class, largest)
    assert np.abs(confidence[0] - largest / 2.5).max() <= 0.5 + 0.2 + 1e-6
    assert np.abs(probabilities.sum(axis=0, dtype=int) - 250).max() <= 2
    attention = rasters["attention"].read()
    assert np.allclose(attention[0], attention[1:].mean(axis=0), atol=1e-5)
    for raster in rasters.values():
        raster.close()


def test_predict_should_replace_outputs_only_with_overwrite(folder, tmp_path, capsys):
    out = ["--landcover", str(tmp_path / "lc.tif")]
    assert predict(folder, out) == 0
    first = (tmp_path / "lc.tif").read_bytes()
    assert predict(folder, out) == 2
    assert (tmp_path / "lc.tif").read_bytes() == first
    assert "--overwrite" in capsys.readouterr().err
    assert predict(folder, out, "--overwrite", "--overlap", "0.5") == 0
    with rasterio.open(tmp_path / "lc.tif") as file:
        assert file.tags()["SARDINE_OVERLAP"] == "0.5"


def test_predict_should_map_only_the_bounds(folder, tmp_path):
    assert predict(folder, ["--landcover", str(tmp_path / "all.tif")]) == 0
    bounds = ("--bounds", "500100", "5399500", "500500", "5399800")
    assert predict(folder, ["--landcover", str(tmp_path / "part.tif")], *bounds) == 0
    with rasterio.open(tmp_path / "all.tif") as whole, rasterio.open(tmp_path / "part.tif") as part:
        assert part.bounds == (500100, 5399500, 500500, 5399800)
        assert part.shape == (30, 40)
        assert part.crs == whole.crs


def test_predict_should_leave_out_what_lies_outside_the_mask(folder, tmp_path):
    ring = [[500100, 5399500], [500500, 5399500], [500500, 5399800], [500100, 5399500]]
    crs = {"type": "name", "properties": {"name": "EPSG:32633"}}
    feature = {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [ring]}}
    mask = tmp_path / "mask.geojson"
    mask.write_text(json.dumps({"type": "FeatureCollection", "crs": crs, "features": [feature]}))
    assert predict(folder, ["--landcover", str(tmp_path / "lc.tif")], "--mask", str(mask)) == 0
    with rasterio.open(tmp_path / "lc.tif") as file:
        landcover = file.read(1)
        assert file.bounds == (500100, 5399500, 500500, 5399800)
    assert landcover[-1, 1:].all()  # the triangle's long side
    assert not landcover[0, :-2].any()


def test_encoder_alone_should_give_attention(folder, tmp_path):
    assert predict(folder, ["--attention", str(tmp_path / "a.tif")], model="encoder.safetensors") == 0
    with rasterio.open(tmp_path / "a.tif") as file:
        assert file.read(1).mean() == pytest.approx(1.0, abs=0.05)


def test_spacing_should_take_a_raster_without_crs_as_it_is(folder, tmp_path):
    scene = write_tif(tmp_path / "plain.tif", radar(), crs=None, transform=rasterio.Affine.identity(), descriptions=("VV", "VH"))
    args = ["predict", "--band", str(scene), "--model", str(folder / "m.safetensors"), "--landcover", str(tmp_path / "lc.tif")]
    assert main([*args, "--spacing-m", "10"]) == 0
    with rasterio.open(tmp_path / "lc.tif") as file:
        assert file.crs is None
        assert file.shape == (64, 64)


def test_scaled_should_tag_the_outputs_as_uncalibrated(folder, tmp_path):
    grey = np.clip(radar() * 8 + 200, 1, 255).astype(np.uint8)
    scene = write_tif(tmp_path / "grey.tif", grey, descriptions=("VV", "VH"))
    args = ["predict", "--band", str(scene), "--model", str(folder / "m.safetensors"), "--landcover", str(tmp_path / "lc.tif")]
    assert main([*args, "--units", "scaled"]) == 0
    with rasterio.open(tmp_path / "lc.tif") as file:
        assert file.tags()["SARDINE_CALIBRATED"] == "no"


@pytest.mark.parametrize("simulated", [True, False])
def test_simulated_scenes_should_be_called_so_in_the_outputs(folder, tmp_path, simulated):
    scene = write_tif(tmp_path / "s.tif", radar(), descriptions=("VV", "VH"))
    if simulated:
        with rasterio.open(scene, "r+") as file:
            file.update_tags(SIMULATED="yes")
    args = ["predict", "--band", str(scene), "--model", str(folder / "m.safetensors"), "--landcover", str(tmp_path / "lc.tif")]
    assert main(args) == 0
    with rasterio.open(tmp_path / "lc.tif") as file:
        assert file.tags().get("SIMULATED") == ("yes" if simulated else None)


def test_inspect_should_tell_unit_roles_grid_and_cost(folder, capsys):
    scene = folder / "scene.tif"
    assert main(["inspect", "--band", str(scene), "--model", str(folder / "m.safetensors"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [band["role"] for band in found["bands"]] == ["VV", "VH"]
    assert (found["unit"], found["warped"], found["height"], found["width"]) == ("db", False, 70, 90)
    assert found["model"]["windows_total"] == 3 * 4
    assert main(["inspect", "--band", str(scene)]) == 0
    assert "dB" in capsys.readouterr().out


def test_describe_should_show_bands_classes_and_provenance(folder, capsys):
    assert main(["describe", str(folder / "m.safetensors")]) == 0
    text = capsys.readouterr().out
    assert all(part in text for part in ("test model", "VV", "sigma nought", "Built-up", "#fa0000", "simulated_only: true"))
    assert main(["describe", str(folder / "m.safetensors"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "test model"


def test_describe_should_not_need_torch(folder):
    code = "import sys; sys.modules['torch'] = None; from backend.__main__ import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "describe", str(folder / "encoder.safetensors")]
    child = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert child.returncode == 0, child.stderr
    assert "attention" in child.stdout


def test_doctor_should_time_a_forward(capsys):
    assert main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["versions"]["torch"] == torch.__version__.split("+")[0]
    assert found["protocol"] == PROTOCOL_VERSION
    assert found["versions"]["gdal"] == rasterio.__gdal_version__
    assert found["devices"][-1]["name"] == "cpu"
    assert found["megapixels_per_s"] == pytest.approx(0.050176 / found["seconds_per_window"])


@pytest.mark.parametrize("arguments", [[], ["dance"], ["predict"], ["predict", "--band", "VV=a.tif:1"], ["describe"]])
def test_wrong_command_line_should_exit_2(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert "usage" in capsys.readouterr().err
