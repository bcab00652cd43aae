# SPDX-License-Identifier: GPL-2.0-or-later
"""Finds in a source what an older QGIS lacks and what Qt 6 has removed, by looking each name up in the QGIS that runs.

QGIS tells in each docstring since when a class, method or enum is there; an unscoped enum member shows itself by its type. What
an object's type decides is found by name alone: a method is newer when every QGIS class that has one of this name says so.
Not seen: a new argument of an old method, and what is reached through getattr.
"""

from __future__ import annotations

import ast
import enum
import functools
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

OLDEST = (3, 34)
QT_MODULES = ("qgis.PyQt.QtCore", "qgis.PyQt.QtGui", "qgis.PyQt.QtWidgets", "qgis.PyQt.QtNetwork")

REMOVED = frozenset(
    line for line in (Path(__file__).parent / "qt6_removed.txt").read_text().splitlines() if not line.startswith("#")
)
INSTEAD = {
    "QRegExp": "QRegularExpression",
    "qApp": "QApplication.instance()",
    "QDesktopWidget": "QScreen",
    "exec_": "exec",
    "print_": "print",
}


def problems(source: str, own_names: frozenset[str] = frozenset()) -> list[str]:
    """A line for each thing in `source` that would fail on QGIS 3.34 or on Qt 6. `own_names` are methods of the plugin's own."""
    tree = ast.parse(source)
    imported = dict(_imported(tree))
    return sorted(set(_of_imports(tree)) | set(_of_names(tree, imported)) | set(_of_methods(tree, own_names)), key=_line)


def _line(problem: str) -> int:
    return int(problem.split(":")[0])


def _imported(tree: ast.AST) -> Iterator[tuple[str, Any]]:
    """Local name and object of each import from qgis."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and not node.level and (node.module or "").split(".")[0] == "qgis":
            module = importlib.import_module(node.module)
            for alias in node.names:
                if hasattr(module, alias.name):
                    yield alias.asname or alias.name, getattr(module, alias.name)


def _of_imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            modules = [node.module or ""]
            for alias in node.names:
                if alias.name in REMOVED and modules[0].startswith("qgis."):
                    yield f"{node.lineno}: {_not_in_qt6(alias.name)}"
                if alias.name == "*" and modules[0].startswith("qgis."):
                    yield f"{node.lineno}: import each name of {modules[0]}, so that it can be looked up"
        for module in modules:
            if re.match(r"PyQt[456]|PySide|sip\b", module):
                yield f"{node.lineno}: {module}: use qgis.PyQt, which is Qt 5 or Qt 6 as QGIS is"
            if re.search(r"(^|\.)(resources_rc|resources)$", module) and isinstance(node, ast.Import):
                yield f"{node.lineno}: {module}: PyQt6 has no compiled resources"


def _of_names(tree: ast.AST, imported: dict[str, Any]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and not node.level and (node.module or "").startswith("qgis"):
            for alias in node.names:
                since = _since(imported.get(alias.asname or alias.name), alias.name)
                if since > OLDEST:
                    yield f"{node.lineno}: {alias.name} is there since QGIS {since[0]}.{since[1]}"
        path = _path(node)
        if path is None or path[0] not in imported:
            continue
        thing = imported[path[0]]
        for depth, name in enumerate(path[1:], start=2):
            owner, dotted = thing, ".".join(path[:depth])
            if not hasattr(owner, name):
                if inspect.ismodule(owner) or inspect.isclass(owner):
                    yield f"{node.lineno}: there is no {dotted}"
                break
            thing = getattr(owner, name)
            if inspect.isclass(owner) and _is_enum_member(thing) and not isinstance(thing, owner):
                yield f"{node.lineno}: {dotted} is not scoped: write {_scope(owner, thing)}.{name}"
            since = _since(thing, dotted)
            if since > OLDEST:
                yield f"{node.lineno}: {dotted} is there since QGIS {since[0]}.{since[1]}"


def _not_in_qt6(name: str) -> str:
    return f"{name} is not in Qt 6" + (f": use {INSTEAD[name]}" if name in INSTEAD else "")


def _path(node: ast.AST) -> list[str] | None:
    """`a.b.c` as a list; None for anything else."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.insert(0, node.attr)
        node = node.value
    return [node.id, *names] if isinstance(node, ast.Name) and names else None


def _is_enum_member(thing: Any) -> bool:
    return isinstance(thing, enum.Enum) or type(type(thing)).__name__ == "enumtype"  # sip's, which Python cannot import


def _scope(owner: type, member: Any) -> str:
    """The enum of `member` as it is called in `owner`, to which older versions of QGIS may have moved it from elsewhere."""
    names = [name for name, thing in vars(owner).items() if thing is type(member)]
    return f"{owner.__name__}.{names[0]}" if names else type(member).__qualname__


def _since(thing: Any, dotted: str) -> tuple[int, int]:
    """Since which QGIS `thing` is there under the name `dotted`, by its docstring; (0, 0) where that does not tell."""
    text = getattr(thing, "__doc__", None) or ""
    if not (inspect.isclass(thing) or callable(thing)) or not isinstance(text, str):
        return 0, 0
    former = re.search(r"Prior to QGIS \d\.\d+ this was available as :py:class:`(\w+)`\.(\w+)", text)
    if former and dotted == ".".join(former.groups()):
        return 0, 0
    return _version(_own_text(thing, text))


def _own_text(thing: Any, text: str) -> str:
    """The docstring without what it tells of an enum's members and of a class's constructors."""
    return text.split("\n* ``")[0].split(f"\n{getattr(thing, '__name__', '')}(")[0]


def _version(text: str) -> tuple[int, int]:
    found = re.search(r"versionadded:: (?:QGIS )?(\d+)\.(\d+)", text)
    return (int(found.group(1)), int(found.group(2))) if found else (0, 0)


def _of_methods(tree: ast.AST, own_names: frozenset[str]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr not in own_names:
            if f".{node.attr}" in REMOVED and (node.attr in INSTEAD or node.attr not in _other_methods()):
                yield f"{node.lineno}: {_not_in_qt6(node.attr)}"
            since = _newer_methods().get(node.attr)
            if since is not None:
                yield f"{node.lineno}: {node.attr} is there since QGIS {since[0]}.{since[1]}"
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "addAction"
            and len(node.args) > 2
        ):
            yield f"{node.lineno}: addAction takes its arguments in another order in Qt 6: make the QAction first"
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Attribute) and node.value.attr == "activated":
            yield f"{node.lineno}: activated has no overloads in Qt 6: use textActivated or activated"


@functools.cache
def _newer_methods() -> dict[str, tuple[int, int]]:
    """Method names that no QGIS class had before, that Qt and Python do not have either, and since when."""
    ages: dict[str, set[tuple[int, int]]] = {}
    for kind in _classes("qgis.core", "qgis.gui", "qgis.analysis"):
        of_class = _version(_own_text(kind, kind.__doc__ or ""))
        for name in vars(kind):
            thing = getattr(kind, name, None)  # what only instances have tells nothing
            if not any(name in vars(base) for base in kind.__mro__[1:]) and not inspect.isclass(thing):  # an override is older
                ages.setdefault(name, set()).add(max(_version(getattr(thing, "__doc__", None) or ""), of_class))
    others = {name for kind in _classes(*QT_MODULES) for name in dir(kind)} | _other_methods(qgis=False)
    return {name: min(found) for name, found in ages.items() if name not in others and min(found) > OLDEST}


@functools.cache
def _other_methods(*, qgis: bool = True) -> set[str]:
    """Method names of Python's own types and of QGIS: one of these may be meant."""
    own = {name for kind in (str, bytes, list, dict, set, tuple, float, int) for name in dir(kind)}
    return own | {name for kind in _classes("qgis.core", "qgis.gui") for name in vars(kind) if qgis}


def _classes(*modules: str) -> list[type]:
    return [kind for module in modules for kind in vars(importlib.import_module(module)).values() if inspect.isclass(kind)]
