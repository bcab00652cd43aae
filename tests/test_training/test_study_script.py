# SPDX-License-Identifier: GPL-2.0-or-later
"""`scripts/study.sh` in folders that hold more or less of what the study needs; the commands that it gives are noted, not run."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from training.pretraining.config import PretrainConfig
from training.run import parse
from training.study.config import StudyConfig

NOTES_COMMANDS = """#!/usr/bin/env bash
printf '%s\\n' "$*" >> commands.txt
case $3 in
  simulate) mkdir -p "$7" ;;
  chips) folder=runs/bundled/$(basename "$5" .yaml); mkdir -p $folder; touch $folder/store.json ;;
  pretrain) mkdir -p runs/study_encoder; touch runs/study_encoder/state.pt; [ ! -e stop ] ;;
  export) touch "$7" ;;
esac
"""


@pytest.fixture
def clone(root: Path, tmp_path: Path) -> Path:
    """The script and the configs, with a Python that notes what it is asked for and leaves what the command would."""
    folder = tmp_path / "clone"
    (folder / ".venv/bin").mkdir(parents=True)
    for name in ("scripts", "training/configs"):
        shutil.copytree(root / name, folder / name)
    python = folder / ".venv/bin/python"
    python.write_text(NOTES_COMMANDS)
    python.chmod(0o755)
    return folder


def run_script(clone: Path, *arguments: str) -> tuple[int, str, list[list[str]]]:
    """Status, what was said, and each command with its arguments."""
    log = clone / "commands.txt"
    log.unlink(missing_ok=True)
    done = subprocess.run(["bash", clone / "scripts/study.sh", *arguments], capture_output=True, text=True, check=False)
    commands = log.read_text().splitlines() if log.is_file() else []
    return done.returncode, done.stdout + done.stderr, [line.removeprefix("-m training.run ").split() for line in commands]


def test_a_fresh_clone_should_need_nothing_by_hand_and_say_what_it_makes_and_leaves_out(clone: Path) -> None:
    status, said, commands = run_script(clone)
    assert status == 0
    assert [command[0] for command in commands] == ["simulate", "chips", "pretrain", "export", "study"]
    assert "['runs/bundled/chips_simulated']" in commands[2]
    assert "--resume" not in commands[2]
    assert commands[4][-4:] == ["--encoder", "runs/study_encoder.safetensors", "--out", "runs/study_tiny"]
    assert "Left out: all that is scored on real chips" in said
    assert "A small one is pre-trained" in said
    assert (clone / "runs/simulated").is_dir()
    again = run_script(clone)[2]
    assert [command[0] for command in again] == ["study"]
    assert again[0] == commands[4]


def test_real_chips_should_be_made_and_learnt_from_where_there_are_data(clone: Path) -> None:
    (clone.parent / "shared/data").mkdir(parents=True)
    _, said, commands = run_script(clone)
    assert [command[0] for command in commands] == ["simulate", "chips", "chips", "pretrain", "export", "study"]
    assert "['runs/bundled/chips_simulated', 'runs/bundled/chips_real']" in " ".join(commands[3])
    assert "Left out" not in said


def test_a_pre_training_that_was_stopped_should_go_on(clone: Path) -> None:
    (clone / "stop").touch()
    status, _, commands = run_script(clone)
    assert (status, commands[-1][0]) == (1, "pretrain")
    (clone / "stop").unlink()
    _, _, commands = run_script(clone)
    assert [command[0] for command in commands] == ["pretrain", "export", "study"]
    assert commands[0][-2:] == ["--resume", "true"]


def test_the_bundled_encoder_and_ones_own_should_be_studied_where_they_are(clone: Path) -> None:
    (clone / "runs/bundled/pretrain").mkdir(parents=True)
    (clone / "runs/bundled/pretrain/checkpoint.pt").touch()
    assert run_script(clone)[2][-1] == ["study", "--config", "training/configs/study_small.yaml"]
    (clone / "mine.safetensors").touch()
    assert run_script(clone, "mine.safetensors")[2] == [
        ["study", "--config", "training/configs/study_small.yaml", "--encoder", "mine.safetensors", "--out", "runs/study_mine"]
    ]
    status, said, commands = run_script(clone, "nowhere")
    assert (status, commands) == (2, [])
    assert "nowhere is not there" in said


def test_the_configs_of_the_script_should_be_valid(root: Path) -> None:
    stores = "['runs/bundled/chips_simulated', 'runs/bundled/chips_real']"
    _, pretraining = parse(["pretrain", f"--config={root / 'training/configs/pretrain_study.yaml'}", f"--data.stores={stores}"])
    assert isinstance(pretraining, PretrainConfig)
    assert [path.name for path in pretraining.data.stores] == ["chips_simulated", "chips_real"]
    _, study = parse(["study", f"--config={root / 'training/configs/study_small.yaml'}"])
    assert isinstance(study, StudyConfig)
    assert (study.finetune_steps, study.finetune_batch, study.finetune_crop_px) == (150, 16, 64)
