# SPDX-License-Identifier: GPL-2.0-or-later
"""Blended logits become class codes, confidence and probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .strip import LANDCOVER_NODATA, PERCENT_NODATA, PROBABILITY_STEPS

_CHUNK_PX = {"cpu": 2**15}
"""Pixels at a time: on a CPU so few that a chunk of some classes stays in the cache (twice as fast, measured)."""
_CHUNK_GPU_PX = 2**22


@dataclass(frozen=True)
class ClassRows:
    """Rows of the map, uint8. `landcover` [rows, width] holds class codes, nodata 0; `confidence` [rows, width] percent,
    nodata 255; `probabilities` [classes, rows, width] in 1/250, nodata 255, None where not asked for.

    `confidence_sum` is the sum of the largest probability over the wanted pixels. `finite` is False where a wanted pixel's
    logits hold NaN or infinity; the rows are then worth nothing.
    """

    landcover: NDArray[np.uint8]
    confidence: NDArray[np.uint8]
    probabilities: NDArray[np.uint8] | None
    confidence_sum: float
    finite: bool


def classify(
    logits: Tensor, wanted: NDArray[np.bool_], codes: Sequence[int], temperature: float, *, want_probabilities: bool
) -> ClassRows:
    """The map of `logits` float32 [classes, rows, width], blended and not yet divided by the temperature.

    Pixels that are not `wanted` [rows, width] are nodata. Where classes are exactly equal, the one of the highest code is
    taken: the code is the maximum of (probability is the largest) x code, three to four times as fast as an argmax.
    """
    classes, rows, width = logits.shape
    device = logits.device
    flat = logits.flatten(1)  # [classes, rows * width]: a view, as whole rows follow each other in each plane
    kept = torch.from_numpy(wanted).to(device).flatten()
    code_column = torch.tensor(codes, dtype=torch.uint8, device=device)[:, None]
    landcover = torch.empty(rows * width, dtype=torch.uint8, device=device)
    confidence = torch.empty_like(landcover)
    probabilities = torch.empty((classes, rows * width), dtype=torch.uint8, device=device) if want_probabilities else None
    confidence_sum = torch.zeros((), dtype=torch.float64, device=device)
    finite = torch.ones((), dtype=torch.bool, device=device)
    step = _CHUNK_PX.get(device.type, _CHUNK_GPU_PX)
    for start in range(0, rows * width, step):
        part = slice(start, start + step)
        z, keep = flat[:, part], kept[part]
        # One sum is finite only if all its terms are: a -inf would not show in the probabilities.
        finite &= (torch.isfinite(z.sum(0)) | ~keep).all()
        p = (z if temperature == 1.0 else z / temperature).softmax(0)
        best = p.amax(0)
        landcover[part] = ((p == best) * code_column).amax(0).masked_fill_(~keep, LANDCOVER_NODATA)
        confidence_sum += best.masked_fill(~keep, 0.0).sum(dtype=torch.float64)
        confidence[part] = (best * 100.0).round_().to(torch.uint8).masked_fill_(~keep, PERCENT_NODATA)
        if probabilities is not None:
            probabilities[:, part] = (p * float(PROBABILITY_STEPS)).round_().to(torch.uint8).masked_fill_(~keep, PERCENT_NODATA)
    return ClassRows(
        landcover=landcover.cpu().numpy().reshape(rows, width),
        confidence=confidence.cpu().numpy().reshape(rows, width),
        probabilities=None if probabilities is None else probabilities.cpu().numpy().reshape(classes, rows, width),
        confidence_sum=float(confidence_sum),
        finite=bool(finite),
    )
