# SPDX-License-Identifier: GPL-2.0-or-later
"""`python -m training.run study`: encoder and stores opened -> crops -> cells, one encoder after the other, then fine-tunings
-> tables -> report.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial

import torch

from backend.model_card import ModelCard
from training.chips.store import open_store
from training.evaluate.output import say
from training.study.attention_heads import overlap_cell
from training.study.attention_pictures import pictures_cell
from training.study.cells import Cell, CellFolder, has_real
from training.study.config import StudyConfig
from training.study.crops import CropSet, Material, make_material
from training.study.embedding import embedding_cell, tsne_cell
from training.study.encoders import FrozenEncoder, extract, random_encoder, read_encoder
from training.study.finetuned import check_finetuning, finetuning_cells
from training.study.position import position_cell
from training.study.probes import CLASSIFIERS, DB, FEATURE_SETS, Look, ProbeKind, probe_cell, real_cell
from training.study.results import (
    PRETRAINED,
    RANDOM,
    REAL,
    SIMULATED,
    Results,
    encoder_name,
    fraction_name,
    real_name,
    set_name,
)
from training.study.variants import Variant, read_variants

NO_REAL = "No chip store of real scenes at {}: the real part is left out. Make it with `python -m training.run chips`."

NO_FINETUNING = "finetune_steps is 0: no network is fine-tuned."

Plan = Iterator[tuple[str, Callable[[], Cell]]]


def study(config: StudyConfig) -> Results:
    """Makes the cells that are not there, and the report and tables of all of them.

    Raises FileNotFoundError, SardineError and ValueError (StoreError among them): what is needed and not there, or does not fit;
    cells of other settings in `out`. And what `finetune` raises while it runs.
    """
    from training.study.report import write_study

    if config.threads:
        torch.set_num_threads(config.threads)
    encoder, card = read_encoder(config.encoder)
    variants = read_variants(config, card)
    simulated = open_store(config.simulated)
    real = open_store(config.real) if config.real is not None and has_real(config) else None
    if real is None:
        print(NO_REAL.format(config.real or "no folder that is named"))
    if config.finetune_steps:
        check_finetuning(config, card, real is not None)
    else:
        print(NO_FINETUNING)
    folder = CellFolder(config)
    material = cache(lambda: make_material(config, card, simulated, real))
    cells: dict[str, Cell] = {}
    started = time.monotonic()

    def plan() -> Plan:
        for arm, one, seeds in encoders(config, encoder, card, variants):
            yield from cells_of(config, arm, one, seeds, material, real is not None)
        yield encoder_name("pictures", PRETRAINED), lambda: pictures_cell(encoder, material().real or material().test, card.bands)
        if config.finetune_steps:
            yield from finetuning_cells(config, card, cells, lambda: scored_crops(material()), real is not None)

    for name, make in plan():
        cells[name] = folder.cell(name, make)
        say(f"{len(cells)} cells, {time.monotonic() - started:.0f} s: {name}")
    results = Results(config, cells, real is not None, {variant.name: variant.arm for variant in variants})
    write_study(results, folder.identity)
    print(f"\n{config.out / 'report.html'}")
    return results


def encoders(
    config: StudyConfig, pretrained: FrozenEncoder, card: ModelCard, variants: Sequence[Variant]
) -> Iterator[tuple[str, FrozenEncoder, tuple[int, ...]]]:
    """Each encoder with the arm that its cells are named by and the seeds of its probes: a random one has its own, others all."""
    yield PRETRAINED, pretrained, config.seeds
    for seed in config.seeds:
        yield RANDOM, random_encoder(card, seed), (seed,)
    for variant in variants:
        yield variant.arm, variant.encoder, config.seeds


def cells_of(
    config: StudyConfig, arm: str, encoder: FrozenEncoder, seeds: tuple[int, ...], material: Callable[[], Material], with_real: bool
) -> Plan:
    """Names of an encoder's cells and how each is made. Crops are cut and run through the encoder where a cell is missing.

    A variant of the pre-training has those alone that it is compared by.
    """
    is_variant = arm not in (PRETRAINED, RANDOM)

    @cache
    def look(part: str) -> Look:
        crops: CropSet = getattr(material(), part)
        return Look(crops, extract(encoder, crops))

    def scored() -> dict[str, Look]:
        return {SIMULATED: look("test"), **({REAL: look("real")} if with_real else {})}

    def rollout() -> Cell:
        classes = len(config.classes)
        return {name: overlap_cell(one.crops, one.features.rollout[:, None, None], classes) for name, one in scored().items()}

    def on_real(seed: int) -> Cell:
        return real_cell(ProbeKind(), look("real"), config, seed)

    def probe(kind: ProbeKind, fraction: float, most: int, seed: int) -> Callable[[], Cell]:
        return lambda: probe_cell(kind, look("train"), scored(), config, fraction, most, seed)

    def real() -> Look | None:
        return look("real") if with_real else None

    def embedding() -> Cell:
        return embedding_cell(look("train"), [look("validation"), look("test")], look("test"), real())

    yield encoder_name("attention", arm, encoder.seed), lambda: attention_cell(look, config, with_real)
    yield encoder_name("embedding", arm, encoder.seed), embedding
    if not is_variant:
        yield encoder_name("rollout", arm, encoder.seed), rollout
        yield encoder_name("position", arm, encoder.seed), lambda: {name: position_cell(one) for name, one in scored().items()}
    if not is_variant and encoder.seed in (None, config.seeds[0]):  # the encoders whose points are drawn
        yield encoder_name("tsne", arm, encoder.seed), lambda: tsne_cell(look("test"), real())
    for seed in seeds:
        for fraction in config.fractions:
            yield fraction_name(arm, seed, fraction), probe(ProbeKind(), fraction, config.max_patches, seed)
        if with_real:
            yield real_name(arm, seed), partial(on_real, seed)
        if is_variant:
            continue
        for classifier in CLASSIFIERS:
            for features in FEATURE_SETS:
                if features != DB or arm == PRETRAINED:  # decibels are the same whatever the encoder
                    yield (
                        set_name(features, classifier, arm, seed),
                        probe(ProbeKind(features, classifier), 1.0, config.set_patches, seed),
                    )


def attention_cell(look: Callable[[str], Look], config: StudyConfig, with_real: bool) -> Cell:
    """Overlaps on validation crops, which choose the heads, and on those that are scored."""
    classes = len(config.classes)
    parts = {"validation": "validation", SIMULATED: "test", **({REAL: "real"} if with_real else {})}
    looks = {name: look(part) for name, part in parts.items()}
    return {name: overlap_cell(one.crops, one.features.attention, classes) for name, one in looks.items()}


def scored_crops(material: Material) -> dict[str, CropSet]:
    """What fine-tuned networks are scored on: the crops that everything else is."""
    return {SIMULATED: material.test, **({REAL: material.real} if material.real is not None else {})}
