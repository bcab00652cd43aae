# SPDX-License-Identifier: GPL-2.0-or-later
"""Registers the repository's root as package `sardine`, as QGIS does with the plugin's folder whatever it is called."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "sardine"


def _register_root() -> None:
    spec = importlib.util.spec_from_file_location(PACKAGE, ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = module
    spec.loader.exec_module(module)


if PACKAGE not in sys.modules:
    _register_root()


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's root."""
    return ROOT


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real scenes; the test is skipped where it is absent."""
    folder = Path(os.environ.get("SARDINE_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "INDEX.json").is_file():
        pytest.skip(f"no real scenes at {folder} (set SARDINE_DATA)")
    return folder
