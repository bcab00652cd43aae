# SPDX-License-Identifier: GPL-2.0-or-later
"""One raster of the land cover of many scenes. Where they overlap, the surer one is taken.

A GeoTIFF takes each pixel from the scene whose confidence there is the highest (of equals the first), row of tiles by row of tiles,
and is laid out as a Cloud Optimized GeoTIFF. A VRT holds no pixels of its own, only scenes on top of each other: the one of the
highest mean confidence lies on top. Its scenes must share one grid; a GeoTIFF brings others onto it by nearest neighbour.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.shutil
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.vrt import WarpedVRT
from rasterio.warp import transform_bounds
from rasterio.windows import Window

from ..grid import PixelWindow, RasterGrid
from ..job_stream import cancelled_error
from ..model_card import ModelCard
from ..output.compression import DEFLATE_LEVEL
from ..output.paths import part_path
from ..output.raster import remove_with_sidecars
from ..output.raster_specs import RasterSpec, landcover_spec
from ..output.tiles import TILE_PX
from ..output.writer import MEANING_TAG, RasterSet, write_errors_told
from ..protocol import ErrorCode, FromChild, Progress, SardineError
from ..scene.sources import open_raster
from ..strip import LANDCOVER_NODATA, PERCENT_NODATA, Strip
from ..text_output import write_whole
from .figures import figures_of_file

STAGE = "making the mosaic"
MOST_EMPTY = 50
SMALL_PX = 10**8
"""A mosaic of more pixels than this and than so many times those of its scenes is refused: most of it would be empty."""

SAME_PIXEL = 0.01
"""Grids are one where their pixels lie on each other within this share of a pixel."""


@dataclass(frozen=True)
class SceneMap:
    """The land cover and confidence of one scene, which share a grid."""

    landcover: str
    confidence: str
    grid: RasterGrid
    mean_confidence: float


def write_mosaic(
    target: Path,
    outputs: Sequence[Mapping[str, str]],
    card: ModelCard,
    report: Callable[[FromChild], None],
    cancelled: Callable[[], bool],
) -> None:
    """Writes the mosaic of scenes with these outputs (paths by name) to `target`, whole or not at all.

    Raises SardineError: cancelled, crs_missing, request_invalid (a VRT of several grids), disk_full, source_unreadable.
    """
    maps = [_scene_map(paths["landcover"], paths["confidence"]) for paths in outputs]
    if target.suffix.lower() == ".vrt":
        write_whole(target, _vrt(target, maps, landcover_spec(card.classes)).encode("utf-8"))
        return
    grid = mosaic_grid(maps)
    base = target.with_name(target.name + ".part.base.tif")
    spec = landcover_spec(card.classes)
    try:
        readers = [_Reader(item, grid) for item in maps]
        with RasterSet({"mosaic": base}, {"mosaic": spec}, {"mosaic": grid}) as raster, _closed_at_the_end(readers):
            for row in range(0, grid.height, TILE_PX):
                if cancelled():
                    raise cancelled_error()
                report(Progress(STAGE, row, grid.height))
                window = PixelWindow(row, 0, min(TILE_PX, grid.height - row), grid.width)
                raster.write(Strip("mosaic", row, surest(window, readers)[None]))
            tags = {"SARDINE_MODEL": card.name, "SARDINE_MOSAIC_OF": " ".join(Path(item.landcover).name for item in maps)}
            raster.finish(tags, cancelled=cancelled)
        _as_cog(base, target, spec)
    finally:
        remove_with_sidecars(base)
    report(Progress(STAGE, grid.height, grid.height))


def surest(window: PixelWindow, readers: Sequence[_Reader]) -> NDArray[np.uint8]:
    """Codes in `window` of the mosaic, uint8 [height, width], each of the scene with the highest confidence there.

    Windows come from top to bottom: readers of scenes that end above are closed.
    """
    codes = np.full((window.height, window.width), LANDCOVER_NODATA, dtype=np.uint8)
    best = np.full((window.height, window.width), -1, dtype=np.int16)
    for reader in readers:
        inside = reader.window.intersect(window)
        if inside is None:
            if reader.window.row_end <= window.row:
                reader.close()
            continue
        landcover, confidence = reader.read(inside)
        rows = slice(inside.row - window.row, inside.row_end - window.row)
        columns = slice(inside.column - window.column, inside.column_end - window.column)
        sure = np.where((landcover == LANDCOVER_NODATA) | (confidence == PERCENT_NODATA), -1, confidence.astype(np.int16))
        better = sure > best[rows, columns]
        codes[rows, columns][better] = landcover[better]
        best[rows, columns][better] = sure[better]
    return codes


def mosaic_grid(maps: Sequence[SceneMap]) -> RasterGrid:
    """The grid of the first scene of the CRS that most scenes have, extended over all of them.

    Raises SardineError: crs_missing where a scene has none, request_invalid where they lie too far apart.
    """
    if any(item.grid.crs_wkt is None for item in maps):
        raise SardineError(
            ErrorCode.CRS_MISSING,
            "A scene without a coordinate reference system cannot be part of a mosaic.",
            "All scenes must say where they are.",
            "Leave the mosaic out.",
        )
    crs_of = [CRS.from_wkt(item.grid.crs_wkt) for item in maps]
    votes = [sum(crs == other for other in crs_of) for crs in crs_of]
    first = maps[votes.index(max(votes))].grid
    crs = CRS.from_wkt(first.crs_wkt)
    boxes = [
        item.grid.bounds if own == crs else transform_bounds(own, crs, *item.grid.bounds, densify_pts=101)
        for item, own in zip(maps, crs_of, strict=True)
    ]
    tolerance = SAME_PIXEL
    left = int(np.floor((min(box[0] for box in boxes) - first.origin_x) / first.pixel_width + tolerance))
    right = int(np.ceil((max(box[2] for box in boxes) - first.origin_x) / first.pixel_width - tolerance))
    top = int(np.floor((first.origin_y - max(box[3] for box in boxes)) / first.pixel_height + tolerance))
    bottom = int(np.ceil((first.origin_y - min(box[1] for box in boxes)) / first.pixel_height - tolerance))
    grid = first.crop(PixelWindow(top, left, bottom - top, right - left))
    shown_px = sum(item.grid.height * item.grid.width for item in maps)
    if not all(np.isfinite(box).all() for box in boxes) or grid.height * grid.width > max(MOST_EMPTY * shown_px, SMALL_PX):
        raise SardineError(
            ErrorCode.REQUEST_INVALID,
            f"The scenes lie too far apart for one mosaic ({grid.width} x {grid.height} pixels would hold them all).",
            f"At most {MOST_EMPTY} times the pixels of the scenes are written.",
            "Make a mosaic of each region by itself.",
        )
    return grid


class _Reader:
    """Reads a scene's land cover and confidence in windows of the mosaic's grid; `window` is where it lies there.

    Files are opened when they are read first: a thousand scenes are more than a process may hold open.
    """

    def __init__(self, scene: SceneMap, grid: RasterGrid) -> None:
        self._scene, self._grid = scene, grid
        self._shift = _shift(scene.grid, grid)
        if self._shift is not None:
            found: PixelWindow | None = PixelWindow(*self._shift, scene.grid.height, scene.grid.width)
        else:
            own, crs = (CRS.from_wkt(item.crs_wkt) for item in (scene.grid, grid))
            found = grid.window_of(transform_bounds(own, crs, *scene.grid.bounds, densify_pts=101))
        self.window = found if found is not None else PixelWindow(0, 0, 0, 0)
        self._datasets: list[Any] = []
        self._files = contextlib.ExitStack()

    def read(self, window: PixelWindow) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Codes and percent in `window` of the mosaic, which lies inside the scene's own: uint8 [height, width]."""
        part = Window(window.column - self.window.column, window.row - self.window.row, window.width, window.height)
        try:
            if not self._datasets:
                self._datasets = [self._open(path) for path in (self._scene.landcover, self._scene.confidence)]
            landcover, confidence = (dataset.read(1, window=part) for dataset in self._datasets)
        except RasterioError as error:
            raise SardineError(
                ErrorCode.SOURCE_UNREADABLE,
                f"{Path(self._scene.landcover).name} or its confidence cannot be read ({error}).",
                "Whole results are needed for the mosaic.",
                "Remove them, and run the batch again: they will be made anew.",
                refused=False,
            ) from error
        return landcover, confidence

    def close(self) -> None:
        self._files.close()
        self._datasets = []

    def _open(self, path: str) -> Any:
        dataset = self._files.enter_context(open_raster(path))
        if self._shift is not None:
            return dataset
        t = self._grid.crop(self.window)
        vrt = WarpedVRT(
            dataset,
            crs=CRS.from_wkt(t.crs_wkt),
            transform=Affine(t.pixel_width, 0.0, t.origin_x, 0.0, -t.pixel_height, t.origin_y),
            height=t.height,
            width=t.width,
            resampling=Resampling.nearest,
        )
        return self._files.enter_context(vrt)


@contextlib.contextmanager
def _closed_at_the_end(readers: Sequence[_Reader]) -> Iterator[None]:
    try:
        yield
    finally:
        for reader in readers:
            reader.close()


def _scene_map(landcover: str, confidence: str) -> SceneMap:
    with open_raster(landcover) as dataset:
        t = dataset.transform
        crs_wkt = dataset.crs.to_wkt() if dataset.crs is not None else None
        grid = RasterGrid(crs_wkt, t.c, t.f, t.a, -t.e, dataset.height, dataset.width)
    return SceneMap(landcover, confidence, grid, figures_of_file(landcover).mean_confidence_percent or 0.0)


def _shift(own: RasterGrid, grid: RasterGrid) -> tuple[int, int] | None:
    """Row and column of the first pixel of `own` in `grid`, where both share their pixels; else None."""
    if CRS.from_wkt(own.crs_wkt) != CRS.from_wkt(grid.crs_wkt):
        return None
    row, column = (grid.origin_y - own.origin_y) / grid.pixel_height, (own.origin_x - grid.origin_x) / grid.pixel_width
    drift = max(abs(own.pixel_width / grid.pixel_width - 1) * own.width, abs(own.pixel_height / grid.pixel_height - 1) * own.height)
    if max(drift, abs(row - round(row)), abs(column - round(column))) > SAME_PIXEL:
        return None
    return round(row), round(column)


def _as_cog(base: Path, target: Path, spec: RasterSpec) -> None:
    """Copies the finished GeoTIFF `base` to `target` in the order that a COG has: overviews before pixels."""
    part = part_path(target)
    with write_errors_told(target):
        try:
            rasterio.shutil.copy(
                base,
                part,
                driver="COG",
                compress="deflate",
                level=str(DEFLATE_LEVEL),
                blocksize=str(TILE_PX),
                overviews="force_use_existing",
                bigtiff="if_safer",
            )
            with rasterio.open(part, driver="GTiff") as copy, rasterio.open(base, driver="GTiff") as whole:
                same = copy.overviews(1) == whole.overviews(1) and copy.tags().get(MEANING_TAG) == spec.meaning
                # The last tile of the file is what a full disk cuts off.
                last = Window(0, max(0, copy.height - 1), copy.width, 1)
                if not same or not np.array_equal(copy.read(1, window=last), whole.read(1, window=last)):
                    raise OSError(f"{part} is not what was written")
            descriptor = os.open(part, os.O_RDWR)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            part.replace(target)
        except BaseException:
            remove_with_sidecars(part)
            raise


def _vrt(target: Path, maps: Sequence[SceneMap], spec: RasterSpec) -> str:
    """The VRT as XML: sources in the order in which they are drawn."""
    grid = mosaic_grid(maps)
    sources = []
    for item in sorted(maps, key=lambda item: item.mean_confidence):
        shift = _shift(item.grid, grid)
        if shift is None:
            raise SardineError(
                ErrorCode.REQUEST_INVALID,
                f"{Path(item.landcover).name} lies on another grid than the other scenes.",
                "A VRT holds scenes of one grid.",
                "Ask for a GeoTIFF (.tif), which brings all onto one grid.",
            )
        size = f'xSize="{item.grid.width}" ySize="{item.grid.height}"'
        name = os.path.relpath(item.landcover, target.parent)
        sources.append(
            f'<ComplexSource><SourceFilename relativeToVRT="1">{escape(name)}</SourceFilename><SourceBand>1</SourceBand>'
            f'<SrcRect xOff="0" yOff="0" {size}/><DstRect xOff="{shift[1]}" yOff="{shift[0]}" {size}/>'
            f"<NODATA>{LANDCOVER_NODATA}</NODATA></ComplexSource>"
        )
    colours = [spec.colours.get(code, (0, 0, 0, 255)) for code in range(256)]
    entries = "".join(f'<Entry c1="{r}" c2="{g}" c3="{b}" c4="{a}"/>' for r, g, b, a in colours)
    tags = "".join(f'<MDI key="{escape(key)}">{escape(value)}</MDI>' for key, value in spec.band_tags.items())
    return (
        f'<VRTDataset rasterXSize="{grid.width}" rasterYSize="{grid.height}"><SRS>{escape(grid.crs_wkt or "")}</SRS>'
        f"<GeoTransform>{', '.join(f'{value!r}' for value in grid.geotransform)}</GeoTransform>"
        f'<VRTRasterBand dataType="Byte" band="1"><Description>{spec.bands[0]}</Description><Metadata>{tags}</Metadata>'
        f"<NoDataValue>{LANDCOVER_NODATA}</NoDataValue><ColorInterp>Palette</ColorInterp><ColorTable>{entries}</ColorTable>"
        f"{''.join(sources)}</VRTRasterBand></VRTDataset>\n"
    )
