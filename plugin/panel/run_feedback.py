# SPDX-License-Identifier: GPL-2.0-or-later
"""Processing's feedback for a run that the panel started: keeps the log's ends, the warnings and the error."""

from __future__ import annotations

from qgis.core import QgsProcessingFeedback
from qgis.PyQt.QtCore import pyqtSignal

from ..child.message_stream import Excerpt
from ..processing.job_feedback import stall_text


class RunFeedback(QgsProcessingFeedback):
    """Called from the run's thread. What the main thread must hear of at once is a signal; the rest it reads at the end."""

    stage_told = pyqtSignal(str)
    stalled = pyqtSignal(str)
    """What to tell of a run that does not go on; empty when it does again."""

    text_interval_s = 1.0
    """A panel shows the latest text instead of keeping each, so it may change each second."""

    def __init__(self) -> None:
        super().__init__(False)
        self.warnings: list[str] = []
        self.infos: list[str] = []
        self.error = ""
        self._log = Excerpt()

    @property
    def log(self) -> str:
        """Head and tail of what was told."""
        return self._log.text

    def setProgressText(self, text: str) -> None:
        self.stage_told.emit(text)

    def tell_stall(self, seconds: float) -> None:
        """Takes what the job tells of a stall of so many `seconds`, or with 0 of its end."""
        text = stall_text(seconds) if seconds else ""
        if text:
            self._keep(text)
        self.stalled.emit(text)

    def reportError(self, error: str, fatalError: bool = False) -> None:  # noqa: N803
        self.error = error
        self._keep(error)

    def pushWarning(self, warning: str) -> None:
        self.warnings.append(warning)
        self._keep(warning)

    def pushInfo(self, info: str) -> None:
        self.infos.append(info)
        self._keep(info)

    def pushDebugInfo(self, info: str) -> None:
        self._keep(info)

    def pushCommandInfo(self, info: str) -> None:
        self._keep(info)

    def pushConsoleInfo(self, info: str) -> None:
        self._keep(info)

    def _keep(self, text: str) -> None:
        for line in text.splitlines():
            self._log.add(line.encode("utf-8", "backslashreplace"))
