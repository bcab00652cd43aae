# SPDX-License-Identifier: GPL-2.0-or-later
"""The reference polygons are well-formed, do not contradict one another, and are read, burnt and compared as said."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.features import rasterize

from training.reference.levels import levels_of, read_bands_db, table
from training.reference.overlay import composite, frame
from training.reference.polygons import (
    FOLDER,
    GROUPS,
    SECOND_PASS,
    agreement,
    blank_second_pass,
    read_reference,
    read_references,
    read_second_pass,
)

FILES = sorted(FOLDER.glob("*.geojson"))
DATA = Path(os.environ.get("SARDINE_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
LEAST_AREA_PX = 60
FINENESS = 4


def area_px(ring: tuple[tuple[float, float], ...]) -> float:
    """Signed area by the shoelace formula."""
    return sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in zip(ring, ring[1:])) / 2


def cross(first: tuple[tuple[float, float], ...], second: tuple[tuple[float, float], ...]) -> bool:
    """Whether two segments have a point in common."""

    def side(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> float:
        return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])

    (a, b), (c, d) = first, second
    # Of sides on one line only those whose extents meet have a point in common.
    apart = any(max(a[k], b[k]) < min(c[k], d[k]) or max(c[k], d[k]) < min(a[k], b[k]) for k in (0, 1))
    return not apart and side(a, b, c) * side(a, b, d) <= 0 and side(c, d, a) * side(c, d, b) <= 0


def is_simple(ring: tuple[tuple[float, float], ...]) -> bool:
    """Whether no two sides meet but neighbours in their corner."""
    sides = list(zip(ring, ring[1:]))
    last = len(sides) - 1
    return not any(
        cross(sides[i], sides[j]) for i in range(len(sides)) for j in range(i + 2, len(sides)) if not (i == 0 and j == last)
    )


def test_is_simple_should_tell_a_bow_tie_from_a_square() -> None:
    assert is_simple(((0, 0), (4, 0), (4, 4), (0, 4), (0, 0)))
    assert not is_simple(((0, 0), (4, 4), (4, 0), (0, 4), (0, 0)))
    assert is_simple(((0, 0), (1, 0), (2, 0), (4, 0), (4, 4), (0, 0)))
    assert not is_simple(((0, 0), (4, 0), (4, 4), (2, 0), (0, 4), (0, 0)))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_file_should_be_well_formed(path: Path) -> None:
    document = json.loads(path.read_text(encoding="utf-8"))
    assert document["type"] == "FeatureCollection"
    assert document["coordinate_space"] == "column_row"
    assert document["split"] in {"train", "test"}
    assert document["place"]
    assert not Path(document["scene"]).is_absolute()
    # Dropped polygons leave gaps, so that answers of a second interpreter keep their numbers.
    numbers = [feature["id"] for feature in document["features"]]
    assert numbers == sorted(set(numbers))
    assert numbers[0] >= 1
    for feature in document["features"]:
        properties = feature["properties"]
        assert properties["group"] == GROUPS[properties["class"]]
        assert properties["confidence"] in {"sure", "likely"}
        assert properties["pass"] == 1
        assert len(feature["geometry"]["coordinates"]) == 1


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_polygons_should_be_simple_and_inside_the_scene(path: Path) -> None:
    reference = read_reference(path)
    for polygon in reference.polygons:
        columns, rows = np.array(polygon.ring).T
        assert polygon.ring[0] == polygon.ring[-1], polygon.number
        assert is_simple(polygon.ring), polygon.number
        assert area_px(polygon.ring) >= LEAST_AREA_PX, polygon.number
        assert columns.min() >= 0, polygon.number
        assert rows.min() >= 0, polygon.number
        assert columns.max() <= reference.width, polygon.number
        assert rows.max() <= reference.height, polygon.number


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_polygons_should_not_cover_one_another(path: Path) -> None:
    reference = read_reference(path)
    covered = np.zeros((reference.height * FINENESS, reference.width * FINENESS), dtype=np.int64)
    for polygon in reference.polygons:
        ring = [(column * FINENESS, row * FINENESS) for column, row in polygon.ring]
        covered += rasterize([({"type": "Polygon", "coordinates": [ring]}, 1)], covered.shape)
    assert covered.max() == 1


def test_splits_should_go_by_place_and_both_hold_every_group() -> None:
    references = read_references()
    split_of: dict[str, set[str]] = {}
    groups: dict[str, set[str]] = {"train": set(), "test": set()}
    for item in references:
        split_of.setdefault(item.place, set()).add(item.split)
        groups[item.split] |= {polygon.group for polygon in item.polygons}
    assert all(len(splits) == 1 for splits in split_of.values())
    assert groups["train"] == groups["test"] == set(GROUPS.values())
    assert len(split_of) >= 10
    assert len(references) >= 15
    assert sum(len(item.polygons) for item in references) >= 200


def test_burn_should_give_codes_by_pixel_centres(tmp_path: Path) -> None:
    path = write_small(tmp_path)
    burnt = read_reference(path).burn()
    expected = np.zeros((6, 8), dtype=np.uint8)
    expected[1:3, 2:5] = 80
    expected[4:6, 0:2] = 50
    np.testing.assert_array_equal(burnt, expected)
    assert set(np.unique(read_reference(path).burn(sure_only=True))) == {0, 80}


def write_small(folder: Path) -> Path:
    """A reference of 6 rows and 8 columns: water at rows 1-2, columns 2-4; likely built-up at rows 4-5, columns 0-1."""

    def feature(number: int, code: int, confidence: str, left: float, top: float, right: float, bottom: float) -> dict[str, object]:
        ring = [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]
        properties = {"class": code, "group": GROUPS[code], "confidence": confidence, "pass": 1}
        return {
            "type": "Feature",
            "id": number,
            "properties": properties,
            "geometry": {"type": "Polygon", "coordinates": [ring]},
        }

    document = {
        "type": "FeatureCollection",
        "scene": "small.tif",
        "also_valid_for": [],
        "height": 6,
        "width": 8,
        "bands": ["VV", "VH"],
        "coordinate_space": "column_row",
        "place": "Nowhere",
        "split": "train",
        "optical_picture": None,
        "features": [feature(1, 80, "sure", 2, 1, 5, 3), feature(2, 50, "likely", 0, 4, 2, 6)],
    }
    path = folder / "small.geojson"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def test_reading_should_refuse_other_coordinates(tmp_path: Path) -> None:
    path = write_small(tmp_path)
    path.write_text(path.read_text(encoding="utf-8").replace("column_row", "crs"), encoding="utf-8")
    with pytest.raises(ValueError, match="column_row"):
        read_reference(path)


def test_levels_should_be_medians_over_the_polygon_and_leave_out_nodata(tmp_path: Path) -> None:
    path = write_small(tmp_path)
    values_db = np.full((2, 6, 8), -10, dtype=np.float32)
    values_db[0, 1:3, 2:5] = [[-20, -21, np.nan], [-22, -23, -24]]
    values_db[1, 1:3, 2:5] = -26
    with rasterio.open(tmp_path / "small.tif", "w", driver="GTiff", height=6, width=8, count=2, dtype="float32") as file:
        file.write(values_db[::-1])
        file.descriptions = ("VH", "VV")
    built, water = levels_of(read_reference(path), tmp_path)
    assert (built.code, water.code) == (50, 80)
    assert (water.pixels, water.median_vv_db, water.median_vh_db, water.median_ratio_db) == (5, -22, -26, 4)
    assert water.deviation_db[0] == pytest.approx(np.sqrt(2))
    assert np.isnan(water.deviation_of_polygons_db[0])
    assert "| 80 | Nowhere | small | train | 1 | 5 | -22.0 | -26.0 | 4.0 | 1.4 | 0.0 | - | - |" in table([built, water])


def test_agreement_should_count_groups_and_give_kappa(tmp_path: Path) -> None:
    references = [read_reference(write_small(tmp_path))]
    answers = tmp_path / "second.csv"
    answers.write_text("file,polygon,class\nsmall,1,80\nsmall,2,40\n", encoding="utf-8")
    found = agreement(references, read_second_pass(answers))
    # Observed 1/2; by chance (water 1*1 + built 1*0 + open 0*1) / 4 = 1/4; kappa = (1/2 - 1/4) / (1 - 1/4).
    assert (found.polygons, found.same) == (2, 1)
    assert found.kappa == pytest.approx(1 / 3)
    assert found.differing == ("small 2: first built, second open",)
    answers.write_text("file,polygon,class\nsmall,1,80\nsmall,2,\n", encoding="utf-8")
    assert agreement(references, read_second_pass(answers)).polygons == 1
    with pytest.raises(ValueError, match="no polygon 9"):
        agreement(references, {("small", 9): 80})


def test_picture_should_show_levels_as_colours_and_hide_classes_when_blind(tmp_path: Path) -> None:
    values_db = np.stack([np.full((60, 60), -11, np.float32), np.full((60, 60), -17, np.float32)])
    values_db[:, :10] = np.nan
    picture = composite(values_db)
    # (-11 + 22) / 22, (-17 + 28) / 22 and 6 / 14 of 255.
    np.testing.assert_allclose(picture[30, 30], [127.5, 127.5, 109], atol=0.6)
    np.testing.assert_array_equal(picture[2, 30], [0, 0, 0])
    reference = read_reference(write_small(tmp_path))
    water = (0x00, 0x64, 0xC8)
    shown, hidden = (frame(picture[20:26, 20:28], 10, reference, blind) for blind in (False, True))
    assert (shown == water).all(-1).any()
    assert not (hidden == water).all(-1).any()


@pytest.mark.real
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_scene_should_have_the_shape_and_bands_that_the_file_says(path: Path) -> None:
    reference = read_reference(path)
    for scene in (reference.scene, *reference.also_valid_for):
        if not (DATA / scene).is_file():
            pytest.skip(f"{scene} is not in the folder of real scenes (SARDINE_DATA)")
        values_db = read_bands_db(DATA / scene, reference.bands)
        assert values_db.shape == (2, reference.height, reference.width)
        inside = values_db[:, reference.burn() > 0]
        assert np.isfinite(inside).mean() > 0.99


def test_blank_second_pass_should_hold_a_third_of_the_files_without_classes(tmp_path: Path) -> None:
    references = read_references()
    answers = tmp_path / "second.csv"
    answers.write_text(blank_second_pass(references), encoding="utf-8")
    rows = answers.read_text(encoding="utf-8").splitlines()[1:]
    assert {row.split(",")[0] for row in rows} == set(SECOND_PASS)
    assert len(rows) == 117
    assert all(row.endswith(",") for row in rows)
    assert read_second_pass(answers) == {}
    with pytest.raises(ValueError, match="No polygon was named"):
        agreement(references, read_second_pass(answers))


def test_blind_pass_should_cover_a_third_of_the_files_and_differ_as_the_readme_says() -> None:
    references = read_references()
    answers = read_second_pass(FOLDER / "blind_pass.csv")
    with (FOLDER / "blind_pass.csv").open(newline="", encoding="utf-8") as file:
        assert {row["confidence"] for row in csv.DictReader(file)} == {"sure", "likely", "guess"}
    asked = {(item.name, polygon.number) for item in references for polygon in item.polygons}
    assert set(answers) == {(name, number) for name, number in asked if number <= SECOND_PASS.get(name, 0)}
    found = agreement(references, answers)
    assert (found.polygons, found.same, round(found.kappa, 2)) == (117, 115, 0.98)
    assert found.differing == ("sanfrancisco 14: first water, second bare", "sen12mscr_3968 1: first open, second tree")
