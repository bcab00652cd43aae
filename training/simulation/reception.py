# SPDX-License-Identifier: GPL-2.0-or-later
"""What lies between the ground's backscatter and the pixels of a file: speckle, noise, resampling, the swath's edge.

Sources of the numbers below
- Speckle: Gamma distributed, 4.4 looks for IW GRDH (Sentinel-1 Product Specification, S1-RS-MDA-52-7441, table of GRD
  products); autocorrelation 0.7, 0.26, 0.06 at 1, 2, 3 px measured over forest in Sen1Floods11 chips.
- Noise: NESZ of IW better than -22 dB by specification, -25 to -30 dB measured (Sentinel-1 annual performance reports);
  products whose noise was not subtracted keep it, so that calm water stays near -23 to -25 dB in VH.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.special import gammaincinv, ndtr

from training.simulation.fields import F32

LOWEST_DB = -50.0
"""Where subtracted noise leaves no power."""


def from_db(values_db: F32) -> F32:
    """Linear power of decibels."""
    power: F32 = np.exp(values_db * np.float32(np.log(10) / 10), dtype=np.float32)
    return power


def speckle_and_noise(rng: np.random.Generator, power: F32, looks: float) -> F32:
    """Speckle multiplies signal and noise together; the mean noise is then subtracted, or left in as in some products."""
    subtracted = rng.random() < 0.75
    vh_noise_db = rng.uniform(-33, -26) if subtracted else rng.uniform(-29, -22.5)
    smoothing_px = (rng.uniform(0.55, 0.90), rng.uniform(0.55, 0.90))
    # A tenth of layers is a mean over dates, or was filtered: whole places of real ones have 1.1 dB of deviation over forest.
    looks = looks * (rng.uniform(2, 5) if rng.random() < 0.12 else rng.uniform(0.9, 1.15))
    seen = np.empty_like(power)
    for band, noise_db in ((0, vh_noise_db - rng.uniform(0, 3)), (1, vh_noise_db)):
        noise = np.float32(10 ** (noise_db / 10))
        seen[band] = (power[band] + noise) * draw_speckle(rng, (power.shape[1], power.shape[2]), looks, smoothing_px)
        if subtracted:
            seen[band] -= noise
    return _resample(rng, seen)


def _resample(rng: np.random.Generator, power: F32) -> F32:
    """Bringing a product onto a map grid averages neighbours: speckle is less than in GRD pixels.

    Measured in 7 x 7 px windows of real layers on map grids: deviation over mean of 0.37 (0.22 to 0.44) over forest, where GRD's
    own 4.4 looks alone would give 0.48. Layers in dB are often averaged as such, which makes the dark and bright sides of the
    distribution more alike.
    """
    side = np.float32(rng.uniform(0.04, 0.21))
    kernel = np.array([side, 1 - 2 * side, side], dtype=np.float32)
    floor = np.float32(10 ** (LOWEST_DB / 10))
    in_db = rng.random() < 0.7
    values = np.log(np.maximum(power, floor), dtype=np.float32) if in_db else power
    for axis in (1, 2):
        values = ndimage.correlate1d(values, kernel, axis=axis, mode="nearest")
    averaged: F32 = np.exp(values, dtype=np.float32) if in_db else values
    return averaged


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


def swath_edge(rng: np.random.Generator, power: F32, share: float) -> npt.NDArray[np.bool_]:
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
    low = from_db(rng.uniform(-42, -26) + np.float32(3) * rng.standard_normal((2, *shape), dtype=np.float32))
    power[:, border] = low[:, border]
    power[:, inside_px < 0] = np.nan
    return border
