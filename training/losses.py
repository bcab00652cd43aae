# SPDX-License-Identifier: GPL-2.0-or-later
"""Losses with an ignored label. Always in float32: a product under autocast is cast silently."""

from __future__ import annotations

import torch
import torch.nn.functional as functional
from torch import Tensor

from training.metrics import IGNORE


def segmentation_loss(logits: Tensor, target: Tensor, dice_weight: float) -> Tensor:
    """Cross-entropy plus `dice_weight` times Dice of `logits` [B, K, H, W] against `target` int64 [B, H, W]; IGNORE counts nowhere.

    A batch without a labelled pixel has loss 0 and keeps its graph.
    """
    logits = logits.float()
    labelled = target != IGNORE
    if not bool(labelled.any()):
        return logits.sum() * 0.0
    loss = functional.cross_entropy(logits, target, ignore_index=IGNORE)
    if dice_weight > 0:
        loss = loss + dice_weight * dice_loss(logits, target, labelled)
    return loss


def dice_loss(logits: Tensor, target: Tensor, labelled: Tensor) -> Tensor:
    """1 - the mean soft Dice over the classes that occur in the batch (Milletari et al. 2016, arXiv 1606.04797, section 3)."""
    classes = logits.shape[1]
    probability = logits.softmax(dim=1) * labelled[:, None]
    truth = functional.one_hot(torch.where(labelled, target, 0), classes).permute(0, 3, 1, 2) * labelled[:, None]
    overlap = (probability * truth).sum(dim=(0, 2, 3))
    size = (probability + truth).sum(dim=(0, 2, 3))
    present = truth.sum(dim=(0, 2, 3)) > 0
    return 1 - (2 * overlap[present] / size[present].clamp_min(1e-6)).mean()
