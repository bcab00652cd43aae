# SPDX-License-Identifier: GPL-2.0-or-later
"""A scene in memory, a sink in memory, and small networks that do not care where a window lies."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from pathlib import Path

import numpy as np
import torch
from torch import nn

from backend.grid import PixelWindow, RasterGrid
from backend.network.forward import BatchRunner
from backend.network.model import Prediction
from backend.output.row_spill import RowSpill
from backend.predict import predict
from backend.run_state import Summary
from backend.windows import WindowLayout, lay_windows


class ArrayScene:
    """`db` [bands, H, W], NaN nodata, and a polygon mask [H, W]. Keeps what was read, row by row."""

    def __init__(self, db, mask=None):
        self.db = np.asarray(db, np.float32)
        _, self.height, self.width = self.db.shape
        self.mask = np.ones((self.height, self.width), bool) if mask is None else mask
        self.grid = RasterGrid(None, 0.0, 0.0, 10.0, 10.0, self.height, self.width)
        self.reads = []

    def read(self, window):
        self.reads.append(window)
        return self._cut(self.db, window, np.nan)

    def read_mask(self, window):
        return self._cut(self.mask[None], window, False)[0]

    def _cut(self, values, window, fill):
        result = np.full((len(values), window.height, window.width), fill, values.dtype)
        inside = window.intersect(self.grid.full_window)
        if inside is not None:
            rows = slice(inside.row - window.row, inside.row_end - window.row)
            columns = slice(inside.column - window.column, inside.column_end - window.column)
            result[:, rows, columns] = values[:, inside.row : inside.row_end, inside.column : inside.column_end]
        return result


class MemorySink:
    """Keeps strips; `raster(name)` joins them, and fails where rows are missing or come twice."""

    def __init__(self, *outputs):
        self.outputs = frozenset(outputs)
        self.strips = {name: [] for name in outputs}
        # A TemporaryDirectory that is left to the collector warns, in whatever test is running then.
        self._folder = Path(tempfile.mkdtemp())
        weakref.finalize(self, shutil.rmtree, self._folder)

    def write(self, strip):
        assert strip.row == sum(values.shape[1] for values in self.strips[strip.output])
        self.strips[strip.output].append(strip.values.copy())

    def spill_attention(self, heads, columns):
        return RowSpill(self._folder / "attention.rows", heads, columns)

    def raster(self, name):
        return np.concatenate(self.strips[name], axis=1)


class ShiftEquivariant(nn.Module):
    """Logits of each pixel from that pixel and the mean of its patch; attention from the patch: no border, no position."""

    def __init__(self, card, seed=0):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.patch_px = card.patch_px
        self.pixel = nn.Conv2d(len(card.bands), len(card.classes) or 1, 1)
        self.patch = nn.Conv2d(len(card.bands), len(card.classes) or 1, 1)
        self.heads = nn.Conv2d(len(card.bands), card.encoder.num_heads, 1)
        for parameter in self.parameters():
            parameter.data = torch.randn(parameter.shape, generator=generator)
        self.batches = []

    def forward(self, x, patch_valid, *, want_logits=True, want_attention=True):
        self.batches.append(len(x))
        means = nn.functional.avg_pool2d(x, self.patch_px)
        logits = attention = None
        if want_logits:
            logits = self.pixel(x) + nn.functional.interpolate(self.patch(means), scale_factor=self.patch_px)
        if want_attention:
            attention = self.heads(means).float().masked_fill(~patch_valid[:, None], float("nan"))
        return Prediction(logits, attention)


class Asking(ShiftEquivariant):
    """A query from the window's mean, a key from the patch alone: keys that do not care where a window lies."""

    def forward(self, x, patch_valid, *, want_logits=True, want_attention=True, want_query=False, scene_query=None):
        said = super().forward(x, patch_valid, want_logits=want_logits, want_attention=want_attention)
        means = x.mean((2, 3))[:, None].repeat(1, said_heads := self.heads.out_channels, 1)
        scores = None
        if scene_query is not None and said.attention is not None:
            keys = nn.functional.avg_pool2d(x, self.patch_px)
            scores = torch.einsum("nhb,nbij->nhij", scene_query.expand(len(x), said_heads, -1), keys)
            scores = scores.masked_fill(~patch_valid[:, None], float("nan"))
        attention = said.attention if scores is None else scores
        return Prediction(said.logits, attention, query=means if want_query else None)


def layout_for(scene, card, area=None, overlap=0.25) -> WindowLayout:
    """Windows over `area` of an ArrayScene."""
    area = area or PixelWindow(0, 0, scene.height, scene.width)
    return lay_windows(area, scene.height, scene.width, window_px=card.window_px, patch_px=card.patch_px, overlap=overlap)


def run_into(sink, scene, model, card, area=None, overlap=0.25, batch_size=3, attention_scope="window") -> Summary:
    """Predicts on the CPU, in float32, into `sink`."""
    runner = BatchRunner(
        model.eval(),
        torch.device("cpu"),
        "fp32",
        batch_size,
        may_use_cpu=False,
        warn=lambda code, text: None,
        want_logits=sink.outputs != {"attention"},
        want_attention="attention" in sink.outputs,
    )
    layout = layout_for(scene, card, area, overlap)
    spill = sink.spill_attention if attention_scope == "scene" else None
    return predict(scene, runner, card, layout, sink, spill_attention=spill, progress=lambda _: None, cancelled=lambda: False)


def run(scene, model, card, *outputs, **settings) -> tuple[MemorySink, Summary]:
    """As `run_into`, into memory; all four outputs if none is named."""
    sink = MemorySink(*(outputs or ("landcover", "confidence", "probabilities", "attention")))
    return sink, run_into(sink, scene, model, card, **settings)


def speckled_scene(height, width, seed=0, bands=2) -> np.ndarray:
    """Decibels [bands, height, width] of smooth land under speckle."""
    rng = np.random.default_rng(seed)
    level = rng.normal(0, 3, (bands, height // 16 + 2, width // 16 + 2)).repeat(16, 1).repeat(16, 2)[:, :height, :width]
    return (level - 14 + 10 * np.log10(rng.gamma(4.4, 1 / 4.4, (bands, height, width)))).astype(np.float32)
