# SPDX-License-Identifier: GPL-2.0-or-later
"""Losses of partial labels, with an ignored one. Always in float32: a product under autocast is cast silently."""

from __future__ import annotations

import torch
import torch.nn.functional as functional
from torch import Tensor

from training.distributed import ALONE, Team
from training.metrics import IGNORE


class SegmentationLoss:
    """Cross-entropy of the labelled set plus `dice_weight` times Dice.

    `members` is bool [sets, classes] as `label_sets.label_tables` makes it; `weights` float32 [sets] weighs pixels in the
    cross-entropy, None counts all alike. Both lie on the device of the logits.
    """

    def __init__(self, members: Tensor, weights: Tensor | None, dice_weight: float) -> None:
        everything = torch.ones_like(members[:1])  # what an unlabelled pixel may be
        self._members = torch.cat([members, everything])
        self._weights = torch.ones(len(members), device=members.device) if weights is None else weights
        self._dice_weight = dice_weight

    def __call__(self, logits: Tensor, target: Tensor, team: Team = ALONE) -> Tensor:
        """The loss of `logits` [B, K, H, W] against `target` int64 [B, H, W], rows of `members`; IGNORE counts nowhere.

        The mean over the processes of `team` is the cross-entropy of all labelled pixels that they have, however these are
        spread among them, and the mean of their Dice. A batch without a labelled pixel has loss 0 and keeps its graph.
        """
        log_probability = functional.log_softmax(logits.float(), dim=1)
        labelled = target != IGNORE
        row = torch.where(labelled, target, len(self._weights))
        weight = torch.cat([self._weights, self._weights.new_zeros(1)])[row]
        total = team.mean(weight.sum()).clamp_min(1e-12)
        loss = (set_negative_log_likelihood(log_probability, self._members, row) * weight).sum() / total
        if self._dice_weight > 0:
            loss = loss + self._dice_weight * dice_loss(log_probability.exp(), self._members, row)
        return loss


def set_negative_log_likelihood(log_probability: Tensor, members: Tensor, row: Tensor) -> Tensor:
    """-log of the summed probability of each pixel's set, [B, H, W]: what a label of merged classes says.

    `log_probability` is [B, K, H, W], `members` bool [sets, K], `row` int64 [B, H, W]. Of a set of one it is the cross-entropy.
    """
    classes = log_probability.shape[1]
    if len(members) == classes + 1:  # no set of several: the library's kernel is twice as fast
        return functional.nll_loss(log_probability, row, ignore_index=classes, reduction="none")
    with torch.no_grad():
        allowed = members[row].permute(0, 3, 1, 2)  # [B, K, H, W]
        within = log_probability.masked_fill(~allowed, -torch.inf)
        set_log_probability = within.logsumexp(dim=1)
        share = (within - set_log_probability[:, None]).exp()
    # Its gradient by a logit is softmax - share, which is also that of this sum with `share` held: half the time of letting
    # autograd go through the masked logsumexp. The value is the true one.
    stand_in = -(share * log_probability).sum(dim=1)
    return stand_in + (-set_log_probability - stand_in).detach()


def dice_loss(probability: Tensor, members: Tensor, row: Tensor) -> Tensor:
    """1 - the mean soft Dice over the classes that occur in the batch (Milletari et al. 2016, arXiv 1606.04797, section 3).

    A class's Dice is over the pixels that are known to be of it or known not to be: a pixel labelled "not water" says that it
    is no water, but neither that it is grassland nor that it is not, so that it counts for water alone. A class occurs where a
    pixel has its label alone. Shapes as in `set_negative_log_likelihood`, the last row of `members` being all classes.
    """
    allowed = members[row].permute(0, 3, 1, 2)
    alone = (members.sum(dim=1) == 1)[row][:, None]
    truth = (allowed & alone).float()
    known = (~allowed | alone).float()
    overlap = (probability * truth).sum(dim=(0, 2, 3))
    size = (probability * known).sum(dim=(0, 2, 3)) + truth.sum(dim=(0, 2, 3))
    present = (truth.sum(dim=(0, 2, 3)) > 0).float()
    dice = 2 * overlap / size.clamp_min(1e-6)
    # Without a class there is nothing to say: 0, not 1.
    return (present * (1 - dice)).sum() / present.sum().clamp_min(1)
