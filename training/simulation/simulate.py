# SPDX-License-Identifier: GPL-2.0-or-later
"""Sentinel-1-like scenes with labels, from a physical recipe. Everything follows from the seed.

ground (fields, forest, towns, rivers, lakes, coast, wetland, bare; `layout.py`) -> VV and VH levels, texture, states of fields
(`levels.py`) -> relief, incidence trend, wind, buildings (`radar.py`) -> speckle -> noise -> swath edge (`reception.py`). Each file
names the sources of its numbers.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.simulation.fields import F32
from training.simulation.layout import UNLABELLED, draw_ground
from training.simulation.radar import RadarSettings, observe

RECIPE = "sardine-simulation-4"
"""Raised when the same seed gives other pixels."""


@dataclass(frozen=True)
class SimulatedScene:
    """`values_db` is float32 [2, H, W]: VV, VH, sigma nought in dB, NaN beyond the swath. `label` is uint8 [H, W], 0 unlabelled."""

    values_db: F32
    label: npt.NDArray[np.uint8]
    landscape: str
    seed: int
    settings: RadarSettings

    @property
    def tags(self) -> dict[str, str]:
        """What a file of this scene says of itself."""
        return {
            "SIMULATED": "yes",
            "SIMULATION_RECIPE": RECIPE,
            "SIMULATION_SEED": str(self.seed),
            "SIMULATION_LANDSCAPE": self.landscape,
            "SIMULATION_SETTINGS": json.dumps(dataclasses.asdict(self.settings)),
            "BACKSCATTER": "sigma0",
            "UNITS": "dB",
        }


def simulate_scene(
    seed: int, shape: tuple[int, int], settings: RadarSettings | None = None, landscape: str = "any"
) -> SimulatedScene:
    """The scene of `seed`: always the same pixels for the same arguments."""
    settings = settings or RadarSettings()
    rng = np.random.default_rng(seed)
    ground = draw_ground(rng, shape, landscape)
    values_db, border = observe(rng, ground, settings)
    label = ground.label.copy()
    label[border | np.isnan(values_db[0])] = UNLABELLED
    return SimulatedScene(values_db, label, ground.landscape, seed, settings)
