# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes a store: chips are appended to files of a temporary folder, which takes the store's name when it is whole."""

from __future__ import annotations

import contextlib
import csv
import errno
import io
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from training.chips.encoding import ENCODINGS, ClipDb, encode
from training.chips.store import COLUMNS, INDEX, INFO, SPLITS, StoreInfo
from training.simulation.fields import F32

U8 = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Mark:
    """How far the store was written, to go back to."""

    chips: dict[str, int]
    label_pixels: dict[str, dict[int, int]]
    lines: int


class _Array:
    """A .npy file that grows along its first axis. The header has room to be written anew with the final length
    (numpy/lib/_format_impl.py, `_write_array_header`: GROWTH_AXIS_MAX_DIGITS).
    """

    def __init__(self, path: Path, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
        self.dtype, self.shape = dtype, shape
        self.file: BinaryIO = path.open("wb")
        self._header(0)
        self.data_start = self.file.tell()
        self.item_bytes = int(np.prod(shape)) * dtype.itemsize

    def _header(self, length: int) -> None:
        header = {"descr": np.lib.format.dtype_to_descr(self.dtype), "fortran_order": False, "shape": (length, *self.shape)}
        np.lib.format.write_array_header_1_0(self.file, header)

    def append(self, item: npt.NDArray[Any]) -> None:
        self.file.write(np.ascontiguousarray(item, dtype=self.dtype).data)

    def truncate(self, length: int) -> None:
        self.file.seek(self.data_start + length * self.item_bytes)
        self.file.truncate()

    def close(self, length: int) -> None:
        self.file.seek(0)
        self._header(length)
        if self.file.tell() != self.data_start:
            raise RuntimeError("NumPy's header has grown over the data")
        self.file.close()


class StoreWriter:
    """Appends chips. `finish` puts the store under its name; anything else leaves no trace of it and what was there untouched.

    Chips of a scene that turns out bad halfway are taken back with `rollback`.
    """

    def __init__(self, folder: Path, chip_px: int, bands: int, encoding: str, clip_db: ClipDb) -> None:
        self.folder, self.encoding, self.clip_db = folder, encoding, clip_db
        self.part = folder.with_name(folder.name + ".part")
        if self.part.exists():
            shutil.rmtree(self.part)  # of a run that was killed
        self.part.mkdir(parents=True)
        self.chips = dict.fromkeys(SPLITS, 0)
        self.label_pixels: dict[str, dict[int, int]] = {split: {} for split in SPLITS}
        self._lines: list[str] = []
        shapes = {"values": (ENCODINGS[encoding], (1, bands, chip_px, chip_px)), "labels": (np.dtype("u1"), (chip_px, chip_px))}
        self._arrays = {
            (split, name): _Array(self.part / f"{split}_{name}.npy", *form) for split in SPLITS for name, form in shapes.items()
        }

    def append(self, split: str, db: F32, labels: U8, line: dict[str, Any]) -> None:
        """One chip: dB [bands, S, S], NaN nodata; label values uint8 [S, S]; what the index says of it but split and row."""
        self._arrays[split, "values"].append(encode(db, self.encoding, self.clip_db))
        self._arrays[split, "labels"].append(labels)
        cells = {**line, "split": split, "row": self.chips[split]}
        text = io.StringIO()
        csv.DictWriter(text, COLUMNS, lineterminator="\n").writerow(cells)
        self._lines.append(text.getvalue())
        self.chips[split] += 1
        values, counts = np.unique(labels[labels > 0], return_counts=True)
        pixels = self.label_pixels[split]
        for value, count in zip(values.tolist(), counts.tolist(), strict=True):
            pixels[value] = pixels.get(value, 0) + count

    def mark(self) -> Mark:
        return Mark(dict(self.chips), {split: dict(found) for split, found in self.label_pixels.items()}, len(self._lines))

    def rollback(self, mark: Mark) -> None:
        """Takes back all chips since `mark`."""
        self.chips, self.label_pixels = dict(mark.chips), {split: dict(found) for split, found in mark.label_pixels.items()}
        del self._lines[mark.lines :]
        for (split, _), array in self._arrays.items():
            array.truncate(self.chips[split])

    def finish(self, info: StoreInfo) -> None:
        """Closes the files and gives the folder its name, in place of a store that was there. `info` describes what was written."""
        for (split, _), array in self._arrays.items():
            array.close(self.chips[split])
        with (self.part / INDEX).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerow(COLUMNS)
            file.writelines(self._lines)
        (self.part / INFO).write_text(info.to_json(), encoding="utf-8")
        old = self.folder.with_name(self.folder.name + ".old")
        if old.exists():
            shutil.rmtree(old)
        if self.folder.exists():
            self.folder.rename(old)
        self.part.rename(self.folder)
        if old.exists():
            shutil.rmtree(old)

    def __enter__(self) -> StoreWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        for array in self._arrays.values():
            with contextlib.suppress(OSError):  # on a full disk what is still buffered finds no room either; the folder goes
                array.file.close()
        if self.part.exists():
            shutil.rmtree(self.part)
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise OSError(
                error.errno,
                f"The disk is full: {self.folder} could not be written whole, and nothing of it was kept. Make room, or use "
                "--encoding uint8, which takes half the space",
            ) from error
