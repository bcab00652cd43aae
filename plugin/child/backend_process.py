# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs one job in a child process and tells its four ends apart: done, cancelled, refused or failed by report, died."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol, get_args

from qgis.PyQt.QtCore import QIODevice, QProcess, QThread

from ...backend.protocol import (
    Cancel,
    ErrorCode,
    FromChild,
    Hello,
    JobFailure,
    Progress,
    Request,
    Result,
    SardineError,
    ToChild,
    encode,
)
from ..error_text import error_of
from ..translation import tr
from .backend_environment import BackendCommand
from .message_stream import Excerpt, MessageStream
from .short_process import process_environment

REQUIRED_PACKAGES = ("torch", "timm", "rasterio", "numpy", "safetensors")
"""What `hello` must name a version of. It says so without importing them, so a wrong interpreter shows at once."""


@dataclass(frozen=True)
class Patience:
    """How long each step of a child's life may take. A cold Python on a network drive needs many seconds to say hello.

    Without progress for `stalled_s` the listener is told; the child is left alone. A cancel that is not obeyed within `cancel_s`
    and `terminate_s` ends in a kill: the child's unfinished files are then removed here, so nothing is lost by haste.
    """

    start_s: float = 30.0
    hello_s: float = 60.0
    stalled_s: float = 60.0
    cancel_s: float = 2.0
    terminate_s: float = 0.5
    leave_s: float = 10.0
    poll_ms: int = 100


class Listener(Protocol):
    """Who started the job. Called from the thread that runs it, between two polls."""

    def is_cancelled(self) -> bool:
        """Whether the job is to stop."""

    def on_message(self, message: FromChild) -> None:
        """Told each message that is not the end of the job."""

    def on_stalled(self, seconds: float) -> None:
        """Told once when there has been no progress for `seconds`, and with 0 when it goes on after all."""


class BackendError(SardineError):
    """A SardineError that comes with `log`: what the backend had printed, head and tail."""

    def __init__(self, code: ErrorCode, found: str, needed: str, action: str, *, refused: bool = True, log: str = "") -> None:
        super().__init__(code, found, needed, action, refused=refused)
        self.log = log


class BackendRun:
    """One child process, from start to end. Blocks its thread, never longer than a poll without looking for a cancel.

    QProcess is used without an event loop, so that this works in a worker thread, in `qgis_process` and in a script alike,
    and no user event is handled in the middle of a job.
    """

    def __init__(self, command: BackendCommand, request: Request, listener: Listener, patience: Patience | None = None) -> None:
        self._command = command
        self._request = request
        self._listener = listener
        self._patience = patience or Patience()
        self._stream = MessageStream()
        self._stderr = Excerpt()
        self._hello: Hello | None = None
        self._end: Result | JobFailure | None = None
        self._ended_at_s = 0.0
        self._cancelled_at_s: float | None = None
        self._progress_at_s = 0.0
        self._progress: tuple[str, int] = ("", 0)
        self._stalled = False

    def run(self) -> Result:
        """The result: JobResult of a JobRequest, TaskResult of any other.

        Raises BackendError: cancelled; interpreter_missing (did not start); interpreter_unsuitable (started, but is not a
        backend); protocol_mismatch; backend_crashed (ended without a word); or the code that the backend reported.
        """
        process = self._start()
        try:
            self._converse(process)
        except SardineError as error:
            self._stop(process)
            raise self._error(error.code, error.found, error.needed, error.action) from error
        finally:
            self._stop(process)
        return self._outcome(process)

    def _start(self) -> QProcess:
        process = QProcess()
        process.setProcessEnvironment(process_environment(self._command))
        process.setProcessChannelMode(QProcess.ProcessChannelMode.SeparateChannels)
        process.start(self._command.program, list(self._command.arguments), QIODevice.OpenModeFlag.ReadWrite)
        if not process.waitForStarted(int(self._patience.start_s * 1000)):
            reason = process.errorString()
            process.kill()
            raise self._error(
                ErrorCode.INTERPRETER_MISSING,
                tr("The Python interpreter {python} did not start ({reason}).").format(python=self._command.program, reason=reason),
                tr("The backend needs a Python that this account may run."),
                tr("Choose another interpreter."),
            )
        return process

    def _converse(self, process: QProcess) -> None:
        """Returns when the child has ended, or is overdue."""
        started_s = self._progress_at_s = time.monotonic()
        while True:
            running = process.state() != QProcess.ProcessState.NotRunning
            self._drain_stderr(process)
            for message in self._stream.feed(bytes(process.readAllStandardOutput())):
                self._take(process, message)
            if not running:
                return
            now_s = time.monotonic()
            if self._end is not None and now_s - self._ended_at_s > self._patience.leave_s:
                return
            if self._cancelled_at_s is None and self._listener.is_cancelled():
                self._cancelled_at_s = now_s
                if self._hello is None:
                    return  # no job was sent yet that could be asked to stop
                self._send(process, Cancel())
            if self._cancelled_at_s is not None and now_s - self._cancelled_at_s > self._patience.cancel_s:
                return
            if not self._stalled and now_s - self._progress_at_s > self._patience.stalled_s:
                self._stalled = True
                self._listener.on_stalled(now_s - self._progress_at_s)
            if self._hello is None and now_s - started_s > self._patience.hello_s:
                raise self._no_hello(tr("it did not say hello within {seconds:g} s").format(seconds=self._patience.hello_s))
            if process.waitForReadyRead(self._patience.poll_ms) or process.state() == QProcess.ProcessState.NotRunning:
                continue
            if time.monotonic() - now_s < self._patience.poll_ms / 2000:
                # The child has closed its stdout but lives on: without a pause this loop would take a whole core.
                QThread.msleep(self._patience.poll_ms)

    def _take(self, process: QProcess, message: FromChild) -> None:
        if self._end is not None:
            return
        self._note_progress(message)
        if isinstance(message, Hello):
            self._hello = message
            self._check_packages(message)
            self._send(process, self._request)
        if isinstance(message, (*get_args(Result), JobFailure)):
            self._end = message
            self._ended_at_s = time.monotonic()
            process.closeWriteChannel()
            return
        self._listener.on_message(message)

    def _note_progress(self, message: FromChild) -> None:
        """A message that only repeats the last progress shows that the child lives, not that its work goes on."""
        place = (message.stage, message.done) if isinstance(message, Progress) else self._progress
        if isinstance(message, Progress) and place == self._progress:
            return
        self._progress, self._progress_at_s = place, time.monotonic()
        if self._stalled:
            self._stalled = False
            self._listener.on_stalled(0.0)

    def _check_packages(self, hello: Hello) -> None:
        missing = [name for name in REQUIRED_PACKAGES if not hello.versions.get(name)]
        if missing:
            raise SardineError(
                ErrorCode.INTERPRETER_UNSUITABLE,
                tr("The Python interpreter {python} has no {packages}.").format(
                    python=self._command.program, packages=", ".join(missing)
                ),
                tr("The backend needs {packages}.").format(packages=", ".join(REQUIRED_PACKAGES)),
                tr("Install them into it (python -m pip install {packages}), or choose another interpreter.").format(
                    packages=" ".join(missing)
                ),
            )

    def _send(self, process: QProcess, message: ToChild) -> None:
        process.write(encode(message).encode("ascii"))
        process.waitForBytesWritten(self._patience.poll_ms)

    def _drain_stderr(self, process: QProcess) -> None:
        self._stderr.feed(bytes(process.readAllStandardError()))

    def _stop(self, process: QProcess) -> None:
        """Ends the child if it still runs: asks, then insists."""
        if process.state() != QProcess.ProcessState.NotRunning:
            process.closeWriteChannel()
            process.terminate()
            if not process.waitForFinished(int(self._patience.terminate_s * 1000)):
                process.kill()
                process.waitForFinished(int(self._patience.leave_s * 1000))
        self._drain_stderr(process)

    def _outcome(self, process: QProcess) -> Result:
        if isinstance(self._end, get_args(Result)):
            return self._end
        if self._cancelled_at_s is not None:
            raise self._error(ErrorCode.CANCELLED, tr("The run was cancelled."), "", "")
        if isinstance(self._end, JobFailure):
            told = error_of(self._end)
            raise self._error(told.code, told.found, told.needed, told.action, told.refused, self._end.detail)
        crashed = process.exitStatus() == QProcess.ExitStatus.CrashExit
        how = tr("was ended by signal {number}") if crashed else tr("ended with exit status {number}")
        how = how.format(number=process.exitCode())
        if self._hello is None:
            error = self._no_hello(tr("it {ended} before it had said hello").format(ended=how))
            raise self._error(error.code, error.found, error.needed, error.action)
        raise self._error(
            ErrorCode.BACKEND_CRASHED,
            tr("The backend {ended} in the middle of the run.").format(ended=how),
            tr("It has to run to its end; most often the memory was used up."),
            tr("Choose a smaller extent or close other programs, and see the log for what it printed."),
            refused=False,
        )

    def _no_hello(self, what: str) -> SardineError:
        return SardineError(
            ErrorCode.INTERPRETER_UNSUITABLE,
            tr("The Python interpreter {python} did not run the backend: {what}.").format(python=self._command.program, what=what),
            tr("The backend needs a Python 3.11 or later with {packages}.").format(packages=", ".join(REQUIRED_PACKAGES)),
            tr("Choose another interpreter; the log holds what this one printed."),
        )

    def _error(self, code: ErrorCode, found: str, needed: str, action: str, refused: bool = True, detail: str = "") -> BackendError:
        parts = [detail, self._stderr.text, self._stream.stray.text]
        return BackendError(code, found, needed, action, refused=refused, log="\n".join(part for part in parts if part))
