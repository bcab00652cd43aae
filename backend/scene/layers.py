# SPDX-License-Identifier: GPL-2.0-or-later
"""Bands that share their pixels, from one file or several, and what their values look like: samples and grey-level statistics."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..grid import PixelWindow
from ..radiometry import FloatArray
from .bands import RoleBand
from .georeference import Georeference
from .sources import FormArray, blank_zero_everywhere, read_raw

SAMPLE_WHOLE_PX = 2**20
SAMPLE_BLOCKS = 12
SAMPLE_BLOCK_PX = 64
ENOUGH_VALUES = 500
STRIP_ROWS = 256
STATISTICS_PX = 100 * 10**6
"""Statistics of grey levels read every strip up to this size, and beyond it every second, third, … strip."""


@dataclass(frozen=True)
class Sample:
    """Pixels of a layer: `values` float32 [bands, n] as stored, NaN nodata; `forms` uint8 [bands, n] as `read_raw` has them.

    `raster_share` is the share of the raster's pixels that it holds.
    """

    values: FloatArray
    forms: FormArray
    raster_share: float

    def present(self, band: int) -> FloatArray:
        """Values of one band that are neither nodata nor 0, float32 [n]."""
        values = self.values[band]
        there: FloatArray = values[np.isfinite(values) & (values != 0)]
        return there


class Layer:
    """Bands of the same pixels. `datasets` are open rasterio datasets, one for each band."""

    def __init__(self, bands: Sequence[RoleBand], datasets: Sequence[Any], georeference: Georeference) -> None:
        self.bands = list(bands)
        self.datasets = list(datasets)
        self.georeference = georeference

    @property
    def height(self) -> int:
        return self.georeference.height

    @property
    def width(self) -> int:
        return self.georeference.width

    def add(self, band: RoleBand, dataset: Any) -> None:
        self.bands.append(band)
        self.datasets.append(dataset)

    def read(self, window: PixelWindow, *, refused: bool = False) -> tuple[FloatArray, FormArray]:
        """Values as stored, float32 [bands, height, width], NaN nodata; and their forms, uint8 of that shape (see `read_raw`).

        Zeros are left in: what they mean depends on the unit. Raises SardineError: source_unreadable.
        """
        planes = [
            read_raw(dataset, band.band, window, refused=refused) for band, dataset in zip(self.bands, self.datasets, strict=True)
        ]
        return np.stack([values for values, _ in planes]), np.stack([forms for _, forms in planes])

    def sample(self) -> Sample:
        """Pixels from all over the layer: all of a small one, 12 x 12 blocks of 64 x 64 of a larger one.

        Where those hold too few values (a narrow or tilted swath), strips are read until there are enough. Pixels are
        always read, never the statistics that other programs leave beside a raster. Raises SardineError: source_unreadable.
        """
        sample = self._collect(self._sample_windows())
        counts = [sample.present(band).size for band in range(len(self.bands))]
        if min(counts) >= ENOUGH_VALUES or sample.raster_share == 1.0:
            return sample
        best = sample
        for strip in self.strips():
            more = self._collect([strip])
            if any(more.present(band).size for band in range(len(self.bands))):
                step = max(1, more.values.shape[1] // SAMPLE_WHOLE_PX)
                best = Sample(
                    np.concatenate([best.values, more.values[:, ::step]], axis=1),
                    np.concatenate([best.forms, more.forms[:, ::step]], axis=1),
                    sample.raster_share,
                )
                if min(best.present(band).size for band in range(len(self.bands))) >= ENOUGH_VALUES:
                    break
        return best

    def statistics(self) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation of each band over its valid pixels, float32 [bands]; NaN for a band without any.

        Pixels that are 0 in every band are nodata. One pass, at full resolution up to 100 megapixels, beyond that over
        evenly spaced strips. Raises SardineError: source_unreadable.
        """
        count = np.zeros(len(self.bands))
        total = np.zeros(len(self.bands))
        squares = np.zeros(len(self.bands))
        step = max(1, -(-self.height * self.width // STATISTICS_PX))
        for number, strip in enumerate(self.strips()):
            if number % step:
                continue
            values, _ = self.read(strip, refused=True)
            blank_zero_everywhere(values)
            there = np.isfinite(values)
            exact = np.where(there, values, 0).astype(np.float64)
            count += there.sum(axis=(1, 2))
            total += exact.sum(axis=(1, 2))
            squares += np.square(exact).sum(axis=(1, 2))
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = total / count
            deviation = np.sqrt(np.maximum(squares / count - mean**2, 0.0))
        return mean.astype(np.float32), deviation.astype(np.float32)

    def strips(self) -> Iterator[PixelWindow]:
        for row in range(0, self.height, STRIP_ROWS):
            yield PixelWindow(row, 0, min(STRIP_ROWS, self.height - row), self.width)

    def close(self) -> None:
        for dataset in self.datasets:
            dataset.close()

    def _sample_windows(self) -> list[PixelWindow]:
        if self.height * self.width <= SAMPLE_WHOLE_PX:
            return [PixelWindow(0, 0, self.height, self.width)]
        height, width = min(SAMPLE_BLOCK_PX, self.height), min(SAMPLE_BLOCK_PX, self.width)
        rows = np.unique(np.linspace(0, self.height - height, SAMPLE_BLOCKS).astype(int))
        columns = np.unique(np.linspace(0, self.width - width, SAMPLE_BLOCKS).astype(int))
        return [PixelWindow(int(row), int(column), height, width) for row in rows for column in columns]

    def _collect(self, windows: Sequence[PixelWindow]) -> Sample:
        planes = [self.read(window, refused=True) for window in windows]
        values = np.concatenate([part.reshape(len(self.bands), -1) for part, _ in planes], axis=1)
        forms = np.concatenate([part.reshape(len(self.bands), -1) for _, part in planes], axis=1)
        return Sample(values, forms, min(1.0, values.shape[1] / (self.height * self.width)))
