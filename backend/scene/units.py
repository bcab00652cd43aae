# SPDX-License-Identifier: GPL-2.0-or-later
"""Which unit a layer's values are in, and the evidence for it. Never guessed: what is not certain is asked.

Metadata names a unit; the distribution of values must agree with it, or decides alone where only one unit is possible:
- decibels are mostly negative, power and amplitude never are;
- power and amplitude are told apart by what each would mean in dB. Medians below Sentinel-1's noise floor, or brighter than
  any landscape, rule one out, and so does a co- to cross-polarised difference outside what is seen (annual means of 500
  points worldwide run from 6.0 dB for tree cover to 8.4 dB for water).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..protocol import ErrorCode, SardineError
from ..radiometry import CALIBRATION_HINTS_DB, HIGHEST_DB, LOWEST_DB, FloatArray
from .bands import polarisation_of

NOISE_FLOOR_DB = -30.0
"""No scene's median lies below: noise-equivalent sigma nought of IW is -22 dB at worst, and -30 dB where it is best
(Sentinel-1 Product Specification; Torres et al. 2012, table 1)."""

BRIGHTEST_MEDIAN_DB = {"VV": -3.0, "HH": -3.0, "VH": -9.5, "HV": -9.5}
"""No scene's median lies above: towns, the brightest class, average -7 dB in VV and -15 dB in VH, city centres -5 and -12."""

MOST_ARE_DB = 0.8
"""At least this share of decibels lies where backscatter can; the rest may be undeclared nodata of some odd value."""

CROSS_DIFFERENCE_DB = (4.8, 16.0)

_CROSS = {"VV": "VH", "HH": "HV"}
_NAMED = {
    "db": re.compile(r"(?<![a-z0-9])db(?![a-z0-9])|decibel|(?<=vv|vh|hh|hv)db(?![a-z])", re.IGNORECASE),
    "power": re.compile(r"(?<![a-z])(power|intensity|linear)(?![a-z])", re.IGNORECASE),
    "amplitude": re.compile(r"(?<![a-z])amplitude(?![a-z])", re.IGNORECASE),
    "dn": re.compile(r"(?<![a-z])(dn|digital numbers?)(?![a-z])", re.IGNORECASE),
}
_NOT_CALIBRATED = re.compile(r"\bnot dB\b|8.?bit|display scale|scaled|stretched|quantile", re.IGNORECASE)
_GRD = re.compile(r"sentinel-1[a-d].*\bgrd\b|s1[a-d]-(iw|ew|s[1-6])-grd-", re.IGNORECASE)
_BACKSCATTER = {
    "gamma0": re.compile(r"gamma.?(0|nought|naught)|γ0|(?<![a-z])rtc(?![a-z])|(?<![a-z])g0(?![a-z])", re.IGNORECASE),
    "sigma0": re.compile(r"sigma.?(0|nought|naught)|σ0|(?<![a-z])s0(?![a-z])", re.IGNORECASE),
}


@dataclass(frozen=True)
class UnitReport:
    """`unit` is db, power, amplitude, dn or scaled; `backscatter` is sigma0, gamma0 or None where nothing tells."""

    unit: str
    evidence: str
    backscatter: str | None
    certain: bool


@dataclass(frozen=True)
class BandSample:
    """Values of one band as stored, float32 [n] without nodata and zeros.

    `texts` may name the unit: description, file name, unit tags.
    """

    role: str
    dtype: str
    values: FloatArray
    texts: Sequence[str]


@dataclass(frozen=True)
class _Finding:
    unit: str | None
    evidence: str
    advice: str = ""


def detect_unit(samples: Sequence[BandSample], texts: Sequence[str] = (), calibration_db: float | None = None) -> UnitReport:
    """The unit of the bands in `samples`, which share one. `texts` are further metadata, searched for sigma or gamma nought.

    `certain` is False where evidence is missing or contradictory; then `unit` is the likelier one or scaled, and `evidence`
    says what to choose between.
    """
    all_texts = [text for sample in samples for text in sample.texts]
    named = _named_unit(all_texts)
    finding = _from_values(samples, named, any(_GRD.search(text) for text in [*all_texts, *texts]), calibration_db)
    evidence = f"{finding.evidence}; {_ranges(samples)}"
    if named is not None:
        evidence += f"; the metadata says {named}"
    if finding.unit is None:
        return UnitReport("scaled", f"{evidence}. {finding.advice}", backscatter_of([*all_texts, *texts]), certain=False)
    return UnitReport(finding.unit, evidence, backscatter_of([*all_texts, *texts]), certain=True)


def require_certain(report: UnitReport) -> UnitReport:
    """`report`, or the refusal that asks for the unit. Raises SardineError: unit_ambiguous."""
    if report.certain:
        return report
    raise SardineError(
        ErrorCode.UNIT_AMBIGUOUS,
        f"The unit of the values is not certain ({report.evidence.rstrip('.')}).",
        "One of db, power, amplitude, dn or scaled is needed.",
        "Give --units, or choose the unit in the dialog.",
    )


def backscatter_of(texts: Sequence[str]) -> str | None:
    """sigma0 or gamma0 where the texts name one of them alone, else None."""
    found = {name for name, pattern in _BACKSCATTER.items() if any(pattern.search(text) for text in texts)}
    return found.pop() if len(found) == 1 else None


def unlikely(samples: Sequence[BandSample], unit: str) -> str | None:
    """Why values in the unit that a person gave look odd, or None. For a warning: the person may know better."""
    values = np.concatenate([sample.values for sample in samples]) if samples else np.zeros(0, np.float32)
    if values.size == 0 or unit == "scaled":
        return None
    if unit == "db" and np.mean(values > 0) > 0.9:
        return f"nine values in ten are above 0 dB ({_ranges(samples)})"
    if unit != "db" and np.mean(values < 0) > 0.1:
        return f"{100 * np.mean(values < 0):.0f}% of the values are negative, which no {unit} is ({_ranges(samples)})"
    return None


def _from_values(samples: Sequence[BandSample], named: str | None, is_grd: bool, calibration_db: float | None) -> _Finding:
    whole_numbers = all(np.issubdtype(np.dtype(sample.dtype), np.integer) for sample in samples)
    values = [sample.values for sample in samples if sample.values.size]
    if not values:
        return _Finding(None, "no value was found", "Say which unit it is.")
    negative = min(float(np.mean(v < 0)) for v in values)
    low = min(float(np.percentile(v, 0.5)) for v in values)
    high = max(float(np.percentile(v, 99.5)) for v in values)
    if all(np.dtype(sample.dtype).itemsize == 1 for sample in samples):
        return _Finding(None, "8-bit grey levels", "Grey levels of unknown scale are --units scaled.")
    if negative > 0.5:
        if min(float(np.mean((v >= LOWEST_DB) & (v <= HIGHEST_DB))) for v in values) < MOST_ARE_DB:
            return _Finding(None, "negative values beyond any backscatter in dB", "They may be dB times a factor: divide first.")
        if low > -5 or named not in (None, "db"):
            advice = "Values standardised around zero cannot be used." if low > -5 else "Metadata and values contradict each other."
            return _Finding(None, "negative values that are not clearly dB", advice)
        return _Finding("db", "dB: most values are negative, as only decibels are")
    most_negative = max(float(np.mean(v < 0)) for v in values)
    if most_negative > 0.5 and negative < 0.01:
        return _Finding(None, "one band looks like dB and another does not", "Bring all bands to one unit first.")
    if most_negative > 0.01:
        return _Finding(None, "values of both signs", "dB is mostly negative, power and amplitude are never.")
    if whole_numbers or high > 30:
        if is_grd or calibration_db is not None or named == "dn":
            why = (
                "the file is a Sentinel-1 GRD product"
                if is_grd
                else "a calibration constant was given"
                if calibration_db is not None
                else "named so"
            )
            return _Finding("dn", f"digital numbers: positive values, and {why}")
        constants = ", ".join(f"{mode} {value}" for mode, value in CALIBRATION_HINTS_DB.items())
        return _Finding(
            None, "large positive values", f"GRD digital numbers are --units dn with --calibration-db ({constants}); else scaled."
        )
    return _power_or_amplitude(samples, named)


def _power_or_amplitude(samples: Sequence[BandSample], named: str | None) -> _Finding:
    """Which of both the positive values are, by what their medians would be in dB."""
    medians = {sample.role: float(np.median(sample.values)) for sample in samples if sample.values.size}
    reasons: dict[str, str | None] = {}
    for unit, factor in (("power", 10.0), ("amplitude", 20.0)):
        reasons[unit] = _implausible({role: factor * float(np.log10(m)) for role, m in medians.items() if m > 0})
    possible = [unit for unit, reason in reasons.items() if reason is None]
    if named in ("power", "amplitude") and (named in possible or not possible):
        return _Finding(named, f"{named}: positive values, and the metadata names it")
    if len(possible) == 1 and named in (None, possible[0]):
        other = "amplitude" if possible == ["power"] else "power"
        return _Finding(possible[0], f"{possible[0]}: as {other} {reasons[other]}")
    return _Finding(None, "positive values that may be power or amplitude", "SNAP and RTC products are mostly power.")


def _implausible(medians_db: Mapping[str, float]) -> str | None:
    """Why these medians are not those of a scene, or None."""
    by_polarisation: dict[str, float] = {}
    for role, median in medians_db.items():
        polarisation = polarisation_of(role)
        brightest = BRIGHTEST_MEDIAN_DB.get(polarisation or "", -3.0)
        if median < NOISE_FLOOR_DB:
            return f"the median of {role} would be {median:.1f} dB, below the noise floor"
        if median > brightest:
            return f"the median of {role} would be {median:.1f} dB, brighter than any landscape"
        by_polarisation[polarisation or role] = median
    for co, cross in _CROSS.items():
        if co in by_polarisation and cross in by_polarisation:
            difference = by_polarisation[co] - by_polarisation[cross]
            if not CROSS_DIFFERENCE_DB[0] <= difference <= CROSS_DIFFERENCE_DB[1]:
                return f"{co} would be {difference:.1f} dB above {cross}"
    return None


def _named_unit(texts: Sequence[str]) -> str | None:
    """The one unit that the texts name, or None; a text that says the values are a picture names none."""
    if any(_NOT_CALIBRATED.search(text) for text in texts):
        return None
    found = {unit for unit, pattern in _NAMED.items() if any(pattern.search(text) for text in texts)}
    return found.pop() if len(found) == 1 else None


def _ranges(samples: Sequence[BandSample]) -> str:
    parts = []
    for sample in samples:
        if sample.values.size:
            low, high = np.percentile(sample.values, (1, 99))
            parts.append(f"{sample.role} {_short(low)} … {_short(high)}")
    return f"values (1-99%) {', '.join(parts)}"


def _short(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
