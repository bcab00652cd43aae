# SPDX-License-Identifier: GPL-2.0-or-later
"""What is said where a scene lacks bands that its model can do without: one text for command line, Processing and panel.

Standard library alone: the plugin says it before the backend is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from .model_card import BandSpec
from .sibling_files import sibling_file

LEFT_OUT = "band_left_out"
"""The code of this warning."""


def absent_band_note(specs: Sequence[BandSpec], sources: Mapping[str, str], tr: Callable[[str], str] = str) -> str:
    """Which optional bands of `specs` are absent, what the map is made from, and the file to add where one lies beside.

    `sources` is the file of each role that is there; `tr` translates. Empty where no optional band is absent, or all are.
    """
    absent = [spec.role for spec in specs if spec.optional and spec.role not in sources]
    used = [spec.role for spec in specs if spec.role in sources]
    if not absent or not used:
        return ""
    text = tr("No band was given for {absent}: the map is made from {used} alone and is less reliable.")
    text = text.format(absent=", ".join(absent), used=", ".join(used))
    taken = {Path(source) for source in sources.values()}
    siblings = (sibling_file(source, role) for role in absent for source in sources.values())
    beside = next((found for found in siblings if found is not None and found not in taken), None)
    if beside is None:
        return text
    addition = tr("Add {file}, which lies beside the scene.")
    return f"{text} {addition.format(file=beside.name)}"
