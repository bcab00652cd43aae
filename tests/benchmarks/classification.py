# SPDX-License-Identifier: GPL-2.0-or-later
"""How long a map from samples takes: 20 polygons on 4096 x 4096 pixels, and a preview of 1000 x 1000.

    python -m tests.benchmarks.classification

Beside each time stands the processors' time: on a machine that does other work too it is what can be compared. On a simulated
scene, each run a process of its own from its start to its last file, judging by held-out samples included but for
the previews. The previews speak the plugin's protocol, as the panel does. Features are computed once before, and timed too.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine

from backend.protocol import BandSource, ClassifySamplesRequest, SceneInput, encode
from tests.benchmarks.inference import starter_model

ROOT = Path(__file__).parents[2]
SIDE_PX = 4096
PREVIEW_PX = 1000
POLYGON_PX = 15
GROUPS = {"dB": ("db",), "all features": ("attention", "tokens", "db")}


def simulate(folder: Path) -> Path:
    """A simulated scene of SIDE_PX x SIDE_PX pixels; its label lies beside it."""
    config = ["--config", "training/configs/simulate_demo.yaml", "--out", str(folder)]
    size = ["--height_px", str(SIDE_PX), "--width_px", str(SIDE_PX)]
    subprocess.run(
        [sys.executable, "-m", "training.run", "simulate", *config, *size], check=True, cwd=ROOT, stderr=subprocess.DEVNULL
    )
    return folder / "scene_00000.tif"


def draw(label: Path, path: Path) -> None:
    """Five squares of each of the four commonest classes that fill nine tenths of them, as GeoJSON."""
    rng = np.random.default_rng(0)
    with rasterio.open(label) as file:
        codes, transform, crs = file.read(1), file.transform, file.crs
    common = np.argsort(np.bincount(codes[codes > 0]))[::-1][:4]
    features = []
    for code in common:
        found = 0
        while found < 5:
            row, column = rng.integers(0, SIDE_PX - POLYGON_PX, 2).tolist()
            if np.mean(codes[row : row + POLYGON_PX, column : column + POLYGON_PX] == code) < 0.9:
                continue
            features.append({"type": "Feature", "properties": {"class": f"c{code}"}, "geometry": square(transform, row, column)})
            found += 1
    named = {"type": "name", "properties": {"name": crs.to_string()}}
    path.write_text(json.dumps({"type": "FeatureCollection", "crs": named, "features": features}))


def square(transform: Affine, row: int, column: int) -> dict[str, object]:
    steps = ((0, 0), (0, POLYGON_PX), (POLYGON_PX, POLYGON_PX), (POLYGON_PX, 0), (0, 0))
    ring = [list(transform @ (column + right, row + down)) for down, right in steps]
    return {"type": "Polygon", "coordinates": [ring]}


def command(*arguments: str) -> tuple[float, float]:
    """Seconds of `python -m backend`, and the processors' seconds in it."""
    started_s = time.perf_counter()
    line = [sys.executable, "-m", "backend", *arguments]
    child = subprocess.Popen(line, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    said = child.stderr.read() if child.stderr else b""
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"the run failed: {said.decode()[-500:]}")
    return time.perf_counter() - started_s, usage.ru_utime + usage.ru_stime


def preview(request: ClassifySamplesRequest) -> tuple[float, float]:
    """Seconds from the start of `job` to its result, and the processor's seconds in it."""
    code = (
        "import sys; from backend.__main__ import main; status = main(['job']); "
        "sys.exit('torch was imported' if 'torch' in sys.modules else status)"
    )
    started_s = time.perf_counter()
    child = subprocess.Popen([sys.executable, "-P", "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             env={**os.environ, "PYTHONPATH": str(ROOT)})  # fmt: skip
    if child.stdin is None or child.stdout is None:
        raise SystemExit("no pipes")
    child.stdin.write(encode(request).encode())
    child.stdin.flush()
    kinds = [json.loads(line)["type"] for line in child.stdout]
    seconds = time.perf_counter() - started_s
    _, status, usage = os.wait4(child.pid, 0)
    if status or kinds[-1] != "task_result":
        raise SystemExit(f"the preview failed (status {status}, {kinds[-1]})")
    return seconds, usage.ru_utime + usage.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=starter_model(), help="a model file; the starter if left out")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--without-features", action="store_true", help="measure what needs no run of the network")
    chosen = parser.parse_args()
    groups = {"dB": GROUPS["dB"]} if chosen.without_features else GROUPS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scene = simulate(folder)
        samples = folder / "samples.geojson"
        draw(scene.with_name("label_00000.tif"), samples)
        common = ["--scene", str(scene), "--model", str(chosen.model), "--units", "db", "--cache", str(folder / "cache")]
        print(
            f"{SIDE_PX} x {SIDE_PX} pixels, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; each figure: all repeats, in s"
        )
        if not chosen.without_features:
            print(
                f"{'features, once':<32} {times([command('features', *common, '--output', str(folder / 'f.tif'))])}",
                flush=True,
            )
        for label, chosen_groups in groups.items():
            for method in ("logistic", "forest"):
                outputs = [
                    "--classes",
                    str(folder / "c.tif"),
                    "--confidence",
                    str(folder / "p.tif"),
                    "--html",
                    str(folder / "r.html"),
                ]
                line = ["classify", *common, "--samples", str(samples), "--class-field", "class", "--method", method]
                line += ["--features", *chosen_groups, *outputs, "--overwrite"]
                told = times([command(*line) for _ in range(chosen.repeats)])
                print(f"{f'map, {method}, {label}':<32} {told}", flush=True)
        with rasterio.open(scene) as file:
            left, top = file.transform @ (1500, 1500)
            right, bottom = file.transform @ (1500 + PREVIEW_PX, 1500 + PREVIEW_PX)
        for label, chosen_groups in groups.items():
            source = SceneInput(
                (BandSource("VV", str(scene), 1), BandSource("VH", str(scene), 2)), str(chosen.model), units="db",
                bounds=(left, bottom, right, top), cache=str(folder / "cache"),
            )  # fmt: skip
            request = ClassifySamplesRequest(
                source, str(samples), "class", "logistic", chosen_groups, validate=False, cached_only=True,
                classes=str(folder / "preview.tif"), confidence=str(folder / "unsure.tif"), overwrite=True,
            )  # fmt: skip
            told = times([preview(request) for _ in range(max(3, chosen.repeats))])
            print(f"{f'preview of {PREVIEW_PX} x {PREVIEW_PX}, {label}':<32} {told}")


def times(found: Sequence[tuple[float, float]]) -> str:
    """All seconds, and the least of the processors'."""
    return f"{' / '.join(f'{seconds:.1f}' for seconds, _ in found)} ({min(cpu for _, cpu in found):.1f} of the processors)"


if __name__ == "__main__":
    main()
