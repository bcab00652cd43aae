# SPDX-License-Identifier: GPL-2.0-or-later
"""Figures against slow plain versions; the temperature against a known one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from training.metrics import IGNORE, ConfusionMatrix, fit_temperature


def slow_scores(truth: list[int], predicted: list[int], classes: int) -> tuple[float, float, float, list[float]]:
    pairs = [(t, p) for t, p in zip(truth, predicted, strict=True) if t != IGNORE]
    iou, f1 = [], []
    for k in range(classes):
        both = sum(t == k and p == k for t, p in pairs)
        either = sum(k in (t, p) for t, p in pairs)
        present = any(t == k for t, _ in pairs)
        iou.append(both / either if present else math.nan)
        f1.append(2 * both / (either + both) if present else math.nan)
    mean = [sum(v for v in values if v == v) / sum(v == v for v in values) for values in (iou, f1)]
    return sum(t == p for t, p in pairs) / len(pairs), mean[0], mean[1], iou


@settings(deadline=None, max_examples=60)
@given(
    hnp.arrays(np.int64, 40, elements=st.sampled_from([0, 1, 2, 3, IGNORE])),
    hnp.arrays(np.int64, 40, elements=st.integers(0, 3)),
)
def test_scores_should_equal_a_slow_plain_version(truth: np.ndarray, predicted: np.ndarray) -> None:
    truth[0] = 2
    matrix = ConfusionMatrix(5)
    matrix.add(truth[:25], predicted[:25])
    matrix.add(truth[25:], predicted[25:])
    scores = matrix.scores()
    accuracy, mean_iou, mean_f1, iou = slow_scores(truth.tolist(), predicted.tolist(), 5)
    assert scores.overall_accuracy == pytest.approx(accuracy)
    assert scores.mean_iou == pytest.approx(mean_iou)
    assert scores.mean_f1 == pytest.approx(mean_f1)
    assert scores.iou == pytest.approx(iou, nan_ok=True)


def test_class_that_never_occurs_should_not_count_as_zero() -> None:
    matrix = ConfusionMatrix(3)
    matrix.add(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 1]))
    assert matrix.scores().mean_iou == 1.0
    assert math.isnan(matrix.scores().iou[2])


def test_scores_of_nothing_should_be_not_a_number() -> None:
    matrix = ConfusionMatrix(3)
    matrix.add(np.array([IGNORE]), np.array([1]))
    assert matrix.scores().pixels == 0
    assert math.isnan(matrix.scores().mean_iou)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_temperature_should_be_found_where_labels_are_drawn_from_it(temperature: float) -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3, (20_000, 4)).astype(np.float32)
    scaled = np.exp(logits / temperature)
    truth = (rng.random((20_000, 1)) > np.cumsum(scaled / scaled.sum(1, keepdims=True), axis=1)).sum(1)
    truth[:500] = IGNORE
    assert fit_temperature(logits, truth) == pytest.approx(temperature, rel=0.05)


def test_temperature_without_labels_should_be_refused() -> None:
    with pytest.raises(ValueError, match="No labelled pixel"):
        fit_temperature(np.zeros((3, 2), np.float32), np.full(3, IGNORE))


def test_label_of_several_classes_should_count_as_right_for_each_of_them_and_as_a_hit_of_none() -> None:
    members = np.array([[True, False, False], [False, True, False], [False, False, True], [True, True, False]])
    matrix = ConfusionMatrix(3, members)
    matrix.add(np.array([3, 3, 3, 0, 2, IGNORE]), np.array([0, 1, 2, 0, 2, 2]))
    scores = matrix.scores()
    assert scores.pixels == 5
    assert scores.overall_accuracy == pytest.approx(4 / 5)
    assert scores.iou == pytest.approx([1.0, math.nan, 1 / 2], nan_ok=True), "what is surely no water was taken for it once"
    assert scores.mean_iou == pytest.approx(3 / 4)


def test_temperature_should_count_the_probability_of_a_labels_whole_set() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (20_000, 3)).astype(np.float32)
    probability = np.exp(logits / 1.7)
    probability /= probability.sum(1, keepdims=True)
    truth = (rng.random(len(logits))[:, None] > probability.cumsum(1)).sum(1).clip(0, 2)
    members = np.array([[True, False, False], [False, True, False], [False, False, True], [True, True, False]])
    merged = np.where(truth == 2, 2, 3)
    assert fit_temperature(logits, merged, members) == pytest.approx(1.7, rel=0.1)
