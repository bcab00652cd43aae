# SPDX-License-Identifier: GPL-2.0-or-later
"""Artefacts of position: how much of the variance of patch tokens their place in the crop alone explains.

R squared of the means, over crops, of each position: 1 would be tokens that say nothing but where they are. Positional patterns
persist in what is learnt from SAR (arXiv 2310.02048); crops that are cut anywhere show the same kinds of ground at all positions.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from training.study.probes import Look


def position_cell(look: Look) -> dict[str, Any]:
    """Of each place, over its valid patches: the squares that the means explain, and all squares about the mean of all tokens.

    The ratio of their sums over places is R squared; by chance it is about one over the number of crops,
    and more where crops of one place are alike.
    """
    tokens, valid = look.features.tokens, look.crops.patch_valid
    kept = tokens * valid[..., None]
    counts = valid.sum(axis=0)
    sums = kept.sum(axis=0, dtype=np.float64)  # [P, D]
    means = (sums / np.maximum(counts, 1)[:, None]).astype(np.float32)
    overall = (sums.sum(axis=0) / counts.sum()).astype(np.float32)
    about_all, about_means = (np.square(tokens - centre).sum(axis=-1, dtype=np.float64) * valid for centre in (overall, means))
    found = {}
    for place in np.unique(look.crops.places):
        here = look.crops.places == place
        total = float(about_all[here].sum())
        found[str(place)] = [total - float(about_means[here].sum()), total]
    return {"crops": len(look.crops), "tokens": int(valid.sum()), "sums": found}
