# SPDX-License-Identifier: GPL-2.0-or-later
"""Decibels and standardisation against values computed by hand."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from backend.protocol import ErrorCode, SardineError
from backend.radiometry import power_to_db, standardise, to_db, to_power
from tests.test_backend.cards import VH, VV


@pytest.fixture(autouse=True)
def _no_numpy_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def test_to_db_should_match_hand_computed_values_in_each_unit():
    np.testing.assert_allclose(to_db(np.array([0.1, 1.0, 0.0199526]), "power"), [-10.0, 0.0, -17.0], atol=1e-4)
    np.testing.assert_allclose(to_db(np.array([0.1, 1.0, 10.0]), "amplitude"), [-20.0, 0.0, 20.0], atol=1e-5)
    np.testing.assert_allclose(to_db(np.array([100.0, 230.0]), "dn", 55.5), [40 - 55.5, 47.2346 - 55.5], atol=1e-3)
    np.testing.assert_array_equal(to_db(np.array([-12.5, 0.0, 3.0]), "db"), np.float32([-12.5, 0.0, 3.0]))


@pytest.mark.parametrize("unit", ["power", "amplitude", "dn"])
def test_to_db_should_make_zero_negative_and_not_finite_nodata(unit):
    values = np.array([0.0, -1.0, np.nan, np.inf, -np.inf, -9999.0, -32768.0, 0.5], np.float32)
    assert np.isnan(to_db(values, unit, 55.5)).tolist() == [True] * 7 + [False]


def test_to_db_should_refuse_what_no_radar_measures():
    values = np.array([-9999.0, -32768.0, -99.0, -80.1, 60.1, 3.4e38, -80.0, 60.0, 0.0], np.float32)
    assert np.isnan(to_db(values, "db")).tolist() == [True] * 6 + [False] * 3
    assert np.isnan(to_db(np.array([1e-9, 2e6, 1e-7], np.float32), "power")).tolist() == [True, True, False]


def test_to_db_should_leave_its_input_unchanged():
    values = np.array([-9999.0, -10.0], np.float32)
    to_db(values, "db")
    assert values.tolist() == [-9999.0, -10.0]


def test_digital_numbers_should_need_a_calibration_constant():
    with pytest.raises(SardineError) as caught:
        to_db(np.ones(1, np.float32), "dn")
    assert caught.value.code is ErrorCode.CALIBRATION_MISSING
    assert all(hint in str(caught.value) for hint in ("IW 55.5", "EW 63.2", "SM 46.8"))


def test_an_unknown_unit_should_be_refused():
    with pytest.raises(SardineError) as caught:
        to_db(np.ones(1, np.float32), "scaled")
    assert caught.value.code is ErrorCode.REQUEST_INVALID


@given(arrays(np.float32, (7,), elements=st.floats(-79, 59, width=32)))
def test_power_should_round_trip(db):
    np.testing.assert_allclose(power_to_db(to_power(db)), db, atol=2e-4)
    np.testing.assert_allclose(to_db(np.sqrt(to_power(db)), "amplitude"), db, atol=2e-4)


def test_power_should_keep_nodata():
    assert np.isnan(to_power(np.float32([np.nan]))).all()
    assert np.isnan(power_to_db(np.float32([np.nan, 0.0, -1.0]))).all()


def test_standardise_should_match_hand_computed_values():
    db = np.float32([[[-12.5, -40.0, 20.0, np.nan, -12.5]], [[-20.25, -14.25, -50.0, -20.25, np.nan]]])
    x, valid = standardise(db, (VV, VH))
    assert valid.tolist() == [[True, True, True, False, False]]
    expected_vv = [0.0, (-30 + 12.5) / 5.25, (5 + 12.5) / 5.25, 0.0, 0.0]
    expected_vh = [0.0, 1.0, (-38 + 20.25) / 6.0, 0.0, 0.0]
    np.testing.assert_allclose(x[:, 0], [expected_vv, expected_vh], atol=1e-6)
    assert x.dtype == np.float32


def test_standardise_should_put_zero_for_an_absent_optional_band():
    bands = (VV, dataclasses.replace(VH, optional=True))
    db = np.full((2, 1, 3), np.nan, np.float32)
    db[0] = [[-12.5, np.nan, -7.25]]
    x, valid = standardise(db, bands)
    assert valid.tolist() == [[True, False, True]]
    np.testing.assert_allclose(x, [[[0, 0, 1]], [[0, 0, 0]]], atol=1e-6)


def test_standardise_should_take_any_band_where_all_are_optional():
    bands = tuple(dataclasses.replace(band, optional=True) for band in (VV, VH))
    db = np.float32([[[-12.5, np.nan, np.nan]], [[np.nan, -14.25, np.nan]]])
    x, valid = standardise(db, bands)
    assert valid.tolist() == [[True, True, False]]
    np.testing.assert_allclose(x[1, 0], [0, 1, 0], atol=1e-6)


def test_standardise_should_not_depend_on_what_lies_beside():
    rng = np.random.default_rng(0)
    db = rng.normal(-15, 5, (2, 12, 10)).astype(np.float32)
    whole, _ = standardise(db, (VV, VH))
    part, _ = standardise(db[:, 3:7, 2:9], (VV, VH))
    np.testing.assert_array_equal(whole[:, 3:7, 2:9], part)


def test_standardise_should_refuse_another_number_of_bands():
    with pytest.raises(ValueError, match="2 bands"):
        standardise(np.zeros((3, 2, 2), np.float32), (VV, VH))
