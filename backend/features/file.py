# SPDX-License-Identifier: GPL-2.0-or-later
"""The file of features: attention of each head and components of the patch tokens, one pixel a patch.

All bands are int16 in steps of 1/1024. Attention is that of one query over the scene (`network/scene_attention.py`), stored as its
binary logarithm (0 is as much as the average patch): it spans from thousandths to hundreds. A component's unit is the deviation of
the first one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import RasterioError
from rasterio.windows import Window

from ..grid import PixelWindow
from ..output.raster_specs import RasterSpec
from ..output.row_spill import RowSpill
from ..output.writer import RasterSet
from ..strip import Strip
from .basis import FeatureBasis

OUTPUT = "features"
SCALE = 1.0 / 1024
NODATA = -32768
KEY_TAG, BASIS_TAG, HEADS_TAG, REGION_TAG, PATCH_TAG = (
    f"SARDINE_FEATURE_{name}" for name in ("KEY", "BASIS", "HEADS", "REGION", "PATCH_PX")
)
Float = NDArray[np.float32]


class FeatureFileError(Exception):
    """A file of features that is not whole, or not what it should be."""


def features_spec(heads: int, components: int) -> RasterSpec:
    """What the file of features looks like; its first three bands are the first three components, for the eye."""
    tokens = [f"component {number + 1}" for number in range(components)]
    return RasterSpec(
        dtype="int16",
        nodata=NODATA,
        bands=(*tokens, *(f"log2 attention of head {head + 1}" for head in range(heads))),
        overviews="average",
        predictor=2,
        meaning="principal components of the patch tokens, and the binary logarithm of each head's attention; nodata -32768",
        least_bytes_px=0.5,
        scale=SCALE,
    )


class FeatureSink:
    """Takes the strips of attention and tokens of a run and writes them as one raster.

    Attention over the whole scene is known after the last row alone: the tokens wait for it on the disk.
    """

    outputs = frozenset({"attention", "tokens"})

    def __init__(self, writer: RasterSet, components: int, columns: int) -> None:
        self._writer = writer
        self._tokens = writer.spill(OUTPUT, components, columns, "tokens")

    def spill_attention(self, heads: int, columns: int) -> RowSpill:
        """Where rows of the attention wait."""
        return self._writer.spill(OUTPUT, heads, columns)

    def write(self, strip: Strip) -> None:
        """All tokens come first, then the attention: its mean, and each head."""
        values = np.asarray(strip.values, np.float32)
        if strip.output == "tokens":
            self._tokens.append(values)
            return
        heads = np.log2(np.maximum(values[1:], np.float32(2.0**-30)))
        tokens = self._tokens.read(strip.row, values.shape[1])
        self._writer.write(Strip(OUTPUT, strip.row, quantise(np.concatenate([tokens, heads]))))


def quantise(values: Float) -> NDArray[np.int16]:
    """`values` in steps of 1/1024, at most 32 from zero; NaN becomes nodata."""
    steps = np.clip(np.round(values / np.float32(SCALE)), -32767, 32767)
    result: NDArray[np.int16] = np.where(np.isfinite(steps), steps, NODATA).astype(np.int16)
    return result


def feature_tags(key: str, basis: FeatureBasis, heads: int, region: PixelWindow, patch_px: int) -> dict[str, str]:
    """What a file of features must say of itself to be used again."""
    place = [region.row, region.column, region.height, region.width]
    return {
        KEY_TAG: key,
        BASIS_TAG: basis.to_text(),
        HEADS_TAG: str(heads),
        REGION_TAG: json.dumps(place),
        PATCH_TAG: str(patch_px),
    }


class FeatureFile:
    """An open file of features. `region` is where it lies in the scene, in pixels. Raises FeatureFileError."""

    def __init__(self, path: Path, key: str | None = None) -> None:
        try:
            self._dataset: Any = rasterio.open(path)
        except (RasterioError, OSError) as error:
            raise FeatureFileError(f"it cannot be opened ({error})") from error
        try:
            tags: Mapping[str, str] = self._dataset.tags()
            if key is not None and tags[KEY_TAG] != key:
                raise ValueError("it was made of another scene, model or setting")
            self.path = path
            self.basis = FeatureBasis.from_text(tags[BASIS_TAG])
            self.heads, self.patch_px = int(tags[HEADS_TAG]), int(tags[PATCH_TAG])
            self.region = PixelWindow(*(int(number) for number in json.loads(tags[REGION_TAG])))
            size = (self.region.height // self.patch_px, self.region.width // self.patch_px)
            if self._dataset.shape != size or self._dataset.count != self.heads + self.basis.components:
                raise ValueError("its size is not what it says")
            if self._dataset.dtypes[0] != "int16":
                raise ValueError("its numbers are not of 16 bits")
        except (KeyError, ValueError, TypeError, ZeroDivisionError) as error:
            self._dataset.close()
            raise FeatureFileError(f"it is not a whole file of features ({error})") from error

    def __enter__(self) -> FeatureFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._dataset.close()

    def read(self, window: PixelWindow) -> Float:
        """Bands of the patches in `window`, which counts patches of the file: float32 [bands, rows, columns], NaN nodata.

        Raises FeatureFileError where the file was damaged after it was opened.
        """
        try:
            steps = self._dataset.read(window=Window(window.column, window.row, window.width, window.height))
        except RasterioError as error:
            raise FeatureFileError(f"it cannot be read ({error})") from error
        values: Float = steps.astype(np.float32) * np.float32(SCALE)
        values[steps == NODATA] = np.nan
        return values
