# SPDX-License-Identifier: GPL-2.0-or-later
"""Radar values to the standardised tensor of the model card. The one place for it, shared by inference and training.

Everything is carried in decibels: dB = 10 log10(power), power = amplitude^2. Not-a-number is nodata throughout.
Formula for GRD digital numbers: sigma nought = DN^2 / A^2, so 20 log10(DN) - C with C = 20 log10(A)
(ESA, "Radiometric Calibration of S-1 Level-1 Products", MPC-ESA-DI-0072, section 2; A is nearly constant over a GRD product).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .model_card import BandSpec
from .protocol import ErrorCode, SardineError

FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]

LOWEST_DB = -80.0
HIGHEST_DB = 60.0
"""Values outside are no radar backscatter: Sentinel-1's noise floor is near -22 to -30 dB, and the brightest corner
reflectors and ships stay below 50 dB in one pixel. Undeclared nodata of -99, -9999 and -32768 falls outside too."""

CALIBRATION_HINTS_DB = {"IW": 55.5, "EW": 63.2, "SM": 46.8}
"""Typical C of `dn` by acquisition mode, means of the sigma-nought look-up tables of GRD products."""


def to_power(db: FloatArray) -> FloatArray:
    """Linear power of `db`; NaN stays NaN. Float32 of the same shape."""
    power: FloatArray = np.power(np.float32(10.0), np.asarray(db, dtype=np.float32) * np.float32(0.1))
    return power


def power_to_db(power: FloatArray) -> FloatArray:
    """Decibels of linear `power`, float32 of the same shape: NaN where power is not above zero or no radar value."""
    power = np.asarray(power, dtype=np.float32)
    with np.errstate(divide="ignore", invalid="ignore"):
        db = np.float32(10.0) * np.log10(power, out=np.full_like(power, np.nan), where=power > 0)
    return _physical(db)


def to_db(values: FloatArray, unit: str, calibration_db: float | None = None) -> FloatArray:
    """Decibels of `values` (any shape) given in `unit`, float32; NaN where there is no radar value.

    `unit` is db, power, amplitude or dn. No radar value: not finite, power or amplitude or DN at or below zero, or
    outside -80 to 60 dB. Raises SardineError: calibration_missing for dn without `calibration_db`, request_invalid
    for another unit.
    """
    values = np.asarray(values, dtype=np.float32)
    if unit == "db":
        return _physical(values.copy())
    if unit == "power":
        return power_to_db(values)
    if unit in ("amplitude", "dn"):
        offset_db = require_calibration(calibration_db) if unit == "dn" else 0.0
        with np.errstate(divide="ignore", invalid="ignore"):
            db = np.float32(20.0) * np.log10(values, out=np.full_like(values, np.nan), where=values > 0)
        return _physical(db - np.float32(offset_db))
    raise SardineError(
        ErrorCode.REQUEST_INVALID,
        f"The unit “{unit}” has no decibels.",
        "One of db, power, amplitude or dn is needed.",
        "Choose the unit of the layer.",
    )


def require_calibration(calibration_db: float | None) -> float:
    """`calibration_db`, or the refusal that names typical constants."""
    if calibration_db is not None and np.isfinite(calibration_db):
        return float(calibration_db)
    hints = ", ".join(f"{mode} {value}" for mode, value in CALIBRATION_HINTS_DB.items())
    raise SardineError(
        ErrorCode.CALIBRATION_MISSING,
        "The layer holds GRD digital numbers without a calibration constant.",
        "Sigma nought is 20 log10(DN) - C, and C is not in the file.",
        f"Give --calibration-db; typical values in dB are {hints}.",
    )


def standardise(db: FloatArray, bands: Sequence[BandSpec]) -> tuple[FloatArray, BoolArray]:
    """The model's input of `db`, and where it is valid.

    `db` is [bands, H, W] in dB, NaN is nodata; an absent optional band is a plane of NaN. Returns x, float32
    [bands, H, W], (clip(db) - mean) / std and 0 where the band has no value or the pixel is not valid; and valid, bool
    [H, W]: every band that is not optional has a value, or, where all are optional, any has.
    """
    if db.ndim != 3 or db.shape[0] != len(bands):
        raise ValueError(f"{len(bands)} bands were expected, the array has shape {db.shape}")
    present = np.isfinite(db)  # [bands, H, W]
    needed = [index for index, band in enumerate(bands) if not band.optional]
    valid: BoolArray = np.all(present[needed], axis=0) if needed else np.any(present, axis=0)
    x = np.zeros(db.shape, dtype=np.float32)
    for index, band in enumerate(bands):
        clipped = np.clip(db[index], np.float32(band.clip_db[0]), np.float32(band.clip_db[1]))
        scaled = (clipped - np.float32(band.mean_db)) * np.float32(1.0 / band.std_db)
        np.copyto(x[index], scaled, where=present[index] & valid)
    return x, valid


def _physical(db: FloatArray) -> FloatArray:
    """`db` with NaN in place of what no radar measures; changed in place."""
    with np.errstate(invalid="ignore"):
        db[~((db >= LOWEST_DB) & (db <= HIGHEST_DB))] = np.nan
    return db
