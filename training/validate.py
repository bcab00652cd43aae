# SPDX-License-Identifier: GPL-2.0-or-later
"""Scores a model on held-out chips, at full chip size, and fits its temperature there."""

from __future__ import annotations

import numpy as np
import torch

from backend.model import SardineModel
from backend.model_card import ModelCard
from training.config import FinetuneConfig
from training.metrics import ConfusionMatrix, Scores, fit_temperature
from training.scene_chips import Chips, prepare

_TEMPERATURE_PIXELS = 400
"""Pixels of each chip that the temperature is fitted on; neighbours say nearly the same."""


@torch.no_grad()
def validate(
    model: SardineModel, card: ModelCard, config: FinetuneConfig, chips: Chips, device: torch.device, limit: int = 0
) -> tuple[Scores, float]:
    """Scores over `limit` chips spread over `chips` (0: all), and the temperature fitted on a sample of their pixels.

    A chip is seen through one window of the card's size in its middle, as the model will be used.
    """
    window_px = min(card.window_px, chips.labels.shape[1] // card.patch_px * card.patch_px)
    start = (chips.labels.shape[1] - window_px) // 2
    part = np.s_[start : start + window_px, start : start + window_px]
    count = len(chips) if limit == 0 else min(limit, len(chips))
    matrix = ConfusionMatrix(len(card.classes))
    rng = np.random.default_rng(0)
    kept_logits, kept_truth = [], []
    for chip in np.linspace(0, len(chips) - 1, count).astype(int):
        values_db = chips.values_db[(chip, slice(None), *part)].astype(np.float32)
        x, truth = prepare(values_db, chips.labels[(chip, *part)], card.bands, config.data.classes)
        with torch.autocast(device.type, torch.bfloat16, enabled=config.precision == "bf16"):
            logits = model(torch.from_numpy(x)[None].to(device), want_attention=False).logits
        scores = logits[0].float().cpu().numpy()
        matrix.add(truth, scores.argmax(0))
        sample = rng.choice(truth.size, min(_TEMPERATURE_PIXELS, truth.size), replace=False)
        kept_logits.append(scores.reshape(len(scores), -1).T[sample])
        kept_truth.append(truth.ravel()[sample])
    temperature = fit_temperature(np.concatenate(kept_logits), np.concatenate(kept_truth))
    return matrix.scores(), temperature
