# SPDX-License-Identifier: GPL-2.0-or-later
"""`scripts/study.sh` in folders that hold more or less of what the study needs; the commands that it gives are noted, not run."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from training.checkpoint import config_json
from training.pretraining.config import PretrainConfig
from training.run import parse
from training.state import changed_settings
from training.study.config import StudyConfig

NOTES_COMMANDS = """#!/usr/bin/env bash
printf '%s\\n' "$*" >> commands.txt
case $3 in
  simulate) mkdir -p "$7" ;;
  chips) folder=runs/bundled/$(basename "$5" .yaml); mkdir -p $folder; touch $folder/store.json ;;
  pretrain) mkdir -p "$7"; touch "$7/state.pt"; [ ! -e "stop_$(basename "$7")" ] ;;
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
    assert commands[4] == ["study", "--config", "training/configs/study_small.yaml"]
    small = parse(commands[4])[1]
    assert isinstance(small, StudyConfig)
    assert str(small.encoder) == commands[3][commands[3].index("--out") + 1]
    assert "Left out: all that is scored on real chips" in said
    assert "A small encoder is pre-trained" in said
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
    (clone / "stop_study_encoder").touch()
    status, _, commands = run_script(clone)
    assert (status, commands[-1][0]) == (1, "pretrain")
    (clone / "stop_study_encoder").unlink()
    _, _, commands = run_script(clone)
    assert [command[0] for command in commands] == ["pretrain", "export", "study"]
    assert commands[0][-2:] == ["--resume", "true"]


def test_ones_own_encoder_should_be_studied_where_it_is(clone: Path) -> None:
    run_script(clone)
    (clone / "mine.safetensors").touch()
    assert run_script(clone, "mine.safetensors")[2] == [
        ["study", "--config", "training/configs/study_small.yaml", "--encoder", "mine.safetensors", "--out", "runs/study_mine"]
    ]
    assert run_script(clone, "small", "mine.safetensors")[2] == run_script(clone, "mine.safetensors")[2]
    status, said, commands = run_script(clone, "nowhere")
    assert (status, commands) == (2, [])
    assert "nowhere is not there" in said


def settings_of(arguments: list[str], root: Path) -> PretrainConfig:
    """What the script's words describe, put together again where a value has blanks."""
    words = re.sub(r"\[[^]]*\]", lambda found: found[0].replace(" ", ""), " ".join(arguments)).split()
    words[2] = str(root / words[2])
    _, config = parse(words)
    assert isinstance(config, PretrainConfig)
    return config


def test_the_full_study_should_pre_train_the_variants_of_its_config_by_one_config_and_go_on(clone: Path, root: Path) -> None:
    (clone.parent / "shared/data").mkdir(parents=True)
    (clone / "stop_no_gain").touch()
    status, _, commands = run_script(clone, "full")
    assert (status, commands[-1][0]) == (1, "pretrain")
    (clone / "stop_no_gain").unlink()
    (clone / "vit.pth").touch()
    _, _, rest = run_script(clone, "full", "vit.pth")
    assert rest[0][-2:] == ["--resume", "true"]
    trained = [command for command in commands[:-1] + rest if command[0] == "pretrain"]
    assert {command[2] for command in trained} == {"training/configs/bundled/pretrain.yaml"}
    runs = {Path(command[4]).name: settings_of(command, root) for command in trained}

    _, study = parse(["study", f"--config={root / 'training/configs/study_full.yaml'}"])
    assert isinstance(study, StudyConfig)
    main = runs.pop("main")
    assert study.encoder == main.out.with_suffix(".safetensors")
    assert {name: run.out.with_suffix(".safetensors") for name, run in runs.items()} == study.variants
    given = " ".join(rest[-1])
    assert rest[-1][0] == "study"
    assert given.endswith("--imagenet vit.pth")
    assert all(f"{name}: {path}" in given for name, path in study.variants.items())

    bundled = parse(["pretrain", f"--config={root / 'training/configs/bundled/pretrain.yaml'}"])[1]
    assert set(main.data.stores) == set(bundled.data.stores)
    assert config_json(replace(main, out=bundled.out, data=bundled.data)) == config_json(bundled)
    changed = {
        "simulated_only": {"data.stores"},
        "registers": {"encoder.register_tokens"},
        "no_speckle": {"crops.speckle_chance"},
        "no_gain": {"crops.gain_db", "crops.band_gain_db"},
        "no_flips": {"crops.flip", "crops.transpose"},
        "no_channel_drop": {"crops.channel_drop"},
        "no_resized_crops": {"crops.spacing_m", "crops.aspect"},
    }
    of_main = json.loads(config_json(main))
    for name, run in runs.items():
        found = {line.split(":")[0] for line in changed_settings(of_main, json.loads(config_json(run)))}
        assert found == changed[name], name
    assert [path.name for path in runs["simulated_only"].data.stores] == ["chips_simulated"]
    # Whatever is done is not done again.
    assert [command[0] for command in run_script(clone, "full")[2]] == ["study"]


def test_the_full_study_should_leave_out_what_would_be_the_main_encoder_without_real_chips(clone: Path) -> None:
    _, _, commands = run_script(clone, "full")
    names = [Path(command[4]).name for command in commands if command[0] == "pretrain"]
    assert names[:2] == ["main", "registers"]
    assert len(names) == 7
    assert "simulated_only" not in " ".join(commands[-1])
    status, said, commands = run_script(clone, "full", "nowhere.pth")
    assert (status, commands) == (2, [])
    assert "nowhere.pth is not there" in said


def test_the_configs_of_the_script_should_be_valid(root: Path) -> None:
    stores = "['runs/bundled/chips_simulated', 'runs/bundled/chips_real']"
    _, pretraining = parse(["pretrain", f"--config={root / 'training/configs/pretrain_study.yaml'}", f"--data.stores={stores}"])
    assert isinstance(pretraining, PretrainConfig)
    assert [path.name for path in pretraining.data.stores] == ["chips_simulated", "chips_real"]
    _, study = parse(["study", f"--config={root / 'training/configs/study_small.yaml'}"])
    assert isinstance(study, StudyConfig)
    assert (study.finetune_steps, study.finetune_batch, study.finetune_crop_px) == (150, 16, 64)
