# SPDX-License-Identifier: GPL-2.0-or-later
"""What a training needs of the machine, told before it begins: memory, disk, packages, and a run folder that is free."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from training.checkpoint import CHECKPOINT, METRICS
from training.distributed import Team
from training.state import STATE


class RunSettings(Protocol):
    """What the settings of every training have."""

    @property
    def out(self) -> Path: ...
    @property
    def batch_size(self) -> int: ...
    @property
    def tensorboard(self) -> bool: ...
    @property
    def resume(self) -> bool: ...


def settings_problems(config: RunSettings, team: Team) -> list[str]:
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


def kept_bytes(network: nn.Module, forward: Callable[[], Tensor]) -> int:
    """What the backward pass keeps of one `forward` of `network`, its weights left out."""
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    weights = {parameter.untyped_storage().data_ptr() for parameter in network.parameters()}
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        output = forward()  # held until here, so that no address is used twice
    return sum(size for address, size in kept.items() if address not in weights) + 4 * output.nbytes


def parameter_count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def free_memory_bytes(device: torch.device) -> int | None:
    """Memory that is free on the device; None where this machine does not tell."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    told = Path("/proc/meminfo")
    if device.type == "cpu" and told.is_file():
        lines = dict(line.split(":", 1) for line in told.read_text().splitlines())
        return int(lines["MemAvailable"].split()[0]) * 1024
    return None


def machine_problems(out: Path, needed_bytes: int, free_bytes: int | None, state_bytes: int) -> list[str]:
    """Where memory or disk do not suffice; `state_bytes` is the size of a saved state."""
    problems = []
    if free_bytes is not None and needed_bytes > free_bytes:
        problems.append(
            f"about {needed_bytes / 1e9:.1f} GB of memory are needed, {free_bytes / 1e9:.1f} GB are free: lower batch_size"
        )
    # The last state and the one before stay until the next one is whole; the checkpoint is smaller than a state.
    disk_bytes = 4 * state_bytes
    folder = next(parent for parent in (out, *out.resolve().parents) if parent.exists())
    free_disk = shutil.disk_usage(folder).free
    if disk_bytes > free_disk:
        problems.append(f"checkpoints need {disk_bytes / 1e9:.2f} GB of disk, {folder} has {free_disk / 1e9:.2f} GB")
    return problems


def needs_text(needed_bytes: int, free_bytes: int | None, state_bytes: int) -> str:
    """What a run takes, for the person who starts it."""
    free = "unknown" if free_bytes is None else f"{free_bytes / 1e9:.1f} GB"
    return f"about {needed_bytes / 1e9:.2f} GB of memory a process ({free} free), {state_bytes / 1e6:.0f} MB a saved state"
