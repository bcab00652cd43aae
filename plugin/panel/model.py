# SPDX-License-Identifier: GPL-2.0-or-later
"""The part of the panel that chooses a model and shows its card."""

from __future__ import annotations

from pathlib import Path

from qgis.gui import QgsCollapsibleGroupBox
from qgis.PyQt.QtCore import Qt, pyqtSignal
from qgis.PyQt.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QTextBrowser,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ...backend.model_card import ModelCard, read_header
from ...backend.protocol import SardineError
from ..error_text import describe
from ..locations import MODELS
from ..translation import tr
from .model_text import card_html, trained_on


class ModelChooser(QWidget):
    """The bundled models and a file of one's own. `card` is None where the chosen file is no model; `problem` says why."""

    changed = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.card: ModelCard | None = None
        self.problem = ""
        self.models = QComboBox(self)
        self.models.setObjectName("model")
        self.models.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        browse = QToolButton(self)
        browse.setText("…")
        browse.setToolTip(tr("Choose a model file"))
        browse.clicked.connect(self._browse)
        self._note = QLabel(self)
        self._note.setWordWrap(True)
        self._text = QTextBrowser(self)
        self._text.setObjectName("card")
        self._text.setOpenLinks(False)
        self._text.setMinimumHeight(320)
        box = QgsCollapsibleGroupBox(tr("Model card"), self)
        box.setCollapsed(True)
        QVBoxLayout(box).addWidget(self._text)
        line = QHBoxLayout()
        line.addWidget(self.models)
        line.addWidget(browse)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(line)
        layout.addWidget(self._note)
        layout.addWidget(box)
        for path in sorted(MODELS.glob("*.safetensors")):
            self._add(path)
        self.models.currentIndexChanged.connect(self._read)
        self._read()

    def path(self) -> str:
        """The chosen file; empty where there is none."""
        return self.models.currentData() or ""

    def choose(self, path: str) -> None:
        """Selects the model file at `path`, whether it can be used or not: the note below says why it cannot."""
        place = self.models.findData(path)
        if place < 0:
            self._add(Path(path))
            place = self.models.count() - 1
        self.models.setCurrentIndex(place)
        self._read()

    def _add(self, path: Path) -> None:
        try:
            name = read_header(path).card.name
        except SardineError:
            name = path.name  # its problem is told when it is chosen
        self.models.addItem(name, str(path))
        self.models.setItemData(self.models.count() - 1, str(path), Qt.ItemDataRole.ToolTipRole)

    def _browse(self) -> None:
        title = tr("Choose a model file")
        path, _ = QFileDialog.getOpenFileName(self, title, str(Path(self.path()).parent), tr("SARdine models (*.safetensors)"))
        if path:
            self.choose(path)

    def _read(self) -> None:
        self.card, self.problem = None, ""
        if not self.path():
            self.problem = tr("No model came with the plugin: choose a model file.")
        else:
            try:
                self.card = read_header(self.path()).card
            except SardineError as error:
                self.problem = describe(error)
        self._text.setHtml(card_html(self.card) if self.card else "")
        note = tr("Trained on {what}.").format(what=trained_on(self.card)) if self.card else self.problem
        self._note.setText(note)
        self.changed.emit()
