# SPDX-License-Identifier: GPL-2.0-or-later
"""What a set-up does to its folders: makes room, declares the environment whole, or takes away all that it made. Raises OSError."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from pathlib import Path

from . import folder as folders
from .folder import Stamp, State
from .plan import SetupPlan

LOG = "setup.log"


def make_room(path: Path) -> None:
    """Takes what lies at `path` away: whole, to bring it back if need be; half installed, for ever. Makes the work folder."""
    work = folders.work_folder(path)
    (work / "cache").mkdir(parents=True, exist_ok=True)
    (work / "tmp").mkdir(exist_ok=True)
    if folders.look(path).state is State.READY:
        path.rename(folders.previous(path))
    elif path.exists():
        folders.put_aside(path)


def declare_whole(plan: SetupPlan, versions: Mapping[str, str], size_mb: int) -> None:
    """Writes the stamp, keeps the log, and puts aside what the environment does not need any more."""
    path, base = plan.path, plan.base
    now = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
    requirements = folders.digest(list(plan.requirements))
    stamp = Stamp(requirements, plan.build.key, base.version_text, base.base, now, size_mb, dict(versions))
    (folders.work_folder(path) / LOG).replace(path / LOG)
    folders.write_stamp(path, stamp)
    for part in (folders.work_folder(path), folders.previous(path)):
        folders.put_aside(part)


def put_all_aside(path: Path) -> None:
    """Takes away what was made for the environment at `path`, and brings back the one that it was to replace."""
    for part in (path, folders.work_folder(path)):
        folders.put_aside(part)
    folders.bring_back_previous(path)
