# SPDX-License-Identifier: GPL-2.0-or-later
"""A raster of class codes, whoever made it: its grid, its names, and its rows a block at a time."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from ..grid import PixelWindow, RasterGrid
from ..protocol import ErrorCode, SardineError
from ..scene.georeference import LOCAL_METRES, Georeference, ground_spacing_m
from ..scene.sources import open_raster

MAX_CLASSES = 255
BLOCK_ROWS = 256
NO_CLASS = -(2**62)
"""What nodata becomes when codes are read: no raster holds such a value."""

_CLASS_TAG = re.compile(r"CLASS_(-?\d+)")


@dataclass(frozen=True)
class CodeBlock:
    """Some whole rows: `codes` int64 [rows, width], NO_CLASS where there is none; a pixel there covers `pixel_m2` of ground."""

    row: int
    codes: NDArray[np.int64]
    pixel_m2: float


class ClassRaster:
    """An open class raster. Close it, or use it as a context. Raises SardineError: the codes of `sources.open_raster`,
    crs_missing, class_raster_unsuitable.
    """

    def __init__(self, path: str, band: int = 1, nodata: float | None = None) -> None:
        self.path, self._band = path, band
        self._dataset: Any = open_raster(path)
        try:
            self._check()
            self._nodata = nodata if nodata is not None else self._dataset.nodatavals[band - 1]
            self._mask_flags = [flag.name for flag in self._dataset.mask_flag_enums[band - 1]]
            self.grid = self._grid()
        except BaseException:
            self._dataset.close()
            raise

    def __enter__(self) -> ClassRaster:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._dataset.close()

    @property
    def names(self) -> dict[int, str]:
        """Class names in the file's own tags (`CLASS_<code>`), as the backend's own maps have them."""
        tags = self._dataset.tags(self._band)
        return {int(match.group(1)): text for key, text in tags.items() if (match := _CLASS_TAG.fullmatch(key))}

    @property
    def crs(self) -> CRS:
        return CRS.from_wkt(self.grid.crs_wkt)

    def blocks(self) -> Iterator[CodeBlock]:
        """The rows from top to bottom. Raises SardineError: source_unreadable, class_raster_unsuitable."""
        for row in range(0, self.grid.height, BLOCK_ROWS):
            rows = min(BLOCK_ROWS, self.grid.height - row)
            codes = self.read(PixelWindow(row, 0, rows, self.grid.width))
            yield CodeBlock(row, codes, self.pixel_m2(row + rows // 2))

    def read(self, window: PixelWindow) -> NDArray[np.int64]:
        """Codes in `window`, which lies inside the grid: int64 [height, width], NO_CLASS where there is none."""
        part = Window(window.column, window.row, window.width, window.height)
        try:
            values = self._dataset.read(self._band, window=part)
            masked = self._dataset.read_masks(self._band, window=part) == 0 if "per_dataset" in self._mask_flags else None
        except RasterioError as error:
            raise _unreadable(self.path, error) from error
        return self._codes(values, masked)

    def on_grid(self, grid: RasterGrid) -> Any:
        """The raster as it lies on `grid`, by nearest neighbour: something to give to `read_other`. A context."""
        transform = Affine(grid.pixel_width, 0.0, grid.origin_x, 0.0, -grid.pixel_height, grid.origin_y)
        nodata = self._nodata
        return contextlib.closing(
            WarpedVRT(
                self._dataset,
                crs=CRS.from_wkt(grid.crs_wkt),
                transform=transform,
                height=grid.height,
                width=grid.width,
                resampling=Resampling.nearest,
                src_nodata=nodata,
                nodata=nodata,
                add_alpha=nodata is None,
            )
        )

    def read_other(self, vrt: Any, window: PixelWindow) -> NDArray[np.int64]:
        """As `read`, of what `on_grid` gave."""
        part = Window(window.column, window.row, window.width, window.height)
        try:
            values = vrt.read(self._band, window=part)
            outside = vrt.dataset_mask(window=part) == 0
        except RasterioError as error:
            raise _unreadable(self.path, error) from error
        return self._codes(values, outside)

    def pixel_m2(self, row: int) -> float:
        """Ground area of a pixel of that row; in degrees it changes from row to row."""
        g = self.grid
        transform = Affine(g.pixel_width, 0.0, g.origin_x, 0.0, -g.pixel_height, g.origin_y - row * g.pixel_height)
        across_m, down_m = ground_spacing_m(Georeference(self.crs, transform, (), 1, g.width))
        return across_m * down_m

    def _codes(self, values: NDArray[Any], masked: NDArray[np.bool_] | None) -> NDArray[np.int64]:
        if values.dtype.kind == "f":
            there = np.isfinite(values)
            whole = np.where(there, values, 0.0)
            if self._nodata is not None:
                there &= values != self._nodata
            if np.any(there & (whole != np.round(whole))):
                raise _not_classes(self.path, "holds fractions")
            codes = np.where(there, np.clip(whole, -(2.0**31), 2.0**31), NO_CLASS).astype(np.int64)
        else:
            codes = values.astype(np.int64)
            if self._nodata is not None:
                codes[values == self._nodata] = NO_CLASS
        if masked is not None:
            codes[masked] = NO_CLASS
        return codes

    def _check(self) -> None:
        dataset = self._dataset
        if not 1 <= self._band <= dataset.count:
            raise SardineError(
                ErrorCode.REQUEST_INVALID,
                f"Band {self._band} of {self.path} was asked for.",
                f"The raster has {dataset.count}.",
                "Choose one of its bands.",
            )
        if np.dtype(dataset.dtypes[self._band - 1]).kind not in "iuf":
            raise _not_classes(self.path, "holds complex numbers")
        if dataset.crs is None:
            raise SardineError(
                ErrorCode.CRS_MISSING,
                f"{self.path} has no coordinate reference system.",
                "A reference is brought to the map by its place.",
                "Assign the map's CRS.",
            )

    def _grid(self) -> RasterGrid:
        dataset, t = self._dataset, self._dataset.transform
        if t.b or t.d or t.a <= 0 or t.e >= 0 or dataset.crs == LOCAL_METRES:
            raise _not_classes(self.path, "is not a north-up raster")
        return RasterGrid(dataset.crs.to_wkt(), t.c, t.f, t.a, -t.e, dataset.height, dataset.width)


@dataclass(frozen=True)
class ClassCounts:
    """Pixels and ground area of each class that occurs, by code in ascending order."""

    pixels: Mapping[int, int]
    area_m2: Mapping[int, float]


def count_classes(raster: ClassRaster, go_on: Callable[[int, int], None]) -> ClassCounts:
    """One pass over `raster`; `go_on` is told of rows done and rows in all.

    Raises SardineError: class_raster_unsuitable for none or too many classes, and what `go_on` raises.
    """
    pixels: dict[int, int] = {}
    area_m2: dict[int, float] = {}
    for block in raster.blocks():
        go_on(block.row, raster.grid.height)
        codes, counts = np.unique(block.codes, return_counts=True)
        for code, count in zip(codes.tolist(), counts.tolist(), strict=True):
            if code != NO_CLASS:
                pixels[code] = pixels.get(code, 0) + count
                area_m2[code] = area_m2.get(code, 0.0) + count * block.pixel_m2
        if len(pixels) > MAX_CLASSES:
            raise _not_classes(raster.path, f"holds more than {MAX_CLASSES} different values")
    if not pixels:
        raise _not_classes(raster.path, "holds no data")
    return ClassCounts(dict(sorted(pixels.items())), dict(sorted(area_m2.items())))


def _not_classes(path: str, what: str) -> SardineError:
    return SardineError(
        ErrorCode.CLASS_RASTER_UNSUITABLE,
        f"{path} {what}.",
        f"A north-up raster of at most {MAX_CLASSES} whole class codes is needed.",
        "Choose a class raster, or its right band.",
    )


def _unreadable(path: str, error: Exception) -> SardineError:
    return SardineError(
        ErrorCode.SOURCE_UNREADABLE,
        f"{path} cannot be read to its end ({str(error)[:120].rstrip('.')}).",
        "A whole file is needed.",
        "Copy or make it again.",
        refused=False,
    )
