# SPDX-License-Identifier: GPL-2.0-or-later
"""Pre-trainings of seconds through the command line: what they leave, how they stop and go on, and what they refuse."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import torch
from rasterio.errors import NotGeoreferencedWarning

from backend.job import run_job
from backend.model_card import ModelCard, read_header
from backend.network.model import build_model
from backend.protocol import BandSource, JobRequest, OutputPaths
from tests.test_training.made_stores import made_chip, write_store
from tests.test_training.teams import start_team
from training.card import encoder_card
from training.checkpoint import load_checkpoint
from training.checks import machine_problems
from training.pretraining.config import PretrainConfig
from training.pretraining.crops import power_planes, render_views
from training.pretraining.data import open_source, plan_step, steps_per_epoch
from training.pretraining.dino import Dino
from training.pretraining.pretrain import memory_bytes
from training.pretraining.resident import ResidentChips
from training.run import main, parse

TINY_SETTINGS = {
    "crops.global_px": 32,
    "crops.local_px": 16,
    "crops.local_count": 2,
    "encoder.embed_dim": 16,
    "encoder.depth": 2,
    "encoder.num_heads": 2,
    "encoder.patch_px": 8,
    "dino.hidden_dim": 16,
    "dino.bottleneck_dim": 8,
    "dino.output_dim": 16,
    "steps": 8,
    "batch_size": 4,
    "learning_rate": 0.01,
    "device": "cpu",
    "threads": 1,
    "precision": "fp32",
    "log_steps": 2,
    "tensorboard": "false",
}
TINY = [f"--{name}={value}" for name, value in TINY_SETTINGS.items()]


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenes")
    assert main(["simulate", "--out", str(folder / "tif"), "--scenes", "4", "--height_px", "96", "--width_px", "144"]) == 0
    simulated = f"[{{name: simulated, kind: simulated, root: {folder / 'tif'}}}]"
    shares = ["--splits.validation_share=0.5", "--splits.test_share=0"]
    assert main(["chips", f"--sources={simulated}", f"--out={folder / 'chips'}", "--chip_px=48", *shares]) == 0
    return folder / "chips"


def arguments(scenes: Path, out: Path, *more: str) -> list[str]:
    return ["pretrain", f"--data.stores=[{scenes}]", f"--out={out}", *TINY, *more]


def config(scenes: Path, out: Path, *more: str) -> PretrainConfig:
    parsed = parse(arguments(scenes, out, *more))[1]
    assert isinstance(parsed, PretrainConfig)
    return parsed


@pytest.fixture(scope="module")
def finished(scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("finished") / "run"
    assert main(arguments(scenes, out)) == 0
    return out


def lines_of(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def state_of(run: Path) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(run / "state.pt", weights_only=True)
    return state


def assert_same(found: Any, expected: Any, atol: float = 0.0) -> None:
    torch.testing.assert_close(found, expected, atol=atol, rtol=0)


def test_run_folder_should_tell_how_the_run_went(finished: Path) -> None:
    lines = lines_of(finished)
    steps = [line for line in lines if "loss" in line]
    assert [line["step"] for line in steps] == [2, 4, 6, 8]
    assert all(np.isfinite(line["loss"]) and 0 < line["teacher_entropy"] < np.log(16) for line in steps)
    checks = [line for line in lines if "health" in line]
    assert checks[0]["step"] == 0, "the random encoder is the first thing measured"
    assert checks[-1]["step"] == 8
    assert {"knn_accuracy", "embedding_rank", "centre_norm"} <= checks[0]["health"].keys()
    assert json.loads((finished / "config.json").read_text())["steps"] == 8
    assert json.loads((finished / "provenance.json").read_text())["versions"]["torch"]


def test_picture_should_show_the_views_of_the_first_step(scenes: Path, finished: Path) -> None:
    made = config(scenes, finished)
    card = encoder_card(made)
    source, _ = open_source(made, card.bands)
    plan = plan_step(made, source, 2, 0)
    large = render_views(
        power_planes(source.decode(source.read(plan.indices, plan.dates, plan.starts))), plan.global_draws, 32, card.bands
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(finished / "views.png") as file:
            grey = file.read(1)
    assert grey.shape == (4 * 34, 2 * 34 + 2 * 18), "four chips; two global views of 32 px and two local ones of 16"
    second_view_of_third_chip = grey[68:100, 34:66]
    expected = (large[4 + 2, 0].numpy().clip(-2.5, 2.5) + 2.5) / 5 * 255
    assert np.abs(second_view_of_third_chip - expected).max() <= 1
    assert (grey[16:34, 68:] == 0).all(), "below the local views there is nothing"


def test_checkpoint_should_hold_the_teachers_encoder_for_its_card(finished: Path) -> None:
    checkpoint = load_checkpoint(finished)
    card = ModelCard.from_json(checkpoint.card)
    assert card.classes == ()
    build_model(card).load_state_dict(checkpoint.weights)
    teacher = state_of(finished)["dino"]["teacher"]
    assert all(torch.equal(tensor, teacher[name]) for name, tensor in checkpoint.weights.items())
    assert checkpoint.report["simulated_only"] is True
    assert checkpoint.report["crops_seen"] == 32


def test_exported_encoder_should_give_attention_in_the_backend(scenes: Path, finished: Path, tmp_path: Path) -> None:
    out = tmp_path / "encoder.safetensors"
    assert main(["export", "--run", str(finished), "--out", str(out), "--name", "encoder"]) == 0
    card = read_header(out).card
    assert card.training["simulated_only"] is True
    assert card.training["data"]["simulated_chips"] == card.training["chips"] > 0
    assert card.training["rounding"]["largest_change_of_attention"] < 0.1
    scene = scenes.parent / "tif" / "scene_00000.tif"
    request = JobRequest(
        bands=(BandSource("VV", str(scene), 1), BandSource("VH", str(scene), 2)),
        model=str(out),
        outputs=OutputPaths(attention=str(tmp_path / "attention.tif")),
        units="db",
        device="cpu",
    )
    run_job(request, lambda _message: None, lambda: False)
    with rasterio.open(tmp_path / "attention.tif") as file:
        assert (file.count, file.shape) == (3, (12, 18)), "the mean and a band a head, a pixel a patch"
        assert float(np.nanmean(file.read(1))) == pytest.approx(1.0, abs=0.2)


def test_same_seed_should_give_the_same_weights(scenes: Path, finished: Path, tmp_path: Path) -> None:
    assert main(arguments(scenes, tmp_path / "again")) == 0
    assert_same(state_of(tmp_path / "again")["dino"], state_of(finished)["dino"])
    assert main(arguments(scenes, tmp_path / "other", "--seed=1")) == 0
    other = state_of(tmp_path / "other")["dino"]["student"]["head.last_layer"]
    assert not torch.equal(other, state_of(finished)["dino"]["student"]["head.last_layer"])


def test_run_that_was_stopped_should_end_where_one_that_was_not_does(root: Path, scenes: Path, tmp_path: Path) -> None:
    more = ("--steps=60", "--log_steps=1", "--health_steps=20")
    assert main(arguments(scenes, tmp_path / "whole", *more)) == 0
    out = tmp_path / "stopped"
    command = [sys.executable, "-m", "training.run", *arguments(scenes, out, *more)]
    process = subprocess.Popen(command, cwd=root, stderr=subprocess.PIPE, text=True)
    began = time.monotonic()
    while not (out / "metrics.jsonl").is_file() or '"loss"' not in (out / "metrics.jsonl").read_text():
        assert time.monotonic() - began < 60
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130, said
    stopped_at = state_of(out)["step"]
    assert 0 < stopped_at < 60
    assert f"--config {out / 'config.json'} --resume true" in said
    assert main(["pretrain", "--config", str(out / "config.json"), "--resume", "true"]) == 0
    assert_same(state_of(out)["dino"], state_of(tmp_path / "whole")["dino"])
    steps = [line["step"] for line in lines_of(out) if "loss" in line]
    assert steps == list(range(1, 61)), "no line is missing or twice"
    for found, expected in zip(lines_of(out)[-3:], lines_of(tmp_path / "whole")[-3:], strict=True):
        assert found.get("loss") == expected.get("loss")
        assert found.get("health") == expected.get("health")


def test_two_processes_should_give_the_weights_of_one(root: Path, scenes: Path, tmp_path: Path) -> None:
    more = ("--encoder.drop_path=0", "--steps=5", "--learning_rate=0.1", "--warmup_epochs=0", "--dino.freeze_last_layer_epochs=0")
    assert main(arguments(scenes, tmp_path / "one", *more)) == 0
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "29741"]
    command += ["-m", "training.run", *arguments(scenes, tmp_path / "two", *more)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    one, two = (state_of(tmp_path / name)["dino"] for name in ("one", "two"))
    # The teacher is still near where both began.
    moved = max(float((one["student"][name] - one["teacher"][name]).abs().max()) for name in one["student"])
    assert moved > 1e-3, "the weights must have moved by much more than the tolerance"
    for name in ("blocks.0", "blocks.1"):
        for state in (one, two):
            # A key's bias changes nothing (the softmax over keys takes it out), so that its gradient is rounding alone, which
            # Adam scales up to whole steps: the only weights that may differ.
            state["student"][f"encoder.{name}.attn.qkv.bias"][16:32] = 0
            state["teacher"][f"encoder.{name}.attn.qkv.bias"][16:32] = 0
    for part in ("student", "teacher", "centre"):
        assert_same(two[part], one[part], atol=1e-5)
    assert load_checkpoint(tmp_path / "two").report["processes"] == 2


def test_run_that_was_killed_should_go_on_from_what_was_saved(root: Path, scenes: Path, finished: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    command = [sys.executable, "-m", "training.run", *arguments(scenes, out, "--log_steps=1")]
    process = subprocess.Popen(command, cwd=root, stderr=subprocess.DEVNULL)
    began = time.monotonic()
    while not (out / "state.pt").is_file():
        assert time.monotonic() - began < 60
        time.sleep(0.005)
    process.kill()
    process.wait()
    with (out / "metrics.jsonl").open("a") as file:
        file.write('{"step": 1, "lo')  # what a kill in the middle of a line leaves
    assert main(arguments(scenes, out, "--log_steps=1", "--resume=true")) == 0
    assert_same(state_of(out)["dino"], state_of(finished)["dino"])
    steps = [line["step"] for line in lines_of(out) if "loss" in line]
    assert steps == sorted(set(steps)), "no line is there twice"
    assert steps[-1] == 8


def test_team_that_is_told_to_stop_should_save_and_be_gone_on_with(root: Path, scenes: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    process, _ = start_team(root, 29743, arguments(scenes, out, "--steps=100000"), out)
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=60)[1]
    assert process.returncode != 0
    assert f"--config {out / 'config.json'} --resume true" in said
    assert state_of(out)["step"] == load_checkpoint(out).step > 0


def test_team_that_loses_a_process_should_say_so(root: Path, scenes: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    process, worker = start_team(root, 29745, arguments(scenes, out, "--steps=100000", "--save_minutes=0"), out)
    os.kill(worker, signal.SIGKILL)
    said = process.communicate(timeout=90)[1]
    assert process.returncode != 0
    assert said.count(f"failed: Another process of the team was lost. The last good checkpoint is {out / 'state.pt'}") == 1
    assert state_of(out)["step"] > 0


def test_collapse_should_stop_the_run_and_say_why(scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hot = ("--dino.teacher_temperature=50", "--dino.warmup_teacher_temperature=50", "--health_steps=10", "--steps=130")
    assert main(arguments(scenes, tmp_path / "run", *hot)) == 3
    said = capsys.readouterr().err
    assert "has collapsed at step 120" in said, "a grace of 100 steps, then two checks in a row"
    assert "all outputs alike" in said
    assert "Lower dino.teacher_temperature" in said
    assert main(arguments(scenes, tmp_path / "on", *hot, "--stop_on_collapse=false")) == 0
    assert "It goes on, as asked" in capsys.readouterr().err


def test_divergence_should_stop_with_step_chips_and_last_checkpoint(
    scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    wild = ("--learning_rate=1e30", "--steps=40", "--save_minutes=0")
    assert main(arguments(scenes, out, *wild)) == 3
    said = capsys.readouterr().err
    assert any(what in said for what in ("not finite numbers at step", "not a number at step", "The loss became"))
    assert "chip" in said
    assert f"The last good checkpoint is {out / 'state.pt'}, step" in said
    diverged = json.loads((out / "diverged.json").read_text())
    assert len(diverged["chips"]) == 4
    state = state_of(out)
    assert state["step"] <= diverged["step"]
    assert all(torch.isfinite(tensor).all() for tensor in state["dino"]["student"].values())


def test_full_disk_should_leave_the_last_checkpoint(root: Path, scenes: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert main(arguments(scenes, out)) == 0
    before = (out / "state.pt").read_bytes()
    state = {**state_of(out), "step": 4}
    torch.save(state, out / "state.pt")  # so that there is something left to do
    before = (out / "state.pt").read_bytes()

    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    command = [sys.executable, "-m", "training.run", *arguments(scenes, out, "--resume=true")]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120, check=False, preexec_fn=small_files)
    assert done.returncode == 3, done.stderr
    assert "could not be saved" in done.stderr
    assert "The last good checkpoint is" in done.stderr
    assert (out / "state.pt").read_bytes() == before
    assert not list(out.glob("*.part"))


def test_resume_should_refuse_what_does_not_fit(
    scenes: Path, finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(run: Path, *more: str) -> str:
        assert main(arguments(scenes, run, "--resume=true", *more)) == 2
        return capsys.readouterr().err

    assert "holds no state.pt" in refused(tmp_path / "nothing")
    said = refused(finished, "--crops.local_count=4", "--learning_rate=0.02", "--log_steps=1")
    assert "crops.local_count: 2 became 4, learning_rate: 0.01 became 0.02" in said
    assert "log_steps" not in said, "what does not change the result may change"
    copy = tmp_path / "copy"
    copy.mkdir()
    whole = (finished / "state.pt").read_bytes()
    (copy / "state.pt").write_bytes(whole[: len(whole) // 2])
    assert "cannot be read" in refused(copy)
    torch.save({"format": 2, "run": print}, copy / "state.pt")
    assert "cannot be read" in refused(copy), "nothing but tensors and plain values is unpickled"
    torch.save({**state_of(finished), "chips": 5}, copy / "state.pt")
    assert "the run began with 5 chips" in refused(copy)
    other = state_of(finished)
    other["dino"]["student"]["head.last_layer"] = torch.zeros(3, 3)
    torch.save(other, copy / "state.pt")
    assert "size mismatch" in refused(copy)


def test_bad_input_should_be_refused_all_at_once(
    scenes: Path, finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments(scenes, finished, "--batch_size=500")) == 2
    said = capsys.readouterr().err
    assert "already holds a run" in said
    assert "fewer than one batch of 500" in said
    if find_spec("tensorboard") is None:
        assert main(arguments(scenes, tmp_path / "run", "--tensorboard=true")) == 2
        assert "tensorboard is not installed" in capsys.readouterr().err
    with pytest.raises(SystemExit) as caught:
        main(arguments(scenes, tmp_path / "run", "--crops.colour_jitter=1"))
    assert caught.value.code == 2
    with pytest.raises(SystemExit):
        main(arguments(scenes, tmp_path / "run", "--crops.global_px=60", "--precision=fp16"))
    said = capsys.readouterr().err
    assert "crops.global_px must be a multiple" in said
    assert "precision must be" in said
    assert not (tmp_path / "run").exists()


def test_store_without_enough_should_be_refused(tmp_path: Path) -> None:
    nothing = np.full((2, 48, 48), np.nan, np.float32)
    write_store(tmp_path / "empty", {"train": [made_chip(nothing)] * 9})
    made = config(tmp_path / "empty", tmp_path / "run")
    with pytest.raises(ValueError, match="0 chips can be used"):
        open_source(made, encoder_card(made).bands)
    with pytest.raises(ValueError, match=r"data.part_px is 64, .* 48 px"):
        open_source(config(tmp_path / "empty", tmp_path / "run", "--data.part_px=64"), encoder_card(made).bands)
    with pytest.raises(ValueError, match="needs 112 px of a chip, and has 48"):
        open_source(config(tmp_path / "empty", tmp_path / "run", "--crops.global_px=224"), encoder_card(made).bands)
    with pytest.raises(ValueError, match="is no chip store"):
        open_source(config(tmp_path / "no", tmp_path / "run"), encoder_card(made).bands)


def test_chips_with_one_band_should_serve_only_where_bands_may_be_absent(tmp_path: Path) -> None:
    both = np.full((2, 48, 48), -12.0, np.float32)
    vv_alone = both.copy()
    vv_alone[1] = np.nan
    write_store(tmp_path / "chips", {"train": [made_chip(both)] * 5 + [made_chip(vv_alone)] * 3})
    for more, chips in (((), 5), (("--crops.channel_drop=0.2",), 8)):
        made = config(tmp_path / "chips", tmp_path / "run", *more)
        source, _ = open_source(made, encoder_card(made).bands)
        assert (len(source), source.left_out) == (chips, 8 - chips)


def test_unlabelled_chips_of_several_dates_should_train(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(-15, 3, (12, 3, 2, 48, 48)).astype(np.float16)
    values[3] = np.nan
    chips = [made_chip(look.astype(np.float32), ground=ground) for ground, looks in enumerate(values) for look in looks]
    write_store(tmp_path / "chips", {"train": [*chips[1::2], *chips[::2]]})
    made = config(tmp_path / "chips", tmp_path / "run")
    source, probe = open_source(made, encoder_card(made).bands)
    assert (len(source), source.left_out) == (11, 3)
    assert probe.bank_labels is None
    assert source.views_of_two_dates
    plan = plan_step(made, source, 2, 0)
    assert (plan.dates[:, 0] != plan.dates[:, 1]).all(), "the two global views are of different dates"
    stored = source.read(plan.indices, plan.dates)
    torch.testing.assert_close(ResidentChips(source, torch.device("cpu")).read(plan, 0), stored, rtol=0, atol=0, equal_nan=True)
    read = source.decode(stored).numpy()
    grounds = source.splits[0].index["ground"]
    for number in range(4):
        looks = source.looks[source.first[plan.indices[number]] :][:3]
        [ground] = set(grounds[looks[:, 1]].tolist())
        for date in range(2):
            assert any(np.array_equal(read[number, date], look) for look in values[ground].astype(np.float32))
    assert main(arguments(tmp_path / "chips", tmp_path / "run")) == 0
    health = [line["health"] for line in lines_of(tmp_path / "run") if "health" in line][-1]
    assert health["knn_accuracy"] is None
    assert health["embedding_rank"] >= 1


def test_views_should_lie_in_the_part_of_the_chip_that_is_asked_for(tmp_path: Path) -> None:
    ramp = np.broadcast_to(np.arange(96, dtype=np.float32) / 4 - 30, (2, 96, 96)).copy()
    small = ramp.copy()
    small[:, 40:] = np.nan
    small[:, :, 40:] = np.nan
    write_store(tmp_path / "chips", {"train": [made_chip(ramp)] * 4 + [made_chip(small, height_px=40, width_px=40)] * 4})
    made = config(tmp_path / "chips", tmp_path / "run", "--data.part_px=48", "--batch_size=8")
    source, _ = open_source(made, encoder_card(made).bands)
    plan = plan_step(made, source, 2, 0)
    stored = source.read(plan.indices, plan.dates, plan.starts, 48)
    torch.testing.assert_close(ResidentChips(source, torch.device("cpu")).read(plan, 48), stored, rtol=0, atol=0, equal_nan=True)
    read = source.decode(stored).numpy()
    assert read.shape == (8, 1, 2, 48, 48)
    for number, index in enumerate(plan.indices.tolist()):
        row, column = plan.starts[number]
        np.testing.assert_array_equal(read[number, 0, 0, 0, :40], ramp[0, row, column : column + 40])
        half = plan.global_draws.step_px[number] * made.crops.global_px / 2
        reach = 40 if source.extent_px[index, 0] == 40 else 48
        assert (plan.global_draws.centre_px[number] + half <= reach + 1e-3).all()
    views = render_views(power_planes(torch.from_numpy(read)), plan.global_draws, 32, encoder_card(made).bands)
    assert (views != 0).all(), "no view shows what lies beyond a small chip"


def test_probe_should_count_labels_of_one_class_alone(tmp_path: Path) -> None:
    db = np.full((2, 48, 48), -12.0, np.float32)
    mixed = np.full((48, 48), 201, np.uint8)  # not water
    mixed[:20] = 80
    chips = [made_chip(db, mixed)] * 4 + [made_chip(db, np.full((48, 48), 201, np.uint8))]
    write_store(tmp_path / "chips", {"train": chips, "validation": [made_chip(db, np.full((48, 48), 10, np.uint8))]})
    made = config(tmp_path / "chips", tmp_path / "run")
    _, probe = open_source(made, encoder_card(made).bands)
    assert probe.bank_labels is not None
    assert probe.query_labels is not None
    assert probe.bank_labels.tolist() == [80] * 4
    assert probe.query_labels.tolist() == [10]
    assert probe.bank.shape == (4, 2, 32, 32)


def test_epoch_should_take_each_chip_once_and_parts_should_make_the_whole(scenes: Path, tmp_path: Path) -> None:
    made = config(scenes, tmp_path / "run")
    source, _ = open_source(made, encoder_card(made).bands)
    each = steps_per_epoch(made, source)
    epochs = [
        np.concatenate([plan_step(made, source, 2, step).indices for step in range(e * each, (e + 1) * each)]) for e in (0, 1)
    ]
    for seen in epochs:
        assert len(set(seen.tolist())) == len(seen) == each * 4
    assert epochs[0].tolist() != epochs[1].tolist()
    whole = plan_step(made, source, 2, 3)
    parts = [whole.part(rank, 2) for rank in range(2)]
    np.testing.assert_array_equal(np.concatenate([part.indices for part in parts]), whole.indices)
    np.testing.assert_array_equal(np.concatenate([part.global_draws.noise_seed for part in parts]), whole.global_draws.noise_seed)


def test_dry_run_should_check_and_leave_nothing(scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments(scenes, tmp_path / "run", "--dry_run=true")) == 0
    said = capsys.readouterr().err
    assert "Nothing was trained" in said
    assert "GB of memory" in said
    assert not (tmp_path / "run").exists()


def test_too_little_memory_should_be_told_before_work_begins(scenes: Path, tmp_path: Path) -> None:
    made = config(scenes, tmp_path / "run")
    card = encoder_card(made)
    dino = Dino(card.encoder, 2, 0.0, made.dino, 16, torch.device("cpu"))
    large, small = torch.randn(2, 2, 32, 32), torch.randn(4, 2, 16, 16)
    weights = 5 * 4 * sum(parameter.numel() for parameter in dino.student.parameters())
    for_one, for_ten = (memory_bytes(dino, large, small, chips, bf16=False) for chips in (1, 10))
    assert for_ten - weights == 10 * (for_one - weights)
    tokens = 2 * 17 + 4 * 5
    assert for_one - weights > 20 * tokens * 16 * 4, "a block keeps at least ten activations of each token's width"
    assert machine_problems(made.out, for_ten, for_ten, 0) == []
    [problem] = machine_problems(made.out, 3 * 10**9, 2 * 10**9, 0)
    assert problem == "about 3.0 GB of memory are needed, 2.0 GB are free: lower batch_size"
