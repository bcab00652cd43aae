# SPDX-License-Identifier: GPL-2.0-or-later
"""The next step's batch, made while the network works on this one."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Batch = TypeVar("Batch")


class Feeder(Generic[Batch]):
    """Batches of steps `first` to `steps`, in order, made by a thread one step ahead. `waited_s` is how long `take` has waited."""

    def __init__(self, make: Callable[[int], Batch], first: int, steps: int) -> None:
        self._make, self._step, self._steps = make, first, steps
        self._pool = ThreadPoolExecutor(max_workers=1)
        self._next: Future[Batch] | None = None
        self.waited_s = 0.0

    def __enter__(self) -> Feeder[Batch]:
        self._submit()
        return self

    def _submit(self) -> None:
        if self._step < self._steps:
            self._next = self._pool.submit(self._make, self._step)
            self._step += 1

    def take(self) -> Batch:
        """The batch of the next step. Raises what making it raised."""
        assert self._next is not None
        began = time.monotonic()
        batch = self._next.result()
        self.waited_s += time.monotonic() - began
        self._submit()
        return batch

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
