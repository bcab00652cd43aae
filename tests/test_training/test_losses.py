# SPDX-License-Identifier: GPL-2.0-or-later
"""Losses of whole and partial labels against slow plain versions; what stored labels become."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from training.finetuning.label_sets import label_tables, set_weights
from training.finetuning.losses import SegmentationLoss, dice_loss
from training.metrics import IGNORE

WATER_OR_NOT = {1: [80], 2: [10, 30, 80], 3: [10, 30]}
MEMBERS = torch.from_numpy(label_tables((10, 30, 80), [WATER_OR_NOT])[0])
"""Three classes alone, then "10 or 30"."""


def seeded(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def loss_of(logits: Tensor, target: Tensor, dice_weight: float, members: Tensor = MEMBERS, weights: Tensor | None = None) -> Tensor:
    return SegmentationLoss(members, weights, dice_weight)(logits, target)


def target_of(*shape: int, labels: int = 4) -> Tensor:
    return torch.randint(0, labels, shape, generator=torch.Generator().manual_seed(2))


def test_labels_should_become_sets_of_the_models_classes() -> None:
    members, (table, worldcover) = label_tables((10, 30, 80), [WATER_OR_NOT, {10: [10], 30: [30], 60: [60], 80: [80, 90]}])
    assert members.tolist() == [[True, False, False], [False, True, False], [False, False, True], [True, True, False]]
    assert table[:5].tolist() == [IGNORE, 2, IGNORE, 3, IGNORE], "unlabelled; water; anything; not water; not in the legend"
    assert worldcover[[10, 30, 60, 80]].tolist() == [0, 1, IGNORE, 2], "a class that the model lacks says nothing"


def test_label_that_no_byte_holds_should_be_refused() -> None:
    with pytest.raises(ValueError, match="300"):
        label_tables((10, 30), [{300: [10]}])


def test_loss_should_be_that_of_the_summed_probability() -> None:
    logits, target = seeded(2, 3, 4, 5), target_of(2, 4, 5)
    target[0, :2] = IGNORE
    weights = torch.tensor([1.0, 2.0, 0.5, 3.0])
    total = weight = 0.0
    for b in range(2):
        for row in range(4):
            for column in range(5):
                label = int(target[b, row, column])
                if label != IGNORE:
                    probability = logits[b, :, row, column].softmax(0)
                    total -= float(weights[label]) * math.log(float(probability[MEMBERS[label]].sum()))
                    weight += float(weights[label])
    assert float(loss_of(logits, target, 0.0, weights=weights)) == pytest.approx(total / weight, rel=1e-5)
    changed = logits.clone()
    changed[0, :, :2] += 7 * seeded(3, 2, 5)
    assert float(loss_of(changed, target, 0.5)) == pytest.approx(float(loss_of(logits, target, 0.5)), rel=1e-5)


def test_gradient_of_a_set_should_be_that_of_its_likelihood() -> None:
    logits, target = seeded(1, 3, 6, 6).requires_grad_(), target_of(1, 6, 6)
    (found,) = torch.autograd.grad(loss_of(logits, target, 0.0), logits)
    allowed = MEMBERS[target].permute(0, 3, 1, 2)
    plain = -logits.softmax(1).masked_fill(~allowed, 0.0).sum(1).log().mean()
    (expected,) = torch.autograd.grad(plain, logits)
    torch.testing.assert_close(found, expected, atol=1e-7, rtol=1e-5)


def test_set_that_is_found_very_unlikely_should_still_teach() -> None:
    logits = torch.tensor([0.0, 0.0, 400.0]).view(1, 3, 1, 1).requires_grad_()
    loss = loss_of(logits, torch.full((1, 1, 1), 3), 0.0)
    (gradient,) = torch.autograd.grad(loss, logits)
    assert float(loss.detach()) == pytest.approx(400 - math.log(2), rel=1e-5)
    torch.testing.assert_close(gradient.flatten(), torch.tensor([-0.5, -0.5, 1.0]))


def test_whole_labels_should_give_the_librarys_cross_entropy_either_way() -> None:
    logits, target = seeded(2, 3, 4, 5), target_of(2, 4, 5, labels=3)
    expected = float(torch.nn.functional.cross_entropy(logits, target))
    assert float(loss_of(logits, target, 0.0)) == pytest.approx(expected, rel=1e-6)
    assert float(loss_of(logits, target, 0.0, MEMBERS[:3])) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("members", [MEMBERS, MEMBERS[:3]])
def test_loss_of_a_batch_without_labels_should_be_zero_and_trainable(members: Tensor) -> None:
    logits = seeded(1, 3, 4, 4).requires_grad_()
    loss = loss_of(logits, torch.full((1, 4, 4), IGNORE), 0.5, members)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(0.0, abs=1e-6)
    assert logits.grad is not None
    assert float(logits.grad.abs().sum()) == pytest.approx(0.0, abs=1e-6)


def with_all(members: Tensor) -> Tensor:
    return torch.cat([members, torch.ones_like(members[:1])])


def test_dice_should_be_zero_for_a_perfect_prediction() -> None:
    target = torch.tensor([[[0, 1], [2, 2]]])
    probability = torch.nn.functional.one_hot(target, 3).permute(0, 3, 1, 2).float()
    assert float(dice_loss(probability, with_all(MEMBERS), target)) == pytest.approx(0.0, abs=1e-6)


def test_dice_of_a_class_should_take_only_pixels_that_say_whether_they_are_of_it() -> None:
    # 80 (water), "10 or 30", unlabelled, 10
    row = torch.tensor([[[2, 3, 4, 0]]])
    probability = torch.tensor([[0.1, 0.2, 0.7], [0.3, 0.4, 0.3], [0.2, 0.2, 0.6], [0.5, 0.4, 0.1]]).T.view(1, 3, 1, 4)
    water = 2 * 0.7 / ((0.7 + 0.3 + 0.1) + 1)  # of the pixel of the set it is known that it is no water
    trees = 2 * 0.5 / ((0.1 + 0.5) + 1)  # of that pixel it is not known whether it is trees
    assert float(dice_loss(probability, with_all(MEMBERS), row)) == pytest.approx(1 - (water + trees) / 2, rel=1e-5)


def test_weight_of_a_merged_class_should_follow_its_frequency() -> None:
    frequency = np.array([0.5, 0.3, 0.2])
    weights = set_weights(1 / frequency, MEMBERS.numpy())
    np.testing.assert_allclose(weights[:3], 1 / frequency, rtol=1e-6)
    assert weights[3] == pytest.approx(1 / np.mean(frequency[:2]))
