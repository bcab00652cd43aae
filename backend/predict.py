# SPDX-License-Identifier: GPL-2.0-or-later
"""A scene becomes finished rows of maps: windows are read, run, blended, classified and handed on, row of windows by row.

    read_rows -> Canvas (the window rows in memory) -> BatchRunner -> RowBlend (logits, attention) -> classify -> writer

`window_rows.py` holds what is in memory between two rows of windows. Memory depends on the scene's width, the window and the
classes, never on its height.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .meter import Meter
from .model_card import ModelCard
from .network.forward import BatchRunner, is_out_of_memory, out_of_memory_error
from .network.scene_attention import SceneScores, sample_query
from .output.row_spill import RowSpill
from .protocol import Progress
from .run_state import RunState, Start, Summary
from .scene.row_reader import SceneReader, read_rows
from .strip import StripSink
from .window_rows import TokenProjection, WindowRows
from .windows import WindowLayout


def predict(
    scene: SceneReader,
    runner: BatchRunner,
    card: ModelCard,
    layout: WindowLayout,
    sink: StripSink,
    *,
    attention_heads: str = "all",
    spill_attention: Callable[[int, int], RowSpill] | None = None,
    progress: Callable[[Progress], None],
    cancelled: Callable[[], bool],
    project: TokenProjection | None = None,
    scene_query: Tensor | None = None,
    start: Start | None = None,
    save: Callable[[RunState], None] = lambda _: None,
) -> Summary:
    """Maps the area of `layout` into `sink`, strip by strip.

    Class outputs have the pixels of `layout.area`; attention has one pixel a patch of `layout.region`, bands mean and heads (or,
    as `attention_heads` says, the mean alone), NaN where no pixel of the patch is wanted. In each window attention has the mean 1
    over the patches with data; it is blended with the taper of the patches, and not normalised again. With a place where rows of
    so many heads and columns can wait (`spill_attention`) it is that of one query over the whole scene instead, as
    `scene_attention.py` defines it, mean 1 over the mapped patches, and comes after everything else; `scene_query` is that query
    where it was sampled before. Tokens lie as attention
    does; `project`, which they need, makes [batch, components, S/p, S/p] of them before they are blended.

    `save` is told the state after each row of windows. A run that has a `start` goes on from there: it begins with the first row
    of windows that touches `start.row`, so that each row from there on is the sum of the same windows in the same order as in a
    run that was not interrupted. The sink gets some rows above `start.row`, or that it has already, once more, and has to drop
    them. The spill has to hold the rows of the state.

    Raises SardineError: cancelled, out_of_memory, model_output_not_finite (of logits or attention), and what scene and
    sink raise.
    """
    state = start.state if start else None
    first = layout.window_row_of(start.row) if start else 0
    try:
        scores = None
        if spill_attention is not None and "attention" in sink.outputs:
            heads = card.encoder.num_heads
            spill = spill_attention(heads, layout.region.width // layout.patch_px)
            scores = SceneScores(spill, heads, state.scores if state else None)
            if state is not None:
                query = state.scene_query
                scene_query = None if query is None else torch.tensor([query], dtype=torch.float32)  # [1, heads, head_dim]
            elif scene_query is None:
                scene_query = sample_query(scene, runner, card, layout, progress=progress, cancelled=cancelled)
        # Takes the memory for its rows.
        rows = WindowRows(
            runner,
            card,
            layout,
            sink,
            attention_heads,
            Meter(layout, progress, first),
            cancelled,
            project,
            scene_query,
            scores,
            state,
            first,
        )
        with torch.inference_mode():
            for index, new_rows in read_rows(scene, card, layout, first):
                rows.run(index, new_rows)
                save(rows.state(index + 1))
            rows.finish()
    except Exception as error:
        if is_out_of_memory(error):
            raise out_of_memory_error(runner.device) from error
        raise
    return rows.summary
