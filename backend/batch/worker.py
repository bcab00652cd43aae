# SPDX-License-Identifier: GPL-2.0-or-later
"""What runs on a worker of the cluster: one scene at a time, from its request to its end, both as lines of the protocol.

Requests and ends travel as JSON, so that only names of functions and texts are unpacked on the other side.
"""

from __future__ import annotations

import dataclasses
import signal
import threading
import time
from typing import Any

from distributed import get_worker

from ..outcome import outcome_of
from ..protocol import FromChild, JobRequest, JobWarning, Progress, Ready, decode, encode
from ..versions import versions

TELL_EVERY_S = 0.5

_stopped: set[str] = set()
_one_scene = threading.Lock()
"""GDAL's cache and torch's threads are the process's: a worker with several threads maps its scenes one after the other."""


def dask_setup(_worker: Any) -> None:
    """Called by Dask when an embedded worker starts. A Ctrl-C goes to the whole terminal: the batch ends its workers itself."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def worker_versions() -> dict[str, str]:
    """Versions of what this worker runs."""
    return versions()


def count_gpus() -> int:
    """CUDA devices that this worker sees."""
    import torch

    return int(torch.cuda.device_count())


async def stop(batch: str) -> None:
    """Makes the scenes of `batch` on this worker end as cancelled, those that run and those that begin later.

    A coroutine: Dask refuses to run a plain function without waiting for its answer.
    """
    _stopped.add(batch)


def map_scene(line: str, batch: str, number: int, gpu_of_its_own: bool) -> str:
    """Does the `JobRequest` in `line`; its `JobResult` or `JobFailure`, as a line.

    What goes on is told as events of the topic `batch`, of the scene `number`. With `gpu_of_its_own` the worker's name is the
    number of the CUDA device that it computes on.
    """
    worker = get_worker()
    with _one_scene:
        told = _Told(worker, batch, number)
        told.tell({"begun": worker.address})

        def run() -> Any:
            request = decode(line)
            if not isinstance(request, JobRequest):
                raise TypeError(f"a {request.type} message where a scene's request was expected")
            if gpu_of_its_own:
                request = dataclasses.replace(request, device=f"cuda:{worker.name}")
            from ..job import run_job

            return run_job(request, told.report, lambda: batch in _stopped)

        return encode(outcome_of(run))


class _Told:
    """Messages of a run as events of the cluster, progress not more often than `TELL_EVERY_S`."""

    def __init__(self, worker: Any, batch: str, number: int) -> None:
        self._worker, self._batch, self._number = worker, batch, number
        self._stage, self._told_at_s = "", 0.0

    def tell(self, event: dict[str, str]) -> None:
        self._worker.log_event(self._batch, {"number": self._number, **event})

    def report(self, message: FromChild) -> None:
        if isinstance(message, Progress):
            now_s = time.monotonic()
            if message.stage == self._stage and now_s - self._told_at_s < TELL_EVERY_S:
                return
            self._stage, self._told_at_s = message.stage, now_s
        if isinstance(message, (Progress, JobWarning, Ready)):
            self.tell({"message": encode(message)})
