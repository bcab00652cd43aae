# SPDX-License-Identifier: GPL-2.0-or-later
"""Finds in a source the words that a person would see and that do not go through `tr`, and `tr` of what cannot be collected."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

SHOWN = frozenset(
    """
    setText setToolTip setStatusTip setWhatsThis setWindowTitle setTitle setLabelText setInformativeText setDetailedText
    setPlaceholderText setSpecialValueText setSuffix setPrefix setHorizontalHeaderLabels setDialogTitle setFilter
    setDescription setHelp setProgressText setFormat addTab addItem addItems addRow pushInfo pushWarning pushMessage
    pushDebugInfo reportError QLabel QPushButton QToolButton QCheckBox QRadioButton QAction QGroupBox QgsCollapsibleGroupBox
    QMenu QMessageBox question information warning critical about getOpenFileName getSaveFileName getExistingDirectory
    getText QgsProcessingException SardineError BackendError _missing _absence _error _no_hello _unreadable
    """.split()  # noqa: SIM905
)
"""Qt's, QGIS's and the plugin's own functions whose texts end on the screen."""

NAMES = frozenset(("SARdine", "GeoTIFF", "auto", "cpu"))
"""The same in every language."""


def problems(source: str) -> list[str]:
    """A line for each shown text of `source` that is not translated."""
    tree = ast.parse(source)
    found = {*_shown_texts(tree), *_uncollectable(tree)}
    return sorted(found, key=lambda line: int(line.split(":")[0]))


def translated(source: str) -> set[str]:
    """The texts that `source` gives to `tr`."""
    return {node.args[0].value for node in _tr_calls(ast.parse(source)) if isinstance(node.args[0], ast.Constant)}


def _tr_calls(tree: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "tr" and node.args:
            yield node


def _uncollectable(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            for call in _tr_calls(node):
                yield f"{call.lineno}: tr inside an f-string is not collected: put it before"
    for node in _tr_calls(tree):
        if not isinstance(node.args[0], ast.Constant) or len(node.args) > 1:
            yield f"{node.lineno}: tr needs one plain text: fill in names with .format"


def _shown_texts(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        name = getattr(node, "func", None) if isinstance(node, ast.Call) else None
        called = name.attr if isinstance(name, ast.Attribute) else name.id if isinstance(name, ast.Name) else ""
        if called in SHOWN:
            for value in [*node.args, *(keyword.value for keyword in node.keywords)]:
                for text in _plain_texts(value):
                    if re.search(r"[^\W\d_]{2,}", text) and text not in NAMES and not re.fullmatch(r"[\w.:/-]+", text):
                        yield f"{node.lineno}: {called} shows “{text}”, which is not translated"


def _plain_texts(value: ast.AST) -> Iterator[str]:
    """Texts in an expression, without those in calls, which are looked at by themselves."""
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        yield value.value
    elif isinstance(value, ast.JoinedStr):
        yield from (part.value for part in value.values if isinstance(part, ast.Constant))
    elif isinstance(value, (ast.BinOp, ast.IfExp, ast.BoolOp, ast.List, ast.Tuple)):
        for child in ast.iter_child_nodes(value):
            yield from _plain_texts(child)
