# SPDX-License-Identifier: GPL-2.0-or-later
"""Keeps two runs from going on with the same unfinished file. The lock goes with the process, however that ends."""

from __future__ import annotations

import sys
from pathlib import Path

from .journal import refused

if sys.platform != "win32":
    import fcntl


class RunLock:
    """Holds the file at `path` until `release`. Raises SardineError (resume_refused) where another process holds it.

    Where there are no such locks (Windows, some network drives) it holds nothing.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        if sys.platform != "win32":
            try:
                # Not lockf: its locks go as soon as the process closes the file once, which GDAL does.
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._file.close()
                raise refused(f"Another run is writing {path} at this moment.") from None
            except OSError:  # a file system without locks
                return

    def release(self) -> None:
        self._file.close()
