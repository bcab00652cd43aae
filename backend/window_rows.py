# SPDX-License-Identifier: GPL-2.0-or-later
"""Rows of windows one after the other: each is run, blended with the rows before it, and what no later one touches is handed on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from .blend import RowBlend
from .canvas import Canvas
from .classify import classify
from .job_stream import cancelled_error
from .meter import Meter
from .model_card import ModelCard
from .network.forward import BatchRunner
from .network.scene_attention import SceneScores
from .protocol import ErrorCode, SardineError
from .radiometry import FloatArray
from .run_state import RunState, Summary
from .scene.row_reader import NewRows
from .strip import CLASS_OUTPUTS, Strip, StripSink
from .windows import WindowLayout


class TokenProjection(Protocol):
    """Makes few components of a patch token's many numbers; `features.FeatureBasis` is one."""

    components: int

    def __call__(self, tokens: Tensor) -> Tensor:
        """[batch, embed_dim, rows, columns] to [batch, components, rows, columns]."""


class WindowRows:
    """What is kept between one row of windows and the next. It begins with row number `first`.

    Rows of windows that are done in `state`, and are run once more for the rows that they share with later ones, are not counted
    again.
    """

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
        state: RunState | None,
        first: int,
    ) -> None:
        self.summary = state.summary if state else Summary(windows_total=layout.count)
        self._counted = state.window_rows if state else 0
        self._runner, self._card, self._layout, self._sink = runner, card, layout, sink
        self._meter, self._cancelled, self._project = meter, cancelled, project
        self._canvas = Canvas(len(card.bands), layout, runner.device)
        window, patch = layout.window_px, layout.patch_px
        self._logits = self._attention = self._tokens = None
        self._scene_query = scene_query
        self._wanted = {} if scene_query is None else {"scene_query": scene_query}
        self._scores, self._heads_wanted = scores, attention_heads == "all"
        if CLASS_OUTPUTS & sink.outputs:
            self._logits = RowBlend(len(card.classes), window, layout.row_starts, layout.column_starts, runner.device, first)
        rows, columns = ([start // patch for start in starts] for starts in (layout.row_starts, layout.column_starts))
        if "attention" in sink.outputs:
            self._attention = RowBlend(card.encoder.num_heads, window // patch, rows, columns, runner.device, first)
        if "tokens" in sink.outputs and project is not None:
            self._tokens = RowBlend(project.components, window // patch, rows, columns, runner.device, first)

    def run(self, index: int, new_rows: NewRows) -> None:
        """Runs the row of windows number `index`, and hands on the rows that it finishes."""
        self._canvas.append(new_rows)
        columns = self._canvas.wanted_columns()
        self._meter.skip(len(self._layout.column_starts) - len(columns))
        step = self._runner.batch_size
        for first in range(0, len(columns), step):
            self._batch(columns[first : first + step])
        if index >= self._counted:
            self.summary.windows_run += len(columns)
        self._finish(index)

    def state(self, window_rows: int) -> RunState:
        """How far the run is when `window_rows` rows of windows are done."""
        query = None if self._scene_query is None else tuple(map(tuple, self._scene_query[0].tolist()))
        return RunState(
            max(window_rows, self._counted), self.summary, query, None if self._scores is None else self._scores.state()
        )

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
            self._finish_patches("attention", self._attention, top, index)
        if self._tokens is not None:
            self._finish_patches("tokens", self._tokens, top, index)
        area = self._layout.area
        first, end = max(top, area.row), min(top + rows, area.row_end)
        if first < end:
            wanted = self._canvas.wanted[first - top : end - top].copy()
            columns = slice(area.column - self._layout.canvas.column, area.column_end - self._layout.canvas.column)
            wanted[:, : columns.start] = False
            wanted[:, columns.stop :] = False
            if index >= self._counted:
                self.summary.valid_px += int(np.count_nonzero(wanted))
            if self._logits is not None:
                logits = self._logits.finished()[:, first - top : end - top]
                self._finish_classes(logits, wanted, columns, first - area.row, index >= self._counted)
        if self._logits is not None:
            self._logits.drop()
        self._canvas.drop(rows)

    def _finish_classes(self, logits: Tensor, wanted: NDArray[np.bool_], columns: slice, row: int, counts: bool) -> None:
        codes = [item.code for item in self._card.classes]
        want_probabilities = "probabilities" in self._sink.outputs
        result = classify(logits, wanted, codes, self._card.temperature, want_probabilities=want_probabilities)
        if not result.finite:
            raise _not_finite_error(self._card, self._runner.precision)
        if counts:
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

    def _finish_patches(self, name: str, blend: RowBlend, top: int, index: int) -> None:
        patch, region, canvas = self._layout.patch_px, self._layout.region, self._layout.canvas
        first, end = max(top, region.row), min(top + self._layout.finished_rows(index), region.row_end)
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
                if index >= self._counted:
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
