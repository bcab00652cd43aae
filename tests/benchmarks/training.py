# SPDX-License-Identifier: GPL-2.0-or-later
"""`make bench-training`: images a second of pre-training and fine-tuning, share of time waiting for data, images a second that the
feed makes where nothing is trained, share of the device's matrix products, peak memory; beside each the same step fed by a plain
torch DataLoader.

An image is a chip with all its views (pre-training: 2 global, 8 local), or a crop (fine-tuning). Everything is measured in one run
on one machine, each case in a process of its own. Ratios are what to compare between machines.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from tests.benchmarks.training_step import Case
from tests.test_training.made_stores import made_chip, write_store
from training.chips.encoding import FLOAT16, UINT8

ROOT = Path(__file__).parents[2]
NETWORKS = ("ViT-Ti/8", "ViT-S/16", "ViT-S/8")


def write_chips(folder: Path, chips: int, encoding: str) -> None:
    """Speckled fields, labelled."""
    rng = np.random.default_rng(0)

    def chip() -> tuple[np.ndarray, np.ndarray]:
        labels = rng.choice([10, 40, 80], (8, 8)).repeat(32, 0).repeat(32, 1).astype(np.uint8)
        level = np.select([labels == 10, labels == 40], [-8.0, -10.0], -19.0)
        speckle = 10 * np.log10(rng.gamma(4.4, 1 / 4.4, (2, 256, 256)))
        return (np.stack([level, level - 7]) + speckle).astype(np.float32), labels

    write_store(folder, {"train": [made_chip(*chip()) for _ in range(chips)], "validation": [made_chip(*chip())]}, encoding)


def cases(device: str, large: bool, steps: int) -> list[Case]:
    """The cases of a device: crops of the paper on a GPU, small ones on a CPU, where those would take an hour."""
    workers = min(8, os.cpu_count() or 1)
    found = []
    for network in NETWORKS:
        # On a GPU as many as fill it and fit into 80 GB; the crops of the paper on a CPU take 10 GB with 8.
        batch = (64 if network == "ViT-S/8" else 256) if device == "cuda" else 8
        sides = (224, 96) if large else (64, 32)
        found.append(Case("pretrain", network, "ours", device, batch, steps, *sides, workers=workers))
    for network in NETWORKS:
        side = 224 if large else 112
        batch = (64 if network == "ViT-S/8" else 128) if device == "cuda" else 8
        found.append(Case("finetune", network, "ours", device, batch, steps, side, workers=workers))
    return [dataclasses.replace(case, feed=feed) for case in found for feed in ("ours", "plain")]


def run(store: Path, case: Case) -> dict[str, float]:
    """What was measured, by a process of its own."""
    code = "import json, sys; from tests.benchmarks.training_step import measure; measure(sys.argv[1], json.loads(sys.argv[2]))"
    command = [sys.executable, "-c", code, str(store), json.dumps(dataclasses.asdict(case))]
    child = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if child.returncode != 0:
        raise SystemExit(f"{case} failed:\n{child.stderr[-2000:]}")
    measured: dict[str, float] = json.loads(child.stdout.splitlines()[-1])
    return measured


def reading(store: Path, chips: int) -> float:
    """Chips a second, read in random order and made decibels, in a process of its own."""
    code = (
        "import sys, time\nfrom pathlib import Path\nimport numpy as np\nfrom training.chips.store import open_store\n"
        "split = open_store(Path(sys.argv[1]))['train']\n"
        "rows = np.random.default_rng(0).permutation(len(split))\nsplit.read_db(rows)\n"
        "began = time.perf_counter()\n"
        "for row in rows.tolist():\n    split.read_db(row)\n"
        "print(len(rows) / (time.perf_counter() - began))\n"
    )
    child = subprocess.run([sys.executable, "-c", code, str(store)], cwd=ROOT, capture_output=True, text=True, check=True)
    return float(child.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=0, help="timed steps of a case; 0: 6 on a CPU, 30 on a GPU")
    parser.add_argument("--large", action="store_true", help="crops of 224 and 96 px on the CPU too")
    parser.add_argument("--device", choices=("cpu", "cuda"), help="one of those present alone")
    parser.add_argument("--network", choices=NETWORKS, help="one alone")
    parser.add_argument("--feed", choices=("ours", "plain"), help="one alone")
    chosen = parser.parse_args()
    devices = [chosen.device] if chosen.device else ["cpu"] + (["cuda"] if torch.cuda.is_available() else [])
    started_s = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        chips = 512 if "cuda" in devices else 96
        stores = {encoding: Path(name) / encoding for encoding in (FLOAT16, UINT8)}
        for encoding, store in stores.items():
            write_chips(store, chips, encoding)
            print(f"reading chips of 256 px, {encoding:10}   {reading(store, chips):8.0f} chips/s")
        for device in devices:
            what = torch.cuda.get_device_name() if device == "cuda" else f"CPU, {os.cpu_count()} cores"
            print(f"\n{what}; torch {torch.__version__}, bf16")
            heads = f"{'images/s':>10}{'waiting':>9}{'feed alone':>12}{'TFLOP/s':>9}{'of matmul':>11}{'of peak':>9}{'memory':>10}"
            print(f"{'':34}{heads}")
            large = device == "cuda" or chosen.large
            for case in cases(device, large, chosen.steps or (30 if device == "cuda" else 6)):
                if chosen.network not in (None, case.network) or chosen.feed not in (None, case.feed):
                    continue
                found = run(stores[FLOAT16], case)
                sides = f"{case.global_px}+{case.local_px}" if case.local_px else str(case.global_px)
                peak = f"{found['of_peak']:.1%}" if found["of_peak"] else "-"
                print(
                    f"{case.command:9}{case.network:9}{sides:>7}  {case.feed:7}{found['images_per_s']:10.1f}"
                    f"{found['waited']:9.1%}{found['fed_per_s']:12.1f}"
                    f"{found['tera_flops']:9.3f}{found['of_matmul']:11.1%}{peak:>9}{found['peak_mb']:7.0f} MB",
                    flush=True,
                )
        if devices == ["cpu"] and not torch.cuda.is_available():
            print("\nNo GPU is present: nothing was measured on one.")
    print(f"{(time.perf_counter() - started_s) / 60:.1f} minutes")


if __name__ == "__main__":
    main()
