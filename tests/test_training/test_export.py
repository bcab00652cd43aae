# SPDX-License-Identifier: GPL-2.0-or-later
"""Exported models in the backend, against the forward of the training side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import torch
from rasterio.transform import from_origin

from backend.job import run_job
from backend.model_card import ModelCard, read_header
from backend.network.model import build_model
from backend.network.model_file import load_model
from backend.protocol import BandSource, JobRequest, OutputPaths
from tests.test_training.stores import simulated_store
from training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from training.finetuning.config import FinetuneConfig
from training.finetuning.labelled_crops import network_input
from training.finetuning.labelled_data import open_labelled
from training.finetuning.validate import validate
from training.run import main, parse

SIDE = 64


@pytest.fixture(scope="module")
def runs(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the runs `plain`, `dropping` (channel drop), `linear` and `biased` (towards water)."""
    work = tmp_path_factory.mktemp("export")
    store = simulated_store(work, scenes=4)
    kinds = {
        "plain": (),
        "dropping": ("--data.channel_drop=0.5",),
        "linear": ("--network.decoder=linear",),
        "biased": ("--class_bias=[0,0,0,0,1.5]",),
    }
    for name, more in kinds.items():
        smoke = ["finetune", "--config", str(root / "training/configs/finetune_smoke.yaml"), f"--out={work / name}"]
        assert main([*smoke, f'--data.stores=[{{"folder":"{store}"}}]', "--data.classes=[10,30,40,50,80]", *more]) == 0
    return work


def exported(run: Path, out: Path, *more: str) -> Path:
    assert main(["export", "--run", str(run), "--out", str(out), "--name", "test", *more]) == 0
    return out


def scene(path: Path, bands: int = 2) -> np.ndarray:
    """A scene of one window, in dB; its first rows have no data."""
    rng = np.random.default_rng(0)
    values_db = np.stack([rng.normal(mean, 4, (SIDE, SIDE)) for mean in (-12, -20)[:bands]]).astype(np.float32)
    values_db[:, :5] = np.nan
    profile = {"driver": "GTiff", "height": SIDE, "width": SIDE, "crs": "EPSG:32632", "transform": from_origin(5e5, 5e6, 10, 10)}
    with rasterio.open(path, "w", count=bands, dtype="float32", nodata=np.nan, **profile) as file:
        file.write(values_db)
    return values_db


def training_side(run: Path, values_db: np.ndarray) -> np.ndarray:
    """Probabilities [classes, H, W] as training computes them."""
    checkpoint = load_checkpoint(run)
    card = ModelCard.from_json(checkpoint.card)
    model = build_model(card).eval()
    model.load_state_dict(checkpoint.weights)
    x, _ = network_input(values_db[None], np.zeros((1, SIDE, SIDE), np.uint8), card.bands, torch.device("cpu"))
    bias = torch.tensor(json.loads(checkpoint.config)["class_bias"] or [0.0] * len(card.classes))
    with torch.no_grad():
        return ((model(x).logits[0] + bias[:, None, None]) / card.temperature).softmax(0).numpy()


def mapped(model: Path, scene_path: Path, folder: Path, roles: tuple[str, ...] = ("VV", "VH")) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities [classes, H, W] and class codes [H, W] as the backend writes them."""
    outputs = OutputPaths(landcover=str(folder / "landcover.tif"), probabilities=str(folder / "probabilities.tif"))
    bands = tuple(BandSource(role, str(scene_path), number) for number, role in enumerate(roles, start=1))
    request = JobRequest(bands=bands, model=str(model), outputs=outputs, units="db", device="cpu", precision="fp32")
    run_job(request, lambda _message: None, lambda: False)
    with rasterio.open(folder / "probabilities.tif") as probabilities, rasterio.open(folder / "landcover.tif") as landcover:
        scale = probabilities.scales[0] if probabilities.dtypes[0] != "float32" else 1.0
        return probabilities.read().astype(np.float64) * scale, landcover.read(1)


@pytest.mark.parametrize("kind", ["plain", "linear", "biased"])
def test_map_of_the_backend_should_be_that_of_training(runs: Path, tmp_path: Path, kind: str) -> None:
    values_db = scene(tmp_path / "scene.tif")
    model = exported(runs / kind, tmp_path / "model.safetensors", "--dtype", "float32")
    found, codes = mapped(model, tmp_path / "scene.tif", tmp_path)
    expected = training_side(runs / kind, values_db)
    inner = np.s_[:, 5:]
    np.testing.assert_allclose(found[inner], expected[inner], atol=0.006)
    clear = np.sort(expected, axis=0)[-1] - np.sort(expected, axis=0)[-2] > 0.02
    classes = np.array([10, 30, 40, 50, 80])[expected.argmax(0)]
    np.testing.assert_array_equal(codes[5:][clear[5:]], classes[5:][clear[5:]])
    assert (codes[:5] == 0).all()


def test_model_of_dropped_bands_should_map_a_scene_of_one(runs: Path, tmp_path: Path) -> None:
    values_db = scene(tmp_path / "scene.tif", bands=1)
    model = exported(runs / "dropping", tmp_path / "model.safetensors", "--dtype", "float32")
    assert all(band.optional for band in read_header(model).card.bands)
    found, codes = mapped(model, tmp_path / "scene.tif", tmp_path, ("VH",))
    without_vv = np.concatenate([np.full_like(values_db, np.nan), values_db])
    np.testing.assert_allclose(found[:, 5:], training_side(runs / "dropping", without_vv)[:, 5:], atol=0.006)
    assert (codes[:5] == 0).all()
    assert (codes[5:] > 0).all()


def test_a_class_bias_should_change_what_is_scored_and_nothing_that_is_learnt(runs: Path) -> None:
    plain, biased = (load_checkpoint(runs / kind) for kind in ("plain", "biased"))
    assert all(torch.equal(tensor, plain.weights[name]) for name, tensor in biased.weights.items())
    config = parse(["finetune", "--config", str(runs / "biased/config.json")])[1]
    assert isinstance(config, FinetuneConfig)
    card = ModelCard.from_json(plain.card)
    model = build_model(card)
    model.load_state_dict(plain.weights)
    data, cpu = open_labelled(config, card), torch.device("cpu")
    found = validate(model.eval(), card, data, cpu, False, class_bias=(0, 0, 0, 0, 1e3))
    water = np.concatenate([sample.truth.ravel() for sample in found.samples])
    assert all((sample.predicted == 4).all() for sample in found.samples)
    assert (water == 4).any()
    assert found.scores.iou[:4] == (0, 0, 0, 0)
    assert biased.report["scores"] != plain.report["scores"]


def test_card_should_tell_where_the_model_comes_from(runs: Path, tmp_path: Path) -> None:
    measures = tmp_path / "measure.json"
    measures.write_text(json.dumps([{"name": "IoU water", "value": 0.5, "measured_on": "two chips"}]))
    more = ("--measures", f"[{measures}]", "--dtype", "float32")
    out = exported(runs / "plain", tmp_path / "model.safetensors", *more)
    arguments = ["export", "--run", str(runs / "plain"), "--out", str(out), "--name", "test"]
    assert main(arguments) == 2, "an existing file must not be replaced without being asked"
    model, card = load_model(out)
    assert card.training["simulated_only"] is True
    assert card.training["scenes"] == 3
    assert "pretrained" in card.training
    assert [item.code for item in card.classes] == [10, 30, 40, 50, 80]
    assert card.metrics[-1].measured_on == "two chips"
    assert all("simulated validation chips" in metric.measured_on for metric in card.metrics[:-1])
    assert all("the temperature was fitted by them" in metric.measured_on for metric in card.metrics[:-1])  # one validation
    checkpoint = load_checkpoint(runs / "plain")
    assert card.temperature == checkpoint.report["temperature"]
    ours = build_model(card)
    ours.load_state_dict(checkpoint.weights)
    x = torch.randn(2, 2, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected, found = ours.eval()(x), model(x)
    torch.testing.assert_close(found.attention, expected.attention, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float16", 1e-3), ("bfloat16", 1e-2)])
def test_what_16_bits_change_should_be_told(runs: Path, tmp_path: Path, dtype: str, tolerance: float) -> None:
    out = exported(runs / "plain", tmp_path / "model.safetensors", "--dtype", dtype)
    model, card = load_model(out)
    weights = model.state_dict()
    for name, tensor in load_checkpoint(runs / "plain").weights.items():
        if name != "encoder.pos_embed":  # of the window by now
            torch.testing.assert_close(weights[name], tensor, atol=1e-4, rtol=tolerance)
    told = card.training["rounding"]
    assert told["dtype"] == dtype
    assert 0.9 < told["same_class_share"] <= 1
    assert 0 < told["largest_change_of_probability"] < 20 * tolerance


def test_only_cards_that_older_versions_cannot_use_should_have_the_new_format(runs: Path, tmp_path: Path) -> None:
    formats = {}
    for kind in ("plain", "linear"):
        out = exported(runs / kind, tmp_path / f"{kind}.safetensors")
        content = out.read_bytes()
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        formats[kind] = json.loads(header["__metadata__"]["sardine_model_card"])["format"]
    assert formats == {"plain": 1, "linear": 2}


def test_runs_that_cannot_be_exported_should_be_refused(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def refused(run: Path, *more: str) -> str:
        assert main(["export", "--run", str(run), "--out", str(tmp_path / "m.safetensors"), "--name", "x", *more]) == 2
        assert not list(tmp_path.glob("m.safetensors*"))
        return capsys.readouterr().err

    assert "holds no checkpoint.pt" in refused(tmp_path / "nothing")
    broken = tmp_path / "broken"
    broken.mkdir()
    whole = (runs / "plain" / "checkpoint.pt").read_bytes()
    (broken / "checkpoint.pt").write_bytes(whole[: len(whole) // 2])
    assert "cannot be read" in refused(broken)

    class Code:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return print, ("code in a checkpoint was run",)

    torch.save({"weights": Code()}, broken / "checkpoint.pt")
    assert "cannot be read" in refused(broken)
    assert "was run" not in capsys.readouterr().out
    checkpoint = load_checkpoint(runs / "plain")
    other = ModelCard.from_json(load_checkpoint(runs / "linear").card)
    save_checkpoint(broken, Checkpoint(checkpoint.weights, other.to_json(), checkpoint.config, 1, checkpoint.report))
    assert "does not hold the weights of its card" in refused(broken)
    (tmp_path / "figures.json").write_text("{}")
    assert "holds no figures" in refused(runs / "plain", "--measures", f"[{tmp_path / 'figures.json'}]")
