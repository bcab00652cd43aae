# SPDX-License-Identifier: GPL-2.0-or-later
"""What a country a season costs: hours of each part for a thousand scenes, from measured rates; the slowest part is the bottleneck.

`python -m tests.benchmarks.season_cost` prints the table of docs/many_scenes.md. Each input is an argument: a new measurement needs
no new arithmetic.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass


@dataclass(frozen=True)
class Inputs:
    """Megapixels are of whole scenes, nodata included; rates with `_mpx_s` are megapixels a second of one worker."""

    scenes: int = 1000
    scene_mpx: float = 425.0
    valid_share: float = 0.75
    map_mpx_s: float = 0.65
    read_mpx_s: float = 42.0
    warp_mpx_s: float = 5.0
    start_s: float = 4.0
    workers: int = 1
    download_gb: float = 1.0
    network_gbit_s: float = 1.0
    result_bytes_px: float = 0.85


def parts(inputs: Inputs, warped: bool) -> dict[str, float]:
    """Hours of each part of the whole season, each by itself: parts overlap, so that the longest is about the whole."""
    pixels = inputs.scenes * inputs.scene_mpx
    hour_s = 3600.0 * inputs.workers
    return {
        "network forward": pixels * inputs.valid_share / inputs.map_mpx_s / hour_s,
        "reading" + (" and warping" if warped else ""): pixels / (inputs.warp_mpx_s if warped else inputs.read_mpx_s) / hour_s,
        "start of the workers": inputs.workers * inputs.start_s / 3600.0 / inputs.workers,
        "download": inputs.scenes * inputs.download_gb * 8 / inputs.network_gbit_s / 3600.0,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in vars(Inputs()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    inputs = Inputs(**vars(parser.parse_args()))
    print("| part | scenes read as they are | products or scenes in degrees |\n|---|---|---|")
    plain, warped = parts(inputs, warped=False), parts(inputs, warped=True)
    for (name, hours), other in zip(plain.items(), warped.values(), strict=True):
        marks = ["**" if hours == max(plain.values()) else "", "**" if other == max(warped.values()) else ""]
        print(f"| {name} | {marks[0]}{hours:,.1f} h{marks[0]} | {marks[1]}{other:,.1f} h{marks[1]} |")
    worker_h = [max(hours.values()) * inputs.workers for hours in (plain, warped)]
    print(f"| worker hours | {worker_h[0]:,.0f} | {worker_h[1]:,.0f} |")
    print(f"\nResults: {inputs.scenes * inputs.scene_mpx * inputs.result_bytes_px / 1e6:.2f} TB")


if __name__ == "__main__":
    main()
