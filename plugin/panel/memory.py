# SPDX-License-Identifier: GPL-2.0-or-later
"""What the panel remembers between sessions. Not the scene, its bands, unit and area: those belong to a project."""

from __future__ import annotations

from pathlib import Path

from qgis.core import QgsSettings
from qgis.PyQt.QtWidgets import QComboBox

from .advanced import AdvancedOptions
from .model import ModelChooser
from .outputs import OutputChooser

PREFIX = "sardine/panel/"


def keep(model: ModelChooser, outputs: OutputChooser, advanced: AdvancedOptions) -> None:
    """Writes the choices into QGIS's settings."""
    settings = QgsSettings()
    values = {
        "model": model.path(),
        "outputs": ",".join(name for name, box in outputs.boxes.items() if box.isChecked()),
        "heads": outputs.heads.currentData(),
        "destination": outputs.destination.currentData(),
        "folder": outputs.folder.filePath(),
        "overlap": advanced.overlap.value(),
        "device": advanced.device.currentText(),
        "precision": advanced.precision.currentText(),
        "check_at_once": advanced.check_at_once.isChecked(),
        "attention_scope": advanced.attention_scope.currentData(),
    }
    for name, value in values.items():
        settings.setValue(PREFIX + name, value)


def recall(model: ModelChooser, outputs: OutputChooser, advanced: AdvancedOptions) -> None:
    """Sets the choices as they were; what was never chosen, or is no longer there, is left as it is."""
    settings = QgsSettings()

    def value(name: str) -> str:
        return str(settings.value(PREFIX + name, "") or "")

    if value("model") and Path(value("model")).is_file():
        model.choose(value("model"))
    if settings.contains(PREFIX + "outputs"):
        for name, box in outputs.boxes.items():
            box.setChecked(name in value("outputs").split(","))
    _select(outputs.heads, value("heads"))
    _select(outputs.destination, value("destination"))
    outputs.folder.setFilePath(value("folder"))
    if settings.contains(PREFIX + "overlap"):
        advanced.overlap.setValue(settings.value(PREFIX + "overlap", 0.125, type=float))
    if value("device"):
        advanced.device.setCurrentText(value("device"))
    _select(advanced.attention_scope, value("attention_scope"))
    advanced.precision.setCurrentText(value("precision") or "auto")
    advanced.check_at_once.setChecked(settings.value(PREFIX + "check_at_once", True, type=bool))


def forget() -> None:
    """Forgets all choices; a panel that is there keeps them until it is made again."""
    QgsSettings().remove(PREFIX.rstrip("/"))


def _select(combo: QComboBox, data: str) -> None:
    place = combo.findData(data)
    if place >= 0:
        combo.setCurrentIndex(place)
