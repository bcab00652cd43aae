# SPDX-License-Identifier: GPL-2.0-or-later
"""Water labels that radar contradicts: void for what learns, scored apart by what measures."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import uniform_filter

from backend.radiometry import to_power

DOUBTFUL_VV_DB = -13.0
"""Labelled water that is brighter (VV, averaged over 5 x 5 px in power) is doubtful: flooded vegetation, or water of another day.
In the chips of Pakistan, the Mekong and Paraguay most of the labelled water lies at -8 to -12 dB; in the others with at least 1% of
water the median is -16 to -23 dB. Rough sea can be as bright; no labelled chip shows any."""

DOUBTFUL_WINDOW_PX = 5


def doubtful_water(water: npt.NDArray[np.bool_], vv_db: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """Where labelled water (`water` bool [H, W]) is as bright as land in VV (`vv_db` [H, W], NaN nodata); bool [H, W]."""
    power = to_power(np.where(np.isfinite(vv_db), vv_db, np.float32(-80)))
    mean_db = 10 * np.log10(np.maximum(uniform_filter(power, DOUBTFUL_WINDOW_PX), 1e-9))
    return np.asarray(water & (mean_db > DOUBTFUL_VV_DB))
