# SPDX-License-Identifier: GPL-2.0-or-later
"""A simulated scene of the size of a whole Sentinel-1 IW product, in decibels: `python -m tests.benchmarks.whole_scene OUT.tif`.

It is simulated square by square, with a landscape of its own each, so that any size takes little memory; one lies beside the other
as they come, with hard edges. The rim of an acquisition, aslant as one that was brought into a map's grid, holds no data.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import rasterio
from rasterio.transform import from_origin
from rasterio.windows import Window

from training.config import SPACING_M
from training.simulation.radar import RadarSettings
from training.simulation.scene_files import BAND_NAMES
from training.simulation.simulate import simulate_scene

HEIGHT_PX, WIDTH_PX = 17_000, 25_000
SQUARE_PX = 2048


def write_whole_scene(path: Path, height: int, width: int, slant_px: int) -> None:
    """Writes VV and VH, float32 dB with nodata NaN. `slant_px` is how far the sides lean over the whole of the other axis."""
    squares = [(row, column) for row in range(0, height, SQUARE_PX) for column in range(0, width, SQUARE_PX)]
    with rasterio.open(
        path, "w", driver="GTiff", dtype="float32", count=2, height=height, width=width, nodata=np.nan, crs="EPSG:32633",
        transform=from_origin(300_000, 5_600_000, SPACING_M, SPACING_M), tiled=True, blockxsize=256, blockysize=256,
        interleave="band", compress="deflate", predictor=3, zlevel=1, bigtiff="yes",
    ) as file:  # fmt: skip
        file.descriptions = BAND_NAMES
        for number, (row, column) in enumerate(squares):
            size = min(SQUARE_PX, height - row), min(SQUARE_PX, width - column)
            scene = simulate_scene(number, (SQUARE_PX, SQUARE_PX), RadarSettings(edge_share=0.0))
            values_db = scene.values_db[:, : size[0], : size[1]]
            rows, columns = np.arange(row, row + size[0])[:, None], np.arange(column, column + size[1])[None]
            left, top = slant_px * (1 - rows / height), slant_px * columns / width
            outside = (columns < left) | (columns >= width - slant_px + left) | (rows < top) | (rows >= height - slant_px + top)
            values_db[:, outside] = np.nan
            file.write(values_db, window=Window(column, row, size[1], size[0]))
            if number == 0:
                file.update_tags(**{name: text for name, text in scene.tags.items() if name not in ("SIMULATION_LANDSCAPE",)})
            print(f"\r{number + 1} of {len(squares)} squares", end="", flush=True)
    print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--height", type=int, default=HEIGHT_PX)
    parser.add_argument("--width", type=int, default=WIDTH_PX)
    parser.add_argument("--slant", type=int, default=600, help="pixels that the sides lean over their length")
    chosen = parser.parse_args()
    write_whole_scene(chosen.out, chosen.height, chosen.width, chosen.slant)


if __name__ == "__main__":
    main()
