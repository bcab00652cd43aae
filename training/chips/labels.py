# SPDX-License-Identifier: GPL-2.0-or-later
"""Labels of a scene, on the grid that the scene is read on: nearest neighbour, whatever grid they come on."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.interpolate import RegularGridInterpolator

from backend.grid import PixelWindow
from backend.protocol import SardineError
from backend.scene.georeference import Georeference, georeference_of
from backend.scene.open import Scene
from backend.scene.sources import gdal_errors, open_raster
from backend.scene.warp import GridReader
from training.chips.legends import U8, Legend
from training.reference.polygons import Reference

MESH_PX = 16
"""Between points this far apart, positions in another CRS are interpolated; in that span a UTM zone and degrees bend by less
than a thousandth of a pixel."""


class LabelMismatchError(ValueError):
    """A label that lies on another grid than its scene, and cannot be brought onto it."""


@dataclass(frozen=True)
class _Raster:
    """A label raster: `read` gives values [h, w] and where they are absent, of a window inside it."""

    reader: GridReader
    georeference: Georeference
    read: Callable[[PixelWindow], tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]]


class Labels:
    """Label values of one scene. Later rasters lie over earlier ones, polygons over all. `misses`: there are label rasters, and
    none of them covers any of the scene.
    """

    def __init__(self, scene: Scene, paths: Sequence[Path], band: int, legend: Legend | None, polygons: Reference | None) -> None:
        """Raises SardineError for a raster that cannot be read, LabelMismatchError for one of another grid."""
        self._scene, self._legend, self._open = scene, legend, contextlib.ExitStack()
        self._rasters: list[_Raster] = []
        """Those that cover a part of the scene."""
        self._polygons: _Raster | None = None
        with contextlib.ExitStack() as stack:
            for path in paths:
                dataset = stack.enter_context(contextlib.closing(open_raster(str(path))))
                if dataset.count < band:
                    raise LabelMismatchError(f"{path.name} has {dataset.count} bands, label_band is {band}")
                raster = self._raster(dataset, path, band)
                if raster.reader.covers(scene.grid.full_window) > 0:
                    self._rasters.append(raster)
            self.misses = bool(paths) and not self._rasters
            if polygons is not None:
                self._polygons = self._burned(polygons)
            self._open = stack.pop_all()

    def close(self) -> None:
        self._open.close()

    def __enter__(self) -> Labels:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self, window: PixelWindow) -> U8:
        """Label values uint8 [height, width] of a window of the scene's grid; 0 beyond it. Raises LegendError, SardineError."""
        labels = np.zeros((window.height, window.width), dtype=np.uint8)
        for raster in self._rasters:
            values, absent = self._nearest(raster, window)
            if self._legend is not None:
                found = self._legend.apply(values, absent)
                np.copyto(labels, found, where=found > 0)
        if self._polygons is not None:
            burned, _ = self._nearest(self._polygons, window)
            np.copyto(labels, burned.astype(np.uint8), where=burned > 0)
        return labels

    def _raster(self, dataset: Any, path: Path, band: int) -> _Raster:
        scene = self._scene.layers[0].georeference
        try:
            georeference = georeference_of(dataset, path.name, None)
        except SardineError:
            # Nothing places it: it belongs to a scene of its own shape, pixel by pixel.
            if (dataset.height, dataset.width) != (scene.height, scene.width):
                raise LabelMismatchError(
                    f"{path.name} has {dataset.height} x {dataset.width} pixels and no CRS, the scene has {scene.height} x "
                    f"{scene.width}: a label of the scene's grid, or one with a CRS, is needed"
                ) from None
            georeference = scene
        if georeference is not scene and scene.is_local:
            raise LabelMismatchError(f"{path.name} has a CRS, the scene has none: they cannot be laid over each other")

        def read(window: PixelWindow) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
            area = ((window.row, window.row_end), (window.column, window.column_end))
            with gdal_errors(dataset.name, refused=True):
                values = dataset.read(band, window=area)
                absent = dataset.read_masks(band, window=area) == 0
            return values, absent | (~np.isfinite(values) if values.dtype.kind == "f" else False)

        return _Raster(GridReader(georeference, self._scene.grid, self._scene.crs), georeference, read)

    def _burned(self, polygons: Reference) -> _Raster:
        georeference = self._scene.layers[0].georeference
        if (polygons.height, polygons.width) != (georeference.height, georeference.width):
            raise LabelMismatchError(
                f"the polygons of {polygons.name} were drawn on {polygons.height} x {polygons.width} pixels, the scene has "
                f"{georeference.height} x {georeference.width}"
            )
        burned = polygons.burn()

        def read(window: PixelWindow) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
            part = burned[window.row : window.row_end, window.column : window.column_end]
            return part, part == 0

        return _Raster(GridReader(georeference, self._scene.grid, self._scene.crs), georeference, read)

    def _nearest(self, raster: _Raster, window: PixelWindow) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
        """Values [h, w] of the raster's pixel under each pixel's centre, and where there is none."""
        columns, rows = _source_positions(raster.reader, window)
        column, row = np.floor(columns), np.floor(rows)
        inside = (row >= 0) & (row < raster.georeference.height) & (column >= 0) & (column < raster.georeference.width)
        grid = self._scene.grid
        down, across = np.arange(window.row, window.row_end), np.arange(window.column, window.column_end)
        inside &= (down < grid.height)[:, None] & (across < grid.width)[None]
        if not inside.any():
            return np.zeros(inside.shape, dtype=np.uint8), ~inside
        row, column = np.where(inside, row, np.nan), np.where(inside, column, np.nan)
        top, left = int(np.nanmin(row)), int(np.nanmin(column))
        near = PixelWindow(top, left, int(np.nanmax(row)) - top + 1, int(np.nanmax(column)) - left + 1)
        values, absent = raster.read(near)
        index = np.where(inside, row - top, 0).astype(np.int64), np.where(inside, column - left, 0).astype(np.int64)
        return values[index], absent[index] | ~inside


def _source_positions(reader: GridReader, window: PixelWindow) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Columns and rows in the raster, float64 [h, w] each, of the centres of the pixels of `window` of the grid.

    Example: on the same grid, the pixel in row 3 and column 5 of a window at (0, 0) is at column 5.5, row 3.5.
    """
    rows, columns = window.row + np.arange(window.height) + 0.5, window.column + np.arange(window.width) + 0.5
    if reader.shift is not None:
        shift_row, shift_column = reader.shift
        across, down = np.meshgrid(columns + shift_column, rows + shift_row)
        return across, down
    mesh = [np.linspace(axis[0], axis[-1], max(2, -(-len(axis) // MESH_PX) + 1)) for axis in (rows, columns)]
    mesh_rows, mesh_columns = np.meshgrid(*mesh, indexing="ij")
    there = np.stack(reader.source_pixels(mesh_columns.ravel(), mesh_rows.ravel()), axis=-1).reshape(*mesh_rows.shape, 2)
    where = np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1)
    found = RegularGridInterpolator(tuple(mesh), there, bounds_error=False, fill_value=None)(where)
    return found[..., 0], found[..., 1]
