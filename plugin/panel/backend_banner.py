# SPDX-License-Identifier: GPL-2.0-or-later
"""The part of the panel that is there as long as the backend is not set up, or is being set up."""

from __future__ import annotations

from collections.abc import Callable

from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from ...backend.protocol import SardineError
from ..environment.interpreter import backend_python
from ..environment.setup import EnvironmentSetup
from ..translation import tr


class PythonBanner(QFrame):
    """Says what is missing, with a button that opens the set-up dialog by `open_setup`; shows how far `setup` has come."""

    def __init__(self, open_setup: Callable[[], None], setup: EnvironmentSetup, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._setup = setup
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.text = QLabel(self)
        self.text.setObjectName("backend_problem")
        self.text.setWordWrap(True)
        self.text.setTextFormat(Qt.TextFormat.PlainText)
        self.bar = QProgressBar(self)
        self.bar.setObjectName("backend_progress")
        self.button = QPushButton(self)
        self.button.setObjectName("set_up_backend")
        self.button.clicked.connect(open_setup)
        line = QHBoxLayout()
        line.addWidget(self.button)
        line.addStretch(1)
        layout = QVBoxLayout(self)
        layout.addWidget(self.text)
        layout.addWidget(self.bar)
        layout.addLayout(line)
        setup.changed.connect(self._show_progress)

    def update_problem(self) -> str:
        """Looks for the interpreter again; the sentence on why there is none, or an empty text."""
        problem = ""
        try:
            backend_python()
        except SardineError as error:
            problem = error.found
        if not self._setup.is_running:
            self.text.setText(problem)
            self.bar.hide()
            self.button.setText(tr("Set up the backend…"))
            self.setVisible(bool(problem))
        self._show_progress()
        return problem

    def _show_progress(self) -> None:
        if not self._setup.is_running:
            return
        self.text.setText(tr("The backend is being set up. {stage}").format(stage=self._setup.progress.text))
        self.bar.setValue(self._setup.progress.percent)
        self.bar.show()
        self.button.setText(tr("Show the set-up…"))
        self.show()
