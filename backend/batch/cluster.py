# SPDX-License-Identifier: GPL-2.0-or-later
"""The Dask cluster that a batch runs on: one of this machine, with a worker process a GPU or one for the CPU, or one that is there.

Whoever reaches a scheduler can make its workers run code. The embedded one therefore listens on the loopback interface alone, and
only to who holds the key that is made for this run (TLS): other accounts of the machine do not.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import dask
from distributed import Client, LocalCluster, Security

from ..protocol import ErrorCode, SardineError
from ..versions import SARDINE_VERSION
from . import worker

CONNECT_S = 10
START_S = 60
"""A worker process imports Dask from a cold disk in some seconds."""

SETTINGS: dict[str, object] = {
    # The scheduler puts the task of a dead worker on another one: once, then the scene has failed.
    "distributed.scheduler.allowed-failures": 1,
    "distributed.scheduler.work-stealing": False,
    # A worker that does not answer for five minutes is busy, as on a machine that does much else; its nanny notices a dead one.
    "distributed.scheduler.worker-ttl": None,
    # Dask's own are one thread for each library, where a scene is to use all cores.
    "distributed.nanny.pre-spawn-environ": {},
    # What a worker would do at a share of the memory that Dask does not know is ours: torch's and GDAL's.
    "distributed.worker.memory.terminate": False,
    "distributed.worker.memory.pause": False,
}


@dataclass(frozen=True)
class BatchCluster:
    """`gpu_each` says that each worker has the CUDA device of its name for itself."""

    client: Any
    gpu_each: bool

    def addresses(self) -> list[str]:
        """Addresses of the workers that are there now; none where the scheduler does not answer."""
        if self.client.status != "running":
            return []
        return list(self.client.scheduler_info(n_workers=-1)["workers"])


@contextlib.contextmanager
def open_cluster(scheduler: str | None, device: str) -> Iterator[BatchCluster]:
    """The cluster at the address `scheduler`, or one of this machine that ends with the context.

    Raises SardineError: cluster_unavailable.
    """
    logging.getLogger("distributed").setLevel(logging.ERROR)
    with dask.config.set(SETTINGS), contextlib.ExitStack() as stack:
        if scheduler is not None:
            yield _existing(scheduler, stack)
            return
        try:
            cluster = LocalCluster(
                n_workers=1,
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                protocol="tls://",
                security=Security.temporary(),
                dashboard_address=None,
                memory_limit=0,
                silence_logs=logging.ERROR,
                preload=[worker.__name__],
            )
            stack.callback(cluster.close, timeout=10)
            client = stack.enter_context(Client(cluster, set_as_default=False))
            gpus = next(iter(client.run(worker.count_gpus).values())) if device in ("auto", "cuda") else 0
            if gpus > 1:
                cluster.scale(gpus)
                client.wait_for_workers(gpus, timeout=START_S)
        except (OSError, RuntimeError, TimeoutError) as error:
            raise _unavailable(
                f"No worker process could be started ({error}).", "Run the batch again, or scene by scene."
            ) from error
        yield BatchCluster(client, gpus > 1)


def _existing(scheduler: str, stack: contextlib.ExitStack) -> BatchCluster:
    try:
        client = stack.enter_context(Client(scheduler, timeout=CONNECT_S, set_as_default=False))
        client.wait_for_workers(1, timeout=START_S)
    except (OSError, ValueError, TimeoutError) as error:
        action = f"Check that `dask scheduler` runs there and has workers (`dask worker {scheduler} --nthreads 1`)."
        raise _unavailable(f"The cluster at {scheduler} cannot be used ({error or type(error).__name__}).", action) from error
    found = client.run(worker.worker_versions, on_error="return")
    for address, answer in found.items():
        version = answer.get("sardine") if isinstance(answer, dict) else answer
        if version != SARDINE_VERSION:
            raise _unavailable(
                f"The worker {address} cannot run this backend ({version!r} instead of version {SARDINE_VERSION}).",
                "Start the workers with this folder in PYTHONPATH and the packages of requirements/backend.txt.",
            )
    return BatchCluster(client, gpu_each=False)


def _unavailable(found: str, action: str) -> SardineError:
    return SardineError(ErrorCode.CLUSTER_UNAVAILABLE, found, "A Dask cluster whose workers have this backend is needed.", action)
