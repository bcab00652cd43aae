# SPDX-License-Identifier: GPL-2.0-or-later
"""Class-token attention over the valid patches, from a block's own queries and keys.

The quantity: in one block, for each head, the class token's query against the keys of the valid patch tokens alone
(class token, registers and patches without data are left out before the softmax), the softmax multiplied by the number of
those patches, so that 1 means "as much as the average patch". DINO (Caron et al. 2021, arXiv 2104.14294, section 4.2.2)
looks at the same rows of the last block, normalised over all tokens; leaving the others out before the softmax equals
dividing those rows by their sum over the valid patches.

One query row a head is needed, not the N x N matrix: it costs N products where the block's own attention costs N x N.

A query from elsewhere may stand in for the window's own: `scene_attention.py` scores every patch of a scene against one.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def class_token_attention(qkv: Tensor, num_heads: int, prefix_tokens: int, patch_valid: Tensor) -> Tensor:
    """The class token's attention to each patch: float32 [batch, heads, patches], mean 1 over valid patches, NaN elsewhere.

    `qkv` and `prefix_tokens` are as `patch_scores` takes them; `patch_valid` is bool [batch, patches].
    """
    scores = patch_scores(qkv, class_token_query(qkv, num_heads), prefix_tokens)
    valid = patch_valid[:, None, :]
    share: Tensor = scores.masked_fill(~valid, float("-inf")).softmax(dim=-1)
    # A window without a valid patch gives 0/0 in the softmax; the mask below makes all of it NaN in any case.
    return (share * valid.sum(dim=-1, keepdim=True)).masked_fill(~valid, float("nan"))


def class_token_query(qkv: Tensor, num_heads: int) -> Tensor:
    """The class token's query of each head, float32 [batch, heads, head_dim]. `qkv` is as `patch_scores` takes it."""
    return _by_head(qkv, num_heads)[0, :, :, 0]


def patch_scores(qkv: Tensor, query: Tensor, prefix_tokens: int) -> Tensor:
    """The scaled product of `query` with each patch's key, as it goes into a softmax: float32 [batch, heads, patches].

    `qkv` is the output of the block's `qkv` layer, [batch, tokens, 3 * dim], ordered as timm's Attention orders it
    (timm/layers/attention.py): query, key, value, each head after head. The class token comes first, then registers up to
    `prefix_tokens`, then the patches. `query` is float32 [batch or 1, heads, head_dim].
    """
    _, num_heads, head_dim = query.shape
    key = _by_head(qkv, num_heads)[1, :, :, prefix_tokens:]
    # [batch, heads, 1, head_dim] x [batch, heads, head_dim, patches] -> [batch, heads, patches]
    with torch.autocast(qkv.device.type, enabled=False):  # autocast would do this product in bfloat16, float32 inputs or not
        scores: Tensor = (query[:, :, None].to(key.device) @ key.transpose(-2, -1)).squeeze(2) * head_dim**-0.5
    return scores


def _by_head(qkv: Tensor, num_heads: int) -> Tensor:
    """Query, key and value: float32 [3, batch, heads, tokens, head_dim]."""
    batch, tokens, width = qkv.shape
    return qkv.reshape(batch, tokens, 3, num_heads, width // 3 // num_heads).permute(2, 0, 3, 1, 4).float()


class QkvTap:
    """Keeps the output of one block's `qkv` layer during a forward, so that attention is read without a second pass."""

    def __init__(self, qkv_layer: nn.Module) -> None:
        self._kept: Tensor | None = None
        self._wanted = False
        qkv_layer.register_forward_hook(self._keep)

    def _keep(self, _module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if self._wanted:
            self._kept = output

    def __enter__(self) -> QkvTap:
        self._wanted = True
        return self

    def __exit__(self, *_: object) -> None:
        self._wanted = False
        self._kept = None

    def value(self) -> Tensor:
        """The kept [batch, tokens, 3 * dim]; raises RuntimeError where no forward has run inside the `with`."""
        if self._kept is None:
            raise RuntimeError("The block of the tap has not run.")
        return self._kept
