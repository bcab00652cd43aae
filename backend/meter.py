# SPDX-License-Identifier: GPL-2.0-or-later
"""How far a run is, how fast it goes and how long it will take."""

from __future__ import annotations

import time
from collections.abc import Callable

from .protocol import Progress
from .windows import WindowLayout

STAGE = "mapping"


class Meter:
    """Progress in windows. The rate counts scene pixels of the area, each once however many windows see it."""

    def __init__(self, layout: WindowLayout, report: Callable[[Progress], None], window_rows: int = 0) -> None:
        """`window_rows` rows of windows were done by an earlier run, in time that is not this run's."""
        self._total, self._report = layout.count, report
        self._window_mpx = layout.area.height * layout.area.width / layout.count / 1e6
        self._started_s = time.monotonic()
        self._earlier = self._done = window_rows * len(layout.column_starts)
        self._run = 0
        report(Progress(STAGE, self._done, self._total))

    def skip(self, windows: int) -> None:
        if windows:
            self._done += windows
            self._tell()

    def ran(self, windows: int) -> None:
        self._done += windows
        self._run += windows
        self._tell()

    def _tell(self) -> None:
        elapsed_s = time.monotonic() - self._started_s
        if self._run == 0 or elapsed_s <= 0.0:
            self._report(Progress(STAGE, self._done, self._total))
            return
        left_s = elapsed_s / self._run * (self._total - self._done)  # if none of the windows to come is skipped
        rate_mpx_s = (self._done - self._earlier) * self._window_mpx / elapsed_s
        self._report(Progress(STAGE, self._done, self._total, rate_mpx_s, left_s))
