# SPDX-License-Identifier: GPL-2.0-or-later
"""The widgets that the set-up dialog and its page are put together from. Each has an object name, by which it is found."""

from __future__ import annotations

from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtWidgets import QComboBox, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QWidget


def words(parent: QWidget, name: str) -> QLabel:
    """A text of several lines that can be selected."""
    label = QLabel(parent)
    label.setObjectName(name)
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label


def button(parent: QWidget, name: str, text: str) -> QPushButton:
    """A button that the Enter key does not press unless it is made the default."""
    made = QPushButton(text, parent)
    made.setObjectName(name)
    made.setAutoDefault(False)
    return made


def combo(parent: QWidget, name: str) -> QComboBox:
    """A list that is as wide as there is room, and not as wide as its longest entry."""
    made = QComboBox(parent)
    made.setObjectName(name)
    made.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    made.setMinimumContentsLength(20)
    made.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    return made


def line(parent: QWidget, first: QWidget, *others: QWidget) -> QWidget:
    """`first` with all the room, and `others` to the right of it."""
    made = QWidget(parent)
    layout = QHBoxLayout(made)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.addWidget(first, 1)
    for other in others:
        layout.addWidget(other)
    return made
