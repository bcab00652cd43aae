# SPDX-License-Identifier: GPL-2.0-or-later
"""How decibels are kept in a store: as float16, or as 8 bits over the clip range. Either way nodata survives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from training.simulation.fields import F32

FLOAT16, UINT8 = "float16_db", "uint8"
ENCODINGS: Mapping[str, np.dtype[Any]] = {FLOAT16: np.dtype("<f2"), UINT8: np.dtype("u1")}

NODATA_CODE = 0
LEVELS = 254
"""Steps of the 8 bits: code 1 is the lower end of the clip range, 255 the upper, 0 no data."""

ClipDb = Sequence[tuple[float, float]]
"""Lower and upper end of each band, dB."""


def encode(db: F32, encoding: str, clip_db: ClipDb) -> npt.NDArray[Any]:
    """`db` [.., bands, H, W], NaN nodata, as it is stored: float16 dB, or uint8 1..255 over `clip_db`, 0 nodata."""
    if encoding == FLOAT16:
        return np.asarray(db, dtype=ENCODINGS[FLOAT16])
    low, high = _limits(clip_db)
    with np.errstate(invalid="ignore"):
        code = np.rint((np.clip(db, low, high) - low) * (LEVELS / (high - low))) + 1
    return np.where(np.isfinite(db), code, NODATA_CODE).astype(ENCODINGS[UINT8])


def decode(stored: npt.NDArray[Any], encoding: str, clip_db: ClipDb) -> F32:
    """Decibels float32 of what `encode` made, NaN nodata; same shape."""
    if encoding == FLOAT16:
        return stored.astype(np.float32)
    low, high = _limits(clip_db)
    codes = stored.astype(np.float32)
    db: F32 = np.where(codes == NODATA_CODE, np.float32(np.nan), (codes - 1) * ((high - low) / LEVELS) + low)
    return db


def decode_tensor(stored: Tensor, encoding: str, clip_db: ClipDb) -> Tensor:
    """`decode` on any device: what is stored travels to the device, where it becomes float32 dB."""
    codes = stored.float()
    if encoding == FLOAT16:
        return codes
    low, high = (torch.from_numpy(limit).to(codes.device) for limit in _limits(clip_db))
    return torch.where(codes == NODATA_CODE, torch.nan, (codes - 1) * ((high - low) / LEVELS) + low)


def _limits(clip_db: ClipDb) -> tuple[F32, F32]:
    """Lower and upper ends, float32 [bands, 1, 1] each."""
    limits = np.array(clip_db, dtype=np.float32).T[..., None, None]
    return limits[0], limits[1]
