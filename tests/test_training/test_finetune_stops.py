# SPDX-License-Identifier: GPL-2.0-or-later
"""Fine-tunings that end early, and settings and states that are refused before work begins."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.test_training.stores import simulated_store
from tests.test_training.teams import start_team
from training.checkpoint import load_checkpoint
from training.run import main
from training.state import changed_settings

SMOKE = "training/configs/finetune_smoke.yaml"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulated_store(tmp_path_factory.mktemp("stops"), scenes=4)


@pytest.fixture(scope="module")
def settings(root: Path, store: Path) -> list[str]:
    stores = json.dumps([{"folder": str(store)}])
    classes = "--data.classes=[10,30,40,50,80]"
    return ["finetune", "--config", str(root / SMOKE), f"--data.stores={stores}", classes, "--log_steps=1"]


@pytest.fixture(scope="module")
def finished(settings: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("finished") / "run"
    assert main([*settings, f"--out={out}"]) == 0
    return out


def state_of(run: Path) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(run / "state.pt", weights_only=True)
    return state


def steps_of(run: Path) -> int:
    return int(state_of(run)["step"])


def test_run_should_end_when_validation_gets_no_better(
    settings: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Weights that hardly move: the first validation is the best one.
    more = ("--steps=100", "--validate_steps=2", "--patience=3", "--learning_rate=1e-12", "--validation_chips=1")
    assert main([*settings, f"--out={tmp_path / 'run'}", *more]) == 0
    assert steps_of(tmp_path / "run") == 8
    assert load_checkpoint(tmp_path / "run").step == 2
    assert "No better mean IoU in 3 validations" in capsys.readouterr().err


def test_run_should_end_when_its_time_is_over(settings: list[str], tmp_path: Path) -> None:
    assert main([*settings, f"--out={tmp_path / 'run'}", "--steps=1000000", "--max_minutes=0.02"]) == 0
    assert 0 < steps_of(tmp_path / "run") < 1000000


def test_divergence_should_stop_with_step_chips_and_last_checkpoint(
    settings: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert main([*settings, f"--out={out}", "--learning_rate=1e30", "--steps=40", "--save_minutes=0"]) == 3
    said = capsys.readouterr().err
    assert "not a number at step" in said or "The loss became nan at step" in said
    assert "simulated: scene_" in said
    assert f"The last good checkpoint is {out / 'state.pt'}, step" in said
    diverged = json.loads((out / "diverged.json").read_text())
    assert len(diverged["chips"]) == 2
    state = state_of(out)
    assert state["step"] <= diverged["step"]
    assert all(torch.isfinite(tensor).all() for tensor in state["segmenter"]["model"].values())


def test_team_that_loses_a_process_should_name_the_last_checkpoint_and_be_gone_on_with(
    root: Path, settings: list[str], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    process, worker = start_team(root, 29747, [*settings, f"--out={out}", "--steps=100000", "--save_minutes=0"], out)
    os.kill(worker, signal.SIGKILL)
    said = process.communicate(timeout=90)[1]
    assert process.returncode != 0
    assert said.count(f"failed: Another process of the team was lost. The last good checkpoint is {out / 'state.pt'}") == 1
    saved = steps_of(out)
    assert saved > 0
    # What is named can be gone on with, though by one process; the settings must be the same.
    assert main([*settings, f"--out={out}", "--steps=100000", "--save_minutes=0", "--resume=true", "--dry_run=true"]) == 0
    assert steps_of(out) == saved


def test_full_disk_should_leave_the_last_checkpoint(root: Path, settings: list[str], tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert main([*settings, f"--out={out}"]) == 0
    torch.save({**state_of(out), "step": 1}, out / "state.pt")  # so that there is something left to do
    before = {name: (out / name).read_bytes() for name in ("state.pt", "checkpoint.pt")}

    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    command = [sys.executable, "-m", "training.run", *settings, f"--out={out}", "--resume=true"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120, check=False, preexec_fn=small_files)
    assert done.returncode == 3, done.stderr
    assert "could not be saved" in done.stderr
    assert "The last good checkpoint is" in done.stderr
    for name, content in before.items():
        assert (out / name).read_bytes() == content
    assert not list(out.glob("*.part"))


def test_resume_should_refuse_what_does_not_fit(
    settings: list[str], finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(run: Path, *more: str) -> str:
        assert main([*settings, f"--out={run}", "--resume=true", *more]) == 2
        return capsys.readouterr().err

    assert "holds no state.pt" in refused(tmp_path / "nothing")
    said = refused(finished, "--dice_weight=0.1", "--data.flip=false", "--log_steps=5")
    assert "data.flip: True became False, dice_weight: 0.5 became 0.1" in said
    assert "log_steps" not in said, "what does not change the result may change"
    copy = tmp_path / "copy"
    copy.mkdir()
    whole = (finished / "state.pt").read_bytes()
    (copy / "state.pt").write_bytes(whole[: len(whole) // 2])
    assert "cannot be read" in refused(copy)
    torch.save({**state_of(finished), "chips": 5}, copy / "state.pt")
    assert "the run began with 5 labelled chips" in refused(copy)
    torch.save({**state_of(finished), "command": "pretrain"}, copy / "state.pt")
    assert "holds a run of pretrain, not of finetune" in refused(copy)
    other = state_of(finished)
    other["segmenter"]["model"]["decoder.classify.weight"] = torch.zeros(3, 3)
    torch.save(other, copy / "state.pt")
    assert "size mismatch" in refused(copy)


def test_settings_of_stores_should_be_compared_one_by_one_so_that_a_new_one_that_is_none_is_no_change() -> None:
    before = {"data": {"stores": [{"folder": "a", "weight": 1.0}, {"folder": "b"}]}}
    assert not changed_settings(before, {"data": {"stores": [{"folder": "a", "weight": 1.0, "share": None}, {"folder": "b"}]}})
    assert changed_settings(before, {"data": {"stores": [{"folder": "a", "weight": 2.0}, {"folder": "b", "share": 0.5}]}}) == [
        "data.stores[0].weight: 1.0 became 2.0",
        "data.stores[1].share: None became 0.5",
    ]
    [said] = changed_settings(before, {"data": {"stores": [{"folder": "a", "weight": 1.0}]}})
    assert said.startswith("data.stores: [")


def test_dry_run_should_check_and_leave_nothing(settings: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*settings, f"--out={tmp_path / 'run'}", "--dry_run=true"]) == 0
    said = capsys.readouterr().err
    assert "Nothing was trained" in said
    assert "GB of memory" in said
    assert "labels seen: Tree cover" in said
    assert not (tmp_path / "run").exists()


def test_all_that_stands_against_a_run_should_be_told_at_once(
    settings: list[str], finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*settings, f"--out={finished}", f"--start_from={tmp_path / 'no.pth'}", "--data.classes=[10,80,95]"]) == 2
    said = capsys.readouterr().err
    assert "already holds a run" in said
    assert "no.pth is not there" in said
    assert "labelled 95 (Mangroves)" in said
    with pytest.raises(SystemExit):
        main([*settings, f"--out={tmp_path / 'x'}", "--data.crop_px=60", "--data.classes=[10,11]", "--train_blocks=9"])
    said = capsys.readouterr().err
    assert "data.crop_px must be a multiple of network.patch_px" in said
    assert "WorldCover has no class [11]" in said
    assert "train_blocks must lie in" in said
    assert not (tmp_path / "x").exists()


def test_chips_without_any_value_should_not_spoil_a_run(settings: list[str], store: Path, tmp_path: Path) -> None:
    copy = tmp_path / "store"
    copy.mkdir()
    for path in store.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    values = np.load(copy / "train_values.npy", mmap_mode="r+")
    values[: len(values) - 1] = np.nan
    values.flush()
    stores = json.dumps([{"folder": str(copy)}])
    assert main([*settings, f"--out={tmp_path / 'run'}", f"--data.stores={stores}", "--steps=8"]) == 0
    assert all(torch.isfinite(tensor).all() for tensor in load_checkpoint(tmp_path / "run").weights.values())
