# SPDX-License-Identifier: GPL-2.0-or-later
"""Dates reduced to one value a pixel. What has no data on a date is left out of that pixel alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..radiometry import FloatArray


def reduce_dates(power: FloatArray, reduction: str, percentile: float) -> tuple[FloatArray, NDArray[np.int16]]:
    """One value a pixel of linear `power`, float32 [dates, rows, columns] with NaN nodata, which is sorted in place.

    Returns it, float32 [rows, columns], NaN where no date has a value; and how many have, int16. `reduction` is one of
    protocol.REDUCTIONS; percentiles lie between the two nearest values in proportion, as numpy's default does (Hyndman and Fan
    1996, definition 7), and the median is that of 50.
    """
    there = np.isfinite(power)
    count = there.sum(axis=0, dtype=np.int16)
    if reduction == "mean":
        total = np.sum(power, axis=0, dtype=np.float64, where=there)
        with np.errstate(invalid="ignore", divide="ignore"):
            return (total / np.where(count == 0, np.nan, count)).astype(np.float32), count
    power[~there] = np.nan
    power.sort(axis=0)  # NaN last
    place = np.maximum(count - 1, 0) * np.float32((50.0 if reduction == "median" else percentile) / 100.0)
    below = np.floor(place).astype(np.intp)
    above = np.minimum(below + 1, np.maximum(count - 1, 0))
    low = np.take_along_axis(power, below[None], axis=0)[0]
    high = np.take_along_axis(power, above[None], axis=0)[0]
    return (low + (high - low) * (place - below).astype(np.float32)).astype(np.float32), count
