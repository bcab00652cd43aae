# SPDX-License-Identifier: GPL-2.0-or-later
"""A fine-tuning under way: its steps, its validations, what it says of itself and what it saves."""

from __future__ import annotations

import dataclasses
import json
import math
import time
from typing import Any

import numpy as np
import torch
from torch import Tensor

from backend.model_card import ModelCard
from training.checkpoint import (
    METRICS,
    Checkpoint,
    append_metrics,
    config_json,
    current_commit,
    load_checkpoint,
    save_checkpoint,
    start_run,
)
from training.distributed import Team
from training.feed import Feeder
from training.finetuning.config import FinetuneConfig
from training.finetuning.labelled_crops import CropPlanner, network_input, read_crops
from training.finetuning.labelled_data import LabelledData
from training.finetuning.map_pictures import write_samples
from training.finetuning.report import make_report
from training.finetuning.segmenter import Segmenter
from training.finetuning.start_weights import Start
from training.finetuning.validate import Sample, Validation, validate
from training.interrupt import Interrupt
from training.run_log import RunLog
from training.state import drop_later_lines, load_state, save_state

COMMAND = "finetune"
GO_ON, INTERRUPTED, ENOUGH = 0, 1, 2
PICTURED_CROPS = 8
Batch = tuple[Tensor, Tensor]


class FinetuneRun:
    """A fine-tuning under way."""

    def __init__(
        self,
        config: FinetuneConfig,
        card: ModelCard,
        data: LabelledData,
        segmenter: Segmenter,
        start: Start,
        device: torch.device,
        team: Team,
    ) -> None:
        self.config, self.card, self.data, self.segmenter = config, card, data, segmenter
        self.start, self.device, self.team = start, device, team
        self.log = RunLog(COMMAND, config.out, team, config.tensorboard)
        self.bf16 = config.precision == "bf16"
        self.step = self.first_step = 0
        self.minutes_before = 0.0
        self.provenance: dict[str, Any] = {}
        self.best_iou, self.best_step, self.worse_in_a_row = -math.inf, 0, 0
        self._planner = CropPlanner(data, config.data, len(card.bands), config.batch_size, config.seed)
        # On a GPU, reading a value back waits for all work that is queued: only at each log line.
        self._look_steps = 1 if device.type == "cpu" else math.gcd(config.log_steps, config.validate_steps)
        self._unread: list[Tensor] = []
        self._recent: list[float] = []
        self.started = self._saved = time.monotonic()

    def begin(self) -> None:
        """Makes the run folder, with a picture of the first crops."""
        if self.team.leads:
            self.provenance = start_run(self.config.out, self.config)
            x, target = (part.cpu().numpy() for part in self.batch(0))
            samples = [Sample(one[0], truth.astype(np.uint8), None) for one, truth in zip(x, target, strict=True)]
            write_samples(self.config.out / "crops.png", samples[:PICTURED_CROPS], self.card, self.data.members)
            self._save()

    def take_over(self) -> list[str]:
        """Takes over the state that the run in `out` was saved with; returns what stands against it."""
        try:
            state = load_state(self.config, COMMAND)
            if state["chips"] != len(self.data):
                return [f"the run began with {state['chips']} labelled chips, now there are {len(self.data)}"]
            self.segmenter.load_state(state["segmenter"])
        except (ValueError, RuntimeError, KeyError) as error:
            return [str(error)]
        self.step = self.first_step = self.log.saved_step = int(state["step"])
        self.minutes_before = float(state["minutes"])
        self.best_iou, self.best_step = float(state["best_iou"]), int(state["best_step"])
        self.worse_in_a_row = int(state["worse_in_a_row"])
        self.provenance = json.loads(state["provenance"])
        if self.team.leads and not self.config.dry_run:
            drop_later_lines(self.config.out / METRICS, self.step)
            append_metrics(self.config.out, step=self.step, resumed=True, commit=current_commit())
        self.log.say(f"Going on from step {self.step}.")
        return []

    def batch(self, step: int) -> Batch:
        """Input and targets of `step` that are this process's part, on the device."""
        draws = self._planner.draws(step).part(self.team.rank, self.team.size)
        values_db, target = read_crops(self.data, draws, self.config.data.crop_px)
        return network_input(values_db, target, self.card.bands, self.device, draws)

    def steps(self, feeder: Feeder[Batch], interrupt: Interrupt) -> None:
        config = self.config
        self.started = self._saved = time.monotonic()
        while True:
            share = self.team.agree(self._share_done(), self.device)
            if share >= 1:
                break
            # Stochastic depth is the only chance that is not drawn beforehand.
            torch.manual_seed(int(np.random.SeedSequence([config.seed, 2, self.step, self.team.rank]).generate_state(1)[0]))
            rate = config.learning_rate * learning_rate_factor(share, config.warmup_share)
            self._unread.append(self.segmenter.step(*feeder.take(), self.step, rate, self.team))
            self.step += 1
            if self.step % self._look_steps == 0 or self.step == config.steps:
                code = self._look(interrupt, feeder.waited_s, share, rate)
                if code == INTERRUPTED:
                    self._stop_for_interrupt()
                if code == ENOUGH:
                    self.log.say(f"No better mean IoU in {config.patience} validations: the run ends at step {self.step}.")
                    break
        self._finish()

    def _share_done(self) -> float:
        share = self.step / self.config.steps
        if self.config.max_minutes > 0:
            share = max(share, self._minutes() / self.config.max_minutes)
        return share

    def _minutes(self) -> float:
        return self.minutes_before + (time.monotonic() - self.started) / 60

    def _look(self, interrupt: Interrupt, waited_s: float, share: float, rate: float) -> int:
        """Reads what the last steps came to, logs, validates, saves; returns what the whole team does next."""
        config = self.config
        values = self.team.mean(torch.stack(self._unread)).tolist()
        self._unread = []
        for number, loss in enumerate(values):
            if not math.isfinite(loss):
                self._stop_for_divergence(self.step - len(values) + number, f"The loss became {loss}")
        code = GO_ON
        if self.team.leads:
            self._recent += values
            if self.step % config.log_steps == 0 or self.step == config.steps:
                self._log(waited_s, share, rate)
            if self.step % config.validate_steps == 0:
                self._validate()
                code = ENOUGH if 0 < config.patience <= self.worse_in_a_row else GO_ON
            code = INTERRUPTED if interrupt.wanted else code
        code = int(self.team.agree(float(code), self.device))
        if code == GO_ON and time.monotonic() - self._saved > 60 * config.save_minutes:
            self._save()
        return code

    def _log(self, waited_s: float, share: float, rate: float) -> None:
        loss = float(np.mean(self._recent))
        self._recent = []
        elapsed = time.monotonic() - self.started
        done = self.step - self.first_step
        crops_per_s = done * self.config.batch_size / max(elapsed, 1e-9)
        left_s = elapsed / done * (self.config.steps - self.step)
        if self.config.max_minutes > 0:
            left_s = min(left_s, 60 * (self.config.max_minutes - self._minutes()))
        values = {
            "loss": round(loss, 5),
            "learning_rate": rate,
            "crops_per_s": round(crops_per_s, 2),
            "waited_for_data": round(waited_s / max(elapsed, 1e-9), 4),
            "elapsed_s": round(elapsed, 1),
        }
        self.log.write(self.step, values)
        self.log.progress(
            f"step {self.step}/{self.config.steps}  loss {loss:.3f}  {crops_per_s:.1f} crops/s  {100 * share:.0f}%  "
            f"{max(left_s, 0) / 60:.1f} min left ",
            at_once=self.step == self.config.steps,
        )

    def _validate(self) -> None:
        """Scores the averaged weights; keeps them where no earlier ones were better."""
        found = self._scored(self.config.validation_chips)
        # Where no validation label names a class alone there is no IoU (refused at the start): nan never is better.
        better = found.scores.mean_iou > self.best_iou
        self.worse_in_a_row = 0 if better else self.worse_in_a_row + 1
        if better:
            self.best_iou, self.best_step = found.scores.mean_iou, self.step
            self._save_checkpoint(found)
        self._save()
        self._picture(found)

    def _scored(self, limit: int) -> Validation:
        found = validate(
            self.segmenter.averaged, self.card, self.data, self.device, self.bf16, limit, class_bias=self.config.class_bias
        )
        self.log.write(self.step, found.figures(), "validation")
        names = (item.name for item in self.card.classes)
        per_class = ", ".join(f"{name} {iou:.2f}" for name, iou in zip(names, found.scores.iou, strict=True))
        stores = "; ".join(f"{name} {scores.mean_iou:.3f}" for name, scores in found.by_store.items())
        self.log.say(
            f"step {self.step}: validation mIoU {found.scores.mean_iou:.3f}, accuracy {found.scores.overall_accuracy:.3f} "
            f"({per_class}){f' [{stores}]' if len(found.by_store) > 1 else ''}"
        )
        return found

    def _finish(self) -> None:
        """Takes the best weights back and scores them on every validation chip."""
        if not self.team.leads:
            return
        if self.step % self.config.validate_steps:
            self._validate()
        if self.best_step != self.step and self.best_iou > -math.inf:
            self.segmenter.averaged.load_state_dict(load_checkpoint(self.config.out).weights)
        found = self._scored(0)
        self._save_checkpoint(found)
        self._picture(found)
        self.log.say(
            f"Done: {self.step} steps; the weights of step {self.best_step or self.step} are in {self.config.out}. Write a model "
            f"file of them with `python -m training.run export --run {self.config.out} --out … --name …`."
        )

    def _save_checkpoint(self, found: Validation) -> None:
        weights = {name: tensor.detach().cpu().clone() for name, tensor in self.segmenter.averaged.state_dict().items()}
        card = dataclasses.replace(self.card, temperature=found.temperature)
        facts = {
            "step": self.best_step or self.step,
            "steps": self.step,
            "crops_seen": self.step * self.config.batch_size,
            "processes": self.team.size,
            "minutes": round(self._minutes(), 2),
            "provenance": self.provenance,
        }
        report = make_report(facts, found, self.data, self.config, self.card, self.start)
        try:
            save_checkpoint(self.config.out, Checkpoint(weights, card.to_json(), config_json(self.config), report["step"], report))
            (self.config.out / "report.json").write_text(json.dumps(report, indent=1))
        except (OSError, RuntimeError) as error:
            raise self.log.saving_failed(self.step, error) from error

    def _picture(self, found: Validation) -> None:
        """Draws some validation chips; last, so that a full disk costs the picture and not the weights."""
        try:
            write_samples(self.config.out / "validation.png", found.samples, self.card, self.data.members)
        except OSError as error:
            raise self.log.saving_failed(self.step, error) from error

    def _save(self) -> None:
        """Saves the state to go on from; it appears under its name only when whole."""
        if not self.team.leads:
            return
        if not self.segmenter.finite():
            self._stop_for_divergence(self.step - 1, "The weights became not a number")
        state = {
            "step": self.step,
            "minutes": round(self._minutes(), 3),
            "chips": len(self.data),
            "best_iou": self.best_iou,
            "best_step": self.best_step,
            "worse_in_a_row": self.worse_in_a_row,
            "config": config_json(self.config),
            "provenance": json.dumps(self.provenance),
            "segmenter": self.segmenter.state(),
        }
        try:
            save_state(self.config.out, COMMAND, state)
        except OSError as error:
            raise self.log.saving_failed(self.step, error) from error
        self._saved = time.monotonic()
        self.log.saved_step = self.step

    def _stop_for_interrupt(self) -> None:
        if self.team.leads:
            self._save()
            if self.best_iou == -math.inf:
                # So that what was learnt can be exported; the first regular validation replaces it.
                self._save_checkpoint(self._scored(self.config.validation_chips))
        self.log.stop_for_interrupt(self.step)

    def _stop_for_divergence(self, step: int, what: str) -> None:
        """`step` is counted from 0."""
        draws = self._planner.draws(step)
        chips = [self.data.train[store] for store in draws.store]
        names = [of.split.index.name(int(of.rows[chip])) for of, chip in zip(chips, draws.chip, strict=True)]
        self.log.stop_for_divergence(step, what, names)


def learning_rate_factor(share: float, warmup_share: float) -> float:
    """Linear warm-up, then half a cosine to 0, over `share` of the run done in 0..1."""
    if share < warmup_share:
        return (share + 1e-3) / (warmup_share + 1e-3)
    rest = (share - warmup_share) / max(1 - warmup_share, 1e-9)
    return 0.5 * (1 + math.cos(math.pi * min(rest, 1.0)))
