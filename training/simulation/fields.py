# SPDX-License-Identifier: GPL-2.0-or-later
"""Random fields and straight-bordered parcels that simulated scenes are drawn from. Pure functions of a generator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
KEYS = 65536
"""Number of different parcel keys; a table of this length gives each parcel its own random attribute."""

_SPLINE_STD = 0.48
"""Deviation of a cubic B-spline surface over unit white noise: the mean of the sum of squared weights, one factor an axis."""


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], scale_px: float) -> F32:
    """Gaussian noise of about unit deviation that varies over `scale_px`: float32 [H, W].

    A cubic B-spline surface over a coarse grid of white noise; as two small matrix products it costs far less than a filter.
    """
    row_basis = _spline_basis(rng, shape[0], scale_px)
    column_basis = _spline_basis(rng, shape[1], scale_px)
    knots = rng.standard_normal((row_basis.shape[1], column_basis.shape[1]), dtype=np.float32)
    surface = (row_basis @ knots) @ column_basis.T
    return np.divide(surface, np.float32(_SPLINE_STD), dtype=np.float32)


def fractal_noise(rng: np.random.Generator, shape: tuple[int, int], scale_px: float, octaves: int = 4, gain: float = 0.55) -> F32:
    """Sum of `octaves` of `smooth_noise`, each half the scale and `gain` times the height of the last; about unit deviation."""
    total = np.zeros(shape, dtype=np.float32)
    for octave in range(octaves):
        total += np.float32(gain**octave) * smooth_noise(rng, shape, scale_px / 2**octave)
    return total / np.float32(np.sqrt(sum(gain ** (2 * octave) for octave in range(octaves))))


def _spline_basis(rng: np.random.Generator, length_px: int, scale_px: float) -> F32:
    """Weights of the cubic B-spline knots for each pixel: [length, knots]."""
    position = np.arange(length_px) / scale_px + rng.random()
    first = np.floor(position).astype(np.int64)
    t = position - first
    weights = np.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3], axis=1) / 6
    basis = np.zeros((length_px, int(first[-1]) + 4), dtype=np.float32)
    np.put_along_axis(basis, first[:, None] + np.arange(4), weights.astype(np.float32), axis=1)
    return basis


@dataclass(frozen=True)
class Parcels:
    """A partition of the scene into straight-bordered cells: fields, or blocks of a town.

    `key` is uint16 [H, W], one number a parcel (an index into tables of KEYS random attributes); `region` uint8 [H, W] numbers
    the areas of one orientation; `border_px` float32 [H, W] is the distance to the parcel's border.
    """

    key: npt.NDArray[np.uint16]
    region: npt.NDArray[np.uint8]
    border_px: F32

    def uniform(self, rng: np.random.Generator) -> F32:
        """A number from [0, 1) for each parcel, at its pixels."""
        return rng.random(KEYS, dtype=np.float32)[self.key]

    def normal(self, rng: np.random.Generator) -> F32:
        """A standard normal number for each parcel, at its pixels."""
        return rng.standard_normal(KEYS, dtype=np.float32)[self.key]


def draw_parcels(
    rng: np.random.Generator,
    shape: tuple[int, int],
    size_px: tuple[float, float],
    regions: int,
    elongation: float = 2.5,
    bend_px: float = 0.0,
) -> Parcels:
    """Parcels of `size_px` (smallest, largest side drawn for a region), up to `elongation` times longer than wide.

    Each region (a Voronoi cell) has its own orientation and size, and inside it the columns of parcels are cut at lengths of
    their own, as land is. `bend_px` bends borders.
    """
    rows, columns = np.meshgrid(np.arange(shape[0], dtype=np.float32), np.arange(shape[1], dtype=np.float32), indexing="ij")
    if bend_px > 0:
        rows = rows + np.float32(bend_px) * smooth_noise(rng, shape, 90)
        columns = columns + np.float32(bend_px) * smooth_noise(rng, shape, 90)
    region = _voronoi(rng, rows, columns, shape, regions)
    # Neighbouring regions often share an orientation, as along one road.
    main_angle = rng.uniform(0, np.pi)
    angle = np.where(rng.random(regions) < 0.5, main_angle + rng.normal(0, 0.06, regions), rng.uniform(0, np.pi, regions))
    width = np.exp(rng.uniform(np.log(size_px[0]), np.log(size_px[1]), regions))
    length = width * rng.uniform(1, elongation, regions)

    def of_region(values: npt.NDArray[Any]) -> F32:
        return values.astype(np.float32)[region]

    cos, sin = of_region(np.cos(angle)), of_region(np.sin(angle))
    across = (cos * columns + sin * rows) / of_region(width) + of_region(rng.uniform(0, 50, regions))
    along = (cos * rows - sin * columns) / of_region(length)
    column_number = np.floor(across)
    across -= column_number
    # Each column of parcels: a shift and a length of its own.
    strip = (column_number.astype(np.int32) * 37 + region * np.int32(101)) & 1023
    stretch = rng.uniform(0.6, 1.6, 1024).astype(np.float32)[strip]
    along = along / stretch + rng.uniform(100, 200, 1024).astype(np.float32)[strip]
    row_number = np.floor(along)
    along -= row_number
    border = np.minimum(
        np.minimum(across, 1 - across) * of_region(width), np.minimum(along, 1 - along) * (of_region(length) * stretch)
    )
    key = (strip * np.int32(7919) + row_number.astype(np.int32) * np.int32(15485863)) & (KEYS - 1)
    return Parcels(key.astype(np.uint16), region, border)


def _voronoi(rng: np.random.Generator, rows: F32, columns: F32, shape: tuple[int, int], count: int) -> npt.NDArray[np.uint8]:
    nearest = np.full(shape, np.inf, dtype=np.float32)
    region = np.zeros(shape, dtype=np.uint8)
    for number in range(count):
        row, column = np.float32(rng.uniform(0, shape[0])), np.float32(rng.uniform(0, shape[1]))
        distance = (rows - row) ** 2 + (columns - column) ** 2
        closer = distance < nearest
        nearest[closer] = distance[closer]
        region[closer] = number
    return region
