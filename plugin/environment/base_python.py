# SPDX-License-Identifier: GPL-2.0-or-later
"""Which Python on this machine an environment can be made from: where to look, what to ask it, what it lacks.

QGIS's own Python is left alone. On Linux it is the system's, a Python like any other. On macOS what lies in QGIS.app does not
run outside of it, and on Windows its ssl and C runtime are found only through QGIS's `bin` folder, so pip in an environment made
from it could not reach the internet; and every update of QGIS would take the environment's base away.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..child.backend_environment import BackendCommand, child_environment, is_under
from ..translation import tr
from .builds import fitting_builds

LEAST_VERSION = (3, 11)
MINORS = (13, 12, 11, 14)
"""In the order in which they are preferred: a version that has been out for a year has wheels of everything."""

WHAT_PYTHON_HAS = r"""
import json, os, platform, sys
found = {"version": list(sys.version_info[:3]), "system": sys.platform, "machine": platform.machine(), "lacks": [], "packages": {}}
found["bits"] = 64 if sys.maxsize > 2**32 else 32
found["base"] = os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)
for name in ("venv", "ensurepip", "ssl"):
    try:
        __import__(name)
    except ImportError:
        found["lacks"].append(name)
if os.name == "nt" and "venv" not in found["lacks"]:
    import venv
    folder = os.path.join(os.path.dirname(venv.__file__), "scripts", "nt")
    if not os.path.isdir(folder) or not any(name.endswith(".exe") for name in os.listdir(folder)):
        found["lacks"].append("venv")
try:
    from importlib.metadata import version
    for name in sys.argv[1:]:
        try:
            found["packages"][name] = version(name)
        except Exception:
            pass
except ImportError:
    pass
print(json.dumps(found))
"""
"""Understood by every Python from 2.7 on, so that one that is too old is told by its version. Arguments: names of packages."""


@dataclass(frozen=True)
class PythonFacts:
    """What an interpreter says of itself. `base` is the real executable behind links and virtual environments."""

    path: str
    version: tuple[int, int, int]
    system: str
    machine: str
    bits: int
    base: str
    lacks: tuple[str, ...]
    packages: Mapping[str, str]

    @property
    def version_text(self) -> str:
        return ".".join(map(str, self.version))


def ask_command(
    python: str, environ: Mapping[str, str], qgis_folders: Iterable[str], packages: Iterable[str] = ()
) -> BackendCommand:
    """Asks `python` what it is and which of `packages` it has, apart from any variable that could lead it astray."""
    environment = child_environment(environ, Path(), qgis_folders)
    del environment["PYTHONPATH"]
    return BackendCommand(python, ("-c", WHAT_PYTHON_HAS, *packages), environment)


def read_facts(python: str, out: bytes) -> PythonFacts | None:
    """What `python` answered; None where it is no Python."""
    try:
        found = json.loads(out.decode("utf-8", "replace").strip().splitlines()[-1])
        version = (int(found["version"][0]), int(found["version"][1]), int(found["version"][2]))
        facts = (found["system"], found["machine"], found["bits"], found["base"], tuple(found["lacks"]), dict(found["packages"]))
        return PythonFacts(python, version, *facts)
    except (ValueError, LookupError, TypeError):
        return None


def version_problem(facts: PythonFacts) -> str:
    """Why the backend cannot run in this Python whatever is installed into it; empty where it can."""
    if facts.version[:2] < LEAST_VERSION:
        return tr("This is Python {version}; 3.11 or later is needed.").format(version=facts.version_text)
    if facts.bits != 64:
        return tr("This is a Python of 32 bits; torch needs one of 64 bits.")
    return ""


def base_problem(facts: PythonFacts, os_release: str = "") -> str:
    """Why no environment can be made from this Python, with the one thing to install; empty where one can."""
    problem = version_problem(facts)
    if problem:
        return problem
    if "WindowsApps" in facts.base:
        return tr("Python from the Microsoft Store hides what it writes from other programs. Install Python from python.org.")
    if not fitting_builds(facts.system, facts.machine):
        if facts.system == "darwin":
            return tr("There is no torch for Intel any more. On a Mac with Apple silicon install a Python for arm64.")
        return tr("There is no torch for {system} on {machine}.").format(system=facts.system, machine=facts.machine)
    if facts.lacks:
        return tr("This Python lacks {names}. Install {package}, then look again.").format(
            names=", ".join(facts.lacks), package=_missing_package(facts, os_release)
        )
    return ""


def what_to_install(system: str, os_release: str = "") -> str:
    """What to install on a machine without a suitable Python."""
    if system == "win32":
        return tr("Install Python 3.13 for Windows (64 bit) from python.org; an administrator's rights are not needed.")
    if system == "darwin":
        return tr("Install Python 3.13 for macOS from python.org.")
    if _is_debian(os_release):
        return tr("Install the package python3-venv (sudo apt install python3-venv).")
    return tr("Install Python 3.11 or later with its modules venv and ensurepip.")


def candidates(system: str, environ: Mapping[str, str], home: Path, qgis_folders: Iterable[str] = ()) -> list[str]:
    """Interpreters that may be suitable, the preferred first, each once. Nothing is started.

    `system` is a `sys.platform`. A program with a window gets a short PATH on macOS: hence the usual folders too.
    """
    folders = [Path(entry) for entry in environ.get("PATH", "").split(os.pathsep) if entry]
    if system == "win32":
        folders += _windows_folders(environ, home)
        names = ["python.exe"]
    else:
        names = [*(f"python3.{minor}" for minor in MINORS), "python3", "python"]
        folders += [Path(folder) for folder in ("/usr/local/bin", "/opt/homebrew/bin", "/usr/bin")]
        folders += [Path(f"/Library/Frameworks/Python.framework/Versions/3.{minor}/bin") for minor in MINORS]
        folders += [*sorted(home.glob(".pyenv/versions/*/bin"), reverse=True), *(home / f"{name}/bin" for name in CONDAS)]
    own = list(qgis_folders)
    folders = [folder for folder in folders if not _is_left_out(folder, system, own)]
    found: dict[str, str] = {}
    for name in names:
        for folder in folders:
            path = folder / name
            if path.is_file() and os.access(path, os.X_OK):
                found.setdefault(os.path.realpath(path), str(path))
    return list(found.values())


CONDAS = ("miniforge3", "miniconda3", "anaconda3")


def _is_left_out(folder: Path, system: str, qgis_folders: list[str]) -> bool:
    # Without its developer tools macOS answers /usr/bin/python3 with a window that wants to install them. What lies in WindowsApps
    # opens the shop. pyenv's shims are scripts that stand for the versions that are looked at themselves.
    shown = folder.as_posix()
    if re.search(r"/QGIS[^/]*\.app/", shown + "/") or shown.endswith("/shims") or "WindowsApps" in shown:
        return True
    if system == "darwin" and shown == "/usr/bin":
        return True
    return is_under(str(folder), qgis_folders)


def _windows_folders(environ: Mapping[str, str], home: Path) -> list[Path]:
    """Where the installers of python.org and conda put a Python, for all users or for one."""
    local, programs = environ.get("LOCALAPPDATA", ""), environ.get("ProgramFiles", "")
    folders = [Path(local, "Programs", "Python", f"Python3{minor}") for minor in MINORS if local]
    folders += [Path(programs, f"Python3{minor}") for minor in MINORS if programs]
    return [*folders, *(home / name for name in CONDAS)]


def _missing_package(facts: PythonFacts, os_release: str) -> str:
    """What brings the modules that are missing."""
    own = f"python{facts.version[0]}.{facts.version[1]}"
    if _is_debian(os_release) and facts.base.startswith("/usr/bin/"):
        return tr("the package {package} (sudo apt install {package})").format(package=f"{own}-venv")
    return tr("a complete Python, such as the one of python.org")


def _is_debian(os_release: str) -> bool:
    return bool(re.search(r'^ID(_LIKE)?="?[^\n]*\b(debian|ubuntu)\b', os_release, re.MULTILINE))
