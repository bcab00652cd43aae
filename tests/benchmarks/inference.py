# SPDX-License-Identifier: GPL-2.0-or-later
"""`make bench`: one table of rate, efficiency, memory, time to the first progress and cancel latency, by device and precision.

Each run is a process of its own, so that its peak memory is that run's. Rates are megapixels of scene a second. Each ratio is of
measurements of one repeat, one right after the other; figures are the median with the least and the greatest. Ratios are what to
compare between machines. With `--record` the figures go to the end of `history.csv` beside this file, which is committed.

    .venv/bin/python -m tests.benchmarks.inference --record     # takes half an hour on two CPU cores
    .venv/bin/python -m tests.benchmarks.inference --side 1024  # a first look, in a few minutes
"""

from __future__ import annotations

import argparse
import csv
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from backend.protocol import DEFAULT_OVERLAP, BandSource, JobRequest, OutputPaths, encode
from tests.benchmarks.made_scene import write_made_scene

ROOT = Path(__file__).parents[2]
HISTORY = Path(__file__).with_name("history.csv")
OUTPUTS = ("landcover", "confidence", "attention")


@dataclass
class Figures:
    """All repeats of one device and precision, by what was measured; `batch` and `label` say on what."""

    device: str
    precision: str
    label: str = ""
    batch: int = 0
    values: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, value: float) -> None:
        self.values.setdefault(name, []).append(value)

    def text(self, name: str, digits: int) -> str:
        """Median, and the range of several repeats."""
        found = self.values.get(name)
        if not found:
            return "–"
        middle = f"{statistics.median(found):.{digits}f}"
        return middle if len(found) == 1 else f"{middle} ({min(found):.{digits}f}–{max(found):.{digits}f})"


ROWS = (
    ("rate_mpx_s", "end to end, megapixels/s", 3),
    ("efficiency", "of the bare forward of the same windows, %", 1),
    ("efficiency_with_start", "the same with start-up in the time, %", 1),
    ("over_bound", "run over the larger of forward and files", 2),
    ("bare_mpx_s", "bare forward, megapixels/s of scene", 3),
    ("read_mpx_s", "bare reading, megapixels/s", 1),
    ("write_mpx_s", "bare writing, megapixels/s", 1),
    ("hello_s", "time to hello, s", 2),
    ("first_s", "time to the first windows done, s", 2),
    ("cancel_s", "cancel to the end of the process, s", 2),
    ("peak_mb", "peak memory of the square scene, MB", 0),
    ("peak_tall_mb", "of one four times as high, MB", 0),
    ("peak_wide_mb", "of one four times as wide, MB", 0),
    ("bare_peak_mb", "of the bare forward (torch and the model), MB", 0),
)


def bundled_model() -> Path:
    """What a benchmark measures where no model is named."""
    return next((ROOT / "resources" / "models").glob("*.safetensors"))


def starter_model() -> Path:
    """The model that saw simulated scenes alone, which docs/samples.md and docs/attention_scopes.png are of; the bundled one began
    from it.
    """
    return ROOT / "training" / "models" / "sardine-starter.safetensors"


def end_to_end(scene: Path, model: Path, folder: Path, device: str, precision: str) -> dict[str, float]:
    """Seconds, peak MB and windows of one `predict` with land cover, confidence and attention."""
    command = [sys.executable, "-m", "backend", "predict", "--band", f"VV={scene}:1", "--band", f"VH={scene}:2", "--units", "db"]
    command += ["--model", str(model), "--overwrite", "--json", "--device", device, "--precision", precision]
    command += [part for name in OUTPUTS for part in (f"--{name}", str(folder / f"{name}.tif"))]
    seconds, peak_mb, out = child(command)
    result = json.loads(out)
    return {"s": seconds, "run_s": result["elapsed_s"], "peak_mb": peak_mb, "windows": result["windows_run"]}


def bare(what: str, **arguments: object) -> dict[str, float]:
    """What a function of `bare.py` measures, with the peak MB of its process."""
    _, peak_mb, out = child([sys.executable, "-m", "tests.benchmarks.bare", what, json.dumps(arguments)])
    return {**json.loads(out.splitlines()[-1]), "peak_mb": peak_mb}


def first_messages(scene: Path, model: Path, folder: Path, device: str, precision: str) -> tuple[float, float, float]:
    """Seconds from the start of `job` to its hello and to its first finished windows, and from a cancel then to its end."""
    outputs = OutputPaths(landcover=str(folder / "first.tif"))
    bands = (BandSource("VV", str(scene), 1), BandSource("VH", str(scene), 2))
    request = JobRequest(bands, str(model), outputs, units="db", device=device, precision=precision)
    started_s = time.perf_counter()
    command = [sys.executable, "-m", "backend", "job"]
    child = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    if child.stdin is None or child.stdout is None:
        raise SystemExit("no pipes")
    child.stdin.write(encode(request).encode())
    child.stdin.flush()
    hello_s = first_s = 0.0
    for line in child.stdout:
        message = json.loads(line)
        hello_s = hello_s or time.perf_counter() - started_s
        if message["type"] == "progress" and message["stage"] == "mapping" and message["done"] > 0:
            first_s = time.perf_counter() - started_s
            break
    cancelled_s = time.perf_counter()
    child.stdin.close()  # cancels
    child.stdout.read()
    child.stdout.close()
    child.wait()
    return hello_s, first_s, time.perf_counter() - cancelled_s


def measure(figures: Figures, scenes: dict[str, Path], side: int, model: Path, folder: Path) -> None:
    """One repeat of all but the memory by size."""
    square = scenes["square"]
    where = {"device": figures.device, "precision": figures.precision}
    whole = end_to_end(square, model, folder, **where)
    forward = bare(
        "forward",
        scene_path=str(square),
        model_path=str(model),
        windows=int(whole["windows"]),
        device_name=figures.device,
        precision_name=figures.precision,
    )
    outputs = {name: str(folder / f"{name}.tif") for name in OUTPUTS}
    on_disk = bare("files", scene_path=str(square), model_path=str(model), outputs=outputs, overlap=DEFAULT_OVERLAP)
    megapixels = side * side / 1e6
    figures.batch = int(forward["batch"])
    figures.add("rate_mpx_s", megapixels / whole["run_s"])
    figures.add("efficiency", 100 * forward["s"] / whole["run_s"])
    figures.add("efficiency_with_start", 100 * forward["s"] / whole["s"])
    figures.add("over_bound", whole["run_s"] / max(forward["s"], on_disk["read_s"] + on_disk["write_s"]))
    figures.add("bare_mpx_s", megapixels / forward["s"])
    figures.add("read_mpx_s", megapixels / on_disk["read_s"])
    figures.add("write_mpx_s", megapixels / on_disk["write_s"])
    figures.add("peak_mb", whole["peak_mb"])
    figures.add("bare_peak_mb", forward["peak_mb"])
    for name, seconds in zip(("hello_s", "first_s", "cancel_s"), first_messages(square, model, folder, **where), strict=True):
        figures.add(name, seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="a model file; the bundled one if left out")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--side", type=int, default=4096, help="of the square scene, in pixels")
    parser.add_argument("--devices", nargs="+", help="cpu, cuda; all there are if left out")
    parser.add_argument("--precisions", nargs="+", choices=("fp32", "bf16"), help="those that a device computes fast if left out")
    parser.add_argument("--no-memory", action="store_true", help="leave out the scenes four times as high and as wide")
    parser.add_argument("--record", action="store_true", help=f"append the figures to {HISTORY.name}")
    chosen = parser.parse_args()
    model = chosen.model or bundled_model()
    found = _on_what(chosen.devices, chosen.precisions)
    load = os.getloadavg()[0]
    size = f"{chosen.side} x {chosen.side} px"
    print(f"model {model.name}, {size}, {os.cpu_count()} cores, load average {load:.1f} before, {_commit()}\n")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scenes = {"square": write_made_scene(folder / "square.tif", chosen.side, chosen.side)}
        for _ in range(chosen.repeats):
            for figures in found:
                measure(figures, scenes, chosen.side, model, folder)
        scenes["square"].unlink()
        if not chosen.no_memory:
            for shape, size in (("tall", (4 * chosen.side, chosen.side)), ("wide", (chosen.side, 4 * chosen.side))):
                scene = write_made_scene(folder / f"{shape}.tif", *size)
                for figures in found:
                    run = end_to_end(scene, model, folder, figures.device, figures.precision)
                    figures.add(f"peak_{shape}_mb", run["peak_mb"])
                scene.unlink()
    print(as_table(found))
    print(f"\nload average {os.getloadavg()[0]:.1f} after")
    if chosen.record:
        _record(found, model.stem, chosen.side, load)


def as_table(found: list[Figures]) -> str:
    """One row a figure, one column a device and precision, in Markdown."""
    lines = [
        "| | " + " | ".join(f"{f.label}, {f.precision}, batch {f.batch}" for f in found) + " |",
        "|---" * (1 + len(found)) + "|",
    ]
    lines += [f"| {label} | {' | '.join(f.text(name, digits) for f in found)} |" for name, label, digits in ROWS]
    return "\n".join(lines)


def _on_what(devices: list[str] | None, precisions: list[str] | None) -> list[Figures]:
    from backend.network.device import describe_devices

    there = {info.name.partition(":")[0]: info for info in reversed(describe_devices())}
    labels = {name: f"{os.cpu_count()} CPU cores" if name == "cpu" else info.label for name, info in there.items()}
    return [
        Figures(device, precision, labels[device])
        for device in devices or sorted(there)
        for precision in precisions or (("fp32", "bf16") if there[device].bf16 else ("fp32",))
    ]


def _record(found: list[Figures], model: str, side: int, load: float) -> None:
    new = not HISTORY.exists()
    names = [name for name, *_ in ROWS]
    with HISTORY.open("a", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if new:
            spread = [column for name in names for column in (name, f"{name}_least", f"{name}_most")]
            writer.writerow(
                ("date", "commit", "machine", "load", "model", "side_px", "device", "precision", "batch", "repeats", *spread)
            )
        for figures in found:
            cells: list[object] = [datetime.datetime.now(datetime.timezone.utc).date().isoformat(), _commit(), _machine(figures)]
            cells += [f"{load:.1f}", model, side, figures.device, figures.precision, figures.batch]
            cells.append(len(figures.values["rate_mpx_s"]))
            for name in names:
                values = figures.values.get(name, [])
                cells += [f"{v:.5g}" for v in (statistics.median(values), min(values), max(values))] if values else ["", "", ""]
            writer.writerow(cells)
    print(f"appended to {HISTORY.relative_to(ROOT)}")


def _machine(figures: Figures) -> str:
    """The kind of machine, without its name."""
    cpu = next((line.split(":", 1)[1].strip() for line in _cpu_lines() if line.startswith("model name")), platform.processor())
    return f"{cpu}, {os.cpu_count()} cores" + (f"; {figures.label}" if figures.device != "cpu" else "")


def _cpu_lines() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def _commit() -> str:
    done = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "no commit"


def child(command: list[str]) -> tuple[float, float, str]:
    """Seconds, peak MB and stdout of a process. Exits where it fails."""
    started_s = time.perf_counter()
    with tempfile.TemporaryFile() as errors:
        child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors)
        out = child.stdout.read().decode() if child.stdout else ""
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - started_s
        if status != 0:
            errors.seek(0)
            raise SystemExit(f"{' '.join(command)} failed: {out[-500:]} {errors.read().decode()[-2000:]}")
    return seconds, usage.ru_maxrss / 1024, out


if __name__ == "__main__":
    main()
