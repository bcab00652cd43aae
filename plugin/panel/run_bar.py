# SPDX-License-Identifier: GPL-2.0-or-later
"""The foot of the panel: Run and Cancel, the progress of the current run, and what waits."""

from __future__ import annotations

from qgis.PyQt.QtCore import Qt, QUrl, pyqtSignal, pyqtSlot
from qgis.PyQt.QtGui import QDesktopServices
from qgis.PyQt.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from ..locations import help_url
from ..translation import tr
from .run_queue import Run, RunQueue


class RunBar(QWidget):
    """Shows `queue`, and asks for runs by `run_wanted`."""

    run_wanted = pyqtSignal()

    def __init__(self, queue: RunQueue, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._queue = queue
        self._verb = tr("Run")
        self.problem = QLabel(self)
        self.problem.setObjectName("problem")
        self.problem.setWordWrap(True)
        self.problem.setTextFormat(Qt.TextFormat.PlainText)
        self.bar = QProgressBar(self)
        self.bar.setRange(0, 100)
        self.stage = QLabel(self)
        self.stage.setObjectName("stage")
        self.stage.setWordWrap(True)
        self.stage.setTextFormat(Qt.TextFormat.PlainText)
        self.stall = QLabel(self)
        self.stall.setObjectName("stall")
        self.stall.setWordWrap(True)
        self.stall.setTextFormat(Qt.TextFormat.PlainText)
        self.end = QPushButton(tr("End the run"), self)
        self.end.setObjectName("end")
        self.end.clicked.connect(self._cancel)
        self.run = QPushButton(self._verb, self)
        self.run.setObjectName("run")
        self.run.setDefault(True)
        self.cancel = QPushButton(tr("Cancel"), self)
        self.cancel.setObjectName("cancel")
        self.help = QPushButton(tr("Help"), self)
        self.help.setObjectName("help")
        self.help.clicked.connect(lambda: QDesktopServices.openUrl(QUrl(help_url("panel"))))
        self.drop = QPushButton(tr("Forget waiting runs"), self)
        self.run.clicked.connect(self.run_wanted)
        self.cancel.clicked.connect(self._cancel)
        self.drop.clicked.connect(queue.drop_waiting)
        line = QHBoxLayout()
        line.addWidget(self.help)
        line.addWidget(self.drop)
        line.addStretch(1)
        line.addWidget(self.cancel)
        line.addWidget(self.run)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(9, 0, 9, 9)
        for widget in (self.problem, self.stage, self.bar, self.stall):
            layout.addWidget(widget)
        layout.addWidget(self.end, 0, Qt.AlignmentFlag.AlignLeft)
        layout.addLayout(line)
        queue.started.connect(self._started)
        queue.ended.connect(self._show_queue)
        queue.changed.connect(self._show_queue)
        self.set_problem("")
        self._tell_stall("")
        self._show_queue()

    def set_problem(self, text: str) -> None:
        """Why no run can be started, beside the button that is then grey; empty where one can."""
        self.problem.setText(f"⚠ {text}" if text else "")
        self.problem.setVisible(bool(text))
        self.run.setEnabled(not text)

    def set_verb(self, text: str) -> None:
        """What the button says that starts a run."""
        self._verb = text
        self._show_queue()

    def _started(self, run: Run) -> None:
        self.bar.setValue(0)
        self.stage.setText(tr("{scene}: starting").format(scene=run.scene_name))
        run.feedback.stage_told.connect(self._tell)
        run.feedback.progressChanged.connect(self._move)
        run.feedback.stalled.connect(self._tell_stall)
        self._show_queue()

    @pyqtSlot(str)
    def _tell(self, text: str) -> None:
        if self._queue.current is not None and not self._queue.current.feedback.isCanceled():
            self.stage.setText(f"{self._queue.current.scene_name}: {text}")

    @pyqtSlot(float)
    def _move(self, percent: float) -> None:
        self.bar.setValue(int(percent))

    @pyqtSlot(str)
    def _tell_stall(self, text: str) -> None:
        told = bool(text) and self._queue.current is not None
        self.stall.setText(f"⚠ {text}" if told else "")
        for widget in (self.stall, self.end):
            widget.setVisible(told)

    def _cancel(self) -> None:
        self.cancel.setEnabled(False)
        self._tell_stall("")
        self.stage.setText(tr("Cancelling…"))
        self._queue.cancel_current()

    def _show_queue(self) -> None:
        running, waiting = self._queue.current is not None, len(self._queue.waiting)
        for widget in (self.bar, self.stage, self.cancel):
            widget.setVisible(running)
        if running:
            self.cancel.setEnabled(not self._queue.current.feedback.isCanceled())
        else:
            self._tell_stall("")
        self.run.setText(tr("Queue") if running else self._verb)
        self.run.setToolTip(tr("Runs after the one that is running.") if running else "")
        self.drop.setVisible(waiting > 0)
        self.drop.setText(tr("Forget {count} waiting").format(count=waiting))
