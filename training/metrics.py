# SPDX-License-Identifier: GPL-2.0-or-later
"""One confusion matrix over a whole data set, what follows from it, and the temperature that makes confidence honest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar

IGNORE = 255
"""Label of a pixel that counts nowhere: not in the loss, not in a figure."""


class ConfusionMatrix:
    """Counts of (true class, predicted class) over everything that was added."""

    def __init__(self, classes: int) -> None:
        self.counts = np.zeros((classes, classes), dtype=np.int64)

    def add(self, truth: npt.NDArray[np.integer], predicted: npt.NDArray[np.integer]) -> None:
        """Adds pixels of class index `truth` (IGNORE is left out) that were taken for `predicted`; both of one shape."""
        classes = len(self.counts)
        kept = truth != IGNORE
        pairs = truth[kept].astype(np.int64) * classes + predicted[kept]
        self.counts += np.bincount(pairs.ravel(), minlength=classes * classes).reshape(classes, classes)

    def scores(self) -> Scores:
        truth, predicted, hits = self.counts.sum(1), self.counts.sum(0), np.diag(self.counts)
        union = truth + predicted - hits
        with np.errstate(invalid="ignore", divide="ignore"):
            iou = np.where(truth > 0, hits / union, np.nan)
            f1 = np.where(truth > 0, 2 * hits / (truth + predicted), np.nan)
        total = int(truth.sum())
        return Scores(
            pixels=total,
            overall_accuracy=float(hits.sum() / total) if total else float("nan"),
            mean_iou=float(np.nanmean(iou)) if total else float("nan"),
            mean_f1=float(np.nanmean(f1)) if total else float("nan"),
            iou=tuple(float(value) for value in iou),
        )


@dataclass(frozen=True)
class Scores:
    """Figures of a confusion matrix. Means are over the classes that occur in the truth; `iou` is NaN for the others."""

    pixels: int
    overall_accuracy: float
    mean_iou: float
    mean_f1: float
    iou: tuple[float, ...]


def fit_temperature(logits: npt.NDArray[np.float32], truth: npt.NDArray[np.integer]) -> float:
    """The temperature in 0.2..5 that makes `softmax(logits / temperature)` likeliest (Guo et al. 2017, arXiv 1706.04599, 4.2).

    `logits` is [N, classes], `truth` the class index of each, IGNORE left out. Raises ValueError where nothing is labelled.
    """
    kept = truth != IGNORE
    if not kept.any():
        raise ValueError("No labelled pixel to fit a temperature on.")
    logits, truth = logits[kept].astype(np.float64), truth[kept].astype(np.int64)

    def negative_log_likelihood(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        scaled = scaled - scaled.max(axis=1, keepdims=True)
        chosen = np.take_along_axis(scaled, truth[:, None], axis=1)[:, 0]
        return float(np.mean(np.log(np.exp(scaled).sum(axis=1)) - chosen))

    best = minimize_scalar(negative_log_likelihood, bounds=(np.log(0.2), np.log(5.0)), method="bounded")
    return float(np.exp(best.x))
