# SPDX-License-Identifier: GPL-2.0-or-later
"""A Sentinel-1 product as a raster of sigma nought: what a rasterio dataset is asked here, answered from its measurements.

Border noise: the processor leaves low values around the image that are no backscatter, most of them before IPF 2.90 (Ali et al.
2018, "Methods to Remove the Border Noise From Sentinel-1 Synthetic Aperture Radar Data", IEEE JSTARS 11(3)). From each side
inwards, pixels are nodata until both a pixel and the mean of the BORDER_MEAN_PX from it on reach half the power of thermal noise:
what the radar receives does not lie below its own noise, but for speckle.
"""

from __future__ import annotations

import contextlib
from types import TracebackType
from typing import Any

import numpy as np
from affine import Affine
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.enums import MaskFlags
from rasterio.windows import Window

from ..grid import PixelWindow
from ..protocol import ErrorCode, SardineError
from ..radiometry import BoolArray, FloatArray
from .safe_product import SafeBand, SafeProduct, product_path, read_product
from .sources import open_raster

FLOOR_POWER = np.float32(1e-4)
"""Sigma nought left where noise removal leaves less, down to nothing or below: -40 dB is under what any model is made for, and a
calm lake keeps its pixels instead of becoming nodata."""

BORDER_PX = 500
"""How far from a side border noise is looked for."""
BORDER_MEAN_PX = 16
BORDER_NOISE_SHARE = 0.5
_BLOCK_ROWS = 256


def open_source(path: str) -> Any:
    """The raster at `path`: a product of Sentinel-1 in sigma nought (see `SafeDataset`), or what rasterio opens.

    Raises SardineError as `read_product` and `open_raster` do.
    """
    found = product_path(path)
    return open_raster(path) if found is None else SafeDataset(read_product(*found))


class SafeDataset:
    """Bands of sigma nought in linear power, float32, NaN nodata, placed by the product's ground control points.

    It answers what `sources.py`, `layers.py` and `georeference.py` ask of a rasterio dataset.
    """

    known_unit = "power"
    crs = None
    transform = Affine.identity()
    subdatasets: tuple[str, ...] = ()

    def __init__(self, product: SafeProduct) -> None:
        self.product = product
        self.name = product.name
        with contextlib.ExitStack() as stack:
            self._files = [stack.enter_context(contextlib.closing(open_raster(band.measurement))) for band in product.bands]
            for band, file in zip(product.bands, self._files, strict=True):
                _check_size(product.name, band, file)
            self._borders = [_Borders(band, file) for band, file in zip(product.bands, self._files, strict=True)]
            self._open = stack.pop_all()
        first = product.bands[0]
        self.height, self.width, self.count = first.height, first.width, len(product.bands)
        self.descriptions = tuple(band.polarisation for band in product.bands)
        self.dtypes = ("float32",) * self.count
        self.scales, self.offsets, self.units = (1.0,) * self.count, (0.0,) * self.count, ("",) * self.count
        self.mask_flag_enums = ([MaskFlags.all_valid],) * self.count
        self.block_shapes = tuple(file.block_shapes[0] for file in self._files)

    @property
    def gcps(self) -> tuple[list[GroundControlPoint], CRS]:
        return list(self.product.bands[0].points), CRS.from_epsg(4326)

    def tags(self, band: int = 0) -> dict[str, str]:
        """What the product says of itself; of a band, its quantity."""
        if band:
            return {"quantity": "sigma nought, linear power"}
        return {f"SARDINE_{name}": value for name, value in self.product.facts.items()}

    def read(self, band: int, window: Window) -> FloatArray:
        """Sigma nought in linear power, float32 [height, width] of a window inside the image; NaN nodata."""
        part = PixelWindow(int(window.row_off), int(window.col_off), int(window.height), int(window.width))
        source = self.product.bands[band - 1]
        dn = self._files[band - 1].read(1, window=window).astype(np.float32)
        power = (dn * dn - source.noise.values(part)) / np.square(source.calibration.values(part))
        power = np.maximum(power, FLOOR_POWER)
        power[(dn == 0) | self._borders[band - 1].outside(part)] = np.nan
        return np.asarray(power, dtype=np.float32)

    def close(self) -> None:
        self._open.close()

    def __enter__(self) -> SafeDataset:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class _Borders:
    """Where the border noise of a band ends: for each row from the left and right, for each column from above and below."""

    def __init__(self, band: SafeBand, file: Any) -> None:
        self._band, self._file = band, file
        self._reach = min(BORDER_PX, band.width // 2, band.height // 2)
        self._sides: dict[int, tuple[Any, Any]] = {}  # first and end column of the image, by block of rows
        self._ends: tuple[Any, Any] | None = None  # first and end row of the image, by column

    def outside(self, window: PixelWindow) -> BoolArray:
        """Bool [height, width]: whether a pixel lies before the image begins, seen from a side."""
        found = np.zeros((window.height, window.width), dtype=np.bool_)
        near_side = window.column < self._reach or window.column_end > self._band.width - self._reach
        near_end = window.row < self._reach or window.row_end > self._band.height - self._reach
        if near_side:
            columns = np.arange(window.column, window.column_end)
            for block in range(window.row // _BLOCK_ROWS, (window.row_end - 1) // _BLOCK_ROWS + 1):
                first, end = self._side(block)
                rows = np.arange(max(window.row, block * _BLOCK_ROWS), min(window.row_end, block * _BLOCK_ROWS + len(first)))
                place = rows - block * _BLOCK_ROWS
                found[rows - window.row] |= (columns < first[place, None]) | (columns >= end[place, None])
        if near_end:
            if self._ends is None:
                self._ends = self._of_columns()
            first, end = (values[window.column : window.column_end] for values in self._ends)
            rows = np.arange(window.row, window.row_end)[:, None]
            found |= (rows < first) | (rows >= end)
        return found

    def _side(self, block: int) -> tuple[Any, Any]:
        if block not in self._sides:
            row, reach = block * _BLOCK_ROWS, self._reach
            height = min(_BLOCK_ROWS, self._band.height - row)
            left = self._steps(PixelWindow(row, 0, height, reach))
            right = self._steps(PixelWindow(row, self._band.width - reach, height, reach), flipped=True)
            self._sides[block] = (left, self._band.width - right)
        return self._sides[block]

    def _of_columns(self) -> tuple[Any, Any]:
        firsts, ends = [], []
        for column in range(0, self._band.width, 1024):  # pieces: the strip of a whole scene would take 100 MB
            width = min(1024, self._band.width - column)
            firsts.append(self._steps(PixelWindow(0, column, self._reach, width), down=True))
            below = PixelWindow(self._band.height - self._reach, column, self._reach, width)
            ends.append(self._band.height - self._steps(below, down=True, flipped=True))
        return np.concatenate(firsts), np.concatenate(ends)

    def _steps(self, window: PixelWindow, *, down: bool = False, flipped: bool = False) -> Any:
        """How many pixels from the outer side of `window` on are border, for each of its rows (or columns): int [n]."""
        dn = self._file.read(1, window=Window(window.column, window.row, window.width, window.height)).astype(np.float32)
        floor = FLOOR_POWER * np.square(self._band.calibration.values(window))
        least = np.maximum(BORDER_NOISE_SHARE * self._band.noise.values(window), floor)
        excess = dn * dn - least
        if down:
            excess, dn = excess.T, dn.T
        if flipped:
            excess, dn = excess[:, ::-1], dn[:, ::-1]
        sums = np.cumsum(excess, axis=1, dtype=np.float64)
        ahead = min(BORDER_MEAN_PX, excess.shape[1])
        padded = np.concatenate([np.zeros((len(sums), 1)), sums], axis=1)
        good = padded[:, ahead:] - padded[:, :-ahead] > 0  # the mean of a pixel and those after it
        # A pixel itself too: the mean rises as soon as the image is in reach. Zeros are no image, whatever follows.
        good &= (excess[:, : good.shape[1]] > 0) & (dn[:, : good.shape[1]] > 0)
        good[:, -1] = True  # no border is wider than what was looked at
        return np.argmax(good, axis=1)


def _check_size(product: str, band: SafeBand, file: Any) -> None:
    if (file.height, file.width) != (band.height, band.width):
        raise SardineError(
            ErrorCode.SOURCE_UNREADABLE,
            f"The measurement of {band.polarisation} in {product} has {file.height} x {file.width} pixels, "
            f"its annotation says {band.height} x {band.width}.",
            "Both must belong together: the tables refer to the lines and pixels of the whole image.",
            "Download the product again; a part cut out of it has to be calibrated first.",
        )
