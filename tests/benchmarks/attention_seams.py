# SPDX-License-Identifier: GPL-2.0-or-later
"""Do attention maps show the windows that they were computed in? By scope, on scenes of your own.

    .venv/bin/python -m tests.benchmarks.attention_seams --picture docs/attention_scopes.png SCENE.tif …

The figure: attention becomes ranks (the share of patches below, so that no scale favours a scope). Along each border of two
windows, over the length of a window, the mean of the three patches beyond the overlap is compared with that of the three before
it; the root mean square of these steps is set against that of the same comparison inside windows. 1 means that borders are no
steeper than the land.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import matplotlib as mpl
import numpy as np
import rasterio

from backend.grid import PixelWindow
from backend.job import run_job
from backend.model_card import ModelCard, read_header
from backend.protocol import ATTENTION_SCOPES, BandSource, JobRequest, OutputPaths
from backend.windows import lay_windows
from tests.benchmarks.inference import starter_model

mpl.use("Agg")
import matplotlib.pyplot as plt

SIDE = 3
"""Patches on either side that are compared."""


def attention_of(scene: Path, model: Path, scope: str, overlap: float) -> tuple[np.ndarray, float]:
    """The mean attention of a scene, [rows, columns], NaN nodata, and the seconds that it took."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "attention.tif")
        request = JobRequest(
            bands=(BandSource("", str(scene), 0),),
            model=str(model),
            outputs=OutputPaths(attention=path),
            overlap=overlap,
            attention_scope=scope,
        )
        started_s = time.monotonic()
        run_job(request, lambda _: None, lambda: False)
        elapsed_s = time.monotonic() - started_s
        with rasterio.open(path) as file:
            return file.read(1), elapsed_s


def ranks(values: np.ndarray) -> np.ndarray:
    """Share of the valid values below each, 0 to 1; NaN stays."""
    found = np.full(values.shape, np.nan)
    there = np.isfinite(values)
    found[there] = np.searchsorted(np.sort(values[there]), values[there]) / there.sum()
    return found


def seam_steps(values: np.ndarray, card: ModelCard, overlap: float) -> tuple[float, float, int]:
    """Root mean square of the steps across borders, of those inside windows, and the number of borders."""
    side = card.window_px // card.patch_px
    height, width = (length * card.patch_px for length in values.shape)
    area = PixelWindow(0, 0, height, width)
    layout = lay_windows(area, height, width, window_px=card.window_px, patch_px=card.patch_px, overlap=overlap)
    rows, columns = ([start // card.patch_px for start in starts] for starts in (layout.row_starts, layout.column_starts))
    border, inside = [], []
    for plane, along, across in ((values, rows, columns), (values.T, columns, rows)):
        zones = [(after, before + side) for before, after in zip(across, across[1:], strict=False)]
        width_patches = max(1, min((end - start for start, end in zones), default=1))
        for start in along:
            segment = plane[start : start + side]
            border += [step(segment, *zone) for zone in zones]
            for place in range(SIDE, plane.shape[1] - width_patches - SIDE, 2):
                if all(place + width_patches + SIDE <= first or place - SIDE >= end for first, end in zones):
                    inside.append(step(segment, place, place + width_patches))
    return rms(border), rms(inside), len(border)


def step(segment: np.ndarray, first: int, end: int) -> float:
    """Mean of the patches after a zone less that of those before it; NaN where either holds none."""
    before, after = segment[:, max(0, first - SIDE) : first], segment[:, end : end + SIDE]
    if not (np.isfinite(before).any() and np.isfinite(after).any()):
        return float("nan")
    return float(np.nanmean(after) - np.nanmean(before))


def rms(values: list[float]) -> float:
    return float(np.sqrt(np.nanmean(np.square(values)))) if values else float("nan")


def draw(found: dict[str, dict[str, np.ndarray]], path: Path) -> None:
    """Ranks and attention as the plugin stretches it (2 to 98%), a row a scene, a pair of columns a scope."""
    figure, axes = plt.subplots(len(found), 4, figsize=(10, 2.7 * len(found)), squeeze=False)
    for line, (scene, by_scope) in zip(axes, found.items(), strict=True):
        for number, (scope, values) in enumerate(by_scope.items()):
            low, high = np.nanpercentile(values, [2, 98])
            line[2 * number].imshow(values, vmin=low, vmax=high, cmap="magma")
            line[2 * number + 1].imshow(ranks(values), cmap="magma")
            line[2 * number].set_title(f"{scope}: attention, 2 to 98%", fontsize=8)
            line[2 * number + 1].set_title(f"{scope}: ranks", fontsize=8)
        line[0].text(-0.08, 0.5, scene.split("_")[0], transform=line[0].transAxes, rotation=90, va="center", ha="right", fontsize=9)
    for axis in axes.flat:
        axis.axis("off")
    figure.text(0.01, 0.004, "Contains modified Copernicus Sentinel data.", fontsize=7)
    figure.tight_layout(rect=(0.02, 0.012, 1, 1))
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenes", nargs="+", type=Path)
    parser.add_argument("--model", type=Path, default=starter_model(), help="a model file; the starter if left out")
    parser.add_argument("--overlap", type=float, default=0.125)
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    card = read_header(str(arguments.model)).card
    found: dict[str, dict[str, np.ndarray]] = {}
    print("| scene | scope | step at borders | step inside | ratio | borders | seconds |\n|---|---|---|---|---|---|---|")
    for scene in arguments.scenes:
        for scope in reversed(ATTENTION_SCOPES):
            values, elapsed_s = attention_of(scene, arguments.model, scope, arguments.overlap)
            border, inside, count = seam_steps(ranks(values), card, arguments.overlap)
            print(f"| {scene.stem} | {scope} | {border:.3f} | {inside:.3f} | {border / inside:.2f} | {count} | {elapsed_s:.1f} |")
            found.setdefault(scene.stem, {})[scope] = values
    if arguments.picture:
        draw(found, arguments.picture)


if __name__ == "__main__":
    main()
