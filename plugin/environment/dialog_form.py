# SPDX-License-Identifier: GPL-2.0-or-later
"""What the set-up dialog is put together from, and how it takes the size of what it shows."""

from __future__ import annotations

from qgis.gui import QgsFileWidget
from qgis.PyQt.QtCore import QTimer
from qgis.PyQt.QtGui import QFontDatabase
from qgis.PyQt.QtWidgets import QDialog, QHBoxLayout, QPlainTextEdit, QProgressBar, QRadioButton, QVBoxLayout, QWidget

from .. import settings
from ..translation import tr
from .create_form import CreatePage
from .other_environments import OtherEnvironments
from .widgets import button, words

FIT_MS, UNSEEN_MS = 20, 200
"""How long the dialog waits before it takes the height of its new texts, and before it looks again whether it is on the screen."""


class SetupForm(QDialog):
    """The widgets of the dialog in their places, as they are before anybody has done anything."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("sardine_setup_dialog")
        self.setWindowTitle(tr("SARdine: set up the backend"))
        self.headline = words(self, "headline")
        font = self.headline.font()
        font.setBold(True)
        self.headline.setFont(font)
        self.state = words(self, "state")
        self.create = QRadioButton(tr("Create an environment of its own (recommended)"), self)
        self.create.setObjectName("create")
        self.create_page = CreatePage(self)
        self.existing = QRadioButton(tr("Use a Python that is there"), self)
        self.existing.setObjectName("existing")
        self.python = QgsFileWidget(self)
        self.python.setObjectName("existing_python")
        self.python.setStorageMode(QgsFileWidget.StorageMode.GetFile)
        self.python.setFilePath(settings.chosen_python())
        self.stage = words(self, "setup_stage")
        self.bar = QProgressBar(self)
        self.bar.setObjectName("setup_progress")
        self.log = QPlainTextEdit(self)
        self.log.setObjectName("setup_log")
        self.log.setReadOnly(True)
        self.log.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.log.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.log.setMinimumHeight(160)
        self.log.hide()
        self.others = OtherEnvironments(self)
        self.remove = button(self, "remove_environment", tr("Remove…"))
        self.details = button(self, "setup_details", tr("Details"))
        self.details.setCheckable(True)
        self.cancel = button(self, "setup_cancel", tr("Cancel"))
        self.go = button(self, "setup_go", "")
        self.go.setDefault(True)
        self.leave = button(self, "setup_close", tr("Close"))
        self._fit_soon = QTimer(self)
        self._fit_soon.setSingleShot(True)
        self._fit_soon.timeout.connect(self.fit)
        self._lay_out()

    def show_stage(self, text: str) -> None:
        """The line above the bar; an empty text takes no room."""
        self.stage.setText(text)
        self.stage.setVisible(bool(text))

    def show_log(self, text: str) -> None:
        """What the button “Details” opens; without a text there is no such button."""
        self.details.setVisible(bool(text))
        if self.details.isChecked() and text != self.log.toPlainText():  # else a person's place in it would be lost
            self.log.setPlainText(text)
            self.log.verticalScrollBar().setValue(self.log.verticalScrollBar().maximum())

    def fit_soon(self) -> None:
        """`fit` in a moment, when what was shown or hidden just now has its size."""
        self._fit_soon.start(FIT_MS)

    def fit(self) -> None:
        """Takes the height that the texts need at this width; a layout of its own does not ask texts of several lines."""
        window = self.windowHandle()
        if self.isVisible() and window is not None and not window.isExposed():
            # A size that is set while X11's window manager frames the window can move it into the corner of the screen.
            self._fit_soon.start(UNSEEN_MS)
        elif not self.details.isChecked():
            for layout in (self.create_page.layout(), self.layout()):
                layout.invalidate()
                layout.activate()
            self.resize(self.width(), self.layout().totalHeightForWidth(self.width()))

    def _lay_out(self) -> None:
        buttons = QHBoxLayout()
        for widget in (self.remove, self.details):
            buttons.addWidget(widget)
        buttons.addStretch(1)
        for widget in (self.cancel, self.go, self.leave):
            buttons.addWidget(widget)
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
        layout.addWidget(self.others)
        layout.addWidget(self.stage)
        layout.addWidget(self.bar)
        layout.addWidget(self.log, 1)
        layout.addStretch(0)
        layout.addLayout(buttons)
        self.setMinimumWidth(640)
