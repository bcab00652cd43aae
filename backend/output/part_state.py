# SPDX-License-Identifier: GPL-2.0-or-later
"""An unfinished GeoTIFF as it was on the disk at one moment, and how a file that went on from there is brought back to it.

Tiles are appended, each once, and never changed; all else (header, directory, offsets of the tiles, of overviews too) is little
and may change at any time. So the state keeps that little as it was, and of the tiles where they lie and a checksum. Whatever a
killed run was doing, the file that it left becomes the file of the state, byte for byte.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from .tiles import IncompleteRasterError

Span = tuple[int, int]
"""First byte, and the byte behind the last."""

_BLOCK_BYTES = 2**22


@dataclass(frozen=True)
class PartState:
    """`rows` of the raster are in the file of `file_bytes`: `tiles` are the spans of their tiles in ascending order, joined where
    they touch, `crc32` that of their bytes; `others` is all bytes outside of them, in base 64.
    """

    rows: int
    file_bytes: int
    tiles: tuple[Span, ...]
    crc32: int
    others: str

    @classmethod
    def of(cls, path: Path, rows: int, new_tiles: Iterable[Span], before: PartState | None) -> PartState:
        """The state of the closed file at `path`; `new_tiles` were appended since the state `before`.

        Raises OSError, and IncompleteRasterError where a tile was not appended.
        """
        tiles = list(before.tiles) if before else []
        crc32 = before.crc32 if before else 0
        with path.open("rb") as file:
            for start, end in _joined(sorted(new_tiles)):
                if tiles and start < tiles[-1][1]:
                    raise IncompleteRasterError(f"a tile lies at byte {start}, before those that were there")
                crc32 = _crc32(file, start, end, crc32)
                tiles.append((start, end))
            tiles = list(_joined(tiles))
            file_bytes = file.seek(0, 2)
            others = b"".join(_read(file, start, end) for start, end in _between(tiles, file_bytes))
        return cls(rows, file_bytes, tuple(tiles), crc32, base64.b64encode(others).decode("ascii"))

    def fits(self, path: Path) -> bool:
        """Whether the file at `path` holds the tiles of this state, so that it can be brought back to it. Raises OSError."""
        if not path.is_file() or path.stat().st_size < self.file_bytes:
            return False
        crc32 = 0
        with path.open("rb") as file:
            for start, end in self.tiles:
                crc32 = _crc32(file, start, end, crc32)
        return crc32 == self.crc32

    def restore(self, path: Path) -> None:
        """Brings the file at `path`, which fits, back to this state. Raises OSError."""
        others = base64.b64decode(self.others)
        with path.open("r+b") as file:
            for start, end in _between(self.tiles, self.file_bytes):
                file.seek(start)
                file.write(others[: end - start])
                others = others[end - start :]
            file.truncate(self.file_bytes)


def _joined(spans: Iterable[Span]) -> Iterator[Span]:
    """Ascending `spans`, those that touch made one."""
    current: Span | None = None
    for start, end in spans:
        if current is not None and start == current[1]:
            current = (current[0], end)
        else:
            if current is not None:
                yield current
            current = (start, end)
    if current is not None:
        yield current


def _between(spans: Iterable[Span], file_bytes: int) -> Iterator[Span]:
    """What of a file lies outside of ascending `spans`."""
    position = 0
    for start, end in spans:
        if start > position:
            yield position, start
        position = end
    if file_bytes > position:
        yield position, file_bytes


def _read(file: BinaryIO, start: int, end: int) -> bytes:
    file.seek(start)
    return file.read(end - start)


def _crc32(file: BinaryIO, start: int, end: int, crc32: int) -> int:
    file.seek(start)
    while start < end:
        block = file.read(min(_BLOCK_BYTES, end - start))
        if not block:
            raise IncompleteRasterError(f"the file ends before byte {end}")
        crc32 = zlib.crc32(block, crc32)
        start += len(block)
    return crc32
