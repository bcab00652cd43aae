# SPDX-License-Identifier: GPL-2.0-or-later
"""From training pixels to a classifier, and how well it does on samples that it has not seen.

Cross-validation holds out whole samples (polygons), never pixels of a polygon that is trained on: neighbours resemble each other,
and a figure from pixels alone would flatter (Roberts et al., "Cross-validation strategies for data with temporal, spatial,
hierarchical, or phylogenetic structure", Ecography 40, 2017).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .classifier import Linear
from .samples import TrainingPixels
from .tree_ensemble import Trees, gather

TREES, ROUNDS = 100, 60
TREES_IN_FOLDS = 50
FOLDS = 5
FEW_SAMPLES = 5
"""Below this many samples of a class its held-out figures are rough, and are said to be."""


@dataclass(frozen=True)
class Fitted:
    """The parts of a `Classifier` that fitting gives; the columns of its outputs are the classes in `present`, in order."""

    present: NDArray[np.int64]
    trees: Trees | None = None
    bias: NDArray[np.float32] | None = None
    linear: Linear | None = None


@dataclass(frozen=True)
class HeldOut:
    """`counts` int64 [classes, classes]: rows what was mapped, columns what the sample says, of held-out pixels.

    `importance` is by group of features: what balanced accuracy loses when the group's values are shuffled among held-out pixels.
    `notes` are sentences on classes that could not be judged. `counts` is None where none could.
    """

    counts: NDArray[np.int64] | None
    importance: dict[str, float]
    folds: int
    notes: tuple[str, ...]


def fit(method: str, pixels: TrainingPixels, seed: int) -> Fitted:
    """A classifier of all pixels."""
    present = np.unique(pixels.y)
    estimator = _estimator(method, seed, TREES, ROUNDS)
    return _extracted(method, _fitted(estimator, pixels.x, pixels.y), pixels.x, present)


def hold_out(
    method: str, pixels: TrainingPixels, groups: Sequence[str], names: Sequence[str], class_names: Sequence[str], seed: int,
    go_on: Callable[[int, int], None],
) -> HeldOut:  # fmt: skip
    """Confusion and importance by cross-validation over samples."""
    from sklearn.model_selection import StratifiedGroupKFold

    counts_of = {place: len(np.unique(pixels.sample[pixels.y == place])) for place in np.unique(pixels.y).tolist()}
    notes: list[str] = []
    alone = [place for place, count in counts_of.items() if count < 2]
    few = [place for place, count in counts_of.items() if 2 <= count < FEW_SAMPLES]
    if alone:
        listed = ", ".join(class_names[place] for place in alone)
        notes.append(f"Of {listed} there is one sample alone: nothing is left to judge it by. Draw more samples of it.")
    if few:
        listed = ", ".join(f"{class_names[place]} ({counts_of[place]})" for place in few)
        notes.append(f"Few samples of {listed}: figures from so few are rough. {FEW_SAMPLES} or more of a class tell more.")
    judged = np.isin(pixels.y, [place for place in counts_of if place not in alone])
    if len(counts_of) - len(alone) < 2:
        notes.append("Accuracy cannot be told: it takes two classes with two samples each.")
        return HeldOut(None, {}, 0, tuple(notes))
    folds = min(FOLDS, min(count for place, count in counts_of.items() if place not in alone))
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    where = np.flatnonzero(judged)
    total = np.zeros((len(class_names), len(class_names)), dtype=np.int64)
    columns = {group: [i for i, name in enumerate(names) if name.startswith(f"{group}:")] for group in groups}
    losses: dict[str, list[float]] = {group: [] for group in groups}
    rng = np.random.default_rng(seed)
    for number, (_, test) in enumerate(splitter.split(pixels.x[where], pixels.y[where], pixels.sample[where])):
        go_on(number, folds)
        held = where[test]
        rest = np.setdiff1d(np.arange(len(pixels.y)), held)  # samples that stand alone are always trained on
        if len(np.unique(pixels.y[rest])) < 2 or not len(held):
            continue
        model = _fitted(_estimator(method, seed, TREES_IN_FOLDS, ROUNDS), pixels.x[rest], pixels.y[rest])
        x, truth = pixels.x[held], pixels.y[held]
        found = model.predict(x)
        np.add.at(total, (found, truth), 1)
        if len(groups) > 1 and len(np.unique(truth)) > 1:
            best = _balanced_accuracy(truth, found)
            for group in groups:
                shuffled = x.copy()
                shuffled[:, columns[group]] = x[rng.permutation(len(x))][:, columns[group]]
                losses[group].append(best - _balanced_accuracy(truth, model.predict(shuffled)))
    importance = {group: float(np.mean(values)) for group, values in losses.items() if values}
    return HeldOut(total, importance, folds, tuple(notes))


def _balanced_accuracy(truth: NDArray[np.int64], found: NDArray[np.int64]) -> float:
    """The mean share of each class's pixels that were found."""
    return float(np.mean([np.mean(found[truth == place] == place) for place in np.unique(truth)]))


def _estimator(method: str, seed: int, trees: int, rounds: int) -> Any:
    """scikit-learn's estimator. Classes weigh the same, however many pixels each has."""
    if method == "forest":
        from sklearn.ensemble import RandomForestClassifier

        return RandomForestClassifier(trees, min_samples_leaf=3, class_weight="balanced", n_jobs=-1, random_state=seed)
    if method == "boosting":
        from sklearn.ensemble import GradientBoostingClassifier

        return GradientBoostingClassifier(n_estimators=rounds, subsample=0.5, max_features="sqrt", max_depth=4, random_state=seed)
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=500, random_state=seed))


def _fitted(estimator: Any, x: NDArray[np.float32], y: NDArray[np.int64]) -> Any:
    if type(estimator).__name__ == "GradientBoostingClassifier":
        from sklearn.utils.class_weight import compute_sample_weight

        return estimator.fit(x, y, sample_weight=compute_sample_weight("balanced", y))
    return estimator.fit(x, y)


def _extracted(method: str, estimator: Any, x: NDArray[np.float32], present: NDArray[np.int64]) -> Fitted:
    """The arrays of a fitted estimator."""
    if method == "forest":
        trees = [member.tree_ for member in estimator.estimators_]
        shares = [tree.value[:, 0, :] / np.maximum(tree.value[:, 0, :].sum(axis=1, keepdims=True), 1e-12) for tree in trees]
        return Fitted(present, trees=gather(trees, shares))
    if method == "boosting":
        return _boosted(estimator, x, present)
    scaler, regression = estimator[0], estimator[-1]
    weights, bias = regression.coef_.T, regression.intercept_
    if len(present) == 2:  # one score stands for both: the second class's
        weights, bias = np.concatenate([-weights, weights], axis=1) / 2, np.concatenate([-bias, bias]) / 2
    arrays = (scaler.mean_, scaler.scale_, weights, bias)
    mean, deviation, weights, bias = (np.asarray(array, dtype=np.float32) for array in arrays)
    return Fitted(present, linear=Linear(mean, np.maximum(deviation, np.float32(1e-6)), weights, bias))


def _boosted(estimator: Any, x: NDArray[np.float32], present: NDArray[np.int64]) -> Fitted:
    rounds = estimator.estimators_  # [rounds, classes], or [rounds, 1] for two classes
    scale = estimator.learning_rate
    first = x[:1].astype(np.float32)
    raw = np.atleast_2d(estimator.decision_function(first).reshape(1, -1))[0]
    if len(present) == 2:  # the score of the second class against the first; each gets half of it
        pairs = [(member.tree_, sign) for (member,) in rounds for sign in (-0.5, 0.5)]
        start = raw[0] - scale * sum(float(member.tree_.predict(first)[0, 0]) for (member,) in rounds)
        bias = np.array([-start / 2, start / 2])
    else:
        pairs = [(member.tree_, 1.0) for members in rounds for member in members]
        sums = [sum(float(members[k].tree_.predict(first)[0, 0]) for members in rounds) for k in range(len(present))]
        bias = raw - scale * np.array(sums)
    values = [tree.value[:, 0, :] * scale * sign for tree, sign in pairs]
    return Fitted(present, trees=gather([tree for tree, _ in pairs], values), bias=bias.astype(np.float32))
