# SPDX-License-Identifier: GPL-2.0-or-later
"""The part of the panel that tells, when asked, what a run would take the scene for and what it would cost."""

from __future__ import annotations

from typing import Any

from qgis.PyQt.QtCore import Qt, pyqtSignal
from qgis.PyQt.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from ...backend.model_card import LEFT_OUT
from ..layers.units import unit_text
from ..processing.job_feedback import duration_text
from ..translation import tr
from .scene_check import SceneCheck


class CheckView(QWidget):
    """A button, and below it what the check found until the choices change."""

    wanted = pyqtSignal()
    cost_told = pyqtSignal(str)
    """What a run over the chosen area is expected to take; empty where that is not known."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.check = SceneCheck(self)
        self._arguments: list[str] = []
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

    @property
    def arguments(self) -> list[str]:
        """What was checked, or is being checked; empty where nothing is."""
        return self._arguments

    def start(self, arguments: list[str]) -> None:
        """Begins a check with `arguments` of the command line."""
        self._arguments = arguments
        self.cost_told.emit("")
        self._tell(tr("Checking…"))
        self.check.start(arguments)
        self.button.setEnabled(not self.check.is_running)

    def forget(self) -> None:
        """Takes back what was found: it is no longer what is chosen. A check that runs is ended."""
        self.check.stop()
        self._arguments = []
        self.button.setEnabled(True)
        self.cost_told.emit("")
        self._tell("")

    def _show(self, found: dict[str, Any], problem: str) -> None:
        self.button.setEnabled(True)
        self._tell(f"⚠ {problem}" if problem else found_text(found))
        self.cost_told.emit("" if problem else cost_text(found))

    def _tell(self, text: str) -> None:
        self.text.setText(text)
        self.text.setVisible(bool(text))


def found_text(found: dict[str, Any]) -> str:
    """What `backend inspect --json` found, a line each; not that a band is left out, which stands beside the bands."""
    lines = [
        unit_text(found["unit"], found["unit_evidence"]),
        found["warp"] or tr("The scene's own pixels are used as they are."),
        tr("{height} × {width} pixels, {share:.0f}% valid").format(
            height=found["height"], width=found["width"], share=100 * found["valid_share"]
        ),
    ]
    return "\n".join([*lines, *(f"⚠ {warning['text']}" for warning in found["warnings"] if warning["code"] != LEFT_OUT)])


def cost_text(found: dict[str, Any]) -> str:
    """Expected time and memory of a run over the chosen area, by the timing of the chosen device."""
    expected = found.get("model")
    if not expected or expected.get("seconds_expected") is None:
        return ""
    time, memory_gb = duration_text(expected["seconds_expected"]), expected["memory_mb_expected"] / 1024
    return tr("About {time} and {memory:.1f} GB of memory").format(time=time, memory=memory_gb)
