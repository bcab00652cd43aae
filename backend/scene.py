# SPDX-License-Identifier: GPL-2.0-or-later
"""A scene: the bands that a model needs, in decibels, on one north-up grid, whatever the files were."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

import numpy as np
import rasterio
from rasterio.windows import Window

from .grid import Bounds, PixelWindow, RasterGrid
from .model_card import ModelCard
from .protocol import BandSource, ErrorCode, SardineError
from .radiometry import BoolArray, FloatArray, to_db
from .units import UnitReport


class Scene:
    """Bands of a model on `grid`. `warnings` are (code, sentence); `warp_note` is empty where pixels are read as they are."""

    def __init__(self, bands: Sequence[BandSource], card: ModelCard, units: str) -> None:
        self.card = card
        self._datasets = {source.role: (rasterio.open(source.path), source.band) for source in bands}
        first = next(iter(self._datasets.values()))[0]
        t = first.transform
        self.grid = RasterGrid(first.crs.to_wkt() if first.crs else None, t.c, t.f, t.a, -t.e, first.height, first.width)
        self.roles: tuple[str, ...] = tuple(self._datasets)
        self.unit_report = UnitReport(unit=units, evidence="given", backscatter=None, certain=True)
        self.warnings: list[tuple[str, str]] = []
        self.warp_note = ""

    def __enter__(self) -> Scene:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        for dataset, _ in self._datasets.values():
            dataset.close()

    def read(self, window: PixelWindow) -> FloatArray:
        """Decibels in `window`, float32 [bands of the card, height, width], NaN nodata, also beyond the grid."""
        db = np.full((len(self.card.bands), window.height, window.width), np.nan, dtype=np.float32)
        inside = window.intersect(self.grid.full_window)
        if inside is None:
            return db
        rows = slice(inside.row - window.row, inside.row_end - window.row)
        columns = slice(inside.column - window.column, inside.column_end - window.column)
        for index, band in enumerate(self.card.bands):
            if band.role in self._datasets:
                dataset, number = self._datasets[band.role]
                values = dataset.read(
                    number, window=Window(inside.column, inside.row, inside.width, inside.height), out_dtype="float32", masked=True
                )
                db[index, rows, columns] = to_db(values.filled(np.nan), self.unit_report.unit)
        return db

    def area_window(self, bounds: Bounds | None = None, bounds_crs: str | None = None) -> PixelWindow:
        """The pixels that `bounds` touches; the whole grid for None. Raises SardineError: bounds_outside."""
        window = self.grid.full_window if bounds is None else self.grid.window_of(bounds)
        if window is None:
            raise SardineError(
                ErrorCode.BOUNDS_OUTSIDE,
                "The bounds lie outside the scene.",
                f"The scene covers {self.grid.bounds}.",
                "Choose bounds inside the scene.",
            )
        return window

    def mask_window(self) -> PixelWindow | None:
        """The pixels that the mask's polygons touch; None where no mask was given."""
        return None

    def read_mask(self, window: PixelWindow) -> BoolArray:
        """True inside the mask's polygons, bool [height, width]; all True where no mask was given."""
        return np.ones((window.height, window.width), dtype=np.bool_)


def open_scene(
    bands: Sequence[BandSource],
    card: ModelCard,
    *,
    units: str = "auto",
    calibration_db: float | None = None,
    spacing_m: float | None = None,
    mask: str | None = None,
    allow_coarse: bool = False,
) -> Scene:
    """The scene of `bands` as `card` needs it, opened and checked. Raises SardineError."""
    return Scene(bands, card, "db" if units == "auto" else units)
