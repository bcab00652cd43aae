# SPDX-License-Identifier: GPL-2.0-or-later
"""The network's part in features: tokens of single windows, and the pass over the scene. Imports torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..model_card import ModelCard
from ..network.device import choose_device, choose_precision, default_batch_size
from ..network.forward import BatchRunner
from ..network.model_file import load_model
from ..predict import predict
from ..protocol import SceneInput
from ..radiometry import BoolArray, FloatArray
from ..scene.row_reader import SceneReader
from ..windows import WindowLayout
from .basis import FeatureBasis
from .file import FeatureSink

if TYPE_CHECKING:
    from .extract import Context


class BasisProjection:
    """A `predict.TokenProjection` of a basis."""

    def __init__(self, basis: FeatureBasis) -> None:
        self.components = basis.components
        self._axes = torch.from_numpy(basis.axes)
        self._shift = self._axes @ torch.from_numpy(basis.mean)

    def __call__(self, tokens: Tensor) -> Tensor:
        """[batch, embed_dim, rows, columns] to float32 [batch, components, rows, columns]."""
        axes, shift = self._axes.to(tokens.device), self._shift.to(tokens.device)
        with torch.autocast(tokens.device.type, enabled=False):
            return torch.einsum("kd,bdhw->bkhw", axes, tokens.float()) - shift[None, :, None, None]


class TokenRun:
    """A model, loaded and on its device, for features."""

    def __init__(self, card: ModelCard, source: SceneInput, context: Context) -> None:
        device = choose_device(source.device)
        model, _ = load_model(source.model)
        self._card, self._context = card, context
        self.runner = BatchRunner(
            model,
            device,
            choose_precision(source.precision, device),
            default_batch_size(device, card.window_px),
            may_use_cpu=source.device == "auto",
            warn=context.warn,
            want_logits=False,
            want_tokens=True,
        )

    def tokens(self, x: FloatArray, patch_valid: BoolArray) -> NDArray[np.float64]:
        """Tokens of the valid patches of one window [bands, S, S]: float64 [patches, embed_dim]."""
        inputs = torch.from_numpy(x)[None], torch.from_numpy(patch_valid)[None]
        ((_, prediction),) = self.runner.run(*inputs)
        if prediction.tokens is None:
            raise RuntimeError("the model gave no tokens")
        found = prediction.tokens[0].movedim(0, -1).double().cpu().numpy()  # [rows, columns, embed_dim]
        result: NDArray[np.float64] = found[patch_valid]
        return result

    def predict(self, scene: SceneReader, layout: WindowLayout, sink: FeatureSink, basis: FeatureBasis) -> int:
        """Writes the features of `layout` into `sink`; returns the number of valid pixels."""
        summary = predict(
            scene,
            self.runner,
            self._card,
            layout,
            sink,
            progress=self._context.report,
            cancelled=self._context.cancelled,
            project=BasisProjection(basis),
        )
        return summary.valid_px
