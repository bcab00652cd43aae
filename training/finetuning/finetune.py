# SPDX-License-Identifier: GPL-2.0-or-later
"""Trains encoder and decoder on labelled chips. `finetune` reads as the steps of a run.

A step depends on the settings, the weights and its own number alone: a run that goes on after a stop ends bit for bit where one
that was never stopped does (on a CPU with the same threads, and without `max_minutes`).
"""

from __future__ import annotations

import torch

from backend.model_card import ModelCard
from backend.network.model import build_model
from backend.protocol import SardineError
from training.card import draft_card
from training.checks import free_memory_bytes, kept_bytes, machine_problems, needs_text, parameter_count, settings_problems
from training.distributed import Team, team_device, team_for
from training.feed import Feeder
from training.finetuning.config import FinetuneConfig
from training.finetuning.labelled_data import LabelledData, label_legend, open_labelled
from training.finetuning.run import FinetuneRun
from training.finetuning.segmenter import Segmenter
from training.finetuning.start_weights import Start, begin_weights
from training.interrupt import Interrupt
from training.state import STATE


def finetune(config: FinetuneConfig) -> None:
    """Runs the training that `config` describes, or goes on with it.

    Raises ValueError and FileNotFoundError before work begins, with all problems found; FloatingPointError for a loss that is
    no number; KeyboardInterrupt after Ctrl-C or SIGTERM, when all has been saved.
    """
    if config.threads:
        torch.set_num_threads(config.threads)
    device = team_device(config.device)
    with team_for(device, config.out / STATE) as team:
        run = _prepare(config, device, team)
        if config.dry_run:
            return
        with Interrupt(team) as interrupt, Feeder(run.batch, run.step, config.steps) as feeder:
            run.steps(feeder, interrupt)
        run.log.close()


def _prepare(config: FinetuneConfig, device: torch.device, team: Team) -> FinetuneRun:
    """Everything up to the first step; raises ValueError with all problems."""
    problems = settings_problems(config, team)
    card = draft_card(config)
    torch.manual_seed(config.seed)
    model = build_model(card, config.network.drop_path)
    data: LabelledData | None = None
    start = Start()
    try:
        data = open_labelled(config, card)
    except ValueError as error:
        problems.append(str(error))
    try:
        start = begin_weights(config.start_from, model, card)
    except (ValueError, FileNotFoundError, SardineError) as error:
        problems.append(str(error))
    if data is None or problems:
        raise ValueError("; ".join(problems))
    segmenter = Segmenter(model, config, data, device)
    team.share_weights([*segmenter.model.state_dict().values(), *segmenter.averaged.state_dict().values()])
    run = FinetuneRun(config, card, data, segmenter, start, device, team)
    _introduce(run, data, card)
    needed, state_bytes = _needs(run)
    free = free_memory_bytes(device)
    run.log.say(needs_text(needed, free, state_bytes))
    problems += machine_problems(config.out, needed, free, state_bytes)
    if config.resume and not problems:
        problems += run.take_over()
    if problems:
        raise ValueError("; ".join(problems))
    if config.dry_run:
        run.log.say("Dry run: nothing stands against this run. Nothing was trained.")
    elif not config.resume:
        run.begin()
    return run


def _introduce(run: FinetuneRun, data: LabelledData, card: ModelCard) -> None:
    """Tells what is about to be trained on what."""
    model = run.segmenter.model
    learning = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    run.log.say(run.start.sentence())
    run.log.say(
        f"{parameter_count(model) / 1e6:.2f} M parameters, {learning / 1e6:.2f} M of them learn, on {run.device}; "
        f"{len(data)} chips to train on, {sum(map(len, data.validation))} to validate on"
        + (f" ({data.left_out})" if data.left_out else "")
    )
    run.log.say("labels seen: " + ", ".join(f"{name} {share:.1%}" for name, share in label_legend(data, card).items() if share > 0))


def _needs(run: FinetuneRun) -> tuple[int, int]:
    """Bytes of memory a process takes (measured on two crops), and of a saved state."""
    config, model = run.config, run.segmenter.model
    side = config.data.crop_px
    x = torch.zeros(2, len(run.card.bands), side, side, device=run.device)
    with torch.autocast(run.device.type, torch.bfloat16, enabled=run.bf16):
        kept = kept_bytes(model, lambda: model(x, want_attention=False).logits)
    # Weights, their average and AdamW's two; the gradients are not saved.
    parameters = parameter_count(model)
    crops = config.batch_size // run.team.size
    return 4 * 5 * parameters + kept * crops // 2, 4 * 4 * parameters
