# SPDX-License-Identifier: GPL-2.0-or-later
"""Features of scenes that were computed before, in a folder of limited size.

An entry is one file, named by a key: the hash of all that its values depend on (files of the scene with size and time, how they
are read, the model's weights, the part of the scene, the settings). A scene or model that changed so has another key, and is
never taken for the old one. A file that was cut short is noticed by its length, which stands beside it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from ..output.raster import remove_with_sidecars
from .file import FeatureFile, FeatureFileError

FORMAT = 2
"""Raised when the features of the same scene and model would come out different."""
LIMIT_BYTES = 5 * 10**9
CACHE_VARIABLE = "SARDINE_CACHE"


def default_folder() -> Path:
    """Where the system keeps what can be made again; SARDINE_CACHE names another."""
    named = os.environ.get(CACHE_VARIABLE)
    if named:
        return Path(named)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData/Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library/Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return base / "sardine" / "features"


def key_of(parts: Any) -> str:
    """The hash of anything JSON-able."""
    text = json.dumps([FORMAT, parts], sort_keys=True)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


class FeatureCache:
    """The files in `folder`, at most `limit_bytes` of them; those not used for longest leave first."""

    def __init__(self, folder: Path, limit_bytes: int = LIMIT_BYTES) -> None:
        self.folder, self._limit_bytes = folder, limit_bytes
        self.problem = ""
        """Why the last `find` found a file and did not take it; empty where it did."""

    def path(self, key: str) -> Path:
        return self.folder / f"{key[:40]}.tif"

    def find(self, key: str) -> FeatureFile | None:
        """The entry of `key`, opened; None where there is none, or none that is whole (which is then removed)."""
        self.problem = ""
        path = self.path(key)
        if not path.is_file():
            return None
        try:
            length = int(self._length_file(path).read_text(encoding="ascii"))
            if path.stat().st_size != length:
                raise FeatureFileError("it was cut short or changed")
            found = FeatureFile(path, key)
        except (OSError, ValueError, FeatureFileError) as error:
            self.problem = str(error)
            with contextlib.suppress(OSError):  # what cannot be removed will be replaced, or refused with its own reason
                self._remove(path)
            return None
        with contextlib.suppress(OSError):  # a cache that may be read alone serves as well
            os.utime(path)  # used now
        return found

    def add(self, key: str) -> None:
        """Takes up the file that was just written to `path(key)`, and makes room for it."""
        path = self.path(key)
        self._length_file(path).write_text(str(path.stat().st_size), encoding="ascii")
        total = path.stat().st_size
        for _, size, other in sorted(self._others(path), reverse=True):
            total += size
            if total > self._limit_bytes:
                with contextlib.suppress(OSError):  # another run reads it (Windows keeps it then), or has removed it
                    self._remove(other)

    def _others(self, path: Path) -> list[tuple[float, int, Path]]:
        """When it was last used, its size, and itself, of each entry but `path`."""
        found: list[tuple[float, int, Path]] = []
        for other in self.folder.glob("*.tif"):
            with contextlib.suppress(OSError):  # another run may have removed it
                status = other.stat()
                if other != path:
                    found.append((status.st_mtime, status.st_size, other))
        return found

    def _remove(self, path: Path) -> None:
        remove_with_sidecars(path)
        self._length_file(path).unlink(missing_ok=True)

    @staticmethod
    def _length_file(path: Path) -> Path:
        return path.with_suffix(".length")
