# SPDX-License-Identifier: GPL-2.0-or-later
"""The child's end of the pipe: messages out on a stdout that is theirs alone, the request and a cancel in on stdin."""

from __future__ import annotations

import os
import sys
import threading
import time
from io import FileIO
from types import TracebackType
from typing import cast, get_args

from .protocol import Cancel, ErrorCode, Message, Progress, Request, SardineError, decode, encode

MAX_LINE_BYTES = 2**24
"""A request is a few kilobytes, of a batch some hundred a thousand scenes; a line without end must not fill the memory."""


class Outbox:
    """Writes messages to what was stdout. From its creation on, whatever else is printed goes to stderr.

    The file descriptor is moved, not only `sys.stdout`: libraries in C print as well.
    """

    def __init__(self) -> None:
        sys.stdout.flush()
        self._pipe = FileIO(os.dup(1), "wb")
        os.dup2(2, 1)
        sys.stdout = sys.stderr
        self._lock = threading.Lock()
        self._parent_gone = False

    def send(self, message: Message) -> None:
        """Writes one line. A parent that is gone is no error here: its absence is noticed on stdin."""
        with self._lock:
            if self._parent_gone:
                return
            try:
                self._pipe.write(encode(message).encode("ascii"))
            except OSError:
                self._parent_gone = True


class Inbox:
    """Reads the request, then watches stdin in a thread for a cancel or its end, which both cancel."""

    def __init__(self) -> None:
        # Unbuffered: Python aborts when it ends while a thread still waits inside sys.stdin's buffer.
        self._stream = FileIO(0, "rb", closefd=False)
        self._cancelled = threading.Event()

    def request(self) -> Request:
        """The first line as a request. Raises SardineError: request_invalid, protocol_mismatch, or cancelled (stdin ended)."""
        line = self._next_line()
        if not line:
            raise cancelled_error()
        message = decode(line)
        if isinstance(message, Cancel):
            raise cancelled_error()
        if not isinstance(message, get_args(Request)):
            raise SardineError(
                ErrorCode.REQUEST_INVALID,
                f"A {message.type} message was received.",
                "The first line must be a request.",
                "See backend/protocol.py.",
            )
        threading.Thread(target=self._watch, name="stdin", daemon=True).start()
        return cast(Request, message)

    def cancelled(self) -> bool:
        return self._cancelled.is_set()

    def _next_line(self) -> bytes:
        try:
            return self._stream.readline(MAX_LINE_BYTES)
        except OSError:  # no stdin, or one that broke: as much the end as its end
            return b""

    def _watch(self) -> None:
        while line := self._next_line():
            try:
                if isinstance(decode(line), Cancel):
                    break
            except SardineError as error:
                print(f"ignored on stdin: {error.found}", file=sys.stderr)
        self._cancelled.set()


class Heartbeat:
    """Sends the newest progress when it changes, at most ten times a second and at least once a second while inside `with`.

    A batch may take longer than a second: the thread repeats what is known, so that the parent can tell slow from dead.
    """

    def __init__(self, outbox: Outbox, first: Progress) -> None:
        self._outbox = outbox
        self._newest = first
        self._sent_s = 0.0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> Heartbeat:
        self._outbox.send(self._newest)
        self._sent_s = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, _type: type[BaseException] | None, _value: BaseException | None, _trace: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()

    def update(self, progress: Progress) -> None:
        with self._lock:
            changed_stage = progress.stage != self._newest.stage
            self._newest = progress
            now_s = time.monotonic()
            if changed_stage or progress.done >= progress.total or now_s - self._sent_s >= 0.1:
                self._sent_s = now_s
                self._outbox.send(progress)

    def _beat(self) -> None:
        while not self._stop.wait(0.25):
            with self._lock:
                now_s = time.monotonic()
                if now_s - self._sent_s >= 0.75:
                    self._sent_s = now_s
                    self._outbox.send(self._newest)


def cancelled_error() -> SardineError:
    return SardineError(ErrorCode.CANCELLED, "The run was cancelled.", "", "Nothing was written.", refused=False)
