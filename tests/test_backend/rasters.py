# SPDX-License-Identifier: GPL-2.0-or-later
"""Small rasters for tests: simulated backscatter, written as the files that analysts have."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.errors import NotGeoreferencedWarning

UTM33 = "EPSG:32633"
UTM33_TRANSFORM = Affine(10.0, 0.0, 500_000.0, 0.0, -10.0, 5_400_000.0)


def backscatter_db(height: int = 64, width: int = 80, *, seed: int = 1, looks: float = 4.4) -> np.ndarray:
    """Simulated VV and VH in dB, float32 [2, height, width]: fields, and a lake in the upper left, under speckle."""
    rng = np.random.default_rng(seed)
    fields = rng.normal(0.0, 1.5, (-(-height // 16), -(-width // 16))).repeat(16, 0).repeat(16, 1)[:height, :width]
    lake = np.hypot(*np.mgrid[0:height, 0:width]) < min(height, width) / 3
    vv = np.where(lake, -18.0, -9.5 + fields)
    vh = np.where(lake, -26.0, -16.5 + fields)
    speckle = rng.gamma(looks, 1.0 / looks, (2, height, width))
    return (np.stack([vv, vh]) + 10 * np.log10(speckle)).astype(np.float32)


def write_raster(
    path: Path,
    values: np.ndarray,
    *,
    crs: str | None = UTM33,
    transform: Affine | None = UTM33_TRANSFORM,
    descriptions: Sequence[str | None] = (),
    nodata: float | None = None,
    tags: dict[str, str] | None = None,
    gcps: Sequence[GroundControlPoint] = (),
    gcps_crs: str | None = None,
    mask: np.ndarray | None = None,
    scale_offset: tuple[float, float] | None = None,
    **profile: Any,
) -> str:
    """Writes `values` [bands, H, W] (or [H, W]) as a GeoTIFF and returns its path. `mask` is True where valid."""
    values = values[None] if values.ndim == 2 else values
    count, height, width = values.shape
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        options = {"driver": "GTiff", "dtype": values.dtype, "count": count, "height": height, "width": width, **profile}
        if crs is not None:
            options["crs"] = crs
        if transform is not None:
            options["transform"] = transform
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "w", nodata=nodata, **options) as target:
            target.write(values)
            for number, text in enumerate(descriptions, 1):
                if text:
                    target.set_band_description(number, text)
            if gcps:
                target.gcps = (list(gcps), CRS.from_string(gcps_crs or "EPSG:4326"))
            if scale_offset is not None:
                target.scales = [scale_offset[0]] * count
                target.offsets = [scale_offset[1]] * count
            if mask is not None:
                target.write_mask(mask)
            target.update_tags(**(tags or {}))
    return str(path)


def write_scene(path: Path, *, height: int = 64, width: int = 80, seed: int = 1, **options: Any) -> str:
    """A dB scene with bands named VV and VH."""
    return write_raster(path, backscatter_db(height, width, seed=seed), descriptions=("VV", "VH"), **options)


def write_polygons_geojson(path: Path, rings: Sequence[Sequence[tuple[float, float]]], crs_name: str | None = None) -> str:
    """One feature a ring. `crs_name` makes it the older kind of GeoJSON with a CRS member."""
    import json

    features = [
        {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [[list(p) for p in ring]]}}
        for ring in rings
    ]
    data: dict[str, Any] = {"type": "FeatureCollection", "features": features}
    if crs_name:
        data["crs"] = {"type": "name", "properties": {"name": crs_name}}
    path.write_text(json.dumps(data), encoding="utf-8")
    return str(path)
