# SPDX-License-Identifier: GPL-2.0-or-later
"""What the plugin remembers between sessions, in QGIS's own settings."""

from __future__ import annotations

from qgis.core import QgsSettings

PYTHON_KEY = "sardine/python"
"""The interpreter that a person chose for the backend; absent or empty where none was chosen."""
STALL_KEY = "sardine/stall_s"
"""Seconds without progress after which a person is told; to be changed in QGIS's advanced settings."""


def chosen_python() -> str:
    """The path that a person chose, as it was written; empty where none was."""
    return str(QgsSettings().value(PYTHON_KEY, "") or "").strip()


def choose_python(path: str) -> None:
    """Remembers `path` as the backend's interpreter; an empty text forgets the choice."""
    if path.strip():
        QgsSettings().setValue(PYTHON_KEY, path.strip())
    else:
        QgsSettings().remove(PYTHON_KEY)


def stall_s() -> float:
    """How long a run may make no progress before a person is told."""
    return float(QgsSettings().value(STALL_KEY, 60.0, type=float))
