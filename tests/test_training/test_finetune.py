# SPDX-License-Identifier: GPL-2.0-or-later
"""Fine-tunings of seconds through the command line: what they leave, how they stop and go on, and what they start from."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from backend.model_card import ModelCard
from backend.network.model import build_model
from tests.test_training.stores import simulated_store, water_store
from training.checkpoint import load_checkpoint
from training.finetuning.run import learning_rate_factor
from training.run import main

SMOKE = "training/configs/finetune_smoke.yaml"


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("finetune")


@pytest.fixture(scope="module")
def store(work: Path) -> Path:
    return simulated_store(work)


@pytest.fixture(scope="module")
def water(work: Path) -> Path:
    return water_store(work)


def stores_argument(*folders: Path, **more: Any) -> str:
    return f"--data.stores={json.dumps([{'folder': str(folder), **more} for folder in folders])}"


def arguments(root: Path, store: Path, out: Path, *more: str) -> list[str]:
    return ["finetune", "--config", str(root / SMOKE), f"--out={out}", stores_argument(store), "--log_steps=1", *more]


@pytest.fixture(scope="module")
def run_folder(root: Path, store: Path, work: Path) -> Path:
    assert main(arguments(root, store, work / "run", "--steps=6", "--validate_steps=4", "--tensorboard=true")) == 0
    return work / "run"


def lines_of(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def state_of(run: Path) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(run / "state.pt", weights_only=True)
    return state


def assert_same(found: Any, expected: Any) -> None:
    torch.testing.assert_close(found, expected, atol=0, rtol=0)


def test_run_folder_should_say_how_it_was_made(root: Path, store: Path, run_folder: Path) -> None:
    config = json.loads((run_folder / "config.json").read_text())
    assert config["steps"] == 6
    assert config["network"]["embed_dim"] == 32
    provenance = json.loads((run_folder / "provenance.json").read_text())
    assert provenance["versions"]["torch"] == torch.__version__.split("+")[0]
    lines = lines_of(run_folder)
    losses = [line for line in lines if "loss" in line]
    assert [line["step"] for line in losses] == [1, 2, 3, 4, 5, 6]
    assert all(math.isfinite(line["loss"]) and line["crops_per_s"] > 0 for line in losses)
    assert [line["step"] for line in lines if "validation" in line] == [4, 6, 6], "each 4 steps, the last, all chips once more"
    assert list((run_folder / "tensorboard").iterdir())
    assert {"crops.png", "validation.png"} <= {path.name for path in run_folder.iterdir()}
    assert main(arguments(root, store, run_folder)) == 2, "a folder that holds a run must be refused"


def test_checkpoint_should_hold_finite_weights_for_its_card(run_folder: Path) -> None:
    checkpoint = load_checkpoint(run_folder)
    validations = {line["step"]: line["validation"]["mean_iou"] for line in lines_of(run_folder)[:-1] if "validation" in line}
    assert checkpoint.step == max(validations, key=lambda step: validations[step]), "the best weights are kept"
    assert all(torch.isfinite(tensor).all() for tensor in checkpoint.weights.values())
    build_model(ModelCard.from_json(checkpoint.card)).load_state_dict(checkpoint.weights)
    assert 0.2 <= checkpoint.report["temperature"] <= 5
    assert checkpoint.report["simulated_only"] is True


def test_run_that_was_stopped_should_end_where_one_that_was_not_does(root: Path, store: Path, tmp_path: Path) -> None:
    more = ("--steps=40", "--validate_steps=25", "--validation_chips=2", "--network.drop_path=0.1")
    assert main(arguments(root, store, tmp_path / "whole", *more)) == 0
    out = tmp_path / "stopped"
    process = subprocess.Popen(
        [sys.executable, "-m", "training.run", *arguments(root, store, out, *more)], cwd=root, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    seen = ""
    while "step 1/" not in seen:
        line = process.stderr.readline()
        assert line, seen
        seen += line
    process.send_signal(signal.SIGINT)
    seen += process.communicate(timeout=60)[1]
    assert process.returncode == 130, seen
    assert "min left" in seen
    assert "crops/s" in seen
    assert f"finetune --config {out / 'config.json'} --resume true" in seen
    assert 0 < state_of(out)["step"] < 40
    assert load_checkpoint(out).step == state_of(out)["step"], "what was learnt can be exported at once"
    assert main(["finetune", "--config", str(out / "config.json"), "--resume", "true"]) == 0
    assert_same(state_of(out)["segmenter"], state_of(tmp_path / "whole")["segmenter"])
    assert_same(load_checkpoint(out).weights, load_checkpoint(tmp_path / "whole").weights)
    found, expected = ([line.get("loss") for line in lines_of(run) if "loss" in line] for run in (out, tmp_path / "whole"))
    assert found == expected


def test_mixed_stores_should_train_one_model_and_say_what_they_are(root: Path, store: Path, water: Path, tmp_path: Path) -> None:
    stores = [
        {"folder": str(store), "weight": 3},
        {"folder": str(water), "hold_out_places": ["place_[01]"], "validate": False},
    ]
    out = tmp_path / "run"
    assert main([*arguments(root, store, out), f"--data.stores={json.dumps(stores)}"]) == 0
    report = load_checkpoint(out).report
    assert report["simulated_only"] is False
    assert report["data"]["attribution"] == "Contains modified Copernicus Sentinel data"
    simulated, real = report["data"]["stores"]
    assert (simulated["real_chips"], real["simulated_chips"]) == (0, 0)
    assert set(real["real_places"]) <= {"place_2", "place_3", "place_4"}
    assert len(real["real_places"]) >= 2
    assert report["validation"]["stores"] == ["simulated"]
    merged = "Tree cover or Grassland or Cropland or Built-up or Bare / sparse vegetation"
    assert 0.08 < report["labels"][merged] < 0.15, "a quarter of the crops, nearly half of their pixels"
    model = tmp_path / "model.safetensors"
    assert main(["export", "--run", str(out), "--out", str(model), "--name", "mixed"]) == 0
    from backend.model_card import read_header

    card = read_header(model).card
    assert card.training["simulated_only"] is False
    assert card.training["data"]["real_chips"] == real["real_chips"] > 0
    assert "real ones among them" in card.description
    assert str(tmp_path) not in card.to_json(), "where folders lay is nobody's business"


def test_two_processes_should_give_the_weights_of_one(root: Path, store: Path, water: Path, tmp_path: Path) -> None:
    # Dice is that of each process's own crops, and so left out; the water chips have few labels.
    more = ("--batch_size=4", "--dice_weight=0", "--steps=4", stores_argument(store, water))
    assert main(arguments(root, store, tmp_path / "one", *more)) == 0
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "29731"]
    done = subprocess.run(
        [*command, "-m", "training.run", *arguments(root, store, tmp_path / "two", *more)],
        cwd=root,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report = load_checkpoint(tmp_path / "two").report
    assert report["processes"] == 2
    assert report["crops_seen"] == 4 * 4
    one, two = (state_of(tmp_path / name)["segmenter"]["model"] for name in ("one", "two"))
    begun = torch.load(tmp_path / "one" / "state_before.pt", weights_only=True)["segmenter"]["model"]
    moved = max(float((one[name] - begun[name]).abs().max()) for name in one)
    assert moved > 1e-4, "the weights must have moved by more than the tolerance"
    for name, tensor in one.items():
        if not name.endswith("attn.qkv.bias"):  # a key's bias changes nothing: its gradient is rounding alone
            torch.testing.assert_close(two[name], tensor, atol=1e-5, rtol=0)


def test_learning_rate_should_rise_then_fall_to_zero() -> None:
    shares = np.linspace(0, 1, 201)
    factors = [learning_rate_factor(float(share), 0.05) for share in shares]
    assert factors[0] < 0.05
    assert max(factors) == pytest.approx(1.0, abs=0.01)
    assert factors[-1] == pytest.approx(0.0, abs=1e-9)
    assert all(a >= b for a, b in zip(factors[11:], factors[12:], strict=False))


def test_run_should_start_from_the_weights_of_another(root: Path, store: Path, run_folder: Path, tmp_path: Path) -> None:
    more = ("--steps=1", "--learning_rate=1e-9", "--ema_decay=0", f"--start_from={run_folder}")
    assert main(arguments(root, store, tmp_path / "run", *more)) == 0
    before, after = load_checkpoint(run_folder), load_checkpoint(tmp_path / "run")
    for name, tensor in before.weights.items():
        torch.testing.assert_close(after.weights[name], tensor, atol=1e-6, rtol=0)
    assert after.report["start"] == {"kind": "finetune run", "name": "run", "notes": []}
    assert after.report["earlier"][0]["crops_seen"] == before.report["crops_seen"]


def test_decoder_should_be_taken_over_where_bands_may_now_be_absent(
    root: Path, store: Path, run_folder: Path, tmp_path: Path
) -> None:
    more = ("--steps=1", "--learning_rate=1e-9", "--ema_decay=0", "--data.channel_drop=0.5", f"--start_from={run_folder}")
    assert main(arguments(root, store, tmp_path / "run", *more)) == 0
    before, after = load_checkpoint(run_folder), load_checkpoint(tmp_path / "run")
    torch.testing.assert_close(
        after.weights["decoder.classify.weight"], before.weights["decoder.classify.weight"], atol=1e-6, rtol=0
    )
