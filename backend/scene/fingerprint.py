# SPDX-License-Identifier: GPL-2.0-or-later
"""What tells the files of one scene from those of another, and from what they were before they were changed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..output.paths import files_in
from ..protocol import BandSource


def fingerprint(bands: Sequence[BandSource]) -> list[list[Any]] | None:
    """Name, size and time of each file that `bands` are read from; None where one is no file of this machine."""
    found: list[list[Any]] = []
    for band in bands:
        folder = Path(band.path)
        files = sorted(file for file in folder.rglob("*") if file.is_file()) if folder.is_dir() else files_in(band.path)
        if not files:
            return None
        for file in files:
            status = file.stat()
            found.append([str(file.resolve()), status.st_size, status.st_mtime_ns, band.role, band.band])
    return found
