# SPDX-License-Identifier: GPL-2.0-or-later
"""The run folder: resolved settings, where the code stood, metrics line by line, and the checkpoint."""

from __future__ import annotations

import dataclasses
import json
import os
import pickle
import platform
import subprocess
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

CHECKPOINT = "checkpoint.pt"
METRICS = "metrics.jsonl"
ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Checkpoint:
    """What a run has come to. `weights` are the averaged ones where the run averages; `card` is the model card as JSON;
    `report` holds the last validation, provenance included.
    """

    weights: dict[str, Tensor]
    card: str
    config: str
    step: int
    report: dict[str, Any]


def start_run(folder: Path, config: Any) -> dict[str, Any]:
    """Makes the run folder, writes `config.json` and `provenance.json` into it, and returns the provenance.

    Raises FileExistsError where the folder already holds a run.
    """
    if (folder / CHECKPOINT).exists() or (folder / METRICS).exists():
        raise FileExistsError(f"{folder} already holds a run. Choose another folder with --out, or remove it.")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(config_json(config))
    provenance = {
        "commit": current_commit(),
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("torch", "timm", "numpy", "rasterio")},
    }
    (folder / "provenance.json").write_text(json.dumps(provenance, indent=1))
    return provenance


def config_json(config: Any) -> str:
    """The resolved settings as JSON."""
    return json.dumps(dataclasses.asdict(config), indent=1, default=str)


def current_commit() -> str:
    """The commit of the code, with `+changes` where the working tree differs. Outside a git checkout, as on a cluster that is sent
    the files alone: what the environment variable SARDINE_COMMIT says, or `unknown`.
    """
    try:
        commit = _git("rev-parse", "HEAD")
        changed = _git("status", "--porcelain", "--", "training", "backend")
    except (OSError, subprocess.CalledProcessError):
        return os.environ.get("SARDINE_COMMIT", "unknown")
    return commit + ("+changes" if changed else "")


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()  # noqa: S603


def append_metrics(folder: Path, **values: Any) -> None:
    """Adds one line to metrics.jsonl."""
    with (folder / METRICS).open("a") as file:
        file.write(json.dumps(values) + "\n")


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Replaces the folder's checkpoint in one step: an interrupted write, or a full disk, leaves the last one whole and no part."""
    part = folder / (CHECKPOINT + ".part")
    try:
        torch.save({**dataclasses.asdict(checkpoint), "report": json.dumps(checkpoint.report)}, part)
        part.replace(folder / CHECKPOINT)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def load_checkpoint(folder: Path) -> Checkpoint:
    """The folder's checkpoint. Only tensors and plain values are unpickled (`weights_only`).

    Raises FileNotFoundError, and ValueError for a file that is cut short, carries code, or is no checkpoint.
    """
    path = folder / CHECKPOINT
    if not path.is_file():
        raise FileNotFoundError(f"{folder} holds no {CHECKPOINT}. Run `python -m training.run finetune` or `pretrain` first.")
    try:
        data = torch.load(path, map_location="cpu", weights_only=True)
        return Checkpoint(**{**data, "report": json.loads(data["report"])})
    except (RuntimeError, EOFError, pickle.UnpicklingError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} cannot be read, it is cut short or no checkpoint ({str(error).splitlines()[0]:.120})") from error
