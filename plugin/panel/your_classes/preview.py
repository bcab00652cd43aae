# SPDX-License-Identifier: GPL-2.0-or-later
"""Previews of the map while samples are drawn: a moment after the last change, and never two at a time. Main thread only."""

from __future__ import annotations

import time
from collections.abc import Callable

from qgis.core import QgsProcessingException
from qgis.PyQt.QtCore import QObject, QTimer, pyqtSignal

from ...translation import tr
from ..run_queue import RunQueue
from .classes_run import ClassesRun

AFTER_EDIT_MS = 300
AFTER_MOVE_MS = 900
"""How long samples, and the map, must rest: a map is moved in several steps."""


class Preview(QObject):
    """Runs what `make` gives: a run, or a sentence on why there is none yet. `made` carries a run that is done."""

    made = pyqtSignal(object)
    told = pyqtSignal(str)

    def __init__(self, make: Callable[[], ClassesRun | str], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._make = make
        self._queue = RunQueue(keeps_history=False)
        self._queue.ended.connect(self._ended)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.timeout.connect(self._start)
        self._asked_at_s = 0.0

    @property
    def is_running(self) -> bool:
        return self._queue.current is not None

    def ask(self, rest_ms: int = AFTER_EDIT_MS) -> None:
        """Has a preview made when nothing has been asked for so long. One that runs is of what was before: it is cancelled then."""
        self._asked_at_s = time.monotonic()
        self._soon.start(rest_ms)

    def stop(self) -> None:
        """Forgets what was asked, and ends what runs."""
        self._soon.stop()
        self._queue.cancel_all()

    def shut_down(self) -> None:
        """As `stop`, and waits until no backend runs any more."""
        self._soon.stop()
        self._queue.shut_down()

    def _start(self) -> None:
        self._queue.cancel_all()
        try:
            run = self._make()
        except QgsProcessingException as error:
            run = str(error)
        if isinstance(run, str):
            self.told.emit(run)
            return
        self.told.emit(tr("Preview…"))
        self._queue.add(run)

    def _ended(self, run: ClassesRun) -> None:
        if self._queue.waiting or run.outcome == "cancelled":
            return  # a newer one follows, or nobody wants any
        if run.outcome == "failed":
            self.told.emit(f"⚠ {run.feedback.error}")
            return
        self.made.emit(run)
        text = tr("Preview after {seconds:.1f} s").format(seconds=time.monotonic() - self._asked_at_s)
        self.told.emit("\n".join([text, *(f"⚠ {warning}" for warning in run.feedback.warnings)]))
