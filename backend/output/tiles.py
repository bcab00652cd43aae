# SPDX-License-Identifier: GPL-2.0-or-later
"""The tiles of a GeoTIFF that we write: how large they are, how many there are, where their bytes lie in the file."""

from __future__ import annotations

from rasterio.io import DatasetReader

TILE_PX = 256


class IncompleteRasterError(Exception):
    """The file on the disk is not what was written into it."""


def overview_factors(height: int, width: int) -> list[int]:
    """Powers of two, until the raster fits into one tile."""
    factors: list[int] = []
    while max(height, width) > TILE_PX << len(factors):
        factors.append(2 << len(factors))
    return factors


def tile_count(length_px: int, factor: int = 1) -> int:
    """Tiles along an axis of `length_px`, in the overview of that factor."""
    overview_px = -(-length_px // factor)
    return -(-overview_px // TILE_PX)


def tile_bytes(dataset: DatasetReader, band: int, level: int, x: int, y: int, file_bytes: int) -> tuple[int, int]:
    """First byte of a tile and the byte behind it. `level` 0 is full resolution.

    Raises IncompleteRasterError where they are not inside the file, which is `file_bytes` long.
    """
    overview = {"ovr": level - 1} if level else {}
    offset = dataset.get_tag_item(f"BLOCK_OFFSET_{x}_{y}", "TIFF", bidx=band, **overview)
    size = dataset.get_tag_item(f"BLOCK_SIZE_{x}_{y}", "TIFF", bidx=band, **overview)
    if offset is None or size is None or int(offset) + int(size) > file_bytes:
        raise IncompleteRasterError(f"tile {x}, {y} of band {band}, level {level} is not on the disk")
    return int(offset), int(offset) + int(size)
