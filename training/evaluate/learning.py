# SPDX-License-Identifier: GPL-2.0-or-later
"""What baselines learn from: decibels and labels of the scenes of some places, on the grids that the backend reads them on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.doubtful_water import doubtful_water
from training.evaluate.figures import WET_SHARE
from training.evaluate.legends import F32, SIX_GROUPS, U8, WATER, Legend
from training.evaluate.maps import read_radar
from training.evaluate.scenes import LabelledScene, label_on_grid
from training.metrics import IGNORE

WATER_GROUP = SIX_GROUPS.names.index("water")


@dataclass(frozen=True, eq=False)
class LearningScene:
    """One scene with one label. `values_db` is float32 [2, H, W]; `water` and `groups` uint8 [H, W] are group indices of WATER and
    SIX_GROUPS, IGNORE where the label does not say, and where labelled water is doubtful.
    """

    name: str
    place: str
    values_db: F32
    water: U8
    groups: U8
    simulated: bool

    def truth(self, legend: Legend) -> U8:
        return self.water if legend == WATER else self.groups

    @property
    def wet(self) -> bool:
        """Whether water is at least WET_SHARE of what is labelled."""
        return bool((self.water == 1).sum() >= WET_SHARE * max(1, (self.water != IGNORE).sum()))


def learning_scene(scene: LabelledScene) -> LearningScene:
    """Reads scene and label. Raises SardineError where the backend refuses the scene."""
    radar = read_radar(scene)
    label = label_on_grid(scene, radar.grid)
    truth = scene.legend.truth(label.values)
    invalid = ~np.isfinite(radar.values_db).all(axis=0)
    groups = np.full_like(truth, IGNORE)
    if scene.legend == WATER:
        water = np.where(doubtful_water(truth == 1, radar.values_db[0]), IGNORE, truth).astype(np.uint8)
    else:
        groups = truth
        water = np.where(truth == IGNORE, IGNORE, truth == WATER_GROUP).astype(np.uint8)
    groups, water = (np.where(invalid, IGNORE, part).astype(np.uint8) for part in (groups, water))
    return LearningScene(scene.name, scene.place.name, radar.values_db, water, groups, radar.simulated)


def of_legend(scenes: Sequence[LearningScene], legend: Legend) -> list[LearningScene]:
    """The scenes whose label says something in `legend`. Raises ValueError where there is none."""
    found = [scene for scene in scenes if (scene.truth(legend) != IGNORE).any()]
    if not found:
        raise ValueError(f"No scene to learn {legend.name} from.")
    return found


def legends_of(scenes: Sequence[LearningScene]) -> list[Legend]:
    """The legends that some scene's label says something in."""
    return [legend for legend in (WATER, SIX_GROUPS) if any((scene.truth(legend) != IGNORE).any() for scene in scenes)]
