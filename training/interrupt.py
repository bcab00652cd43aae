# SPDX-License-Identifier: GPL-2.0-or-later
"""Ctrl-C and SIGTERM during a training."""

from __future__ import annotations

import signal
import sys
from types import FrameType
from typing import Any

from training.distributed import Team


class Interrupt:
    """Ctrl-C and SIGTERM as a wish to stop after the step: a stop in the middle of one could not be gone on from exactly.

    A second Ctrl-C of a single process stops at once. In a team the launcher passes signals on, so that they come twice.
    """

    def __init__(self, team: Team) -> None:
        self.wanted = False
        self._team = team
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interrupt:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._note)
        return self

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if self.wanted and number == signal.SIGINT and self._team.size == 1:
            raise KeyboardInterrupt
        if not self.wanted and self._team.leads:
            print("\nStopping after this step, and saving.", file=sys.stderr, flush=True)
        self.wanted = True

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
