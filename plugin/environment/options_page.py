# SPDX-License-Identifier: GPL-2.0-or-later
"""SARdine's page in QGIS's options dialog: which Python runs the backend, and what the panel remembers."""

from __future__ import annotations

import typing

from qgis.gui import QgsFileWidget, QgsOptionsPageWidget, QgsOptionsWidgetFactory
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtGui import QIcon
from qgis.PyQt.QtWidgets import QFormLayout, QGroupBox, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from .. import settings
from ..child.backend_environment import PYTHON_VARIABLE
from ..locations import ICONS
from ..panel import memory as panel_memory
from ..translation import tr
from .interpreter import backend_state, environments_home

if typing.TYPE_CHECKING:
    OpenSetup = typing.Callable[..., None]


class SardineOptionsPage(QgsOptionsPageWidget):
    """What OK and Apply keep is the interpreter; the buttons act at once."""

    def __init__(self, open_setup: OpenSetup, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("sardine_options")
        self._open_setup = open_setup
        self.state = QLabel(self)
        self.state.setObjectName("backend_state")
        self.state.setWordWrap(True)
        self.state.setTextFormat(Qt.TextFormat.PlainText)
        self.python = QgsFileWidget(self)
        self.python.setObjectName("backend_python")
        self.python.setStorageMode(QgsFileWidget.StorageMode.GetFile)
        self.python.lineEdit().setPlaceholderText(tr("found by itself"))
        self.python.setFilePath(settings.chosen_python())
        self.python.setToolTip(
            tr("Left empty: {variable}, else the environment that SARdine has made.").format(variable=PYTHON_VARIABLE)
        )
        self.folder = QLabel(str(environments_home()), self)
        self.folder.setWordWrap(True)
        self.folder.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.set_up = QPushButton(tr("Set up the backend…"), self)
        self.set_up.setObjectName("options_set_up")
        self.set_up.clicked.connect(lambda: self._open_setup(parent=self.window()))
        self.forget = QPushButton(tr("Forget the panel's choices"), self)
        self.forget.setObjectName("options_forget")
        self.forget.setToolTip(
            tr("Model, results, folder and advanced options start from their defaults when the panel is next made.")
        )
        self.forget.clicked.connect(self._forget)
        self._lay_out()
        self.look()

    def _lay_out(self) -> None:
        backend = QGroupBox(tr("Backend"), self)
        form = QFormLayout(backend)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow(self.state)
        form.addRow(tr("Python"), self.python)
        form.addRow(tr("Environments in"), self.folder)
        line = QHBoxLayout()
        line.addWidget(self.set_up)
        line.addStretch(1)
        form.addRow("", line)
        panel = QGroupBox(tr("Panel"), self)
        line = QHBoxLayout(panel)
        line.addWidget(self.forget)
        line.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(backend)
        layout.addWidget(panel)
        layout.addStretch(1)

    def look(self) -> None:
        """Says which Python is used now, or why none is."""
        good, text = backend_state()
        self.state.setText(f"✓ {text}" if good else f"⚠ {text}")

    def apply(self) -> None:
        """Keeps the interpreter that is named; an empty text takes a choice back."""
        settings.choose_python(self.python.filePath())
        self.look()

    def _forget(self) -> None:
        panel_memory.forget()
        self.forget.setEnabled(False)


class SardineOptionsFactory(QgsOptionsWidgetFactory):
    """Makes the page when QGIS opens its options."""

    def __init__(self, open_setup: OpenSetup) -> None:
        super().__init__(tr("SARdine"), QIcon(str(ICONS / "sardine.svg")))
        self._open_setup = open_setup

    def icon(self) -> QIcon:
        return QIcon(str(ICONS / "sardine.svg"))

    def createWidget(self, parent: QWidget | None) -> SardineOptionsPage:
        return SardineOptionsPage(self._open_setup, parent)
