# SPDX-License-Identifier: GPL-2.0-or-later
"""The dialog that sets up the backend: an environment of its own, or a Python that is there. Main thread only."""

from __future__ import annotations

from pathlib import Path

from qgis.PyQt.QtCore import QTimer, pyqtSignal
from qgis.PyQt.QtWidgets import QMessageBox, QWidget

from .. import settings
from ..child.message_stream import Excerpt
from ..translation import tr
from .dialog_form import SetupForm
from .folder import Environment, State
from .interpreter import backend_state, shared_environment
from .interpreter_check import CheckReport, InterpreterCheck
from .removal import EnvironmentRemoval
from .setup import EnvironmentSetup

LOOK_MS = 2000
"""How often the dialog looks whether another window has finished."""


class SetupDialog(SetupForm):
    """Shows `setup`, which goes on when the dialog is closed. `changed` tells that the backend may have come or gone."""

    changed = pyqtSignal()

    def __init__(self, setup: EnvironmentSetup, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._setup = setup
        self._check = InterpreterCheck(self)
        self._removal = EnvironmentRemoval(self)
        self._note = self._refusal = self._log = ""
        self._look = QTimer(self)
        self._look.setInterval(LOOK_MS)
        self._connect()
        creates = setup.is_running or not settings.chosen_python()
        self.existing.setChecked(not creates)
        self.create.setChecked(creates)
        self.create_page.start(setup.plan)
        self._look.start()
        self.fit()

    def _connect(self) -> None:
        self.create.toggled.connect(self._forget_note)
        self.create_page.changed.connect(self.refresh)
        self.python.fileChanged.connect(self._forget_note)
        self.details.toggled.connect(self._show_details)
        self.go.clicked.connect(self._go)
        self.cancel.clicked.connect(self._cancel)
        self.remove.clicked.connect(self._ask_remove)
        self.others.removal_wanted.connect(self._ask_and_remove)
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
        self.go.setVisible(not self._setup.is_running)
        self.go.setDefault(self.existing.isChecked() or environment.state is not State.READY)
        self.cancel.setVisible(self._setup.is_running or self._check.is_running)
        self.cancel.setEnabled(True)
        self.remove.setVisible(environment.path.exists())
        self.remove.setEnabled(not busy)
        self.others.refresh()
        self.others.setEnabled(not busy)
        self.bar.setVisible(busy)
        if self._setup.is_running:
            self._show_progress()
        else:
            self.bar.setRange(0, 0)
            shown = problem if self.create.isChecked() and self.create_page.base() is not None else ""
            self.show_stage(self._note or shown)
        self._show_log()
        self.fit_soon()

    def _show_state(self) -> None:
        good, text = backend_state()
        purpose = tr("Maps are computed by a Python process of its own, with torch, timm and rasterio.")
        if self._setup.is_running:
            self.headline.setText(tr("The backend is being set up"))
            self.state.setText(tr("This goes on when the window is closed, and QGIS can be used meanwhile."))
            return
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
        self.show_stage(self._setup.progress.text)
        self._show_log()

    def _show_log(self) -> None:
        self.show_log(self._setup.log.text or self._log)

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
        path = shared_environment().path
        question = tr("Remove the backend's environment in {folder}? All profiles of QGIS use it.").format(folder=path)
        self._ask_and_remove([path], question)

    def _ask_and_remove(self, paths: list[Path], question: str) -> None:
        buttons = QMessageBox.StandardButton
        if QMessageBox.question(self, self.windowTitle(), question, buttons.Yes | buttons.No, buttons.No) != buttons.Yes:
            return
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
