# SPDX-License-Identifier: GPL-2.0-or-later
"""Several processes that train one model, each on batches of its own: started by `torchrun`, or a single process.

Gradients are averaged after each backward, as DistributedDataParallel does; the model stays a plain module, which keeps the
averaged weights and the checkpoint the same in both cases. On a CPU, processes of one thread each also hold their speed where
other programs share the cores: threads of one process wait for their slowest at every layer.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed import DistBackendError

from backend.network.device import choose_device


@dataclass(frozen=True)
class Team:
    """The number of this process among `size` processes. Number 0 speaks, validates and saves."""

    rank: int
    size: int

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replaces the gradients by their mean over the team; a parameter that no loss reached keeps none."""
        if self.size == 1:
            return
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        dist.all_reduce(flat)
        flat /= self.size
        start = 0
        for gradient in gradients:
            gradient.copy_(flat[start : start + gradient.numel()].view_as(gradient))
            start += gradient.numel()

    def mean(self, tensor: Tensor) -> Tensor:
        """The mean of the processes' tensors of one shape."""
        if self.size == 1:
            return tensor
        shared = tensor.clone()
        dist.all_reduce(shared)
        return shared / self.size

    def agree(self, value: float, device: torch.device) -> float:
        """The leader's `value`, in every process."""
        if self.size == 1:
            return value
        shared = torch.tensor([value], dtype=torch.float64, device=device)
        dist.broadcast(shared, 0)
        return float(shared)

    def share_weights(self, tensors: Iterable[Tensor]) -> None:
        """Copies the leader's tensors to every process."""
        if self.size > 1:
            for tensor in tensors:
                dist.broadcast(tensor.data, 0)

    def disband(self) -> None:
        if self.size > 1:
            dist.destroy_process_group()


ALONE = Team(0, 1)


def form_team(device: torch.device) -> Team:
    """The team that `torchrun` set up in the environment (WORLD_SIZE, RANK), or this process alone."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size > 1:
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return Team(int(os.environ.get("RANK", "0")), size)


def team_device(wanted: str) -> torch.device:
    """The device `wanted`; with several processes and no number given, each takes the GPU of its own number."""
    local_rank = os.environ.get("LOCAL_RANK")
    if local_rank is not None and wanted in ("auto", "cuda") and torch.cuda.is_available():
        wanted = f"cuda:{int(local_rank)}"
    device = choose_device(wanted)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    return device


@contextmanager
def team_for(device: torch.device, state: Path) -> Iterator[Team]:
    """The team for as long as it works. Raises ConnectionError, which names the last saved `state`, where a process was lost."""
    team = form_team(device)
    try:
        yield team
    except RuntimeError as error:
        if team.size > 1 and _is_lost_connection(error):
            saved = (
                f"The last good checkpoint is {state}: start the team again with --resume true."
                if state.is_file()
                else f"Nothing was saved yet in {state.parent}: start the team again with another --out."
            )
            raise ConnectionError(f"Another process of the team was lost. {saved}") from error
        raise
    finally:
        team.disband()


def _is_lost_connection(error: RuntimeError) -> bool:
    """Whether a collective failed: NCCL has a type for it, gloo (torch/csrc/distributed/c10d/ProcessGroupGloo) only words."""
    text = str(error).lower()
    return isinstance(error, DistBackendError) or "gloo" in text or "connection closed by peer" in text
