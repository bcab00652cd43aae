# SPDX-License-Identifier: GPL-2.0-or-later
"""One confusion matrix over a whole data set, what follows from it, and the temperature that makes confidence honest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

IGNORE = 255
"""Label of a pixel that counts nowhere: not in the loss, not in a figure."""

BoolArray = npt.NDArray[np.bool_]


class ConfusionMatrix:
    """Counts of (label, predicted class) over everything that was added.

    Labels are rows of `members`, bool [sets, classes]: first the classes alone, then sets of several of which one is true (see
    `label_sets.py`); without it there are classes alone. Of a pixel that is labelled with a set, a class of the set is a right
    prediction: it counts for the overall accuracy. Whether it is that class nobody knows, so that it is no hit in a class's
    intersection over union; a class outside of the set is a false one there.
    """

    def __init__(self, classes: int, members: BoolArray | None = None) -> None:
        self.members = np.eye(classes, dtype=np.bool_) if members is None else members
        self.counts = np.zeros((len(self.members), classes), dtype=np.int64)

    def add(self, truth: npt.NDArray[np.integer], predicted: npt.NDArray[np.integer]) -> None:
        """Adds pixels of label `truth` (IGNORE is left out) that were taken for class `predicted`; both of one shape."""
        classes = self.counts.shape[1]
        kept = truth != IGNORE
        pairs = truth[kept].astype(np.int64) * classes + predicted[kept]
        self.counts += np.bincount(pairs.ravel(), minlength=self.counts.size).reshape(self.counts.shape)

    def scores(self) -> Scores:
        classes = self.counts.shape[1]
        hits, truth = np.diag(self.counts), self.counts[:classes].sum(1)
        false = (self.counts * ~self.members).sum(0)  # taken for the class, and known to be none of it
        with np.errstate(invalid="ignore", divide="ignore"):
            iou = np.where(truth > 0, hits / (truth + false), np.nan)
            f1 = np.where(truth > 0, 2 * hits / (truth + hits + false), np.nan)
        pixels, named = int(self.counts.sum()), bool(truth.any())
        return Scores(
            pixels=pixels,
            overall_accuracy=float(self.counts[self.members].sum() / pixels) if pixels else float("nan"),
            mean_iou=float(np.nanmean(iou)) if named else float("nan"),
            mean_f1=float(np.nanmean(f1)) if named else float("nan"),
            iou=tuple(float(value) for value in iou),
            f1=tuple(float(value) for value in f1),
        )


def scores_of(counts: npt.NDArray[np.int64]) -> Scores:
    """The figures of a square matrix of counts (true class, predicted class)."""
    matrix = ConfusionMatrix(len(counts))
    matrix.counts = counts
    return matrix.scores()


@dataclass(frozen=True)
class Scores:
    """Figures of a confusion matrix. Means are over the classes that a label names alone; `iou` and `f1` are NaN for the others."""

    pixels: int
    overall_accuracy: float
    mean_iou: float
    mean_f1: float
    iou: tuple[float, ...]
    f1: tuple[float, ...]


def fit_temperature(logits: npt.NDArray[np.float32], truth: npt.NDArray[np.integer], members: BoolArray | None = None) -> float:
    """The temperature in 0.2..5 that makes `softmax(logits / temperature)` likeliest (Guo et al. 2017, arXiv 1706.04599, 4.2).

    `logits` is [N, classes], `truth` the label of each as in `ConfusionMatrix`, IGNORE left out. Raises ValueError where nothing
    is labelled.
    """
    kept = truth != IGNORE
    if not kept.any():
        raise ValueError("No labelled pixel to fit a temperature on.")
    logits = logits[kept].astype(np.float64)
    allowed = (np.eye(logits.shape[1], dtype=np.bool_) if members is None else members)[truth[kept].astype(np.int64)]

    def negative_log_likelihood(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        within = np.where(allowed, scaled, -np.inf)
        return float(np.mean(logsumexp(scaled, axis=1) - logsumexp(within, axis=1)))

    best = minimize_scalar(negative_log_likelihood, bounds=(np.log(0.2), np.log(5.0)), method="bounded")
    return float(np.exp(best.x))
