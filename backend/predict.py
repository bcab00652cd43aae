# SPDX-License-Identifier: GPL-2.0-or-later
"""A scene becomes finished rows of maps: windows are read, run, blended, classified and handed on, row of windows by row.

    read_rows -> Canvas (the window rows in memory) -> BatchRunner -> RowBlend (logits, attention) -> classify -> writer

Memory depends on the scene's width, the window and the classes, never on its height.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .blend import RowBlend
from .canvas import Canvas
from .classify import classify
from .job_stream import cancelled_error
from .meter import Meter
from .model_card import ModelCard
from .network.forward import BatchRunner, is_out_of_memory, out_of_memory_error
from .network.scene_attention import SceneScores, sample_query
from .output.row_spill import RowSpill
from .protocol import ATTENTION_HEADS, ATTENTION_SCOPES, ErrorCode, JobRequest, Progress, SardineError
from .radiometry import FloatArray
from .scene.row_reader import NewRows, SceneReader, read_rows
from .strip import CLASS_OUTPUTS, Strip, StripSink
from .windows import WindowLayout, window_stride


class TokenProjection(Protocol):
    """Makes few components of a patch token's many numbers; `features.FeatureBasis` is one."""

    components: int

    def __call__(self, tokens: Tensor) -> Tensor:
        """[batch, embed_dim, rows, columns] to [batch, components, rows, columns]."""


@dataclass
class Summary:
    """Counts over the whole run. `confidence_sum` is of the largest probability (0 to 1) over the valid pixels."""

    valid_px: int = 0
    confidence_sum: float = 0.0
    class_px: dict[int, int] = field(default_factory=dict)
    windows_total: int = 0
    windows_run: int = 0

    @property
    def mean_confidence_percent(self) -> float | None:
        """None where no classes were mapped or no pixel is valid."""
        return 100.0 * self.confidence_sum / self.valid_px if self.class_px and self.valid_px else None


def check_outputs(request: JobRequest, card: ModelCard) -> None:
    """Refuses what this model cannot give, and a wrong overlap, before any raster is opened. Raises SardineError."""
    window_stride(card.window_px, card.patch_px, request.overlap)
    asked = request.outputs.chosen()
    if not asked:
        raise SardineError(
            ErrorCode.REQUEST_INVALID,
            "No output was asked for.",
            "At least one is needed.",
            "Name a file for land cover or attention.",
        )
    if request.attention_scope not in ATTENTION_SCOPES:
        raise SardineError(
            ErrorCode.REQUEST_INVALID,
            f"The attention scope “{request.attention_scope}” is not known.",
            f"It is one of {', '.join(ATTENTION_SCOPES)}.",
            "Leave it out to take the default.",
        )
    if not card.classes and CLASS_OUTPUTS & asked.keys():
        raise SardineError(
            ErrorCode.REQUEST_INVALID,
            f"The model {card.name} has no classes: it cannot give {' or '.join(sorted(CLASS_OUTPUTS & asked.keys()))}.",
            "An encoder alone gives attention only.",
            "Ask for attention alone, or choose a model with classes.",
        )
    if request.attention_heads not in ATTENTION_HEADS:
        raise SardineError(
            ErrorCode.REQUEST_INVALID,
            f"The attention heads “{request.attention_heads}” were not understood.",
            f"They are one of {', '.join(ATTENTION_HEADS)}.",
            "Choose all or mean.",
        )


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
) -> Summary:
    """Maps the area of `layout` into `sink`, strip by strip.

    Class outputs have the pixels of `layout.area`; attention has one pixel a patch of `layout.region`, bands mean and heads (or,
    as `attention_heads` says, the mean alone), NaN where no pixel of the patch is wanted. In each window attention has the mean 1
    over the patches with data; it is blended with the taper of the patches, and not normalised again. With a place where rows of
    so many heads and columns can wait (`spill_attention`) it is that of one query over the whole scene instead, as
    `scene_attention.py` defines it, mean 1 over the mapped patches, and comes after everything else; `scene_query` is that query
    where it was sampled before. Tokens lie as attention
    does; `project`, which they need, makes [batch, components, S/p, S/p] of them before they are blended.

    Raises SardineError: cancelled, out_of_memory, model_output_not_finite (of logits or attention), and what scene and
    sink raise.
    """
    try:
        scores = None
        if spill_attention is not None and "attention" in sink.outputs:
            heads = card.encoder.num_heads
            scores = SceneScores(spill_attention(heads, layout.region.width // layout.patch_px), heads)
            if scene_query is None:
                scene_query = sample_query(scene, runner, card, layout, progress=progress, cancelled=cancelled)
        # Takes the memory for its rows.
        run = _Run(runner, card, layout, sink, attention_heads, Meter(layout, progress), cancelled, project, scene_query, scores)
        with torch.inference_mode():
            for index, new_rows in enumerate(read_rows(scene, card, layout)):
                run.window_row(index, new_rows)
            run.finish()
    except Exception as error:
        if is_out_of_memory(error):
            raise out_of_memory_error(runner.device) from error
        raise
    return run.summary


class _Run:
    """The state between window rows."""

    def __init__(
        self,
        runner: BatchRunner,
        card: ModelCard,
        layout: WindowLayout,
        sink: StripSink,
        attention_heads: str,
        meter: Meter,
        cancelled: Callable[[], bool],
        project: TokenProjection | None,
        scene_query: Tensor | None,
        scores: SceneScores | None,
    ) -> None:
        self.summary = Summary(windows_total=layout.count)
        self._runner, self._card, self._layout, self._sink = runner, card, layout, sink
        self._meter, self._cancelled, self._project = meter, cancelled, project
        self._canvas = Canvas(len(card.bands), layout, runner.device)
        window, patch = layout.window_px, layout.patch_px
        self._logits = self._attention = self._tokens = None
        self._wanted = {} if scene_query is None else {"scene_query": scene_query}
        self._scores, self._heads_wanted = scores, attention_heads == "all"
        if CLASS_OUTPUTS & sink.outputs:
            self._logits = RowBlend(len(card.classes), window, layout.row_starts, layout.column_starts, runner.device)
        rows, columns = ([start // patch for start in starts] for starts in (layout.row_starts, layout.column_starts))
        if "attention" in sink.outputs:
            self._attention = RowBlend(card.encoder.num_heads, window // patch, rows, columns, runner.device)
        if "tokens" in sink.outputs and project is not None:
            self._tokens = RowBlend(project.components, window // patch, rows, columns, runner.device)

    def window_row(self, index: int, new_rows: NewRows) -> None:
        """Runs one row of windows and hands on the rows that it finishes."""
        self._canvas.append(new_rows)
        columns = self._canvas.wanted_columns()
        self._meter.skip(len(self._layout.column_starts) - len(columns))
        step = self._runner.batch_size
        for first in range(0, len(columns), step):
            self._batch(columns[first : first + step])
        self._finish(index)

    def finish(self) -> None:
        """Hands on what had to wait for the last row of windows."""
        for row, heads in self._scores.attention() if self._scores is not None else ():
            self._sink.write(Strip("attention", row, self._attention_bands(heads)))

    def _batch(self, columns: list[int]) -> None:
        if self._cancelled():
            raise cancelled_error()
        x, patch_valid = self._canvas.windows(columns)
        for first, prediction in self._runner.run(x, patch_valid, **self._wanted):
            logits, attention = prediction.logits, prediction.attention
            if prediction.tokens is not None and self._project is not None:
                self._add_tokens(self._project(prediction.tokens), columns[first:], patch_valid[first:])
            for offset in range(len(logits) if logits is not None else len(attention) if attention is not None else 0):
                column = columns[first + offset]
                if self._logits is not None and logits is not None:
                    self._logits.add(column, logits[offset])
                if self._attention is not None and attention is not None:
                    self._attention.add(column, self._without_nodata(attention[offset], patch_valid[first + offset]))
            if self._cancelled():
                raise cancelled_error()
        self.summary.windows_run += len(columns)
        self._meter.ran(len(columns))

    def _add_tokens(self, components: Tensor, columns: list[int], patch_valid: Tensor) -> None:
        if self._tokens is not None:
            for values, column, valid in zip(components, columns, patch_valid, strict=False):
                self._tokens.add(column, self._without_nodata(values, valid))

    @staticmethod
    def _without_nodata(attention: Tensor, patch_valid: Tensor) -> Tensor:
        # NaN times a weight would spoil a neighbour's sum. A patch without data has none in any window, and is NaN at the end.
        return attention.masked_fill(~patch_valid.to(attention.device), 0.0)

    def _finish(self, index: int) -> None:
        rows = self._layout.finished_rows(index)
        top = self._layout.canvas.row + self._layout.row_starts[index]  # in the scene
        if self._attention is not None:
            self._finish_patches("attention", self._attention, top, rows)
        if self._tokens is not None:
            self._finish_patches("tokens", self._tokens, top, rows)
        area = self._layout.area
        first, end = max(top, area.row), min(top + rows, area.row_end)
        if first < end:
            wanted = self._canvas.wanted[first - top : end - top].copy()
            columns = slice(area.column - self._layout.canvas.column, area.column_end - self._layout.canvas.column)
            wanted[:, : columns.start] = False
            wanted[:, columns.stop :] = False
            self.summary.valid_px += int(np.count_nonzero(wanted))
            if self._logits is not None:
                self._finish_classes(self._logits.finished()[:, first - top : end - top], wanted, columns, first - area.row)
        if self._logits is not None:
            self._logits.drop()
        self._canvas.drop(rows)

    def _finish_classes(self, logits: Tensor, wanted: NDArray[np.bool_], columns: slice, row: int) -> None:
        codes = [item.code for item in self._card.classes]
        want_probabilities = "probabilities" in self._sink.outputs
        result = classify(logits, wanted, codes, self._card.temperature, want_probabilities=want_probabilities)
        if not result.finite:
            raise _not_finite_error(self._card, self._runner.precision)
        self.summary.confidence_sum += result.confidence_sum
        pixels = np.bincount(result.landcover.ravel(), minlength=256)
        for code in codes:
            self.summary.class_px[code] = self.summary.class_px.get(code, 0) + int(pixels[code])
        rasters = {
            "landcover": result.landcover[None],
            "confidence": result.confidence[None],
            "probabilities": result.probabilities,
        }
        for name, values in rasters.items():
            if name in self._sink.outputs and values is not None:
                self._sink.write(Strip(name, row, values[:, :, columns]))

    def _attention_bands(self, heads: FloatArray) -> FloatArray:
        """The mean over `heads` [heads, rows, columns], and where they are wanted the heads."""
        mean = heads.mean(axis=0, keepdims=True)
        return np.concatenate([mean, heads]) if self._heads_wanted else mean

    def _finish_patches(self, name: str, blend: RowBlend, top: int, rows: int) -> None:
        patch, region, canvas = self._layout.patch_px, self._layout.region, self._layout.canvas
        first, end = max(top, region.row), min(top + rows, region.row_end)
        if first < end:
            columns = slice((region.column - canvas.column) // patch, (region.column_end - canvas.column) // patch)
            part = slice((first - top) // patch, (end - top) // patch)
            values = blend.finished()[:, part, columns].cpu().numpy()
            wanted = self._canvas.patch_wanted[part, columns]
            if not np.isfinite(values[:, wanted]).all():
                raise _not_finite_error(self._card, self._runner.precision)
            values = values.copy()  # the view that was finished goes on being summed in
            values[:, ~wanted] = np.nan
            if name == "attention" and self._scores is not None:
                self._scores.add(values)
            else:
                bands = self._attention_bands(values) if name == "attention" else values
                self._sink.write(Strip(name, (first - region.row) // patch, bands))
        blend.drop()


def _not_finite_error(card: ModelCard, precision: str) -> SardineError:
    return SardineError(
        ErrorCode.MODEL_OUTPUT_NOT_FINITE,
        f"The model {card.name} gave values that are not numbers, in {precision}.",
        "Finite values are needed for a map.",
        "Try the precision fp32." if precision != "fp32" else "Choose another model.",
        refused=False,
    )
