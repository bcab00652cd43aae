# SPDX-License-Identifier: GPL-2.0-or-later
"""Attention rollout (Abnar and Zuidema 2020, arXiv 2005.00928, section 3): how much of each patch is in the class token at the end,
as far as attention alone tells.

Of each block the mean over heads of its attention matrix, half of which is replaced by the identity for the residual connection,
is multiplied with those of the blocks before it. All tokens take part; the class token's row is read at the patches.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def class_token_rollout(qkv: Sequence[Tensor], num_heads: int, prefix_tokens: int, patch_valid: Tensor) -> Tensor:
    """The class token's rollout over the patches: float32 [batch, patches], mean 1 over valid patches, 0 elsewhere.

    `qkv` are the outputs of the `qkv` layers of all blocks from the first on, each as `backend.network.attention.patch_scores`
    takes it; `patch_valid` is bool [batch, patches].
    """
    batch, tokens, _ = qkv[0].shape
    row = torch.zeros(batch, 1, tokens)
    row[..., 0] = 1  # the class token
    for of_block in reversed(qkv):  # a row times a matrix for each block, in place of products of matrices
        row = (row + row @ mean_attention(of_block, num_heads)) / 2
    share = row[:, 0, prefix_tokens:] * patch_valid
    return share * (patch_valid.sum(dim=1) / share.sum(dim=1).clamp_min(torch.finfo(share.dtype).tiny))[:, None]


def mean_attention(qkv: Tensor, num_heads: int) -> Tensor:
    """A block's attention of each token (row) to all tokens, mean over heads, float32 [batch, tokens, tokens]; rows sum to 1."""
    batch, tokens, width = qkv.shape
    by_head = qkv.reshape(batch, tokens, 3, num_heads, width // 3 // num_heads).permute(2, 0, 3, 1, 4).float()
    query, key = by_head[0], by_head[1]
    scores = query @ key.transpose(-2, -1) * query.shape[-1] ** -0.5
    attention: Tensor = scores.softmax(dim=-1).mean(dim=1)
    return attention
