# SPDX-License-Identifier: GPL-2.0-or-later
"""Files that hold one polarisation each: which file beside another is the same scene in another polarisation.

Standard library alone: the plugin uses it too.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Optional

POLARISATION = re.compile(r"(?<![a-z])(vv|vh|hh|hv)(?![a-z])|(?<![a-z])(vv|vh|hh|hv)(?=db)", re.IGNORECASE)
_GRD_IMAGE = re.compile(r"(s1[a-d]-\w+-grd-.+-00)([12])((?:-cog)?)", re.IGNORECASE)
"""A measurement's name, which ends with the number of its image in the product: 1 is co-polarised, 2 cross-polarised."""


def sibling_file(path: str, role: str) -> Optional[Path]:
    """The file beside `path` whose name has the polarisation of `role` in the place of its own; None: there is none."""
    own, wanted = Path(path), POLARISATION.search(role)
    if wanted is None or not _is_file(own):
        return None
    polarisation = wanted.group(0).lower()

    def replaced(match: re.Match[str]) -> str:
        return polarisation.upper() if match.group(0).isupper() else polarisation

    name = POLARISATION.sub(replaced, own.stem)
    if name == own.stem:
        return None
    image = _GRD_IMAGE.fullmatch(name)
    names = [name, *([f"{image[1]}{3 - int(image[2])}{image[3]}"] if image else [])]
    return next((found for found in (own.with_name(each + own.suffix) for each in names) if _is_file(found)), None)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that no file system takes: sources of GDAL are not always files
        return False


def without_image_number(name: str) -> str:
    """`name` without what tells two images of one GRD product apart beside their polarisation; other names as they are.

    >>> without_image_number("s1a-iw-grd-vv-20210809t173953-049f13-001"), without_image_number("may_VV_001")
    ('s1a-iw-grd-vv-20210809t173953-049f13-00', 'may_VV_001')
    """
    image = _GRD_IMAGE.fullmatch(name)
    return f"{image[1]}{image[3]}" if image else name
