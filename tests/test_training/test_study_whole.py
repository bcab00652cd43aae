# SPDX-License-Identifier: GPL-2.0-or-later
"""Whole small studies through the command line: what is made once, gone on with, refused and told."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.network.model import build_model
from backend.network.model_file import save_model
from tests.test_training.small_study import (
    CROP,
    FINETUNED,
    PATCH,
    SIDE,
    TREES,
    WATER,
    made_config,
    make_ready,
    run_study,
    tiny_card,
)
from training.checkpoint import Checkpoint, save_checkpoint
from training.run import main
from training.study.encoders import random_encoder, read_encoder
from training.study.results import (
    PRETRAINED,
    REAL,
    SCRATCH,
    SIMULATED,
    Finetuning,
    chosen_rate,
    tuning_runs,
)


@pytest.fixture
def ready(tmp_path: Path) -> Path:
    return make_ready(tmp_path)


def test_a_study_should_fine_tune_from_both_beginnings_on_the_same_chips_and_go_on(ready: Path) -> None:
    assert run_study(ready, **FINETUNED) == 0
    config = made_config(ready, **FINETUNED)
    runs = [Finetuning(arm, seed, 0.5, 0.001) for arm in (PRETRAINED, SCRATCH) for seed in (0, 1)]
    cells = {path: path.stat().st_mtime_ns for path in (ready / "study/cells/finetune").rglob("*.json")}
    assert len(cells) == 4 + 4  # two rates and two seeds of each beginning
    tuned = {run: json.loads((ready / f"study/cells/{run.name(config)}.json").read_text()) for run in tuning_runs(config)}
    rates = {
        arm: chosen_rate(config, {run.name(config): cell for run, cell in tuned.items()}, arm) for arm in (PRETRAINED, SCRATCH)
    }
    settings = {}
    for run in runs:
        run = Finetuning(run.arm, run.seed, run.fraction, rates[run.arm])
        cell = json.loads((ready / f"study/cells/{run.name(config)}.json").read_text())
        assert cell["chips"] == 3  # of six
        assert cell["start"]["kind"] == {PRETRAINED: "pretrain run", SCRATCH: "scratch"}[run.arm]
        assert set(cell["counts"]) == {SIMULATED, REAL}
        assert set(cell["counts"][SIMULATED]) == {"test 0", "test 1", "test 2"}
        assert np.sum(list(cell["counts"][SIMULATED].values())) == 3 * SIDE**2
        settings[run.arm, run.seed] = json.loads((ready / f"study/{run.name(config)}/config.json").read_text())
        assert not list((ready / "study" / run.name(config)).glob("state*.pt"))
    for seed in (0, 1):
        one, other = (settings[arm, seed] for arm in (PRETRAINED, SCRATCH))
        differing = {key for key in one if one[key] != other[key]}
        assert differing <= {"out", "start_from", "learning_rate"}
        assert (one["seed"], one["label_fraction"], one["network"]["decoder_blocks"]) == (seed, 0.5, [0, 1])
    report = (ready / "study/report.html").read_text(encoding="utf-8")
    assert "Pre-trained or from scratch, real chips" in report
    assert "No network was fine-tuned on real labels" in report

    gone = next(iter(cells))
    before = json.loads(gone.read_text())
    gone.unlink()
    assert run_study(ready, **FINETUNED) == 0
    assert json.loads(gone.read_text()) == before
    assert {path for path, changed in cells.items() if path.stat().st_mtime_ns != changed} == {gone}
    assert run_study(ready, **{**FINETUNED, "finetune_steps": 0}) == 0  # other cells do not depend on it


def test_a_fine_tuning_that_was_stopped_should_go_on(ready: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from training.finetuning.run import FinetuneRun

    settings = {**FINETUNED, "seeds": "[0]", "finetune_rates": "[0.001]", "finetune_fractions": "[0.1]", "real": ready / "absent"}
    assert run_study(ready, **settings, out=ready / "whole") == 0

    def stop(self: FinetuneRun, *_: object) -> None:
        self._stop_for_interrupt()

    with monkeypatch.context() as patch:
        patch.setattr(FinetuneRun, "steps", stop)
        assert run_study(ready, **settings) == 130
    assert not list((ready / "study/cells/finetune").rglob("*.json"))
    assert run_study(ready, **settings) == 0
    whole = {path.name: json.loads(path.read_text()) for path in (ready / "whole/cells/finetune").rglob("*.json")}
    found = {path.name: json.loads(path.read_text()) for path in (ready / "study/cells/finetune").rglob("*.json")}
    assert found == whole


def test_fine_tuning_that_cannot_be_done_should_be_refused_before_anything_is_made(
    ready: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_study(ready, **{**FINETUNED, "finetune_crop_px": 20}) == 2
    assert "multiple of network.patch_px" in capsys.readouterr().err
    assert run_study(ready, **FINETUNED, classes=f"[{TREES},40,{WATER}]") == 2
    assert "no training chip is labelled 40" in capsys.readouterr().err
    assert run_study(ready, **{**FINETUNED, "finetune_crop_px": 128}) == 2
    assert "smaller than data.crop_px" in capsys.readouterr().err
    assert not (ready / "study").exists()


def test_an_encoder_handed_on_as_a_file_should_be_the_run_that_it_was_exported_from(
    ready: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = [f"--encoder.{name}" for name in ("embed_dim=16", "depth=2", "num_heads=2", f"patch_px={PATCH}")]
    views = [f"--crops.global_px={CROP}", "--crops.local_px=16", "--crops.local_count=1"]
    run, file = ready / "run", ready / "encoder.safetensors"
    stores = f"--data.stores=['{ready / 'simulated'}']"
    more = ["--steps=1", "--batch_size=2", "--precision=fp32", "--tensorboard=false", "--device=cpu", "--threads=1"]
    assert main(["pretrain", f"--out={run}", stores, *views, *small, *more]) == 0
    assert main(["export", f"--run={run}", f"--out={file}", "--name=small", "--dtype=float32"]) == 0
    (of_run, _), (of_file, card) = read_encoder(run), read_encoder(file)
    assert not card.classes
    expected = of_run.model.state_dict()
    assert of_file.model.state_dict().keys() == expected.keys()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in of_file.model.state_dict().items())

    settings = {**FINETUNED, "seeds": "[0]", "finetune_rates": "[0.001]", "real": ready / "absent"}
    assert run_study(ready, **settings, encoder=run, out=ready / "of_run") == 0
    assert run_study(ready, **settings, encoder=file) == 0
    for name in ("fractions/pretrained_seed0_100percent", "rollout/pretrained", "embedding/pretrained"):
        first, second = (json.loads((ready / folder / f"cells/{name}.json").read_text()) for folder in ("study", "of_run"))
        assert first == second, name
    [finetuned] = (ready / "study/cells/finetune").rglob("pretrained_seed0_50percent*.json")
    assert json.loads(finetuned.read_text())["start"]["kind"] == "model file"
    capsys.readouterr()
    save_model(file, card, random_encoder(card, 3).model, "float32")
    assert run_study(ready, **settings, encoder=file) == 2
    assert "encoder_sha256" in capsys.readouterr().err


def test_files_that_are_no_encoder_without_labels_should_be_refused(ready: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from training.card import draft_card
    from training.study.finetuned import finetuning_settings

    config = made_config(ready, finetune_steps=1)
    card = draft_card(finetuning_settings(config, tiny_card(ready), next(tuning_runs(config))))
    labelled, damaged = ready / "labelled.safetensors", ready / "damaged.safetensors"
    save_model(labelled, card, build_model(card))
    damaged.write_bytes(labelled.read_bytes()[:-1] + b"\x55")
    assert run_study(ready, encoder=labelled) == 2
    assert "its encoder saw labels" in capsys.readouterr().err
    assert run_study(ready, encoder=damaged) == 2
    assert "SHA-256 differs" in capsys.readouterr().err


def test_a_study_should_not_make_a_cell_again_and_should_make_it_alike(ready: Path) -> None:
    assert run_study(ready) == 0
    cells = {path: path.stat().st_mtime_ns for path in (ready / "study/cells").rglob("*.json")}
    # Fractions, real labels, feature sets; attention, rollout, embedding and position of three encoders; t-SNE of two; pictures.
    assert len(cells) == 2 * 2 * 2 + 2 * 2 + (2 * 6 + 2 * 5) * 2 + 4 * 3 + 2 + 1
    report = (ready / "study/report.html").read_text(encoding="utf-8")
    assert "4. Embedding space" in report
    assert "Attention rollout, real chips" in report
    assert "Position in the crop" in report
    assert "No network was fine-tuned: finetune_steps was 0" in report
    assert "No variant of the pre-training was asked for" in report
    assert "6. Variants" not in report
    assert "5. Fine-tuning" not in report
    assert "data:image/png" in report
    assert "Attention of the pre-trained encoder over real crops" in report
    gone = ready / "study/cells/fractions/random_seed1_50percent.json"
    before = json.loads(gone.read_text())
    gone.unlink()
    assert run_study(ready, bootstrap_draws=0) == 0
    assert json.loads(gone.read_text()) == before
    assert {path for path, changed in cells.items() if path.stat().st_mtime_ns != changed} == {gone}
    assert "real chips" in (ready / "study/study.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("what", ["settings", "encoder"])
def test_a_study_should_refuse_cells_of_other_settings_or_another_encoder(
    ready: Path, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    settings = {"seeds": "[0]", "fractions": "[1.0]", "real": ready / "absent"}
    assert run_study(ready, **settings) == 0
    cells = {path: path.read_bytes() for path in (ready / "study/cells").rglob("*.json")}
    if what == "encoder":
        card = tiny_card(ready)
        save_checkpoint(ready / "pretrain", Checkpoint(build_model(card).state_dict(), card.to_json(), "{}", 2, {}))
    changed = {"settings": {"trees": 6}, "encoder": {}}[what]
    capsys.readouterr()
    assert run_study(ready, **{**settings, **changed}) == 2
    said = capsys.readouterr().err
    assert {"settings": "settings.trees: 5 became 6", "encoder": "encoder_sha256"}[what] in said
    assert "--out" in said
    assert {path: path.read_bytes() for path in (ready / "study/cells").rglob("*.json")} == cells


def test_a_study_should_say_what_it_leaves_out_and_what_it_needs(ready: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_study(ready, seeds="[0]", fractions="[1.0]", real=ready / "absent") == 0
    assert "the real part is left out" in capsys.readouterr().out
    report = (ready / "study/report.html").read_text(encoding="utf-8")
    assert "the real part is left out" in report
    assert "Learnt on real places" not in report
    assert run_study(ready, encoder=ready / "nowhere") == 2
    assert "configs/bundled/pretrain.yaml" in capsys.readouterr().err
    assert run_study(ready, simulated=ready / "nowhere") == 2
    assert "training.run chips" in capsys.readouterr().err
    assert run_study(ready, out=ready / "other", crop_px=30) == 2
    assert "multiple of the encoder's patch" in capsys.readouterr().err


def test_a_damaged_cell_should_be_named(ready: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = {"seeds": "[0]", "fractions": "[1.0]", "real": ready / "absent"}
    assert run_study(ready, **settings) == 0
    cell = ready / "study/cells/embedding/pretrained.json"
    cell.write_text(cell.read_text()[:40])
    assert run_study(ready, **settings) == 2
    assert "pretrained.json is damaged" in capsys.readouterr().err
