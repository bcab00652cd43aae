# SPDX-License-Identifier: GPL-2.0-or-later
"""The pixel grid that the reader, the windows and the writer share. Standard library alone: the plugin imports it."""

from __future__ import annotations

import math
from dataclasses import dataclass

Bounds = tuple[float, float, float, float]
"""xmin, ymin, xmax, ymax, always in that order."""


@dataclass(frozen=True)
class PixelWindow:
    """A rectangle of pixels: rows [row, row + height), columns [column, column + width)."""

    row: int
    column: int
    height: int
    width: int

    @property
    def row_end(self) -> int:
        return self.row + self.height

    @property
    def column_end(self) -> int:
        return self.column + self.width

    def intersect(self, other: PixelWindow) -> PixelWindow | None:
        """The pixels in both windows, or None where they share none."""
        row, column = max(self.row, other.row), max(self.column, other.column)
        row_end, column_end = min(self.row_end, other.row_end), min(self.column_end, other.column_end)
        if row >= row_end or column >= column_end:
            return None
        return PixelWindow(row, column, row_end - row, column_end - column)

    def snap_out(self, multiple_px: int) -> PixelWindow:
        """The smallest window that holds this one and starts and ends on multiples of `multiple_px`.

        >>> PixelWindow(row=3, column=8, height=6, width=8).snap_out(8)
        PixelWindow(row=0, column=8, height=16, width=8)
        """
        row = self.row // multiple_px * multiple_px
        column = self.column // multiple_px * multiple_px
        height = -(-(self.row_end - row) // multiple_px) * multiple_px
        width = -(-(self.column_end - column) // multiple_px) * multiple_px
        return PixelWindow(row, column, height, width)


@dataclass(frozen=True)
class RasterGrid:
    """A north-up raster grid with square or oblong pixels.

    `crs_wkt` is None for a picture without a reference system; then x and y are in metres from the upper left corner.
    `origin_x`, `origin_y` are the outer corner of the upper left pixel; pixel sizes are positive.
    """

    crs_wkt: str | None
    origin_x: float
    origin_y: float
    pixel_width: float
    pixel_height: float
    height: int
    width: int

    @property
    def bounds(self) -> Bounds:
        return (
            self.origin_x,
            self.origin_y - self.height * self.pixel_height,
            self.origin_x + self.width * self.pixel_width,
            self.origin_y,
        )

    @property
    def geotransform(self) -> tuple[float, float, float, float, float, float]:
        """GDAL's order: x0, pixel width, 0, y0, 0, minus pixel height."""
        return (self.origin_x, self.pixel_width, 0.0, self.origin_y, 0.0, -self.pixel_height)

    @property
    def full_window(self) -> PixelWindow:
        return PixelWindow(0, 0, self.height, self.width)

    def crop(self, window: PixelWindow) -> RasterGrid:
        """The grid of `window`, which may reach beyond this grid."""
        return RasterGrid(
            self.crs_wkt,
            self.origin_x + window.column * self.pixel_width,
            self.origin_y - window.row * self.pixel_height,
            self.pixel_width,
            self.pixel_height,
            window.height,
            window.width,
        )

    def coarsen(self, factor: int) -> RasterGrid:
        """The grid with one pixel for each `factor` x `factor` block; the last row and column may reach beyond this grid."""
        return RasterGrid(
            self.crs_wkt,
            self.origin_x,
            self.origin_y,
            self.pixel_width * factor,
            self.pixel_height * factor,
            -(-self.height // factor),
            -(-self.width // factor),
        )

    def window_of(self, bounds: Bounds) -> PixelWindow | None:
        """The pixels that `bounds` (in this grid's CRS) touches, clipped to the grid; None where it touches none.

        A bound within a millionth of a pixel of an edge counts as on it, so that bounds made from pixel edges return
        exactly those pixels.
        """
        xmin, ymin, xmax, ymax = bounds
        tolerance = 1e-6
        column = math.floor((xmin - self.origin_x) / self.pixel_width + tolerance)
        column_end = math.ceil((xmax - self.origin_x) / self.pixel_width - tolerance)
        row = math.floor((self.origin_y - ymax) / self.pixel_height + tolerance)
        row_end = math.ceil((self.origin_y - ymin) / self.pixel_height - tolerance)
        if row_end <= row or column_end <= column:
            return None
        return PixelWindow(row, column, row_end - row, column_end - column).intersect(self.full_window)
