# SPDX-License-Identifier: GPL-2.0-or-later
"""The unit detected from simulated values and metadata; where it is not certain, it is asked for."""

from __future__ import annotations

import numpy as np
import pytest

from backend.protocol import ErrorCode, SardineError
from backend.scene.units import BandSample, UnitReport, backscatter_of, detect_unit, require_certain, unlikely
from tests.test_backend.rasters import backscatter_db

DB = backscatter_db(96, 96)
POWER = 10 ** (DB / 10)
AMPLITUDE = 10 ** (DB / 20)


def detect(
    values: np.ndarray, *, dtype: str | None = None, texts=("", ""), calibration_db=None, roles=("VV", "VH"), more=()
) -> UnitReport:
    samples = [
        BandSample(role, dtype or str(plane.dtype), plane.astype(np.float32).ravel(), (text,))
        for role, plane, text in zip(roles, values, texts, strict=False)
    ]
    return detect_unit(samples, more, calibration_db)


@pytest.mark.parametrize(("values", "unit"), [(DB, "db"), (POWER, "power"), (AMPLITUDE, "amplitude")])
def test_unit_should_be_found_from_the_values_alone(values, unit):
    report = detect(values)
    assert (report.unit, report.certain) == (unit, True)
    low, high = np.percentile(values[0], (1, 99))
    assert f"VV {low:.3g} … {high:.3g}" in report.evidence


@pytest.mark.parametrize(("values", "unit"), [(DB, "db"), (POWER, "power"), (AMPLITUDE, "amplitude")])
def test_unit_should_be_certain_where_metadata_and_values_agree(values, unit):
    report = detect(values, texts=(f"VV {unit}", f"VH {unit}"))
    assert (report.unit, report.certain) == (unit, True)
    assert f"metadata says {unit}" in report.evidence


@pytest.mark.parametrize(("values", "text"), [(DB, "VV power"), (POWER, "VV_dB"), (AMPLITUDE, "Intensity_VV")])
def test_metadata_against_values_should_be_asked(values, text):
    assert not detect(values, texts=(text, text)).certain


def test_water_alone_should_still_be_known_as_power():
    lake = np.stack([np.full(900, 10**-1.9), np.full(900, 10**-2.7)])
    assert detect(lake).unit == "power"
    assert detect(np.sqrt(lake)).unit == "amplitude"


def test_one_co_polarised_band_between_both_should_be_asked():
    report = detect(POWER[:1])
    assert not report.certain
    assert "power or amplitude" in report.evidence
    assert detect(POWER[:1], texts=("Sigma0_VV linear",)).unit == "power"


def test_one_cross_polarised_band_should_be_power_where_amplitude_would_be_noise():
    report = detect(POWER[1:], roles=("VH",))
    assert (report.unit, report.certain) == ("power", True)
    assert "noise floor" in report.evidence


def test_eight_bit_should_be_asked_and_suggest_scaled():
    report = detect(np.clip(DB + 120, 1, 255).astype(np.uint8))
    assert not report.certain
    assert "--units scaled" in report.evidence
    assert not detect(np.clip(DB + 120, 1, 255).astype(np.uint8), texts=("VV dB", "VH dB")).certain


def test_digital_numbers_should_be_certain_in_a_grd_product_or_with_a_constant():
    dn = np.round(AMPLITUDE * 600).astype(np.uint16)
    vague = detect(dn)
    assert not vague.certain
    assert "--units dn" in vague.evidence
    assert "IW 55.5" in vague.evidence
    assert detect(dn, more=("Sentinel-1A IW GRD HR L1",)).unit == "dn"
    assert detect(dn, texts=("s1a-iw-grd-vv-20180716t004042", "s1a-iw-grd-vh-20180716t004042")).unit == "dn"
    assert detect(dn, calibration_db=55.5).unit == "dn"


def test_values_standardised_around_zero_should_be_asked():
    rng = np.random.default_rng(0)
    assert not detect(rng.normal(-0.1, 1, (2, 5000))).certain


def test_decibels_times_a_hundred_should_be_asked():
    assert not detect(np.round(DB * 100).astype(np.int16)).certain


def test_whole_decibels_should_be_decibels():
    assert detect(np.round(DB).astype(np.int8).astype(np.int16)).unit == "db"


def test_bands_of_different_units_should_be_asked():
    report = detect(np.stack([DB[0], POWER[1]]))
    assert not report.certain
    assert "one band looks like dB and another does not" in report.evidence


def test_an_uncertain_unit_should_be_refused_with_what_to_give():
    with pytest.raises(SardineError) as caught:
        require_certain(detect(POWER[:1]))
    assert caught.value.code is ErrorCode.UNIT_AMBIGUOUS
    assert "--units" in caught.value.action


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["Gamma0_VV"], "gamma0"),
        (["Sigma0_VH_db"], "sigma0"),
        (["S1A_IW_20210101_DVP_RTC10_G_gpuned_1234_VV"], "gamma0"),
        (["sigma nought"], "sigma0"),
        (["VV"], None),
        (["sigma0", "gamma0"], None),
        (["portcity"], None),
    ],
)
def test_backscatter_should_be_read_off_names(texts, expected):
    assert backscatter_of(texts) == expected


def test_a_product_identifier_should_not_name_a_unit():
    assert "metadata" not in detect(DB, texts=("S1A_IW_GRDH_20200607T010800_00DB_D4DB", "")).evidence


def test_a_given_unit_that_looks_odd_should_be_told():
    samples = [BandSample("VV", "float32", POWER[0].ravel().astype(np.float32), ())]
    assert "above 0 dB" in (unlikely(samples, "db") or "")
    assert unlikely(samples, "power") is None
    assert "negative" in (unlikely([BandSample("VV", "float32", DB[0].ravel(), ())], "power") or "")
