# SPDX-License-Identifier: GPL-2.0-or-later
"""What the plugin remembers between sessions, in QGIS's own settings."""

from __future__ import annotations

from qgis.core import QgsSettings

PYTHON_KEY = "sardine/python"
"""The interpreter that a person chose for the backend; absent or empty where none was chosen."""


def chosen_python() -> str:
    """The path that a person chose, as it was written; empty where none was."""
    return str(QgsSettings().value(PYTHON_KEY, "") or "").strip()


def choose_python(path: str) -> None:
    """Remembers `path` as the backend's interpreter; an empty text forgets the choice."""
    if path.strip():
        QgsSettings().setValue(PYTHON_KEY, path.strip())
    else:
        QgsSettings().remove(PYTHON_KEY)
