# SPDX-License-Identifier: GPL-2.0-or-later
"""What C-band radar sees of a simulated ground: levels, texture, incidence angle, speckle, noise and the swath's edge.

Sources of the numbers below
- Levels and spreads over places: means and deviations of annual Sentinel-1 sigma nought at points with an ESA WorldCover label
  (test table of presto-worldcereal, 500 points worldwide) and with a Dynamic World label (lower by 2-4 dB, dry and snowy places
  among them); our levels lie between the two. VV, VH: trees -8.2, -14.2 / -11.7, -17.4; grassland -10.6, -17.6 / -13.7, -20.3;
  cropland -9.6, -17.2 / -14.7, -22.5; bare -10.2, -17.8 / -15.2, -23.7; water -17.9, -26.3 / -15.8, -23.4.
- How forest, open land, bare ground, towns and water differ within one place: medians of 370 polygons drawn by eye on 41 real
  scenes (training/reference), of which only such summary figures were used.
- Towns: percentiles of Sentinel-1 crops of Berlin (VV 5/25/50/75/95%: -11.6, -8.4, -5.7, -2.4, +3.4 dB), San Francisco and a
  Chinese country town.
- Water: labelled chips of Sen1Floods11 (Bonafilia et al. 2020, CVPRW): medians from -24 (calm) to -16 dB VV.
- Speckle: Gamma distributed, 4.4 looks for IW GRDH (Sentinel-1 Product Specification, S1-RS-MDA-52-7441, table of GRD
  products); autocorrelation 0.7, 0.26, 0.06 at 1, 2, 3 px measured over forest in Sen1Floods11 chips.
- Noise: NESZ of IW better than -22 dB by specification, -25 to -30 dB measured (Sentinel-1 annual performance reports);
  products whose noise was not subtracted keep it, so that calm water stays near -23 to -25 dB in VH.
- Incidence: land falls by about 0.1 to 0.15 dB a degree, rough water by 0.3 to 1 (Ulaby and Dobson 1989, Handbook of Radar
  Scattering Statistics for Terrain; CMOD5.N, Hersbach 2008).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.special import gammaincinv, ndtr

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
    Cover.TREES: Level(-9.3, 0.6, 0.25, 5.7, 0.5, 0.2, 0.5),
    Cover.GRASS: Level(-11.2, 1.3, 1.0, 7.0, 0.9, 0.7, 0.7),
    Cover.CROPS: Level(-10.3, 1.3, 1.9, 7.5, 1.3, 1.5, 0.35),
    Cover.HOUSES: Level(-9.8, 0.8, 0.0, 6.2, 0.5, 0.0, 0.8),
    Cover.PAVED: Level(-12.6, 1.8, 0.8, 7.5, 1.0, 0.5, 0.6),
    Cover.BARE: Level(-14.4, 2.0, 0.8, 8.7, 1.5, 0.5, 1.0),
    Cover.SEA: Level(-17.8, 3.0, 0.0, 8.3, 2.0, 0.0, 0.25),
    Cover.LAKE: Level(-20.5, 2.8, 0.8, 8.3, 1.7, 0.4, 0.2),
    Cover.RIVER: Level(-20.0, 2.8, 0.3, 8.2, 1.7, 0.2, 0.3),
    Cover.WETLAND: Level(-11.5, 1.8, 0.5, 7.0, 1.2, 0.4, 1.4),
}

WATER = (Cover.SEA, Cover.LAKE, Cover.RIVER)
LOWEST_DB = -50.0
"""Where subtracted noise leaves no power."""


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
    noisy = _speckle_and_noise(rng, power, settings)
    border = _swath_edge(rng, noisy, settings.edge_share)
    values_db: F32 = 10 * np.log10(np.maximum(noisy, np.float32(10 ** (LOWEST_DB / 10))), dtype=np.float32)
    return values_db, border


def backscatter_power(rng: np.random.Generator, ground: Ground, settings: RadarSettings) -> F32:
    """Mean linear power before speckle: float32 [2, H, W], VV then VH."""
    shape = (ground.cover.shape[0], ground.cover.shape[1])
    vv_db, ratio_db = _levels(rng, ground)
    vv_db += _incidence_trend(rng, ground.cover, settings)
    is_water = np.isin(np.arange(len(Cover)), [int(cover) for cover in WATER])[ground.cover]
    _roughen_water(rng, vv_db, ratio_db, is_water)
    # Slopes brighten and darken land, never water.
    relief = np.float32(ground.relief_db) * ground.slope
    vv_db += np.where(is_water, np.float32(0), relief)
    power = np.empty((2, *shape), dtype=np.float32)
    power[0] = _from_db(vv_db)
    power[1] = _from_db(vv_db - ratio_db)
    _add_houses(rng, power, ground)
    _add_ships(rng, power, ground.cover)
    return power


def _from_db(values_db: F32) -> F32:
    power: F32 = np.exp(values_db * np.float32(np.log(10) / 10), dtype=np.float32)
    return power


def _levels(rng: np.random.Generator, ground: Ground) -> tuple[F32, F32]:
    """VV and VV - VH of each pixel in dB, without relief: the place's level, the field's, and texture at two scales."""
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
    ratio_db = np.maximum(by_cover(ratio_of_cover) + by_cover(ratio_field) * ratio_noise, np.float32(3.0))
    return vv_db, ratio_db


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
    # VV minus VH of water: wider when rough (Bragg scatter is co-polarised), about 6 dB when calm.
    rough = np.clip((vv_db + 20) / 8, -0.5, 1)
    ratio_db += np.where(is_water, np.float32(1.5) * rough, np.float32(0))
    # Even a rough sea stays below -12.5 dB beyond the steepest angles (-13.6 dB was the brightest of 90 real water polygons).
    np.clip(vv_db, -28, np.where(is_water, np.float32(-12.5), np.float32(5)), out=vv_db)


def _add_houses(rng: np.random.Generator, power: F32, ground: Ground) -> None:
    """Corner reflections of buildings, over the trees, gardens and roofs that `_levels` painted.

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
        0.45 + 0.4 * ground.density + np.float32(0.13) * blocks.normal(rng) + np.float32(0.06) * smooth_noise(rng, shape, 30),
        0.04,
        0.95,
    )
    # In many places houses stand along the street, with gardens or yards behind.
    if rng.random() < 0.6:
        front = np.exp(-(((blocks.border_px - np.float32(rng.uniform(1.2, 2.5))) / np.float32(1.2)) ** 2))
        chance = chance * (np.float32(0.45) + np.float32(1.3) * front)
    present = houses & (rng.random(shape, dtype=np.float32) < chance)
    place_db, spread = rng.normal(-5.2, 2.5), rng.lognormal(0, 0.35)
    oriented = rng.standard_normal(256).astype(np.float32)[blocks.region]
    oriented += np.float32(0.6) * fractal_noise(rng, shape, 60, 2)
    chance_db = rng.standard_normal(shape, dtype=np.float32)
    strength_db = (
        np.float32(place_db)
        + 5.5 * ground.density
        + np.float32(1.3) * blocks.normal(rng)
        + np.float32(0.8) * oriented
        + np.float32(2.2 * spread) * chance_db
        + np.float32(0.4) * np.maximum(chance_db, 0) ** 2  # few reflectors are very strong
    )
    np.clip(strength_db, -20, 17, out=strength_db)
    ratio_db = np.clip(8.8 + 2.2 * oriented + 1.2 * rng.standard_normal(shape, dtype=np.float32), 2.5, 14)
    bright_vv = np.where(present, _from_db(strength_db), np.float32(0))
    bright_vh = np.where(present, _from_db(strength_db - ratio_db), np.float32(0))
    # The response of a point reaches over its neighbours.
    spread_px = 0.8
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


def _speckle_and_noise(rng: np.random.Generator, power: F32, settings: RadarSettings) -> F32:
    """Speckle multiplies signal and noise together; the mean noise is then subtracted, or left in as in many products."""
    subtracted = rng.random() < 0.55
    vh_noise_db = rng.uniform(-33, -25) if subtracted else rng.uniform(-27, -21.5)
    smoothing_px = (rng.uniform(0.55, 1.15), rng.uniform(0.55, 1.15))
    seen = np.empty_like(power)
    for band, noise_db in ((0, vh_noise_db - rng.uniform(0, 3)), (1, vh_noise_db)):
        noise = np.float32(10 ** (noise_db / 10))
        seen[band] = (power[band] + noise) * draw_speckle(rng, (power.shape[1], power.shape[2]), settings.looks, smoothing_px)
        if subtracted:
            seen[band] -= noise
    _resample(rng, seen)
    return seen


def _resample(rng: np.random.Generator, power: F32) -> None:
    """Bringing a product onto a map grid averages neighbours: speckle is less than in GRD pixels.

    Measured in 7 x 7 px windows of real layers on map grids: deviation over mean of 0.37 (0.22 to 0.44) over forest, where GRD's
    own 4.4 looks alone would give 0.48.
    """
    side = np.float32(rng.uniform(0.02, 0.33))
    kernel = np.array([side, 1 - 2 * side, side], dtype=np.float32)
    for axis in (1, 2):
        power[:] = ndimage.correlate1d(power, kernel, axis=axis, mode="nearest")


def draw_speckle(rng: np.random.Generator, shape: tuple[int, int], looks: float, smoothing_px: tuple[float, float]) -> F32:
    """Multiplicative speckle: float32 [H, W], mean 1, Gamma(looks, 1/looks) at each pixel, correlated between neighbours.

    White Gaussian noise is smoothed to a Gaussian correlation, brought back to unit deviation, and sent through the Gamma
    distribution's quantiles, so that the marginal law is exact whatever the correlation.
    """
    noise = rng.standard_normal(shape, dtype=np.float32)
    for axis, sigma in enumerate(smoothing_px):
        kernel = np.exp(-0.5 * (np.arange(-3, 4) / sigma) ** 2)
        kernel /= np.sqrt((kernel**2).sum())
        noise = ndimage.correlate1d(noise, kernel.astype(np.float32), axis=axis, mode="wrap")
    table = _gamma_table(looks)
    index = np.clip((noise + np.float32(5)) * np.float32((table.size - 1) / 10), 0, table.size - 1).astype(np.int32)
    speckle: F32 = table[index]
    return speckle


def _gamma_table(looks: float, size: int = 8192) -> F32:
    """Quantiles of Gamma(looks, 1/looks) at the probabilities of normal numbers from -5 to 5."""
    quantiles = gammaincinv(looks, ndtr(np.linspace(-5, 5, size))) / looks
    return np.asarray(quantiles, dtype=np.float32)


def _swath_edge(rng: np.random.Generator, power: F32, share: float) -> npt.NDArray[np.bool_]:
    """Cuts the scene at an oblique swath edge in `share` of scenes: NaN beyond, low border noise
    along it. Returns where that noise is.
    """
    shape = (power.shape[1], power.shape[2])
    border = np.zeros(shape, dtype=np.bool_)
    if rng.random() >= share:
        return border
    rows = np.arange(shape[0], dtype=np.float32)[:, None]
    columns = np.arange(shape[1], dtype=np.float32)[None, :]
    slope, side = rng.normal(0, 0.2), rng.random() < 0.5
    inside_px = (
        (columns if side else shape[1] - 1 - columns)
        - np.float32(rng.uniform(0.02, 0.35) * shape[1])
        + np.float32(slope) * (rows - shape[0] / 2)
    )
    border[:] = (inside_px >= 0) & (inside_px < rng.uniform(2, 14))
    low = _from_db(rng.uniform(-42, -26) + np.float32(3) * rng.standard_normal((2, *shape), dtype=np.float32))
    power[:, border] = low[:, border]
    power[:, inside_px < 0] = np.nan
    return border
