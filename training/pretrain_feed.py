# SPDX-License-Identifier: GPL-2.0-or-later
"""The next step's views, made while the network works."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from torch import Tensor

Views = tuple[Tensor, Tensor | None]
"""Global views [2 N, bands, S, S], and local ones [count N, bands, s, s] where there are any; view by view."""


class Feeder:
    """Views of steps `first` to `steps`, in order, made by a thread one step ahead. `waited_s` is how long `take` has waited."""

    def __init__(self, make: Callable[[int], Views], first: int, steps: int) -> None:
        self._make, self._step, self._steps = make, first, steps
        self._pool = ThreadPoolExecutor(max_workers=1)
        self._next: Future[Views] | None = None
        self.waited_s = 0.0

    def __enter__(self) -> Feeder:
        self._submit()
        return self

    def _submit(self) -> None:
        if self._step < self._steps:
            self._next = self._pool.submit(self._make, self._step)
            self._step += 1

    def take(self) -> Views:
        """The views of the next step. Raises what making them raised."""
        assert self._next is not None
        began = time.monotonic()
        views = self._next.result()
        self.waited_s += time.monotonic() - began
        self._submit()
        return views

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
