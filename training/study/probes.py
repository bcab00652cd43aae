# SPDX-License-Identifier: GPL-2.0-or-later
"""Probes on frozen features: which patches they learn from, what of them they see, and how often they are right in each place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from training.metrics import IGNORE, ConfusionMatrix
from training.simulation.fields import F32
from training.study.config import StudyConfig
from training.study.crops import U8, CropSet
from training.study.encoders import Features

I64 = npt.NDArray[np.int64]

ATTENTION, TOKENS, TOKENS_PCA, DB, ATTENTION_DB, TOKENS_ATTENTION = FEATURE_SETS = (
    "attention",
    "tokens",
    "tokens_pca",
    "db",
    "attention_db",
    "tokens_attention",
)
"""(a) to (f): the last block's attention by head; its tokens; these reduced to (a)'s width; mean and deviation of the patch's
decibels; (a) and (d); (b) and (a)."""

LOGISTIC, FOREST = CLASSIFIERS = ("logistic", "forest")
REGULARISATION = 0.1
"""C of the logistic regression: small, for a few hundred patches of 192 features can be told apart by chance."""
ITERATIONS = 500


@dataclass(frozen=True, eq=False)
class Look:
    """Crops and what one encoder makes of them."""

    crops: CropSet
    features: Features

    def matrix(self, name: str, crop: I64, patch: I64) -> F32:
        """The feature set `name` of patches `patch` [n] of crops `crop` [n], float32 [n, width]."""
        parts = {
            ATTENTION: lambda: self.features.attention[crop, -1, :, patch],
            TOKENS: lambda: self.features.tokens[crop, patch],
            DB: lambda: self.crops.db_statistics[crop, patch],
        }
        joined = {TOKENS_PCA: (TOKENS,), ATTENTION_DB: (ATTENTION, DB), TOKENS_ATTENTION: (TOKENS, ATTENTION)}
        return np.concatenate([parts[part]() for part in joined.get(name, (name,))], axis=1)


@dataclass(frozen=True)
class ProbeKind:
    """What a probe sees and what it is."""

    features: str = TOKENS
    classifier: str = LOGISTIC


def nested_chips(chips: Sequence[int] | I64, fraction: float, seed: int) -> I64:
    """The share of `chips` that `fraction` names, at least one; of one seed, a smaller fraction's are among a larger one's."""
    order = np.random.default_rng(seed).permutation(np.unique(chips))
    return np.sort(order[: max(1, math.ceil(fraction * len(order) - 1e-9))])


def draw_patches(crops: CropSet, allowed: npt.NDArray[np.bool_], most: int, seed: int) -> tuple[I64, I64]:
    """Crop and patch of at most `most` labelled patches of the crops where `allowed` [N], drawn without replacement."""
    crop, patch = np.nonzero((crops.patch_labels != IGNORE) & allowed[:, None])
    if len(crop) > most:
        kept = np.sort(np.random.default_rng([seed, 1]).choice(len(crop), most, replace=False))
        crop, patch = crop[kept], patch[kept]
    return crop, patch


def fit(kind: ProbeKind, look: Look, patches: tuple[I64, I64], trees: int, seed: int) -> Pipeline:
    """The classifier, fitted to these patches. Features are standardised to what it learns from."""
    steps: list[Any] = [StandardScaler()]
    if kind.features == TOKENS_PCA:
        steps.append(PCA(look.features.attention.shape[2], random_state=seed))
    if kind.classifier == LOGISTIC:
        steps.append(LogisticRegression(C=REGULARISATION, max_iter=ITERATIONS))
    else:
        steps.append(RandomForestClassifier(trees, min_samples_leaf=2, random_state=seed))
    return make_pipeline(*steps).fit(look.matrix(kind.features, *patches), look.crops.patch_labels[patches])


def count_by_place(
    probe: Pipeline, kind: ProbeKind, look: Look, classes: int, allowed: npt.NDArray[np.bool_] | None = None
) -> dict[str, list[list[int]]]:
    """Confusion matrix (label, predicted) of each place's labelled patches."""
    everywhere = np.ones(len(look.crops), dtype=np.bool_) if allowed is None else allowed
    crop, patch = np.nonzero((look.crops.patch_labels != IGNORE) & everywhere[:, None])
    truth: U8 = look.crops.patch_labels[crop, patch]
    predicted = probe.predict(look.matrix(kind.features, crop, patch))
    found = {}
    for place in np.unique(look.crops.places[crop]):
        here = look.crops.places[crop] == place
        matrix = ConfusionMatrix(classes)
        matrix.add(truth[here], predicted[here])
        found[str(place)] = matrix.counts.tolist()
    return found


def probe_cell(
    kind: ProbeKind, train: Look, scored: dict[str, Look], config: StudyConfig, fraction: float, most: int, seed: int
) -> dict[str, Any]:
    """Learns from a share of the training chips and counts on each of `scored`."""
    chips = nested_chips(train.crops.chips, fraction, seed)
    patches = draw_patches(train.crops, np.isin(train.crops.chips, chips), most, seed)
    if len(np.unique(train.crops.patch_labels[patches])) < 2:
        raise ValueError(f"{fraction:.0%} of the training chips hold patches of one class alone: leave this fraction out.")
    probe = fit(kind, train, patches, config.trees, seed)
    counts = {name: count_by_place(probe, kind, look, len(config.classes)) for name, look in scored.items()}
    return {"chips": len(chips), "patches": len(patches[0]), "counts": counts}


def place_folds(places: npt.NDArray[Any], folds: int) -> list[I64]:
    """Numbers of the crops, at `places` [N], that each fold holds out: no place is in two. Fewer folds where places are fewer."""
    splitter = GroupKFold(min(folds, len(np.unique(places))))
    return [held for _, held in splitter.split(places, groups=places)]


def real_cell(kind: ProbeKind, real: Look, config: StudyConfig, seed: int) -> dict[str, Any]:
    """Learns from real labels, in folds by place: each place is scored by a probe that learnt from others."""
    counts: dict[str, list[list[int]]] = {}
    learnt = []
    for held in place_folds(real.crops.places, config.real_folds):
        out = np.zeros(len(real.crops), dtype=np.bool_)
        out[held] = True
        patches = draw_patches(real.crops, ~out, config.set_patches, seed)
        probe = fit(kind, real, patches, config.trees, seed)
        counts |= count_by_place(probe, kind, real, len(config.classes), out)
        learnt.append(len(patches[0]))
    return {"patches": int(np.mean(learnt)), "counts": {"real": counts}}
