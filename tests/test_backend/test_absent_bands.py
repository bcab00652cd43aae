# SPDX-License-Identifier: GPL-2.0-or-later
"""What is said where a scene lacks a band that its model can do without, and which file would bring it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from backend.inspect import as_text, inspect
from backend.model_card import BandSpec, absent_band_note, sibling_file
from backend.protocol import BandSource
from tests.test_backend.cards import VH, VV, small_card
from tests.test_backend.rasters import backscatter_db, write_raster

EITHER = tuple(dataclasses.replace(spec, optional=True) for spec in (VV, VH))
WITHOUT_VH = "No band was given for VH: the map is made from VV alone and is less reliable."
ADD_VH = f"{WITHOUT_VH} Add may_VH.tif, which lies beside the scene."


def touch(path: Path) -> str:
    path.touch()
    return str(path)


def renamed(roles: list[str]) -> tuple[BandSpec, ...]:
    return tuple(dataclasses.replace(VV, role=role, optional=True) for role in roles)


def test_note_should_name_what_is_absent_what_is_used_and_the_file_beside(tmp_path):
    vv = touch(tmp_path / "may_VV.tif")
    assert absent_band_note(EITHER, {"VV": vv}) == WITHOUT_VH
    vh = touch(tmp_path / "may_VH.tif")
    assert absent_band_note(EITHER, {"VV": vv}) == ADD_VH
    assert absent_band_note(EITHER, {"VH": vh}) == (
        "No band was given for VV: the map is made from VH alone and is less reliable. Add may_VV.tif, which lies beside the scene."
    )
    assert absent_band_note(EITHER, {"VV": vv, "VH": vh}) == absent_band_note(EITHER, {}) == ""


def test_note_should_be_about_bands_that_a_model_can_do_without_alone():
    assert absent_band_note((VV, VH), {"VV": "a.tif"}) == ""
    assert absent_band_note((VV, EITHER[1]), {"VV": "a.tif"}) == WITHOUT_VH


def test_note_should_not_name_a_file_that_is_used_already(tmp_path):
    vv, vh = touch(tmp_path / "asc_vv.tif"), touch(tmp_path / "asc_vh.tif")
    roles = ["VV_asc", "VH_asc", "VV_desc", "VH_desc"]
    assert absent_band_note(renamed(roles), {"VV_asc": vv, "VH_asc": vh}) == (
        "No band was given for VV_desc, VH_desc: the map is made from VV_asc, VH_asc alone and is less reliable."
    )


@pytest.mark.parametrize(
    ("name", "role", "beside"),
    [
        ("s1_vv.tif", "VH", "s1_vh.tif"),
        ("S1_VV.tif", "VH_asc", "S1_VH.tif"),
        ("S1_VVdB.tif", "VH", "S1_VHdB.tif"),
        (
            "s1a-iw-grd-vv-20210809t173953-20210809t174018-039156-049f13-001.tiff",
            "VH",
            "s1a-iw-grd-vh-20210809t173953-20210809t174018-039156-049f13-002.tiff",
        ),
        ("s1c-iw-grd-vh-20250118t171404-000538-002-cog.tiff", "VV", "s1c-iw-grd-vv-20250118t171404-000538-001-cog.tiff"),
    ],
)
def test_sibling_should_differ_in_polarisation_and_in_the_number_of_a_products_image(tmp_path, name, role, beside):
    path = touch(tmp_path / name)
    assert sibling_file(path, role) is None
    touch(tmp_path / beside)
    assert sibling_file(path, role) == tmp_path / beside
    assert sibling_file(path, "dem") is None


@pytest.mark.parametrize(("name", "other"), [("may_vv_001.tif", "may_vh_002.tif"), ("may.tif", "vh.tif")])
def test_other_numbers_should_be_other_scenes(tmp_path, name, other):
    touch(tmp_path / other)
    assert sibling_file(touch(tmp_path / name), "VH") is None
    assert sibling_file(f"/vsimem/{'x' * 5000}_vv.tif", "VH") is None


def test_inspect_should_tell_of_the_band_left_out(tmp_path):
    db = backscatter_db()
    paths = [write_raster(tmp_path / f"may_{role}.tif", db[index]) for index, role in enumerate(("VV", "VH"))]
    card = small_card(bands=EITHER)
    found = inspect([BandSource("", paths[0], 0)], card)
    assert found["warnings"] == [{"code": "band_left_out", "text": ADD_VH}]
    assert f"note       {ADD_VH}" in as_text(found).splitlines()
    assert inspect([BandSource("", path, 0) for path in paths], card)["warnings"] == []
    assert inspect([BandSource("", paths[0], 0)], None)["warnings"] == []
