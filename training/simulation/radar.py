# SPDX-License-Identifier: GPL-2.0-or-later
"""What C-band radar sees of a simulated ground: levels, relief, incidence angle, wind, buildings, ships; then `reception.py`.

Sources of the numbers below (levels: `levels.py`; speckle and noise: `reception.py`)
- Towns: percentiles of Sentinel-1 crops of Berlin (VV 5/25/50/75/95%: -11.6, -8.4, -5.7, -2.4, +3.4 dB), San Francisco and a
  Chinese country town; 13 scenes of split `train` (`training/reference/README.md`): medians of VV -5.3, VH -14.7, VV - VH 8.6 dB,
  deviation of pixels 4.4 and 4.1 dB.
- Incidence: land falls by about 0.1 to 0.15 dB a degree, rough water by 0.3 to 1 (Ulaby and Dobson 1989, Handbook of Radar
  Scattering Statistics for Terrain; CMOD5.N, Hersbach 2008).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from training.simulation.fields import F32, fractal_noise, smooth_noise
from training.simulation.layout import Cover, Ground
from training.simulation.levels import WATER, draw_levels
from training.simulation.reception import LOWEST_DB, from_db, speckle_and_noise, swath_edge


@dataclass(frozen=True)
class RadarSettings:
    """How a simulated scene is seen: `looks` of speckle, near-range incidence and its span over the scene's columns."""

    looks: float = 4.4
    incidence_deg: tuple[float, float] = (30.0, 45.0)
    incidence_span_deg: float = 4.0
    edge_share: float = 0.1


def observe(rng: np.random.Generator, ground: Ground, settings: RadarSettings) -> tuple[F32, npt.NDArray[np.bool_]]:
    """Sigma nought of the ground: float32 [2, H, W], VV then VH in dB, NaN beyond the swath; and the border-noise mask [H, W]."""
    power = backscatter_power(rng, ground, settings)
    noisy = speckle_and_noise(rng, power, settings.looks)
    border = swath_edge(rng, noisy, settings.edge_share)
    values_db: F32 = 10 * np.log10(np.maximum(noisy, np.float32(10 ** (LOWEST_DB / 10))), dtype=np.float32)
    return values_db, border


def backscatter_power(rng: np.random.Generator, ground: Ground, settings: RadarSettings) -> F32:
    """Mean linear power before speckle: float32 [2, H, W], VV then VH."""
    shape = (ground.cover.shape[0], ground.cover.shape[1])
    vv_db, ratio_db = draw_levels(rng, ground)
    vv_db += _incidence_trend(rng, ground.cover, settings)
    is_water = np.isin(np.arange(len(Cover)), [int(cover) for cover in WATER])[ground.cover]
    _roughen_water(rng, vv_db, ratio_db, is_water)
    # Slopes brighten and darken land, never water.
    relief = np.float32(ground.relief_db) * ground.slope
    vv_db += np.where(is_water, np.float32(0), relief)
    power = np.empty((2, *shape), dtype=np.float32)
    power[0] = from_db(vv_db)
    power[1] = from_db(vv_db - ratio_db)
    _add_houses(rng, power, ground)
    _add_ships(rng, power, ground.cover)
    return power


def _incidence_trend(rng: np.random.Generator, cover: npt.NDArray[np.uint8], settings: RadarSettings) -> F32:
    """What the incidence angle along the columns adds, in dB, relative to mid swath (38 degrees)."""
    near = rng.uniform(
        settings.incidence_deg[0], max(settings.incidence_deg[0], settings.incidence_deg[1] - settings.incidence_span_deg)
    )
    angle_deg = (near + np.linspace(0, settings.incidence_span_deg, cover.shape[1])).astype(np.float32)
    if rng.random() < 0.5:  # ascending or descending: the near side is left or right
        angle_deg = angle_deg[::-1]
    per_degree = np.full(len(Cover), -0.12, dtype=np.float32)
    for water in WATER:
        per_degree[water] = -0.35
    return per_degree[cover] * (angle_deg - np.float32(38))[None, :]


def _roughen_water(rng: np.random.Generator, vv_db: F32, ratio_db: F32, is_water: npt.NDArray[np.bool_]) -> None:
    """Wind: slow gradients over the water, streaks, and a VV that rises faster than VH."""
    if not is_water.any():
        return
    shape = (vv_db.shape[0], vv_db.shape[1])
    wind_db = np.float32(rng.uniform(0, 2.8)) * fractal_noise(rng, shape, rng.uniform(100, 300), 3)
    vv_db += np.where(is_water, wind_db, np.float32(0))
    # VV minus VH of water: wider when rough (Bragg scatter is co-polarised), 4 to 5 dB when calm.
    rough = np.clip((vv_db + 20) / 8, -0.5, 1)
    wider_db = np.float32(2) * rough + np.float32(3) * np.maximum(rough, 0) ** 2
    ratio_db += np.where(is_water, wider_db, np.float32(0))
    # Even a rough sea stays below -12.5 dB beyond the steepest angles (-13.6 dB was the brightest of 90 real water polygons).
    np.clip(vv_db, -28, np.where(is_water, np.float32(-12.5), np.float32(5)), out=vv_db)


def _add_houses(rng: np.random.Generator, power: F32, ground: Ground) -> None:
    """Corner reflections of buildings, over the trees, gardens and roofs that `draw_levels` painted.

    A pixel of a built block holds a reflector with the block's chance; its strength is log-normal and higher in cores. Streets
    along the look direction send back VV, oblique ones a larger share of VH (Ferro et al. 2011, IEEE TGRS 49(7), on orientation),
    so VV - VH belongs to the street grid.
    """
    houses = ground.cover == Cover.HOUSES
    if not houses.any():
        return
    shape = (houses.shape[0], houses.shape[1])
    blocks = ground.blocks
    chance = np.clip(
        0.19 + 0.27 * ground.density + np.float32(0.13) * blocks.normal(rng) + np.float32(0.06) * smooth_noise(rng, shape, 30),
        0.04,
        0.95,
    )
    # In many places houses stand along the street, with gardens or yards behind.
    if rng.random() < 0.6:
        front = np.exp(-(((blocks.border_px - np.float32(rng.uniform(1.2, 2.5))) / np.float32(1.2)) ** 2))
        chance = chance * (np.float32(0.45) + np.float32(1.3) * front)
    present = houses & (rng.random(shape, dtype=np.float32) < chance)
    place_db, spread = rng.normal(-4.4, 1.8), rng.lognormal(0, 0.25)
    oriented = rng.standard_normal(256).astype(np.float32)[blocks.region]
    oriented += np.float32(0.6) * fractal_noise(rng, shape, 60, 2)
    chance_db = rng.standard_normal(shape, dtype=np.float32)
    strength_db = (
        np.float32(place_db)
        + 4.0 * ground.density
        + np.float32(1.3) * blocks.normal(rng)
        + np.float32(0.8) * oriented
        + np.float32(4.1 * spread) * chance_db
        + np.float32(0.5) * np.maximum(chance_db, 0) ** 2  # few reflectors are very strong
    )
    np.clip(strength_db, -20, 17, out=strength_db)
    ratio_db = np.clip(10.8 + 2.0 * oriented + 3.5 * rng.standard_normal(shape, dtype=np.float32), 2.0, 20)
    bright_vv = np.where(present, from_db(strength_db), np.float32(0))
    bright_vh = np.where(present, from_db(strength_db - ratio_db), np.float32(0))
    # The response of a point reaches over its neighbours.
    spread_px = 1.0
    power[0] += ndimage.gaussian_filter(bright_vv, spread_px, truncate=2.5, mode="nearest")
    power[1] += ndimage.gaussian_filter(bright_vh, spread_px, truncate=2.5, mode="nearest")


def _add_ships(rng: np.random.Generator, power: F32, cover: npt.NDArray[np.uint8]) -> None:
    """A few bright points on large water."""
    at_sea = np.flatnonzero(cover == Cover.SEA)
    if at_sea.size == 0 or rng.random() < 0.5:
        return
    for place in rng.choice(at_sea, int(rng.integers(1, 12))):
        row, column = divmod(int(place), cover.shape[1])
        strength = 10 ** (rng.uniform(-0.5, 1.3))
        power[0, row : row + 2, column : column + 2] += strength
        power[1, row : row + 2, column : column + 2] += strength * 10 ** (-rng.uniform(0.4, 1.0))
