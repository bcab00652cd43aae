# SPDX-License-Identifier: GPL-2.0-or-later
"""The command `chips` and `inspect`: what they tell, what they refuse all at once, and that nothing is left half-done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio

from tests.test_backend.rasters import backscatter_db, write_raster
from tests.test_training.made_stores import made_chip, write_store
from tests.test_training.test_chip_readers import ALL_TRAIN, SIDE, at, halves, label, scene
from training.chips.build import make_store
from training.chips.config import ChipsConfig, SourceConfig, SplitConfig
from training.chips.store import SPLITS, open_store
from training.run import main, parse

CONFIGS = sorted((Path(__file__).parents[2] / "training" / "configs").glob("chips_*.yaml"))


def chips(tmp_path: Path, *sources: SourceConfig, **options: Any) -> ChipsConfig:
    return ChipsConfig(tmp_path / "store", tuple(sources), **{"chip_px": SIDE, "splits": ALL_TRAIN, **options})


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_shipped_configurations_should_be_valid(path: Path) -> None:
    name, config = parse(["chips", "--config", str(path)])
    assert name == "chips"
    assert config.sources


def test_refusals_should_be_listed_by_file_and_not_stop_the_rest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "data"
    scene(root / "good.tif", 0)
    label(root / "good_map.tif", halves(40, 80), 0)
    (root / "broken.tif").write_bytes((root / "good.tif").read_bytes()[:4000])
    (root / "text.tif").write_text("no raster")
    write_raster(root / "hh_hv.tif", backscatter_db(SIDE, SIDE), descriptions=("HH", "HV"), transform=at(1))
    write_raster(root / "nowhere.tif", backscatter_db(SIDE, SIDE), descriptions=("VV", "VH"), crs=None, transform=None)
    write_raster(root / "empty.tif", np.full((2, SIDE, SIDE), np.nan, np.float32), descriptions=("VV", "VH"), transform=at(2))
    scene(root / "coarse.tif", 3, transform=at(3) * at(3).scale(5, 5))
    scene(root / "strange.tif", 4)
    label(root / "strange_map.tif", halves(40, 7), 4)
    scene(root / "shifted.tif", 5)
    write_raster(root / "shifted_map.tif", halves(40, 80, 40), crs=None, transform=None)
    scene(root / "elsewhere.tif", 6)
    label(root / "elsewhere_map.tif", halves(40, 80), 7)
    source = SourceConfig(
        "mine", root, label_replace={r"^(?!.*_map)(.*)\.tif": r"\1_map.tif"}, legend="worldcover", units="db", place="file"
    )
    info = make_store(chips(tmp_path, source))
    assert info is not None
    said = capsys.readouterr().out
    store = open_store(tmp_path / "store")
    assert store["train"].index["file"].tolist() == ["elsewhere.tif", "good.tif"]
    assert store["train"].index["labelled_share"].tolist() == [0, 1]
    assert info.sources[0].chips == 2
    for file, reason in (
        ("broken.tif", "cannot be"),
        ("text.tif", "not a raster"),
        ("hh_hv.tif", "The scene is HH and HV"),
        ("nowhere.tif", "no coordinate reference system"),
        ("empty.tif", "no pixel with a radar value"),
        ("coarse.tif", "50.0 x 50.0 m"),
        ("strange.tif", "holds [7], which the legend “worldcover” does not explain"),
        ("elsewhere.tif", "no label covers it (elsewhere_map.tif); it is used without"),
        ("shifted.tif", "40 x 40 pixels and no CRS, the scene has 32 x 32"),
    ):
        assert any(f"mine: {file}: " in line and reason in line for line in said.splitlines()), (file, said)
    assert "its label hh_hv_map.tif is not there" in said
    assert said.rstrip("\n") == (tmp_path / "store" / "summary.txt").read_text(encoding="utf-8").rstrip("\n")
    assert "40 Cropland" in said


def test_chips_with_too_little_data_should_be_left_out_and_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values = backscatter_db(SIDE, 3 * SIDE)
    values[:, :, SIDE : 2 * SIDE] = np.nan
    (tmp_path / "data").mkdir()
    write_raster(tmp_path / "data" / "x.tif", values, descriptions=("VV", "VH"), transform=at(0), nodata=np.nan)
    make_store(chips(tmp_path, SourceConfig("mine", tmp_path / "data", units="db", place="file")))
    store = open_store(tmp_path / "store")
    assert store["train"].index["pixel_column"].tolist() == [0, 2 * SIDE]
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("mine"))
    assert row.split() == ["mine", "1", "2", "1", "0", "0"]


def test_everything_wrong_should_be_told_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["chips", f"--out={tmp_path}", "--sources=[{name: a b, root: x, kind: tiles, legend: corine}]", "--chip_px=33"])
    said = capsys.readouterr().err
    for part in ("name must be made of", "kind is tiles", "legend is corine", "chip_px is 33"):
        assert part in said
    with pytest.raises(SystemExit):
        main(["chips", f"--out={tmp_path}", "--sources=[{name: a, root: x, colour: red}]"])
    assert "colour" in capsys.readouterr().err
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("kept")
    (tmp_path / "empty").mkdir()
    missing = f"[{{name: a, root: {tmp_path / 'gone'}}}, {{name: b, root: {tmp_path / 'empty'}}}]"
    assert main(["chips", f"--out={tmp_path / 'full'}", f"--sources={missing}"]) == 2
    said = capsys.readouterr().err
    assert "exists and is no chip store" in said
    assert f"a: there is no folder {tmp_path / 'gone'}" in said
    assert "b: no file of" in said
    assert (tmp_path / "full" / "mine.txt").read_text() == "kept"


def test_empty_chip_set_should_be_refused_with_the_reasons(tmp_path: Path) -> None:
    write_raster(tmp_path / "x.tif", np.full((2, SIDE, SIDE), np.nan, np.float32), descriptions=("VV", "VH"), transform=at(0))
    with pytest.raises(ValueError, match=r"(?s)no chip is left.*x\.tif: .*no pixel with a radar value"):
        make_store(chips(tmp_path, SourceConfig("mine", tmp_path, units="db")))
    values = np.full((2, SIDE, SIDE), np.nan, np.float32)
    values[:, 0, :4] = -12
    write_raster(tmp_path / "x.tif", values, descriptions=("VV", "VH"), transform=at(0))
    with pytest.raises(ValueError, match="none holds data on 20%"):
        make_store(chips(tmp_path, SourceConfig("mine", tmp_path, units="db")))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.tif"]


def test_store_should_be_replaced_only_when_asked(tmp_path: Path) -> None:
    root = tmp_path / "data"
    scene(root / "x.tif", 0)
    source = SourceConfig("mine", root, units="db")
    make_store(chips(tmp_path, source))
    before = (tmp_path / "store" / "store.json").read_text()
    with pytest.raises(ValueError, match="holds a store: give --overwrite true"):
        make_store(chips(tmp_path, source))
    (root / "y.tif").write_text("no raster")
    with pytest.raises(ValueError, match="no chip is left"):
        make_store(chips(tmp_path, SourceConfig("mine", root, files=("y.tif",), units="db"), overwrite=True))
    assert (tmp_path / "store" / "store.json").read_text() == before, "a failed build leaves the old store"
    scene(root / "z.tif", 1)
    make_store(chips(tmp_path, source, overwrite=True))
    assert len(open_store(tmp_path / "store")["train"]) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "store"]


def test_dry_run_should_tell_and_write_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scene(tmp_path / "data" / "x.tif", 0, side=80)
    sources = f"[{{name: mine, root: {tmp_path / 'data'}, units: db, place: file}}]"
    assert main(["chips", f"--out={tmp_path / 'store'}", f"--sources={sources}", "--chip_px=32", "--dry_run=true"]) == 0
    said = capsys.readouterr().out
    assert "At most 9 chips" in said
    assert "Nothing was written" in said
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_full_disk_should_be_foreseen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The figure of free space is what is replaced; nothing else can be made small here without being root."""
    import shutil
    from collections import namedtuple

    scene(tmp_path / "data" / "x.tif", 0)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**6, 10**6, 1000))
    with pytest.raises(ValueError, match=r"At most 1 chips and 0.00 GB are needed.*use --encoding uint8"):
        make_store(chips(tmp_path, SourceConfig("mine", tmp_path / "data", units="db")))


def test_places_should_be_in_one_split_or_be_refused(tmp_path: Path) -> None:
    root = tmp_path / "data"
    for tile in range(6):
        scene(root / f"city{tile // 2}_{tile}.tif", tile)
    by_city = {"places": {r"(city\d)_": r"\1"}, "units": "db"}
    splits = SplitConfig(validation_share=0.34, test_share=0.34)
    make_store(chips(tmp_path, SourceConfig("mine", root, **by_city), splits=splits))
    store = open_store(tmp_path / "store")
    places = [set(store[split].index["place"].tolist()) for split in SPLITS]
    assert sorted(len(found) for found in places) == [1, 1, 1]
    assert [len(store[split]) for split in SPLITS] == [2, 2, 2]
    sources = [
        SourceConfig("first", root, files=("city0_0.tif",), split="train", **by_city),
        SourceConfig("second", root, files=("city0_1.tif",), split="test", **by_city),
    ]
    with pytest.raises(ValueError, match=r"place city0 would be in train \(first: city0_0.tif\) and test \(second: city0_1.tif\)"):
        make_store(chips(tmp_path, *sources, overwrite=True))


def test_overlapping_scenes_of_different_splits_should_be_refused(tmp_path: Path) -> None:
    root = tmp_path / "data"
    scene(root / "whole.tif", 0, side=64)
    scene(root / "part.tif", 0)
    sources = [
        SourceConfig("a", root, files=("whole.tif",), split="train", place="file", units="db"),
        SourceConfig("b", root, files=("part.tif",), split="test", place="file", units="db"),
    ]
    with pytest.raises(ValueError, match=r"a/whole.*b/part.*show the same ground but are in different splits: give them one place"):
        make_store(chips(tmp_path, *sources))
    again = [SourceConfig("a", root, units="db"), SourceConfig("b", root, files=("part.tif",), units="db")]
    make_store(chips(tmp_path, *again))
    assert "part.tif: it is in source a already" in (tmp_path / "store" / "summary.txt").read_text(encoding="utf-8")


def test_blocks_should_split_one_large_scene_with_a_buffer(tmp_path: Path) -> None:
    scene(tmp_path / "data" / "x.tif", 0, side=640)
    splits = SplitConfig(validation_share=0.2, test_share=0.3, block_km=1.0, buffer_km=0.1)
    info = make_store(chips(tmp_path, SourceConfig("mine", tmp_path / "data", units="db"), splits=splits))
    assert info is not None
    store = open_store(tmp_path / "store")
    assert all(len(store[split]) > 5 for split in SPLITS)
    corners = {split: np.stack([store[split].index[key] for key in ("xmin", "ymin")], 1) for split in SPLITS}
    side, buffer_m = 320, 100
    for split in ("validation", "test"):
        gap = np.abs(corners["train"][:, None] - corners[split][None]).max(-1) - side
        assert gap.min() >= buffer_m - 25, f"train keeps {buffer_m} m from {split}, within rounding of degrees"
    assert sum(len(store[split]) for split in SPLITS) < 400


def test_csv_should_decide_the_split(tmp_path: Path) -> None:
    root = tmp_path / "data"
    for tile in range(4):
        scene(root / f"tile{tile}_s1.tif", tile)
    table = tmp_path / "splits.csv"
    table.write_text("identifier, split\ntile0, train\ntile1, val\ntile2, test\ntile9, train\n", encoding="utf-8")
    source = SourceConfig("mine", root, split="csv", split_csv=table, units="db", place="file")
    make_store(chips(tmp_path, source))
    store = open_store(tmp_path / "store")
    assert {split: store[split].index["file"].tolist() for split in SPLITS} == {
        "train": ["tile0_s1.tif"],
        "validation": ["tile1_s1.tif"],
        "test": ["tile2_s1.tif"],
    }
    assert "tile3_s1.tif: splits.csv does not name it" in (tmp_path / "store" / "summary.txt").read_text(encoding="utf-8")
    table.write_text("id,fold\n1,2\n", encoding="utf-8")
    with pytest.raises(ValueError, match="identifier and split are needed"):
        make_store(chips(tmp_path, source, overwrite=True))


# inspect


def test_inspect_should_tell_a_store_and_picture_its_chips(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    db = np.full((2, 64, 64), -11.0, np.float32)
    db[1] = -17
    db[:, :8] = np.nan
    labels = np.zeros((64, 64), np.uint8)
    labels[32:] = 80
    labels[32:, 32:] = 201
    chip = made_chip(db, labels, place="Lake", orbit="ascending", source="lakes")
    write_store(tmp_path / "store", {"train": [chip, chip], "test": [made_chip(db, place="Sea")]})
    picture = tmp_path / "sheet.png"
    assert main(["inspect", f"--path={tmp_path / 'store'}", f"--picture={picture}", "--chips=1"]) == 0
    said = capsys.readouterr().out
    for part in ("3 chips of 64 px at 10 m, VV, VH, float16_db", "train: 2 chips of 1 places and 2 grounds", "2 ascending",
                 "validation: no chips", "Lake", "Sea", "201 not 80"):  # fmt: skip
        assert part in said
    assert [line.split() for line in said.splitlines() if line.startswith("80 Permanent")] == [
        ["80", "Permanent", "water", "bodies", "2,048", "0", "0"]
    ]
    with rasterio.open(picture) as file:
        sheet = np.moveaxis(file.read(), 0, -1)
    radar, classes = sheet[2:66, 2:66], sheet[2:66, 66:130]
    np.testing.assert_allclose(radar[30, 30], [127.5, 127.5, 109], atol=1)
    assert classes[40, 10].tolist() == [0, 100, 200]
    assert classes[20, 10].tolist() == [40, 40, 40]
    assert classes[4, 10].tolist() == [0, 0, 0]
    striped = {tuple(colour) for colour in classes[32:, 32:].reshape(-1, 3).tolist()}
    assert len(striped) == 10
    assert (0, 100, 200) not in striped


def test_inspect_should_refuse_what_it_does_not_know(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.pt").write_bytes(b"PK\x03\x04 cut short")
    (tmp_path / "folder").mkdir()
    for path, reason in (("x.pt", "cannot be read"), ("folder", "is no chip store"), ("gone", "There is no")):
        assert main(["inspect", f"--path={tmp_path / path}"]) == 2
        assert reason in capsys.readouterr().err
