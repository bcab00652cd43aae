# SPDX-License-Identifier: GPL-2.0-or-later
"""Which Python runs the backend, and with which environment variables."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ...backend.protocol import ErrorCode, SardineError
from ..environment.folder import Environment, State
from ..translation import tr

PYTHON_VARIABLE = "SARDINE_PYTHON"

STRIPPED_PREFIXES = ("PYTHON", "PIP_", "PROJ_", "GDAL_", "OGR_", "__PYVENV_LAUNCHER__")
"""Set by QGIS or its launchers for QGIS's own libraries; the backend brings its own Python, PROJ database and GDAL."""

CA_BUNDLE_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE")
SEARCH_PATH_VARIABLES = (
    "PATH",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "DYLD_LIBRARY_PATH",
    "DYLD_FRAMEWORK_PATH",
    "DYLD_FALLBACK_LIBRARY_PATH",
    "DYLD_FALLBACK_FRAMEWORK_PATH",
    "DYLD_INSERT_LIBRARIES",
)
SYSTEM_FOLDERS = ("/", "/usr", "/usr/local")
"""Where QGIS is installed into the system itself, nothing on a search path is QGIS's own."""


@dataclass(frozen=True)
class BackendCommand:
    """The child process: program, its arguments, and its whole environment."""

    program: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]


def job_command(python: str, plugin_root: Path, environ: Mapping[str, str], qgis_folders: Iterable[str] = ()) -> BackendCommand:
    """`python -P -m backend job` with `backend` found in `plugin_root`, whatever that folder is called."""
    # Without -P Python would put the working folder first, and with it whatever torch.py happens to lie there.
    return BackendCommand(python, ("-P", "-m", "backend", "job"), child_environment(environ, plugin_root, qgis_folders))


def find_python(chosen: str, environ: Mapping[str, str], plugin_root: Path, shared: Environment | None = None) -> str:
    """The backend's interpreter: the setting, else SARDINE_PYTHON, else the `shared` environment, else a clone's own `.venv`.

    A choice that does not exist is an error and is not passed over: the next in line may be another installation.
    Raises SardineError (interpreter_missing).
    """
    own = plugin_root / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    named = (
        (chosen, tr("in the settings of SARdine")),
        (environ.get(PYTHON_VARIABLE, ""), tr("in the variable {name}").format(name=PYTHON_VARIABLE)),
    )
    for text, where in named:
        if text.strip():
            path = Path(text.strip()).expanduser()
            if not _runnable(path):
                text = tr("The Python interpreter {python}, named {where}, does not exist or cannot be run.")
                raise _missing(text.format(python=path, where=where))
            return str(path)
    if shared is not None and shared.state is State.READY:
        return str(shared.python)
    if _runnable(own):
        return str(own)
    raise _missing(_absence(shared))


def _absence(shared: Environment | None) -> str:
    if shared is None or shared.state is State.ABSENT:
        return tr("The backend is not set up yet.")
    if shared.state is State.OUTDATED:
        return tr("The backend was set up for another version of SARdine; this one needs other packages.")
    if shared.state is State.UNFINISHED:
        return tr("The backend's environment in {folder} is only half installed.").format(folder=shared.path)
    base = shared.stamp.base if shared.stamp is not None else ""
    text = tr("The backend's environment in {folder} does not run any more: the Python {python}, which it was made from, is gone.")
    return text.format(folder=shared.path, python=base)


def child_environment(environ: Mapping[str, str], plugin_root: Path, qgis_folders: Iterable[str] = ()) -> dict[str, str]:
    """`environ` without what QGIS set for itself, and with `plugin_root` as the only addition to Python's search path.

    `qgis_folders` are the folders that QGIS is installed in: entries under them leave the search paths of the loader, and
    certificate bundles under them are dropped.
    """
    own = list(qgis_folders)
    result: dict[str, str] = {}
    for name, value in environ.items():
        upper = name.upper()
        if upper.startswith(STRIPPED_PREFIXES):
            continue
        if upper in CA_BUNDLE_VARIABLES and is_under(value, own):
            continue
        if upper in SEARCH_PATH_VARIABLES:
            value = os.pathsep.join(entry for entry in value.split(os.pathsep) if entry and not is_under(entry, own))
            if not value:
                continue
        result[name] = value
    result["PYTHONPATH"] = str(plugin_root)
    result["PYTHONSAFEPATH"] = "1"
    result["PYTHONUTF8"] = "1"
    return result


def is_under(path: str, folders: Iterable[str]) -> bool:
    """Whether `path` is one of QGIS's `folders` or lies in one, by the letters; system folders are not QGIS's own."""
    path = os.path.normcase(os.path.normpath(path))
    folders = [os.path.normcase(os.path.normpath(folder)) for folder in folders if folder]
    folders = [folder for folder in folders if folder not in SYSTEM_FOLDERS]
    return any(path == folder or path.startswith(folder + os.sep) for folder in folders)


def _runnable(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


def _missing(found: str) -> SardineError:
    return SardineError(
        ErrorCode.INTERPRETER_MISSING,
        found,
        tr("The backend needs a Python 3.11 or later with torch, timm and rasterio."),
        tr("Open Raster › SARdine › Set up the backend, or name a Python in {name}.").format(name=PYTHON_VARIABLE),
    )
