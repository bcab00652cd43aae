# SPDX-License-Identifier: GPL-2.0-or-later
"""One GeoTIFF, written from top to bottom into a `.part` file that gets its name only when it is whole.

Rows are kept until a row of tiles is full, so that no tile is compressed twice. GDAL writes late: a full disk may show in a
write, at closing, or not at all. So the closed file is flushed to the disk, opened again, and each of its tiles looked up.

The file is made without a tile, closed and opened again to be written: so it is a GeoTIFF whenever it is closed, closing it
early fills in nothing, and `save` can close it between rows for a later run to go on from.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio._err import CPLE_BaseError  # what building overviews raises; rasterio.errors has no name for it
from rasterio.crs import CRS
from rasterio.enums import ColorInterp, Resampling
from rasterio.errors import RasterioError
from rasterio.windows import Window

from ..grid import RasterGrid
from .compression import DEFLATE_LEVEL, compression_threads
from .part_state import PartState, Span
from .raster_specs import RasterSpec
from .tiles import TILE_PX, IncompleteRasterError, overview_factors, tile_bytes, tile_count

WRITE_ERRORS = (RasterioError, CPLE_BaseError, OSError)
"""What GDAL, rasterio and the file system raise when a file cannot be written."""

_FULL_DISK_BYTES = 2**16


class ReplacedRasterError(IncompleteRasterError):
    """The file at the path is another one, or gone: a second run writes the same output."""


class OutputRaster:
    """A GeoTIFF at `part` with the pixels of `grid`, being written. Any of its methods may raise one of WRITE_ERRORS.

    With `saved`, which the file at `part` fits, the file is brought back to that state and written on.
    """

    def __init__(self, part: Path, spec: RasterSpec, grid: RasterGrid, saved: PartState | None = None) -> None:
        self.path = part
        self._spec, self._grid, self._saved = spec, grid, saved
        self._rows = np.zeros((len(spec.bands), TILE_PX, grid.width), dtype=spec.dtype)
        self._kept = 0  # rows that wait for their row of tiles to be full
        self._there = self.next_row = saved.rows if saved else 0
        self._threads = compression_threads()
        if saved:
            saved.restore(part)
        else:
            self._create()
        file = part.stat()
        self._file_id = (file.st_dev, file.st_ino)
        self._dataset = self._open()

    def _create(self) -> None:
        """Makes the file, with all that stands in its header: what is set after the first pixel is written a second time."""
        spec, grid = self._spec, self._grid
        with rasterio.open(
            self.path,
            "w",
            driver="GTiff",
            dtype=spec.dtype,
            nodata=spec.nodata,
            count=len(spec.bands),
            height=grid.height,
            width=grid.width,
            crs=None if grid.crs_wkt is None else CRS.from_wkt(grid.crs_wkt),
            transform=Affine.from_gdal(*grid.geotransform),
            tiled=True,
            blockxsize=TILE_PX,
            blockysize=TILE_PX,
            interleave="band",
            compress="deflate",
            predictor=spec.predictor,
            bigtiff="if_safer",
            sparse_ok=True,
        ) as dataset:
            for band, description in enumerate(spec.bands, start=1):
                dataset.set_band_description(band, description)
            if spec.colours:
                dataset.write_colormap(1, dict(spec.colours))
            else:
                dataset.colorinterp = [ColorInterp.gray] + [ColorInterp.undefined] * (len(spec.bands) - 1)
            if spec.scale is not None:
                dataset.scales = (spec.scale,) * len(spec.bands)
            if spec.unit:
                dataset.units = (spec.unit,) * len(spec.bands)
            if spec.band_tags:
                dataset.update_tags(1, **spec.band_tags)

    def _open(self) -> rasterio.io.DatasetWriter:
        # The driver is named: left to find it, rasterio raises TypeError for a file that a full disk cut short.
        return rasterio.open(self.path, "r+", driver="GTiff", num_threads=self._threads)

    def write(self, row: int, values: NDArray[np.uint8] | NDArray[np.float32] | NDArray[np.int16]) -> None:
        """Takes the next rows, [bands, rows, width]; those that were in the file when it was opened may come once more.

        Raises ValueError where they are not the next or not of this raster.
        """
        if row < self._there:
            values = values[:, self._there - row :]
            row = self._there
            if not values.shape[1]:
                return
        expected = (len(self._spec.bands), values.shape[1], self._grid.width)
        if row != self.next_row or values.shape != expected or values.dtype != self._rows.dtype:
            raise ValueError(f"rows {row} of {values.dtype} {values.shape} where {self.next_row} of {expected} were expected")
        taken = 0
        while taken < values.shape[1]:
            count = min(TILE_PX - self._kept, values.shape[1] - taken)
            self._rows[:, self._kept : self._kept + count] = values[:, taken : taken + count]
            self._kept += count
            self.next_row += count
            taken += count
            if self._kept == TILE_PX:
                self._flush()

    def finish(self, tags: Mapping[str, str]) -> None:
        """Writes what is left, overviews and `tags`, and makes sure that all of it is on the disk.

        Raises ValueError where rows are missing, IncompleteRasterError where the disk does not hold what was written.
        """
        if self.next_row != self._grid.height:
            raise ValueError(f"{self.next_row} rows of {self._grid.height} were written")
        if self._kept:
            self._flush()
        self._dataset.close()
        self._check_ours()
        with rasterio.Env(GDAL_NUM_THREADS=self._threads, ZLEVEL_OVERVIEW=str(DEFLATE_LEVEL)), self._open() as dataset:
            dataset.update_tags(**tags)
            factors = overview_factors(self._grid.height, self._grid.width)
            if factors:
                dataset.build_overviews(factors, Resampling[self._spec.overviews])
        self._sync()
        self._check_whole()

    def save(self) -> PartState:
        """Makes sure that the full rows of tiles are on the disk, and returns the state to go on from.

        Raises IncompleteRasterError where the disk does not hold what was written.
        """
        if self._kept and self.next_row == self._grid.height:
            self._flush()
        rows = self.next_row - self._kept
        self._check_ours()
        if self._saved is None or rows > self._saved.rows:
            self._dataset.close()
            self._sync()
            self._saved = PartState.of(self.path, rows, self._new_tiles(rows), self._saved)
            self._dataset = self._open()
        return self._saved

    def close(self) -> None:
        """Leaves the file as it is, unfinished."""
        # Closing writes, and may fail for the very reason that the file is given up for.
        with contextlib.suppress(*WRITE_ERRORS):
            self._dataset.close()

    def discard(self) -> None:
        """Closes and removes the file and what GDAL may have put beside it. Raises OSError where it cannot be removed."""
        self.close()
        if self.is_ours():
            remove_with_sidecars(self.path)

    def _new_tiles(self, rows: int) -> list[Span]:
        """Where the tiles of the rows that were not saved yet lie in the closed file."""
        file_bytes = self.path.stat().st_size
        first = tile_count(self._saved.rows) if self._saved else 0
        with rasterio.open(self.path, driver="GTiff") as dataset:
            return [
                tile_bytes(dataset, band, 0, x, y, file_bytes)
                for band in range(1, len(self._spec.bands) + 1)
                for y in range(first, tile_count(rows))
                for x in range(tile_count(self._grid.width))
            ]

    def _flush(self) -> None:
        self._check_ours()  # now rather than after hours of work that lead to no file
        # GDAL keeps what it could not write, and closes a file on a full disk without a word: look before it is too late.
        if shutil.disk_usage(self.path.parent).free < _FULL_DISK_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        first = self.next_row - self._kept
        self._dataset.write(self._rows[:, : self._kept], window=Window(0, first, self._grid.width, self._kept))
        self._kept = 0

    def _sync(self) -> None:
        # Some file systems (network, quota) tell only now that there was no room.
        descriptor = os.open(self.path, os.O_RDWR)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def is_ours(self) -> bool:
        """Whether the file at the path is still the one that was created: another run may have replaced it."""
        try:
            file = self.path.stat()
        except FileNotFoundError:
            return False
        return (file.st_dev, file.st_ino) == self._file_id

    def _check_ours(self) -> None:
        if not self.is_ours():
            raise ReplacedRasterError("another program replaced or removed it")

    def _check_whole(self) -> None:
        self._check_ours()
        file_bytes = self.path.stat().st_size
        factors = overview_factors(self._grid.height, self._grid.width)
        with rasterio.open(self.path, driver="GTiff") as dataset:
            for band in range(1, len(self._spec.bands) + 1):
                # Their number alone: rasterio works factors out from widths, and an eighth of 30 px is 4, as if it were a seventh.
                if len(dataset.overviews(band)) != len(factors):
                    raise IncompleteRasterError(f"overviews {dataset.overviews(band)} of band {band} where {factors} were built")
                for level, factor in enumerate([1, *factors]):
                    for y in range(tile_count(self._grid.height, factor)):
                        for x in range(tile_count(self._grid.width, factor)):
                            tile_bytes(dataset, band, level, x, y, file_bytes)


def remove_with_sidecars(path: Path) -> None:
    """Removes `path` and the sidecars that GDAL reads with it, as far as they are there. Raises OSError."""
    path.unlink(missing_ok=True)
    for suffix in (".aux.xml", ".ovr", ".msk"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
