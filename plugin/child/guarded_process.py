# SPDX-License-Identifier: GPL-2.0-or-later
"""A long child process that is ended with all that it started, and a thread for what takes a disk seconds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar

from qgis.PyQt.QtCore import QIODevice, QObject, QProcess, QThread, QTimer, pyqtSignal

from ..translation import tr
from .backend_environment import BackendCommand
from .short_process import process_environment

GUARD = Path(__file__).with_name("child_guard.py")
EXIT_STATUS = "exit status"
"""The problem of a child that ended by itself with another status than 0: what it printed tells more."""

END_MS = 3000


class GuardedProcess(QObject):
    """`python child_guard.py MODULE …`. `printed` carries whole lines of stdout and stderr; `ended` a problem, empty where none."""

    printed = pyqtSignal(list)
    ended = pyqtSignal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._process: QProcess | None = None
        self._rest = b""

    @property
    def is_running(self) -> bool:
        return self._process is not None

    def start(self, python: str, arguments: list[str], environment: Mapping[str, str], folder: Path) -> None:
        """Runs a module with its arguments in the working folder `folder`."""
        # Isolated (-I): neither the working folder nor a variable may bring in other modules; it makes Python ignore PYTHONUTF8.
        command = BackendCommand(python, ("-I", "-X", "utf8", str(GUARD), *arguments), environment)
        self._rest = b""
        process = self._process = QProcess(self)
        process.setProcessEnvironment(process_environment(command))
        process.setWorkingDirectory(str(folder))
        process.setProcessChannelMode(QProcess.ProcessChannelMode.MergedChannels)
        process.readyReadStandardOutput.connect(self._read)
        process.errorOccurred.connect(self._failed)
        process.finished.connect(self._finished)
        process.start(command.program, list(command.arguments), QIODevice.OpenModeFlag.ReadWrite)

    def end(self) -> None:
        """Ends the child and its children: the guard ends its whole group when the pipe closes. `ended` follows."""
        if self._process is None:
            return
        self._process.closeWriteChannel()
        late = QTimer(self._process)
        late.setSingleShot(True)
        late.timeout.connect(self._process.kill)
        late.start(END_MS)

    def end_now(self) -> None:
        """The same, and waits for it; `ended` does not follow."""
        process, self._process = self._process, None
        if process is None:
            return
        process.closeWriteChannel()
        if not process.waitForFinished(END_MS):
            process.kill()
            process.waitForFinished(END_MS)
        process.deleteLater()

    def _read(self) -> None:
        if self._process is None:
            return
        *lines, self._rest = (self._rest + bytes(self._process.readAllStandardOutput())).split(b"\n")
        if lines:
            self.printed.emit([line.decode("utf-8", "replace").rstrip("\r") for line in lines])

    def _failed(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart and self._process is not None:
            process, self._process = self._process, None
            text = tr("{python} did not start: {reason}.").format(python=process.program(), reason=process.errorString())
            process.deleteLater()
            self.ended.emit(text)

    def _finished(self, status: int) -> None:
        if self._process is None:
            return
        self._read()
        if self._rest:
            self.printed.emit([self._rest.decode("utf-8", "replace")])
        process, self._process = self._process, None
        process.deleteLater()
        if process.exitStatus() == QProcess.ExitStatus.CrashExit:
            self.ended.emit(tr("It was ended from outside (signal {status}).").format(status=status))
        else:
            self.ended.emit(EXIT_STATUS if status else "")


class Background(QThread):
    """Calls `work` in a thread; `done` carries what it returned, on the thread that made this. It outlives who asked for it."""

    done = pyqtSignal(object)
    _running: ClassVar[set[Background]] = set()

    def __init__(self, work: Callable[[], object]) -> None:
        super().__init__()
        self._work = work
        self._result: object = None
        self.finished.connect(self._tell)
        Background._running.add(self)

    @staticmethod
    def wait_for_all() -> None:
        """Waits until none runs any more; for the end of QGIS, which a thread must not outlive."""
        for thread in list(Background._running):
            thread.wait()

    def run(self) -> None:
        self._result = self._work()

    def _tell(self) -> None:
        Background._running.discard(self)
        self.done.emit(self._result)
