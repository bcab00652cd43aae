# SPDX-License-Identifier: GPL-2.0-or-later
"""The part of the panel that says which rasters are made and where they go."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from qgis.gui import QgsFileWidget
from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtWidgets import QCheckBox, QComboBox, QGridLayout, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from ...backend.model_card import ModelCard
from ..layers.output_names import free_paths
from ..processing.parameters import RASTER_OUTPUTS, raster_labels
from ..translation import tr

TEMPORARY, FOLDER = "temporary", "folder"
DEFAULT_OUTPUTS = ("LANDCOVER", "CONFIDENCE", "ATTENTION")


class OutputChooser(QWidget):
    """A box for each raster, and the destination: temporary, or a folder."""

    changed = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        labels = raster_labels()
        self.boxes = {name: QCheckBox(labels[name], self) for name in RASTER_OUTPUTS}
        self._allowed = set(RASTER_OUTPUTS)
        grid = QGridLayout()
        for place, (name, box) in enumerate(self.boxes.items()):
            box.setObjectName(f"output_{name}")
            box.setChecked(name in DEFAULT_OUTPUTS)
            box.toggled.connect(self.changed)
            grid.addWidget(box, place // 2, place % 2)
        self.heads = QComboBox(self)
        self.heads.setObjectName("heads")
        self.heads.addItem(tr("mean and each head"), "all")
        self.heads.addItem(tr("mean over the heads alone"), "mean")
        self.heads.setToolTip(tr("Bands of the attention raster"))
        self.heads.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        grid.addWidget(self.heads, 2, 1)
        self.destination = QComboBox(self)
        self.destination.setObjectName("destination")
        self.destination.addItem(tr("Temporary files"), TEMPORARY)
        self.destination.addItem(tr("Folder"), FOLDER)
        self.folder = QgsFileWidget(self)
        self.folder.setStorageMode(QgsFileWidget.StorageMode.GetDirectory)
        self.folder.setDialogTitle(tr("Folder for the results"))
        line = QHBoxLayout()
        line.addWidget(self.destination)
        line.addWidget(self.folder, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(grid)
        layout.addLayout(line)
        self.boxes["ATTENTION"].toggled.connect(self._update)
        self.destination.currentIndexChanged.connect(self._update)
        self.folder.fileChanged.connect(self._update)
        self._update()

    def set_card(self, card: ModelCard | None) -> None:
        """A model without classes gives attention alone: the other boxes cannot be ticked."""
        self._allowed = {"ATTENTION"} if card is not None and not card.classes else set(RASTER_OUTPUTS)
        for name, box in self.boxes.items():
            box.setEnabled(name in self._allowed)
            box.setToolTip("" if name in self._allowed else tr("The model has no classes: it gives attention alone."))
        self._update()

    def chosen(self) -> list[str]:
        """Parameter ids of the rasters that are ticked and that the model gives."""
        return [name for name, box in self.boxes.items() if box.isChecked() and name in self._allowed]

    def problem(self) -> str:
        """Why a run cannot start with these choices; empty where it can."""
        if not self.chosen():
            return tr("No result is ticked: tick at least one.")
        return self.destination_problem()

    def destination_problem(self) -> str:
        """Why nothing can be written where the results go; empty where it can."""
        if self.destination.currentData() == FOLDER and not Path(self.folder.filePath().strip() or "/nowhere").is_dir():
            return tr("The folder for the results does not exist: choose another.")
        return ""

    def parameters(self, scene_name: str, taken: set[str]) -> dict[str, object]:
        """Destination by parameter id, None for what is not wanted, and ATTENTION_HEADS.

        `taken` are files that runs in the queue will write.
        """
        paths = self.paths(scene_name, {name: RASTER_OUTPUTS[name] for name in self.chosen()}, taken)
        return {**{name: paths.get(name) for name in RASTER_OUTPUTS}, "ATTENTION_HEADS": self.heads.currentData()}

    def paths(self, scene_name: str, words: Mapping[str, str], taken: set[str]) -> dict[str, str]:
        """Destination by parameter id of rasters whose kinds are `words` by parameter id; see `parameters`."""
        if self.destination.currentData() == TEMPORARY:
            return dict.fromkeys(words, "TEMPORARY_OUTPUT")
        return free_paths(Path(self.folder.filePath().strip()), scene_name, words, taken)

    def _update(self) -> None:
        self.folder.setVisible(self.destination.currentData() == FOLDER)
        self.heads.setEnabled("ATTENTION" in self.chosen())
        self.changed.emit()
