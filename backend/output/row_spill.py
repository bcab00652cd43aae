# SPDX-License-Identifier: GPL-2.0-or-later
"""Rows of an output that cannot be finished before the last of them is known, on the disk instead of in memory."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

import numpy as np

from ..radiometry import FloatArray

BLOCK_BYTES = 2**22
"""Rows are read back in blocks of about this size."""


@dataclass(frozen=True)
class SpillState:
    """`rows` rows were in the file of that many first bytes, with that checksum."""

    rows: int
    file_bytes: int
    crc32: int

    def fits(self, path: Path) -> bool:
        """Whether the file at `path` begins with these rows. Raises OSError."""
        if not path.is_file() or path.stat().st_size < self.file_bytes:
            return False
        crc32, left = 0, self.file_bytes
        with path.open("rb") as file:
            while left:
                block = file.read(min(BLOCK_BYTES, left))
                if not block:
                    return False
                crc32 = zlib.crc32(block, crc32)
                left -= len(block)
        return crc32 == self.crc32


class RowSpill:
    """Rows [bands, rows, columns] of float32, appended to the new file at `path` and read back in order.

    With `saved`, which the file fits, it is cut back to those rows and appended to. `guard` is a context around each access that
    turns its OSError (a full disk) into what the caller's errors look like.
    """

    def __init__(
        self,
        path: Path,
        bands: int,
        columns: int,
        guard: Callable[[], AbstractContextManager[None]] = nullcontext,
        saved: SpillState | None = None,
    ) -> None:
        self.path = path
        self._bands, self._columns, self._guard = bands, columns, guard
        self.rows, self._crc32 = (saved.rows, saved.crc32) if saved else (0, 0)
        with guard():
            self._file = FileIO(path, "r+" if saved else "w+")  # unbuffered: each append is large, and a full disk shows at once
            if saved:
                self._file.truncate(saved.file_bytes)
                self._file.seek(0, os.SEEK_END)

    def append(self, values: FloatArray) -> None:
        """Takes the next rows. Raises ValueError where bands or columns are others."""
        if values.shape != (self._bands, values.shape[1], self._columns):
            raise ValueError(f"rows of {values.shape} where {self._bands} bands of {self._columns} columns were expected")
        block = np.ascontiguousarray(values.transpose(1, 0, 2), dtype=np.float32)  # [rows, bands, columns]: whole rows follow
        view = block.data.cast("B")
        self._crc32 = zlib.crc32(view, self._crc32)
        with self._guard():
            while view:  # an unbuffered file may take a part
                view = view[self._file.write(view) or 0 :]
        self.rows += values.shape[1]

    def save(self) -> SpillState:
        """Makes sure that all rows are on the disk, and returns the state to go on from."""
        with self._guard():
            os.fsync(self._file.fileno())
        return SpillState(self.rows, 4 * self.rows * self._bands * self._columns, self._crc32)

    def blocks(self) -> Iterator[tuple[int, FloatArray]]:
        """All rows from the first on, in blocks: the number of a block's first row, and [bands, rows, columns]."""
        step = max(1, BLOCK_BYTES // (4 * self._bands * self._columns))
        for row in range(0, self.rows, step):
            yield row, self.read(row, min(step, self.rows - row))

    def read(self, row: int, rows: int) -> FloatArray:
        """So many rows from `row` on, [bands, rows, columns]. Raises ValueError where they are not there yet."""
        if not 0 <= row <= row + rows <= self.rows:
            raise ValueError(f"rows {row} to {row + rows} of {self.rows} were asked for")
        block = np.empty((rows, self._bands, self._columns), dtype=np.float32)
        view = block.data.cast("B")
        with self._guard():
            self._file.seek(4 * row * self._bands * self._columns)
            while view:
                count = self._file.readinto(view)
                if not count:
                    raise OSError(f"{self.path} was cut short by another program")
                view = view[count:]
        return block.transpose(1, 0, 2)

    def close(self) -> None:
        """Leaves the file as it is."""
        self._file.close()

    def discard(self) -> None:
        """Closes and removes the file. Raises OSError where it cannot be removed."""
        self.close()
        self.path.unlink(missing_ok=True)
