# SPDX-License-Identifier: GPL-2.0-or-later
"""How result files are called: `<scene>_<output>.tif`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path


def result_path(folder: Path, scene_name: str, word: str, suffix: str = "") -> Path:
    """The file of the raster that `word` says the kind of; what a file name cannot hold is replaced in `scene_name`."""
    stem = re.sub(r'[\\/:*?"<>|\x00-\x1f]+', "_", scene_name).strip(" .") or "scene"
    return folder / f"{stem}_{word}{suffix}.tif"


def free_paths(folder: Path, scene_name: str, words: Mapping[str, str], taken: set[str]) -> dict[str, str]:
    """File by parameter id, numbered together so that none of them is there yet, nor among `taken`.

    `words`, by parameter id too, say what kind each is. A result never replaces a file: the older one may be loaded in the
    project, and Windows would refuse.
    """
    number = 1
    while True:
        suffix = "" if number == 1 else f"_{number}"
        paths = {name: str(result_path(folder, scene_name, word, suffix)) for name, word in words.items()}
        if not any(path in taken or Path(path).exists() for path in paths.values()):
            return paths
        number += 1
