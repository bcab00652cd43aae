# SPDX-License-Identifier: GPL-2.0-or-later
"""Attention of one query over a whole scene: one softmax over all of its patches instead of one for each window.

Attention computed window by window is normalised window by window, by a query that is each window's own: a lake that fills a
window has the mean 1 there, and next to nothing in the window beside it. Here, for each head,

    query       the mean class-token query over windows sampled all over the scene, each weighted by its mapped patches
    score       the scaled product of that query with a patch's key; where windows overlap, their scores are blended
    attention   softmax of the scores over all mapped patches of the scene, times the number of those patches

so that 1 means "as much as the average patch of the scene". For a scene of one window this is the definition in
`attention.py`: the mean query is the window's own, nothing is blended, and the softmax is over the same patches.
Keys still come from windows, with their context and position: what depends on those remains.

One query, and one softmax over all instances of a bag whatever tile they were computed in, is how attention pooling in
multiple-instance learning reads whole slides (Ilse, Tomczak and Welling 2018, arXiv 1802.04712, section 2.4); a class token that
only asks, of patches that do not change, is CaiT's class attention (Touvron et al. 2021, arXiv 2103.17239, section 3). The sum of
exponentials grows with the rows that come, with the maximum taken out (Milakov and Gimelshein 2018, arXiv 1805.02867).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from ..grid import PixelWindow
from ..job_stream import cancelled_error
from ..model_card import ModelCard
from ..output.row_spill import RowSpill
from ..protocol import Progress
from ..radiometry import BoolArray, FloatArray, standardise
from ..run_state import ScoresState
from ..scene.row_reader import SceneReader, any_in_patch, wanted_pixels
from ..windows import WindowLayout
from .forward import BatchRunner

STAGE = "sampling the scene"

SAMPLED_WINDOWS = 64
MOST_TRIED = 8 * SAMPLED_WINDOWS
"""So many windows are read at most in search of those with data; one with data is looked for to the end."""


def spread_order(count: int) -> Iterator[int]:
    """Every number below `count` once, the first ones spread over all of them: steps of about the golden ratio.

    >>> list(spread_order(8))
    [0, 5, 2, 7, 4, 1, 6, 3]
    """
    step = max(1, round(count * (math.sqrt(5) - 1) / 2))
    while math.gcd(step, count) != 1:
        step -= 1
    return (number * step % count for number in range(count))


def sample_query(
    scene: SceneReader,
    runner: BatchRunner,
    card: ModelCard,
    layout: WindowLayout,
    *,
    progress: Callable[[Progress], None],
    cancelled: Callable[[], bool],
    take_tokens: Callable[[Tensor, Tensor], None] | None = None,
) -> Tensor | None:
    """The mean class-token query of each head, float32 [1, heads, head_dim]; None where no window has a mapped patch.

    `take_tokens` is given the patch tokens [n, embed_dim, S/p, S/p] of the same windows, and which of them have data. The same
    windows are taken in each run of the same layout: with the same batch and threads the query is the same.
    Raises SardineError: cancelled, out_of_memory, and what the scene raises.
    """
    total: Tensor | None = None
    weights = 0.0
    sampled = 0
    most = min(SAMPLED_WINDOWS, layout.count)
    batches = _batches(_windows_with_data(scene, card, layout), runner)
    for x, patch_valid, patches in batches:
        wanted = {"want_tokens": True} if take_tokens is not None else {}
        for first, prediction in runner.run(x, patch_valid, want_logits=False, want_attention=False, want_query=True, **wanted):
            if cancelled():
                raise cancelled_error()
            if prediction.query is None:
                raise ValueError("the network gives no query")
            query = prediction.query.double().cpu()
            if take_tokens is not None and prediction.tokens is not None:
                take_tokens(prediction.tokens, patch_valid[first : first + len(query)])
            share = torch.tensor(patches[first : first + len(query)], dtype=torch.float64)
            part = (query * share[:, None, None]).sum(0, keepdim=True)
            total = part if total is None else total + part
            weights += float(share.sum())
        sampled += len(x)
        progress(Progress(STAGE, min(sampled, most), most))
    return None if total is None else (total / weights).float()


class SceneScores:
    """Rows of scores as the network gives them, kept until the sum of all of them can be told."""

    def __init__(self, spill: RowSpill, heads: int, state: ScoresState | None = None) -> None:
        """`state` is that of the rows which the spill holds already."""
        self._spill = spill
        self._patches = state.patches if state else 0
        self._log_sums = np.full(heads, -np.inf)  # of exp(score), over the rows so far
        if state and state.log_sums is not None:
            self._log_sums = np.array(state.log_sums)

    def add(self, scores: FloatArray) -> None:
        """Takes the next rows, [heads, rows, columns]: NaN in all heads where a patch is not mapped, finite elsewhere."""
        self._spill.append(scores)
        mapped = scores[:, ~np.isnan(scores[0])].astype(np.float64)  # [heads, patches]
        if mapped.size:
            self._patches += mapped.shape[1]
            highest = mapped.max(axis=1)
            sums = np.log(np.exp(mapped - highest[:, None]).sum(axis=1)) + highest
            self._log_sums = np.logaddexp(self._log_sums, sums)

    def state(self) -> ScoresState:
        """What is known of the rows so far."""
        return ScoresState(self._patches, tuple(self._log_sums.tolist()) if self._patches else None)

    def attention(self) -> Iterator[tuple[int, FloatArray]]:
        """From the first row on: the number of a row, and attention [heads, rows, columns], NaN where not mapped."""
        for row, scores in self._spill.blocks():
            shares = np.exp(scores.astype(np.float64) - self._log_sums[:, None, None])
            yield row, (shares * self._patches).astype(np.float32)


def _windows_with_data(scene: SceneReader, card: ModelCard, layout: WindowLayout) -> Iterator[tuple[FloatArray, BoolArray, int]]:
    """Up to SAMPLED_WINDOWS windows with a mapped patch: network input, valid patches, number of mapped patches."""
    found = 0
    columns = len(layout.column_starts)
    for tried, number in enumerate(spread_order(layout.count)):
        if found == SAMPLED_WINDOWS or (found and tried >= MOST_TRIED):
            return
        row = layout.canvas.row + layout.row_starts[number // columns]
        column = layout.canvas.column + layout.column_starts[number % columns]
        window = PixelWindow(row, column, layout.window_px, layout.window_px)
        x, valid = standardise(scene.read(window), card.bands)
        patches = int(any_in_patch(wanted_pixels(scene, layout.region, window, valid), layout.patch_px).sum())
        if patches:
            found += 1
            yield x, any_in_patch(valid, layout.patch_px), patches


def _batches(
    windows: Iterator[tuple[FloatArray, BoolArray, int]], runner: BatchRunner
) -> Iterator[tuple[Tensor, Tensor, list[int]]]:
    while batch := [window for _, window in zip(range(runner.batch_size), windows, strict=False)]:
        x = torch.from_numpy(np.stack([x for x, _, _ in batch]))
        yield x, torch.from_numpy(np.stack([valid for _, valid, _ in batch])), [patches for _, _, patches in batch]
