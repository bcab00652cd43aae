# SPDX-License-Identifier: GPL-2.0-or-later
"""What a person's terminal can do to a run: nothing."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import TextIO


class Console(io.TextIOBase):
    """A text stream for people that never ends a run.

    Letters that its encoding lacks are escaped (Windows' code pages know no Polish folder, LC_ALL=C no “…”). Where the reader
    is gone (`| head`), or the stream is closed or on a full disk, what is told is lost: the exit status and the files tell too.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")

    def write(self, text: str) -> int:
        if self._stream is not None:
            try:
                self._stream.write(text)
            except (OSError, ValueError):  # ValueError: it is closed
                self._give_up()
        return len(text)

    def flush(self) -> None:
        if self._stream is not None:
            try:
                self._stream.flush()
            except (OSError, ValueError):
                self._give_up()

    def isatty(self) -> bool:
        return self._stream is not None and not self._stream.closed and self._stream.isatty()

    def fileno(self) -> int:
        if self._stream is None:
            raise io.UnsupportedOperation("fileno")
        return self._stream.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]  # tqdm asks whether it can draw blocks
        return getattr(self._stream, "encoding", None) or "ascii"

    def _give_up(self) -> None:
        # Python flushes its streams once more when it ends, and would complain (docs: "Note on SIGPIPE" of module signal).
        with contextlib.suppress(OSError, ValueError, AttributeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())  # type: ignore[union-attr]
        self._stream = None


@contextlib.contextmanager
def consoles() -> Iterator[None]:
    """Makes stdout and stderr `Console`s inside the `with`."""
    before = sys.stdout, sys.stderr
    made = Console(sys.stdout), Console(sys.stderr)
    sys.stdout, sys.stderr = made
    try:
        yield
    finally:
        for console in made:
            console.flush()
        sys.stdout, sys.stderr = before
