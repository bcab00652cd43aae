# SPDX-License-Identifier: GPL-2.0-or-later
"""The part of the panel that shows what the last run came to: areas by class, or an error and what to do."""

from __future__ import annotations

from pathlib import Path

from qgis.core import QgsApplication
from qgis.gui import QgsCollapsibleGroupBox
from qgis.PyQt.QtCore import QLocale, Qt
from qgis.PyQt.QtGui import QColor, QIcon, QPixmap
from qgis.PyQt.QtWidgets import (
    QAbstractItemView,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QStackedWidget,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from ..layers.class_areas import ClassArea, areas_text, class_areas
from ..layers.results import notes, write_whole
from ..report import report_text
from ..translation import tr
from .run_queue import Run


class ResultView(QStackedWidget):
    """Nothing yet, a summary, or an error."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.summary = SummaryView(self)
        self.error = ErrorView(self)
        empty = QLabel(tr("No run has ended yet."), self)
        empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        empty.setEnabled(False)
        for page in (empty, self.summary, self.error):
            self.addWidget(page)

    def show_run(self, run: Run, problems: list[str]) -> None:
        """Shows how `run` ended; `problems` are sentences on what came after it."""
        if run.outcome == "done" and run.result is not None:
            self.summary.show_run(run, problems)
            self.setCurrentWidget(self.summary)
        else:
            self.error.show_run(run)
            self.setCurrentWidget(self.error)


class SummaryView(QWidget):
    """Areas by class, to copy or to save, and how the result came about."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: list[ClassArea] = []
        self._name = ""
        self.title = _label(self, bold=True)
        self.warning = _label(self)
        self.warning.setObjectName("warnings")
        self.table = QTableWidget(0, 3, self)
        self.table.setObjectName("areas")
        self.table.setHorizontalHeaderLabels([tr("Class"), tr("Area (ha)"), "%"])
        self.table.verticalHeader().setVisible(False)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setShowGrid(False)
        self.table.setAlternatingRowColors(True)
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column in (1, 2):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        copy = QPushButton(tr("Copy"), self)
        copy.clicked.connect(self.copy)
        save = QPushButton(tr("Save as CSV…"), self)
        save.clicked.connect(self._ask_and_save)
        self._buttons = QWidget(self)
        line = QHBoxLayout(self._buttons)
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(copy)
        line.addWidget(save)
        line.addStretch(1)
        self.notes = _label(self)
        layout = QVBoxLayout(self)
        for widget in (self.title, self.warning, self.table, self._buttons, self.notes):
            layout.addWidget(widget, 1 if widget is self.table else 0)

    def show_run(self, run: Run, problems: list[str]) -> None:
        self._rows = class_areas(run.result, run.card)
        self._name = run.scene_name
        self.title.setText(run.title)
        told = [*problems, *run.feedback.warnings]
        self.warning.setText("\n".join(f"⚠ {text}" for text in told))
        self.warning.setVisible(bool(told))
        self.table.setVisible(bool(self._rows))
        self._buttons.setVisible(bool(self._rows))
        self.table.setRowCount(len(self._rows))
        locale = QLocale()
        for line, row in enumerate(self._rows):
            swatch = QPixmap(16, 16)
            swatch.fill(QColor(row.colour))
            self.table.setItem(line, 0, QTableWidgetItem(QIcon(swatch), row.name))
            for column, text in ((1, locale.toString(row.area_ha, "f", 2)), (2, locale.toString(row.percent, "f", 1))):
                item = QTableWidgetItem(text)
                item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                self.table.setItem(line, column, item)
        self.notes.setText("\n".join(notes(run.result, run.card)))

    def copy(self) -> None:
        """Puts the table on the clipboard, in columns as a spreadsheet takes them."""
        QgsApplication.clipboard().setText(areas_text(self._rows, "\t"))

    def save(self, path: Path) -> None:
        """Writes the table as CSV. Raises OSError."""
        write_whole(str(path), areas_text(self._rows, ","))

    def _ask_and_save(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, tr("Save the areas"), f"{self._name}_areas.csv", tr("CSV files (*.csv)"))
        if not path:
            return
        try:
            self.save(Path(path if path.lower().endswith(".csv") else f"{path}.csv"))
        except OSError as error:
            text = tr("The file could not be written ({reason}): choose another place.").format(reason=error.strerror)
            self.warning.setText(f"⚠ {text}")
            self.warning.show()


class ErrorView(QWidget):
    """What went wrong and what to do; the log's ends; a report to paste."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._report = ""
        self.title = _label(self, bold=True)
        self.sentence = _label(self)
        self.sentence.setObjectName("error")
        self.log = QPlainTextEdit(self)
        self.log.setReadOnly(True)
        self.log.setMinimumHeight(160)
        self._details = QgsCollapsibleGroupBox(tr("Details"), self)
        self._details.setCollapsed(True)
        QVBoxLayout(self._details).addWidget(self.log)
        copy = QPushButton(tr("Copy report"), self)
        copy.setToolTip(tr("Versions, settings and log for an issue; paths are shortened."))
        copy.clicked.connect(self.copy)
        line = QHBoxLayout()
        line.addWidget(copy)
        line.addStretch(1)
        layout = QVBoxLayout(self)
        for widget in (self.title, self.sentence, self._details):
            layout.addWidget(widget)
        layout.addLayout(line)
        layout.addStretch(1)

    def show_run(self, run: Run) -> None:
        cancelled = run.outcome == "cancelled"
        heading, _, rest = run.feedback.error.partition(": ")
        self.title.setText(tr("Cancelled") if cancelled else heading)
        self.sentence.setText(tr("Nothing of {run} was kept.").format(run=run.title) if cancelled else rest)
        self.log.setPlainText(run.feedback.log)
        self._report = report_text(run)

    def copy(self) -> None:
        """Puts the report on the clipboard."""
        QgsApplication.clipboard().setText(self._report)


def _label(parent: QWidget, bold: bool = False) -> QLabel:
    label = QLabel(parent)
    label.setWordWrap(True)
    # What files and models say of themselves must not be read as rich text.
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    if bold:
        font = label.font()
        font.setBold(True)
        label.setFont(font)
    return label
