# SPDX-License-Identifier: GPL-2.0-or-later
"""The part of the page that says how the classifier learns, and from what."""

from __future__ import annotations

from qgis.gui import QgsCollapsibleGroupBox
from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtWidgets import QCheckBox, QComboBox, QFormLayout, QSizePolicy, QVBoxLayout, QWidget

from ...translation import tr

DEFAULT_METHOD = "logistic"
"""With backscatter alone as good as the forest from ten samples a class on, and three times as fast (docs/samples.md)."""


class MethodChooser(QgsCollapsibleGroupBox):
    """METHOD and FEATURES of `sardine:classify_samples`."""

    changed = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(tr("Method"), parent)
        self.setObjectName("method_group")
        self.method = QComboBox(self)
        self.method.setObjectName("method")
        self.method.addItem(tr("Logistic regression (fast)"), "logistic")
        self.method.addItem(tr("Random forest"), "forest")
        self.method.addItem(tr("Gradient boosting"), "boosting")
        self.method.setCurrentIndex(self.method.findData(DEFAULT_METHOD))
        self.method.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.features = {
            "db": QCheckBox(tr("backscatter around each pixel"), self),
            "attention": QCheckBox(tr("attention of the model"), self),
            "tokens": QCheckBox(tr("embeddings of the model"), self),
        }
        boxes = QVBoxLayout()
        for name, box in self.features.items():
            box.setObjectName(f"feature_{name}")
            box.setChecked(name == "db")
            box.toggled.connect(self.changed)
            boxes.addWidget(box)
        hint = tr("Takes one run of the network over the scene; previews have it when it is done.")
        for name in ("attention", "tokens"):
            self.features[name].setToolTip(hint)
        form = QFormLayout(self)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow(tr("Method"), self.method)
        form.addRow(tr("It sees"), boxes)
        self.method.currentIndexChanged.connect(self.changed)
        self.setCollapsed(True)

    def problem(self) -> str:
        """Why a run cannot start with these choices; empty where it can."""
        if any(box.isChecked() for box in self.features.values()):
            return ""
        return tr("The classifier sees nothing: tick what it is to see, under “Method”.")

    def parameters(self) -> dict[str, object]:
        """METHOD and FEATURES of the algorithm."""
        chosen = [name for name in ("attention", "tokens", "db") if self.features[name].isChecked()]
        return {"METHOD": self.method.currentData(), "FEATURES": chosen}
