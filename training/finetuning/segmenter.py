# SPDX-License-Identifier: GPL-2.0-or-later
"""The network that a fine-tuning trains, its average, its loss and its optimiser: one step, and the state to go on from."""

from __future__ import annotations

import copy
import re
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from backend.network.model import SardineModel
from training.distributed import Team
from training.finetuning.config import ALL_BLOCKS, FinetuneConfig
from training.finetuning.label_sets import set_weights
from training.finetuning.labelled_data import LabelledData
from training.finetuning.losses import SegmentationLoss

UNDECAYED = ("pos_embed", "cls_token", "reg_token")


class Segmenter:
    """`model` is trained; `averaged` follows it, and is what is kept."""

    def __init__(self, model: SardineModel, config: FinetuneConfig, data: LabelledData, device: torch.device) -> None:
        # Channels last, as the backend runs it: the convolutions of the decoder are faster so, on a CPU and on a GPU.
        self.model = model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.averaged = copy.deepcopy(self.model).eval().requires_grad_(False)
        self._frozen = freeze(self.model, config.train_blocks)
        self._trained = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        averaged = dict(self.averaged.named_parameters())
        self._followers = [averaged[name] for name, parameter in self.model.named_parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.AdamW(
            parameter_groups(self.model, config.weight_decay, config.layer_decay), lr=0.0, betas=(0.9, 0.98), fused=True
        )
        members = torch.from_numpy(data.members).to(device)
        self.loss = SegmentationLoss(members, loss_weights(config, data, device), config.dice_weight)
        self._config = config

    def step(self, x: Tensor, target: Tensor, step: int, rate: float, team: Team) -> Tensor:
        """One step with the learning rate `rate` (before layer-wise decay) on `x` [B, bands, S, S]; the loss, on the device."""
        self.model.train()
        for part in self._frozen:
            part.eval()  # no stochastic depth in what does not learn
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self._config.precision == "bf16"):
            logits = self.model(x.contiguous(memory_format=torch.channels_last), want_attention=False).logits
        loss: Tensor = self.loss(logits, target, team)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        team.average_gradients(self._trained)
        torch.nn.utils.clip_grad_norm_(self._trained, self._config.clip_gradient)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["rate_scale"]
        self.optimizer.step()
        self._average(step)
        return loss.detach()

    @torch.no_grad()
    def _average(self, step: int) -> None:
        # Early on the average follows fast: decay (1 + n) / (10 + n), as in TensorFlow's ExponentialMovingAverage.
        decay = min(self._config.ema_decay, (1 + step) / (10 + step)) if self._config.ema_decay > 0 else 0.0
        torch._foreach_lerp_(self._followers, self._trained, 1 - decay)

    def state(self) -> dict[str, Any]:
        """All that a later run needs to go on, as tensors and plain values."""
        return {
            "model": self.model.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Takes over what `state` gave."""
        self.model.load_state_dict(state["model"])
        self.averaged.load_state_dict(state["averaged"])
        self.optimizer.load_state_dict(state["optimizer"])

    def finite(self) -> bool:
        """Whether all weights are numbers."""
        return bool(torch.stack([parameter.isfinite().all() for parameter in self._trained]).all())


def loss_weights(config: FinetuneConfig, data: LabelledData, device: torch.device) -> Tensor | None:
    """Weight of each kind of label in the cross-entropy; over the pixels that training sees its mean is 1. None: all alike."""
    classes = data.members.shape[1]
    shares = data.label_shares()
    if config.class_weights:
        weights = np.array(config.class_weights)
    elif config.balance_classes > 0:
        # A pixel of a set counts a part for each of its classes.
        frequency = (shares / data.members.sum(axis=1)) @ data.members
        weights = np.maximum(frequency, 1e-6) ** -config.balance_classes
    else:
        return None
    if len(weights) != classes:
        raise ValueError(f"{len(weights)} class weights were given for {classes} classes.")
    of_sets = set_weights(weights, data.members)
    return torch.from_numpy((of_sets / (of_sets @ shares)).astype(np.float32)).to(device)


def freeze(model: SardineModel, train_blocks: int) -> list[nn.Module]:
    """Stops all of the encoder but its last `train_blocks` blocks from learning (ALL_BLOCKS: nothing); returns what was stopped."""
    if train_blocks == ALL_BLOCKS:
        return []
    encoder = model.encoder
    kept = list(encoder.blocks.children())[len(encoder.blocks) - train_blocks :] if train_blocks else []
    encoder.requires_grad_(False)
    for block in kept:
        block.requires_grad_(True)
    return [part for part in (encoder.patch_embed, *encoder.blocks.children()) if part not in kept]


def parameter_groups(model: SardineModel, weight_decay: float, layer_decay: float) -> list[dict[str, Any]]:
    """Parameters that learn, by learning rate and decay. `rate_scale` is `layer_decay` to the power of the layers above: the
    decoder is the topmost, then the blocks from the last to the first, then patch embedding, positions and class token
    (Clark et al. 2020, arXiv 2003.10555, section 3; as in BEiT, Bao et al. 2021, arXiv 2106.08254, appendix).
    """
    depth = len(model.encoder.blocks)
    groups: dict[tuple[int, float], dict[str, Any]] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        decay = 0.0 if parameter.ndim < 2 or name.endswith(UNDECAYED) else weight_decay
        layer = layer_of(name, depth)
        scale = layer_decay ** (depth + 1 - layer)
        group = groups.setdefault((layer, decay), {"params": [], "weight_decay": decay, "rate_scale": scale})
        group["params"].append(parameter)
    return list(groups.values())


def layer_of(name: str, depth: int) -> int:
    """0 for what comes before the first block, k for block k - 1, depth + 1 for the decoder and the encoder's last norm."""
    block = re.match(r"encoder\.blocks\.(\d+)\.", name)
    if block:
        return int(block[1]) + 1
    return depth + 1 if name.startswith(("decoder.", "encoder.norm.")) else 0
