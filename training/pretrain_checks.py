# SPDX-License-Identifier: GPL-2.0-or-later
"""What a pre-training needs of the machine, told before it begins: memory, disk, packages, and a run folder that is free."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import torch
from torch import Tensor

from training.checkpoint import CHECKPOINT, METRICS
from training.dino import Dino
from training.distributed import Team
from training.pretrain_config import PretrainConfig
from training.pretrain_state import STATE, state_bytes


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
