# SPDX-License-Identifier: GPL-2.0-or-later
"""The frozen encoders, and what they make of crops: patch tokens, class tokens, attention of every block."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import safetensors.torch
import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from backend.model_card import ModelCard
from backend.network.attention import QkvTap, class_token_attention
from backend.network.model import SardineModel, build_model
from backend.network.model_file import load_model
from training.checkpoint import CHECKPOINT, load_checkpoint
from training.simulation.fields import F32
from training.study.crops import CropSet
from training.study.rollout import class_token_rollout

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
    the class token's, `rollout` [N, P] that through all blocks (`rollout.py`); mean 1 over valid patches, 0 elsewhere.
    """

    tokens: F32
    norms: F32
    class_tokens: F32
    attention: F32
    rollout: F32


def read_encoder(path: Path) -> tuple[FrozenEncoder, ModelCard]:
    """The pre-trained encoder of a run folder or a model file. Raises as `load_checkpoint` and `load_model`, and ValueError for one
    that saw labels.
    """
    if not path.exists():
        raise FileNotFoundError(
            f"{path} is not there: a run folder of `pretrain` is needed, or a model file of one. `make study` makes a small one "
            "first (some 20 minutes on two CPU cores), `pretrain --config training/configs/bundled/pretrain.yaml` a larger one "
            "(minutes on a GPU, some 20 hours on two cores). Or name yours with --encoder."
        )
    if path.is_dir():
        checkpoint = load_checkpoint(path)
        card, weights = ModelCard.from_json(checkpoint.card), checkpoint.weights
    else:
        _, card = load_model(path)  # checked whole
        # As they lie in the file: the loaded model's positions are those of its window already.
        weights = {name: tensor.float() for name, tensor in safetensors.torch.load_file(path).items()}
    if card.classes:
        raise ValueError(f"{path} has classes: its encoder saw labels. A run of `pretrain` is needed, or a model file of one.")
    model = build_model(card)
    model.encoder.load_state_dict({name.removeprefix("encoder."): value for name, value in weights.items()})
    return FrozenEncoder(_frozen(model)), card


def weights_file(encoder: Path) -> Path:
    """The file that holds the weights of the encoder at `encoder`, a run folder or a model file."""
    return encoder / CHECKPOINT if encoder.is_dir() else encoder


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
            qkv, prefix = [tap.value() for tap in taps], vit.num_prefix_tokens
            attention = torch.stack([class_token_attention(of_block, heads, prefix, valid) for of_block in qkv], dim=1)
            parts.append(_as_features(tokens, last[:, 0], attention, class_token_rollout(qkv, heads, prefix, valid)))
    joined = (np.concatenate([getattr(part, name) for part in parts]) for name in Features.__dataclass_fields__)
    return Features(*joined)


def _as_features(tokens: Tensor, class_tokens: Tensor, attention: Tensor, rollout: Tensor) -> Features:
    normed = functional.layer_norm(tokens, tokens.shape[-1:])
    values = (normed, tokens.norm(dim=-1), class_tokens, attention.nan_to_num(0.0), rollout)
    return Features(*(value.numpy() for value in values))
