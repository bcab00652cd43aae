# SPDX-License-Identifier: GPL-2.0-or-later
"""The labelled scenes that a configuration names, and their labels on the grid of a map."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.crs import CRS
from rasterio.errors import NotGeoreferencedWarning

from backend.grid import RasterGrid
from backend.protocol import BandSource
from backend.scene.georeference import LOCAL_METRES, Georeference, georeference_of
from backend.scene.warp import GridReader
from training.checkpoint import ROOT
from training.evaluate.config import LabelSet
from training.evaluate.legends import LEGENDS, Legend
from training.reference.places import Place, place_of
from training.reference.polygons import Reference, read_reference

U8 = npt.NDArray[np.uint8]

F64 = npt.NDArray[np.float64]

NO_LABEL = 255
NODE_STEP_PX = 16


@dataclass(frozen=True)
class LabelledScene:
    """One scene of one label set. `label` is a raster's path, the polygons, or None for a scene without labels."""

    label_set: LabelSet
    path: Path
    name: str
    """Path below the data folder."""
    vv_band: int
    vh_band: int
    label: Path | Reference | None

    @property
    def legend(self) -> Legend:
        return LEGENDS[self.label_set.legend]

    @property
    def place(self) -> Place:
        return place_of(self.name)

    @property
    def bands(self) -> tuple[BandSource, BandSource]:
        return BandSource("VV", str(self.path), self.vv_band), BandSource("VH", str(self.path), self.vh_band)


@dataclass(frozen=True)
class LabelOnGrid:
    """`values` uint8 [H, W] of the label's own legend, NO_LABEL where it says nothing; `unsure` bool [H, W] where its maker was
    less than sure (polygons drawn as `likely`).
    """

    values: U8
    unsure: npt.NDArray[np.bool_]


def list_labelled(sets: Sequence[LabelSet], data: Path) -> list[LabelledScene]:
    """Every scene of the sets, those of one file one after the other, so that a map of it serves all its labels.

    Raises FileNotFoundError where a set matches no scene, or where a raster set's scene has no label.
    """
    found: list[LabelledScene] = []
    missing: list[str] = []
    for item in sets:
        folder = item.folder or (ROOT if item.kind == "polygons" else data)
        scenes = _of_polygons(item, folder, data) if item.kind == "polygons" else _of_rasters(item, folder)
        if not scenes:
            missing.append(f"{item.name}: nothing matches {', '.join(item.scenes)} below {folder}")
        missing += [f"{item.name}: {one.path} is not there" for one in scenes if not one.path.is_file()]
        missing += [
            f"{item.name}: {one.name} has no label {one.label.name}"
            for one in scenes
            if isinstance(one.label, Path) and not one.label.is_file()
        ]
        found += scenes
    if missing:
        raise FileNotFoundError("; ".join(missing) + ". Check the pattern and the data folder.")
    return sorted(found, key=lambda one: (str(one.path), one.vv_band, one.label_set.name))


def _of_rasters(item: LabelSet, folder: Path) -> list[LabelledScene]:
    paths = sorted({path for pattern in item.scenes for path in folder.glob(pattern)})
    if item.limit and len(paths) > item.limit:
        paths = [paths[round(number * (len(paths) - 1) / max(1, item.limit - 1))] for number in range(item.limit)]
    return [
        LabelledScene(
            item,
            path,
            path.relative_to(folder).as_posix(),
            item.vv_band,
            item.vh_band,
            path.with_name(re.sub(item.label_find, item.label_replace, path.name)) if item.kind == "rasters" else None,
        )
        for path in paths
    ]


def _of_polygons(item: LabelSet, folder: Path, data: Path) -> list[LabelledScene]:
    found = []
    for path in sorted({path for pattern in item.scenes for path in folder.glob(pattern)}):
        reference = read_reference(path)
        scene = data / reference.scene
        vv, vh = (_band_number(scene, name) for name in reference.bands) if scene.is_file() else (1, 2)
        found.append(LabelledScene(item, scene, reference.scene, vv, vh, reference))
    return found


def _band_number(scene: Path, description: str) -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(scene) as file:
            if description not in file.descriptions:
                raise ValueError(f"{scene.name} has bands {file.descriptions}, without {description}.")
            return int(file.descriptions.index(description)) + 1


def label_on_grid(scene: LabelledScene, grid: RasterGrid) -> LabelOnGrid:
    """The scene's label brought onto `grid`, nearest neighbour. Raises ValueError where it has none or is not 8 bit."""
    if scene.label is None:
        raise ValueError(f"{scene.name} has no label.")
    if isinstance(scene.label, Reference):
        drawn, sure = scene.label.burn(), scene.label.burn(sure_only=True)
        values, place = np.where(drawn == 0, NO_LABEL, drawn).astype(np.uint8), _georeference(scene.path, scene.label_set.spacing_m)
        return LabelOnGrid(nearest(values, place, grid), nearest((sure != drawn).astype(np.uint8), place, grid) == 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(scene.label) as file:
            raw, nodata = file.read(1), file.nodata
    void = ~np.isfinite(raw)
    if nodata is not None:
        void |= raw == nodata
    if scene.label_set.label_above is not None:
        raw = raw > scene.label_set.label_above
    elif not np.issubdtype(raw.dtype, np.integer) or raw.min() < 0 or raw.max() > 255:
        raise ValueError(
            f"{scene.label.name} holds {raw.dtype} from {raw.min()} to {raw.max()}: class codes of 0 to 255 are needed."
        )
    values = np.where(void, NO_LABEL, raw).astype(np.uint8)
    place = _georeference(scene.label, scene.label_set.spacing_m)
    return LabelOnGrid(nearest(values, place, grid), np.zeros((grid.height, grid.width), dtype=np.bool_))


def _georeference(path: Path, spacing_m: float) -> Georeference:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path) as file:
            return georeference_of(file, path.name, spacing_m)


def nearest(values: U8, place: Georeference, grid: RasterGrid) -> U8:
    """`values` [h, w], which lie at `place`, at the pixel centres of `grid`, uint8 [H, W]; NO_LABEL beyond them."""
    crs = LOCAL_METRES if grid.crs_wkt is None else CRS.from_wkt(grid.crs_wkt)
    reader = GridReader(place, grid, crs)
    # Exact coordinates at every 16th pixel; between them they are straight within far less than a hundredth of a pixel.
    down, across = (np.unique(np.append(np.arange(0.5, n, NODE_STEP_PX), n - 0.5)) for n in (grid.height, grid.width))
    node_columns, node_rows = np.meshgrid(across, down)
    exact = reader.source_pixels(node_columns.ravel(), node_rows.ravel())
    at_columns, at_rows = (np.arange(n, dtype=np.float64) + 0.5 for n in (grid.width, grid.height))
    c, r = (np.floor(_between(part.reshape(node_rows.shape), down, across, at_rows, at_columns) + 1e-6) for part in exact)
    inside = (c >= 0) & (c < values.shape[1]) & (r >= 0) & (r < values.shape[0])
    out = np.full((grid.height, grid.width), NO_LABEL, dtype=np.uint8)
    out[inside] = values[r[inside].astype(np.int64), c[inside].astype(np.int64)]
    return out


def _between(nodes: F64, down: F64, across: F64, rows: F64, columns: F64) -> F64:
    """`nodes` [down, across] interpolated linearly at each of `rows` and `columns`, [rows, columns]."""
    wide = np.stack([np.interp(columns, across, line) for line in nodes])  # [down, columns]
    return np.stack([np.interp(rows, down, line) for line in wide.T], axis=1)
