# SPDX-License-Identifier: GPL-2.0-or-later
"""Time and peak memory of runs over more and more rows of one scene, the whole scene at last: is memory flat in height?

    .venv/bin/python -m tests.benchmarks.whole_scene runs/whole/scene.tif     # simulated, 25,000 x 17,000 pixels, 2.4 GB
    .venv/bin/python -m tests.benchmarks.by_height runs/whole/scene.tif --out runs/whole/maps

Each run is a process of its own: land cover, confidence and attention. Outputs of the last one stay in `--out`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

import rasterio

from tests.benchmarks.inference import OUTPUTS, bundled_model, child


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scene", type=Path, help="VV and VH in decibels, bands 1 and 2")
    parser.add_argument("--model", type=Path, help="a model file; the bundled one if left out")
    parser.add_argument(
        "--heights", type=int, nargs="+", default=[1024, 2048, 4096], help="rows in the middle; the whole scene follows"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the maps of the whole scene")
    chosen = parser.parse_args()
    model = chosen.model or bundled_model()
    chosen.out.mkdir(parents=True, exist_ok=True)
    with rasterio.open(chosen.scene) as scene:
        height, bounds, pixel_m = scene.height, scene.bounds, scene.res[1]
        size = f"{scene.width} x {height} px"
    print(f"{model.name}, {size}, {os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f} before\n")
    columns = ("rows", "windows run", "share of valid pixels", "seconds", "megapixels/s", "peak memory, MB", "of the first")
    print(f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|")
    first_mb = 0.0
    for rows in [*sorted(rows for rows in chosen.heights if rows < height), height]:
        middle = (bounds.top + bounds.bottom) / 2
        half_m = rows * pixel_m / 2
        box = (bounds.left, middle - half_m, bounds.right, middle + half_m)
        command = [sys.executable, "-m", "backend", "predict", "--scene", str(chosen.scene), "--units", "db", "--model", str(model)]
        command += ["--overwrite", "--json", "--bounds", *map(str, box)]
        command += [part for name in OUTPUTS for part in (f"--{name}", str(chosen.out / f"{name}.tif"))]
        seconds, peak_mb, told = child(command)
        result = json.loads(told)
        first_mb = first_mb or peak_mb
        rate = result["height"] * result["width"] / 1e6 / seconds
        cells = (f"{result['height']:,}", f"{result['windows_run']:,}", f"{result['valid_share']:.0%}", f"{seconds:.0f}")
        print(f"| {' | '.join(cells)} | {rate:.2f} | {peak_mb:.0f} | {peak_mb / first_mb:.3f} |", flush=True)
    print(f"\nload average {os.getloadavg()[0]:.1f} after")


if __name__ == "__main__":
    main()
