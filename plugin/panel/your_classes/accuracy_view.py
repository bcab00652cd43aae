# SPDX-License-Identifier: GPL-2.0-or-later
"""How good the map is, class by class, by samples that were held out; where classes confuse, and which have too few samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qgis.PyQt.QtCore import QLocale, Qt
from qgis.PyQt.QtGui import QColor, QIcon, QPixmap
from qgis.PyQt.QtWidgets import QAbstractItemView, QHeaderView, QLabel, QTableWidget, QTableWidgetItem, QVBoxLayout, QWidget

from ...translation import tr


class AccuracyView(QWidget):
    """A row a class: producer's and user's accuracy and F1 in percent, and the mapped area. Sentences below."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        columns = (
            (tr("Class"), ""),
            (tr("Prod."), tr("Producer's accuracy: of what is this class, so much is mapped as it (%)")),
            (tr("User's"), tr("User's accuracy: of what is mapped as this class, so much is it (%)")),
            ("F1", tr("The harmonic mean of both (%)")),
            ("ha", tr("Mapped area in hectares")),
        )
        self.title = QLabel(self)
        self.title.setWordWrap(True)
        self.title.setTextFormat(Qt.TextFormat.PlainText)
        self.table = QTableWidget(0, len(columns), self)
        self.table.setObjectName("accuracy")
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.verticalHeader().setVisible(False)
        self.table.setShowGrid(False)
        self.table.setAlternatingRowColors(True)
        for column, (text, hint) in enumerate(columns):
            item = QTableWidgetItem(text)
            item.setToolTip(hint)
            self.table.setHorizontalHeaderItem(column, item)
            mode = QHeaderView.ResizeMode.ResizeToContents if column else QHeaderView.ResizeMode.Stretch
            self.table.horizontalHeader().setSectionResizeMode(column, mode)
        self.sentences = QLabel(self)
        self.sentences.setObjectName("accuracy_sentences")
        self.sentences.setWordWrap(True)
        self.sentences.setTextFormat(Qt.TextFormat.PlainText)
        self.sentences.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self.title, self.table, self.sentences):
            layout.addWidget(widget)
        self.forget()

    def forget(self) -> None:
        """Shows that no map has been made yet."""
        self.title.setText(tr("Map the scene: how accurate the map is will stand here."))
        self.table.hide()
        self.sentences.hide()

    def show_details(self, details: Mapping[str, Any], warnings: list[str]) -> None:
        """Shows what the backend reports of a map, and what it warned of."""
        rows = accuracy_rows(details)
        self.table.setRowCount(len(rows))
        for line, (name, colour, figures) in enumerate(rows):
            swatch = QPixmap(16, 16)
            swatch.fill(QColor(colour))
            self.table.setItem(line, 0, QTableWidgetItem(QIcon(swatch), name))
            for column, text in enumerate(figures, start=1):
                item = QTableWidgetItem(text)
                item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                self.table.setItem(line, column, item)
        height = self.table.horizontalHeader().sizeHint().height() + sum(self.table.rowHeight(line) for line in range(len(rows)))
        self.table.setFixedHeight(height + 2 * self.table.frameWidth())
        self.title.setText(overall_text(details))
        told = [*(f"⚠ {text}" for text in advice(details)), *(f"⚠ {text}" for text in warnings)]
        self.sentences.setText("\n".join(told))
        self.sentences.setVisible(bool(told))
        self.table.show()


def accuracy_rows(details: Mapping[str, Any]) -> list[tuple[str, str, tuple[str, ...]]]:
    """Name, colour and figures (producer's, user's, F1, ha) of each class; a dash where nothing can be told."""
    locale = QLocale()
    held_out = details.get("held_out") or {"classes": [], "agreement": {}}
    places = {item["name"]: place for place, item in enumerate(held_out["classes"])}
    rows = []
    for item in details["classes"]:
        place = places.get(item["name"])
        shares = [held_out["agreement"][key][place] if place is not None else None for key in ("producers", "users", "f1")]
        percents = [locale.toString(100 * share, "f", 0) if share is not None else "–" for share in shares]
        area_ha = details.get("class_area_ha", {}).get(str(item["code"]), 0.0)
        rows.append((item["name"], item["colour"], (*percents, locale.toString(area_ha, "f", 0 if area_ha >= 100 else 2))))
    return rows


def overall_text(details: Mapping[str, Any]) -> str:
    """One sentence on the whole map."""
    held_out = details.get("held_out")
    if not held_out:
        return tr("How accurate the map is cannot be told: it takes two classes with two samples each.")
    return tr("Overall accuracy {percent:.0f}%, judged by samples that were held out as a whole.").format(
        percent=100 * held_out["agreement"]["overall"]
    )


def advice(details: Mapping[str, Any]) -> list[str]:
    """Sentences on classes that are confused and on those with too few samples, with what to do."""
    confused = [
        tr("{share:.0f}% of {name} is taken for {other}: draw more of both where the map is wrong, or make them one class.").format(
            share=100 * item["share"], name=item["class"], other=item["taken_for"]
        )
        for item in details.get("confused", [])
    ]
    alone = [item["name"] for item in details["classes"] if item["samples"] == 1]
    few = [item for item in details["classes"] if 1 < (item["samples"] or 0) < details["few_samples"]]
    sentences = []
    if alone:
        text = tr("Of {names} there is one sample alone, and nothing to judge it by: draw more.")
        sentences.append(text.format(names=", ".join(alone)))
    if few:
        listed = ", ".join(f"{item['name']} ({item['samples']})" for item in few)
        text = tr("Few samples of {names}: their figures are rough. Draw {count} or more of each, spread over the scene.")
        sentences.append(text.format(names=listed, count=details["few_samples"]))
    return [*confused, *sentences]
