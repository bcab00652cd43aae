# SPDX-License-Identifier: GPL-2.0-or-later
"""A small U-Net (Ronneberger et al. 2015, arXiv 1505.04597) as a control: what convolutions alone learn from the same labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from backend.radiometry import BoolArray, standardise
from training.card import band_specs
from training.config import BandsConfig
from training.evaluate.learning import WATER_GROUP, LearningScene
from training.evaluate.legends import F32, SIX_GROUPS, U8, WATER, Legend
from training.evaluate.maps import GroupMap, read_radar
from training.evaluate.scenes import LabelledScene
from training.finetuning.losses import SegmentationLoss
from training.metrics import IGNORE

WIDTHS = (16, 32, 64, 64)
CROP_PX = 96
BATCH = 16
DICE_WEIGHT = 0.5
LEARNING_RATE = 2e-3
GAIN_DB, BAND_GAIN_DB = 1.5, 0.5
"""As `finetune` has them."""


class SmallUNet(nn.Module):
    """About 0.3 M parameters: three halvings, WIDTHS channels. Input [B, 2, H, W] standardised, H and W multiples of 8."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        ins = (2, *WIDTHS[:-1])
        self.down = nn.ModuleList(_double(a, b) for a, b in zip(ins, WIDTHS, strict=True))
        self.up = nn.ModuleList(_double(a + b, b) for a, b in zip(WIDTHS[:0:-1], WIDTHS[-2::-1], strict=True))
        self.classify = nn.Conv2d(WIDTHS[0], classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits [B, classes, H, W]."""
        kept = []
        for level, block in enumerate(self.down):
            x = block(functional.max_pool2d(x, 2) if level else x)
            kept.append(x)
        for block, skip in zip(self.up, kept[-2::-1], strict=True):
            x = block(torch.cat([functional.interpolate(x, scale_factor=2.0, mode="bilinear"), skip], dim=1))
        logits: Tensor = self.classify(x)
        return logits


def _double(ins: int, outs: int) -> nn.Sequential:
    parts: list[nn.Module] = []
    for channels in (ins, outs):
        parts += [nn.Conv2d(channels, outs, 3, padding=1, bias=False), nn.BatchNorm2d(outs), nn.ReLU(inplace=True)]
    return nn.Sequential(*parts)


class UNetMapper:
    """A SmallUNet of SIX_GROUPS, trained on crops around labelled pixels of the scenes learnt from, all scenes alike.

    Water labels teach it too: "not water" is any group but water, as `finetune` takes partial labels.
    """

    def __init__(self, scenes: Sequence[LearningScene], name: str, seed: int, steps: int) -> None:
        self.name = name
        self._net = train(scenes, seed, steps)

    def map(self, scene: LabelledScene, legend: Legend, where: BoolArray | None = None) -> GroupMap | None:
        if legend != WATER and legend.names != SIX_GROUPS.names:
            return None
        radar = read_radar(scene)
        x, valid = standardise(radar.values_db, band_specs(BandsConfig()))
        height, width = valid.shape
        padding = (0, -width % 8, 0, -height % 8)
        with torch.inference_mode():
            padded = functional.pad(torch.from_numpy(x)[None], padding, mode="replicate")
            probabilities = self._net(padded)[0, :, :height, :width].softmax(0).numpy()
        groups, confidence = probabilities.argmax(axis=0), probabilities.max(axis=0)
        if legend == WATER:
            water = groups == WATER_GROUP
            groups = water.astype(np.int64)
            confidence = np.where(water, probabilities[WATER_GROUP], 1 - probabilities[WATER_GROUP])
        return GroupMap(np.where(valid, groups, IGNORE).astype(np.uint8), confidence.astype(np.float32), radar.grid)


NOT_WATER = len(SIX_GROUPS)
"""Target of a pixel that is any group but water."""


def target_of(scene: LearningScene) -> U8:
    """The group of each pixel, NOT_WATER where the label says no more than that, IGNORE where it says nothing; uint8 [H, W]."""
    partial = np.where(scene.water == 1, WATER_GROUP, np.where(scene.water == 0, NOT_WATER, IGNORE))
    return np.where(scene.groups != IGNORE, scene.groups, partial).astype(np.uint8)


def train(scenes: Sequence[LearningScene], seed: int, steps: int) -> SmallUNet:
    """A net trained for `steps` of BATCH crops by the loss of `finetune`. Raises ValueError where nothing is labelled."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    kept = [(scene, target_of(scene)) for scene in scenes]
    kept = [(scene, target) for scene, target in kept if (target != IGNORE).any()]
    if not kept:
        raise ValueError("No scene to learn from.")
    pools = [_pools(target) for _, target in kept]
    members = torch.cat([torch.eye(NOT_WATER), torch.ones(1, NOT_WATER)]).bool()
    members[NOT_WATER, WATER_GROUP] = False
    loss_of = SegmentationLoss(members, None, DICE_WEIGHT)
    net = SmallUNet(NOT_WATER).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(net.parameters(), lr=LEARNING_RATE, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps, pct_start=0.05)
    net.train()
    for _ in range(steps):
        x, target = draw_crops(rng, kept, pools)
        with torch.autocast("cpu", torch.bfloat16):
            logits = net(torch.from_numpy(x).contiguous(memory_format=torch.channels_last))
        loss = loss_of(logits, torch.from_numpy(target).long())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    return net.eval()


def _pools(target: U8) -> list[npt.NDArray[np.int64]]:
    """Where crops may be centred: in turn on a pixel of each group; any labelled pixel where the label is of water alone."""
    values = [int(value) for value in np.unique(target) if value != IGNORE]
    if set(values) <= {WATER_GROUP, NOT_WATER}:
        return [np.flatnonzero(target != IGNORE)]
    return [np.flatnonzero(target == value) for value in values]


def draw_crops(
    rng: np.random.Generator, scenes: Sequence[tuple[LearningScene, U8]], pools: Sequence[Sequence[npt.NDArray[np.int64]]]
) -> tuple[F32, U8]:
    """BATCH crops of scenes and their targets: input [BATCH, 2, S, S], targets [BATCH, S, S]; mirrored, turned and brightened."""
    specs = band_specs(BandsConfig())
    x = np.zeros((BATCH, 2, CROP_PX, CROP_PX), dtype=np.float32)
    target = np.full((BATCH, CROP_PX, CROP_PX), IGNORE, dtype=np.uint8)
    for number in range(BATCH):
        chosen = int(rng.integers(len(scenes)))
        (scene, truth), pool = scenes[chosen], pools[chosen][int(rng.integers(len(pools[chosen])))]
        height, width = truth.shape
        row, column = divmod(int(rng.choice(pool)), width)
        top, left = (
            int(np.clip(centre - rng.integers(CROP_PX), 0, max(0, length - CROP_PX)))
            for centre, length in ((row, height), (column, width))
        )
        part = np.s_[top : top + CROP_PX, left : left + CROP_PX]
        gain_db = rng.uniform(-GAIN_DB, GAIN_DB) + rng.uniform(-BAND_GAIN_DB, BAND_GAIN_DB, 2)
        crop, valid = standardise(scene.values_db[(slice(None), *part)] + gain_db.astype(np.float32)[:, None, None], specs)
        label = np.where(valid, truth[part], IGNORE)
        x[number, :, : label.shape[0], : label.shape[1]] = crop
        target[number, : label.shape[0], : label.shape[1]] = label
        turns, mirrored = int(rng.integers(4)), bool(rng.integers(2))
        x[number], target[number] = np.rot90(x[number], turns, (1, 2)), np.rot90(target[number], turns)
        if mirrored:
            x[number], target[number] = x[number, :, ::-1].copy(), target[number, ::-1].copy()
    return x, target
