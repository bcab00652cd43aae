# SPDX-License-Identifier: GPL-2.0-or-later
"""Scenes mapped by a model file through the backend's own run, and the decibels that the backend reads for them."""

from __future__ import annotations

import functools
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import rasterio

from backend.grid import RasterGrid
from backend.job import run_job
from backend.model_card import ModelCard, read_header
from backend.protocol import BandSource, JobRequest, OutputPaths
from backend.radiometry import BoolArray
from backend.scene.open import open_bands
from backend.strip import PROBABILITY_STEPS
from training.card import band_specs
from training.config import SPACING_M, BandsConfig
from training.evaluate.legends import F32, U8, Legend
from training.evaluate.scenes import LabelledScene


@dataclass(frozen=True)
class GroupMap:
    """A map in the groups of a legend: `groups` uint8 [H, W], IGNORE where there are no data; `confidence` float32 [H, W], the
    probability given to the group that is shown, None where the method gives none.
    """

    groups: U8
    confidence: F32 | None
    grid: RasterGrid


class Mapper(Protocol):
    """Something that maps a scene in the groups of a legend."""

    name: str

    def map(self, scene: LabelledScene, legend: Legend, where: BoolArray | None = None) -> GroupMap | None:
        """The map, on the grid that the backend reads the scene on; None where the method does not know the legend.

        Pixels outside of `where`, bool [H, W], need not be mapped.
        """


@dataclass(frozen=True)
class RadarImage:
    """`values_db` float32 [2, H, W] (VV, VH; NaN no data) on `grid`, as the backend reads them."""

    values_db: F32
    grid: RasterGrid
    simulated: bool


@functools.lru_cache(maxsize=2)
def _read_radar(path: str, vv_band: int, vh_band: int, units: str, spacing_m: float) -> RadarImage:
    bands = (BandSource("VV", path, vv_band), BandSource("VH", path, vh_band))
    with open_bands(bands, band_specs(BandsConfig()), SPACING_M, units=units, spacing_m=spacing_m) as scene:
        return RadarImage(scene.read(scene.grid.full_window), scene.grid, scene.simulated)


def read_radar(scene: LabelledScene) -> RadarImage:
    """The scene's decibels on the backend's grid. Raises SardineError where the backend refuses it."""
    item = scene.label_set
    return _read_radar(str(scene.path), scene.vv_band, scene.vh_band, item.units, item.spacing_m)


class BackendMapper:
    """A model file, run by the backend as a user runs it: warped, windowed, blended, classified, written."""

    def __init__(self, model: Path, device: str, name: str = "") -> None:
        self.model, self.device = model, device
        self.card: ModelCard = read_header(model).card
        self.name = name or self.card.name
        self._last: tuple[tuple[str, int], U8, npt.NDArray[np.uint8], tuple[int, ...], RasterGrid] | None = None

    def map(self, scene: LabelledScene, legend: Legend, where: BoolArray | None = None) -> GroupMap:
        """The whole map. Raises SardineError as the backend does."""
        codes, scaled, of_codes, grid = self._codes(scene)
        confidence = legend.confidence(codes, scaled.astype(np.float32) * np.float32(1 / PROBABILITY_STEPS), of_codes)
        return GroupMap(legend.mapped(codes), confidence, grid)

    def _codes(self, scene: LabelledScene) -> tuple[U8, npt.NDArray[np.uint8], tuple[int, ...], RasterGrid]:
        """Class codes [H, W], probabilities [classes, H, W] in 1/250, the codes of these planes, and the grid."""
        key = (str(scene.path), scene.vv_band)
        if self._last is None or self._last[0] != key:
            with tempfile.TemporaryDirectory() as folder:
                outputs = OutputPaths(landcover=f"{folder}/landcover.tif", probabilities=f"{folder}/probabilities.tif")
                request = JobRequest(
                    bands=scene.bands,
                    model=str(self.model),
                    outputs=outputs,
                    units=scene.label_set.units,
                    spacing_m=scene.label_set.spacing_m,
                    device=self.device,
                )
                result = run_job(request, lambda _message: None, lambda: False)
                with rasterio.open(outputs.landcover) as file:
                    codes = file.read(1)
                with rasterio.open(outputs.probabilities) as file:
                    scaled = file.read()
            left, bottom, right, top = result.bounds
            height, width = result.height, result.width
            grid = RasterGrid(result.crs_wkt, left, top, (right - left) / width, (top - bottom) / height, height, width)
            self._last = (key, codes, scaled, tuple(item.code for item in self.card.classes), grid)
        return self._last[1:]
