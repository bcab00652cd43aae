# SPDX-License-Identifier: GPL-2.0-or-later
"""Multiplicative speckle from numbers drawn beforehand: the same pixels on any device, in any process."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def speckle_db(looks: Tensor, seed: Tensor, shape: Sequence[int]) -> Tensor:
    """Decibels of speckle, float32 [*looks.shape, *shape]: gamma distributed power of mean 1 and variance 1 / looks,
    independent for each pixel; 0 dB where `looks` is infinite.

    `seed` is int64 of the same shape as `looks`. Wilson and Hilferty's cube of a normal variable (1931; within 1% in
    distribution from 3 looks on) needs no rejection.
    """
    looks = looks.view(*looks.shape, *(1 for _ in shape))
    cube_root = 1.0 - 1.0 / (9.0 * looks) + _normal(seed, shape) / (3.0 * looks.sqrt())
    return 30.0 * torch.log10(cube_root.clamp_min(0.05))


def _normal(seed: Tensor, shape: Sequence[int]) -> Tensor:
    """Standard normal float32 [*seed.shape, *shape] that depends on seed and position alone.

    A hash of a counter (splitmix64's finaliser, Steele et al. 2014, figure 16) and Box and Muller's transform: a generator
    for each view would cost a launch each.
    """
    counter = torch.arange(math.prod(shape), device=seed.device)
    state = seed[..., None] + (counter + 1) * -7046029254386353131  # 0x9E3779B97F4A7C15 as a signed number
    state = (state ^ _shifted(state, 30)) * -4658895280553007687  # 0xBF58476D1CE4E5B9
    state = (state ^ _shifted(state, 27)) * -7723592293110705685  # 0x94D049BB133111EB
    state = state ^ _shifted(state, 31)
    first = (_shifted(state, 40).float() + 0.5) * 2.0**-24
    second = (_shifted(state, 16) & 0xFFFFFF).float() * 2.0**-24
    normal = torch.sqrt(-2.0 * torch.log(first)) * torch.cos(2.0 * math.pi * second)
    return normal.view(*seed.shape, *shape)


def _shifted(state: Tensor, bits: int) -> Tensor:
    """A right shift that brings in zeros, as of an unsigned number."""
    return (state >> bits) & ((1 << (64 - bits)) - 1)
