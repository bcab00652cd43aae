# SPDX-License-Identifier: GPL-2.0-or-later
"""Small files: written beside their place, flushed to the disk, and put into place whole."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from .output.paths import part_path
from .protocol import ErrorCode, SardineError


def write_whole(target: Path, content: bytes) -> None:
    """Puts `content` into `target`, or leaves all as it was. Raises SardineError: disk_full, output_read_only."""
    part = part_path(target)
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    except OSError as error:
        part.unlink(missing_ok=True)
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise SardineError(
            ErrorCode.DISK_FULL if full else ErrorCode.OUTPUT_READ_ONLY,
            f"{target} could not be written ({error.strerror}).",
            "Room and leave to write are needed.",
            "Free some room, or choose another folder.",
            refused=False,
        ) from error
