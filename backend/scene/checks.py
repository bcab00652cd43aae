# SPDX-License-Identifier: GPL-2.0-or-later
"""What can be wrong with the values of a scene's bands, found before a run: each a refusal or a warning (code, sentence)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ..model_card import BandSpec
from ..protocol import ErrorCode, SardineError
from ..radiometry import FloatArray
from .bands import CROSS_OF, RoleBand, polarisation_of, words_of
from .sources import RasterInfo
from .units import UnitReport

Warning_ = tuple[str, str]

SWAP_MARGIN_DB = 1.0
"""Cross-polarised backscatter lies 6 to 8 dB below co-polarised; a median above it by this much is no accident."""


def check_real_valued(bands: Sequence[RoleBand], infos: Mapping[str, RasterInfo]) -> None:
    """Raises SardineError: source_complex."""
    for band in bands:
        dtype = infos[band.path].dtypes[band.band - 1]
        if dtype.startswith("complex") or dtype.startswith("cint"):
            raise SardineError(
                ErrorCode.SOURCE_COMPLEX,
                f"Band {band.band} of {Path(band.path).name} holds complex numbers (single-look complex data).",
                "Detected backscatter (GRD or RTC) is needed.",
                "Detect and multilook it first, for example in SNAP.",
            )


def check_values(bands: Sequence[RoleBand], specs: Sequence[BandSpec], counts: Mapping[str, int], unit: str) -> list[Warning_]:
    """Warns of an optional band without values. `counts` is the number of sampled pixels with a value by role.

    Raises SardineError: source_all_nodata where a band that the model needs has none.
    """
    optional = {spec.role for spec in specs if spec.optional}
    warnings: list[Warning_] = []
    for band in bands:
        if counts[band.role]:
            continue
        where = f"Band {band.band} of {Path(band.path).name} ({band.role})"
        if band.role not in optional or not any(counts.values()):
            raise SardineError(
                ErrorCode.SOURCE_ALL_NODATA,
                f"{where} has no pixel with a radar value, taken as {unit}.",
                "Some valid pixels are needed.",
                "Check the layer, its nodata value and the unit.",
            )
        warnings.append(("band_empty", f"{where} has no pixel with a value, and is treated as absent."))
    return warnings


def check_different(bands: Sequence[RoleBand], values: Sequence[FloatArray]) -> None:
    """Refuses two bands with the same content: the same band given twice through two files. Raises band_duplicate."""
    for index, (band, plane) in enumerate(zip(bands, values, strict=True)):
        for other, other_plane in zip(bands[:index], values[:index], strict=True):
            same = plane.shape == other_plane.shape and np.array_equal(plane, other_plane, equal_nan=True)
            if same and np.unique(plane[np.isfinite(plane)][:1000]).size > 1:
                raise SardineError(
                    ErrorCode.BAND_DUPLICATE,
                    f"{other.role} and {band.role} have the same values in every pixel looked at.",
                    "Each role needs a band of its own.",
                    "Choose the right band for each role.",
                )


def check_order(bands: Sequence[RoleBand], medians_db: Mapping[str, float]) -> list[Warning_]:
    """Looks for a cross-polarised band that is brighter than its co-polarised one.

    Refused as swapped unless the file itself names both bands so; then a warning. Raises SardineError: bands_swapped.
    """
    warnings: list[Warning_] = []
    by_role = {band.role: band for band in bands if np.isfinite(medians_db.get(band.role, np.nan))}
    for role, band in by_role.items():
        polarisation = polarisation_of(role) or ""
        cross_words = words_of(role) - {polarisation} | {CROSS_OF.get(polarisation, "")}
        cross = next((other for name, other in by_role.items() if words_of(name) == cross_words), None)
        if cross is None or medians_db[cross.role] - medians_db[role] <= SWAP_MARGIN_DB:
            continue
        found = f"The median of {cross.role} is {medians_db[cross.role]:.1f} dB, above {role} with {medians_db[role]:.1f} dB."
        if not (band.corroborated and cross.corroborated):
            raise SardineError(
                ErrorCode.BANDS_SWAPPED,
                found,
                f"Over land and water {cross.role} is the darker one: the bands seem to be exchanged.",
                "Exchange them, or name them in the files' band descriptions.",
            )
        warnings.append(("cross_brighter", f"{found} That is unusual, but the file names the bands so."))
    return warnings


def check_backscatter(report: UnitReport, specs: Sequence[BandSpec]) -> list[Warning_]:
    """Warns where the scene says sigma nought and the model was trained on gamma nought, or the reverse."""
    wanted = {spec.backscatter for spec in specs}
    if report.unit == "scaled" or report.backscatter is None or "mixed" in wanted or report.backscatter in wanted:
        return []
    names = {"sigma0": "sigma nought", "gamma0": "gamma nought"}
    text = (
        f"The scene is {names[report.backscatter]}, the model was trained on {names[wanted.pop()]}: "
        "they differ by 1 to 2 dB, so the map may be less reliable."
    )
    return [("backscatter_mismatch", text)]
