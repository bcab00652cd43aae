# SPDX-License-Identifier: GPL-2.0-or-later
"""The rows that the current row of windows covers, kept from one row of windows to the next."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .scene.row_reader import NewRows
from .windows import WindowLayout


class Canvas:
    """The rows of the current row of windows: the network's input on its device, the masks in main memory."""

    def __init__(self, bands: int, layout: WindowLayout, device: torch.device) -> None:
        self._layout = layout
        height, width, patch = layout.window_px, layout.canvas.width, layout.patch_px
        self._x = torch.zeros((bands, height, width), dtype=torch.float32, device=device)
        self.wanted = np.zeros((height, width), dtype=np.bool_)
        self._patch_valid = np.zeros((height // patch, width // patch), dtype=np.bool_)
        self.patch_wanted = np.zeros_like(self._patch_valid)
        self._filled = 0

    def append(self, new: NewRows) -> None:
        """Puts new rows below those kept."""
        patch, rows = self._layout.patch_px, new.x.shape[1]
        end = self._filled + rows
        self._x[:, self._filled : end] = torch.from_numpy(new.x).to(self._x.device)
        self.wanted[self._filled : end] = new.wanted
        self._patch_valid[self._filled // patch : end // patch] = new.patch_valid
        self.patch_wanted[self._filled // patch : end // patch] = new.patch_wanted
        self._filled = end

    def wanted_columns(self) -> list[int]:
        """Numbers of the windows with a wanted pixel."""
        patch, side = self._layout.patch_px, self._layout.window_px // self._layout.patch_px
        wanted: NDArray[np.bool_] = np.logical_or.reduce(self.patch_wanted, axis=0)
        starts = (start // patch for start in self._layout.column_starts)
        return [index for index, start in enumerate(starts) if wanted[start : start + side].any()]

    def windows(self, columns: list[int]) -> tuple[Tensor, Tensor]:
        """The network's input for these windows: x [n, bands, S, S] and patch_valid [n, S/p, S/p]."""
        side, patch = self._layout.window_px, self._layout.patch_px
        starts = [self._layout.column_starts[column] for column in columns]
        x = torch.stack([self._x[:, :, start : start + side] for start in starts])
        valid = np.stack([self._patch_valid[:, start // patch : (start + side) // patch] for start in starts])
        return x, torch.from_numpy(valid).to(x.device)

    def drop(self, rows: int) -> None:
        """Lets go of the first rows and moves the others up."""
        patch, kept = self._layout.patch_px, self._filled - rows
        for start in range(0, kept, rows):  # in steps, so that source and target of a copy never overlap
            end = min(start + rows, kept)
            self._x[:, start:end] = self._x[:, start + rows : end + rows]
        for mask, step in ((self.wanted, 1), (self._patch_valid, patch), (self.patch_wanted, patch)):
            mask[: kept // step] = mask[rows // step : self._filled // step]  # numpy copies as if there were no overlap
        self._filled = kept
