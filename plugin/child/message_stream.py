# SPDX-License-Identifier: GPL-2.0-or-later
"""Bytes from the backend's pipes become messages, and an excerpt of everything else."""

from __future__ import annotations

from collections import deque

from ...backend.protocol import ErrorCode, FromChild, Message, SardineError, decode

MAX_LINE_BYTES = 4 * 2**20
"""A result message is a few kB. A line beyond this is not one of ours and must not fill QGIS's memory."""


class Excerpt:
    """The first and the last lines of a text of any length: the cause of an error stands at one end or the other."""

    def __init__(self, head_lines: int = 40, tail_lines: int = 80, line_chars: int = 2000) -> None:
        self._head: list[str] = []
        self._tail: deque[str] = deque(maxlen=tail_lines)
        self._head_lines = head_lines
        self._line_chars = line_chars
        self._left_out = 0
        self._rest = b""

    def feed(self, chunk: bytes) -> None:
        """Adds `chunk`, which may end in the middle of a line or of a letter."""
        *lines, rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            self.add(line)
        self._rest = rest[-4 * self._line_chars :]

    def add(self, line: bytes) -> None:
        """Adds one whole line. Bytes that are not UTF-8 are shown as escapes."""
        text = line.decode("utf-8", "backslashreplace").rstrip("\r")[: self._line_chars]
        if len(self._head) < self._head_lines:
            self._head.append(text)
            return
        if len(self._tail) == self._tail.maxlen:
            self._left_out += 1
        self._tail.append(text)

    @property
    def text(self) -> str:
        """Head, a line that says how many lines are left out, and tail."""
        gap = [f"[{self._left_out} lines left out]"] if self._left_out else []
        rest = [self._rest.decode("utf-8", "backslashreplace")] if self._rest.strip() else []
        return "\n".join([*self._head, *gap, *self._tail, *rest]).strip()


class MessageStream:
    """Splits the backend's stdout into messages, wherever the pipe happened to cut it.

    A line that is no message is kept in `stray`: a library may have printed it before the backend took stdout over.
    """

    def __init__(self) -> None:
        self.stray = Excerpt()
        self._rest = b""

    def feed(self, chunk: bytes) -> list[FromChild]:
        """The messages that `chunk` completes, in order.

        Raises SardineError (protocol_mismatch) where the other side speaks another version.
        """
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if len(self._rest) > MAX_LINE_BYTES:
            self.stray.add(self._rest[:1000])
            self._rest = b""
        messages: list[FromChild] = []
        for line in lines:
            message = self._message(line)
            if message is not None:
                messages.append(message)
        return messages

    def _message(self, line: bytes) -> Message | None:
        if not line.strip():
            return None
        try:
            return decode(line)
        except SardineError as error:
            if error.code is ErrorCode.PROTOCOL_MISMATCH:
                raise
            self.stray.add(line)
            return None
