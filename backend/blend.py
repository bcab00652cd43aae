# SPDX-License-Identifier: GPL-2.0-or-later
"""Overlapping windows become one raster without seams: a weighted mean, kept only for the rows that are still open.

The weight of a pixel in a window is the Hann taper sin^2(pi (i + 1/2) / S) of its row times that of its column: largest in
the middle, smallest at the rim, where a model has seen the least around a pixel. Pielawski and Wahlby, "Introducing Hann
windows for reducing edge-effects in patch-based image segmentation", PLOS ONE 15(3), 2020, use it at 50% overlap, where its
sum is one by itself. Here the overlap is free and the last window of an axis is moved back, so each axis's weights are
divided by their sum over all windows of that axis. The sample points lie in the middle of pixels, so that no weight is zero.

Because the weights of an axis sum to one at each pixel, so do their products over rows and columns: no sum of weights has to
be kept beside the sum of values. A window that is left out would break that, so only windows without a wanted pixel are.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def hann_taper(length: int) -> NDArray[np.float64]:
    """sin^2(pi (i + 1/2) / length): symmetric, above 0, at most 1."""
    centres = np.arange(length, dtype=np.float64) + 0.5
    return np.asarray(np.sin(np.pi * centres / length) ** 2)


def axis_weights(starts: Sequence[int], window: int, length: int) -> NDArray[np.float32]:
    """Weights [windows, window] of one axis; over all windows that cover a cell they sum to one.

    `starts` cover cells 0 to `length` (pixels or patches) without a gap.
    """
    taper = hann_taper(window)
    total = np.zeros(length)
    for start in starts:
        total[start : start + window] += taper
    return np.stack([taper / total[start : start + window] for start in starts]).astype(np.float32)


class RowBlend:
    """The weighted sum of windows over the rows that a window can still touch: float32 [channels, window, width].

    Rows of windows come from top to bottom. After each, `finished` gives its rows that no later window touches, and `drop`
    lets go of them. Memory does not depend on the raster's height.
    """

    def __init__(
        self,
        channels: int,
        window: int,
        row_starts: Sequence[int],
        column_starts: Sequence[int],
        device: torch.device | str = "cpu",
        first: int = 0,
    ) -> None:
        """`first` is the number of the window row to begin with: a later one, where the rows above it are not wanted."""
        height, width = row_starts[-1] + window, column_starts[-1] + window
        self._window = window
        self._row_starts = tuple(row_starts)
        self._column_starts = tuple(column_starts)
        self._row_weights = torch.from_numpy(axis_weights(row_starts, window, height)).to(device)
        self._column_weights = torch.from_numpy(axis_weights(column_starts, window, width)).to(device)
        self._sum = torch.zeros((channels, window, width), dtype=torch.float32, device=device)
        self._row = first  # index of the window row at the top of the sum

    @property
    def device(self) -> torch.device:
        return self._sum.device

    def add(self, column_index: int, values: Tensor) -> None:
        """Adds `values` [channels, window, window] of the current window row's window number `column_index`."""
        weights = torch.outer(self._row_weights[self._row], self._column_weights[column_index])
        start = self._column_starts[column_index]
        # In place on a view: one pass over the values, no copy of the sum.
        self._sum[:, :, start : start + self._window].addcmul_(values.to(self._sum.device, torch.float32), weights)

    def finished(self) -> Tensor:
        """A view [channels, rows, width] of the current window row's finished rows; valid until `drop`."""
        return self._sum[:, : self._finished_rows()]

    def drop(self) -> None:
        """Moves on to the next window row."""
        rows = self._finished_rows()
        open_rows = self._window - rows
        # In steps of `rows`, so that source and target of a copy never overlap.
        for start in range(0, open_rows, rows):
            end = min(start + rows, open_rows)
            self._sum[:, start:end] = self._sum[:, start + rows : end + rows]
        self._sum[:, open_rows:] = 0.0
        self._row += 1

    def _finished_rows(self) -> int:
        if self._row + 1 < len(self._row_starts):
            return self._row_starts[self._row + 1] - self._row_starts[self._row]
        return self._window
