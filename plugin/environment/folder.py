# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the backend's environment lies and what state it is in. No widget, no process.

<home>/backend-<digest>/            an environment; `digest` is that of the plugin's requirements, so a plugin that needs
                                    others gets a folder of its own, and all profiles with the same plugin share one
<home>/backend-<digest>/sardine.json    written last: without it the environment is half installed
<home>/backend-<digest>.lock        held by the window that sets it up
<home>/removed-…                    what is being deleted; never in use
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import Enum
from pathlib import Path

from ..translation import tr

HOME_VARIABLE = "SARDINE_HOME"
"""Names the folder of the environments where another than the usual one is wanted."""

STAMP = "sardine.json"
PREFIX = "backend-"
REMOVED_PREFIX = "removed-"
LONGEST_INSIDE = 140
"""Letters of the longest path inside an environment, measured with torch 2.14 ("Lib/site-packages/" and 121), and a reserve."""
LONGEST_ON_WINDOWS = 259


class State(Enum):
    """What `look` and `look_for` find. Outdated: there is none for these requirements, but one that another version made."""

    ABSENT = "absent"
    OUTDATED = "outdated"
    UNFINISHED = "unfinished"
    BROKEN = "broken"
    READY = "ready"


@dataclass(frozen=True)
class Stamp:
    """What a whole environment says of itself. `base` is the Python that it was made from."""

    requirements: str
    build: str
    python: str
    base: str
    created: str
    size_mb: int
    versions: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Environment:
    """An environment's folder and its state; `stamp` is None unless it has once been whole."""

    path: Path
    state: State
    stamp: Stamp | None = None

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return python_in(self.path)


def read_requirements(plugin_root: Path) -> list[str]:
    """The backend's requirements, a package a line, without comments."""
    text = (plugin_root / "requirements" / "backend.txt").read_text(encoding="utf-8")
    lines = (line.split("#")[0].strip() for line in text.splitlines())
    return [line for line in lines if line]


def digest(requirements: list[str]) -> str:
    """Eight letters that change when the requirements do."""
    return hashlib.sha256("\n".join(sorted(requirements)).encode()).hexdigest()[:8]


def home(environ: Mapping[str, str], usual: Path) -> Path:
    """The folder that holds the environments: SARDINE_HOME, else the one that was chosen, else `usual`.

    A choice is kept in `usual` itself, and not in QGIS's settings, because all profiles share the environments.
    """
    if environ.get(HOME_VARIABLE, "").strip():
        return Path(environ[HOME_VARIABLE].strip()).expanduser()
    with contextlib.suppress(OSError):
        chosen = (usual / "location.txt").read_text(encoding="utf-8").strip()
        if chosen:
            return Path(chosen)
    return usual


def choose_home(usual: Path, chosen: Path) -> None:
    """Keeps the choice of another folder for all profiles; `usual` itself takes the choice back. Raises OSError."""
    file = usual / "location.txt"
    if chosen == usual:
        file.unlink(missing_ok=True)
        return
    usual.mkdir(parents=True, exist_ok=True)
    file.write_text(str(chosen), encoding="utf-8")


def environment_path(folder: Path, requirements: list[str]) -> Path:
    """Where the environment for `requirements` is or would be."""
    return folder / f"{PREFIX}{digest(requirements)}"


def python_in(path: Path) -> Path:
    """The interpreter of a virtual environment."""
    return path / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def look(path: Path) -> Environment:
    """The environment at `path`, without starting anything of it."""
    if not path.is_dir():
        return Environment(path, State.ABSENT)
    stamp = _read_stamp(path)
    if stamp is None:
        return Environment(path, State.UNFINISHED)
    whole = os.access(python_in(path), os.X_OK) and Path(stamp.base).is_file()
    return Environment(path, State.READY if whole else State.BROKEN, stamp)


def look_for(folder: Path, requirements: list[str]) -> Environment:
    """The environment for `requirements` among those in `folder`."""
    found = look(environment_path(folder, requirements))
    if found.state is State.ABSENT and others(folder, found.path):
        return Environment(found.path, State.OUTDATED)
    return found


def others(folder: Path, current: Path) -> list[Environment]:
    """Environments that earlier or later versions of the plugin made."""
    found = sorted(folder.glob(f"{PREFIX}*")) if folder.is_dir() else []
    return [look(path) for path in found if path.is_dir() and not path.suffix and path != current]


def work_folder(path: Path) -> Path:
    """Where a set-up of the environment at `path` keeps what the environment does not need later."""
    return path.with_name(f"{path.name}.setup")


def previous(path: Path) -> Path:
    """Where the environment at `path` waits while another is made in its place."""
    return path.with_name(f"{path.name}.previous")


def bring_back_previous(path: Path) -> None:
    """Undoes a replacement that did not come to its end, be it that QGIS died in the middle. Raises OSError."""
    kept = previous(path)
    if kept.is_dir():
        if look(path).state is State.READY:
            put_aside(kept)
        else:
            put_aside(path)
            kept.rename(path)


def site_packages(path: Path) -> Path:
    """Where the packages of the environment at `path` are; the folder may not be there yet."""
    return next(path.glob("lib/python3.*/site-packages"), path / "Lib" / "site-packages")


def distributions(path: Path) -> list[str]:
    """Names of what lies in its site-packages folder."""
    try:
        return [found.name for found in site_packages(path).iterdir()]
    except OSError:
        return []


def write_stamp(path: Path, stamp: Stamp) -> None:
    """Declares the environment whole. The file appears with all its text or not at all."""
    part = path / f"{STAMP}.part"
    part.write_text(json.dumps(asdict(stamp), indent=1), encoding="utf-8")
    part.replace(path / STAMP)


def size_mb(path: Path) -> int:
    """What the files under `path` take, a hard link or symbolic link counted once or not at all."""
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(folder, name)).st_size  # noqa: PTH118  # 40,000 files: Path is slow
    return total // 2**20


def put_aside(path: Path) -> Path | None:
    """Renames `path` so that it is no environment any more; None where there is nothing.

    In one step: where a program still uses it, Windows refuses and nothing is lost. Raises OSError.
    """
    if not path.exists():
        return None
    aside = path.parent / f"{REMOVED_PREFIX}{uuid.uuid4().hex[:8]}"
    path.rename(aside)
    return aside


def delete_removed(folder: Path) -> None:
    """Deletes what was put aside, also in an earlier session. What cannot be deleted yet stays for the next time."""
    for path in folder.glob(f"{REMOVED_PREFIX}*"):
        shutil.rmtree(path, ignore_errors=True)


def free_mb(folder: Path) -> int:
    """Free space where `folder` is or would be made. Raises OSError."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free // 2**20


def location_problem(path: Path, needed: int, windows: bool = os.name == "nt") -> str:
    """Why the environment cannot be made at `path`: disk space, a folder that cannot be written to, a path too long for Windows."""
    if windows and len(str(path)) + LONGEST_INSIDE > LONGEST_ON_WINDOWS:
        return tr("The folder's path is too long for Windows: it has {length} letters, {most} are possible.").format(
            length=len(str(path)), most=LONGEST_ON_WINDOWS - LONGEST_INSIDE
        )
    existing = path
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    try:  # the rights alone do not tell: a disk may be mounted to be read only
        Path(tempfile.mkdtemp(prefix="sardine-", dir=existing)).rmdir()
    except OSError:
        return tr("The folder {folder} cannot be written to.").format(folder=existing)
    free = free_mb(existing)
    if free < needed:
        return tr("The disk of {folder} has {free:.1f} GB free; {needed:.1f} GB are needed during the set-up.").format(
            folder=existing, free=free / 1024, needed=needed / 1024
        )
    return ""


def _read_stamp(path: Path) -> Stamp | None:
    try:
        return Stamp(**json.loads((path / STAMP).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
