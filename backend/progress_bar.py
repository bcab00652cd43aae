# SPDX-License-Identifier: GPL-2.0-or-later
"""Progress on a terminal: one line on stderr, with rate and time left."""

from __future__ import annotations

import sys
from typing import Any

from tqdm import tqdm

from .protocol import Progress


class ProgressBar:
    """One tqdm bar a stage. Where stderr is no terminal it is redrawn rarely, so that logs stay short."""

    def __init__(self) -> None:
        self._bar: tqdm[Any] | None = None
        self._stage = ""

    def update(self, progress: Progress) -> None:
        if progress.total <= 1:  # a step without parts: its name is all there is to show
            if progress.stage != self._stage:
                self.close()
                self._stage, self._bar = progress.stage, None
                print(progress.stage, file=sys.stderr, flush=True)
            return
        if self._bar is None or progress.stage != self._stage:
            self.close()
            self._stage = progress.stage
            bar = self._bar = tqdm(
                total=progress.total,
                initial=progress.done,  # of a run that goes on: no part of this one's rate
                desc=progress.stage,
                unit=" steps",
                mininterval=0.1 if sys.stderr.isatty() else 15,
                leave=True,
            )
        else:
            bar = self._bar
        if progress.rate_mpx_s is not None:
            bar.set_postfix_str(f"{progress.rate_mpx_s:.2f} megapixels/s", refresh=False)
        bar.update(progress.done - bar.n)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
