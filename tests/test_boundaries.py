# SPDX-License-Identifier: GPL-2.0-or-later
"""Who may import whom, read from the sources themselves. No import is run: neither QGIS nor torch is needed."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHARED = ("protocol", "model_card", "grid")
"""The backend's modules that the plugin may import: standard library alone."""
OWN = ("plugin", "backend", "training")


def sources(package: str) -> list[Path]:
    files = sorted((ROOT / package).rglob("*.py"))
    assert files, f"no sources under {package}"
    return files


def imports(path: Path, root: Path = ROOT) -> Iterator[str]:
    """Absolute names of all that `path` imports, wherever in the file; relative ones as seen from `root`."""
    package = path.relative_to(root).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            parts = [*base, *(node.module.split(".") if node.module else [])]
            if (len(parts) <= 1 and node.level) or parts == ["backend"]:  # names are modules, not what a module holds
                yield from (".".join([*parts, alias.name]) for alias in node.names)
            else:
                yield ".".join(parts)


def imports_of(package: str) -> set[tuple[str, str]]:
    return {(str(path.relative_to(ROOT)), name) for path in sources(package) for name in imports(path)}


def top(name: str) -> str:
    return name.split(".")[0]


def test_plugin_should_import_only_qgis_the_standard_library_and_the_shared_modules() -> None:
    allowed = {"qgis", "plugin", "processing", *sys.stdlib_module_names}
    shared = {f"backend.{name}" for name in SHARED}
    wrong = {(where, name) for where, name in imports_of("plugin") if top(name) not in allowed and name not in shared}
    assert wrong == set()


def test_plugin_should_take_qt_from_qgis_alone() -> None:
    assert {(where, name) for where, name in imports_of("plugin") if top(name).startswith(("PyQt", "PySide", "sip"))} == set()


def test_backend_should_import_neither_qgis_nor_training_nor_plugin() -> None:
    assert {(where, name) for where, name in imports_of("backend") if top(name) in ("qgis", "training", "plugin")} == set()


@pytest.mark.parametrize("module", SHARED)
def test_shared_modules_should_be_standard_library_alone(module: str) -> None:
    names = set(imports(ROOT / "backend" / f"{module}.py"))
    shared = {f"backend.{name}" for name in SHARED}
    assert {name for name in names if top(name) not in sys.stdlib_module_names and name not in shared} == set()


def test_training_should_not_import_plugin_or_qgis() -> None:
    assert {(where, name) for where, name in imports_of("training") if top(name) in ("qgis", "plugin")} == set()


@pytest.mark.parametrize("package", ["plugin", "backend"])
def test_plugin_and_backend_should_import_their_own_relatively(package: str) -> None:
    """QGIS loads the root under the folder's name, so an absolute `backend` or `plugin` is not there."""
    wrong = []
    for path in sources(package):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            wrong += [(str(path.relative_to(ROOT)), name) for name in names if top(name) in OWN]
    assert wrong == []


@pytest.mark.parametrize("package", ["plugin", "backend"])
def test_what_ships_should_hold_nothing_that_blocks_a_release(package: str) -> None:
    """The plugin site's bandit run refuses assert and subprocess; random is refused by our own conventions."""
    asserts = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sources(package)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Assert)
    ]
    assert asserts == []
    assert {(where, name) for where, name in imports_of(package) if top(name) in ("subprocess", "random", "pickle")} == set()


def test_table_of_cases_should_name_tests_that_are_there() -> None:
    named = re.findall(r"`(test_[a-z_/]+\.py)::(test_\w+)`", (ROOT / "tests" / "README.md").read_text(encoding="utf-8"))
    assert len(named) > 40
    sources = {path: (ROOT / "tests" / path).read_text(encoding="utf-8") for path, _ in named}
    assert [f"{path}::{name}" for path, name in named if f"def {name}(" not in sources[path]] == []


def test_the_check_should_see_each_form_of_import(tmp_path: Path) -> None:
    folder = tmp_path / "plugin" / "processing"
    folder.mkdir(parents=True)
    file = folder / "a.py"
    file.write_text(
        "import numpy.linalg as n, torch\nfrom ...backend import scene, grid\nfrom ...backend.protocol import X\n"
        "from . import b\nfrom ..c import d\nfrom backend import job\ndef f():\n    from ...training import run\n"
    )
    assert set(imports(file, tmp_path)) == {
        "numpy.linalg",
        "torch",
        "backend.scene",
        "backend.grid",
        "backend.protocol",
        "plugin.processing",
        "plugin.c",
        "backend.job",
        "training.run",
    }
