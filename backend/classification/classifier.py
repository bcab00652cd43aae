# SPDX-License-Identifier: GPL-2.0-or-later
"""A classifier of pixels that a person's samples made: arrays alone, so that it can be written to a file and read by others."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..features.basis import FeatureBasis
from ..model_card import ClassSpec
from .tree_ensemble import Trees

METHODS = ("forest", "boosting", "logistic")
CHUNK_PX = 2**16
Float = NDArray[np.float32]


@dataclass(frozen=True)
class Linear:
    """Scores (x - mean) / deviation @ weights + bias: `weights` float32 [features, classes].

    The softmax of the scores is the probability.
    """

    mean: Float
    deviation: Float
    weights: Float
    bias: Float

    def check(self, features: int) -> None:
        """Raises ValueError where sizes or values are not those of such a classifier of `features`."""
        shapes = (self.mean.shape, self.deviation.shape, self.weights.shape[:1], self.bias.shape)
        if self.weights.ndim != 2 or shapes != ((features,), (features,), (features,), self.weights.shape[1:]):
            raise ValueError("the arrays of its weights do not fit together")
        if not all(np.isfinite(array).all() for array in (self.mean, self.deviation, self.weights, self.bias)):
            raise ValueError("its weights are not numbers")
        if not (self.deviation > 0).all():
            raise ValueError("a deviation is not above zero")

    def scores(self, x: Float) -> Float:
        """[n, features] to [n, classes]."""
        scaled = self.weights / self.deviation[:, None]
        shift = self.bias - (self.mean / self.deviation) @ self.weights
        result: Float = (x @ scaled + shift).astype(np.float32, copy=False)
        return result


@dataclass(frozen=True)
class Classifier:
    """`method` is one of METHODS. Of a forest, `trees` hold the shares of the classes in each leaf; of boosting, there is one tree
    a class and round, with the scores in its leaves; `bias` float32 [classes] is where the sums begin. `linear` is of logistic.

    `features` are names in the order of the columns. `model_sha256` and `basis` are those of the features that it was made with;
    the basis is None where backscatter alone is looked at. `info` is free text and figures for people.
    """

    method: str
    classes: tuple[ClassSpec, ...]
    features: tuple[str, ...]
    groups: tuple[str, ...]
    model_sha256: str
    model_name: str
    overlap: float
    basis: FeatureBasis | None
    trees: Trees | None = None
    bias: Float | None = None
    linear: Linear | None = None
    info: Mapping[str, Any] = field(default_factory=dict)

    def check(self) -> None:
        """Raises ValueError where its parts do not fit together: what comes out of a file is data from strangers."""
        count, width = len(self.classes), len(self.features)
        if self.method == "logistic":
            if self.linear is None or self.linear.bias.size != count:
                raise ValueError("its weights do not fit its classes")
            self.linear.check(width)
            return
        if self.trees is None:
            raise ValueError("it holds no trees")
        self.trees.check(width)
        outputs = self.trees.values.shape[1]
        if self.method == "forest" and outputs != count:
            raise ValueError("its trees do not fit its classes")
        if self.method == "boosting":
            fits = outputs == 1 and self.trees.starts.size % count == 0
            if not fits or self.bias is None or self.bias.shape != (count,) or not np.isfinite(self.bias).all():
                raise ValueError("its trees do not fit its classes")


class Predictor:
    """A classifier, made ready to run on many pixels."""

    def __init__(self, classifier: Classifier) -> None:
        classifier.check()
        self._classifier = classifier
        width = len(classifier.features)
        self._compiled: list[Any] = classifier.trees.compiled(width) if classifier.trees is not None else []
        self._threads = max(1, min(os.cpu_count() or 1, 8))

    def probabilities(self, x: Float) -> Float:
        """[n, features] float32 to [n, classes] float32, each row summing to one."""
        chunks = [x[start : start + CHUNK_PX] for start in range(0, len(x), CHUNK_PX)]
        if len(chunks) <= 1 or self._threads == 1:
            return (
                np.concatenate([self._chunk(chunk) for chunk in chunks])
                if chunks
                else np.zeros((0, len(self._classifier.classes)), np.float32)
            )
        with ThreadPoolExecutor(self._threads) as pool:
            return np.concatenate(list(pool.map(self._chunk, chunks)))

    def _chunk(self, x: Float) -> Float:
        x = np.ascontiguousarray(x, dtype=np.float32)
        classifier = self._classifier
        if classifier.linear is not None:
            return _softmax(classifier.linear.scores(x))
        count = len(classifier.classes)
        total = np.zeros((len(x), count))
        if classifier.method == "forest":
            for tree in self._compiled:
                total += tree.predict(x)
            result: Float = (total / np.maximum(total.sum(axis=1, keepdims=True), 1e-12)).astype(np.float32)
            return result
        for number, tree in enumerate(self._compiled):
            total[:, number % count] += tree.predict(x)[:, 0]
        start = np.zeros(count, np.float32) if classifier.bias is None else classifier.bias
        return _softmax((total + start).astype(np.float32))


def _softmax(scores: Float) -> Float:
    scores = scores - scores.max(axis=1, keepdims=True)
    result: Float = np.exp(scores)
    result /= result.sum(axis=1, keepdims=True)
    return result
