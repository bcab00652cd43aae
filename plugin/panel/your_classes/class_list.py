# SPDX-License-Identifier: GPL-2.0-or-later
"""The list of classes of a sample layer: colour, name, number of samples; to add, rename, recolour and remove."""

from __future__ import annotations

from qgis.core import QgsVectorLayer
from qgis.gui import QgsColorDialog
from qgis.PyQt.QtCore import Qt, pyqtSignal
from qgis.PyQt.QtGui import QColor, QIcon, QPixmap
from qgis.PyQt.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QMessageBox,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from ...translation import tr
from . import sample_layer


class ClassList(QWidget):
    """Shows and changes the classes of the layer that `show_layer` was given. `current` is the class that is drawn next."""

    current_changed = pyqtSignal()
    refused = pyqtSignal(str)
    """A sentence on why a change was not made."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._layer: QgsVectorLayer | None = None
        self.table = QTableWidget(0, 2, self)
        self.table.setObjectName("classes")
        self.table.setHorizontalHeaderLabels([tr("Class"), tr("Samples")])
        self.table.verticalHeader().setVisible(False)
        self.table.setShowGrid(False)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.table.horizontalHeader().setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self.table.setMinimumHeight(110)
        self.add = self._button("add_class", tr("Add"), tr("Adds a class; type its name."), self._add)
        self.rename = self._button("rename_class", tr("Rename"), tr("Renames the class and its samples."), self._rename)
        self.recolour = self._button("recolour_class", tr("Colour…"), "", self._recolour)
        self.remove = self._button("remove_class", tr("Remove"), tr("Removes the class and its samples."), self._ask_and_remove)
        line = QHBoxLayout()
        for button in (self.add, self.rename, self.recolour, self.remove):
            line.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.table)
        layout.addLayout(line)
        self.table.currentCellChanged.connect(self._row_changed)
        self.table.itemChanged.connect(self._renamed)
        self.show_layer(None)

    @property
    def current(self) -> str:
        """The name of the selected class; empty where none is."""
        item = self.table.item(self.table.currentRow(), 0)
        return item.data(Qt.ItemDataRole.UserRole) if item is not None else ""

    def show_layer(self, layer: QgsVectorLayer | None, current: str = "") -> None:
        """Shows the classes of `layer`, None for none; the selected class stays, or is `current` where that is named."""
        self._layer = layer
        wanted = current or self.current
        counts = sample_layer.count_samples(layer) if layer is not None else {}
        classes = sample_layer.classes_of(layer) if layer is not None else []
        self.table.blockSignals(True)
        self.table.setRowCount(len(classes))
        for row, item in enumerate(classes):
            swatch = QPixmap(16, 16)
            swatch.fill(QColor(item.colour))
            name = QTableWidgetItem(QIcon(swatch), item.name)
            name.setData(Qt.ItemDataRole.UserRole, item.name)
            count = QTableWidgetItem(str(counts.get(item.name, 0)))
            count.setFlags(count.flags() & ~Qt.ItemFlag.ItemIsEditable)
            count.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            self.table.setItem(row, 0, name)
            self.table.setItem(row, 1, count)
        names = [item.name for item in classes]
        self.table.setCurrentCell(names.index(wanted) if wanted in names else len(names) - 1, 0)
        self.table.blockSignals(False)
        self.setEnabled(layer is not None)
        self._row_changed()

    def select(self, name: str) -> None:
        """Makes the class `name` the one that is drawn next."""
        for row in range(self.table.rowCount()):
            if self.table.item(row, 0).data(Qt.ItemDataRole.UserRole) == name:
                self.table.setCurrentCell(row, 0)

    def add_named(self, name: str, colour: str = "") -> None:
        """Adds the class `name` and selects it."""
        self._do(sample_layer.name_problem(self._layer, name) or sample_layer.add_class(self._layer, name.strip(), colour))
        self.show_layer(self._layer, name.strip())

    def rename_to(self, name: str, new_name: str) -> None:
        """Calls the class `name` and its samples `new_name`."""
        problem = sample_layer.name_problem(self._layer, new_name)
        if not problem and not sample_layer.rename_class(self._layer, name, new_name.strip()):
            problem = tr("The layer cannot be edited.")
        self._do(problem)
        self.show_layer(self._layer, "" if problem else new_name.strip())

    def remove_named(self, name: str) -> None:
        """Removes the class `name` and its samples."""
        self._do("" if sample_layer.remove_class(self._layer, name) else tr("The layer cannot be edited."))
        self.show_layer(self._layer)

    def _button(self, object_name: str, text: str, hint: str, act: object) -> QPushButton:
        button = QPushButton(text, self)
        button.setObjectName(object_name)
        button.setToolTip(hint)
        button.clicked.connect(act)
        return button

    def _do(self, problem: str | None) -> None:
        self.refused.emit(problem or "")

    def _row_changed(self, *_: int) -> None:
        for button in (self.rename, self.recolour, self.remove):
            button.setEnabled(bool(self.current))
        self.current_changed.emit()

    def _add(self) -> None:
        number = self.table.rowCount() + 1
        numeric = self._layer.fields().field(sample_layer.class_field(self._layer)).isNumeric()
        text = "{number}" if numeric else tr("class {number}")
        while sample_layer.name_problem(self._layer, text.format(number=number)):
            number += 1
        self.add_named(text.format(number=number))
        self._rename()

    def _rename(self) -> None:
        self.table.setFocus()
        self.table.editItem(self.table.item(self.table.currentRow(), 0))

    def _renamed(self, item: QTableWidgetItem) -> None:
        name = item.data(Qt.ItemDataRole.UserRole)
        if item.column() == 0 and item.text().strip() != name:
            self.rename_to(name, item.text())

    def _recolour(self) -> None:
        before = next(item.colour for item in sample_layer.classes_of(self._layer) if item.name == self.current)
        chosen = QgsColorDialog.getColor(QColor(before), self, tr("Colour of “{name}”").format(name=self.current))
        if chosen.isValid():
            sample_layer.recolour_class(self._layer, self.current, chosen.name())
            self.show_layer(self._layer)

    def _ask_and_remove(self) -> None:
        count = sample_layer.count_samples(self._layer)[self.current]
        if count:
            text = tr("Remove “{name}” and its {count} samples?").format(name=self.current, count=count)
            if QMessageBox.question(self, tr("Remove class"), text) != QMessageBox.StandardButton.Yes:
                return
        self.remove_named(self.current)
