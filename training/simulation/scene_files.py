# SPDX-License-Identifier: GPL-2.0-or-later
"""Scenes and their labels as GeoTIFFs in a folder: `scene_<n>.tif` (VV, VH in dB) beside `label_<n>.tif` (class codes)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.crs import CRS
from rasterio.transform import from_origin

from training.config import SPACING_M
from training.simulation.simulate import SimulatedScene

BAND_NAMES = ("VV", "VH")


def scene_path(folder: Path, number: int) -> Path:
    return folder / f"scene_{number:05d}.tif"


def label_path_of(scene: Path) -> Path:
    """The label that belongs to `scene`."""
    return scene.with_name(scene.name.replace("scene_", "label_", 1))


def write_scene(scene: SimulatedScene, path: Path, crs: str) -> None:
    """Writes scene and label beside each other; both appear under their names only when whole.

    The scene is float32 dB with nodata NaN; its tags say that it is simulated, by what recipe and seed. Scenes of different
    seeds lie at different places of the zone.
    """
    height, width = scene.label.shape
    # 10 m pixels; the place follows from the seed, so that scenes of one folder do not cover each other.
    row, column = divmod(scene.seed % 400, 20)
    transform = from_origin(300_000 + column * 20_000, 5_600_000 - row * 20_000, SPACING_M, SPACING_M)
    profile = {
        "driver": "GTiff",
        "height": height,
        "width": width,
        "crs": CRS.from_user_input(crs),
        "transform": transform,
        "compress": "deflate",
        "zlevel": 1,
        "tiled": True,
        "blockxsize": 256,
        "blockysize": 256,
    }
    label_colours = {0: (0, 0, 0, 0)}
    _write(
        path, scene.values_db, {**profile, "count": 2, "dtype": "float32", "nodata": np.nan, "predictor": 3}, scene.tags, BAND_NAMES
    )
    _write(
        label_path_of(path),
        scene.label[None],
        {**profile, "count": 1, "dtype": "uint8", "nodata": 0},
        scene.tags,
        ("class code",),
        label_colours,
    )


def _write(
    path: Path,
    values: npt.NDArray[np.generic],
    profile: Mapping[str, object],
    tags: Mapping[str, str],
    descriptions: tuple[str, ...],
    colours: Mapping[int, tuple[int, int, int, int]] | None = None,
) -> None:
    part = path.with_name(path.name + ".part")
    with rasterio.open(part, "w", **profile) as file:
        file.write(values)
        file.update_tags(**tags)
        for band, description in enumerate(descriptions, start=1):
            file.set_band_description(band, description)
        if colours:
            from training.classes import WORLDCOVER

            file.write_colormap(1, {**colours, **{item.code: _rgba(item.colour) for item in WORLDCOVER}})
    part.replace(path)


def _rgba(colour: str) -> tuple[int, int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16), 255
