# SPDX-License-Identifier: GPL-2.0-or-later
"""What a pre-training needs of the machine, told before it begins: memory, disk, packages, and an earlier run to go on with."""

from __future__ import annotations

import importlib.util
import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from training.checkpoint import CHECKPOINT, METRICS, config_json
from training.dino import Dino
from training.distributed import Team
from training.pretrain_config import PretrainConfig

STATE = "state.pt"
STATE_FORMAT = 1

FREE_TO_CHANGE = {
    "out", "resume", "dry_run", "threads", "device", "log_steps", "save_minutes", "health_steps", "probe_chips", "stop_on_collapse",
    "tensorboard",
}  # fmt: skip
"""Settings that do not change what is learnt: a run may go on with others."""


def settings_problems(config: PretrainConfig, team: Team) -> list[str]:
    """What stands against the run before its data are looked at."""
    problems = []
    begun = (config.out / CHECKPOINT).exists() or (config.out / METRICS).exists()
    if begun and not config.resume:
        problems.append(f"{config.out} already holds a run: go on with it (--resume true), or choose another --out")
    if config.resume and not (config.out / STATE).is_file():
        problems.append(f"{config.out} holds no {STATE} to go on from")
    if config.batch_size % team.size:
        problems.append(f"batch_size {config.batch_size} cannot be split among {team.size} processes")
    if config.tensorboard and importlib.util.find_spec("tensorboard") is None:
        problems.append("tensorboard is not installed: install it, or leave --tensorboard out")
    return problems


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


def memory_bytes(dino: Dino, global_views: Tensor, local_views: Tensor | None, chips: int, bf16: bool) -> int:
    """Estimate of what training on batches of `chips` takes: weights, gradients and averages, and what the backward pass keeps
    of the views of one chip (measured on those given), times `chips`.
    """
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    weights = {parameter.untyped_storage().data_ptr() for parameter in dino.student.parameters()}
    groups = [global_views] if local_views is None else [global_views, local_views]
    with (
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
        torch.autocast(global_views.device.type, torch.bfloat16, enabled=bf16),
    ):
        logits = dino.student(groups)  # held until here, so that no address is used twice
    each = sum(size for address, size in kept.items() if address not in weights) + 4 * logits.nbytes
    parameters = sum(parameter.numel() for parameter in dino.student.parameters())
    return int(4 * 5 * parameters + each * chips * 2 // len(global_views))


def free_memory_bytes(device: torch.device) -> int | None:
    """Memory that is free on the device; None where this machine does not tell."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    told = Path("/proc/meminfo")
    if device.type == "cpu" and told.is_file():
        lines = dict(line.split(":", 1) for line in told.read_text().splitlines())
        return int(lines["MemAvailable"].split()[0]) * 1024
    return None


def machine_problems(config: PretrainConfig, needed_bytes: int, free_bytes: int | None, dino: Dino) -> list[str]:
    """Where memory or disk do not suffice."""
    problems = []
    if free_bytes is not None and needed_bytes > free_bytes:
        problems.append(
            f"about {needed_bytes / 1e9:.1f} GB of memory are needed, {free_bytes / 1e9:.1f} GB are free: lower batch_size"
        )
    # The last state stays until the next one is whole; the checkpoint holds one encoder.
    disk_bytes = 3 * state_bytes(dino)
    folder = next(parent for parent in (config.out, *config.out.resolve().parents) if parent.exists())
    free_disk = shutil.disk_usage(folder).free
    if disk_bytes > free_disk:
        problems.append(f"checkpoints need {disk_bytes / 1e9:.2f} GB of disk, {folder} has {free_disk / 1e9:.2f} GB")
    return problems
