# SPDX-License-Identifier: GPL-2.0-or-later
"""Cross-validation grouped by place: each method learns from the places of the other folds and is measured on those held out."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from backend.protocol import SardineError
from training.evaluate.baselines import ForestMapper, OtsuMapper, ThresholdMapper
from training.evaluate.config import EvaluateConfig, FoldTraining
from training.evaluate.finetuned import finetuned
from training.evaluate.learning import LearningScene, learning_scene
from training.evaluate.legends import SIX_GROUPS
from training.evaluate.maps import BackendMapper, Mapper
from training.evaluate.measure import measure
from training.evaluate.output import LeftOut, say, write_json
from training.evaluate.scenes import LabelledScene, list_labelled
from training.evaluate.score import SceneScore
from training.evaluate.unet import UNetMapper
from training.finetuning.config import FinetuneConfig
from training.metrics import IGNORE

CROSS_VALIDATED = "cross-validated by place with the same config"


@dataclass(frozen=True)
class Material:
    """Everything that folds are made of: the scenes that are measured, and what baselines learn from."""

    scenes: tuple[LabelledScene, ...]
    real: tuple[LearningScene, ...]
    simulated: tuple[LearningScene, ...]
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True)
class Fold:
    """One part of the places held out; `folder` keeps what the fold made."""

    number: int
    held_out: tuple[str, ...]
    folder: Path
    real: tuple[LearningScene, ...]
    """Scenes of the other places."""
    simulated: tuple[LearningScene, ...]


@dataclass(frozen=True)
class Method:
    """A way to map. `learn` makes its mapper for a fold and a seed."""

    name: str
    learn: Callable[[Fold, int], Mapper]
    seeded: bool = True
    """Whether a seed changes it."""
    note: str = CROSS_VALIDATED
    """What it saw of the held-out places, for the model card."""

    @property
    def file_name(self) -> str:
        return re.sub(r"\W+", "_", self.name).strip("_").lower()


def methods_of(config: EvaluateConfig, model: Path | None, settings: Sequence[FinetuneConfig]) -> list[Method]:
    """The methods of the configuration, in its order.

    `model` is a fixed model file or None, `settings` those of each of `config.finetuned`.
    """
    found = [_baseline(name, config) for name in config.baselines]
    found += [_finetuned(item, one, config.device) for item, one in zip(config.finetuned, settings, strict=True)]
    if model is not None:
        mapper = BackendMapper(model, config.device)
        found.append(Method(mapper.name, lambda fold, seed: mapper, False, config.note))
    return found


def _finetuned(training: FoldTraining, settings: FinetuneConfig, device: str) -> Method:
    name = training.config.stem
    return Method(
        name,
        lambda fold, seed: finetuned(settings, fold.held_out, fold.folder, name, seed, device),
        note=f"{CROSS_VALIDATED}; {training.note}",
    )


def _baseline(name: str, config: EvaluateConfig) -> Method:
    mixed = name.endswith("_simulated")
    title = f"{'forest' if name.startswith('forest') else 'U-Net'}, real{' and simulated' if mixed else ''}"

    def scenes(fold: Fold) -> list[LearningScene]:
        return [*fold.real, *(fold.simulated if mixed else ())]

    if name == "otsu":
        return Method(OtsuMapper.name, lambda fold, seed: OtsuMapper(), seeded=False)
    if name == "threshold":
        return Method(ThresholdMapper.name, lambda fold, seed: ThresholdMapper(fold.real), seeded=False)
    if name.startswith("forest"):
        return Method(title, lambda fold, seed: ForestMapper(scenes(fold), title, seed, config.forest_pixels, config.jobs))
    return Method(title, lambda fold, seed: UNetMapper(scenes(fold), title, seed, config.unet_steps))


def gather(config: EvaluateConfig) -> Material:
    """Reads every labelled scene once. One that the backend refuses, or without labels, is left out with its reason.

    Raises FileNotFoundError as `list_labelled` does.
    """
    kept: list[LabelledScene] = []
    real: list[LearningScene] = []
    left_out: list[LeftOut] = []
    for scene in list_labelled(config.sets, config.data):
        try:
            learnt = learning_scene(scene)
        except SardineError as error:
            if not error.refused:
                raise
            left_out.append(LeftOut(scene.label_set.name, scene.name, str(error)))
            continue
        if (learnt.water == IGNORE).all() and (learnt.groups == IGNORE).all():
            left_out.append(LeftOut(scene.label_set.name, scene.name, "no pixel is labelled"))
            continue
        kept.append(scene)
        real.append(learnt)
    made: list[LearningScene] = []
    if config.simulated is not None:
        made = [learning_scene(scene) for scene in list_labelled([config.simulated], config.data)]
    return Material(tuple(kept), tuple(real), tuple(made), tuple(left_out))


def assign_folds(scenes: Sequence[LearningScene], folds: int, seed: int) -> list[list[str]]:
    """The places that each fold holds out. No place is in two; wet and dry chips and groups are spread as evenly as that lets.

    Raises ValueError where there are fewer places than folds.
    """
    kinds, places = [], []
    for scene in scenes:
        groups = [int(value) for value in np.unique(scene.groups) if value != IGNORE]
        labels = [SIX_GROUPS.names[group] for group in groups] or ["wet chip" if scene.wet else "dry chip"]
        kinds += labels
        places += [scene.place] * len(labels)
    if len(set(places)) < folds:
        raise ValueError(f"{len(set(places))} places cannot be divided into {folds} folds.")
    rarest = min(kinds.count(kind) for kind in set(kinds))
    # A kind of fewer than `folds` members cannot be in each fold: it is taken with another, or scikit-learn refuses.
    kinds = [kind if kinds.count(kind) >= folds else "rare" for kind in kinds] if rarest < folds else kinds
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    names = np.asarray(places)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class")  # "rare" is meant to be
        return [sorted(set(names[test].tolist())) for _, test in splitter.split(np.zeros(len(names)), kinds, names)]


Scores = dict[str, dict[int, list[SceneScore]]]
"""Scores by method and seed."""


def run_folds(config: EvaluateConfig, material: Material, folds: Sequence[Sequence[str]], methods: Sequence[Method]) -> Scores:
    """Measures every method on every fold, or on `config.only_folds`. What `out` holds already is not done again.

    Raises ValueError where `out` holds folds of other places.
    """
    config.out.mkdir(parents=True, exist_ok=True)
    _check_same(config.out / "folds.json", {"seed": config.seed, "folds": [list(places) for places in folds]})
    scores: Scores = {}
    for number, held_out in enumerate(folds):
        if config.only_folds and number not in config.only_folds:
            continue
        fold = Fold(
            number,
            tuple(held_out),
            config.out / f"fold_{number}",
            tuple(scene for scene in material.real if scene.place not in held_out),
            material.simulated,
        )
        tested = [scene for scene in material.scenes if scene.place.name in held_out]
        fold.folder.mkdir(exist_ok=True)
        for method in methods:
            for seed in config.seeds if method.seeded else config.seeds[:1]:
                path = fold.folder / f"{method.file_name}_{seed}.json"
                if not path.is_file():
                    say(f"fold {number + 1} of {len(folds)}: {method.name}, seed {seed}")
                    write_json(path, [score.to_dict() for score in _measured(method.learn(fold, seed), tested)])
                found = [SceneScore.from_dict(entry) for entry in json.loads(path.read_text(encoding="utf-8"))]
                scores.setdefault(method.name, {}).setdefault(seed, []).extend(found)
    return scores


def _measured(mapper: Mapper, tested: Sequence[LabelledScene]) -> tuple[SceneScore, ...]:
    found = measure(mapper, tested, only_labelled=True)
    if found.left_out:  # `gather` took out what the backend refuses: a scene that is missing now would make methods unequal
        raise ValueError("; ".join(f"{one.scene}: {one.reason}" for one in found.left_out))
    return found.scores


def _check_same(path: Path, content: Any) -> None:
    if path.is_file() and json.loads(path.read_text(encoding="utf-8")) != content:
        raise ValueError(f"{path.parent} holds other folds: the seed or the labels differ. Choose another --out.")
    write_json(path, content)
