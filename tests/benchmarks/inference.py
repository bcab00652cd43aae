# SPDX-License-Identifier: GPL-2.0-or-later
"""`make bench`: end-to-end rate, the raw forward of the same windows, peak memory by height, time to the first message.

Everything is measured in one run on one machine, each end-to-end run in a process of its own, so that peak memory is that
run's. Rates are megapixels of scene a second. Ratios are what to compare between machines; the rates themselves are not.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import rasterio
from rasterio.transform import from_origin
from rasterio.windows import Window

from backend.protocol import BandSource, JobRequest, OutputPaths, encode

ROOT = Path(__file__).parents[2]
WIDTH = 4096


def write_scene(path: Path, height: int) -> None:
    """A speckled scene in dB, VV and VH, tiled as most COGs are; written in strips so that this costs no memory either."""
    rng = np.random.default_rng(0)
    profile = {
        "driver": "GTiff",
        "height": height,
        "width": WIDTH,
        "count": 2,
        "dtype": "float32",
        "crs": "EPSG:32633",
        "tiled": True,
    }
    with rasterio.open(path, "w", transform=from_origin(500_000, 5_400_000, 10, 10), nodata=float("nan"), **profile) as file:
        for row in range(0, height, 512):
            level = np.array([-10.0, -17.0], np.float32)[:, None, None]
            strip = level + 10 * np.log10(rng.gamma(4.4, 1 / 4.4, (2, 512, WIDTH))).astype(np.float32)
            file.write(strip, window=Window(0, row, WIDTH, 512))
        file.descriptions = ("VV", "VH")


def end_to_end(scene: Path, model: Path, folder: Path) -> dict[str, float]:
    """Seconds, peak MB and windows of one `predict` with land cover, confidence and attention, in a process of its own."""
    command = [sys.executable, "-m", "backend", "predict", "--band", f"VV={scene}:1", "--band", f"VH={scene}:2", "--units", "db"]
    command += ["--model", str(model), "--overwrite", "--json"]
    command += [part for name in ("landcover", "confidence", "attention") for part in (f"--{name}", str(folder / f"{name}.tif"))]
    started_s = time.perf_counter()
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    out = child.stdout.read() if child.stdout else b""
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - started_s
    if status != 0:
        raise SystemExit(f"the run failed: {out.decode()[-500:]}")
    result = json.loads(out)
    return {"s": seconds, "run_s": result["elapsed_s"], "peak_mb": usage.ru_maxrss / 1024, "windows": result["windows_run"]}


def raw_forward(scene: Path, model: Path, windows: int) -> dict[str, float]:
    """Seconds of the bare forward of `windows` windows of the scene, in a process of its own, at the same precision and batch."""
    code = f"from tests.benchmarks.forward import measure; measure({str(scene)!r}, {str(model)!r}, {windows})"
    child = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    measured: dict[str, float] = json.loads(child.stdout.splitlines()[-1])
    return measured


def first_messages(scene: Path, model: Path, folder: Path) -> tuple[float, float]:
    """Seconds from the start of `job` to its hello and to its first finished windows; the run is then cancelled."""
    outputs = OutputPaths(landcover=str(folder / "first.tif"))
    request = JobRequest((BandSource("VV", str(scene), 1), BandSource("VH", str(scene), 2)), str(model), outputs, units="db")
    started_s = time.perf_counter()
    child = subprocess.Popen([sys.executable, "-m", "backend", "job"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    if child.stdin is None or child.stdout is None:
        raise SystemExit("no pipes")
    child.stdin.write(encode(request).encode())
    child.stdin.flush()
    hello_s = first_s = 0.0
    for line in child.stdout:
        message = json.loads(line)
        hello_s = hello_s or time.perf_counter() - started_s
        if message["type"] == "progress" and message["done"] > 0:
            first_s = time.perf_counter() - started_s
            break
    child.stdin.close()  # cancels
    child.stdout.read()
    child.stdout.close()
    child.wait()
    return hello_s, first_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="a model file; the bundled one if left out")
    parser.add_argument("--repeats", type=int, default=2)
    chosen = parser.parse_args()
    model = chosen.model or next((ROOT / "resources" / "models").glob("*.safetensors"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scenes = {height: folder / f"scene{height}.tif" for height in (4096, 16384)}
        for height, path in scenes.items():
            write_scene(path, height)
        print(f"model {model.name}, scene {WIDTH} px wide, {os.cpu_count()} cores; each figure: all repeats")
        rates, shares = [], []
        for _ in range(chosen.repeats):
            whole = end_to_end(scenes[4096], model, folder)
            bare = raw_forward(scenes[4096], model, int(whole["windows"]))
            rates.append(4096 * WIDTH / 1e6 / whole["s"])
            shares.append((bare["s"] / whole["run_s"], bare["s"] / whole["s"]))
            small_mb = whole["peak_mb"]
        print(f"end to end, 4096 x 4096          {_list(rates)} megapixels/s ({bare['precision']}, batch {bare['batch']})")
        print(f"raw forward of the same windows  {16.78 / bare['s']:.2f} megapixels/s of scene (last repeat)")
        print(f"efficiency                       {_list([100 * share for share, _ in shares])} %")
        print(f"  with the start-up in the time  {_list([100 * share for _, share in shares])} %")
        tall = end_to_end(scenes[16384], model, folder)
        print(f"peak memory, 4096 x 4096         {small_mb:.0f} MB")
        print(f"peak memory, 4096 x 16384        {tall['peak_mb']:.0f} MB ({100 * (tall['peak_mb'] / small_mb - 1):+.1f} %)")
        hello_s, first_s = first_messages(scenes[4096], model, folder)
        print(f"time to hello                    {hello_s:.2f} s")
        print(f"time to the first windows done   {first_s:.2f} s")


def _list(values: list[float]) -> str:
    return " / ".join(f"{value:.2f}" for value in values)


if __name__ == "__main__":
    main()
