# SPDX-License-Identifier: GPL-2.0-or-later
"""The part of the panel that tells, when asked, what a run would take the scene for and what it would cost."""

from __future__ import annotations

from typing import Any

from qgis.PyQt.QtCore import Qt, pyqtSignal
from qgis.PyQt.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from .panel_bands import unit_labels
from .processing.job_feedback import duration_text
from .scene_check import SceneCheck
from .translation import tr


class CheckView(QWidget):
    """A button, and below it what the check found until the choices change."""

    wanted = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.check = SceneCheck(self)
        self.button = QPushButton(tr("Check the scene"), self)
        self.button.setObjectName("check")
        self.button.setToolTip(tr("Unit and its evidence, grid, expected time and memory, without mapping anything."))
        self.text = QLabel(self)
        self.text.setObjectName("checked")
        self.text.setWordWrap(True)
        self.text.setTextFormat(Qt.TextFormat.PlainText)
        self.text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        line = QHBoxLayout()
        line.addWidget(self.button)
        line.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(line)
        layout.addWidget(self.text)
        self.button.clicked.connect(self.wanted)
        self.check.ended.connect(self._show)
        self.forget()

    def start(self, arguments: list[str]) -> None:
        """Begins a check with `arguments` of the command line."""
        self._tell(tr("Checking…"))
        self.check.start(arguments)
        self.button.setEnabled(not self.check.is_running)

    def forget(self) -> None:
        """Takes back what was found: it is no longer what is chosen. A check that runs is ended."""
        self.check.stop()
        self.button.setEnabled(True)
        self._tell("")

    def _show(self, found: dict[str, Any], problem: str) -> None:
        self.button.setEnabled(True)
        self._tell(f"⚠ {problem}" if problem else found_text(found))

    def _tell(self, text: str) -> None:
        self.text.setText(text)
        self.text.setVisible(bool(text))


def found_text(found: dict[str, Any]) -> str:
    """What `backend inspect --json` found, a line each."""
    unit = unit_labels().get(found["unit"], found["unit"])
    lines = [
        f"{unit} ({found['unit_evidence']})",
        found["warp"] or tr("The scene's own pixels are used as they are."),
        tr("{height} × {width} pixels, {share:.0f}% valid").format(
            height=found["height"], width=found["width"], share=100 * found["valid_share"]
        ),
    ]
    expected = found.get("model")
    if expected and expected.get("seconds_expected") is not None:
        lines.append(
            tr("The whole layer takes about {time} and {memory:.1f} GB of memory").format(
                time=duration_text(expected["seconds_expected"]), memory=expected["memory_mb_expected"] / 1024
            )
        )
    return "\n".join([*lines, *(f"⚠ {warning['text']}" for warning in found["warnings"])])
