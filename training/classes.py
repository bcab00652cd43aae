# SPDX-License-Identifier: GPL-2.0-or-later
"""The classes of ESA WorldCover v200 with their codes, names and colours.

Product user manual v2.0, table 3 (Zanaga et al. 2022, doi 10.5281/zenodo.7254221).
"""

from __future__ import annotations

from backend.model_card import ClassSpec

WORLDCOVER = (
    ClassSpec(10, "Tree cover", "#006400"),
    ClassSpec(20, "Shrubland", "#ffbb22"),
    ClassSpec(30, "Grassland", "#ffff4c"),
    ClassSpec(40, "Cropland", "#f096ff"),
    ClassSpec(50, "Built-up", "#fa0000"),
    ClassSpec(60, "Bare / sparse vegetation", "#b4b4b4"),
    ClassSpec(70, "Snow and ice", "#f0f0f0"),
    ClassSpec(80, "Permanent water bodies", "#0064c8"),
    ClassSpec(90, "Herbaceous wetland", "#0096a0"),
    ClassSpec(95, "Mangroves", "#00cf75"),
    ClassSpec(100, "Moss and lichen", "#fae6a0"),
)


def worldcover_classes(codes: tuple[int, ...]) -> tuple[ClassSpec, ...]:
    """The classes of `codes`, in their order. Raises ValueError for a code that WorldCover does not have."""
    known = {item.code: item for item in WORLDCOVER}
    unknown = [code for code in codes if code not in known]
    if unknown:
        raise ValueError(f"WorldCover has no class {unknown}; it has {sorted(known)}.")
    return tuple(known[code] for code in codes)
