# SPDX-License-Identifier: GPL-2.0-or-later
"""The state that a pre-training goes on from: all weights, the optimiser, the centre, and the settings that it holds for."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import torch

from training.checkpoint import config_json
from training.dino import Dino
from training.pretrain_config import PretrainConfig

STATE = "state.pt"
STATE_FORMAT = 1

FREE_TO_CHANGE = {
    "out", "resume", "dry_run", "threads", "device", "log_steps", "save_minutes", "health_steps", "probe_chips", "stop_on_collapse",
    "tensorboard",
}  # fmt: skip
"""Settings that do not change what is learnt: a run may go on with others."""


def save_state(folder: Path, state: dict[str, Any]) -> None:
    """Replaces the folder's state in one step; what was there stays where writing fails, with OSError."""
    part = folder / (STATE + ".part")
    try:
        torch.save({"format": STATE_FORMAT, **state}, part)
        part.replace(folder / STATE)
    except (OSError, RuntimeError) as error:  # torch tells a full disk as a RuntimeError
        part.unlink(missing_ok=True)
        raise OSError(str(error).splitlines()[0][:120]) from error


def load_state(config: PretrainConfig) -> dict[str, Any]:
    """What the run in `config.out` came to: tensors and plain values alone are read (`weights_only`).

    Raises ValueError where the file is cut short, is no state, or is of a run with other settings.
    """
    path = config.out / STATE
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError, KeyError, ValueError) as error:
        raise ValueError(
            f"{path} cannot be read, it is cut short or no training state ({str(error).splitlines()[0]:.120})"
        ) from error
    if not isinstance(state, dict) or state.get("format") != STATE_FORMAT:
        raise ValueError(f"{path} is not a training state of format {STATE_FORMAT}")
    changed = changed_settings(json.loads(state["config"]), json.loads(config_json(config)))
    if changed:
        raise ValueError(f"{config.out} cannot go on with other settings than it began with: {', '.join(changed)}")
    return state


def changed_settings(before: dict[str, Any], now: dict[str, Any], path: str = "") -> list[str]:
    """The settings that differ, as `data.chip_px: 128 became 256`; those free to change are left out."""
    found = []
    for key in sorted(before.keys() | now.keys()):
        name = path + key
        if name in FREE_TO_CHANGE:
            continue
        old, new = before.get(key), now.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            found += changed_settings(old, new, name + ".")
        elif old != new:
            found.append(f"{name}: {old} became {new}")
    return found


def state_bytes(dino: Dino) -> int:
    """Size of a saved state: student and teacher, AdamW's two averages."""
    parameters = sum(parameter.numel() for parameter in dino.student.parameters())
    return 4 * (4 * parameters + dino.centre.numel())


def drop_later_lines(path: Path, step: int) -> None:
    """Removes the lines of steps after the one that the run goes on from; they will come again."""
    kept = []
    for line in path.read_text().splitlines() if path.is_file() else []:
        try:
            values = json.loads(line)
        except ValueError:  # a process that was killed may have left half a line, the last one
            break
        if values.get("step", 0) <= step:
            kept.append(line + "\n")
    path.write_text("".join(kept))
