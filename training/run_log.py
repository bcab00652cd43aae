# SPDX-License-Identifier: GPL-2.0-or-later
"""What a training says while it runs: to the person at the terminal, to metrics.jsonl and to TensorBoard. And how it ends early."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from training.checkpoint import append_metrics
from training.distributed import Team
from training.state import STATE

SHOWN_EVERY_S = 2.0


class RunLog:
    """Of a run of `command` in `out`; the leading process of a team speaks and writes alone. `saved_step` is of the last state."""

    def __init__(self, command: str, out: Path, team: Team, tensorboard: bool) -> None:
        self.command, self.out, self._team = command, out, team
        self.saved_step: int | None = None
        self._shown = 0.0
        self._board: Any = None
        self._wants_board = tensorboard and team.leads

    def say(self, text: str, end: str = "\n") -> None:
        """A line for the person at the terminal."""
        if self._team.leads:
            print(text, end=end, file=sys.stderr, flush=True)

    def progress(self, text: str, *, at_once: bool = False) -> None:
        """The same for the line of progress: at most one in two seconds, on a terminal over the last one."""
        now = time.monotonic()
        if at_once or now - self._shown > SHOWN_EVERY_S:
            self._shown = now
            self.say(text, "\r" if sys.stderr.isatty() else "\n")

    def write(self, step: int, values: dict[str, Any], group: str = "") -> None:
        """A line of metrics.jsonl, the values under the key `group` where one is given; and their curves."""
        if not self._team.leads:
            return
        append_metrics(self.out, step=step, **({group: values} if group else values))
        if self._wants_board and self._board is None:
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(str(self.out / "tensorboard"))
        if self._board is not None:
            for name, value in values.items():
                if isinstance(value, (int, float)):
                    self._board.add_scalar(f"{group}/{name}" if group else name, value, step)

    def close(self) -> None:
        """Writes out the curves."""
        if self._board is not None:
            self._board.close()

    def last_good(self) -> str:
        """A sentence that names the last saved state; nothing in the team's other processes, which do not save."""
        if self.saved_step is None:
            return ""
        return f"The last good checkpoint is {self.out / STATE}, step {self.saved_step}."

    def stop_for_interrupt(self, step: int) -> NoReturn:
        """Tells how to go on with what was saved at `step`; raises KeyboardInterrupt."""
        self.say(f"\nStopped and saved at step {step}. Go on with:")
        self.say(f"  python -m training.run {self.command} --config {self.out / 'config.json'} --resume true")
        raise KeyboardInterrupt

    def stop_for_divergence(self, step: int, what: str, chips: Sequence[str]) -> NoReturn:
        """Raises FloatingPointError. `step` is counted from 0; the `chips` of its batch go into diverged.json."""
        if self._team.leads:
            (self.out / "diverged.json").write_text(json.dumps({"step": step, "chips": list(chips)}, indent=1))
        raise FloatingPointError(
            f"{what} at step {step}, with {', '.join(chips[:4])}{' and others' if len(chips) > 4 else ''} "
            f"(all of them in {self.out / 'diverged.json'}). {self.last_good()} Lower --learning_rate."
        )

    def saving_failed(self, step: int, error: Exception) -> OSError:
        """The failure of saving `step`; what was saved before stays."""
        return OSError(f"Step {step} could not be saved ({str(error).splitlines()[0]:.120}). {self.last_good()}")
