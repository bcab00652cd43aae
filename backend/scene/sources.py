# SPDX-License-Identifier: GPL-2.0-or-later
"""Raster files opened and read, with GDAL's errors turned into refusals and nodata into NaN before any arithmetic."""

from __future__ import annotations

import contextlib
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.env import set_gdal_config
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.windows import Window

from ..grid import PixelWindow
from ..protocol import ErrorCode, SardineError
from ..radiometry import BoolArray, FloatArray

FormArray = npt.NDArray[np.uint8]

LEAST_CACHE_BYTES, MOST_CACHE_BYTES = 128 * 2**20, 2**30
"""Limits of GDAL's block cache. Its default, 5% of the machine's memory, would let memory grow with the scene's height."""

WRITTEN_BYTES = 64 * 2**20
"""Of the cache, for the blocks of the outputs."""

SENTINELS = (-9999.0, -32768.0, -99.0)
"""Nodata values that files hold without declaring them."""

SCALED_SENTINELS = (-32768.0,)
"""The same where the file declares a scale or offset: -99 tenths of a decibel are a value, the least number of 16 bits is none."""

VALUE, DECLARED, NOT_FINITE, SENTINEL = range(4)
"""Forms of a pixel: see `read_raw`."""

TRUNCATED_ACTION = "Copy, download or export it again."


@dataclass(frozen=True)
class RasterInfo:
    """What a raster says of itself. `texts` are its name, tags and band tags without computed statistics; `known_unit` is the
    unit where the reader itself made the values, and nothing is to be detected.
    """

    path: str
    count: int
    dtypes: tuple[str, ...]
    descriptions: tuple[str, ...]
    texts: Mapping[str, str] = field(default_factory=dict)
    known_unit: str | None = None

    @property
    def name(self) -> str:
        """The file's name, also of a subdataset such as NETCDF:"a.nc":vh."""
        return Path(self.path.replace("\\", "/").rstrip("/")).name.strip('"')

    @property
    def stem(self) -> str:
        return re.sub(r"\.(tiff?|img|vrt|png|jp2|nc|h5|hdr|dat|zip)$", "", self.name, flags=re.IGNORECASE)


@contextlib.contextmanager
def gdal_errors(path: str, *, refused: bool) -> Iterator[None]:
    """Turns a read error of GDAL into source_unreadable; `refused` says whether the run has not begun yet."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            yield
    except (RasterioError, OSError) as error:
        raise SardineError(
            ErrorCode.SOURCE_UNREADABLE,
            f"{Path(path).name} cannot be read to its end ({_first_line(error)}).",
            "A whole, undamaged raster is needed.",
            TRUNCATED_ACTION,
            refused=refused,
        ) from error


def open_raster(path: str) -> Any:
    """The rasterio dataset at `path`. Raises SardineError: source_missing, source_not_raster, source_unreadable."""
    plain = Path(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            dataset = rasterio.open(path)
    except UnicodeEncodeError as error:
        raise SardineError(
            ErrorCode.SOURCE_UNREADABLE,
            f"The name {path!a} holds bytes that are no letters.",
            "A name in UTF-8 is needed.",
            "Rename the file or its folder.",
        ) from error
    except (RasterioError, OSError) as error:
        if not path.startswith("/vsi") and not _subdataset(path) and not plain.exists():
            raise SardineError(
                ErrorCode.SOURCE_MISSING,
                f"There is no file {path}.",
                "An existing raster is needed.",
                "Check the path, or choose the layer again.",
            ) from error
        text = str(error)
        if any(sign in text for sign in ("not recognized", "No such file", "does not exist")):
            raise _not_raster(plain.name, _first_line(error)) from error
        raise SardineError(
            ErrorCode.SOURCE_UNREADABLE,
            f"{plain.name} cannot be opened ({_first_line(error)}).",
            "A whole, undamaged raster is needed.",
            TRUNCATED_ACTION,
        ) from error
    if dataset.count == 0:
        parts = ", ".join(dataset.subdatasets[:4])
        dataset.close()
        raise _not_raster(plain.name, f"it holds no bands of its own; its parts are {parts}" if parts else "it holds no bands")
    return dataset


def cache_bytes(bands: Iterable[tuple[Any, int]]) -> int:
    """Bytes of GDAL's block cache for reading these bands (dataset, number) row by row without unpacking a block twice.

    Two rows of blocks of each band, values and mask: the rows read at a time may lie in two, and another band's come between.
    It depends on the width of the rasters and on the height of their blocks, never on the height of the rasters.
    """
    needed = WRITTEN_BYTES
    for dataset, band in bands:
        height, width = dataset.block_shapes[band - 1]
        columns = -(-dataset.width // width) * width
        needed += 2 * min(height, dataset.height) * columns * (np.dtype(dataset.dtypes[band - 1]).itemsize + 1)
    return min(max(needed, LEAST_CACHE_BYTES), MOST_CACHE_BYTES)


def set_cache(size_bytes: int) -> None:
    """Limits GDAL's block cache, which all datasets of the process share."""
    set_gdal_config("GDAL_CACHEMAX", size_bytes)


def describe_raster(dataset: Any, path: str) -> RasterInfo:
    """What the open `dataset` of `path` says of itself, without statistics: QGIS writes them beside a raster at will."""
    texts: dict[str, str] = {}
    for band in range(dataset.count + 1):
        for key, value in dataset.tags(band).items():
            if not key.upper().startswith("STATISTICS_"):
                texts[f"{key} of band {band}" if band else key] = value
    for number, unit in enumerate(dataset.units, 1):
        if unit:
            texts[f"unit of band {number}"] = unit
    descriptions = tuple(text or "" for text in dataset.descriptions)
    known_unit = getattr(dataset, "known_unit", None)
    return RasterInfo(path, dataset.count, tuple(dataset.dtypes), descriptions, texts, known_unit)


def read_raw(dataset: Any, band: int, window: PixelWindow, *, refused: bool = False) -> tuple[FloatArray, FormArray]:
    """Values of one band in `window` (inside the raster), float32 [height, width], NaN nodata; and the form of the nodata.

    GDAL's scale and offset are applied. The forms, uint8 [height, width], are the constants above: a value, declared nodata
    or the mask band, not finite, a sentinel nobody declared. Raises SardineError: source_unreadable.
    """
    area = Window(window.column, window.row, window.width, window.height)
    with gdal_errors(dataset.name, refused=refused):
        values: FloatArray = dataset.read(band, window=area).astype(np.float32, copy=False)
        flags = [flag.name for flag in dataset.mask_flag_enums[band - 1]]
        declared: BoolArray = np.zeros(values.shape, dtype=np.bool_)
        if flags != ["all_valid"]:
            declared = dataset.read_masks(band, window=area) == 0
    scale, offset = dataset.scales[band - 1], dataset.offsets[band - 1]
    scaled = (scale, offset) != (1.0, 0.0)
    forms = np.where(np.isin(values, SCALED_SENTINELS if scaled else SENTINELS), SENTINEL, VALUE).astype(np.uint8)
    forms[~np.isfinite(values)] = NOT_FINITE
    forms[declared] = DECLARED
    if scaled:
        values = values * np.float32(scale) + np.float32(offset)
    values[forms != VALUE] = np.nan
    return values, forms


def blank_zero_everywhere(values: FloatArray) -> BoolArray:
    """Sets to NaN, in place, pixels of `values` [bands, H, W] that are 0 in every band that has a value; returns where.

    A zero in one band alone is a measurement of 0 dB; in all of them it is the filling around a scene.
    """
    zero = values == 0
    empty: BoolArray = np.any(zero, axis=0) & np.all(zero | np.isnan(values), axis=0)
    values[:, empty] = np.nan
    return empty


def check_readable(dataset: Any, bands: Sequence[int]) -> None:
    """Reads the last rows of each band, which a truncated file lacks. Raises SardineError: source_unreadable."""
    height = min(16, dataset.height)
    for band in bands:
        read_raw(dataset, band, PixelWindow(dataset.height - height, 0, height, dataset.width), refused=True)


def _not_raster(name: str, reason: str) -> SardineError:
    return SardineError(
        ErrorCode.SOURCE_NOT_RASTER,
        f"{name} is not a raster that GDAL reads ({reason}).",
        "A raster such as a GeoTIFF is needed.",
        "Choose a raster layer, or one part of this one.",
    )


def _subdataset(path: str) -> bool:
    """Whether `path` is no file but a GDAL name such as NETCDF:a.nc:vh. One letter before the colon is a Windows drive."""
    return re.match(r"^[A-Za-z][A-Za-z0-9_]+:", path) is not None


def _first_line(error: BaseException) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0].rstrip(".")[:200]
