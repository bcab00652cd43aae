# SPDX-License-Identifier: GPL-2.0-or-later
"""The ground of a simulated scene: what lies where. No radar in here; the order of the steps is the order of painting."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from training.simulation.fields import F32, Parcels, draw_parcels, fractal_noise, smooth_noise

Bool = npt.NDArray[np.bool_]


class Cover(IntEnum):
    """What a pixel is covered with: finer than the label, since radar sees a street and a house apart."""

    NONE = 0
    TREES = 1
    GRASS = 2
    CROPS = 3
    HOUSES = 4
    PAVED = 5
    BARE = 6
    SEA = 7
    LAKE = 8
    RIVER = 9
    WETLAND = 10


WORLDCOVER_CODE = {
    Cover.TREES: 10,
    Cover.GRASS: 30,
    Cover.CROPS: 40,
    Cover.HOUSES: 50,
    Cover.PAVED: 50,
    Cover.BARE: 60,
    Cover.SEA: 80,
    Cover.LAKE: 80,
    Cover.RIVER: 80,
    Cover.WETLAND: 90,
}
"""Codes of ESA WorldCover v200, product user manual section 3.2 (Zanaga et al. 2022, doi 10.5281/zenodo.7254221)."""

UNLABELLED = 0


@dataclass(frozen=True)
class Landscape:
    """Shares and sizes of one kind of landscape; the values of a scene are drawn around them."""

    share: float
    crops: float
    trees: float
    grass: float
    bare: float
    towns: tuple[int, int]
    town_px: tuple[float, float]
    villages: tuple[int, int]
    rivers: tuple[int, int]
    sea: float
    lakes: float
    flooded_fields: float = 0.0
    wetland: float = 0.25
    relief_db: float = 0.4


# `share` is how often a landscape is drawn; crops to bare are weights of open land; sea, lakes, flooded fields and wetland are
# the chance that a scene has them; towns and villages are counts; relief is the deviation that slopes add, in dB.
LANDSCAPES = {
    "farmland": Landscape(0.24, 0.66, 0.10, 0.22, 0.02, (0, 1), (25, 70), (1, 8), (0, 1), 0.03, 0.3, 0.08, 0.15, 0.3),
    "mixed": Landscape(0.20, 0.30, 0.30, 0.37, 0.03, (0, 2), (25, 90), (1, 8), (0, 1), 0.05, 0.4, 0.03, 0.25, 0.9),
    "city": Landscape(0.20, 0.25, 0.25, 0.45, 0.05, (2, 5), (60, 260), (0, 4), (0, 1), 0.12, 0.4, 0.0, 0.1, 0.3),
    "coast": Landscape(0.16, 0.30, 0.25, 0.40, 0.05, (0, 2), (20, 110), (0, 5), (0, 1), 1.0, 0.3, 0.05, 0.4, 0.8),
    "forest": Landscape(0.11, 0.08, 0.66, 0.24, 0.02, (0, 1), (15, 45), (0, 4), (0, 1), 0.03, 0.5, 0.0, 0.4, 1.8),
    "river plain": Landscape(0.09, 0.45, 0.15, 0.33, 0.07, (0, 1), (20, 60), (0, 6), (1, 2), 0.0, 0.7, 0.7, 0.6, 0.1),
    "dry": Landscape(0.07, 0.15, 0.06, 0.39, 0.40, (0, 1), (20, 60), (0, 3), (0, 1), 0.05, 0.2, 0.0, 0.05, 1.4),
}


@dataclass(frozen=True)
class Ground:
    """A scene's ground. All arrays are [H, W].

    `cover` holds `Cover` values, `label` WorldCover codes (0 unlabelled), `density` the density of the town in 0..1,
    `front_px` the distance to the nearest street in a town. `slope` is the relief's tilt towards the radar, deviation 1.
    """

    landscape: str
    relief_db: float
    cover: npt.NDArray[np.uint8]
    label: npt.NDArray[np.uint8]
    density: F32
    fields: Parcels
    blocks: Parcels
    slope: F32


def draw_ground(rng: np.random.Generator, shape: tuple[int, int], landscape: str = "any") -> Ground:
    """A random ground of `shape`, of one of LANDSCAPES (or "any"). Raises KeyError for an unknown landscape."""
    if landscape == "any":
        shares = np.array([kind.share for kind in LANDSCAPES.values()])
        landscape = list(LANDSCAPES)[int(rng.choice(len(shares), p=shares / shares.sum()))]
    kind = LANDSCAPES[landscape]
    fields = draw_parcels(rng, shape, _range_between(rng, 5, 45, 2.5), regions=14, elongation=rng.uniform(1.2, 5), bend_px=3)
    blocks = draw_parcels(rng, shape, _range_between(rng, 6, 15, 1.6), regions=16, elongation=2.2, bend_px=2)
    cover = _open_land(rng, kind, fields)
    _trees(rng, kind, cover, fields)
    density = _town_density(rng, kind, shape)
    town = density > 0.05
    _town(rng, cover, town, density, blocks)
    _water(rng, kind, cover, fields, town)
    label = _label(cover)
    _roads(rng, cover, label)
    slope = _slope(rng, shape)
    return Ground(landscape, float(kind.relief_db * rng.lognormal(0, 0.4)), cover, label, density, fields, blocks, slope)


def _range_between(rng: np.random.Generator, low: float, high: float, ratio: float) -> tuple[float, float]:
    smallest = float(np.exp(rng.uniform(np.log(low), np.log(high / ratio))))
    return smallest, smallest * ratio


def _threshold_for(noise: F32, share: float) -> float:
    """The value that `share` of the noise lies above."""
    return float(np.quantile(noise[::4, ::4], 1 - min(max(share, 0.0), 1.0)))


def _open_land(rng: np.random.Generator, kind: Landscape, fields: Parcels) -> npt.NDArray[np.uint8]:
    """Fields of crops and grass, wild grass between them, bare ground in patches."""
    shape = fields.key.shape
    weights = np.array([kind.crops, kind.grass, kind.bare]) * rng.lognormal(0, 0.5, 3)
    crops, _, bare = weights / weights.sum()
    cover = np.full(shape, Cover.GRASS, dtype=np.uint8)
    # Crops keep to farmed areas; a field inside such an area may still be meadow.
    farmed_share = min(1.0, crops * 1.35)
    if farmed_share > 0.02:
        farmed = fractal_noise(rng, shape, 160, 3)
        in_farm = farmed + 0.5 * fields.normal(rng) > 1.1 * _threshold_for(farmed, farmed_share)
        cover[in_farm & (fields.uniform(rng) < 0.82)] = Cover.CROPS
    if bare > 0.005:
        patches = fractal_noise(rng, shape, 90, 5)
        cover[patches > _threshold_for(patches, bare)] = Cover.BARE
    return cover


def _trees(rng: np.random.Generator, kind: Landscape, cover: npt.NDArray[np.uint8], fields: Parcels) -> None:
    """Forest in patches with borders partly wild and partly along fields; hedges and rows of trees; single groves."""
    shape = cover.shape
    share = kind.trees * rng.lognormal(0, 0.35)
    forest = fractal_noise(rng, shape, rng.uniform(60, 220), 5) + np.float32(rng.uniform(0, 0.9)) * fields.normal(rng)
    cover[forest > _threshold_for(forest, share)] = Cover.TREES
    groves = fractal_noise(rng, shape, 12, 2)
    cover[(groves > rng.uniform(2.0, 3.0)) & (cover != Cover.CROPS)] = Cover.TREES
    if rng.random() < 0.3:
        hedged = (fields.uniform(rng) < rng.uniform(0.03, 0.3)) & (fields.border_px < rng.uniform(0.9, 2.2))
        cover[hedged & (cover != Cover.BARE)] = Cover.TREES


def _town_density(rng: np.random.Generator, kind: Landscape, shape: tuple[int, int]) -> F32:
    """Density of building, 0 outside towns, up to 1 in a core."""
    density = np.zeros(shape, dtype=np.float32)
    places = [(rng.uniform(*kind.town_px), rng.uniform(0.35, 1.0)) for _ in range(_count(rng, kind.towns))]
    places += [
        (float(np.exp(rng.uniform(np.log(3), np.log(16)))), rng.uniform(0.2, 0.6)) for _ in range(_count(rng, kind.villages))
    ]
    if not places:
        return density
    wobble_rows, wobble_columns = fractal_noise(rng, shape, 60, 3), fractal_noise(rng, shape, 60, 3)
    for radius_px, core in places:
        row, column = rng.uniform(-0.1, 1.1) * shape[0], rng.uniform(-0.1, 1.1) * shape[1]
        reach = radius_px * 1.7
        top, bottom = max(0, int(row - reach)), min(shape[0], int(row + reach))
        left, right = max(0, int(column - reach)), min(shape[1], int(column + reach))
        if top >= bottom or left >= right:
            continue
        part = np.s_[top:bottom, left:right]
        amplitude = np.float32(radius_px * 0.3)
        rows = np.arange(top, bottom, dtype=np.float32)[:, None] - np.float32(row) + amplitude * wobble_rows[part]
        columns = np.arange(left, right, dtype=np.float32)[None, :] - np.float32(column) + amplitude * wobble_columns[part]
        stretch = rng.uniform(0.6, 1.6)
        distance = np.sqrt(rows**2 * np.float32(stretch) + columns**2 / np.float32(stretch)) / np.float32(radius_px)
        inside = np.where(distance < 1, np.float32(core) * (1 - np.float32(rng.uniform(0.3, 0.9)) * distance), 0)
        density[part] = np.maximum(density[part], inside.astype(np.float32))
    return density


def _count(rng: np.random.Generator, bounds: tuple[int, int]) -> int:
    return int(rng.integers(bounds[0], bounds[1] + 1))


def _town(rng: np.random.Generator, cover: npt.NDArray[np.uint8], town: Bool, density: F32, blocks: Parcels) -> None:
    """Blocks of houses, streets, parks, gardens, and paved yards; what is not built stays open in thin suburbs."""
    if not town.any():
        return
    kind_of_block = blocks.uniform(rng)
    street = blocks.border_px < rng.uniform(0.5, 1.1)
    # Sparse suburbs leave blocks unbuilt; a core leaves few.
    built = town & (kind_of_block < 0.78 + 0.3 * density)
    park = fractal_noise(rng, (cover.shape[0], cover.shape[1]), 40, 3)
    parks = town & (park > rng.uniform(1.2, 2.0))
    cover[town & ~built] = np.where(kind_of_block[town & ~built] > 0.9, Cover.TREES, Cover.GRASS)
    cover[built] = Cover.HOUSES
    paved = built & (blocks.uniform(rng) < 0.03)
    cover[paved | (town & street & built)] = Cover.PAVED
    wooded = smooth_noise(rng, (cover.shape[0], cover.shape[1]), 14) > rng.normal(0, 0.7)
    cover[parks] = np.where(wooded[parks], Cover.TREES, Cover.GRASS)


def _water(rng: np.random.Generator, kind: Landscape, cover: npt.NDArray[np.uint8], fields: Parcels, town: Bool) -> None:
    shape = (cover.shape[0], cover.shape[1])
    if rng.random() < kind.wetland:
        _wetland(rng, cover, shape)
    for _ in range(_count(rng, kind.rivers)):
        _river(rng, cover, shape, wide=kind.flooded_fields > 0.5)
    if rng.random() < kind.lakes:
        _lakes(rng, cover, shape)
    if rng.random() < kind.flooded_fields:
        flooded_area = fractal_noise(rng, shape, 150, 3)
        flooded = (flooded_area > _threshold_for(flooded_area, rng.uniform(0.05, 0.5))) & (
            fields.uniform(rng) < rng.uniform(0.2, 0.95)
        )
        dam = fields.border_px < rng.uniform(0.3, 1.0)
        cover[flooded & ~town & ~dam & (cover != Cover.TREES)] = Cover.LAKE
    if rng.random() < kind.sea:
        _sea(rng, cover, shape)


def _wetland(rng: np.random.Generator, cover: npt.NDArray[np.uint8], shape: tuple[int, int]) -> None:
    marsh = fractal_noise(rng, shape, 70, 4)
    wild = (cover == Cover.GRASS) | (cover == Cover.TREES)
    cover[(marsh > _threshold_for(marsh, rng.uniform(0.01, 0.12))) & wild] = Cover.WETLAND


def _river(rng: np.random.Generator, cover: npt.NDArray[np.uint8], shape: tuple[int, int], wide: bool) -> None:
    """A river that crosses the scene: a line bent by noise, so that it meanders; wide ones may braid around islands of sand."""
    rows, columns = np.meshgrid(np.arange(shape[0], dtype=np.float32), np.arange(shape[1], dtype=np.float32), indexing="ij")
    scale_px = rng.uniform(60, 200)
    bend_px = np.float32(scale_px * rng.uniform(0.1, 0.55))
    rows = rows + bend_px * fractal_noise(rng, shape, scale_px, 2, 0.3)
    columns = columns + bend_px * fractal_noise(rng, shape, scale_px, 2, 0.3)
    angle = rng.uniform(0, np.pi)
    centre = rng.uniform(0.15, 0.85, 2) * shape
    across = np.abs(
        np.float32(np.cos(angle)) * (rows - np.float32(centre[0])) + np.float32(np.sin(angle)) * (columns - np.float32(centre[1]))
    )
    # Bending also stretches; a width by noise hides it.
    half_width_px = (
        float(np.exp(rng.uniform(np.log(6), np.log(45)))) if wide else float(np.exp(rng.uniform(np.log(0.8), np.log(12))))
    )
    half_width = np.float32(half_width_px) * np.exp(np.float32(0.22) * smooth_noise(rng, shape, 40))
    water = across < half_width
    if half_width_px > 15 and rng.random() < 0.6:
        channel = np.abs(fractal_noise(rng, shape, half_width_px * 1.4, 3))
        sand = water & (channel > rng.uniform(0.3, 1.0))
        cover[sand] = np.where(fractal_noise(rng, shape, half_width_px, 3)[sand] > rng.normal(0, 0.6), Cover.BARE, Cover.GRASS)
        water &= ~sand
    banks = (across < half_width + rng.uniform(0, 4)) & ~water
    bank_cover = rng.choice([Cover.TREES, Cover.GRASS, Cover.BARE], p=[0.42, 0.38, 0.2])
    cover[banks & (cover != Cover.HOUSES) & (cover != Cover.PAVED)] = int(bank_cover)
    cover[water] = Cover.RIVER


def _lakes(rng: np.random.Generator, cover: npt.NDArray[np.uint8], shape: tuple[int, int]) -> None:
    """A lake or a few, from ponds of some pixels to large ones; with or without a shore of trees or reed."""
    scale_px = float(np.exp(rng.uniform(np.log(14), np.log(140))))
    basin = fractal_noise(rng, shape, scale_px, 3, 0.4)
    rare = fractal_noise(rng, shape, scale_px * 4, 1)
    level = basin + 0.6 * rare
    share = float(np.exp(rng.uniform(np.log(0.003), np.log(0.22))))
    threshold = _threshold_for(level, share)
    shore = (level > threshold - rng.uniform(0, 0.25)) & (cover != Cover.HOUSES) & (cover != Cover.PAVED)
    cover[shore] = int(rng.choice([Cover.TREES, Cover.GRASS, Cover.WETLAND, Cover.BARE], p=[0.4, 0.35, 0.15, 0.1]))
    cover[level > threshold] = Cover.LAKE


def _sea(rng: np.random.Generator, cover: npt.NDArray[np.uint8], shape: tuple[int, int]) -> None:
    """A coast across the scene, with bays and islands, and a beach where the ground is soft."""
    rows = np.linspace(-1, 1, shape[0], dtype=np.float32)[:, None]
    columns = np.linspace(-1, 1, shape[1], dtype=np.float32)[None, :]
    angle = rng.uniform(0, 2 * np.pi)
    ramp = np.float32(np.cos(angle)) * rows + np.float32(np.sin(angle)) * columns
    depth = ramp * np.float32(rng.uniform(1.0, 4.0)) + np.float32(rng.uniform(0.2, 0.9)) * fractal_noise(rng, shape, 170, 6, 0.5)
    level = _threshold_for(depth, rng.uniform(0.12, 0.9))
    beach_width = rng.uniform(0, 0.05) if rng.random() < 0.6 else 0.0
    beach = (depth > level - beach_width) & (cover != Cover.HOUSES)
    cover[beach] = Cover.BARE
    cover[depth > level] = Cover.SEA


def _label(cover: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    table = np.zeros(len(Cover), dtype=np.uint8)
    for member, code in WORLDCOVER_CODE.items():
        table[member] = code
    return table[cover]


def _roads(rng: np.random.Generator, cover: npt.NDArray[np.uint8], label: npt.NDArray[np.uint8]) -> None:
    """Country roads, painted after the labels: a road of one or two pixels keeps the label of the land, a wide one is built-up.

    Water is bridged: there the deck is as bright as houses, and its pixels are left unlabelled.
    """
    shape = (cover.shape[0], cover.shape[1])
    water = (cover == Cover.RIVER) | (cover == Cover.LAKE)
    open_water = cover == Cover.SEA
    for _ in range(int(rng.integers(0, 6))):
        angle, width_px = rng.uniform(0, np.pi), float(np.exp(rng.uniform(np.log(0.7), np.log(4.0))))
        rows = np.arange(shape[0], dtype=np.float32)[:, None]
        columns = np.arange(shape[1], dtype=np.float32)[None, :]
        bend = np.float32(rng.uniform(0, 25)) * smooth_noise(rng, shape, 250)
        centre = rng.uniform(0.0, 1.0, 2) * shape
        across = np.abs(
            np.float32(np.cos(angle)) * (rows - np.float32(centre[0]))
            + np.float32(np.sin(angle)) * (columns - np.float32(centre[1]))
            + bend
        )
        road = (across < width_px / 2) & ~open_water
        bridge = road & water
        cover[bridge] = Cover.HOUSES
        label[bridge] = UNLABELLED
        cover[road & ~water] = Cover.PAVED
        if width_px > 2.5:
            label[road & ~water] = WORLDCOVER_CODE[Cover.PAVED]


def _slope(rng: np.random.Generator, shape: tuple[int, int]) -> F32:
    """Tilt of the relief along the look direction (the columns), deviation about 1."""
    height = fractal_noise(rng, shape, rng.uniform(25, 90), 4, 0.5)
    tilt = np.gradient(height, axis=1).astype(np.float32)
    return tilt / np.float32(max(float(tilt[::4, ::4].std()), 1e-6))
