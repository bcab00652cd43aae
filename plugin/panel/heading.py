# SPDX-License-Identifier: GPL-2.0-or-later
"""A heading over a part of the panel."""

from __future__ import annotations

from qgis.PyQt.QtWidgets import QLabel, QWidget


def heading(text: str, parent: QWidget) -> QLabel:
    """A label in bold."""
    label = QLabel(text, parent)
    font = label.font()
    font.setBold(True)
    label.setFont(font)
    return label
