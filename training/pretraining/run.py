# SPDX-License-Identifier: GPL-2.0-or-later
"""A pre-training under way: its steps, what it says of itself, its health, and what it saves."""

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
from training.checkpoint import METRICS, Checkpoint, append_metrics, config_json, current_commit, save_checkpoint, start_run
from training.data_provenance import describe_chips, describe_stores
from training.distributed import Team
from training.feed import Feeder
from training.interrupt import Interrupt
from training.pretraining.config import PretrainConfig
from training.pretraining.crops import power_planes, render_views
from training.pretraining.data import ChipSource, Probe, StepPlan, plan_step
from training.pretraining.dino import Dino, Schedules
from training.pretraining.health import CollapseError, CollapseWatch, Health, measure_health
from training.pretraining.resident import resident_chips
from training.pretraining.view_pictures import write_views
from training.run_log import RunLog
from training.state import drop_later_lines, load_state, save_state

COMMAND = "pretrain"
GO_ON, INTERRUPTED, COLLAPSED = 0, 1, 2
PICTURED_CHIPS = 6
COLLAPSE_GRACE_SHARE = 0.3
COLLAPSE_GRACE_STEPS = 100
"""Until both are over a run may answer the same for every chip: it begins so, until the centre has found where the outputs lie
(a momentum of 0.9 takes some tens of steps) and the teacher's temperature has risen.
"""

Views = tuple[Tensor, Tensor | None]
"""Global views [2 N, bands, S, S], and local ones [count N, bands, s, s] where there are any; view by view."""


class PretrainRun:
    """A pre-training under way."""

    def __init__(
        self,
        config: PretrainConfig,
        card: ModelCard,
        source: ChipSource,
        probe: Probe,
        dino: Dino,
        schedules: Schedules,
        device: torch.device,
        team: Team,
    ) -> None:
        self.config, self.card, self.source, self.probe = config, card, source, probe
        self.dino, self.schedules, self.device, self.team = dino, schedules, device, team
        self.bf16 = config.precision == "bf16"
        self.step = self.first_step = 0
        self.provenance: dict[str, Any] = {}
        self.health: Health | None = None
        self.minutes_before = 0.0
        self.log = RunLog(COMMAND, config.out, team, config.tensorboard)
        self._watch = CollapseWatch()
        self._resident = resident_chips(source, device)
        self._finding = ""
        # On a GPU, reading a value back waits for all work that is queued: only at each log line.
        self._look_steps = 1 if device.type == "cpu" else config.log_steps
        self._unread: list[Tensor] = []
        self._recent: list[list[float]] = []
        self.started = self._saved = time.monotonic()

    def begin(self) -> None:
        """Makes the run folder with what the run begins with; the first line of metrics.jsonl is the random encoder's health."""
        if self.team.leads:
            self.provenance = start_run(self.config.out, self.config)
            write_views(self.config.out / "views.png", *self.views_of(0), PICTURED_CHIPS)
            self._check_health()
            self._save()

    def take_over(self) -> list[str]:
        """Takes over the state that the run in `out` was saved with; returns what stands against it."""
        try:
            state = load_state(self.config, COMMAND)
            if state["chips"] != len(self.source):
                return [f"the run began with {state['chips']} chips, now there are {len(self.source)}"]
            self.dino.load_state(state["dino"])
        except (ValueError, RuntimeError, KeyError) as error:
            return [str(error)]
        self.step = self.first_step = self.log.saved_step = int(state["step"])
        self.minutes_before = float(state["minutes"])
        self.provenance = json.loads(state["provenance"])
        if self.team.leads and not self.config.dry_run:
            drop_later_lines(self.config.out / METRICS, self.step)
            append_metrics(self.config.out, step=self.step, resumed=True, commit=current_commit())
        self.log.say(f"Going on from step {self.step}.")
        return []

    def views_of(self, step: int) -> Views:
        """Views of `step` that are this process's part."""
        plan = plan_step(self.config, self.source, len(self.card.bands), step)
        return self.views(plan.part(self.team.rank, self.team.size))

    def views(self, plan: StepPlan) -> Views:
        """Global and local views of a plan, on the device."""
        part_px = self.config.data.part_px
        if self._resident is not None:
            stored = self._resident.read(plan, part_px)
        else:
            stored = self.source.read(plan.indices, plan.dates, plan.starts, part_px).to(self.device)
        planes = power_planes(self.source.decode(stored))
        crops, bands = self.config.crops, self.card.bands
        large = render_views(planes, plan.global_draws, crops.global_px, bands)
        if plan.local_draws is None:
            return large, None
        return large, render_views(planes, plan.local_draws, crops.local_px, bands)

    def steps(self, feeder: Feeder[Views], interrupt: Interrupt) -> None:
        config = self.config
        self.started = self._saved = time.monotonic()
        while self.step < config.steps:
            # Drop path is the only chance that is not drawn beforehand.
            torch.manual_seed(int(np.random.SeedSequence([config.seed, 2, self.step, self.team.rank]).generate_state(1)[0]))
            large, small = feeder.take()
            facts = self.dino.step(large, small, self.schedules.at(self.step), config.clip_gradient, self.team, self.bf16)
            self._unread.append(torch.stack([facts.loss, facts.teacher_entropy]))
            self.step += 1
            if self.step % self._look_steps == 0 or self.step == config.steps:
                code = self._look(interrupt, feeder.waited_s)
                if code == INTERRUPTED:
                    self._save()
                    self.log.stop_for_interrupt(self.step)
                if code == COLLAPSED:
                    raise CollapseError(f"The run has collapsed at step {self.step}. {self._finding} {self.log.last_good()}")
        self._save()
        self.log.say(f"Done: {config.steps} steps. The encoder is in {config.out}.")

    def _look(self, interrupt: Interrupt, waited_s: float) -> int:
        """Reads what the last steps came to, logs, checks health, saves; returns what the whole team does next."""
        config = self.config
        values = self.team.mean(torch.stack(self._unread)).tolist()
        self._unread = []
        for number, (loss, _) in enumerate(values):
            if not math.isfinite(loss):
                self._stop_for_divergence(self.step - len(values) + number, f"The loss became {loss}")
        if self.team.leads:
            self._recent += values
            if self.step % config.log_steps == 0 or self.step == config.steps:
                self._log(waited_s)
        every = config.health_steps or self.schedules.steps_per_epoch
        # The first look after the step that is due: on a GPU looks are rarer than steps.
        due = self.step // every > (self.step - self._look_steps) // every or self.step == config.steps
        collapsed = due and self.team.leads and self._check_health()
        code = COLLAPSED if collapsed and config.stop_on_collapse else INTERRUPTED if interrupt.wanted else GO_ON
        code = int(self.team.agree(float(code), self.device))
        if self.team.leads and code == GO_ON and time.monotonic() - self._saved > 60 * config.save_minutes:
            self._save()
        return code

    def _log(self, waited_s: float) -> None:
        loss, entropy = np.mean(self._recent, axis=0)
        self._recent = []
        now = time.monotonic()
        at = self.schedules.at(self.step - 1)
        elapsed = now - self.started
        done = self.step - self.first_step
        rate = done * self.config.batch_size / max(elapsed, 1e-9)
        most = math.log(len(self.dino.centre))
        values = {
            "epoch": round(self.step / self.schedules.steps_per_epoch, 3),
            "loss": round(float(loss), 5),
            "loss_over_ln_k": round(float(loss) / most, 4),
            "teacher_entropy": round(float(entropy), 5),
            "centre_norm": round(float(self.dino.centre.norm()), 5),
            "learning_rate": at.learning_rate,
            "weight_decay": round(at.weight_decay, 5),
            "teacher_momentum": round(at.teacher_momentum, 6),
            "teacher_temperature": round(at.teacher_temperature, 5),
            "chips_per_s": round(rate, 2),
            "waited_for_data": round(waited_s / max(elapsed, 1e-9), 4),
            "elapsed_s": round(elapsed, 1),
        }
        self.log.write(self.step, values)
        left_s = elapsed / done * (self.config.steps - self.step)
        self.log.progress(
            f"step {self.step}/{self.config.steps}  loss {loss:.3f} (ln K {most:.2f})  {rate:.1f} chips/s  "
            f"{left_s / 60:.1f} min left ",
            at_once=self.step == self.config.steps,
        )

    def _check_health(self) -> bool:
        """Measures, writes down, and tells whether the run has collapsed."""
        temperature = self.schedules.at(max(self.step - 1, 0)).teacher_temperature
        try:
            health = self.health = measure_health(self.dino, self.probe, temperature, self.bf16)
        except FloatingPointError as error:
            # Weights can be lost by a step whose loss, taken before it, was still a number.
            self._stop_for_divergence(max(self.step - 1, 0), str(error))
        self.log.write(self.step, dataclasses.asdict(health), "health")
        neighbours = "" if health.knn_accuracy is None else f", k-NN {health.knn_accuracy:.3f} (chance {health.knn_chance:.3f})"
        self.log.say(
            f"step {self.step}: embedding rank {health.embedding_rank:.1f}, teacher entropy {health.teacher_entropy:.2f} of "
            f"{health.most_entropy:.2f}, information {health.information:.2f} of {health.most_information:.2f}{neighbours}"
        )
        if self.step <= max(COLLAPSE_GRACE_SHARE * self.config.steps, COLLAPSE_GRACE_STEPS):
            return False
        self._finding = self._watch.verdict(health)
        if self._finding and not self.config.stop_on_collapse:
            self.log.say(f"The run has collapsed. {self._finding} It goes on, as asked.")
        return bool(self._finding)

    def _save(self) -> None:
        """Saves the encoder as the product, and the state to go on from; both appear under their names only when whole."""
        if not self.team.leads or self.log.saved_step == self.step:
            return
        finite = torch.stack([parameter.isfinite().all() for parameter in self.dino.student.parameters()]).all()
        if not bool(finite):
            self._stop_for_divergence(self.step - 1, "The weights became not a number")
        minutes = round(self.minutes_before + (time.monotonic() - self.started) / 60, 3)
        weights = {f"encoder.{name}": tensor.cpu().clone() for name, tensor in self.dino.teacher.encoder.state_dict().items()}
        report = {
            "step": self.step,
            "crops_seen": self.step * self.config.batch_size,
            "processes": self.team.size,
            "minutes": minutes,
            "health": None if self.health is None else dataclasses.asdict(self.health),
            "chips": len(self.source),
            "simulated_only": self.source.simulated_only,
            "data": self._described(),
            "provenance": self.provenance,
        }
        state = {
            "step": self.step,
            "minutes": minutes,
            "chips": len(self.source),
            "config": config_json(self.config),
            "provenance": json.dumps(self.provenance),
            "dino": self.dino.state(),
        }
        checkpoint = Checkpoint(weights, self.card.to_json(), config_json(self.config), self.step, report)
        try:
            save_state(self.config.out, COMMAND, state)
            save_checkpoint(self.config.out, checkpoint)
        except (OSError, RuntimeError) as error:
            raise self.log.saving_failed(self.step, error) from error
        self._saved = time.monotonic()
        self.log.saved_step = self.step

    def _described(self) -> dict[str, Any]:
        """What a model card says of the chips."""
        return describe_stores(
            [
                describe_chips(folder.name, split, self.source.looks[self.source.looks[:, 0] == number, 1])
                for number, (folder, split) in enumerate(zip(self.config.data.stores, self.source.splits, strict=True))
            ]
        )

    def _stop_for_divergence(self, step: int, what: str) -> None:
        """`step` is counted from 0."""
        plan = plan_step(self.config, self.source, len(self.card.bands), step)
        self.log.stop_for_divergence(step, what, [self.source.name(int(index)) for index in plan.indices])
