# SPDX-License-Identifier: GPL-2.0-or-later
"""A scene of any size for the benchmarks, written in strips so that this costs no memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio
from rasterio.transform import from_origin
from rasterio.windows import Window

ROWS = 512


def write_made_scene(path: Path, height: int, width: int) -> Path:
    """Speckle in dB, VV and VH, tiled as most COGs are; not compressed. All pixels are valid."""
    rng = np.random.default_rng(0)
    profile = {"driver": "GTiff", "height": height, "width": width, "count": 2, "dtype": "float32", "crs": "EPSG:32633"}
    transform = from_origin(500_000, 5_400_000, 10, 10)
    with rasterio.open(path, "w", transform=transform, nodata=float("nan"), tiled=True, bigtiff="if_safer", **profile) as file:
        for row in range(0, height, ROWS):
            rows = min(ROWS, height - row)
            level = np.array([-10.0, -17.0], np.float32)[:, None, None]
            strip = level + 10 * np.log10(rng.gamma(4.4, 1 / 4.4, (2, rows, width))).astype(np.float32)
            file.write(strip, window=Window(0, row, width, rows))
        file.descriptions = ("VV", "VH")
    return path
