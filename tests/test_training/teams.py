# SPDX-License-Identifier: GPL-2.0-or-later
"""Trainings of two processes, as `torchrun` starts them, for tests that stop or kill them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil


def start_team(root: Path, port: int, more: list[str], out: Path) -> tuple[subprocess.Popen[str], int]:
    """Two processes that train until they are stopped: the launcher, and the process id of the second one."""
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", str(port)]
    process = subprocess.Popen(
        [*command, "-m", "training.run", *more],
        cwd=root,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )
    began = time.monotonic()
    while not (out / "metrics.jsonl").is_file() or '"loss"' not in (out / "metrics.jsonl").read_text():
        assert time.monotonic() - began < 90
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.05)
    workers = [child for child in psutil.Process(process.pid).children() if child.environ().get("RANK") == "1"]
    return process, workers[0].pid
