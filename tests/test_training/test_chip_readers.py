# SPDX-License-Identifier: GPL-2.0-or-later
"""Each layout of files becomes chips with the right pixels, labels, places and dates; files that do not fit are told."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine

from tests.test_backend.rasters import backscatter_db, write_raster
from training.chips.build import make_store
from training.chips.config import ChipsConfig, SourceConfig, SplitConfig
from training.chips.store import ChipStore, StoreInfo, open_store
from training.run import parse

DATA = Path(os.environ.get("SARDINE_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
SIDE = 32
ALL_TRAIN = SplitConfig(validation_share=0, test_share=0, buffer_km=0)


def at(tile: int) -> Affine:
    """A place of its own for a scene, 40 km from the next."""
    return Affine(10.0, 0.0, 400_000.0 + 40_000 * tile, 0.0, -10.0, 5_400_000.0)


def scene(path: Path, tile: int = 0, *, side: int = SIDE, **options: Any) -> np.ndarray:
    """Writes VV and VH in dB and returns them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = backscatter_db(side, side, seed=tile)
    write_raster(path, values, **{"descriptions": ("VV", "VH"), "transform": at(tile), **options})
    return values


def label(path: Path, values: np.ndarray, tile: int = 0, **options: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_raster(path, values, **{"transform": at(tile), **options})


def halves(left: int, right: int, side: int = SIDE, dtype: Any = np.uint8) -> np.ndarray:
    """A label whose left half has one value and whose right half another."""
    values = np.full((side, side), left, dtype=dtype)
    values[:, side // 2 :] = right
    return values


def build(tmp_path: Path, *sources: SourceConfig, splits: SplitConfig = ALL_TRAIN, **options: Any) -> ChipStore:
    out = tmp_path / "store"
    info = make_store(ChipsConfig(out, tuple(sources), **{"chip_px": SIDE, "splits": splits, **options}))
    assert isinstance(info, StoreInfo)
    return open_store(out)


def column(store: ChipStore, name: str, split: str = "train") -> list[Any]:
    found: list[Any] = store[split].index[name].tolist()
    return found


def assert_labelled(store: ChipStore, row: int, left: tuple[int, ...], right: tuple[int, ...], split: str = "train") -> None:
    """Left and right half of a chip's labels stand for these classes; none is unlabelled."""
    labels = store[split].labels[row]
    sets = {0: (), **store.info.label_sets}
    assert [sets[int(value)] for value in (labels[5, 3], labels[5, SIDE - 3])] == [left, right]


def test_scenes_should_keep_pixels_labels_and_facts_of_their_files(tmp_path: Path) -> None:
    root = tmp_path / "data"
    values = scene(root / "S1A_IW_GRDH_1SDV_20170613T165043_asc.tif", side=80)
    truth = np.random.default_rng(0).choice([10, 40, 80], (80, 80)).astype(np.uint8)
    label(root / "S1A_IW_GRDH_1SDV_20170613T165043_asc_map.tif", truth, nodata=0)
    source = SourceConfig(
        "mine", root, label_replace={r"_asc\.tif": "_asc_map.tif"}, legend="worldcover", places={".*": "Anywhere"}, units="db"
    )
    store = build(tmp_path, source)
    train = store["train"]
    # 80 = 32 + 32 + 16: the last chips begin at 48 and overlap those before.
    corners = [(row, left) for row in (0, 32, 48) for left in (0, 32, 48)]
    assert list(zip(column(store, "pixel_row"), column(store, "pixel_column"), strict=True)) == corners
    for number, (row, left) in enumerate(corners):
        part = np.s_[row : row + SIDE, left : left + SIDE]
        np.testing.assert_allclose(train.read_db(number)[0], values[(slice(None), *part)], atol=0.02)
        np.testing.assert_array_equal(train.labels[number], truth[part])
    assert set(column(store, "place")) == {"Anywhere"}
    assert column(store, "date")[0] == "2017-06-13"
    assert (column(store, "orbit")[0], column(store, "look")[0]) == ("ascending", "east")
    assert (column(store, "crs")[0], column(store, "unit")[0], column(store, "bands")[0]) == ("EPSG:32633", "db", "VV VH")
    index = train.index
    assert [index[key][4] for key in ("xmin", "ymin", "xmax", "ymax")] == [400_320, 5_399_360, 400_640, 5_399_680]
    assert store.info.label_pixels["train"] == {value: int((train.labels == value).sum()) for value in (10, 40, 80)}


def test_small_scene_should_be_padded_with_nodata(tmp_path: Path) -> None:
    values = scene(tmp_path / "data" / "patch.tif", side=20)
    store = build(tmp_path, SourceConfig("mine", tmp_path / "data", place="file"))
    [chip] = store["train"].read_db(np.arange(1))
    np.testing.assert_allclose(chip[0, :, :20, :20], values, atol=0.02)
    assert np.isnan(chip[0, :, 20:]).all()
    assert np.isnan(chip[0, :, :, 20:]).all()
    assert (column(store, "height_px"), column(store, "width_px")) == ([20], [20])
    assert column(store, "valid_share") == [pytest.approx(400 / SIDE**2, abs=1e-3)]


def test_files_of_one_polarisation_should_be_one_scene_in_any_unit(tmp_path: Path) -> None:
    root = tmp_path / "rtc"
    root.mkdir()
    values = backscatter_db(SIDE, SIDE)
    for number, name in enumerate(("VV", "VH")):
        power = (10 ** (values[number] / 10)).astype(np.float32)
        power[:4] = -32768
        write_raster(root / f"S1A_20200102_RTC10_{name}.tif", power, transform=at(0), nodata=-32768)
    store = build(tmp_path, SourceConfig("rtc", root, units="power", place="file"))
    assert len(store["train"]) == 1
    np.testing.assert_allclose(store["train"].read_db(0)[0, :, 4:], values[:, 4:], atol=0.02)
    assert np.isnan(store["train"].read_db(0)[0, :, :4]).all()
    assert column(store, "date") == ["2020-01-02"]


def test_worldcover_tile_should_be_warped_nearest(tmp_path: Path) -> None:
    from rasterio.warp import transform as to_crs

    root = tmp_path / "data"
    scene(root / "scene.tif")
    # A tile in degrees around the scene whose value tells the row: classes change every twelfth row.
    (west, east), (south, north) = to_crs("EPSG:32633", "EPSG:4326", [399_000, 402_000], [5_398_000, 5_401_000])
    rows = np.array([10, 20, 30, 40, 50, 60, 80])[np.arange(420) // 12 % 7].astype(np.uint8)
    tile = np.repeat(rows[:, None], 420, axis=1)
    step_x, step_y = (east - west) / 420, (north - south) / 420
    (root / "maps").mkdir()
    write_raster(
        root / "maps" / "ESA_WorldCover_10m_2021_v200_N48E013_Map.tif",
        tile,
        crs="EPSG:4326",
        transform=Affine(step_x, 0, west, 0, -step_y, north),
        nodata=0,
    )
    source = SourceConfig("mine", root, files=("*.tif",), label_rasters=("maps/*.tif",), legend="worldcover", place="file")
    store = build(tmp_path, source)
    x, y = 400_005 + 10 * np.arange(SIDE), 5_399_995 - 10 * np.arange(SIDE)
    longitude, latitude = to_crs("EPSG:32633", "EPSG:4326", np.repeat(x[None], SIDE, 0).ravel(), np.repeat(y, SIDE))
    row = ((north - np.array(latitude)) / step_y).astype(int)
    columns = ((np.array(longitude) - west) / step_x).astype(int)
    np.testing.assert_array_equal(store["train"].labels[0].ravel(), tile[row, columns])
    assert len(np.unique(store["train"].labels[0])) > 2


def test_dates_of_one_grid_should_share_their_ground(tmp_path: Path) -> None:
    root = tmp_path / "data"
    for name, tile in (("a_2020-05-01", 0), ("a_2020-08-01", 0), ("b_2020-05-01", 1)):
        scene(root / f"{name}.tif", tile)
    store = build(tmp_path, SourceConfig("mine", root, units="db"))
    ground = dict(zip(column(store, "file"), column(store, "ground"), strict=True))
    assert ground["a_2020-05-01.tif"] == ground["a_2020-08-01.tif"] != ground["b_2020-05-01.tif"]
    assert sorted(column(store, "date")) == ["2020-05-01", "2020-05-01", "2020-08-01"]


def test_simulated_scenes_should_be_labelled_and_said_to_be_simulated(tmp_path: Path) -> None:
    from training.config import SimulateConfig
    from training.simulation.folder import simulate_folder
    from training.simulation.simulate import simulate_scene

    root = tmp_path / "simulated"
    # Seeds 400 apart claim the same place on Earth; they are not the same ground.
    for seed in (5, 405):
        simulate_folder(SimulateConfig(out=root / str(seed), scenes=1, height_px=64, width_px=64, seed=seed))
    sources = [SourceConfig(f"seed{seed}", root / str(seed), kind="simulated") for seed in (5, 405)]
    splits = SplitConfig(validation_share=0, test_share=0, named={"test": ["seed405.*"]})
    store = build(tmp_path, *sources, splits=splits, chip_px=64)
    made = simulate_scene(5, (64, 64))
    np.testing.assert_allclose(store["train"].read_db(0)[0], made.values_db, atol=0.02)
    np.testing.assert_array_equal(store["train"].labels[0], made.label)
    assert column(store, "simulated") == ["yes"]
    assert column(store, "ground") != column(store, "ground", "test")
    assert store.info.simulated_only


def test_sen1floods11_should_be_water_and_not_water_by_country(tmp_path: Path) -> None:
    root = tmp_path / "v1.1" / "data"
    for tile, name in enumerate(("Ghana_103272", "Ghana_1033830", "Sri-Lanka_101973")):
        scene(root / "S1Hand" / f"{name}_S1Hand.tif", tile, descriptions=())
        truth = halves(0, 1, dtype=np.int16)
        truth[:8] = -1
        label(root / "LabelHand" / f"{name}_LabelHand.tif", truth, tile)
    scene(root / "Mekong_333434_S1.tif", 3)
    label(root / "Mekong_333434_label.tif", halves(0, 255), 3, nodata=255)
    store = build(tmp_path, SourceConfig("sen1floods11", root, kind="sen1floods11"))
    assert sorted(set(column(store, "place"))) == ["Ghana", "Mekong", "Sri-Lanka"]
    by_place = {place: row for row, place in enumerate(column(store, "place"))}
    not_water = (10, 20, 30, 40, 50, 60, 70, 90, 95, 100)
    for place, right in (("Ghana", (80,)), ("Sri-Lanka", (80,)), ("Mekong", ())):
        labels = store["train"].labels[by_place[place]]
        sets = {0: (), **store.info.label_sets}
        assert sets[int(labels[20, 3])] == not_water
        assert sets[int(labels[20, SIDE - 3])] == right
    assert (store["train"].labels[by_place["Ghana"]][:8] == 0).all()


def test_dfc2020_and_sen12ms_should_have_their_legends_and_regions(tmp_path: Path) -> None:
    root = tmp_path / "data"
    name = "ROIs0000_validation_{}_5_p17.tif"
    scene(root / "ROIs0000_validation" / "s1_5" / name.format("s1"), 0, descriptions=())
    label(root / "ROIs0000_validation" / "dfc_5" / name.format("dfc"), halves(6, 10), 0)
    label(root / "ROIs0000_validation" / "lc_5" / name.format("lc"), halves(1, 1), 0)
    name = "ROIs1158_spring_{}_1_p30.tif"
    scene(root / "ROIs1158_spring" / "s1_1" / name.format("s1"), 1, descriptions=())
    label(root / "ROIs1158_spring" / "lc_1" / name.format("lc"), np.stack([halves(13, 4)] + [halves(9, 9)] * 3), 1)
    store = build(tmp_path, SourceConfig("sen12ms", root, kind="dfc2020"))
    by_place = {place: row for row, place in enumerate(column(store, "place"))}
    assert set(by_place) == {"ROIs0000_validation_5", "ROIs1158_spring_1"}
    assert_labelled(store, by_place["ROIs0000_validation_5"], (40,), (80,))
    assert_labelled(store, by_place["ROIs1158_spring_1"], (50,), (10, 95))


def m3leo(root: Path, csv_text: str) -> dict[str, np.ndarray]:
    """Two tiles of one area; bands of two seasons and both directions, in the order and with the names of geetiles."""
    folder = root / "conus" / "conus_partitions_aschips_14c55eb7d417f"
    seasons = ("winter", "spring")
    names = [f"{season}_{kind}" for season in seasons for kind in ("vvasc", "vvdes", "vhasc", "vhdes")]
    written = {}
    for tile, identifier in enumerate(("1a2b3c", "4d5e6f")):
        looks = [backscatter_db(SIDE, SIDE, seed=10 * tile + look) for look in range(4)]
        bands = [looks[2 * s + d][p] for s in range(2) for p in range(2) for d in range(2)]
        (folder / "s1grd-2020").mkdir(parents=True, exist_ok=True)
        write_raster(folder / "s1grd-2020" / f"{identifier}.tif", np.stack(bands), transform=at(tile), descriptions=names)
        label(folder / "esaworldcover-2020" / f"{identifier}.tif", halves(40, 80), tile)
        written[identifier] = np.stack(looks)  # winter asc, winter desc, spring asc, spring desc
    (folder.parent / f"{folder.name}_splits_60bands_angle09_60-20-20.csv").write_text(csv_text, encoding="utf-8")
    return written


def test_m3leo_should_give_a_look_for_each_season_and_orbit(tmp_path: Path) -> None:
    written = m3leo(tmp_path / "m3leo", "identifier,split\n1a2b3c,train\n4d5e6f,val\n")
    store = build(tmp_path, SourceConfig("m3leo", tmp_path / "m3leo", kind="m3leo", units="db"))
    for split, identifier in (("train", "1a2b3c"), ("validation", "4d5e6f")):
        assert set(column(store, "place", split)) == {f"m3leo/conus/{identifier}"}
        assert len(set(column(store, "ground", split))) == 1
        looks = list(zip(column(store, "date", split), column(store, "orbit", split), strict=True))
        order = [("winter", "ascending"), ("winter", "descending"), ("spring", "ascending"), ("spring", "descending")]
        assert sorted(looks) == sorted(order)
        for row, look in enumerate(looks):
            np.testing.assert_allclose(store[split].read_db(row)[0], written[identifier][order.index(look)], atol=0.02)
            assert_labelled(store, row, (40,), (80,), split)


def test_m3leo_should_give_composites_where_the_store_wants_seasons(tmp_path: Path) -> None:
    written = m3leo(tmp_path / "m3leo", "identifier,split\n1a2b3c,train\n")
    roles = ("VV_winter_asc", "VH_winter_asc", "VV_spring_desc")
    store = build(tmp_path, SourceConfig("m3leo", tmp_path / "m3leo", kind="m3leo", units="db"), roles=roles)
    assert len(store["train"]) == 1, "the other tile is in no split"
    tile = written["1a2b3c"]
    np.testing.assert_allclose(store["train"].read_db(0)[0], np.stack([tile[0, 0], tile[0, 1], tile[3, 0]]), atol=0.02)
    assert "does not name it" in (tmp_path / "store" / "summary.txt").read_text(encoding="utf-8")


def test_ssl4eo_should_pair_bands_and_dates_of_a_location(tmp_path: Path) -> None:
    root = tmp_path / "ssl4eo"
    for date in ("20200607", "20200903"):
        folder = root / "s1" / "0000123" / f"S1A_IW_GRDH_1SDV_{date}T010800_{date}T010825_032904_03CFBA_D457"
        folder.mkdir(parents=True)
        for name, values in zip(("VV", "VH"), backscatter_db(SIDE, SIDE, seed=int(date[-1])), strict=True):
            write_raster(folder / f"{name}.tif", values, transform=at(0))
    store = build(tmp_path, SourceConfig("ssl4eo", root, kind="ssl4eo"))
    assert column(store, "place") == ["ssl4eo_0000123"] * 2
    assert column(store, "date") == ["2020-06-07", "2020-09-03"]
    assert len(set(column(store, "ground"))) == 1
    assert column(store, "bands") == ["VV VH"] * 2


def test_single_polarisation_pictures_should_be_standardised_and_lack_a_band(tmp_path: Path) -> None:
    root = tmp_path / "ombria"
    rng = np.random.default_rng(0)
    for number in range(2):
        grey = rng.integers(20, 200, (SIDE, SIDE)).astype(np.uint8)
        for folder, values in (("AFTER/S1_after", grey), ("MASK/S1_mask", halves(0, 255))):
            path = root / f"{folder}_{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_raster(path, values, crs=None, transform=None, driver="PNG")
    source = SourceConfig(
        "ombria",
        root,
        kind="single_pol",
        files=("AFTER/*.png",),
        bands=("VV",),
        label_replace={"AFTER/S1_after": "MASK/S1_mask"},
        legend="flood_mask",
        spacing_m=10,
    )
    store = build(tmp_path, source)
    for row in range(2):
        db = store["train"].read_db(row)[0]
        assert db[0].mean() == pytest.approx(-12.55, abs=0.01)
        assert db[0].std() == pytest.approx(5.26, abs=0.01)
        assert np.isnan(db[1]).all()
        assert_labelled(store, row, (), (80,))
    assert column(store, "bands") == ["VV", "VV"]
    assert column(store, "unit") == ["scaled", "scaled"]
    assert column(store, "crs") == ["", ""]


def test_water_that_is_as_bright_as_land_should_be_void_where_asked(tmp_path: Path) -> None:
    root = tmp_path / "data"
    root.mkdir()
    db = np.full((2, 64, 64), -18.0, np.float32)
    db[0, :, 32:] = -10
    label = np.ones((1, 64, 64), np.uint8)
    label[:, 50:] = 0
    write_raster(root / "x_S1.tif", db, crs=None, transform=None, descriptions=("VV", "VH"))
    write_raster(root / "x_label.tif", label, crs=None, transform=None)
    for void in (False, True):
        (tmp_path / str(void)).mkdir()
        source = SourceConfig(
            "water",
            root,
            files=("*_S1.tif",),
            label_replace={"_S1": "_label"},
            legend="sen1floods11",
            units="db",
            spacing_m=10,
            void_doubtful_water=void,
        )
        labels = build(tmp_path / str(void), source, chip_px=64)["train"].labels[0]
        assert (labels[:50, :29] == 80).all()
        assert (labels[:50, 35:] == (0 if void else 80)).all()
        assert (labels[50:] == labels[63, 63]).all()
        assert labels[63, 63] not in (0, 80)


def test_white_beyond_a_swath_should_be_nodata_and_bright_towns_not(tmp_path: Path) -> None:
    grey = np.random.default_rng(0).integers(20, 200, (2, 64, 64)).astype(np.uint8)
    grey[:, :10] = 255
    grey[:, 40:44, 40:44] = 255
    (tmp_path / "data").mkdir()
    write_raster(tmp_path / "data" / "x.tif", grey, crs=None, transform=None, descriptions=("VV", "VH"))
    store = build(tmp_path, SourceConfig("etci", tmp_path / "data", units="scaled", spacing_m=10), chip_px=64)
    db = store["train"].read_db(0)[0]
    assert np.isnan(db[:, :10]).all()
    assert np.isfinite(db[:, 10:]).all()


def test_reference_polygons_should_label_all_their_dates_and_set_place_and_split(tmp_path: Path) -> None:
    root = tmp_path / "data"
    for month in ("04", "10"):
        (root / "set").mkdir(exist_ok=True, parents=True)
        bands = np.concatenate([backscatter_db(SIDE, SIDE, seed=1), backscatter_db(SIDE, SIDE, seed=2)])
        names = ("VV_asc", "VH_asc", "VV_desc", "VH_desc")
        write_raster(root / "set" / f"x_2020-{month}.tif", bands, transform=at(0), descriptions=names)
    square = [[4, 2], [12, 2], [12, 10], [4, 10], [4, 2]]
    document = {
        "scene": "set/x_2020-10.tif",
        "also_valid_for": ["set/x_2020-04.tif", "set/gone.tif"],
        "height": SIDE,
        "width": SIDE,
        "bands": ["VV_asc", "VH_asc"],
        "coordinate_space": "column_row",
        "place": "Somewhere",
        "split": "test",
        "optical_picture": None,
        "features": [
            {
                "id": 1,
                "properties": {"class": 80, "group": "water", "confidence": "sure"},
                "geometry": {"type": "Polygon", "coordinates": [square]},
            }
        ],
    }
    polygons = tmp_path / "polygons"
    polygons.mkdir()
    (polygons / "x.geojson").write_text(json.dumps(document), encoding="utf-8")
    store = build(tmp_path, SourceConfig("reference", root, kind="reference", polygons=polygons, units="db"))
    assert len(store["train"]) == 0
    assert column(store, "place", "test") == ["Somewhere"] * 2
    assert column(store, "orbit", "test") == ["ascending"] * 2
    assert len(set(column(store, "ground", "test"))) == 1
    expected = np.zeros((SIDE, SIDE), np.uint8)
    expected[2:10, 4:12] = 80
    for row in range(2):
        np.testing.assert_array_equal(store["test"].labels[row], expected)
    assert store.info.label_sets == {80: (80,)}
    assert "gone.tif" in (tmp_path / "store" / "summary.txt").read_text(encoding="utf-8")
    # Burned over other labels, both looks of each file are labelled.
    label(root / "set" / "map.tif", halves(40, 40))
    source = SourceConfig(
        "set",
        root / "set",
        files=("x_*.tif",),
        label_rasters=("map.tif",),
        legend="worldcover",
        polygons=polygons,
        data_root=root,
        split="polygons",
        units="db",
    )
    over = make_store(ChipsConfig(tmp_path / "over", (source,), chip_px=SIDE))
    assert over is not None
    assert over.label_pixels["test"] == {40: 4 * (SIDE**2 - 64), 80: 4 * 64}


@pytest.mark.real
def test_real_config_should_make_a_store_of_each_set(tmp_path: Path) -> None:
    """One scene of each source of the shipped configuration, in the files' real form."""
    if not (DATA / "INDEX.json").is_file():
        pytest.skip("the real scenes are not there (SARDINE_DATA)")
    config = Path(__file__).parents[2] / "training" / "configs" / "chips_real.yaml"
    text = config.read_text(encoding="utf-8").replace("../shared/data", str(DATA))
    (tmp_path / "real.yaml").write_text(text, encoding="utf-8")
    small = {
        "cities_and_fields": "Frankfurt*",
        "sen1floods11": "Mekong*_S1.tif",
        "stac_overflow": "pxs10_S1.tif",
        "sen12mscr": "4438_S1.tif",
        "biomassters": "0060c0a5_S1_10_dB.tif",
        "etci2021": "",
        "ombria": "test/AFTER/S1_after_0013.png",
        "los_angeles": "003_VH8.tif",
        "heilongjiang": "",
    }
    _, whole = parse(["chips", "--config", str(tmp_path / "real.yaml"), "--out", str(tmp_path / "store")])
    import dataclasses

    sources = [
        dataclasses.replace(source, files=(small[source.name],)) if small.get(source.name) else source
        for source in whole.sources
        if small.get(source.name) != ""
    ]
    info = make_store(dataclasses.replace(whole, sources=tuple(sources)))
    assert info is not None
    assert all(source.chips > 0 for source in info.sources), info.sources
    assert {10, 30, 40, 50, 80, 201} <= set(info.label_sets)
    store = open_store(tmp_path / "store")
    places = {split: set(column(store, "place", split)) for split in ("train", "validation", "test")}
    assert {"Frankfurt", "Mekong"} <= places["validation"]
    assert {"Brahmaputra", "Para", "Hudson Bay lowland"} <= places["test"]
    assert not places["train"] & (places["validation"] | places["test"])
