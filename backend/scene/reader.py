# SPDX-License-Identifier: GPL-2.0-or-later
"""The open scene: the bands that a model needs, in decibels, on one north-up grid, whatever the files were. `scene.py` opens it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

import numpy as np
from affine import Affine
from rasterio.crs import CRS
from rasterio.errors import RasterioError
from rasterio.warp import transform_bounds

from ..grid import Bounds, PixelWindow, RasterGrid
from ..model_card import BandSpec
from ..protocol import ErrorCode, SardineError
from ..radiometry import BoolArray, FloatArray, power_to_db, to_db, to_power
from .georeference import LOCAL_METRES, Georeference, ground_spacing_m
from .layers import Layer
from .mask import PolygonMask
from .sources import blank_zero_everywhere
from .units import UnitReport
from .warp import GridReader


class Scene:
    """Bands of a model on `grid`. Reading is for one thread at a time.

    `roles` are the bands that are there, `sources` the file and band of each. `warnings` are (code, sentence); `warp_note`
    is empty where pixels are read as they are. `spacing_m` is the source's ground spacing (across, down). `product_facts` are tags
    on the acquisition of a raw product. `simulated` is True where a source's tags say so.
    """

    def __init__(
        self,
        specs: Sequence[BandSpec],
        layers: Sequence[Layer],
        grid: RasterGrid,
        unit_report: UnitReport,
        *,
        calibration_db: float | None,
        grey_levels: Mapping[str, tuple[float, float]],
        warnings: Sequence[tuple[str, str]],
        warp_note: str,
        spacing_m: tuple[float, float],
        mask: PolygonMask | None,
        product_facts: Mapping[str, str] | None = None,
        simulated: bool = False,
    ) -> None:
        self.specs = tuple(specs)
        self.grid = grid
        self.crs: CRS = LOCAL_METRES if grid.crs_wkt is None else CRS.from_wkt(grid.crs_wkt)
        self.unit_report = unit_report
        self.warnings = list(warnings)
        self.warp_note = warp_note
        self.spacing_m = spacing_m
        self.simulated = simulated
        self.product_facts = dict(product_facts or {})
        self.roles: tuple[str, ...] = tuple(band.role for layer in layers for band in layer.bands)
        self.sources = {band.role: f"{band.path}:{band.band}" for layer in layers for band in layer.bands}
        self.layers = list(layers)
        self._readers = [GridReader(layer.georeference, grid, self.crs) for layer in layers]
        self._calibration_db = calibration_db
        self._grey_levels = dict(grey_levels)
        self._mask = mask
        self._plane = {spec.role: index for index, spec in enumerate(specs)}

    def __enter__(self) -> Scene:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        for layer in self.layers:
            layer.close()

    @property
    def pixel_area_m2(self) -> float:
        """Square metres on the ground of a pixel at the grid's centre: a projection's scale factor is included."""
        t = self.grid
        transform = Affine(t.pixel_width, 0.0, t.origin_x, 0.0, -t.pixel_height, t.origin_y)
        across_m, down_m = ground_spacing_m(Georeference(self.crs, transform, (), t.height, t.width))
        return across_m * down_m

    @property
    def calibrated(self) -> bool:
        """Whether values are radar backscatter; False for grey levels of unknown scale."""
        return self.unit_report.unit != "scaled"

    def read(self, window: PixelWindow) -> FloatArray:
        """Decibels in `window`, float32 [bands of the card, height, width], NaN nodata, also beyond the grid.

        Grey levels (`scaled`) come standardised over the whole scene to the card's mean and deviation, as if they were dB.
        Raises SardineError: source_unreadable (not refused: the run has begun).
        """
        result = np.full((len(self.specs), window.height, window.width), np.nan, dtype=np.float32)
        inside = window.intersect(self.grid.full_window)
        if inside is None:
            return result
        rows = slice(inside.row - window.row, inside.row_end - window.row)
        columns = slice(inside.column - window.column, inside.column_end - window.column)
        for layer, reader in zip(self.layers, self._readers, strict=True):
            planes = [self._plane[band.role] for band in layer.bands]
            result[planes, rows, columns] = self._read_layer(layer, reader, inside)
        return result

    @property
    def reads_as_it_is(self) -> bool:
        """Whether all files share the grid's pixels, so that nothing is warped."""
        return all(reader.shift is not None for reader in self._readers)

    def on_grid(self, grid: RasterGrid) -> Scene:
        """The scene read on another grid, without a mask. It reads the same open files: to close one is to close both."""
        return Scene(
            self.specs,
            self.layers,
            grid,
            self.unit_report,
            calibration_db=self._calibration_db,
            grey_levels=self._grey_levels,
            warnings=self.warnings,
            warp_note=self.warp_note,
            spacing_m=self.spacing_m,
            mask=None,
            product_facts=self.product_facts,
            simulated=self.simulated,
        )

    def roles_of_planes(self) -> tuple[str, ...]:
        """The role of each plane that `read` gives."""
        return tuple(spec.role for spec in self.specs)

    def datasets(self) -> list[tuple[Any, int]]:
        """The open rasterio dataset and the band number of each band."""
        return [(dataset, band.band) for layer in self.layers for band, dataset in zip(layer.bands, layer.datasets, strict=True)]

    def area_window(self, bounds: Bounds | None = None, bounds_crs: str | None = None) -> PixelWindow:
        """The pixels that `bounds` (xmin, ymin, xmax, ymax) touches, clipped to the grid; the whole grid for None.

        `bounds_crs` is anything GDAL takes for a CRS; None is the scene's. Raises SardineError: bounds_outside,
        request_invalid, crs_missing.
        """
        if bounds is None:
            if bounds_crs is not None:
                raise SardineError(
                    ErrorCode.REQUEST_INVALID,
                    f"The CRS “{bounds_crs}” was given for bounds, but no bounds.",
                    "Both are needed, or neither.",
                    "Add the bounds, or leave their CRS out.",
                )
            return self.grid.full_window
        xmin, ymin, xmax, ymax = bounds
        if not (np.isfinite(bounds).all() and xmin < xmax and ymin < ymax):
            raise SardineError(
                ErrorCode.REQUEST_INVALID,
                f"The bounds {_numbers(bounds)} hold no area.",
                "Bounds are XMIN YMIN XMAX YMAX, each smaller than its counterpart.",
                "Correct their order.",
            )
        window = self.grid.window_of(self._in_scene_crs(bounds, bounds_crs))
        if window is None:
            placed = self.grid.crs_wkt is not None
            frame = "in its own CRS" if placed else "in its own metres, where y runs upwards"
            raise SardineError(
                ErrorCode.BOUNDS_OUTSIDE,
                f"The bounds {_numbers(bounds)} lie outside the scene.",
                f"The scene covers {_numbers(self.grid.bounds)} {frame}.",
                "Choose bounds inside the scene" + (", or say which CRS they are in." if placed else "."),
            )
        return window

    def mask_window(self) -> PixelWindow | None:
        """The pixels that the mask's polygons touch, clipped to the grid; None where no mask was given."""
        return None if self._mask is None else self._mask.window

    @property
    def mask_sha256(self) -> str | None:
        """What tells the mask's polygons from others; None where no mask was given."""
        return None if self._mask is None else self._mask.sha256

    def read_mask(self, window: PixelWindow) -> BoolArray:
        """True where a pixel's centre lies inside the mask's polygons, bool [height, width]; all True without a mask."""
        if self._mask is None:
            return np.ones((window.height, window.width), dtype=np.bool_)
        return self._mask.read(window)

    def _read_layer(self, layer: Layer, reader: GridReader, window: PixelWindow) -> FloatArray:
        """Decibels of the layer's bands in `window`, float32 [bands of the layer, height, width]."""
        count = len(layer.bands)
        if self.unit_report.unit == "scaled":
            return self._standardised(layer, reader.read(window, lambda part: grey_values(layer, part), count))

        def read_db(part: PixelWindow) -> FloatArray:
            return layer_db(layer, part, self.unit_report.unit, self._calibration_db)

        if reader.shift is not None:
            return reader.read(window, read_db, count)
        return power_to_db(reader.read(window, lambda part: to_power(read_db(part)), count))

    def _standardised(self, layer: Layer, grey: FloatArray) -> FloatArray:
        for index, band in enumerate(layer.bands):
            mean, deviation = self._grey_levels[band.role]
            spec = self.specs[self._plane[band.role]]
            grey[index] = (grey[index] - mean) * (spec.std_db / max(deviation, 1e-6)) + spec.mean_db
        return grey

    def _in_scene_crs(self, bounds: Bounds, bounds_crs: str | None) -> Bounds:
        if bounds_crs is None:
            return bounds
        if self.grid.crs_wkt is None:
            raise SardineError(
                ErrorCode.CRS_MISSING,
                "The scene has no CRS, so bounds in another CRS cannot be placed.",
                "Bounds in its own metres are needed.",
                "Leave --bounds-crs out.",
            )
        try:
            xmin, ymin, xmax, ymax = transform_bounds(CRS.from_user_input(bounds_crs), self.crs, *bounds, densify_pts=101)
            if not np.isfinite((xmin, ymin, xmax, ymax)).all():
                raise ValueError("the bounds reach beyond where the CRS is defined")
        except (RasterioError, ValueError) as error:
            raise SardineError(
                ErrorCode.REQUEST_INVALID,
                f"The bounds cannot be brought from “{bounds_crs}” to the scene's CRS.",
                "A CRS that GDAL knows, and bounds inside it, are needed.",
                "Write for example EPSG:4326.",
            ) from error
        return (xmin, ymin, xmax, ymax)


def layer_db(layer: Layer, window: PixelWindow, unit: str, calibration_db: float | None, *, refused: bool = False) -> FloatArray:
    """Decibels in a window of a layer's own pixels, float32 [bands, height, width], NaN nodata."""
    values, _ = layer.read(window, refused=refused)
    if unit == "db":
        blank_zero_everywhere(values)
    return to_db(values, unit, calibration_db)


def grey_values(layer: Layer, window: PixelWindow) -> FloatArray:
    """Grey levels in a window of a layer's own pixels, float32 [bands, height, width], NaN nodata."""
    values, _ = layer.read(window)
    blank_zero_everywhere(values)
    return values


def _numbers(bounds: Bounds) -> str:
    return " ".join(f"{value:.10g}" for value in bounds)
