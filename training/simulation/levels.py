# SPDX-License-Identifier: GPL-2.0-or-later
"""VV and VH levels of each cover, how they differ between places and fields, and what state fields are in.

Sources of the numbers below
- Levels and spreads over places: means and deviations of annual Sentinel-1 sigma nought at points with an ESA WorldCover label
  (test table of presto-worldcereal, 500 points worldwide) and with a Dynamic World label (lower by 2-4 dB, dry and snowy places
  among them); our levels lie between the two. VV, VH: trees -8.2, -14.2 / -11.7, -17.4; grassland -10.6, -17.6 / -13.7, -20.3;
  cropland -9.6, -17.2 / -14.7, -22.5; bare -10.2, -17.8 / -15.2, -23.7; water -17.9, -26.3 / -15.8, -23.4.
- How forest, open land, bare ground, towns and water differ within one place, and what fields are like: medians of polygons of
  split `train` drawn by eye on real scenes (`training/reference/README.md`, "Levels by class and scene"), of which only such
  summary figures were used. Belgium's fields are at -9.4, -14.7 in July, -6.3, -15.0 in January and -12.4, -20.1 in May; one by
  Lac du Bourget at -13.4, -22.9; reed there at -3.0, -18.8, and an open marsh of SEN12MS-CR 4438 at -17.5, -23.3.
- Water: labelled chips of Sen1Floods11 (Bonafilia et al. 2020, CVPRW): medians from -24 (calm) to -16 dB VV; 17 scenes of `train`:
  -20.2 dB (deviation 2.5), from -25.7 to -13.4; VV - VH 6.0 dB (deviation 2.9), from 2.1 to 8.7, and 15.1 of a windy lake.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.simulation.fields import F32, fractal_noise, smooth_noise
from training.simulation.layout import Cover, Ground


@dataclass(frozen=True)
class Level:
    """Backscatter of a cover, in dB: mean VV, its deviation between places and between fields of one place; the same for
    VV minus VH; deviation and size of the texture within.
    """

    vv_db: float
    place_db: float
    field_db: float
    ratio_db: float
    ratio_place_db: float
    ratio_field_db: float
    texture_db: float


LEVELS = {
    Cover.NONE: Level(-12.0, 0.0, 0.0, 7.0, 0.0, 0.0, 0.0),
    Cover.TREES: Level(-9.3, 0.7, 0.25, 5.7, 0.5, 0.2, 0.5),
    Cover.GRASS: Level(-11.0, 1.2, 1.0, 7.3, 1.0, 0.7, 0.7),
    Cover.CROPS: Level(-10.4, 1.0, 1.6, 7.9, 1.2, 1.3, 0.35),
    Cover.HOUSES: Level(-9.8, 0.8, 0.0, 6.2, 0.5, 0.0, 0.8),
    Cover.PAVED: Level(-12.6, 1.8, 0.8, 7.5, 1.0, 0.5, 0.6),
    Cover.BARE: Level(-14.8, 2.0, 0.8, 7.9, 1.6, 0.5, 1.0),
    Cover.SEA: Level(-18.6, 3.0, 0.0, 6.2, 2.2, 0.0, 0.25),
    Cover.LAKE: Level(-20.6, 2.6, 0.8, 6.0, 2.0, 0.4, 0.2),
    Cover.RIVER: Level(-20.0, 2.6, 0.3, 6.2, 2.0, 0.2, 0.3),
    Cover.WETLAND: Level(-11.5, 1.8, 0.5, 7.0, 1.2, 0.4, 1.4),
}

WATER = (Cover.SEA, Cover.LAKE, Cover.RIVER)
FROZEN_DB = -2.5
"""Below this season the ground is frozen or parched, and fields have no other state."""


@dataclass(frozen=True)
class State:
    """What some fields (of wetland: some of its area) are like in some scenes, whatever the level of their cover."""

    cover: Cover
    chance: float
    """That a scene has it."""
    share: tuple[float, float]
    """Of the scene's fields of that cover."""
    vv_db: float
    ratio_db: float
    """Mean VV and VV - VH that take the place of the cover's."""
    spread_db: float
    """Deviation between scenes, of each."""
    contrast: float = 0.5
    """How much stays of what sets fields and pixels of the cover apart."""


STATES = (
    # Evergreen rain forest: brighter than other forest, and all of a scene's (coast of Brazil: -7.0, -13.5, split `train`).
    State(Cover.TREES, 0.25, (1.0, 1.0), -7.0, 6.4, 0.7, contrast=1.0),
    # Tall summer crops, maize above all: a canopy of the levels of trees inside the straight borders of fields.
    State(Cover.CROPS, 0.25, (0.15, 0.85), -9.2, 5.6, 0.8),
    # Wet, rough soil.
    State(Cover.CROPS, 0.15, (0.1, 0.8), -6.8, 8.5, 0.9),
    # Seed beds and dry, smooth soil.
    State(Cover.CROPS, 0.30, (0.05, 0.4), -13.6, 9.5, 1.2),
    # Reed, grass or shrubs that stand in water: stem and water together reflect VV back.
    State(Cover.WETLAND, 0.35, (0.4, 1.0), -9.0, 10.5, 2.0),
)
VEGETATION = (Cover.TREES, Cover.GRASS, Cover.CROPS)
CANOPY_DB = 0.65
GLINT_DB = 0.4
"""Set so that skewness and the correlation of VV and VH come near those of real patches (docs/simulation.md)."""


def _put(rng: np.random.Generator, state: State, ground: Ground, season_db: float, vv_db: F32, ratio_db: F32) -> None:
    """Moves some of the scene's fields of a cover to `state`, where this scene has it."""
    chosen = rng.random() < state.chance
    share = rng.uniform(*state.share)
    vv, ratio = rng.normal(state.vv_db, state.spread_db), rng.normal(state.ratio_db, state.spread_db)
    of_field = ground.fields.uniform(rng)
    here = (ground.cover == state.cover) & (of_field < share)
    if not chosen or season_db < FROZEN_DB or not here.any():
        return
    for values, mean in ((vv_db, vv), (ratio_db, ratio)):
        middle = np.float32(np.median(values[here]))
        values[here] = np.float32(mean) + np.float32(state.contrast) * (values[here] - middle)


def draw_levels(rng: np.random.Generator, ground: Ground) -> tuple[F32, F32]:
    """VV and VV - VH of each pixel in dB, float32 [H, W] each, without relief: the place's level, the field's state and level, and
    texture at two scales.
    """
    levels = [LEVELS[cover] for cover in Cover]
    water = np.isin(np.arange(len(Cover)), [int(cover) for cover in WATER])
    # The whole place is wetter or drier than usual, now and then frozen; both bands move, and VH falls further.
    season_db = rng.normal(0, 0.8) + (rng.uniform(-5.0, -1.5) if rng.random() < 0.14 else 0.0)
    # Forest follows least: over 25 real places its VH stayed 3.8 dB (deviation 1.8) above that of open land, never below.
    season = np.full(len(levels), season_db)
    season[Cover.TREES] *= 0.45
    season[water] = 0.0
    # Calibration, sigma or gamma nought: all of the land moves alike.
    season += np.where(water, 0.0, rng.normal(0, 0.7))
    vv_of_cover = np.array([level.vv_db + level.place_db * rng.standard_normal() for level in levels])
    vv_of_cover += season
    ratio_of_cover = np.array([level.ratio_db + level.ratio_place_db * rng.standard_normal() for level in levels])
    ratio_of_cover -= 0.25 * np.minimum(season, 0.0)

    def by_cover(values: npt.NDArray[np.float64]) -> F32:
        return values.astype(np.float32)[ground.cover]

    shape = (ground.cover.shape[0], ground.cover.shape[1])
    field_of_cover = np.array([level.field_db for level in levels]) * rng.lognormal(0, 0.3)
    ratio_field = np.array([level.ratio_field_db for level in levels]) * rng.lognormal(0, 0.3)
    texture = 0.35 * smooth_noise(rng, shape, 4) + 0.9 * fractal_noise(rng, shape, 50, 3)
    texture_of_cover = np.array([level.texture_db for level in levels]) * rng.lognormal(0, 0.3)
    field_noise = ground.fields.normal(rng)
    vv_db = by_cover(vv_of_cover) + by_cover(field_of_cover) * field_noise + by_cover(texture_of_cover) * texture
    # Bright fields are rather rough or wet soil (more VV), dark ones smooth: a weak link of level and ratio.
    ratio_noise = ground.fields.normal(rng) * np.float32(0.95) + np.float32(0.3) * field_noise
    ratio_db = by_cover(ratio_of_cover) + by_cover(ratio_field) * ratio_noise
    season_db = float(season[Cover.CROPS])
    for state in STATES:
        _put(rng, state, ground, season_db, vv_db, ratio_db)
    _roughen_vegetation(rng, ground.cover, vv_db, ratio_db)
    return vv_db, np.maximum(ratio_db, np.float32(2.0))


def _roughen_vegetation(rng: np.random.Generator, cover: npt.NDArray[np.uint8], vv_db: F32, ratio_db: F32) -> None:
    """What varies within some tens of metres. Over forest crowns and gaps, the same in both bands: of real pixels VV and VH go
    together by 0.24. And in VV alone stems, stones and furrows that face the radar: more bright pixels than dark ones.
    """
    shape = (cover.shape[0], cover.shape[1])
    canopy = np.float32(CANOPY_DB * rng.lognormal(0, 0.3)) * smooth_noise(rng, shape, 2)
    vv_db += np.where(cover == Cover.TREES, canopy, np.float32(0))
    glints = np.float32(GLINT_DB * rng.lognormal(0, 0.3)) * (smooth_noise(rng, shape, 2) ** 2 - 1)
    of_vegetation = np.where(np.isin(cover, VEGETATION), glints, np.float32(0))
    vv_db += of_vegetation
    ratio_db += of_vegetation
