# SPDX-License-Identifier: GPL-2.0-or-later
"""All chips of a pre-training on its GPU: a step's parts are gathered there, and nothing travels."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from training.checks import free_memory_bytes
from training.pretraining.data import ChipSource, StepPlan

LARGEST_SHARE = 0.4
"""Of the GPU's free memory: the rest is the network's."""


class ResidentChips:
    """Every look of `source` as it is stored, [looks, bands, S, S] on `device`."""

    def __init__(self, source: ChipSource, device: torch.device) -> None:
        dtype = torch.from_numpy(np.empty(0, source.splits[0].values.dtype)).dtype
        self._chips = torch.empty(resident_shape(source), dtype=dtype, device=device)
        self._first = torch.from_numpy(source.first).to(device)
        for number, (split, row) in enumerate(source.looks.tolist()):
            stored = np.ascontiguousarray(source.splits[split].values[row, 0, list(source.bands)])
            self._chips[number] = torch.from_numpy(stored)

    def read(self, plan: StepPlan, part_px: int) -> Tensor:
        """What is stored of the plan's parts, [n, dates, bands, s, s]: as `ChipSource.read` has it."""
        device = self._chips.device
        indices, dates, starts = (torch.from_numpy(values).to(device) for values in (plan.indices, plan.dates, plan.starts))
        side = torch.arange(part_px or self._chips.shape[-1], device=device)
        look = (self._first[indices][:, None] + dates)[:, :, None, None, None]
        band = torch.arange(self._chips.shape[1], device=device)[None, None, :, None, None]
        row = (starts[:, :1] + side)[:, None, None, :, None]
        column = (starts[:, 1:] + side)[:, None, None, None, :]
        return self._chips[look, band, row, column]


def resident_shape(source: ChipSource) -> tuple[int, int, int, int]:
    return len(source.looks), len(source.bands), source.chip_px, source.chip_px


def resident_chips(source: ChipSource, device: torch.device) -> ResidentChips | None:
    """The chips on `device` where it is a GPU that has room for them; else None, and they are read from the memory map."""
    if device.type != "cuda":
        return None
    size = int(np.prod(resident_shape(source))) * source.splits[0].values.dtype.itemsize
    return ResidentChips(source, device) if size <= LARGEST_SHARE * (free_memory_bytes(device) or 0) else None
