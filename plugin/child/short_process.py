# SPDX-License-Identifier: GPL-2.0-or-later
"""A child process that answers soon and writes nothing: started, waited for without blocking, and ended at any time."""

from __future__ import annotations

from qgis.PyQt.QtCore import QObject, QProcess, QProcessEnvironment, QTimer, pyqtSignal

from ..translation import tr
from .backend_environment import BackendCommand


def process_environment(command: BackendCommand) -> QProcessEnvironment:
    """The environment of `command`, and nothing of QGIS's."""
    environment = QProcessEnvironment()
    for name, value in command.environment.items():
        environment.insert(name, value)
    return environment


class ShortProcess(QObject):
    """One child at a time. `ended` carries what it printed on stdout and stderr, and a sentence where it did not start or end."""

    ended = pyqtSignal(bytes, bytes, str)

    def __init__(self, longest_ms: int, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._process: QProcess | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(longest_ms)
        self._timer.timeout.connect(self._overdue)

    @property
    def is_running(self) -> bool:
        return self._process is not None

    def start(self, command: BackendCommand) -> None:
        """Starts `command`; one that runs is ended first, without a word."""
        self.stop()
        process = self._process = QProcess(self)
        process.setProcessEnvironment(process_environment(command))
        process.finished.connect(self._finished)
        process.errorOccurred.connect(self._failed)
        self._timer.start()
        process.start(command.program, list(command.arguments))

    def stop(self) -> None:
        """Ends a child that runs; nothing is emitted."""
        self._timer.stop()
        process, self._process = self._process, None
        if process is None:
            return
        process.finished.disconnect(self._finished)
        process.errorOccurred.disconnect(self._failed)
        if process.state() != QProcess.ProcessState.NotRunning:
            process.kill()  # it writes nothing that could be left half done
            process.waitForFinished(3000)
        process.deleteLater()

    def _overdue(self) -> None:
        seconds = self._timer.interval() // 1000
        self.stop()
        self.ended.emit(b"", b"", tr("It was ended after {seconds} s.").format(seconds=seconds))

    def _failed(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart and self._process is not None:
            text = tr("It could not be started: {reason}.").format(reason=self._process.errorString())
            self.stop()
            self.ended.emit(b"", b"", text)

    def _finished(self) -> None:
        if self._process is None:
            return
        out, err = bytes(self._process.readAllStandardOutput()), bytes(self._process.readAllStandardError())
        self.stop()
        self.ended.emit(out, err, "")
