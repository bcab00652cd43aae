# SPDX-License-Identifier: GPL-2.0-or-later
"""What names of files tell: which belong to a source, their place, date and orbit direction."""

from __future__ import annotations

import datetime
import re
from pathlib import Path

from backend.scene.bands import words_of
from training.chips.config import SourceConfig
from training.reference.places import place_of

_DAY = re.compile(r"(?<!\d)(20\d\d)[-_]?(\d\d)[-_]?(\d\d)(?!\d)")
_MONTH = re.compile(r"(?<!\d)(20\d\d)[-_](\d\d)(?!\d)")
SEASONS = ("SPRING", "SUMMER", "AUTUMN", "FALL", "WINTER")


def list_files(source: SourceConfig) -> list[Path]:
    """Files of the source below its root, by name. Raises FileNotFoundError for a root that is not there."""
    if not source.root.is_dir():
        raise FileNotFoundError(f"{source.name}: there is no folder {source.root}")
    found = {path for pattern in source.files for path in source.root.glob(pattern) if path.is_file()}
    left_out = {path for pattern in source.exclude for path in source.root.glob(pattern)}
    return sorted(found - left_out)


def below(source: SourceConfig, path: Path) -> str:
    """Path below the source's root, with forward slashes."""
    return path.relative_to(source.root).as_posix()


def place_by_name(source: SourceConfig, file: str) -> str:
    """The place that the configuration names for `file` (path below the root); empty: it depends on where the scene lies."""
    for pattern, place in source.places.items():
        match = re.match(pattern, file)
        if match:
            return match.expand(place)
    if source.place == "table":
        return place_of((source.root / file).resolve().relative_to((source.data_root or source.root).resolve()).as_posix()).name
    if source.place == "folder":
        return f"{source.name}/{Path(file).parent.as_posix()}"
    if source.place == "source":
        return source.name
    return file_place(source, file) if source.place == "file" else ""


def file_place(source: SourceConfig, file: str) -> str:
    """A place of its own for a file."""
    return f"{source.name}/{Path(file).with_suffix('').as_posix()}"


def ground_by_name(source: SourceConfig, file: str) -> str:
    """What `same_ground` finds in the file's name, or an empty text."""
    match = re.match(source.same_ground, file) if source.same_ground else None
    return "/".join(part for part in match.groups() if part) if match else ""


def date_of(*texts: str) -> str:
    """The first date in the texts, YYYY-MM-DD; else the first month, YYYY-MM; else a season; else empty.

    >>> date_of("S1A_IW_GRDH_1SDV_20200607T010800"), date_of("belgium_2020-11_S1"), date_of("VV winter")
    ('2020-06-07', '2020-11', 'winter')
    """
    for pattern in (_DAY, _MONTH):
        for text in texts:
            for match in pattern.finditer(text.replace("T", " ")):
                numbers = [int(part) for part in match.groups()]
                try:
                    day = datetime.date(*[*numbers, 1][:3])
                except ValueError:
                    continue
                return day.isoformat() if pattern is _DAY else day.isoformat()[:7]
    words = set().union(*(words_of(text) for text in texts))
    return next((season.lower() for season in SEASONS if season in words), "")


def orbit_of(*texts: str) -> str:
    """ascending, descending, or empty where the texts name none or both."""
    words = set().union(*(words_of(text) for text in texts))
    named = [name for word, name in (("ASC", "ascending"), ("DESC", "descending")) if word in words]
    return named[0] if len(named) == 1 else ""
