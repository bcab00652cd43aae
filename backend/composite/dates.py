# SPDX-License-Identifier: GPL-2.0-or-later
"""When a scene was taken, and which season or month that is. Dates are ISO texts: YYYY-MM-DD, or YYYY-MM without a day."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from pathlib import Path

from ..protocol import ErrorCode, SardineError

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
SEASONS = ("winter", "spring", "summer", "autumn")
"""In the order of a year of the northern half, which begins in December."""

ALL = ""
_SEPARATED = re.compile(r"(?<!\d)((?:19|20)\d\d)[-_.](\d\d)(?:[-_.](\d\d))?(?!\d)")
_TOGETHER = re.compile(r"(?<!\d)((?:19|20)\d\d)(\d\d)(\d\d)(?=\D|$)")


def date_of(given: str | None, facts: Mapping[str, str], path: str) -> str:
    """The date that was given; else that of the product; else the first that the file's name holds.

    Raises SardineError (request_invalid) where there is none, or the given one is no date.
    """
    if given is not None:
        found = date_in(given)
        if found is None or not re.fullmatch(r"\d{4}-?\d\d(-?\d\d)?", given.strip()):
            raise SardineError(
                ErrorCode.REQUEST_INVALID, f"“{given}” is no date.", "YYYY-MM-DD or YYYY-MM is needed.", "Correct it."
            )
        return found
    found = date_in(facts.get("SARDINE_SENSED", "")) or date_in(Path(path.rstrip("/")).name)
    if found is None:
        raise SardineError(
            ErrorCode.REQUEST_INVALID,
            f"Nothing tells when {Path(path).name} was taken.",
            "A date in the file's name is needed, such as 20210809 or 2021-08.",
            "Give the dates of all scenes in their order (--dates).",
        )
    return found


def date_in(text: str) -> str | None:
    """The first date in `text`.

    >>> date_in("S1A_IW_GRDH_1SDV_20210809T173953_20210809T174018"), date_in("belgium_2020-11_S1"), date_in("scene 12")
    ('2021-08-09', '2020-11', None)
    """
    found = []
    for pattern in (_SEPARATED, _TOGETHER):
        for match in pattern.finditer(text):
            year, month, day = match.group(1), match.group(2), match.group(3)
            if _is_date(int(year), int(month), int(day or 1)):
                found.append((match.start(), "-".join(part for part in (year, month, day) if part)))
                break
    return min(found)[1] if found else None


def period_of(date: str, by: str, *, southern: bool) -> str:
    """The word of the season (winter is December to February in the north, June to August in the south) or month of `date`.

    >>> period_of("2021-01-15", "season", southern=False), period_of("2021-01-15", "season", southern=True)
    ('winter', 'summer')
    """
    month = int(date[5:7])
    if by == "month":
        return MONTHS[month - 1]
    if by == "season":
        return SEASONS[(month % 12 // 3 + (2 if southern else 0)) % 4]
    return ALL


def period_order(period: str) -> int:
    """Where a period stands among the bands."""
    return (*SEASONS, *MONTHS, ALL).index(period)


def _is_date(year: int, month: int, day: int) -> bool:
    try:
        datetime.date(year, month, day)
    except ValueError:
        return False
    return True
