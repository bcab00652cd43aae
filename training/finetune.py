# SPDX-License-Identifier: GPL-2.0-or-later
"""Trains encoder and decoder on labelled chips, from scratch. `finetune` reads as the steps of a run."""

from __future__ import annotations

import copy
import dataclasses
import json
import math
import queue
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from backend.model import SardineModel, build_model
from backend.model_card import ModelCard
from training.card import draft_card
from training.checkpoint import Checkpoint, append_metrics, config_json, load_checkpoint, save_checkpoint, start_run
from training.config import FinetuneConfig
from training.distributed import Team, form_team
from training.losses import SegmentationLoss
from training.scene_chips import Chips, draw_batch, open_chips
from training.simulate import RECIPE
from training.validate import validate


def finetune(config: FinetuneConfig) -> Checkpoint:
    """Runs the training that `config` describes, and returns what was saved. Ctrl-C ends it early, with all that was learnt."""
    if config.threads:
        torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    device = torch.device(_device_name(config.device))
    team = form_team(device)
    if team.leads:
        open_chips(config.data)  # cuts them, where that was not done before: one process is enough
    team.agree(0.0, device)
    train, validation = open_chips(config.data)
    provenance = start_run(config.out, config) if team.leads else {}
    card = draft_card(config)
    model = build_model(card, config.network.drop_path).to(device)
    if config.start_from is not None:
        model.load_state_dict(load_checkpoint(config.start_from).weights)
    team.share_weights(model.state_dict().values())
    run = _Run(config, card, model, train, validation, device, team, provenance)
    run.say(
        f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f} M parameters on {device}; "
        f"{len(train)} chips to train on, {len(validation)} to validate on"
    )
    try:
        run.steps()
    except KeyboardInterrupt:
        run.say("\nInterrupted: validating and saving what was learnt.")
    return run.finish()


class _Run:
    """A training under way."""

    def __init__(
        self,
        config: FinetuneConfig,
        card: ModelCard,
        model: SardineModel,
        train: Chips,
        validation: Chips,
        device: torch.device,
        team: Team,
        provenance: dict[str, Any],
    ) -> None:
        self.config, self.card, self.model = config, card, model
        self.train, self.validation, self.device, self.team, self.provenance = train, validation, device, team, provenance
        self.averaged = copy.deepcopy(model).eval().requires_grad_(False)
        self.optimizer = torch.optim.AdamW(
            _parameter_groups(model, config.weight_decay), lr=config.learning_rate, betas=(0.9, 0.98)
        )
        classes = len(card.classes)
        self.loss = SegmentationLoss(torch.eye(classes, dtype=torch.bool, device=device), None, config.dice_weight)
        self.step = 0
        self.earlier: list[dict[str, Any]] = []
        if config.start_from is not None:
            last = load_checkpoint(config.start_from).report
            this = {key: last[key] for key in ("crops_seen", "minutes", "training_scenes", "simulated_only")}
            self.earlier = [*last.get("earlier", []), {**this, "commit": last["provenance"]["commit"]}]
        self.report: dict[str, Any] = {}
        self.started = time.monotonic()

    def steps(self) -> None:
        config = self.config
        last_shown = last_validated = self.started
        with _Prefetch(self.config, self.train, self.card, self.team.rank) as batches:
            for x, target in batches:
                share = self.team.agree(self._share_done(), self.device)
                if share >= 1:
                    break
                loss = self._one_step(x, target, share)
                self.step += 1
                now = time.monotonic()
                if not self.team.leads:
                    continue
                if now - last_shown > 2 or self.step == 1:
                    last_shown = now
                    self._show(loss, share, now)
                if now - last_validated > config.validate_minutes * 60:
                    last_validated = now
                    self._validate(share)

    def _share_done(self) -> float:
        share = self.step / self.config.steps
        if self.config.max_minutes > 0:
            share = max(share, (time.monotonic() - self.started) / (60 * self.config.max_minutes))
        return share

    def _one_step(self, x: Tensor, target: Tensor, share: float) -> float:
        config = self.config
        for group in self.optimizer.param_groups:
            group["lr"] = config.learning_rate * learning_rate_factor(share, config.warmup_share)
        self.model.train()
        x, target = x.to(self.device), target.to(self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=config.precision == "bf16"):
            logits = self.model(x, want_attention=False).logits
        loss = self.loss(logits, target)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.team.average_gradients(self.model.parameters())
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), config.clip_gradient)
        self.optimizer.step()
        self._average()
        value = float(loss.detach())
        if not math.isfinite(value):
            raise FloatingPointError(f"The loss became {value} at step {self.step}. Lower --learning_rate.")
        return value

    def _average(self) -> None:
        # Early on the average follows fast: decay (1 + n) / (10 + n), as in TensorFlow's ExponentialMovingAverage.
        decay = min(self.config.ema_decay, (1 + self.step) / (10 + self.step)) if self.config.ema_decay > 0 else 0.0
        with torch.no_grad():
            torch._foreach_lerp_(list(self.averaged.parameters()), list(self.model.parameters()), 1 - decay)

    def _show(self, loss: float, share: float, now: float) -> None:
        elapsed = now - self.started
        left_s = elapsed / max(share, 1e-6) * (1 - share) if share > 0 else float("nan")
        rate = self.step * self.config.batch_size * self.team.size / max(elapsed, 1e-6)
        append_metrics(self.config.out, step=self.step, loss=round(loss, 5), elapsed_s=round(elapsed, 1))
        end = "\r" if sys.stderr.isatty() else "\n"
        if sys.stderr.isatty() or self.step % 50 < 8:
            self.say(f"step {self.step}  loss {loss:.3f}  {rate:.0f} crops/s  {100 * share:.0f}%  {left_s / 60:.1f} min left ", end)

    def _validate(self, share: float) -> None:
        chips = 0 if share >= 1 else self.config.validation_chips
        scores, temperature = validate(self.averaged, self.card, self.config, self.validation, self.device, chips)
        self.report = {
            "step": self.step,
            "crops_seen": self.step * self.config.batch_size * self.team.size,
            "processes": self.team.size,
            "minutes": round((time.monotonic() - self.started) / 60, 2),
            "temperature": temperature,
            "scores": dataclasses.asdict(scores),
            "validation_scenes": len(set(self.validation.scenes)),
            "training_scenes": len(set(self.train.scenes)),
            "simulated_only": self.train.simulated and all(run["simulated_only"] for run in self.earlier),
            "recipe": RECIPE if self.train.simulated else "",
            "earlier": self.earlier,
            "provenance": self.provenance,
        }
        append_metrics(self.config.out, validation=self.report["scores"], step=self.step, temperature=temperature)
        per_class = ", ".join(f"{item.name} {iou:.2f}" for item, iou in zip(self.card.classes, scores.iou, strict=True))
        self.say(f"validation: mIoU {scores.mean_iou:.3f}, accuracy {scores.overall_accuracy:.3f} ({per_class})")
        save_checkpoint(self.config.out, self.checkpoint())

    def checkpoint(self) -> Checkpoint:
        weights = {name: tensor.detach().cpu().clone() for name, tensor in self.averaged.state_dict().items()}
        card = dataclasses.replace(self.card, temperature=self.report.get("temperature", 1.0))
        return Checkpoint(weights, card.to_json(), config_json(self.config), self.step, self.report)

    def finish(self) -> Checkpoint:
        self.team.disband()
        if not self.team.leads:
            return self.checkpoint()
        self._validate(1.0)
        (self.config.out / "report.json").write_text(json.dumps(self.report, indent=1))
        return self.checkpoint()

    def say(self, text: str, end: str = "\n") -> None:
        """A line for the person at the terminal, from one process of the team."""
        if self.team.leads:
            print(text, end=end, file=sys.stderr, flush=True)


def learning_rate_factor(share: float, warmup_share: float) -> float:
    """Linear warm-up, then half a cosine to 0, over `share` of the run done in 0..1."""
    if share < warmup_share:
        return (share + 1e-3) / (warmup_share + 1e-3)
    rest = (share - warmup_share) / max(1 - warmup_share, 1e-9)
    return 0.5 * (1 + math.cos(math.pi * min(rest, 1.0)))


def _parameter_groups(model: SardineModel, weight_decay: float) -> list[dict[str, Any]]:
    """No decay on biases, norms, positions and the class token."""
    decayed: list[Tensor] = []
    free: list[Tensor] = []
    for name, parameter in model.named_parameters():
        plain = parameter.ndim < 2 or name.endswith(("pos_embed", "cls_token", "reg_token"))
        (free if plain else decayed).append(parameter)
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": free, "weight_decay": 0.0}]


class _Prefetch:
    """Batches, drawn by a thread while the network works on the last ones."""

    def __init__(self, config: FinetuneConfig, chips: Chips, card: ModelCard, rank: int) -> None:
        self._config, self._chips, self._card = config, chips, card
        self._rng = np.random.default_rng([config.seed, rank])
        self._batches: queue.Queue[tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]] | BaseException] = queue.Queue(maxsize=4)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._draw, daemon=True)

    def _draw(self) -> None:
        try:
            while not self._stopped.is_set():
                x, target = draw_batch(self._rng, self._chips, self._config.data, self._card.bands, self._config.batch_size)
                self._put((x, target.astype(np.int64)))
        except BaseException as error:
            self._put(error)

    def _put(self, item: Any) -> None:
        while not self._stopped.is_set():
            try:
                self._batches.put(item, timeout=0.2)
            except queue.Full:
                continue
            return

    def __enter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        self._thread.start()
        return self._take()

    def _take(self) -> Iterator[tuple[Tensor, Tensor]]:
        while True:
            item = self._batches.get()
            if isinstance(item, BaseException):
                raise item
            yield torch.from_numpy(item[0]), torch.from_numpy(item[1])

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join(timeout=10)


def _device_name(wanted: str) -> str:
    if wanted != "auto":
        return wanted
    return "cuda" if torch.cuda.is_available() else "cpu"
