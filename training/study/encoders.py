# SPDX-License-Identifier: GPL-2.0-or-later
"""The frozen encoders, and what they make of crops: patch tokens, class tokens, attention of every block."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from backend.model_card import ModelCard
from backend.network.attention import QkvTap, class_token_attention
from backend.network.model import SardineModel, build_model
from training.checkpoint import load_checkpoint
from training.simulation.fields import F32
from training.study.crops import CropSet

PRETRAINED = "pre-trained"
CROPS_AT_ONCE = 64


@dataclass(frozen=True)
class FrozenEncoder:
    """`seed` is that of a random encoder's weights; None for the pre-trained one."""

    model: SardineModel
    seed: int | None = None

    @property
    def name(self) -> str:
        return PRETRAINED if self.seed is None else f"random {self.seed}"


@dataclass(frozen=True, eq=False)
class Features:
    """What an encoder makes of N crops of P patches; all float32.

    `tokens` [N, P, D] are the last block's, each with mean 0 and variance 1, as the backend's; `norms` [N, P] their lengths before
    that. `class_tokens` [N, D] come after the encoder's last norm, as DINO's head sees them. `attention` [N, blocks, heads, P] is
    the class token's, mean 1 over valid patches, 0 elsewhere.
    """

    tokens: F32
    norms: F32
    class_tokens: F32
    attention: F32


def read_encoder(folder: Path) -> tuple[FrozenEncoder, ModelCard]:
    """The pre-trained encoder of a run folder. Raises as `load_checkpoint`, and ValueError for a run of `finetune`."""
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{folder} is not there: a run folder of `pretrain` is needed. Make one with `python -m training.run pretrain --config "
            "training/configs/bundled/pretrain.yaml` (minutes on a GPU, some 20 hours on two CPU cores) or `…/pretrain_small.yaml` "
            "(minutes on a CPU), or name yours with --encoder."
        )
    checkpoint = load_checkpoint(folder)
    card = ModelCard.from_json(checkpoint.card)
    if card.classes:
        raise ValueError(f"{folder} is a run of `finetune`, whose encoder saw labels: a run of `pretrain` is needed.")
    model = build_model(card)
    weights = {name.removeprefix("encoder."): value for name, value in checkpoint.weights.items() if name.startswith("encoder.")}
    model.encoder.load_state_dict(weights)
    return FrozenEncoder(_frozen(model)), card


def random_encoder(card: ModelCard, seed: int) -> FrozenEncoder:
    """An encoder of the same form whose weights are as they were drawn. The same seed gives the same weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return FrozenEncoder(_frozen(build_model(card)), seed)


def _frozen(model: SardineModel) -> SardineModel:
    return model.requires_grad_(False).eval()


@torch.inference_mode()
def extract(encoder: FrozenEncoder, crops: CropSet) -> Features:
    """Runs the encoder over the crops, on the CPU in float32."""
    vit = encoder.model.encoder
    blocks = list(cast("list[nn.Module]", vit.blocks))
    parts = []
    with ExitStack() as stack:
        taps = [stack.enter_context(QkvTap(cast(nn.Module, cast(nn.Module, block.attn).qkv))) for block in blocks]
        for start in range(0, len(crops), CROPS_AT_ONCE):
            chosen = slice(start, start + CROPS_AT_ONCE)
            x, valid = torch.from_numpy(crops.x[chosen]), torch.from_numpy(crops.patch_valid[chosen])
            found = vit.forward_intermediates(x, indices=[len(blocks) - 1], norm=False, output_fmt="NLC")
            last, [tokens] = cast("tuple[Tensor, list[Tensor]]", found)
            heads = int(cast(nn.Module, blocks[0].attn).num_heads)  # type: ignore[arg-type]
            attention = [class_token_attention(tap.value(), heads, vit.num_prefix_tokens, valid) for tap in taps]
            parts.append(_as_features(tokens, last[:, 0], torch.stack(attention, dim=1)))
    joined = (np.concatenate([getattr(part, name) for part in parts]) for name in Features.__dataclass_fields__)
    return Features(*joined)


def _as_features(tokens: Tensor, class_tokens: Tensor, attention: Tensor) -> Features:
    normed = functional.layer_norm(tokens, tokens.shape[-1:])
    values = (normed, tokens.norm(dim=-1), class_tokens, attention.nan_to_num(0.0))
    return Features(*(value.numpy() for value in values))
