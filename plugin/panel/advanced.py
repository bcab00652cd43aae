# SPDX-License-Identifier: GPL-2.0-or-later
"""The part of the panel that most runs leave alone. Labels are those that error messages name."""

from __future__ import annotations

from qgis.gui import QgsCollapsibleGroupBox
from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QFormLayout, QSizePolicy, QWidget

from ...backend.protocol import DEFAULT_OVERLAP, PRECISIONS
from ..processing.parameters import DEVICE_HINTS
from ..translation import tr


class AdvancedOptions(QgsCollapsibleGroupBox):
    """Overlap, device, precision, what attention is relative to, and scenes without reference system or with coarse pixels."""

    changed = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(tr("Advanced"), parent)
        self.setObjectName("advanced")
        self.overlap = QDoubleSpinBox(self)
        self.overlap.setObjectName("overlap")
        self.overlap.setRange(0.0, 0.75)
        self.overlap.setSingleStep(0.125)
        self.overlap.setDecimals(3)
        self.overlap.setValue(DEFAULT_OVERLAP)
        self.overlap.setToolTip(tr("Share of a window that it has in common with the next. More is smoother and slower."))
        self.device = QComboBox(self)
        self.device.setEditable(True)
        self.device.addItems(DEVICE_HINTS)
        self.device.setToolTip(tr("auto takes a graphics card where there is one; cuda:1 names one of several."))
        self.precision = QComboBox(self)
        self.precision.addItems(PRECISIONS)
        self.precision.setToolTip(tr("auto takes bf16 where the device computes faster in it; fp32 is the reference."))
        self.spacing_m = QDoubleSpinBox(self)
        self.spacing_m.setRange(0.0, 10_000.0)
        self.spacing_m.setDecimals(2)
        self.spacing_m.setSpecialValueText(tr("as the file says"))
        self.spacing_m.setToolTip(tr("Of a raster without coordinate system, which is then used as it is."))
        self.allow_coarse = QCheckBox(tr("Take pixels that are too coarse"), self)
        self.attention_scope = QComboBox(self)
        self.attention_scope.setObjectName("attention_scope")
        self.attention_scope.addItem(tr("the whole scene"), "scene")
        self.attention_scope.addItem(tr("each window"), "window")
        self.attention_scope.setToolTip(
            tr("Of the whole scene: one query, and 1 is as much as its average patch. Of each window by itself: squares show.")
        )
        self.check_at_once = QCheckBox(tr("Check scenes at once"), self)
        self.check_at_once.setToolTip(tr("Looks at a scene as soon as it is chosen: unit, grid, expected time and memory."))
        self.check_at_once.setChecked(True)
        for field in (self.overlap, self.device, self.precision, self.spacing_m, self.attention_scope):
            field.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            field.setMinimumWidth(100)
        form = QFormLayout(self)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow(tr("Overlap of windows"), self.overlap)
        form.addRow(tr("Device"), self.device)
        form.addRow(tr("Precision"), self.precision)
        form.addRow(tr("Attention relative to"), self.attention_scope)
        form.addRow(tr("Pixel spacing (m)"), self.spacing_m)
        form.addRow(self.allow_coarse)
        form.addRow(self.check_at_once)
        self.overlap.valueChanged.connect(self.changed)
        self.spacing_m.valueChanged.connect(self.changed)
        self.device.currentTextChanged.connect(self.changed)
        self.precision.currentTextChanged.connect(self.changed)
        self.allow_coarse.toggled.connect(self.changed)
        self.check_at_once.toggled.connect(self.changed)
        self.setCollapsed(True)

    def parameters(self) -> dict[str, object]:
        """OVERLAP, DEVICE, PRECISION, ATTENTION_SCOPE, SPACING_M and ALLOW_COARSE of the algorithm."""
        return {
            "OVERLAP": self.overlap.value(),
            "DEVICE": self.device.currentText().strip() or "auto",
            "PRECISION": self.precision.currentText(),
            "ATTENTION_SCOPE": self.attention_scope.currentData(),
            "SPACING_M": self.spacing_m.value() or None,
            "ALLOW_COARSE": self.allow_coarse.isChecked(),
        }
