# SPDX-License-Identifier: GPL-2.0-or-later
"""The state that a training goes on from: all weights, the optimiser, and the settings that it holds for."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import torch

from training.checkpoint import config_json

STATE = "state.pt"
STATE_BEFORE = "state_before.pt"
STATE_FORMAT = 2

FREE_TO_CHANGE = {
    "out", "resume", "dry_run", "threads", "device", "log_steps", "save_minutes", "health_steps", "probe_chips", "stop_on_collapse",
    "tensorboard",
}  # fmt: skip
"""Settings that do not change what is learnt: a run may go on with others."""


def save_state(folder: Path, command: str, state: dict[str, Any]) -> None:
    """Replaces the folder's state in one step and keeps the one before; what was there stays where writing fails, with OSError."""
    part, now, before = (folder / name for name in (STATE + ".part", STATE, STATE_BEFORE))
    try:
        torch.save({"format": STATE_FORMAT, "command": command, **state}, part)
        if now.is_file():
            kept = before.with_name(before.name + ".part")
            kept.unlink(missing_ok=True)
            try:
                os.link(now, kept)  # so that there is a state under its name at every moment
            except OSError:  # a file system without links
                shutil.copyfile(now, kept)
            kept.replace(before)
        part.replace(now)
    except (OSError, RuntimeError) as error:  # torch tells a full disk as a RuntimeError
        part.unlink(missing_ok=True)
        raise OSError(str(error).splitlines()[0][:120]) from error


def load_state(config: Any, command: str) -> dict[str, Any]:
    """What the run of `command` in `config.out` came to: tensors and plain values alone are read (`weights_only`).

    Raises ValueError where the file is cut short, is no state, or is of another command or a run with other settings.
    """
    path = config.out / STATE
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError, KeyError, ValueError) as error:
        advice = f"; the state before it is in {STATE_BEFORE}" if (config.out / STATE_BEFORE).is_file() else ""
        raise ValueError(
            f"{path} cannot be read, it is cut short or no training state ({str(error).splitlines()[0]:.120}){advice}"
        ) from error
    if not isinstance(state, dict) or state.get("format") != STATE_FORMAT:
        raise ValueError(f"{path} is not a training state of format {STATE_FORMAT}")
    if state["command"] != command:
        raise ValueError(f"{config.out} holds a run of {state['command']}, not of {command}")
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
        elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new) and _are_settings(old + new):
            # One by one, so that a setting that came later, and is None, is none that changed.
            for number, (before_one, one) in enumerate(zip(old, new, strict=True)):
                found += changed_settings(before_one, one, f"{name}[{number}].")
        elif old != new:
            found.append(f"{name}: {old} became {new}")
    return found


def _are_settings(values: list[Any]) -> bool:
    return all(isinstance(value, dict) for value in values)


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
