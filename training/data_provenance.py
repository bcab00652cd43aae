# SPDX-License-Identifier: GPL-2.0-or-later
"""What a run's report and a model card say of the chips that were trained on: sources, places, how many are real."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from training.chips.store import ChipSplit

ATTRIBUTION = "Contains modified Copernicus Sentinel data"
NAMED_PLACES = 100
"""Real places that are named at most."""


def describe_chips(name: str, split: ChipSplit, rows: npt.NDArray[np.integer], **more: Any) -> dict[str, Any]:
    """Of the chips `rows` of a store's split. Simulated places are counted, real ones named."""
    index = split.index
    simulated = index["simulated"][rows] == "yes"
    source, place = index["source"][rows], index["place"][rows]
    return {
        "store": name,
        **more,
        "chips": len(rows),
        "simulated_chips": int(simulated.sum()),
        "real_chips": int((~simulated).sum()),
        "sources": {one: int((source == one).sum()) for one in sorted(set(source.tolist()))},
        "places": len(set(place.tolist())),
        "real_places": sorted(set(place[~simulated].tolist()))[:NAMED_PLACES],
    }


def describe_stores(stores: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """All stores of a run, with the notice that real Sentinel-1 pixels ask for."""
    counts = {key: sum(store[key] for store in stores) for key in ("real_chips", "simulated_chips")}
    return {"stores": list(stores), **counts, **({"attribution": ATTRIBUTION} if counts["real_chips"] else {})}
