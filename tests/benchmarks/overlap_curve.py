# SPDX-License-Identifier: GPL-2.0-or-later
"""How much overlap do windows need? Agreement with a reference of 50% overlap against cost, on scenes of your own.

    .venv/bin/python -m tests.benchmarks.overlap_curve --picture docs/overlap.png NAME=SCENE.tif …

Agreement is the share of valid pixels of one class with the reference. Cost is how often the network sees a pixel of a large scene,
(window / stride) squared: exact, and free of the machine's load. What the reference itself is worth is told by the same overlap on
the scene without its first rows and columns, so that windows lie elsewhere: what agrees as well as that gains nothing by more.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
import rasterio
from numpy.typing import NDArray

from backend.job import run_job
from backend.model_card import read_header
from backend.protocol import DEFAULT_OVERLAP, BandSource, JobRequest, OutputPaths
from backend.windows import window_stride
from tests.benchmarks.inference import bundled_model

mpl.use("Agg")
import matplotlib.pyplot as plt

OVERLAPS = (0.0, 0.0625, 0.125, 0.1875, 0.25, 0.375)
REFERENCE = 0.5
SHIFT_PX = 40
"""Rows and columns that the shifted reference leaves out: a multiple of the patch, but not of a stride."""

EDGE_PX = 224
"""Pixels next to the shifted reference's first rows and columns are not compared, for no overlap: their surroundings differ."""


@dataclass(frozen=True)
class Map:
    """Class codes and confidence in percent, [rows, columns], 0 and 255 nodata."""

    codes: NDArray[np.uint8]
    confidence: NDArray[np.uint8]


@dataclass(frozen=True)
class Agreement:
    """Share of valid pixels of one class, and the mean difference of confidence in percent."""

    same: float
    confidence_off: float


def map_of(scene: str, model: Path, overlap: float, spacing_m: float | None, shift_px: int = 0) -> Map:
    """The map of a scene, or of the scene without its first `shift_px` rows and columns."""
    with tempfile.TemporaryDirectory() as folder:
        paths = OutputPaths(landcover=f"{folder}/landcover.tif", confidence=f"{folder}/confidence.tif")
        request = JobRequest(
            (BandSource("", scene, 0),), str(model), paths, overlap=overlap, spacing_m=spacing_m, precision="fp32", device="cpu"
        )
        if shift_px:
            from backend.scene.open import open_scene

            with open_scene(request.bands, read_header(str(model)).card, spacing_m=spacing_m) as opened:
                xmin, ymin, xmax, ymax = opened.grid.bounds
                step_x, step_y = opened.grid.pixel_width * shift_px, opened.grid.pixel_height * shift_px
                crs = opened.grid.crs_wkt
            bounds = (xmin + step_x, ymin, xmax, ymax - step_y)
            request = JobRequest(**{**vars(request), "bounds": bounds, "bounds_crs": crs})
        run_job(request, lambda _: None, lambda: False)
        with rasterio.open(f"{folder}/landcover.tif") as codes, rasterio.open(f"{folder}/confidence.tif") as confidence:
            return Map(codes.read(1), confidence.read(1))


def agreement(one: Map, reference: Map) -> Agreement:
    """How far `one` is the reference."""
    valid = (reference.codes > 0) & (one.codes > 0)
    same = one.codes[valid] == reference.codes[valid]
    off = np.abs(one.confidence[valid].astype(float) - reference.confidence[valid])
    return Agreement(float(same.mean()), float(off.mean()))


def curve(scene: str, model: Path, spacing_m: float | None) -> dict[str, Agreement]:
    """Agreement by overlap, and under “shifted” that of the reference whose windows lie elsewhere; all of the same pixels."""

    def inner(found: Map, skip_px: int) -> Map:
        part = np.s_[skip_px:, skip_px:]
        return Map(found.codes[part], found.confidence[part])

    reference = inner(map_of(scene, model, REFERENCE, spacing_m), SHIFT_PX + EDGE_PX)
    found = {}
    for overlap in OVERLAPS:
        found[f"{overlap:g}"] = agreement(inner(map_of(scene, model, overlap, spacing_m), SHIFT_PX + EDGE_PX), reference)
    found["shifted"] = agreement(inner(map_of(scene, model, REFERENCE, spacing_m, SHIFT_PX), EDGE_PX), reference)
    return found


def draw(path: Path, costs: list[float], curves: dict[str, dict[str, Agreement]]) -> None:
    figure, axes = plt.subplots(figsize=(7, 4.5), dpi=120)
    for name, found in curves.items():
        line = axes.plot(costs, [100 * found[f"{overlap:g}"].same for overlap in OVERLAPS], marker="o", label=name)
        axes.axhline(100 * found["shifted"].same, color=line[0].get_color(), linestyle=":", linewidth=1)
    axes.axvline(costs[OVERLAPS.index(DEFAULT_OVERLAP)], color="grey", linewidth=0.8)
    axes.annotate(
        "default", (costs[OVERLAPS.index(DEFAULT_OVERLAP)], axes.get_ylim()[0]), xytext=(4, 6), textcoords="offset points"
    )
    for overlap, cost in zip(OVERLAPS, costs, strict=True):
        axes.annotate(f"{100 * overlap:.3g}%", (cost, axes.get_ylim()[1]), ha="center", va="bottom", fontsize=8)
    axes.set_xlabel("cost: how often the network sees a pixel")
    axes.set_ylabel(f"pixels of one class with {REFERENCE:.0%} overlap (%)")
    axes.legend()
    axes.grid(alpha=0.3)
    figure.text(
        0.01, 0.01, "Dotted: the reference with its windows elsewhere. Contains modified Copernicus Sentinel data.", fontsize=7
    )
    figure.tight_layout(rect=(0, 0.03, 1, 1))
    figure.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenes", nargs="+", metavar="NAME=SCENE", help="a name and a raster whose bands name their polarisations")
    parser.add_argument("--model", type=Path, help="a model file; the bundled one if left out")
    parser.add_argument("--spacing-m", type=float, help="of rasters without a coordinate system")
    parser.add_argument("--picture", type=Path, help="PNG of the curves")
    chosen = parser.parse_args()
    model = chosen.model or bundled_model()
    card = read_header(str(model)).card
    strides = [window_stride(card.window_px, card.patch_px, overlap) for overlap in OVERLAPS]
    costs = [(card.window_px / stride) ** 2 for stride in strides]
    curves = {}
    for text in chosen.scenes:
        name, _, scene = text.partition("=")
        curves[name] = curve(scene, model, chosen.spacing_m)
    print(f"{card.name}, window {card.window_px} px, patch {card.patch_px} px, float32\n")
    names = list(curves)
    print(f"| overlap | cost | {' | '.join(f'{name}: same class | confidence off' for name in names)} |")
    print("|---" * (2 + 2 * len(names)) + "|")
    for overlap, cost in zip(OVERLAPS, costs, strict=True):
        cells = [curves[name][f"{overlap:g}"] for name in names]
        values = " | ".join(f"{100 * cell.same:.2f}% | {cell.confidence_off:.2f}%" for cell in cells)
        print(f"| {overlap:.2%}{' (default)' if overlap == DEFAULT_OVERLAP else ''} | {cost:.2f} | {values} |")
    cells = [curves[name]["shifted"] for name in names]
    values = " | ".join(f"{100 * cell.same:.2f}% | {cell.confidence_off:.2f}%" for cell in cells)
    print(f"| {REFERENCE:.0%}, windows elsewhere | 4.00 | {values} |")
    if chosen.picture is not None:
        draw(chosen.picture, costs, curves)


if __name__ == "__main__":
    main()
