# SPDX-License-Identifier: GPL-2.0-or-later
"""Trains an encoder by DINO on unlabelled radar chips. `pretrain` reads as the steps of a run.

A step depends on the settings, the weights and its own number alone: a run that goes on after a stop ends bit for bit where one
that was never stopped does (on a CPU with the same threads).
"""

from __future__ import annotations

import torch
from torch import Tensor

from training.card import encoder_card
from training.checks import free_memory_bytes, kept_bytes, machine_problems, needs_text, parameter_count, settings_problems
from training.distributed import Team, team_device, team_for
from training.feed import Feeder
from training.interrupt import Interrupt
from training.pretraining.config import PretrainConfig, dino_numbers
from training.pretraining.data import ChipSource, Probe, open_source, plan_step, steps_per_epoch
from training.pretraining.dino import Dino, Schedules
from training.pretraining.run import PretrainRun
from training.state import STATE


def pretrain(config: PretrainConfig) -> None:
    """Runs the pre-training that `config` describes, or goes on with it.

    Raises ValueError and FileNotFoundError before work begins, with all problems found; FloatingPointError for a loss that is
    no number, CollapseError, and KeyboardInterrupt after Ctrl-C or SIGTERM, when all has been saved.
    """
    if config.threads:
        torch.set_num_threads(config.threads)
    device = team_device(config.device)
    with team_for(device, config.out / STATE) as team:
        run = _prepare(config, device, team)
        if config.dry_run:
            return
        with Interrupt(team) as interrupt, Feeder(run.views_of, run.step, config.steps) as feeder:
            run.steps(feeder, interrupt)


def _prepare(config: PretrainConfig, device: torch.device, team: Team) -> PretrainRun:
    """Everything up to the first step; raises ValueError with all problems."""
    problems = settings_problems(config, team)
    card = encoder_card(config)
    opened: tuple[ChipSource, Probe] | None = None
    try:
        opened = open_source(config, card.bands)
    except (ValueError, FileNotFoundError) as error:
        problems.append(str(error))
    if opened is None:
        raise ValueError("; ".join(problems))
    source, probe = opened
    numbers = dino_numbers(config.dino, len(source))
    torch.manual_seed(config.seed)
    dino = Dino(card.encoder, len(card.bands), config.encoder.drop_path, config.dino, numbers.output_dim, device)
    team.share_weights([*dino.student.state_dict().values(), *dino.teacher.state_dict().values()])
    schedules = Schedules(config, numbers, steps_per_epoch(config, source))
    run = PretrainRun(config, card, source, probe, dino, schedules, device, team)
    run.log.say(
        f"{sum(p.numel() for p in dino.student.encoder.parameters()) / 1e6:.2f} M parameters in the encoder, on {device}; "
        f"{len(source)} chips of {source.chip_px} px ({source.left_out} left out: too small, or too little data), "
        f"{config.steps / schedules.steps_per_epoch:.1f} epochs of {schedules.steps_per_epoch} steps; "
        f"{numbers.output_dim} outputs, "
        f"teacher temperature {numbers.warmup_teacher_temperature} to {numbers.teacher_temperature}, "
        f"momentum {numbers.teacher_momentum}"
    )
    plan = plan_step(config, source, len(card.bands), 0).part(0, config.batch_size)  # of one chip
    needed, free = memory_bytes(dino, *run.views(plan), config.batch_size // team.size, run.bf16), free_memory_bytes(device)
    run.log.say(needs_text(needed, free, state_bytes(dino)))
    problems += machine_problems(config.out, needed, free, state_bytes(dino))
    if config.resume and not problems:
        problems += run.take_over()
    if problems:
        raise ValueError("; ".join(problems))
    if config.dry_run:
        run.log.say("Dry run: nothing stands against this run. Nothing was trained.")
    elif not config.resume:
        run.begin()
    return run


def memory_bytes(dino: Dino, global_views: Tensor, local_views: Tensor | None, chips: int, bf16: bool) -> int:
    """Estimate of what training on batches of `chips` takes: weights, gradients and averages, and what the backward pass keeps
    of the views of one chip (measured on those given), times `chips`.
    """
    groups = [global_views] if local_views is None else [global_views, local_views]
    with torch.autocast(global_views.device.type, torch.bfloat16, enabled=bf16):
        kept = kept_bytes(dino.student, lambda: dino.student(groups))
    return int(4 * 5 * parameter_count(dino.student) + kept * chips * 2 // len(global_views))


def state_bytes(dino: Dino) -> int:
    """Size of a saved state: student and teacher, AdamW's two averages."""
    return 4 * (4 * parameter_count(dino.student) + dino.centre.numel())
