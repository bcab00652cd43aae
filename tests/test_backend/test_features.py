# SPDX-License-Identifier: GPL-2.0-or-later
"""Features of a scene: what is in the file, and when the cache is used."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch

from backend.features.basis import FeatureBasis, fit_basis
from backend.features.cache import FeatureCache
from backend.features.extract import run_features
from backend.features.file import FeatureFile, quantise
from backend.grid import PixelWindow
from backend.job import run_job
from backend.network.model import build_model
from backend.network.model_file import load_model, save_model
from backend.protocol import BandSource, ErrorCode, FeaturesRequest, JobRequest, OutputPaths, SardineError, SceneInput
from backend.radiometry import standardise
from tests.test_backend.cards import small_card
from tests.test_backend.rasters import backscatter_db, write_scene

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("model") / "m.safetensors"
    save_model(path, small_card(), build_model(small_card()))
    return str(path)


@pytest.fixture
def scene(tmp_path):
    return write_scene(tmp_path / "scene.tif", height=70, width=90)


def source(scene, model, tmp_path, **changes):
    fixed = {"units": "db", "device": "cpu", "precision": "fp32", "components": 4, "cache": str(tmp_path / "cache")}
    return SceneInput((BandSource("VV", scene, 1), BandSource("VH", scene, 2)), model, **{**fixed, **changes})


def run(request, cancelled=lambda messages: False):
    messages = []
    result = run_features(request, messages.append, lambda: cancelled(messages))
    return result, messages


def features(scene, model, tmp_path, name="f.tif", **changes):
    request = FeaturesRequest(source(scene, model, tmp_path, **changes), str(tmp_path / name), overwrite=True)
    result, messages = run(request)
    with rasterio.open(tmp_path / name) as file:
        return file.read(), result, messages


def computed(messages):
    return any(message.type == "ready" for message in messages)


def test_features_should_be_components_and_attention_one_pixel_a_patch(scene, model, tmp_path):
    values, result, messages = features(scene, model, tmp_path)
    assert computed(messages)
    assert any(message.type == "warning" and message.code == "feature_size" for message in messages)
    with rasterio.open(tmp_path / "f.tif") as file:
        assert (file.count, file.shape, file.dtypes[0]) == (6, (9, 12), "int16")
        assert file.descriptions == (*(f"component {n}" for n in (1, 2, 3, 4)), *(f"log2 attention of head {n}" for n in (1, 2)))
        assert file.transform.a == 80.0
        assert set(file.scales) == {1 / 1024}
    assert np.std(values[0]) / 1024 == pytest.approx(1.0, rel=0.3)
    assert 0 < result.figures["explained"] <= 1


def test_components_should_be_those_of_the_networks_tokens(model, tmp_path):
    """A scene of one window: nothing is blended."""
    scene = write_scene(tmp_path / "one.tif", height=32, width=32)
    features(scene, model, tmp_path)
    network, card = load_model(model)
    x, _ = standardise(backscatter_db(32, 32), card.bands)
    with torch.inference_mode():
        prediction = network(torch.from_numpy(x)[None], want_tokens=True)
    with FeatureFile(tmp_path / "f.tif") as file:
        expected = np.einsum("kd,dhw->khw", file.basis.axes, prediction.tokens[0].numpy() - file.basis.mean[:, None, None])
        found = file.read(PixelWindow(0, 0, 4, 4))
    np.testing.assert_allclose(found[:4], expected, atol=2e-3)
    np.testing.assert_allclose(found[4:], np.log2(prediction.attention[0].numpy()), atol=2e-3)


def test_attention_should_be_that_of_a_map_over_the_whole_scene(scene, model, tmp_path):
    """One query for all windows: 1 is as much as the average patch of the scene, as `predict` gives it."""
    features(scene, model, tmp_path)
    bands = (BandSource("VV", scene, 1), BandSource("VH", scene, 2))
    settings = {"units": "db", "device": "cpu", "precision": "fp32", "overlap": SceneInput((), "").overlap}
    run_job(JobRequest(bands, model, OutputPaths(attention=str(tmp_path / "a.tif")), **settings), lambda _: None, lambda: False)
    with rasterio.open(tmp_path / "a.tif") as file:
        heads = file.read()[1:] * np.array(file.scales[1:])[:, None, None]
    with FeatureFile(tmp_path / "f.tif") as file:
        found = 2.0 ** file.read(PixelWindow(0, 0, 9, 12))[4:]
    assert found.shape == heads.shape
    np.testing.assert_allclose(found, heads, rtol=0.02, atol=0.01)
    np.testing.assert_allclose(found.mean(axis=(1, 2)), 1.0, atol=0.01)
    assert list((tmp_path / "cache").glob("*.rows")) == []


def test_a_basis_should_be_the_principal_components():
    rng = np.random.default_rng(0)
    tokens = rng.normal(size=(500, 3)) @ np.diag([5.0, 2.0, 0.1]) + 7
    basis = fit_basis(tokens.sum(axis=0), tokens.T @ tokens, 500, 2)
    projected = (tokens - basis.mean) @ basis.axes.T
    assert projected.std(axis=0) == pytest.approx([1.0, 2 / 5], rel=0.1)
    assert basis.explained > 0.99
    again = FeatureBasis.from_text(basis.to_text())
    assert again.sha256 == basis.sha256
    for text in ("", "AAAA", basis.to_text()[:-8]):
        with pytest.raises(ValueError):  # noqa: PT011  # the file that holds it says which
            FeatureBasis.from_text(text)


def test_quantise_should_keep_nodata_and_clip():
    steps = quantise(np.array([[[0.5, np.nan, 100.0, -100.0]]], np.float32))
    assert steps.ravel().tolist() == [512, -32768, 32767, -32767]


def test_a_second_run_should_come_from_the_cache_without_torch(scene, model, tmp_path):
    first, _, _ = features(scene, model, tmp_path)
    line = ["features", "--band", f"VV={scene}:1", "--band", f"VH={scene}:2", "--units", "db", "--model", model]
    line += ["--components", "4", "--cache", str(tmp_path / "cache"), "--output", str(tmp_path / "again.tif")]
    code = "import sys; from backend.__main__ import main; status = main(sys.argv[1:]); sys.exit(status or 'torch' in sys.modules)"
    subprocess.run([sys.executable, "-P", "-c", code, *line], check=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=120)
    with rasterio.open(tmp_path / "again.tif") as file:
        np.testing.assert_array_equal(file.read(), first)


def test_a_changed_scene_or_setting_should_not_take_the_cache(scene, model, tmp_path):
    features(scene, model, tmp_path)
    assert not computed(features(scene, model, tmp_path)[2])
    assert computed(features(scene, model, tmp_path, components=3)[2])
    assert computed(features(scene, model, tmp_path, overlap=0.5)[2])
    write_scene(Path(scene), height=70, width=90, seed=5)
    assert computed(features(scene, model, tmp_path)[2])


@pytest.mark.parametrize("damage", ["cut short", "another scene's"])
def test_a_damaged_cache_should_be_noticed_told_and_made_again(scene, model, tmp_path, damage):
    first, _, _ = features(scene, model, tmp_path)
    (entry,) = (tmp_path / "cache").glob("*.tif")
    if damage == "cut short":
        entry.write_bytes(entry.read_bytes()[:-100])
    else:
        other = write_scene(tmp_path / "other.tif", height=70, width=90, seed=9)
        features(other, model, tmp_path, cache=str(tmp_path / "cache 2"))
        (stranger,) = (tmp_path / "cache 2").glob("*.tif")
        entry.write_bytes(stranger.read_bytes())
        entry.with_suffix(".length").write_text(str(entry.stat().st_size))
    again, _, messages = features(scene, model, tmp_path)
    assert any(message.type == "warning" and message.code == "feature_cache_damaged" for message in messages)
    assert computed(messages)
    np.testing.assert_array_equal(again, first)


def test_the_cache_should_keep_below_its_limit_and_drop_the_oldest(tmp_path):
    cache = FeatureCache(tmp_path, limit_bytes=250)
    for number, name in enumerate(("a", "b", "c")):
        path = cache.path(name * 40)
        path.write_bytes(bytes(100))
        os.utime(path, (number, number))
        cache.add(name * 40)
    assert sorted(path.stem[0] for path in tmp_path.glob("*.tif")) == ["b", "c"]
    assert not (tmp_path / ("a" * 40 + ".length")).exists()


@pytest.mark.parametrize("stage", ["opening the scene", "sampling the scene", "mapping", "writing"])
def test_a_cancel_should_leave_no_output_and_no_half_entry(scene, model, tmp_path, stage):
    def reached(messages):
        return any(message.type == "progress" and message.stage == stage for message in messages)

    request = FeaturesRequest(source(scene, model, tmp_path), str(tmp_path / "f.tif"))
    with pytest.raises(SardineError) as caught:
        run(request, reached)
    assert caught.value.code is ErrorCode.CANCELLED
    assert not (tmp_path / "f.tif").exists()
    entries = list((tmp_path / "cache").glob("*")) if (tmp_path / "cache").exists() else []
    assert len(entries) == (2 if stage == "writing" else 0)


def test_bad_settings_should_be_refused(scene, model, tmp_path):
    for changes, code in (
        ({"components": 0}, ErrorCode.REQUEST_INVALID),
        ({"components": 17}, ErrorCode.REQUEST_INVALID),
        ({"bounds": (0.0, 0.0, 1.0, 1.0)}, ErrorCode.BOUNDS_OUTSIDE),
    ):
        with pytest.raises(SardineError) as caught:
            features(scene, model, tmp_path, **changes)
        assert caught.value.code is code
        assert not (tmp_path / "f.tif").exists()
