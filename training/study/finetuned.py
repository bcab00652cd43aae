# SPDX-License-Identifier: GPL-2.0-or-later
"""The whole network, encoder and upsampling decoder, fine-tuned on a share of the simulated labelled training chips: from the
pre-trained encoder, and from scratch. And again with all real labelled training chips beside them, in folds by place: half of the
crops are then real, and each place is scored by a network that saw no label of it.

Of one seed both beginnings have the same chips, crops, schedule and new decoder (`training.finetuning` draws them from the seed).
Averaged weights of the last step count: no step is chosen.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import numpy as np
import torch

from backend.model_card import ModelCard
from backend.network.model import SardineModel, build_model
from training.card import draft_card
from training.checkpoint import CHECKPOINT, Checkpoint, config_json, load_checkpoint
from training.config import BandsConfig
from training.finetuning.config import FinetuneConfig, LabelledDataConfig, NetworkConfig, StoreConfig
from training.finetuning.finetune import finetune
from training.finetuning.labelled_data import open_labelled
from training.metrics import ConfusionMatrix
from training.state import STATE, STATE_BEFORE, changed_settings
from training.study.cells import Cell
from training.study.config import StudyConfig
from training.study.crops import CropSet, subset
from training.study.encoders import CROPS_AT_ONCE
from training.study.probes import place_folds
from training.study.results import BEGINNINGS, PRETRAINED, REAL, Finetuning, chosen_rate, tuning_runs

DECODER_WIDTH, SKIP_WIDTH = 64, 8
"""Of the decoder of `configs/bundled/finetune.yaml`."""


def finetuning_settings(config: StudyConfig, card: ModelCard, run: Finetuning) -> FinetuneConfig:
    """Settings of `run` for an encoder of the form of `card`. Raises ValueError for those that cannot be."""
    encoder, folder = card.encoder, config.out / run.name(config)
    return FinetuneConfig(
        out=folder,
        data=LabelledDataConfig((StoreConfig(config.simulated),), crop_px=config.finetune_crop_px, classes=config.classes),
        bands=_bands(card),
        network=NetworkConfig(
            embed_dim=encoder.embed_dim,
            depth=encoder.depth,
            num_heads=encoder.num_heads,
            patch_px=encoder.patch_px,
            register_tokens=encoder.register_tokens,
            window_px=config.crop_px,
            decoder_blocks=tuple(sorted({(encoder.depth - 1) // 2, encoder.depth - 1})),
            decoder_width=DECODER_WIDTH,
            skip_width=SKIP_WIDTH,
        ),
        start_from=config.encoder if run.arm == PRETRAINED else None,
        label_fraction=run.fraction,
        steps=config.finetune_steps,
        batch_size=config.finetune_batch,
        learning_rate=run.rate,
        validate_steps=config.finetune_steps,
        seed=run.seed,
        threads=config.threads,
        device=config.device,
        tensorboard=False,
        resume=(folder / STATE).is_file(),
    )


def fold_settings(config: StudyConfig, card: ModelCard, run: Finetuning, fold: int, held_out: Sequence[str]) -> FinetuneConfig:
    """Settings of one fold of `run`, which learns from real chips too, but not from those at the places `held_out`."""
    settings = finetuning_settings(config, card, run)
    assert config.real is not None
    places = tuple(re.escape(place) for place in held_out)
    real = StoreConfig(config.real, hold_out_places=places, validate=False, label_fraction=1.0)
    folder = settings.out / f"fold_{fold}"
    return dataclasses.replace(
        settings,
        out=folder,
        data=dataclasses.replace(settings.data, stores=(*settings.data.stores, real)),
        resume=(folder / STATE).is_file(),
    )


def _bands(card: ModelCard) -> BandsConfig:
    bands = {band.role.lower(): band for band in card.bands}
    if sorted(bands) != ["vh", "vv"]:
        raise ValueError(f"Fine-tuning needs an encoder of VV and VH, not of {', '.join(bands)}: give --finetune_steps 0.")
    names = ("clip_db", "mean_db", "std_db")
    return BandsConfig(**{f"{role}_{name}": getattr(band, name) for role, band in bands.items() for name in names})


def check_finetuning(config: StudyConfig, card: ModelCard, with_real: bool) -> None:
    """Raises ValueError where fine-tuning cannot be done with these settings and stores: before hours of other cells."""
    run = next(tuning_runs(config))
    settings = finetuning_settings(config, card, run)
    if with_real and config.finetune_real_folds:
        settings = fold_settings(config, card, run, 0, ())
    open_labelled(settings, draft_card(settings))


def finetuning_cells(
    config: StudyConfig, card: ModelCard, cells: Mapping[str, Cell], scored: Callable[[], dict[str, CropSet]], with_real: bool
) -> Iterator[tuple[str, Callable[[], Cell]]]:
    """Names of cells and how each is made: first those that the learning rates are chosen by. `cells` holds, whenever the next one
    is asked for, those that were named before.
    """

    def plan(run: Finetuning) -> tuple[str, Callable[[], Cell]]:
        return run.name(config), lambda: finetuning_cell(config, card, run, scored)

    yield from map(plan, tuning_runs(config))
    for arm in BEGINNINGS:
        rate = chosen_rate(config, cells, arm)
        for fraction in config.finetune_fractions:
            for seed in config.seeds:
                run = Finetuning(arm, seed, fraction, rate)
                if run.name(config) not in cells:
                    yield plan(run)
    if not with_real or not config.finetune_real_folds:
        return
    for arm in BEGINNINGS:
        rate = chosen_rate(config, cells, arm)
        for fraction in config.finetune_fractions:
            for seed in config.seeds:
                run = Finetuning(arm, seed, fraction, rate, config.finetune_real_folds)
                yield run.name(config), partial(real_cell, config, card, run, lambda: scored()[REAL])


def finetuning_cell(config: StudyConfig, card: ModelCard, run: Finetuning, scored: Callable[[], dict[str, CropSet]]) -> Cell:
    """Trains, and counts the pixels of each of `scored`."""
    checkpoint = _trained(finetuning_settings(config, card, run))
    model, report = _model(checkpoint), checkpoint.report
    counts = {name: count_pixels(model, crops, len(config.classes)) for name, crops in scored().items()}
    return {
        "chips": report["data"]["simulated_chips"] + report["data"]["real_chips"],
        "start": report["start"],
        "validation": {"chips": report["validation"]["chips"], "mean_iou": report["scores"]["mean_iou"]},
        "counts": counts,
    }


def real_cell(config: StudyConfig, card: ModelCard, run: Finetuning, real: Callable[[], CropSet]) -> Cell:
    """Trains a network a fold, and counts the pixels of the crops that the fold holds out. The folds are those of the probe on real
    labels, where that has as many.
    """
    crops = real()
    counts: dict[str, list[list[int]]] = {}
    folds = []
    for number, held in enumerate(place_folds(crops.places, run.real_folds)):
        held_out = sorted(set(crops.places[held].tolist()))
        checkpoint = _trained(fold_settings(config, card, run, number, held_out))
        counts |= count_pixels(_model(checkpoint), subset(crops, held), len(config.classes))
        data = checkpoint.report["data"]
        learnt = sorted({place for store in data["stores"] for place in store["real_places"]})
        chips = {name: data[name] for name in ("simulated_chips", "real_chips")}
        folds.append({"held_out": held_out, "learnt_from": learnt, **chips})
    return {
        "chips": int(np.mean([fold["simulated_chips"] for fold in folds])),
        "real_chips": int(np.mean([fold["real_chips"] for fold in folds])),
        "folds": folds,
        "counts": {REAL: counts},
    }


def _model(checkpoint: Checkpoint) -> SardineModel:
    model = build_model(ModelCard.from_json(checkpoint.card))
    model.load_state_dict(checkpoint.weights)
    return model.eval()


def _trained(settings: FinetuneConfig) -> Checkpoint:
    """What the run that `settings` describe came to; one that was stopped goes on, one that is done is not done again.

    Raises ValueError where its folder holds a run of other settings.
    """
    folder = settings.out
    if not (folder / CHECKPOINT).is_file() or (folder / STATE).is_file():
        finetune(settings)
        for name in (STATE_BEFORE, STATE):  # a checkpoint without a state is a run that is done
            (folder / name).unlink(missing_ok=True)
    checkpoint = load_checkpoint(folder)
    changed = changed_settings(json.loads(checkpoint.config), json.loads(config_json(settings)))
    if changed:
        raise ValueError(f"{folder} holds a run of other settings: {', '.join(changed)}. Remove it: it will be done again.")
    return checkpoint


@torch.inference_mode()
def count_pixels(model: SardineModel, crops: CropSet, classes: int) -> dict[str, list[list[int]]]:
    """Confusion matrix (label, predicted) of each place's labelled pixels, on the CPU in float32."""
    matrices: dict[str, ConfusionMatrix] = {}
    for start in range(0, len(crops), CROPS_AT_ONCE):
        chosen = slice(start, start + CROPS_AT_ONCE)
        logits = model(torch.from_numpy(crops.x[chosen]), want_attention=False).logits
        predicted = logits.argmax(dim=1).numpy()
        for place, truth, one in zip(crops.places[chosen], crops.pixel_labels[chosen], predicted, strict=True):
            matrices.setdefault(str(place), ConfusionMatrix(classes)).add(truth, one)
    return {place: matrix.counts.tolist() for place, matrix in sorted(matrices.items())}
