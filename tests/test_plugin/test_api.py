# SPDX-License-Identifier: GPL-2.0-or-later
"""The sources use nothing that QGIS 3.34 lacks or that Qt 6 has removed; see api_check.py for how far that can be seen."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.test_plugin.api_check import problems


def sources(root: Path) -> list[Path]:
    return [root / "__init__.py", *sorted((root / "plugin").rglob("*.py"))]


def own_names(root: Path) -> frozenset[str]:
    """Functions, attributes and fields that the plugin and the backend's shared modules define themselves."""
    names: set[str] = set()
    for path in [*sources(root), *(root / "backend").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                names.add(node.name)
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                names.add(node.target.id)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                names.add(node.attr)
    return frozenset(names)


def test_sources_should_run_on_the_oldest_qgis_and_on_qt_6(root: Path) -> None:
    own = own_names(root)
    found = {str(path.relative_to(root)): problems(path.read_text(encoding="utf-8"), own) for path in sources(root)}
    assert len(found) > 20
    assert {name: lines for name, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("from PyQt5.QtCore import Qt", "1: PyQt5.QtCore: use qgis.PyQt, which is Qt 5 or Qt 6 as QGIS is"),
        ("import sip", "1: sip: use qgis.PyQt, which is Qt 5 or Qt 6 as QGIS is"),
        ("from qgis.core import *", "1: import each name of qgis.core, so that it can be looked up"),
        ("from qgis.PyQt.QtCore import QRegExp", "1: QRegExp is not in Qt 6: use QRegularExpression"),
        ("from qgis.PyQt.QtWidgets import qApp", "1: qApp is not in Qt 6: use QApplication.instance()"),
        ("dialog.exec_()", "1: exec_ is not in Qt 6: use exec"),
        ("document.setTabStopWidth(8)", "1: setTabStopWidth is not in Qt 6"),
        ("menu.addAction(icon, text, slot)", "1: addAction takes its arguments in another order in Qt 6: make the QAction first"),
        ("box.activated[str].connect(slot)", "1: activated has no overloads in Qt 6: use textActivated or activated"),
        ("from qgis.PyQt.QtCore import Qt\nQt.AlignLeft", "2: Qt.AlignLeft is not scoped: write Qt.AlignmentFlag.AlignLeft"),
        (
            "from qgis.PyQt.QtWidgets import QFrame as F\nF.NoFrame",
            "2: F.NoFrame is not scoped: write QFrame.Shape.NoFrame",
        ),
        (
            "from qgis.core import QgsProcessing\nQgsProcessing.TypeVectorPolygon",
            "2: QgsProcessing.TypeVectorPolygon is not scoped: write QgsProcessing.SourceType.TypeVectorPolygon",
        ),
        (
            "from qgis.gui import QgsFileWidget\nQgsFileWidget.GetDirectory",
            "is not scoped: write QgsFileWidget.StorageMode.GetDirectory",
        ),
        ("from qgis.PyQt import QtCore\nQtCore.Qt.Nowhere", "2: there is no QtCore.Qt.Nowhere"),
        (
            "from qgis.core import Qgis\nQgis.ProcessingSourceType.VectorPolygon",
            "Qgis.ProcessingSourceType is there since QGIS 3.36",
        ),
        ("layer.extent3D()", "1: extent3D is there since QGIS 3.36"),
    ],
)
def test_check_should_see(source: str, found: str) -> None:
    lines = problems(source)
    assert [line for line in lines if line.endswith(found)], lines


@pytest.mark.parametrize(
    "source",
    [
        "from qgis.PyQt.QtCore import Qt\nQt.AlignmentFlag.AlignLeft | Qt.Key.Key_A",
        "from qgis.core import QgsProcessing, Qgis\nQgsProcessing.SourceType.TypeVectorPolygon\nQgis.LayerFilter.RasterLayer",
        "from qgis.core import QgsProject\nQgsProject.instance().mapLayers().values()",
        "from qgis.PyQt.QtWidgets import QDialog\nQDialog(None).exec()\nQDialog.DialogCode.Accepted",
        "'{}'.format(a.b)\nlist.append(1)\ntext.split()",
    ],
)
def test_check_should_let_pass(source: str) -> None:
    assert problems(source) == []
