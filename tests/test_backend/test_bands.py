# SPDX-License-Identifier: GPL-2.0-or-later
"""Roles read off descriptions and file names, and roles that were given checked against them."""

from __future__ import annotations

import dataclasses

import pytest

from backend.model_card import BandSpec
from backend.protocol import BandSource, ErrorCode, SardineError
from backend.scene.bands import polarisation_of, resolve_bands, role_of
from backend.scene.sources import RasterInfo
from tests.test_backend.cards import VH, VV


def info(path: str, *descriptions: str) -> RasterInfo:
    return RasterInfo(path, len(descriptions), ("float32",) * len(descriptions), descriptions)


def resolve(sources: list[BandSource], *infos: RasterInfo, specs=(VV, VH)) -> dict[str, tuple[str, int, bool]]:
    found = resolve_bands(sources, {item.path: item for item in infos}, specs)
    return {band.role: (band.path, band.band, band.corroborated) for band in found}


def refusal(sources: list[BandSource], *infos: RasterInfo, specs=(VV, VH)) -> SardineError:
    with pytest.raises(SardineError) as caught:
        resolve(sources, *infos, specs=specs)
    assert caught.value.refused
    return caught.value


@pytest.mark.parametrize(
    ("text", "polarisation"),
    [
        ("VV", "VV"),
        ("Sigma0_VH_db", "VH"),
        ("VH (8-bit)", "VH"),
        ("VVdB", "VV"),
        ("003_VH8", "VH"),
        ("s1a-iw-grd-vv-20180716t004042-20180716t004107-022812-02791f-001", "VV"),
        ("S1A_IW_GRDH_20180716T004042_iw-vh", "VH"),
        ("Gamma0_HV", "HV"),
        ("VV/VH", None),
        ("VV-VH", None),
        ("matjayet_France_VHVV_linear", None),
        ("angle", None),
        ("savvy", None),
        ("", None),
    ],
)
def test_polarisation_should_be_read_off_names_in_use(text, polarisation):
    assert polarisation_of(text) == polarisation


@pytest.mark.parametrize(
    ("text", "roles", "role"),
    [
        ("S1 VV ascending", ("VV", "VV_asc", "VV_desc"), "VV_asc"),
        ("VV_desc", ("VV_asc", "VV_desc"), "VV_desc"),
        ("vh winter mean", ("VV_winter", "VH_winter", "VH_summer"), "VH_winter"),
        ("VV", ("VV_winter", "VV_summer"), None),
        ("VV/VH ratio", ("VV", "VH"), None),
        ("VV_asc", (), "VV_asc"),
        ("Sigma0_VV", (), "VV"),
        ("angle", ("VV", "angle"), "angle"),
    ],
)
def test_role_should_be_the_one_with_most_fitting_words(text, roles, role):
    assert role_of(text, roles) == role


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("scene.tif", BandSource("", "scene.tif", 0)),
        ("scene.tif:2", BandSource("", "scene.tif", 2)),
        ("VV=scene.tif:2", BandSource("VV", "scene.tif", 2)),
        (r"C:\s1 a=b.tif", BandSource("", r"C:\s1 a=b.tif", 0)),
        ("VH=NETCDF:a.nc:vh:3", BandSource("VH", "NETCDF:a.nc:vh", 3)),
    ],
)
def test_a_source_should_be_parsed_with_and_without_a_role(text, source):
    assert BandSource.parse(text) == source


def test_roles_should_be_found_in_a_file_with_bands_in_another_order():
    found = resolve([BandSource("", "a.tif", 0)], info("a.tif", "Sigma0_VH", "Sigma0_VV", "angle"))
    assert found == {"VH": ("a.tif", 1, True), "VV": ("a.tif", 2, True)}


def test_roles_should_be_found_in_the_names_of_single_band_files():
    sources = [BandSource("", "x/s1-vv.tiff", 0), BandSource("", "x/s1-vh.tiff", 0)]
    found = resolve(sources, info("x/s1-vv.tiff", ""), info("x/s1-vh.tiff", ""))
    assert found == {"VV": ("x/s1-vv.tiff", 1, True), "VH": ("x/s1-vh.tiff", 1, True)}


def test_a_given_role_should_be_taken_where_the_file_says_nothing():
    sources = [BandSource("VV", "a.tif", 2), BandSource("VH", "a.tif", 1)]
    assert resolve(sources, info("a.tif", "", "")) == {"VV": ("a.tif", 2, False), "VH": ("a.tif", 1, False)}


def test_a_given_role_should_match_the_models_in_any_case():
    sources = [BandSource("vv", "a.tif", 1), BandSource("vh", "a.tif", 2)]
    assert set(resolve(sources, info("a.tif", "", ""))) == {"VV", "VH"}


def test_a_description_that_contradicts_the_role_should_be_refused_as_swapped():
    sources = [BandSource("VV", "a.tif", 1), BandSource("VH", "a.tif", 2)]
    error = refusal(sources, info("a.tif", "Sigma0_VH", "Sigma0_VV"))
    assert error.code is ErrorCode.BANDS_SWAPPED
    assert "Sigma0_VH" in error.found
    by_name = [BandSource("VV", "s1-vh.tif", 1), BandSource("VH", "s1-vv.tif", 1)]
    assert refusal(by_name, info("s1-vh.tif", ""), info("s1-vv.tif", "")).code is ErrorCode.BANDS_SWAPPED


def test_the_same_band_twice_should_be_refused(tmp_path):
    path = tmp_path / "a.tif"
    path.touch()
    other = str(tmp_path / "." / "b" / ".." / "a.tif")
    (tmp_path / "b").mkdir()
    sources = [BandSource("VV", str(path), 1), BandSource("VH", other, 1)]
    assert refusal(sources, info(str(path), "", ""), info(other, "", "")).code is ErrorCode.BAND_DUPLICATE


def test_a_role_claimed_twice_should_be_refused():
    error = refusal([BandSource("", "a.tif", 0)], info("a.tif", "VV_asc", "VH_asc", "VV_desc", "VH_desc"))
    assert error.code is ErrorCode.BAND_DUPLICATE
    assert error.found == "Band 1 of a.tif (“VV_asc”) and Band 3 of a.tif (“VV_desc”) both claim the role VV."
    assert "role VV" in error.found


def test_an_absent_band_should_be_refused_with_what_was_found_and_needed():
    error = refusal([BandSource("VV", "a.tif", 1)], info("a.tif", "VV"))
    assert error.code is ErrorCode.BAND_ABSENT
    assert "has VV, but no VH" in error.found
    assert "VV, VH" in error.needed


def test_an_absent_optional_band_should_be_allowed():
    specs = (VV, dataclasses.replace(VH, optional=True))
    assert set(resolve([BandSource("VV", "a.tif", 1)], info("a.tif", "VV"), specs=specs)) == {"VV"}


def test_a_band_number_beyond_the_file_should_be_refused():
    error = refusal([BandSource("VV", "a.tif", 3), BandSource("VH", "a.tif", 1)], info("a.tif", "", ""))
    assert error.code is ErrorCode.BAND_ABSENT
    assert "no band 3" in error.found


def test_a_role_that_the_model_does_not_know_should_be_refused():
    error = refusal([BandSource("HH", "a.tif", 1)], info("a.tif", "", ""))
    assert error.code is ErrorCode.REQUEST_INVALID
    assert "VV, VH" in error.needed


def test_a_file_that_names_no_role_should_be_refused():
    error = refusal([BandSource("", "scene.tif", 0)], info("scene.tif", "", "band 2"))
    assert error.code is ErrorCode.BAND_ABSENT
    assert "“band 2”" in error.found


def test_a_model_for_composites_should_get_each_of_its_bands():
    specs = tuple(BandSpec(f"{p}_{season}", (-30, 5), -12, 5) for season in ("spring", "autumn") for p in ("VV", "VH"))
    found = resolve(
        [BandSource("", "a.tif", 0)], info("a.tif", "VH autumn", "VV autumn", "VV spring", "VH spring", "VV-VH spring"), specs=specs
    )
    assert {role: band for role, (_, band, _) in found.items()} == {"VH_autumn": 1, "VV_autumn": 2, "VV_spring": 3, "VH_spring": 4}


def test_without_a_model_all_roles_that_are_named_should_be_found():
    found = resolve([BandSource("", "a.tif", 0)], info("a.tif", "VV_asc", "VH_asc", "elevation"), specs=None)
    assert set(found) == {"VV_asc", "VH_asc"}
