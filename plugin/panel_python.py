# SPDX-License-Identifier: GPL-2.0-or-later
"""The part of the panel that is there only as long as no Python is found for the backend."""

from __future__ import annotations

from collections.abc import Callable

from qgis.PyQt.QtCore import Qt, pyqtSignal
from qgis.PyQt.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from ..backend.protocol import SardineError
from .interpreter import backend_python
from .translation import tr


class PythonBanner(QFrame):
    """Says what is missing, with a button that asks for the interpreter by `choose`."""

    changed = pyqtSignal()

    def __init__(self, choose: Callable[[], None], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._choose = choose
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self._text = QLabel(self)
        self._text.setWordWrap(True)
        self._text.setTextFormat(Qt.TextFormat.PlainText)
        button = QPushButton(tr("Choose the backend's Python…"), self)
        button.clicked.connect(self._ask)
        line = QHBoxLayout()
        line.addWidget(button)
        line.addStretch(1)
        layout = QVBoxLayout(self)
        layout.addWidget(self._text)
        layout.addLayout(line)

    def update_problem(self) -> str:
        """Looks for the interpreter again; the sentence on why there is none, or an empty text."""
        problem = ""
        try:
            backend_python()
        except SardineError as error:
            problem = str(error)
        self._text.setText(problem)
        self.setVisible(bool(problem))
        return problem

    def _ask(self) -> None:
        self._choose()
        self.changed.emit()
