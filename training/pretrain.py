# SPDX-License-Identifier: GPL-2.0-or-later
"""Trains an encoder by DINO on unlabelled radar chips. `pretrain` reads as the steps of a run.

A step depends on the settings, the weights and its own number alone: a run that goes on after a stop ends bit for bit where one
that was never stopped does (on a CPU with the same threads).
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import sys
import time
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.distributed import DistBackendError

from backend.device import choose_device
from backend.model_card import EncoderSpec, ModelCard
from training.card import band_specs
from training.checkpoint import METRICS, Checkpoint, append_metrics, config_json, current_commit, save_checkpoint, start_run
from training.crops import CHIP_SPACING_M, power_planes, render_views
from training.dino import Dino, Schedules
from training.distributed import Team, form_team
from training.health import CollapseError, CollapseWatch, Health, measure_health
from training.interrupt import Interrupt
from training.pretrain_checks import free_memory_bytes, machine_problems, memory_bytes, settings_problems
from training.pretrain_config import PretrainConfig, dino_numbers
from training.pretrain_data import ChipSource, Probe, StepPlan, open_source, plan_step, steps_per_epoch
from training.pretrain_feed import Feeder, Views
from training.pretrain_state import STATE, drop_later_lines, load_state, save_state, state_bytes
from training.view_pictures import write_views

GO_ON, INTERRUPTED, COLLAPSED = 0, 1, 2
PICTURED_CHIPS = 6
COLLAPSE_GRACE_SHARE = 0.3
COLLAPSE_GRACE_STEPS = 100
"""Until both are over a run may answer the same for every chip: it begins so, until the centre has found where the outputs lie
(a momentum of 0.9 takes some tens of steps) and the teacher's temperature has risen.
"""


def pretrain(config: PretrainConfig) -> None:
    """Runs the pre-training that `config` describes, or goes on with it.

    Raises ValueError and FileNotFoundError before work begins, with all problems found; FloatingPointError for a loss that is
    no number, CollapseError, and KeyboardInterrupt after Ctrl-C or SIGTERM, when all has been saved.
    """
    if config.threads:
        torch.set_num_threads(config.threads)
    device = _device(config.device)
    team = form_team(device)
    try:
        run = _prepare(config, device, team)
        if config.dry_run:
            return
        with Interrupt(team) as interrupt, Feeder(run.views_of, run.step, config.steps) as feeder:
            run.steps(feeder, interrupt)
    except RuntimeError as error:
        if team.size > 1 and _is_lost_connection(error):
            raise ConnectionError(
                "Another process of the team was lost. What was saved last is in the run folder: start again with --resume true."
            ) from error
        raise
    finally:
        team.disband()


def encoder_card(config: PretrainConfig) -> ModelCard:
    """The card of the encoder alone: no classes, attention of the last block."""
    bands = band_specs(config.bands)
    if config.crops.channel_drop > 0:
        bands = tuple(dataclasses.replace(band, optional=True) for band in bands)
    encoder = config.encoder
    return ModelCard(
        name=config.out.name,
        description="",
        licence="",
        bands=bands,
        classes=(),
        window_px=config.crops.global_px,
        spacing_m=CHIP_SPACING_M,
        encoder=EncoderSpec(
            embed_dim=encoder.embed_dim,
            depth=encoder.depth,
            num_heads=encoder.num_heads,
            patch_px=encoder.patch_px,
            position_grid=config.crops.global_px // encoder.patch_px,
            register_tokens=encoder.register_tokens,
        ),
        decoder=None,
        attention_block=encoder.depth - 1,
    )


def _prepare(config: PretrainConfig, device: torch.device, team: Team) -> _Run:
    """Everything up to the first step; raises ValueError with all problems."""
    problems = settings_problems(config, team)
    card = encoder_card(config)
    opened: tuple[ChipSource, Probe] | None = None
    if not team.leads:
        team.agree(0.0, device)  # the leader cuts the chips, where that was not done before
    try:
        opened = open_source(config, card.bands)
    except (ValueError, FileNotFoundError) as error:
        problems.append(str(error))
    if team.leads:
        team.agree(0.0, device)
    if opened is None:
        raise ValueError("; ".join(problems))
    source, probe = opened
    numbers = dino_numbers(config.dino, len(source))
    torch.manual_seed(config.seed)
    dino = Dino(card.encoder, len(card.bands), config.encoder.drop_path, config.dino, numbers.output_dim, device)
    team.share_weights([*dino.student.state_dict().values(), *dino.teacher.state_dict().values()])
    schedules = Schedules(config, numbers, steps_per_epoch(config, source))
    run = _Run(config, card, source, probe, dino, schedules, device, team)
    run.say(
        f"{sum(p.numel() for p in dino.student.encoder.parameters()) / 1e6:.2f} M parameters in the encoder, on {device}; "
        f"{len(source)} chips of {source.chip_px} px ({source.left_out} left out for lack of data), "
        f"{config.steps / schedules.steps_per_epoch:.1f} epochs of {schedules.steps_per_epoch} steps; "
        f"{numbers.output_dim} outputs, "
        f"teacher temperature {numbers.warmup_teacher_temperature} to {numbers.teacher_temperature}, "
        f"momentum {numbers.teacher_momentum}"
    )
    plan = plan_step(config, source, len(card.bands), 0).part(0, config.batch_size)  # of one chip
    needed, free = memory_bytes(dino, *run.views(plan), config.batch_size // team.size, run.bf16), free_memory_bytes(device)
    run.say(
        f"about {needed / 1e9:.2f} GB of memory a process ({'unknown' if free is None else f'{free / 1e9:.1f} GB'} free), "
        f"{state_bytes(dino) / 1e6:.0f} MB a saved state"
    )
    problems += machine_problems(config, needed, free, dino)
    if config.resume and not problems:
        problems += run.take_over()
    if problems:
        raise ValueError("; ".join(problems))
    if config.dry_run:
        run.say("Dry run: nothing stands against this run. Nothing was trained.")
    elif not config.resume:
        run.begin()
    return run


class _Run:
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
        self.saved_step: int | None = None
        self._watch = CollapseWatch()
        self._finding = ""
        # On a GPU, reading a value back waits for all work that is queued: only at each log line.
        self._look_steps = 1 if device.type == "cpu" else config.log_steps
        self._unread: list[Tensor] = []
        self._recent: list[list[float]] = []
        self._board: Any = None
        self.started = self._shown = self._saved = time.monotonic()

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
            state = load_state(self.config)
            if state["chips"] != len(self.source):
                return [f"the run began with {state['chips']} chips, now there are {len(self.source)}"]
            self.dino.load_state(state["dino"])
        except (ValueError, RuntimeError, KeyError) as error:
            return [str(error)]
        self.step = self.first_step = self.saved_step = int(state["step"])
        self.minutes_before = float(state["minutes"])
        self.provenance = json.loads(state["provenance"])
        if self.team.leads and not self.config.dry_run:
            drop_later_lines(self.config.out / METRICS, self.step)
            append_metrics(self.config.out, step=self.step, resumed=True, commit=current_commit())
        self.say(f"Going on from step {self.step}.")
        return []

    def views_of(self, step: int) -> Views:
        """Views of `step` that are this process's part."""
        plan = plan_step(self.config, self.source, len(self.card.bands), step)
        return self.views(plan.part(self.team.rank, self.team.size))

    def views(self, plan: StepPlan) -> Views:
        """Global and local views of a plan, on the device."""
        planes = power_planes(self.source.read(plan.indices, plan.dates).to(self.device))
        crops, bands = self.config.crops, self.card.bands
        large = render_views(planes, plan.global_draws, crops.global_px, bands)
        if plan.local_draws is None:
            return large, None
        return large, render_views(planes, plan.local_draws, crops.local_px, bands)

    def steps(self, feeder: Feeder, interrupt: Interrupt) -> None:
        config = self.config
        self._open_board()
        self.started = self._shown = self._saved = time.monotonic()
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
                    self._stop_for_interrupt()
                if code == COLLAPSED:
                    raise CollapseError(f"The run has collapsed at step {self.step}. {self._finding} {self._last_good()}")
        self._save()
        self.say(f"Done: {config.steps} steps. The encoder is in {config.out}.")

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
        line = {
            "step": self.step,
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
        append_metrics(self.config.out, **line)
        self._draw(line)
        if now - self._shown > 2 or self.step == self.config.steps:
            self._shown = now
            left_s = elapsed / done * (self.config.steps - self.step)
            self.say(
                f"step {self.step}/{self.config.steps}  loss {loss:.3f} (ln K {most:.2f})  {rate:.1f} chips/s  "
                f"{left_s / 60:.1f} min left ",
                "\r" if sys.stderr.isatty() else "\n",
            )

    def _check_health(self) -> bool:
        """Measures, writes down, and tells whether the run has collapsed."""
        temperature = self.schedules.at(max(self.step - 1, 0)).teacher_temperature
        health = self.health = measure_health(self.dino, self.probe, temperature, self.bf16)
        figures = dataclasses.asdict(health)
        append_metrics(self.config.out, step=self.step, health=figures)
        self._draw({f"health/{key}": value for key, value in {**figures, "step": self.step}.items()}, "health/step")
        neighbours = "" if health.knn_accuracy is None else f", k-NN {health.knn_accuracy:.3f} (chance {health.knn_chance:.3f})"
        self.say(
            f"step {self.step}: embedding rank {health.embedding_rank:.1f}, teacher entropy {health.teacher_entropy:.2f} of "
            f"{health.most_entropy:.2f}, information {health.information:.2f} of {health.most_information:.2f}{neighbours}"
        )
        if self.step <= max(COLLAPSE_GRACE_SHARE * self.config.steps, COLLAPSE_GRACE_STEPS):
            return False
        self._finding = self._watch.verdict(health)
        if self._finding and not self.config.stop_on_collapse:
            self.say(f"The run has collapsed. {self._finding} It goes on, as asked.")
        return bool(self._finding)

    def _save(self) -> None:
        """Saves the encoder as the product, and the state to go on from; both appear under their names only when whole."""
        if not self.team.leads or self.saved_step == self.step:
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
            save_state(self.config.out, state)
            save_checkpoint(self.config.out, checkpoint)
        except (OSError, RuntimeError) as error:
            raise OSError(
                f"Step {self.step} could not be saved ({str(error).splitlines()[0]:.120}). {self._last_good()}"
            ) from error
        self._saved = time.monotonic()
        self.saved_step = self.step

    def _stop_for_interrupt(self) -> None:
        self._save()
        out = self.config.out
        self.say(f"\nStopped and saved at step {self.step}. Go on with:")
        self.say(f"  python -m training.run pretrain --config {out / 'config.json'} --resume true")
        raise KeyboardInterrupt

    def _stop_for_divergence(self, step: int, what: str) -> None:
        """`step` is counted from 0. The chips of its batch go into diverged.json."""
        plan = plan_step(self.config, self.source, len(self.card.bands), step)
        chips = [self.source.name(int(index)) for index in plan.indices]
        if self.team.leads:
            (self.config.out / "diverged.json").write_text(json.dumps({"step": step, "chips": chips}, indent=1))
        raise FloatingPointError(
            f"{what} at step {step}, with {', '.join(chips[:4])}{' and others' if len(chips) > 4 else ''} "
            f"(all of them in {self.config.out / 'diverged.json'}). {self._last_good()} Lower --learning_rate."
        )

    def _last_good(self) -> str:
        if self.saved_step is None:  # in the team's other processes, which do not save
            return ""
        return f"The last good checkpoint is {self.config.out / STATE}, step {self.saved_step}."

    def _open_board(self) -> None:
        if self.config.tensorboard and self.team.leads:
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(str(self.config.out / "tensorboard"))

    def _draw(self, values: dict[str, Any], step_key: str = "step") -> None:
        if self._board is not None:
            for name, value in values.items():
                if name != step_key and value is not None:
                    self._board.add_scalar(name, value, values[step_key])

    def say(self, text: str, end: str = "\n") -> None:
        """A line for the person at the terminal, from one process of the team."""
        if self.team.leads:
            print(text, end=end, file=sys.stderr, flush=True)


def _is_lost_connection(error: RuntimeError) -> bool:
    """Whether a collective failed: NCCL has a type for it, gloo (torch/csrc/distributed/c10d/ProcessGroupGloo) only words."""
    text = str(error).lower()
    return isinstance(error, DistBackendError) or "gloo" in text or "connection closed by peer" in text


def _device(wanted: str) -> torch.device:
    """The device; with several processes and no number given, each takes the GPU of its own number."""
    local_rank = os.environ.get("LOCAL_RANK")
    if local_rank is not None and wanted in ("auto", "cuda") and torch.cuda.is_available():
        wanted = f"cuda:{int(local_rank)}"
    device = choose_device(wanted)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    return device
