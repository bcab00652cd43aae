# SPDX-License-Identifier: GPL-2.0-or-later
"""The line of the set-up dialog on environments that other versions of the plugin made and that only take space now."""

from __future__ import annotations

from pathlib import Path

from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtWidgets import QHBoxLayout, QWidget

from ..translation import tr
from . import folder as folders
from .interpreter import environments_home, shared_environment
from .widgets import button, words


class OtherEnvironments(QWidget):
    """`removal_wanted` carries the folders, and the question to ask before."""

    removal_wanted = pyqtSignal(list, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.found = words(self, "other_environments")
        self.remove = button(self, "remove_others", tr("Remove them…"))
        self.remove.clicked.connect(self._want)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.found, 1)
        layout.addWidget(self.remove)

    def refresh(self) -> None:
        """Shows how many there are now; nothing where there are none."""
        found = folders.others(environments_home(), shared_environment().path)
        size = sum(other.stamp.size_mb for other in found if other.stamp is not None) / 1024
        self.found.setText(
            tr("Environments of other versions of SARdine: {count} ({size:.1f} GB).").format(count=len(found), size=size)
        )
        self.setVisible(bool(found))

    def _want(self) -> None:
        paths: list[Path] = [other.path for other in folders.others(environments_home(), shared_environment().path)]
        text = tr(
            "Remove the environments of other versions of SARdine? A profile with such a version would have to make its own again."
        )
        self.removal_wanted.emit(paths, "\n".join([text, "", *map(str, paths)]))
