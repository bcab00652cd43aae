# SPDX-License-Identifier: GPL-2.0-or-later
import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import rasterio

from backend.grid import PixelWindow, RasterGrid
from backend.output.map_writer import MapWriter, output_grid
from backend.output.paths import check_output_paths
from backend.output.tiles import overview_factors
from backend.protocol import ErrorCode, SardineError
from backend.run_state import RunState, Summary
from backend.strip import Strip
from backend.windows import lay_windows
from tests.test_backend.cards import encoder_only_card, small_card

CARD = small_card()
OutputWriter = partial(MapWriter, identity={"scene": "one"})
UTM = rasterio.crs.CRS.from_epsg(32633).to_wkt()
ALL = ("landcover", "confidence", "probabilities", "attention")
HEIGHT, WIDTH = 700, 530
ROOT = Path(__file__).parents[2]


def scene_grid(height=HEIGHT, width=WIDTH, crs=UTM):
    return RasterGrid(crs, 399_960.25, 5_400_000.5, 10.0, 10.0, height, width)


def layout_of(grid, area=None):
    return lay_windows(area or grid.full_window, grid.height, grid.width, window_px=32, patch_px=8, overlap=0.25)


def values_of(name, grid, seed=0):
    """Blocky classes and noise with nodata in the first rows, [bands, height, width] as stored."""
    rng = np.random.default_rng(seed)
    shape = (grid.height, grid.width)
    if name == "landcover":
        values = (
            rng.choice([10, 50, 80], (shape[0] // 9 + 1, shape[1] // 9 + 1)).repeat(9, 0).repeat(9, 1)[None, : shape[0], : shape[1]]
        )
        values[:, :5] = 0
        return values.astype(np.uint8)
    if name == "attention":
        values = rng.gamma(2, 0.5, (3, *shape)).astype(np.float32)
        values[:, :2] = np.nan
        return values
    values = rng.integers(0, 101, (3 if name == "probabilities" else 1, *shape)).astype(np.uint8)
    values[:, :5] = 255
    return values


def paths(folder, names=ALL):
    return {name: str(folder / f"{name}.tif") for name in names}


def open_writer(folder, names=ALL, *, grid=None, overwrite=False):
    grid = grid or scene_grid()
    return OutputWriter(check_output_paths(paths(folder, names), [], overwrite=overwrite), CARD, grid, layout_of(grid))


def fill(writer, values, step=48):
    for name, whole in values.items():
        for row in range(0, whole.shape[1], step):
            writer.write(Strip(name, row, whole[:, row : row + step]))


def write(folder, names=ALL, *, grid=None, area=None, overwrite=False, tags=None, seed=0, card=CARD):
    grid = grid or scene_grid()
    layout = layout_of(grid, area)
    values = {name: values_of(name, output_grid(name, grid, layout), seed) for name in names}
    with OutputWriter(check_output_paths(paths(folder, names), [], overwrite=overwrite), card, grid, layout) as writer:
        fill(writer, values)
        writer.finish(tags or {"SARDINE_MODEL": "test", "SARDINE_SOURCES": "é, 雷达.tif"})
    return values


def gdalinfo(path):
    """What another process's GDAL says of the file, statistics among it, without leaving a sidecar."""
    code = (
        "import json, sys, rasterio, numpy as np\n"
        "with rasterio.open(sys.argv[1]) as d:\n"
        "    v = d.read(masked=True)\n"
        "    print(json.dumps({'bands': [{'mean': float(b.mean()), 'valid': int(b.count()), 'min': float(b.min()),"
        " 'max': float(b.max())} for b in v], 'dtypes': d.dtypes, 'nodata': str(d.nodata), 'crs': d.crs and d.crs.to_epsg(),"
        " 'transform': list(d.transform)[:6], 'tags': d.tags(), 'band_tags': d.tags(1), 'descriptions': d.descriptions,"
        " 'overviews': d.overviews(1), 'blocks': d.block_shapes, 'compress': d.compression.value, 'scales': d.scales,"
        " 'units': d.units, 'files': d.files, 'colours': d.colormap(1) if d.colorinterp[0].name == 'palette'"
        " else None}))\n"
    )
    child = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    return json.loads(child.stdout)


def test_outputs_should_reopen_in_another_process_with_all_that_was_written(tmp_path):
    area = PixelWindow(3, 5, HEIGHT - 20, WIDTH - 40)
    values = write(tmp_path, area=area)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(f"{name}.tif" for name in ALL)
    for name in ALL:
        said = gdalinfo(tmp_path / f"{name}.tif")
        nodata = {"landcover": 0, "attention": np.nan}.get(name, 255)
        for band, stored in zip(said["bands"], values[name], strict=True):
            kept = stored[np.isfinite(stored)] if name == "attention" else stored[stored != nodata]
            assert band["valid"] == kept.size
            assert band["mean"] == pytest.approx(kept.mean(dtype=float), rel=1e-5)
            assert (band["min"], band["max"]) == (kept.min(), kept.max())
        assert float(said["nodata"]) == nodata or (name == "attention" and said["nodata"] == "nan")
        assert said["crs"] == 32633
        assert said["tags"]["SARDINE_SOURCES"] == "é, 雷达.tif"
        assert said["tags"]["SARDINE_MEANING"]
        assert said["files"] == [str(tmp_path / f"{name}.tif")]
        assert said["compress"] == "DEFLATE"
        assert set(map(tuple, said["blocks"])) == {(256, 256)}
        # The area begins 3 rows and 5 columns in; attention begins at the patch line before.
        left, top = (399_960.25, 5_400_000.5) if name == "attention" else (399_960.25 + 50, 5_400_000.5 - 30)
        pixel = 80.0 if name == "attention" else 10.0
        assert said["transform"] == [pixel, 0.0, left, 0.0, -pixel, top]
        assert said["overviews"] == ([] if name == "attention" else [2, 4])
    landcover = gdalinfo(tmp_path / "landcover.tif")
    assert landcover["band_tags"] == {"CLASS_10": "Tree cover", "CLASS_50": "Built-up", "CLASS_80": "Permanent water bodies"}
    assert landcover["colours"]["10"] == [0x00, 0x64, 0x00, 255]
    assert landcover["colours"]["80"] == [0x00, 0x64, 0xC8, 255]
    assert landcover["colours"]["0"][3] == 0
    assert gdalinfo(tmp_path / "confidence.tif")["units"] == ["%"]
    probabilities = gdalinfo(tmp_path / "probabilities.tif")
    assert probabilities["descriptions"] == ["10 Tree cover", "50 Built-up", "80 Permanent water bodies"]
    assert probabilities["scales"] == [1 / 250] * 3
    assert gdalinfo(tmp_path / "attention.tif")["descriptions"] == ["mean", "head 1", "head 2"]


def test_pixels_should_come_back_exactly(tmp_path):
    values = write(tmp_path)
    for name in ALL:
        with rasterio.open(tmp_path / f"{name}.tif") as dataset:
            np.testing.assert_array_equal(dataset.read(), values[name])


def test_overviews_should_keep_codes_and_leave_nodata_out_of_averages(tmp_path):
    values = write(tmp_path, ("landcover", "confidence"))
    with rasterio.open(tmp_path / "landcover.tif", overview_level=0) as dataset:
        assert set(np.unique(dataset.read())) <= {0, 10, 50, 80}
    with rasterio.open(tmp_path / "confidence.tif", overview_level=0) as dataset:
        small = dataset.read(1)
    assert (small[:2] == 255).all()
    # Row 2 of the overview covers row 4 (nodata) and row 5: an average of the latter alone.
    expected = values["confidence"][0, 5].reshape(-1, 2).mean(axis=1)
    assert np.abs(small[2].astype(float) - expected).max() <= 0.51


@pytest.mark.parametrize(("height", "width", "factors"), [(1, 1, []), (256, 256, []), (257, 1, [2]), (1025, 300, [2, 4, 8])])
def test_overviews_should_go_down_to_one_tile(height, width, factors):
    assert overview_factors(height, width) == factors


@pytest.mark.parametrize(("height", "width"), [(1, 1), (256, 256), (257, 255), (512, 3), (4100, 30)])
def test_any_size_should_be_written_whole(tmp_path, height, width):
    values = write(tmp_path, grid=scene_grid(height, width))
    for name in ALL:
        with rasterio.open(tmp_path / f"{name}.tif") as dataset:
            np.testing.assert_array_equal(dataset.read(), values[name])


def test_scene_without_crs_should_give_outputs_without_one(tmp_path):
    write(tmp_path, ("confidence",), grid=scene_grid(40, 40, crs=None))
    said = gdalinfo(tmp_path / "confidence.tif")
    assert said["crs"] is None
    assert said["transform"][2] == 399_960.25


def test_encoder_alone_should_have_an_attention_raster(tmp_path):
    write(tmp_path, ("attention",), card=encoder_only_card())
    assert gdalinfo(tmp_path / "attention.tif")["dtypes"] == ["float32"] * 3


# Names appear when all is whole, and only then


def test_old_outputs_should_stay_until_the_end_and_then_be_replaced(tmp_path):
    for name in ALL:
        (tmp_path / f"{name}.tif").write_bytes(b"old")
        (tmp_path / f"{name}.tif.aux.xml").write_text("<PAMDataset>statistics of the old raster</PAMDataset>")
    grid = scene_grid()
    layout = layout_of(grid)
    values = {name: values_of(name, output_grid(name, grid, layout)) for name in ALL}
    with OutputWriter(check_output_paths(paths(tmp_path), [], overwrite=True), CARD, grid, layout) as writer:
        fill(writer, values)
        assert all((tmp_path / f"{name}.tif").read_bytes() == b"old" for name in ALL)
        writer.finish({})
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(f"{name}.tif" for name in ALL)
    assert gdalinfo(tmp_path / "landcover.tif")["bands"][0]["valid"] > 0


@pytest.mark.parametrize("when", ["empty", "half", "full", "cancelled in finish"])
def test_leaving_early_should_leave_nothing_new_and_everything_old(tmp_path, when):
    (tmp_path / "landcover.tif").write_bytes(b"old")
    grid = scene_grid()
    layout = layout_of(grid)
    values = {name: values_of(name, output_grid(name, grid, layout)) for name in ALL}
    writer = OutputWriter(check_output_paths(paths(tmp_path), [], overwrite=True), CARD, grid, layout)
    assert len(list(tmp_path.glob("*.part"))) == 4

    def stop():
        with writer:
            if when != "empty":
                fill(
                    writer, values if when != "half" else {name: whole[:, : whole.shape[1] // 2] for name, whole in values.items()}
                )
            if when == "cancelled in finish":
                asked = iter([False, False, True])
                writer.finish({}, cancelled=lambda: next(asked))
            raise SardineError(ErrorCode.CANCELLED, "The run was cancelled.", "", "", refused=False)

    with pytest.raises(SardineError) as caught:
        stop()
    assert caught.value.code == ErrorCode.CANCELLED
    assert [path.name for path in tmp_path.iterdir()] == ["landcover.tif"]
    assert (tmp_path / "landcover.tif").read_bytes() == b"old"


def test_rows_missing_at_the_end_should_be_no_result(tmp_path):
    with open_writer(tmp_path, ["confidence"]) as writer:
        writer.write(Strip("confidence", 0, np.zeros((1, 300, WIDTH), np.uint8)))
        with pytest.raises(ValueError, match="300 rows of 700"):
            writer.finish({})
    assert list(tmp_path.iterdir()) == []


def test_rows_out_of_order_should_be_refused(tmp_path):
    with open_writer(tmp_path, ["confidence"]) as writer, pytest.raises(ValueError, match="were expected"):
        writer.write(Strip("confidence", 7, np.zeros((1, 3, WIDTH), np.uint8)))


def test_part_of_a_killed_run_should_be_replaced(tmp_path):
    (tmp_path / "confidence.tif.part").write_bytes(b"II*\0 half a file")
    (tmp_path / "confidence.tif.part.ovr").write_bytes(b"more of it")
    values = write(tmp_path, ("confidence",))
    assert [path.name for path in tmp_path.iterdir()] == ["confidence.tif"]
    with rasterio.open(tmp_path / "confidence.tif") as dataset:
        np.testing.assert_array_equal(dataset.read(), values["confidence"])


def test_kill_should_leave_no_final_name(tmp_path):
    code = (
        "import os, sys\nsys.path.insert(0, sys.argv[2])\n"
        "from pathlib import Path\nimport tests.test_backend.test_writer as t\n"
        "grid = t.scene_grid(); layout = t.layout_of(grid)\n"
        "w = t.OutputWriter(t.check_output_paths(t.paths(Path(sys.argv[1])), [], overwrite=False), t.CARD, grid, layout)\n"
        "t.fill(w, {n: t.values_of(n, t.output_grid(n, grid, layout)) for n in t.ALL})\n"
        "os.kill(os.getpid(), 9)\n"
    )
    child = subprocess.run([sys.executable, "-c", code, str(tmp_path), str(ROOT)], cwd=ROOT, check=False)
    assert child.returncode == -9
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(f"{name}.tif.part" for name in ALL)
    write(tmp_path)
    assert not list(tmp_path.glob("*.part"))


def test_rename_that_fails_should_tell_what_is_in_place(tmp_path):
    grid = scene_grid(40, 40)
    names = ("landcover", "confidence")
    with open_writer(tmp_path, names, grid=grid) as writer:
        fill(writer, {name: values_of(name, grid) for name in names})
        (tmp_path / "confidence.tif").mkdir()  # came up during the run: a file cannot replace it
        with pytest.raises(SardineError) as caught:
            writer.finish({})
    assert caught.value.code == ErrorCode.OUTPUT_READ_ONLY
    assert "confidence.tif could not be put in place" in caught.value.found
    assert "landcover.tif" in caught.value.found
    assert not caught.value.refused
    assert sorted(path.name for path in tmp_path.iterdir()) == ["confidence.tif", "landcover.tif"]


def test_part_replaced_by_another_run_should_not_become_the_output(tmp_path):
    grid = scene_grid(40, 40)
    with open_writer(tmp_path, ["confidence"], grid=grid) as writer:
        fill(writer, {"confidence": values_of("confidence", grid)})
        (tmp_path / "confidence.tif.part").unlink()
        (tmp_path / "confidence.tif.part").write_bytes(b"of another run")
        with pytest.raises(SardineError) as caught:
            writer.finish({})
    assert caught.value.code == ErrorCode.OUTPUT_READ_ONLY
    assert "replaced or removed by another program" in caught.value.found
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"of another run"]


# A disk that is full


@pytest.fixture
def small_disk(tmp_path):
    """Makes file systems of a given size in kilobytes, and takes them down."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = []

    def mount(size_kb):
        while mounted:
            subprocess.run(["umount", mounted.pop()], check=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={size_kb}k", "sardine-test", str(folder)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            pytest.skip("no mount command: a small disk cannot be made")
        if done.returncode != 0:
            pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
        mounted.append(str(folder))
        return folder

    yield mount
    while mounted:
        subprocess.run(["umount", mounted.pop()], check=True)


def end_of(folder):
    """Writes into `folder`: "whole" where every pixel came back, else the code of the error, after which nothing is left."""
    try:
        values = write(folder, ("confidence",))
    except SardineError as error:
        return error.code.value if list(folder.iterdir()) == [] else "something was left"
    with rasterio.open(folder / "confidence.tif") as dataset:
        return "whole" if np.array_equal(dataset.read(), values["confidence"]) else "wrong pixels"


def test_disk_should_be_noticed_as_full_at_whatever_byte_it_fills_up(small_disk):
    """GDAL closes a file on a full disk without a word; each size of disk must end in a whole file or an error."""
    ends = [end_of(small_disk(size_kb)) for size_kb in range(40, 700, 36)]
    whole = ends.count("whole")
    assert 0 < whole < len(ends)
    assert ends == ["disk_full"] * (len(ends) - whole) + ["whole"] * whole


def write_as_a_run(folder, resume):
    """Writes rows as they come from rows of windows, and saves after each."""
    grid = scene_grid()
    layout, values = layout_of(grid), values_of("confidence", grid)
    targets = check_output_paths(paths(folder, ["confidence"]), [], overwrite=False)
    with OutputWriter(targets, CARD, grid, layout, resume=resume) as writer:
        first = layout.window_row_of(writer.start.row) if writer.start else 0
        for index in range(first, len(layout.row_starts)):
            row = layout.row_starts[index]
            writer.write(Strip("confidence", row, values[:, row : row + layout.finished_rows(index)]))
            writer.save(RunState(index + 1, Summary()))
        writer.finish({})
    return values, first


@pytest.mark.parametrize("where", ["half of the rows", "the last overview"])
def test_disk_that_fills_up_should_be_told_and_more_room_should_let_the_run_go_on(where, small_disk, tmp_path, monkeypatch):
    monkeypatch.setattr("backend.output.map_writer.SAVE_S", 0.0)
    disk = small_disk(4000)
    write_as_a_run(disk, resume=False)
    file_bytes = (disk / "confidence.tif").stat().st_size
    with rasterio.open(disk / "confidence.tif") as file:
        tile = {level: int(file.get_tag_item("BLOCK_OFFSET_0_0", "TIFF", bidx=1, ovr=level)) for level in (0, 1)}
    assert tile[1] > tile[0]  # the smaller overview comes last
    (disk / "confidence.tif").unlink()
    (disk / "filler").write_bytes(bytes(3_000_000))
    # What is left: of the file, up to where it is to break off, in blocks of 4 kB; and the journal, twice, while it is replaced.
    share = file_bytes // 2 if where == "half of the rows" else tile[1]
    subprocess.run(["mount", "-o", f"remount,size={(3_000_000 // 4096 + 1 + share // 4096 + 5) * 4096}", str(disk)], check=True)
    for resume in (False, True):
        with pytest.raises(SardineError) as caught:
            write_as_a_run(disk, resume=resume)
        assert caught.value.code == ErrorCode.DISK_FULL
        left = sorted(path.name for path in disk.iterdir() if path.name != "filler")
        assert left == (["confidence.tif.part", "confidence.tif.part.json"] if resume else [])
    (disk / "filler").unlink()
    values, first = write_as_a_run(disk, resume=True)
    assert first > 0
    assert [path.name for path in disk.iterdir()] == ["confidence.tif"]
    with rasterio.open(disk / "confidence.tif") as file:
        np.testing.assert_array_equal(file.read(), values)


def test_disk_that_can_never_hold_the_outputs_should_be_refused_before_the_run(small_disk):
    folder = small_disk(100)
    grid = scene_grid(4000, 4000)
    with pytest.raises(SardineError) as caught:
        OutputWriter(check_output_paths(paths(folder), [], overwrite=False), CARD, grid, layout_of(grid))
    assert caught.value.code == ErrorCode.DISK_FULL
    assert caught.value.refused
    assert list(folder.iterdir()) == []


def test_full_disk_should_be_told_as_full_and_not_as_read_only(small_disk):
    folder = small_disk(16)
    with pytest.raises(OSError, match="No space"):
        (folder / "filler").write_bytes(bytes(200_000))
    with pytest.raises(SardineError) as caught:
        open_writer(folder, grid=scene_grid(40, 40))
    assert caught.value.code == ErrorCode.DISK_FULL
    assert [path.name for path in folder.iterdir()] == ["filler"]


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="POSIX alone")
def test_disk_limit_of_the_user_should_end_in_an_error(tmp_path):
    """A quota is not seen as free space; a limit on file size stands for it."""
    code = (
        "import resource, signal, sys\nsys.path.insert(0, sys.argv[2])\n"
        "from pathlib import Path\nimport tests.test_backend.test_writer as t\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "try:\n    t.write(Path(sys.argv[1]), ('confidence',))\n"
        "except t.SardineError as e:\n    print(e.code.value)\n"
    )
    child = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), str(ROOT)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert child.stdout.strip() in ("output_read_only", "disk_full")
    assert list(tmp_path.iterdir()) == []
