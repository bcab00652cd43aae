# SPDX-License-Identifier: GPL-2.0-or-later
"""The network's part in features: a sample of the scene's windows, and the pass over all of it. Imports torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..model_card import ModelCard
from ..network.device import choose_device, choose_precision, default_batch_size
from ..network.forward import BatchRunner
from ..network.model_file import load_model
from ..network.scene_attention import sample_query
from ..predict import predict
from ..protocol import SceneInput
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


@dataclass(frozen=True)
class Sampled:
    """The `query` of the scene's attention (`sample_query`), and of `count` patch tokens the sum and the sum of outer products."""

    query: Tensor
    total: NDArray[np.float64]
    products: NDArray[np.float64]
    count: int


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

    def sample(self, scene: SceneReader, layout: WindowLayout) -> Sampled | None:
        """What windows spread over the scene say of all of it; None where none has data."""
        total: NDArray[np.float64] = np.zeros(self._card.encoder.embed_dim)
        products: NDArray[np.float64] = np.zeros((total.size, total.size))
        count = 0

        def take(tokens: Tensor, valid: Tensor) -> None:
            nonlocal count
            found = tokens.movedim(1, -1).double().cpu().numpy()[valid.numpy()]  # [patches, embed_dim]
            total[:] += found.sum(axis=0)
            products[:] += found.T @ found
            count += len(found)

        context = self._context
        query = sample_query(
            scene, self.runner, self._card, layout,
            progress=context.report, cancelled=context.cancelled, take_tokens=take,
        )  # fmt: skip
        return None if query is None else Sampled(query, total, products, count)

    def predict(self, scene: SceneReader, layout: WindowLayout, sink: FeatureSink, basis: FeatureBasis, sampled: Sampled) -> int:
        """Writes the features of `layout` into `sink`; returns the number of valid pixels."""
        summary = predict(
            scene,
            self.runner,
            self._card,
            layout,
            sink,
            spill_attention=sink.spill_attention,
            scene_query=sampled.query,
            progress=self._context.report,
            cancelled=self._context.cancelled,
            project=BasisProjection(basis),
        )
        return summary.valid_px
