# SPDX-License-Identifier: GPL-2.0-or-later
"""The part of the panel that says which layer and band each band of the model is taken from, and in which unit."""

from __future__ import annotations

from qgis.core import Qgis, QgsProject, QgsRasterLayer
from qgis.gui import QgsMapLayerComboBox, QgsRasterBandComboBox
from qgis.PyQt.QtCore import Qt, pyqtSignal
from qgis.PyQt.QtWidgets import QComboBox, QDoubleSpinBox, QGridLayout, QLabel, QSizePolicy, QWidget

from ...backend.model_card import BandSpec, absent_band_note
from ...backend.protocol import SardineError
from ..layers.request import raster_source
from ..layers.units import unit_labels
from ..translation import tr
from .band_guess import guess_bands, names_role, polarisations, sibling_file


class BandTable(QWidget):
    """A row a band of the model: role, layer, band; below them the unit of the values, and what is said of a band left out."""

    changed = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._specs: tuple[BandSpec, ...] = ()
        self._scene_id = ""
        self._rows: dict[str, tuple[QgsMapLayerComboBox, QgsRasterBandComboBox]] = {}
        self._proposed: dict[str, tuple[str, int]] = {}
        """Layer's id and band that each row was last filled with."""
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setColumnStretch(1, 1)
        self.unit = QComboBox(self)
        self.unit.setObjectName("unit")
        for value, label in unit_labels().items():
            self.unit.addItem(label, value)
        self.calibration_db = QDoubleSpinBox(self)
        self.calibration_db.setRange(-200, 200)
        self.calibration_db.setDecimals(3)
        # The lowest value stands for none: a constant of 0 would be a wrong answer that looks like one.
        self.calibration_db.setValue(self.calibration_db.minimum())
        self.calibration_db.setSpecialValueText(tr("not entered"))
        self.calibration_db.valueChanged.connect(self.changed)
        self._calibration_label = QLabel(tr("Calibration constant (dB)"), self)
        self.unit.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.unit.currentIndexChanged.connect(self._unit_changed)
        self._left_out = QLabel(self)
        self._left_out.setObjectName("left_out")
        self._left_out.setWordWrap(True)
        self._left_out.setTextFormat(Qt.TextFormat.PlainText)
        # A long file name must not widen the dock; set so, the policy keeps that the height follows the width.
        policy = self._left_out.sizePolicy()
        policy.setHorizontalPolicy(QSizePolicy.Policy.Ignored)
        self._left_out.setSizePolicy(policy)
        self.changed.connect(self._tell_left_out)
        self._lay_out()

    def set_bands(self, specs: tuple[BandSpec, ...]) -> None:
        """Shows a row for each of the model's bands, filled anew where the bands differ from those before."""
        if [spec.role for spec in specs] == [spec.role for spec in self._specs] and self._rows:
            self._specs = specs
            self._tell_left_out()
            return
        self._specs = specs
        for layers, bands in self._rows.values():
            layers.deleteLater()
            bands.deleteLater()
        self._rows = {spec.role: self._row(spec.role) for spec in specs}
        self._lay_out()
        self._fill(anew=True)

    def set_layer(self, layer: QgsRasterLayer | None) -> None:
        """Proposes a band of `layer` or of its siblings for each row; where it was the scene already, for empty rows alone.

        The unit of another scene is detected again.
        """
        scene_id = layer.id() if layer is not None else ""
        anew = scene_id != self._scene_id
        self._scene_id = scene_id
        if anew:
            self.unit.setCurrentIndex(self.unit.findData("auto"))
        self._fill(anew)

    def choose(self, role: str, layer: QgsRasterLayer | None, band: int) -> None:
        """Sets a row; band 0 is a choice left open."""
        layers, bands = self._rows[role]
        layers.setLayer(layer)
        bands.setLayer(layer)
        bands.setBand(band if band else -1)

    def bands(self) -> dict[str, tuple[QgsRasterLayer, int]]:
        """Layer and band of each role that has been chosen."""
        chosen = {}
        for role, (layers, bands) in self._rows.items():
            layer = layers.currentLayer()
            if isinstance(layer, QgsRasterLayer) and bands.currentBand() > 0:
                chosen[role] = (layer, bands.currentBand())
        return chosen

    def problem(self) -> str:
        """Why a run cannot start with these rows, as a sentence; empty where it can."""
        chosen = self.bands()
        missing = [spec.role for spec in self._specs if spec.role not in chosen and not spec.optional]
        if missing:
            return self._absence(missing, bool(chosen))
        if not chosen:
            others = self._other_polarisations([spec.role for spec in self._specs])
            return others or tr("Choose layer and band of at least one row.")
        taken = [(layer.id(), band) for layer, band in chosen.values()]
        if len(set(taken)) < len(taken):
            return tr("One band is chosen twice: choose another.")
        if self.unit.currentData() == "dn" and self._no_calibration():
            return tr("Digital numbers need their calibration constant: enter it, or calibrate the scene first.")
        for layer, _ in chosen.values():
            try:
                raster_source(layer)
            except SardineError as error:
                return str(error)
        return ""

    def note(self) -> str:
        """What a run should be known to lack with these rows, as the run itself says; empty where it lacks nothing."""
        try:
            sources = {role: raster_source(layer) for role, (layer, _) in self.bands().items()}
        except SardineError:  # `problem` tells
            return ""
        return absent_band_note(self._specs, sources, tr)

    def _absence(self, missing: list[str], some_are_there: bool) -> str:
        """What to do about roles that no band was found for."""
        roles = ", ".join(missing)
        scene = QgsProject.instance().mapLayer(self._scene_id)
        if isinstance(scene, QgsRasterLayer):
            beside = sibling_file(scene, missing[0])
            if beside is not None:
                text = tr("The model needs {role} too: load {file}, which lies beside the scene.")
                return text.format(role=missing[0], file=beside.name)
        others = "" if some_are_there else self._other_polarisations(missing)
        if others:
            return others
        text = tr("The model needs {roles}, which no layer names: choose layer and band, or load the layer that holds it.")
        return text.format(roles=roles)

    def _other_polarisations(self, missing: list[str]) -> str:
        """That the scene holds polarisations, and none of `missing`; empty where it names none."""
        scene = QgsProject.instance().mapLayer(self._scene_id)
        held = polarisations(scene) if isinstance(scene, QgsRasterLayer) else []
        if not held or any(names_role(name, role) for name in held for role in missing):
            return ""
        text = tr("The scene holds {held}; the model needs {roles}. Choose another scene, or a model for these bands.")
        return text.format(held=", ".join(held), roles=", ".join(missing))

    def parameters(self) -> dict[str, object]:
        """INPUT, BANDS, UNITS and CALIBRATION_DB of the algorithm."""
        chosen = self.bands()
        first = next(iter(chosen.values()))[0]
        unit = self.unit.currentData()
        text = ";".join(f"{role}={_named(layer)}:{band}" for role, (layer, band) in chosen.items())
        found = {"INPUT": first.id(), "BANDS": text, "UNITS": unit}
        return {**found, "CALIBRATION_DB": self.calibration_db.value()} if unit == "dn" and not self._no_calibration() else found

    def sources(self) -> list[str]:
        """ROLE=file:band of each chosen row, as the command line takes it. Raises SardineError for a layer without a file."""
        return [f"{role}={raster_source(layer)}:{band}" for role, (layer, band) in self.bands().items()]

    def _no_calibration(self) -> bool:
        return self.calibration_db.value() == self.calibration_db.minimum()

    def _row(self, role: str) -> tuple[QgsMapLayerComboBox, QgsRasterBandComboBox]:
        layers = QgsMapLayerComboBox(self)
        layers.setObjectName(f"layer_{role}")
        layers.setFilters(Qgis.LayerFilter.RasterLayer)
        layers.setAllowEmptyLayer(True)
        # A long layer name must not widen the dock.
        layers.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        layers.setMinimumWidth(90)
        bands = QgsRasterBandComboBox(self)
        bands.setObjectName(f"band_{role}")
        bands.setShowNotSetOption(True, tr("choose"))
        bands.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        bands.setMinimumContentsLength(11)  # “Band 1: VV …”
        # Names of Sentinel-1 files differ where they are cut off.
        layers.layerChanged.connect(lambda layer: layers.setToolTip(layer.name() if layer is not None else ""))
        layers.layerChanged.connect(bands.setLayer)
        layers.layerChanged.connect(self.changed)
        bands.bandChanged.connect(self.changed)
        return layers, bands

    def _fill(self, anew: bool) -> None:
        scene = QgsProject.instance().mapLayer(self._scene_id)
        others = [layer for layer in QgsProject.instance().mapLayers().values() if isinstance(layer, QgsRasterLayer)]
        guessed = guess_bands(list(self._rows), scene, others) if scene is not None else {}
        kept = {} if anew else self.bands()
        if anew:
            self._proposed = {}
        for spec in self._specs:
            layer, band = guessed.get(spec.role, (scene, 0))
            proposed = (layer.id(), band) if layer is not None else ("", 0)
            # A person may have emptied a row that a run can do without: the same is not proposed again.
            refused = spec.optional and proposed == self._proposed.get(spec.role)
            if spec.role not in kept and not refused:
                self.choose(spec.role, layer, band)
                if spec.role in self.bands():  # the list of a row may not hold a new layer yet
                    self._proposed[spec.role] = proposed
        self.changed.emit()

    def _lay_out(self) -> None:
        while self._grid.count():
            self._grid.takeAt(0)
        for line, (role, (layers, bands)) in enumerate(self._rows.items()):
            label = self.findChild(QLabel, f"role_{role}") or QLabel(role, self)
            label.setObjectName(f"role_{role}")
            self._grid.addWidget(label, line, 0)
            self._grid.addWidget(layers, line, 1)
            self._grid.addWidget(bands, line, 2)
        for label in self.findChildren(QLabel):
            if label.objectName().startswith("role_"):
                label.setVisible(label.objectName()[len("role_") :] in self._rows)
        line = len(self._rows)
        label = self.findChild(QLabel, "unit_label") or QLabel(tr("Unit"), self)
        label.setObjectName("unit_label")
        label.setToolTip(tr("Unit of the pixel values"))
        self._grid.addWidget(label, line, 0)
        self._grid.addWidget(self.unit, line, 1, 1, 2)
        self._grid.addWidget(self._calibration_label, line + 1, 0, 1, 2)
        self._grid.addWidget(self.calibration_db, line + 1, 2)
        self._grid.addWidget(self._left_out, line + 2, 0, 1, 3)
        self._unit_changed()

    def _tell_left_out(self) -> None:
        text = self.note()
        self._left_out.setText(f"⚠ {text}" if text else "")
        self._left_out.setVisible(bool(text))

    def _unit_changed(self) -> None:
        for widget in (self._calibration_label, self.calibration_db):
            widget.setVisible(self.unit.currentData() == "dn")
        self.changed.emit()


def _named(layer: QgsRasterLayer) -> str:
    """What BANDS calls `layer`: its file, so that Processing's history can be run again; else its id.

    A semicolon or a line's end in a path would separate two bands.
    """
    source = raster_source(layer)
    return layer.id() if ";" in source or "\n" in source else source
