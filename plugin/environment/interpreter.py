# SPDX-License-Identifier: GPL-2.0-or-later
"""The backend's interpreter as it is set up now, from settings, variables and the shared environment."""

from __future__ import annotations

import os
from pathlib import Path

from qgis.PyQt.QtCore import QStandardPaths

from ...backend.protocol import SardineError
from .. import settings
from ..child.backend_environment import PYTHON_VARIABLE, BackendCommand, find_python, job_command
from ..locations import PLUGIN_ROOT, qgis_folders
from ..translation import tr
from . import folder as environment_folder
from .folder import Environment

SHOWN = ("torch", "timm", "rasterio")


def usual_home() -> Path:
    """Where a person's environments lie if nothing else was chosen: local data of the account, outside profile and plugin.

    `~/.local/share/sardine` on Linux, `AppData/Local/sardine` on Windows, `~/Library/Application Support/sardine` on macOS.
    """
    return Path(QStandardPaths.writableLocation(QStandardPaths.StandardLocation.GenericDataLocation)) / "sardine"


def environments_home() -> Path:
    """The folder of the environments that this account has chosen."""
    return environment_folder.home(os.environ, usual_home())


def shared_environment() -> Environment:
    """The environment for this plugin's requirements, in whatever state it is."""
    return environment_folder.look_for(environments_home(), environment_folder.read_requirements(PLUGIN_ROOT))


def backend_python() -> str:
    """The interpreter that runs the backend. Raises SardineError (interpreter_missing)."""
    return find_python(settings.chosen_python(), os.environ, PLUGIN_ROOT, shared_environment())


def backend_command() -> BackendCommand:
    """The child that runs a job. Raises SardineError (interpreter_missing)."""
    return job_command(backend_python(), PLUGIN_ROOT, os.environ, qgis_folders())


def backend_state() -> tuple[bool, str]:
    """Whether there is an interpreter for the backend, and which, or why there is none, for people."""
    try:
        python = backend_python()
    except SardineError as error:
        return False, error.found
    text = tr("Python: {python}").format(python=python)
    shared = shared_environment()
    if python == str(shared.python) and shared.stamp is not None:
        names = ", ".join(f"{name} {shared.stamp.versions[name]}" for name in SHOWN if name in shared.stamp.versions)
        text += "\n" + tr("{names}; {size:.1f} GB").format(names=names, size=shared.stamp.size_mb / 1024)
    elif os.environ.get(PYTHON_VARIABLE) and not settings.chosen_python():
        text += "\n" + tr("It is named by the environment variable {name}.").format(name=PYTHON_VARIABLE)
    return True, text
