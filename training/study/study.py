# SPDX-License-Identifier: GPL-2.0-or-later
"""`python -m training.run study`: encoder and stores opened -> crops -> cells, one encoder after the other -> tables -> report."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import cache, partial

import torch

from backend.model_card import ModelCard
from training.chips.store import open_store
from training.evaluate.output import say
from training.study.attention_heads import overlap_cell
from training.study.cells import Cell, CellFolder, has_real
from training.study.config import StudyConfig
from training.study.crops import CropSet, Material, make_material
from training.study.embedding import embedding_cell
from training.study.encoders import FrozenEncoder, extract, random_encoder, read_encoder
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

NO_REAL = "No chip store of real scenes at {}: the real part is left out. Make it with `python -m training.run chips`."

Plan = Iterator[tuple[str, Callable[[], Cell]]]


def study(config: StudyConfig) -> Results:
    """Makes the cells that are not there, and the report and tables of all of them.

    Raises FileNotFoundError and ValueError (StoreError among them): what is needed and not there, or does not fit; cells of
    other settings in `out`.
    """
    from training.study.report import write_study

    if config.threads:
        torch.set_num_threads(config.threads)
    encoder, card = read_encoder(config.encoder)
    simulated = open_store(config.simulated)
    real = open_store(config.real) if config.real is not None and has_real(config) else None
    if real is None:
        print(NO_REAL.format(config.real or "no folder that is named"))
    folder = CellFolder(config)
    material = cache(lambda: make_material(config, card, simulated, real))
    cells: dict[str, Cell] = {}
    started = time.monotonic()
    for one, seeds in encoders(config, encoder, card):
        for name, make in cells_of(config, one, seeds, material, real is not None):
            cells[name] = folder.cell(name, make)
            say(f"{len(cells)} cells, {time.monotonic() - started:.0f} s: {name}")
    results = Results(config, cells, real is not None)
    write_study(results, folder.identity)
    print(f"\n{config.out / 'report.html'}")
    return results


def encoders(config: StudyConfig, pretrained: FrozenEncoder, card: ModelCard) -> Iterator[tuple[FrozenEncoder, tuple[int, ...]]]:
    """Each encoder with the seeds of its probes: the pre-trained one has all, a random one its own."""
    yield pretrained, config.seeds
    for seed in config.seeds:
        yield random_encoder(card, seed), (seed,)


def cells_of(
    config: StudyConfig, encoder: FrozenEncoder, seeds: tuple[int, ...], material: Callable[[], Material], with_real: bool
) -> Plan:
    """Names of an encoder's cells and how each is made. Crops are cut and run through the encoder where a cell is missing."""
    arm = PRETRAINED if encoder.seed is None else RANDOM

    @cache
    def look(part: str) -> Look:
        crops: CropSet = getattr(material(), part)
        return Look(crops, extract(encoder, crops))

    def scored() -> dict[str, Look]:
        return {SIMULATED: look("test"), **({REAL: look("real")} if with_real else {})}

    def on_real(seed: int) -> Cell:
        return real_cell(ProbeKind(), look("real"), config, seed)

    def probe(kind: ProbeKind, fraction: float, most: int, seed: int) -> Callable[[], Cell]:
        return lambda: probe_cell(kind, look("train"), scored(), config, fraction, most, seed)

    yield encoder_name("attention", arm, encoder.seed), lambda: attention_cell(look, config, with_real)
    yield (
        encoder_name("embedding", arm, encoder.seed),
        lambda: embedding_cell(
            look("train"), [look("validation"), look("test")], look("test"), look("real") if with_real else None
        ),
    )
    for seed in seeds:
        for fraction in config.fractions:
            yield fraction_name(arm, seed, fraction), probe(ProbeKind(), fraction, config.max_patches, seed)
        if with_real:
            yield real_name(arm, seed), partial(on_real, seed)
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
    return {name: overlap_cell(look(part), classes) for name, part in parts.items()}
