# SPDX-License-Identifier: GPL-2.0-or-later
"""The dialog that sets up the backend: an environment of its own, or a Python that is there. Main thread only."""

from __future__ import annotations

from pathlib import Path

from qgis.gui import QgsFileWidget
from qgis.PyQt.QtCore import Qt, QTimer, pyqtSignal
from qgis.PyQt.QtGui import QFontDatabase
from qgis.PyQt.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QLabel,
    QMessageBox,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from .. import settings
from ..child.message_stream import Excerpt
from ..translation import tr
from . import folder as folders
from .create_form import CreatePage
from .folder import Environment, State
from .interpreter import backend_state, environments_home, shared_environment
from .interpreter_check import CheckReport, InterpreterCheck
from .removal import EnvironmentRemoval
from .setup import EnvironmentSetup

LOOK_MS = 2000
"""How often the dialog looks whether another window has finished."""


class SetupDialog(QDialog):
    """Shows `setup`, which goes on when the dialog is closed. `changed` tells that the backend may have come or gone."""

    changed = pyqtSignal()

    def __init__(self, setup: EnvironmentSetup, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("sardine_setup_dialog")
        self.setWindowTitle(tr("SARdine: set up the backend"))
        self._setup = setup
        self._check = InterpreterCheck(self)
        self._removal = EnvironmentRemoval(self)
        self._note = self._refusal = self._log = ""
        self.headline = _label(self, "headline")
        font = self.headline.font()
        font.setBold(True)
        self.headline.setFont(font)
        self.state = _label(self, "state")
        self.create = QRadioButton(tr("Create an environment of its own (recommended)"), self)
        self.create.setObjectName("create")
        self.create_page = CreatePage(self)
        self.existing = QRadioButton(tr("Use a Python that is there"), self)
        self.existing.setObjectName("existing")
        self.python = QgsFileWidget(self)
        self.python.setObjectName("existing_python")
        self.python.setStorageMode(QgsFileWidget.StorageMode.GetFile)
        self.python.setFilePath(settings.chosen_python())
        self.stage = _label(self, "setup_stage")
        self.bar = QProgressBar(self)
        self.bar.setObjectName("setup_progress")
        self.log = QPlainTextEdit(self)
        self.log.setObjectName("setup_log")
        self.log.setReadOnly(True)
        self.log.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.log.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.log.setMinimumHeight(160)
        self.log.hide()
        self.others = _label(self, "other_environments")
        self.remove_others = _button(self, "remove_others", tr("Remove them…"))
        self.remove = _button(self, "remove_environment", tr("Remove…"))
        self.details = _button(self, "setup_details", tr("Details"))
        self.details.setCheckable(True)
        self.cancel = _button(self, "setup_cancel", tr("Cancel"))
        self.go = _button(self, "setup_go", "")
        self.go.setDefault(True)
        self.leave = _button(self, "setup_close", tr("Close"))
        self._look = QTimer(self)
        self._look.setInterval(LOOK_MS)
        self._lay_out()
        self._connect()
        self.existing.setChecked(bool(settings.chosen_python()))
        self.create.setChecked(not settings.chosen_python())
        self.create_page.start()
        self._look.start()

    def _lay_out(self) -> None:
        others = QHBoxLayout()
        others.addWidget(self.others, 1)
        others.addWidget(self.remove_others)
        buttons = QHBoxLayout()
        for button in (self.remove, self.details):
            buttons.addWidget(button)
        buttons.addStretch(1)
        for button in (self.cancel, self.go, self.leave):
            buttons.addWidget(button)
        python = QHBoxLayout()
        python.setContentsMargins(22, 0, 0, 6)
        python.addWidget(self.python)
        layout = QVBoxLayout(self)
        layout.addWidget(self.headline)
        layout.addWidget(self.state)
        layout.addSpacing(8)
        layout.addWidget(self.create)
        layout.addWidget(self.create_page)
        layout.addWidget(self.existing)
        layout.addLayout(python)
        layout.addLayout(others)
        layout.addWidget(self.stage)
        layout.addWidget(self.bar)
        layout.addWidget(self.log, 1)
        layout.addStretch(0)
        layout.addLayout(buttons)
        self.setMinimumWidth(640)

    def _connect(self) -> None:
        self.create.toggled.connect(self._forget_note)
        self.create_page.changed.connect(self.refresh)
        self.python.fileChanged.connect(self._forget_note)
        self.details.toggled.connect(self._show_details)
        self.go.clicked.connect(self._go)
        self.cancel.clicked.connect(self._cancel)
        self.remove.clicked.connect(self._ask_remove)
        self.remove_others.clicked.connect(self._ask_remove_others)
        self.leave.clicked.connect(self.close)
        self._setup.changed.connect(self._show_progress)
        self._setup.ended.connect(self._ended)
        self._check.ended.connect(self._checked)
        self._removal.ended.connect(self._removed)
        self._look.timeout.connect(self._look_at_others)

    def done(self, result: int) -> None:
        """Closes the dialog. A set-up goes on; questions that nobody waits for any more do not."""
        self._look.stop()
        self._check.stop()
        self.create_page.search.stop()
        super().done(result)

    def refresh(self) -> None:
        """Shows the state of everything as it is now."""
        busy = self._setup.is_running or self._check.is_running or self._removal.is_running
        environment = shared_environment()
        self._show_state()
        for widget in (self.create, self.existing, self.create_page, self.python):
            widget.setEnabled(not busy)
        self.create_page.setVisible(self.create.isChecked())
        self.python.setVisible(self.existing.isChecked())
        problem = "" if busy else self._problem()
        self.go.setText(self._go_text(environment))
        self.go.setEnabled(not busy and not problem)
        self.go.setDefault(self.existing.isChecked() or environment.state is not State.READY)
        self.cancel.setVisible(self._setup.is_running or self._check.is_running)
        self.cancel.setEnabled(True)
        self.remove.setVisible(environment.path.exists())
        self.remove.setEnabled(not busy)
        others = folders.others(environments_home(), environment.path)
        size = sum(found.stamp.size_mb for found in others if found.stamp is not None) / 1024
        self.others.setText(
            tr("Environments of other versions of SARdine: {count} ({size:.1f} GB).").format(count=len(others), size=size)
        )
        for widget in (self.others, self.remove_others):
            widget.setVisible(bool(others))
        self.remove_others.setEnabled(not busy)
        self.bar.setVisible(busy)
        if self._setup.is_running:
            self._show_progress()
        else:
            self.bar.setRange(0, 0)
            shown = problem if self.create.isChecked() and self.create_page.base() is not None else ""
            self._show_stage(self._note or shown)
        self._show_log()
        QTimer.singleShot(0, self._fit)  # what was shown or hidden just now has its size by then

    def _fit(self) -> None:
        """Takes the height that the texts need at this width; a layout of its own does not ask texts of several lines."""
        if not self.details.isChecked():
            for layout in (self.create_page.layout(), self.layout()):
                layout.invalidate()
                layout.activate()
            self.resize(self.width(), self.layout().totalHeightForWidth(self.width()))

    def _show_state(self) -> None:
        good, text = backend_state()
        purpose = tr("Maps are computed by a Python process of its own, with torch, timm and rasterio.")
        self.headline.setText(tr("✓ The backend is set up") if good else tr("The backend is not set up"))
        self.state.setText(text if good else f"{text}\n{purpose}")

    def _problem(self) -> str:
        if self.create.isChecked():
            return self.create_page.problem()
        return "" if self.python.filePath().strip() else tr("Choose a Python.")

    def _go_text(self, environment: Environment) -> str:
        if self.existing.isChecked():
            return tr("Check and use")
        if self._setup.problem:
            return tr("Retry")
        return {
            State.ABSENT: tr("Create"),
            State.OUTDATED: tr("Upgrade"),
            State.UNFINISHED: tr("Repair"),
            State.BROKEN: tr("Repair"),
            State.READY: tr("Create anew"),
        }[environment.state]

    def _go(self) -> None:
        self._note = self._log = ""
        if self.existing.isChecked():
            self._setup.log = Excerpt()
            self._note = tr("Checking…")
            self._check.start(self.python.filePath().strip())
        else:
            self._note = self._refusal = self._setup.start(
                self.create_page.plan(), replace=shared_environment().state is State.READY
            )
        self.refresh()

    def _cancel(self) -> None:
        self.cancel.setEnabled(False)
        if self._check.is_running:
            self._check.stop()
            self._forget_note()
        else:
            self._setup.cancel()

    def _show_details(self, shown: bool) -> None:
        self.log.setVisible(shown)
        if shown:
            self.resize(self.width(), self.height() + 260)
        self.refresh()

    def _forget_note(self) -> None:
        self._note = ""
        self.refresh()

    def _checked(self, report: CheckReport) -> None:
        self._log = report.details
        if report.problem:
            self._note = f"⚠ {report.problem}"
        else:
            settings.choose_python(report.python)
            self._note = f"✓ {report.summary}"
        self.refresh()
        self.changed.emit()

    def _show_progress(self) -> None:
        self.bar.setRange(0, 100)
        self.bar.setValue(self._setup.progress.percent)
        self.stage.setText(self._setup.progress.text)
        self.stage.setVisible(True)
        self._show_log()

    def _show_log(self) -> None:
        text = self._setup.log.text or self._log
        self.details.setVisible(bool(text))
        if self.details.isChecked() and text != self.log.toPlainText():  # else a person's place in it would be lost
            self.log.setPlainText(text)
            self.log.verticalScrollBar().setValue(self.log.verticalScrollBar().maximum())

    def _show_stage(self, text: str) -> None:
        self.stage.setText(text)
        self.stage.setVisible(bool(text))

    def _ended(self, outcome: str) -> None:
        self._note = {
            "done": " ".join((tr("✓ The environment is ready. Close this window and press Run."), self._setup.remark)).rstrip(),
            "failed": f"⚠ {self._setup.problem}",
            "cancelled": tr("Cancelled; nothing was left behind."),
        }[outcome]
        if outcome == "done":
            settings.choose_python("")  # a choice would go before the environment that was just made
        self.refresh()
        self.changed.emit()

    def _ask_remove(self) -> None:
        environment = shared_environment()
        text = tr("Remove the backend's environment in {folder}? All profiles of QGIS use it.").format(folder=environment.path)
        if self._agreed(text):
            self._remove([environment.path])

    def _ask_remove_others(self) -> None:
        found = folders.others(environments_home(), shared_environment().path)
        names = "\n".join(str(other.path) for other in found)
        text = tr(
            "Remove the environments of other versions of SARdine? A profile with such a version would have to make its own again."
        )
        if self._agreed(f"{text}\n\n{names}"):
            self._remove([other.path for other in found])

    def _agreed(self, text: str) -> bool:
        buttons = QMessageBox.StandardButton
        return QMessageBox.question(self, self.windowTitle(), text, buttons.Yes | buttons.No, buttons.No) == buttons.Yes

    def _remove(self, paths: list[Path]) -> None:
        problem = self._removal.start(paths)
        self._note = f"⚠ {problem}" if problem else tr("Removing…")
        self.refresh()

    def _removed(self) -> None:
        self._setup.problem = ""
        self._note = tr("Removed.")
        self.refresh()
        self.changed.emit()

    def _look_at_others(self) -> None:
        """Another window may have begun or ended a set-up."""
        if self._refusal and self._note == self._refusal and shared_environment().state is State.READY:
            self._note = self._refusal = ""
        if not (self._setup.is_running or self._check.is_running or self._removal.is_running or self.create_page.search.is_running):
            self.refresh()


def _label(parent: QWidget, name: str) -> QLabel:
    label = QLabel(parent)
    label.setObjectName(name)
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label


def _button(parent: QWidget, name: str, text: str) -> QPushButton:
    button = QPushButton(text, parent)
    button.setObjectName(name)
    button.setAutoDefault(False)
    return button
