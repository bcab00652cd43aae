# SPDX-License-Identifier: GPL-2.0-or-later
"""One map of many: where scenes overlap the surer one is taken, pixel by pixel in a GeoTIFF, scene by scene in a VRT."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from backend.batch import mosaic
from backend.batch.mosaic import write_mosaic
from backend.protocol import SardineError
from tests.test_backend.cards import small_card
from tests.test_backend.rasters import UTM33_TRANSFORM, write_raster

CODES = np.array([10, 50, 80], dtype=np.uint8)


def scene_map(folder: Path, name: str, row: int, column: int, *, seed: int, mean: float, size=(300, 280), **options):
    """A made-up map at that pixel of the common grid: its files by name, its codes and its confidence, uint8 of `size`."""
    rng = np.random.default_rng(seed)
    codes = CODES[rng.integers(0, 3, size)]
    confidence = rng.integers(30, 100, size).astype(np.uint8)
    codes[:20, :30], confidence[:20, :30] = 0, 255
    tags = {"SARDINE_MEAN_CONFIDENCE_PERCENT": str(mean)}
    options = {"transform": UTM33_TRANSFORM @ Affine.translation(column, row), "tags": tags, **options}
    files = {"landcover": str(folder / f"{name}_landcover.tif"), "confidence": str(folder / f"{name}_confidence.tif")}
    write_raster(files["landcover"], codes, nodata=0, **options)
    write_raster(files["confidence"], confidence, nodata=255, **options)
    return files, codes, confidence


def write(target: Path, *scenes, cancelled=lambda: False):
    write_mosaic(target, [files for files, *_ in scenes], small_card(), lambda _: None, cancelled)


@pytest.fixture
def three(tmp_path):
    """Three maps that overlap, of whole tiles and parts of them; the last begins above and left of the others."""
    places = [("a", 0, 0, 60.0), ("b", 120, 150, 70.0), ("c", -40, -25, 65.0)]
    return [scene_map(tmp_path, n, row, column, seed=i, mean=mean) for i, (n, row, column, mean) in enumerate(places)], places


def test_mosaic_should_take_each_pixel_from_the_scene_that_is_surest_of_it(three, tmp_path):
    scenes, places = three
    write(tmp_path / "m.tif", *scenes)
    wanted = np.zeros((460, 455), np.uint8)
    best = np.full(wanted.shape, -1)
    for (_, codes, confidence), (_, row, column, _) in zip(scenes, places, strict=True):
        for i, j in np.ndindex(*codes.shape):
            place = i + row + 40, j + column + 25
            if codes[i, j] and int(confidence[i, j]) > best[place]:
                wanted[place], best[place] = codes[i, j], confidence[i, j]
    with rasterio.open(tmp_path / "m.tif") as dataset:
        np.testing.assert_array_equal(dataset.read(1), wanted)
        assert dataset.transform == UTM33_TRANSFORM @ Affine.translation(-25, -40)
        assert dataset.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert dataset.overviews(1) == [2]
        assert dataset.nodata == 0
        assert dataset.colormap(1)[80] == (0, 100, 200, 255)
        assert dataset.tags(1)["CLASS_80"] == "Permanent water bodies"
        assert dataset.tags()["SARDINE_MOSAIC_OF"] == "a_landcover.tif b_landcover.tif c_landcover.tif"
    assert sorted(path.name for path in tmp_path.iterdir() if "m.tif" in path.name) == ["m.tif"]


def test_vrt_should_put_the_scene_with_the_highest_mean_confidence_on_top(three, tmp_path):
    scenes, places = three
    (tmp_path / "mosaics <&>").mkdir()
    write(tmp_path / "mosaics <&>" / "m.vrt", *scenes)
    wanted = np.zeros((460, 455), np.uint8)
    for number in (0, 2, 1):  # by mean: 60, 65, 70
        codes, (_, row, column, _) = scenes[number][1], places[number]
        part = wanted[row + 40 : row + 340, column + 25 : column + 305]
        part[codes > 0] = codes[codes > 0]
    with rasterio.open(tmp_path / "mosaics <&>" / "m.vrt") as dataset:
        np.testing.assert_array_equal(dataset.read(1), wanted)
        assert dataset.nodata == 0
        assert dataset.colormap(1)[10] == (0, 100, 0, 255)
        assert dataset.tags(1)["CLASS_10"] == "Tree cover"


def test_scene_of_another_zone_should_be_brought_onto_the_grid_of_most(three, tmp_path):
    scenes, _ = three
    # The same ground in zone 32: 500 km east in zone 33 is its central meridian, 15 degrees east.
    east, north = rasterio.warp.transform("EPSG:32633", "EPSG:32632", [500_500.0], [5_399_000.0])
    place = Affine(10, 0, east[0], 0, -10, north[0])
    other = scene_map(tmp_path, "d", 0, 0, seed=9, mean=90.0, size=(200, 200), crs="EPSG:32632", transform=place)
    other_codes = other[1]
    other_codes[:] = 50
    write_raster(other[0]["landcover"], other_codes, nodata=0, crs="EPSG:32632", transform=place)
    write_raster(other[0]["confidence"], np.full_like(other_codes, 100), nodata=255, crs="EPSG:32632", transform=place)
    write(tmp_path / "m.tif", *scenes, other)
    with rasterio.open(tmp_path / "m.tif") as dataset:
        assert dataset.crs == "EPSG:32633"
        middle = rasterio.warp.transform("EPSG:32632", "EPSG:32633", [east[0] + 1000], [north[0] - 1000])
        row, column = dataset.index(middle[0][0], middle[1][0])
        assert (dataset.read(1)[row - 60 : row + 60, column - 60 : column + 60] == 50).all()
    with pytest.raises(SardineError, match="lies on another grid"):
        write(tmp_path / "m.vrt", *scenes, other)
    assert not (tmp_path / "m.vrt").exists()


def test_mosaic_that_would_be_nearly_empty_or_nowhere_should_be_refused(three, tmp_path):
    scenes, _ = three
    far = scene_map(tmp_path, "far", 2_000_000, 0, seed=1, mean=1.0)
    with pytest.raises(SardineError, match="lie too far apart for one mosaic"):
        write(tmp_path / "m.tif", *scenes, far)
    nowhere = scene_map(tmp_path, "nowhere", 0, 0, seed=1, mean=1.0, crs=None)
    with pytest.raises(SardineError, match="without a coordinate reference system"):
        write(tmp_path / "m.tif", *scenes, nowhere)
    assert not list(tmp_path.glob("m.tif*"))


def test_cancel_damage_and_earlier_mosaic_should_leave_whole_files_or_none(three, tmp_path, monkeypatch):
    scenes, _ = three
    target = tmp_path / "m.tif"
    target.write_bytes(b"an earlier mosaic")
    with pytest.raises(SardineError, match="cancelled"):
        write(target, *scenes, cancelled=lambda: True)
    content = Path(scenes[1][0]["landcover"]).read_bytes()
    Path(scenes[1][0]["landcover"]).write_bytes(content[:3000])
    with pytest.raises(SardineError):
        write(target, *scenes)
    Path(scenes[1][0]["landcover"]).write_bytes(content)

    def full(*_args, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(mosaic.rasterio.shutil, "copy", full)
    with pytest.raises(SardineError, match="disk filled up"):
        write(target, *scenes)
    assert target.read_bytes() == b"an earlier mosaic"
    assert [path.name for path in tmp_path.glob("m.tif*")] == ["m.tif"]
