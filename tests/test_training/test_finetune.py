# SPDX-License-Identifier: GPL-2.0-or-later
"""A training of a few steps, through the command line: it learns, it saves, its export is what the backend reads."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.model import build_model
from backend.model_card import ModelCard, read_header
from backend.model_file import load_model
from training.checkpoint import load_checkpoint
from training.finetune import learning_rate_factor
from training.run import main

CONFIGS = "training/configs"


@pytest.fixture(scope="module")
def run_folder(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    work = tmp_path_factory.mktemp("training")
    scenes, out = work / "scenes", work / "run"
    assert main(["simulate", "--out", str(scenes), "--scenes", "2", "--height_px", "128", "--width_px", "64"]) == 0
    smoke = ["finetune", "--config", str(root / CONFIGS / "finetune_smoke.yaml"), "--out", str(out), "--data.folder", str(scenes)]
    assert main([*smoke, "--steps", "6"]) == 0
    assert main(smoke) == 2, "a folder that holds a run must be refused"
    return out


def test_run_folder_should_say_how_it_was_made(run_folder: Path) -> None:
    config = json.loads((run_folder / "config.json").read_text())
    assert config["steps"] == 6
    assert config["network"]["embed_dim"] == 32
    provenance = json.loads((run_folder / "provenance.json").read_text())
    assert provenance["versions"]["torch"] == torch.__version__.split("+")[0]
    lines = [json.loads(line) for line in (run_folder / "metrics.jsonl").read_text().splitlines()]
    assert math.isfinite(lines[0]["loss"])
    assert lines[-1]["validation"]["pixels"] > 0


def test_checkpoint_should_hold_finite_weights_for_its_card(run_folder: Path) -> None:
    checkpoint = load_checkpoint(run_folder)
    assert checkpoint.step == 6
    assert all(torch.isfinite(tensor).all() for tensor in checkpoint.weights.values())
    build_model(ModelCard.from_json(checkpoint.card)).load_state_dict(checkpoint.weights)
    assert 0.2 <= checkpoint.report["temperature"] <= 5


def test_export_should_load_in_the_backend_and_predict_the_same(run_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "model.safetensors"
    measures = tmp_path / "measure.json"
    measures.write_text(json.dumps([{"name": "IoU water", "value": 0.5, "measured_on": "two chips"}]))
    arguments = ["export", "--run", str(run_folder), "--out", str(out), "--name", "test", "--measures", f"[{measures}]"]
    assert main([*arguments, "--dtype", "float32"]) == 0
    assert main(arguments) == 2, "an existing file must not be replaced without being asked"
    model, card = load_model(out)
    assert card == read_header(out).card
    assert card.training["simulated_only"] is True
    assert [item.code for item in card.classes] == [10, 30, 40, 50, 60, 80]
    assert card.metrics[-1].measured_on == "two chips"
    assert all("simulated" in metric.measured_on for metric in card.metrics[:-1])
    checkpoint = load_checkpoint(run_folder)
    assert card.temperature == checkpoint.report["temperature"]
    ours = build_model(card)
    ours.load_state_dict(checkpoint.weights)
    x = torch.randn(2, 2, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected, found = ours.eval()(x), model(x)
    torch.testing.assert_close(found.logits, expected.logits, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(found.attention, expected.attention, atol=1e-4, rtol=1e-4)


def test_export_in_half_precision_should_be_close(run_folder: Path, tmp_path: Path) -> None:
    assert main(["export", "--run", str(run_folder), "--out", str(tmp_path / "half.safetensors"), "--name", "half"]) == 0
    weights = load_checkpoint(run_folder).weights
    half = load_model(tmp_path / "half.safetensors")[0].state_dict()
    for name, tensor in weights.items():
        torch.testing.assert_close(half[name], tensor, atol=1e-4, rtol=1e-3)


def test_interrupt_should_save_what_was_learnt(root: Path, run_folder: Path, tmp_path: Path) -> None:
    scenes = json.loads((run_folder / "config.json").read_text())["data"]["folder"]
    command = [sys.executable, "-m", "training.run", "finetune", "--config", f"{CONFIGS}/finetune_smoke.yaml"]
    command += ["--out", str(tmp_path / "run"), "--data.folder", scenes, "--steps", "100000"]
    process = subprocess.Popen(command, cwd=root, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    seen = ""
    while "step 1 " not in seen:
        line = process.stderr.readline()
        assert line, seen
        seen += line
    process.send_signal(2)
    seen += process.communicate(timeout=60)[1]
    assert process.returncode == 0, seen
    assert "Interrupted" in seen
    assert "min left" in seen
    assert "crops/s" in seen
    assert load_checkpoint(tmp_path / "run").step >= 1


def test_learning_rate_should_rise_then_fall_to_zero() -> None:
    shares = np.linspace(0, 1, 201)
    factors = [learning_rate_factor(float(share), 0.05) for share in shares]
    assert factors[0] < 0.05
    assert max(factors) == pytest.approx(1.0, abs=0.01)
    assert factors[-1] == pytest.approx(0.0, abs=1e-9)
    assert all(a >= b for a, b in zip(factors[11:], factors[12:], strict=False))


def test_two_processes_should_train_one_model(root: Path, run_folder: Path, tmp_path: Path) -> None:
    scenes = json.loads((run_folder / "config.json").read_text())["data"]["folder"]
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "29731"]
    command += ["-m", "training.run", "finetune", "--config", f"{CONFIGS}/finetune_smoke.yaml", "--out", str(tmp_path / "run")]
    done = subprocess.run([*command, "--data.folder", scenes], cwd=root, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    report = load_checkpoint(tmp_path / "run").report
    assert report["processes"] == 2
    assert report["crops_seen"] == 3 * 2 * 2


def test_run_should_start_from_the_weights_of_another(root: Path, run_folder: Path, tmp_path: Path) -> None:
    scenes = json.loads((run_folder / "config.json").read_text())["data"]["folder"]
    smoke = ["finetune", "--config", str(root / CONFIGS / "finetune_smoke.yaml"), "--data.folder", scenes, "--steps", "1"]
    arguments = [*smoke, "--out", str(tmp_path / "run"), "--learning_rate", "1e-9", "--ema_decay", "0"]
    assert main([*arguments, "--start_from", str(run_folder)]) == 0
    before, after = load_checkpoint(run_folder), load_checkpoint(tmp_path / "run")
    for name, tensor in before.weights.items():
        torch.testing.assert_close(after.weights[name], tensor, atol=1e-6, rtol=0)
    assert after.report["earlier"][0]["crops_seen"] == before.report["crops_seen"]
