# SPDX-License-Identifier: GPL-2.0-or-later
"""The store: what is written comes back, either encoding; damage is told; it is whole or not there; memory stays flat."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.test_training.made_stores import CLIP_DB, made_chip, write_store
from training.chips.encoding import FLOAT16, LEVELS, UINT8, decode, decode_tensor, encode
from training.chips.store import StoreError, open_store, same_form
from training.chips.writer import StoreWriter

RNG = np.random.default_rng(0)


def decibels(side: int = 16) -> np.ndarray:
    """VV and VH within their clip range, with a hole in each and one in both."""
    db = np.stack([RNG.uniform(low, high, (side, side)) for low, high in CLIP_DB]).astype(np.float32)
    db[0, 0, 0] = db[1, 1, 1] = np.nan
    db[:, 2, 2] = np.nan
    return db


@pytest.mark.parametrize(("encoding", "largest_error_db"), [(FLOAT16, 2**-6), (UINT8, 38 / LEVELS / 2 + 1e-5)])
def test_store_should_give_back_what_was_written(tmp_path: Path, encoding: str, largest_error_db: float) -> None:
    chips = [made_chip(decibels(), RNG.choice([0, 10, 201], (16, 16)).astype(np.uint8), place=f"p{n}") for n in range(5)]
    store = write_store(tmp_path / "store", {"train": chips[:3], "test": chips[3:]}, encoding)
    assert {split: len(store[split]) for split in store.splits} == {"train": 3, "validation": 0, "test": 2}
    assert store.info.label_sets[201] == (10, 20, 30, 40, 50, 60, 70, 90, 95, 100)
    for split, rows in (("train", chips[:3]), ("test", chips[3:])):
        read = store[split].read_db(np.arange(len(rows)))
        assert read.shape == (len(rows), 1, 2, 16, 16)
        for row, (db, labels, line) in enumerate(rows):
            np.testing.assert_array_equal(np.isnan(read[row, 0]), np.isnan(db))
            assert np.nanmax(np.abs(read[row, 0] - db)) <= largest_error_db
            np.testing.assert_array_equal(store[split].labels[row], labels)
            assert store[split].index["place"][row] == line["place"]
            part = np.s_[3:9, 2:12]
            np.testing.assert_array_equal(store[split].read_db(row, part), read[row, ..., 3:9, 2:12])
    pixels = sum(int((labels == 201).sum()) for _, labels, _ in chips[:3])
    assert store.info.label_pixels["train"][201] == pixels
    assert "p1" not in store["train"].index.name(0)
    assert store["train"].index.name(0) == "made: made.tif, row 0, column 0"


def test_uint8_should_clip_to_its_range_and_decode_alike_on_tensors() -> None:
    db = np.array([[[-90.0, 30.0, np.nan, -12.5]], [[-90.0, 30.0, -20.0, np.nan]]], dtype=np.float32)
    stored = encode(db, UINT8, CLIP_DB)
    assert stored[:, 0, :2].tolist() == [[1, 255], [1, 255]]
    assert (stored[0, 0, 2], stored[1, 0, 3]) == (0, 0)
    back = decode(stored, UINT8, CLIP_DB)
    assert back[:, 0, :2].tolist() == [[-30.0, 5.0], [-38.0, 0.0]]
    assert abs(back[0, 0, 3] + 12.5) <= 35 / LEVELS / 2
    torch.testing.assert_close(decode_tensor(torch.from_numpy(stored), UINT8, CLIP_DB).numpy(), back, equal_nan=True)


def test_chips_taken_back_should_leave_no_trace(tmp_path: Path) -> None:
    chip = made_chip(decibels(), np.full((16, 16), 10, np.uint8))
    other = made_chip(decibels(), np.full((16, 16), 80, np.uint8))
    reference = write_store(tmp_path / "plain", {"train": [chip, chip]})
    with StoreWriter(tmp_path / "store", 16, 2, FLOAT16, CLIP_DB) as writer:
        writer.append("train", chip[0], chip[1], {"ground": 0, **chip[2]})
        mark = writer.mark()
        writer.append("train", other[0], other[1], {"ground": 9, **other[2]})
        writer.append("test", other[0], other[1], {"ground": 9, **other[2]})
        writer.rollback(mark)
        writer.append("train", chip[0], chip[1], {"ground": 1, **chip[2]})
        writer.finish(reference.info)
    for path in sorted((tmp_path / "plain").iterdir()):
        assert (tmp_path / "store" / path.name).read_bytes() == path.read_bytes(), path.name
    assert list(tmp_path.glob("*.part")) == []


def damaged(tmp_path: Path) -> Path:
    write_store(tmp_path / "store", {"train": [made_chip(decibels())] * 3})
    return tmp_path / "store"


def test_store_of_another_format_should_be_refused(tmp_path: Path) -> None:
    folder = damaged(tmp_path)
    info = json.loads((folder / "store.json").read_text())
    (folder / "store.json").write_text(json.dumps({**info, "format": 99}))
    with pytest.raises(StoreError, match=r"format 99, this version reads 2: make it again with `chips`"):
        open_store(folder)
    (folder / "store.json").write_text(json.dumps({**info, "encoding": "jpeg"}))
    with pytest.raises(StoreError, match="'jpeg'"):
        open_store(folder)
    for text in ("{", "[]", '{"format": 2}'):
        (folder / "store.json").write_text(text)
        with pytest.raises(StoreError, match="is damaged"):
            open_store(folder)


@pytest.mark.parametrize("name", ["train_values.npy", "train_labels.npy", "index.csv"])
def test_store_that_was_cut_short_should_be_refused(tmp_path: Path, name: str) -> None:
    folder = damaged(tmp_path)
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(StoreError, match=f"{name}.*(cut short or damaged|names . chips)"):
        open_store(folder)
    (folder / name).unlink()
    with pytest.raises(StoreError, match=f"{name} is missing"):
        open_store(folder)


def test_arrays_of_another_form_should_be_refused(tmp_path: Path) -> None:
    folder = damaged(tmp_path)
    np.save(folder / "train_values.npy", np.zeros((3, 1, 2, 8, 8), np.float16))
    with pytest.raises(StoreError, match=r"float16 \[3, 1, 2, 8, 8\]; float16 \[3, dates, 2, 16, 16\] is needed"):
        open_store(folder)
    np.save(folder / "train_values.npy", np.zeros((3, 1, 2, 16, 16), np.float64))
    with pytest.raises(StoreError, match="float64"):
        open_store(folder)
    np.save(folder / "train_values.npy", np.array([print]), allow_pickle=True)
    with pytest.raises(StoreError, match="damaged"):
        open_store(folder)


def test_what_is_no_store_should_be_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"is no chip store.*training\.run chips"):
        open_store(tmp_path / "nothing")
    (tmp_path / "scene_00000.tif").write_bytes(b"")
    with pytest.raises(StoreError, match="It holds scenes: name it as a source of `chips` first"):
        open_store(tmp_path)


def test_stores_of_other_forms_should_not_be_read_together(tmp_path: Path) -> None:
    first = write_store(tmp_path / "a", {"train": [made_chip(decibels())]})
    assert same_form([first, write_store(tmp_path / "b", {"train": [made_chip(decibels())]})]) is None
    eight = write_store(tmp_path / "c", {"train": [made_chip(decibels())]}, UINT8)
    assert "has encoding float16_db" in str(same_form([first, eight]))
    larger = write_store(tmp_path / "d", {"train": [made_chip(decibels(24))]})
    assert "has chip_px 16" in str(same_form([first, larger]))


def in_child(root: Path, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120, check=False)


def test_full_disk_should_leave_the_store_that_was_there(root: Path, tmp_path: Path) -> None:
    """A limit on file size stands for the disk: the write fails in the middle of the second chip."""
    before = {path.name: path.read_bytes() for path in damaged(tmp_path).iterdir()}
    code = (
        "import resource, signal, sys\nfrom pathlib import Path\nimport numpy as np\n"
        "from tests.test_training.made_stores import made_chip, write_store\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))\n"
        "chips = [made_chip(np.zeros((2, 256, 256), np.float32))] * 9\n"
        "try:\n    write_store(Path(sys.argv[1]), {'train': chips})\n"
        "except OSError as error:\n    print(error)\n"
    )
    done = in_child(root, code, str(tmp_path / "store"))
    assert "The disk is full" in done.stdout, done.stderr
    assert "--encoding uint8" in done.stdout
    assert {path.name: path.read_bytes() for path in (tmp_path / "store").iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def sparse_store(folder: Path, chips: int, chip_px: int) -> Path:
    """A store whose arrays are holes in files: 0 dB everywhere, labelled 10 in the first row of the first chip alone."""
    label = np.zeros((chip_px, chip_px), np.uint8)
    label[0] = 10
    store = write_store(folder, {"train": [made_chip(np.zeros((2, chip_px, chip_px), np.float32), label)], "validation": []})
    first, header = (folder / "index.csv").read_text().splitlines()[1], (folder / "index.csv").read_text().splitlines()[0]
    cells = dict(zip(header.split(","), first.split(","), strict=True))
    lines = [",".join({**cells, "row": str(row), "ground": str(row)}.values()) for row in range(chips)]
    (folder / "index.csv").write_text("\n".join([header, *lines]) + "\n")
    info = dataclasses.replace(store.info, splits={"train": chips, "validation": 0, "test": 0})
    (folder / "store.json").write_text(info.to_json())
    for name, shape in (("values", (chips, 1, 2, chip_px, chip_px)), ("labels", (chips, chip_px, chip_px))):
        path = folder / f"train_{name}.npy"
        dtype = np.load(path, mmap_mode="r").dtype
        with path.open("r+b") as file:
            np.lib.format.write_array_header_1_0(
                file, {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
            )
            file.truncate(file.tell() + int(np.prod(shape)) * dtype.itemsize)
    return folder


def test_memory_should_stay_flat_whatever_the_size_of_the_store(root: Path, tmp_path: Path) -> None:
    """A part of every chip is read of a store that is twice as large as all data that the process may hold."""
    chip_px, chips = 256, 12_000
    sparse_store(tmp_path / "store", chips, chip_px)
    size = (tmp_path / "store" / "train_values.npy").stat().st_size
    code = (
        "import resource, sys\nfrom pathlib import Path\nimport numpy as np\nimport torch\n"
        "from training.card import band_specs\n"
        "from training.pretraining.config import ChipSourceConfig, CropsConfig, PretrainConfig\n"
        "from training.pretraining.data import open_source\n"
        "torch.set_num_threads(1)\n"
        "limit = int(sys.argv[2])\n"
        "resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))\n"
        "data = ChipSourceConfig(stores=(Path(sys.argv[1]),))\n"
        "config = PretrainConfig(Path('x'), data, CropsConfig(global_px=64, local_px=32), probe_chips=8)\n"
        "source, probe = open_source(config, band_specs(config.bands))\n"
        "seen = 0\n"
        "for start in range(0, len(source), 64):\n"
        "    rows = np.arange(start, min(start + 64, len(source)))\n"
        "    zeros = np.zeros((len(rows), 2), np.int64)\n"
        "    seen += int(torch.isfinite(source.decode(source.read(rows, zeros[:, :1], zeros, 32))).sum())\n"
        "print(len(source), seen, int((source.splits[0].labels[0] > 0).sum()))\n"
        "try:\n    np.array(source.splits[0].values)\n"
        "except MemoryError:\n    print('the limit holds')\n"
    )
    done = in_child(root, code, str(tmp_path / "store"), str(size // 2))
    assert done.returncode == 0, done.stderr[-1500:]
    assert done.stdout.splitlines() == [f"{chips} {chips * 2 * 32**2} {chip_px}", "the limit holds"]
