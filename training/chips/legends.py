# SPDX-License-Identifier: GPL-2.0-or-later
"""Legends: what the values of a label raster say, as sets of WorldCover codes.

A value that tells less than WorldCover's classes becomes the set of classes that it may be: "not water" is all codes but 80.
Sets that are one code are stored as that code; the others under values above 100, told by the store's `label_sets`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from training.classes import WORLDCOVER

U8 = npt.NDArray[np.uint8]
Codes = tuple[int, ...]

CODES: Codes = tuple(item.code for item in WORLDCOVER)
UNKNOWN: Codes = ()


def but(*left_out: int) -> Codes:
    """All WorldCover codes but these."""
    return tuple(code for code in CODES if code not in left_out)


OPEN_VEGETATION: Codes = (20, 30, 40, 100)
TREES: Codes = (10, 95)
WETLAND: Codes = (90, 95)

NAMED_VALUES: Mapping[Codes, int] = {
    **{(code,): code for code in CODES},
    OPEN_VEGETATION: 130,
    TREES: 131,
    WETLAND: 132,
    (20, 30): 133,
    (20, 30, 100): 134,
    (10, 20, 30, 40, 90, 95): 135,
    (20, 30, 40, 60, 90, 100): 136,
    (40, 50, 60): 137,
    (30, 60, 100): 138,
    (20, 30, 40): 139,
    but(80): 201,
    but(*TREES): 202,
    but(40): 203,
}
"""The value that each set is stored as, the same in every store; sets that are not here get values from 210 on."""

FIRST_FREE_VALUE = 210

_GRASS_OR_TREES = (10, 20, 30, 95, 100)

LEGENDS: Mapping[str, Mapping[int, Codes]] = {
    # Product user manual v2.0, table 3.
    "worldcover": {0: UNKNOWN, **{code: (code,) for code in CODES}},
    # The classes numbered 1 to 11, as geetiles (which made M3LEO) maps them for some uses.
    "worldcover_index": {0: UNKNOWN, **{number: (code,) for number, code in enumerate(CODES, 1)}},
    # Bonafilia et al. 2020, Sen1Floods11: -1 no data, 0 not water, 1 water. 255: as some copies have it.
    "sen1floods11": {-1: UNKNOWN, 0: but(80), 1: (80,), 255: UNKNOWN},
    # TerraMesh (Blumenstiel et al. 2025, arXiv 2504.11172) and TerraMind: land use / land cover of ESRI and Impact Observatory.
    "terramesh": {
        0: UNKNOWN,
        1: (80,),
        2: TREES,
        3: WETLAND,
        4: (40,),
        5: (50,),
        6: (60,),
        7: (70,),
        8: UNKNOWN,
        9: (20, 30, 100),
    },
    # Yokoya et al. 2020, 2020 IEEE GRSS Data Fusion Contest: simplified IGBP classes 1 to 10. Savanna is grass under some trees.
    "dfc2020": {
        0: UNKNOWN,
        1: TREES,
        2: (20,),
        3: _GRASS_OR_TREES,
        4: (30,),
        5: WETLAND,
        6: (40,),
        7: (50,),
        8: (70,),
        9: (60,),
        10: (80,),
        255: UNKNOWN,
    },
    # MODIS MCD12Q1 IGBP as in SEN12MS (Schmitt et al. 2019, table 2): 500 m, so coarse at 10 m.
    "igbp": {
        0: UNKNOWN,
        **dict.fromkeys(range(1, 6), TREES),
        **dict.fromkeys((6, 7), (20,)),
        **dict.fromkeys((8, 9), _GRASS_OR_TREES),
        10: (30,),
        11: WETLAND,
        12: (40,),
        13: (50,),
        14: OPEN_VEGETATION,  # cropland and natural vegetation mixed
        15: (70,),
        16: (60,),
        17: (80,),
        255: UNKNOWN,
    },
    # ETCI 2021: water at the time of the image, permanent (1) or flood (2).
    "etci2021": {0: but(80), 1: (80,), 2: (80,), 255: UNKNOWN},
    # Masks of flood water alone: what is not flooded may still be a lake.
    "flood_mask": {0: UNKNOWN, 255: (80,), 1: (80,)},
    # Weak labels from optical indices: water, dense vegetation, sparse vegetation, bare or built-up (or a bare field).
    "optical_indices": {
        0: UNKNOWN,
        1: (80,),
        2: (10, 20, 30, 40, 90, 95),
        3: (20, 30, 40, 60, 90, 100),
        4: (40, 50, 60),
    },
    "cropland": {0: but(40), 1: (40,), 255: UNKNOWN},
}


@dataclass(frozen=True)
class Step:
    """Numbers in [`low`, `high`) that a raster of measurements (biomass, tree cover) means by `codes`."""

    low: float
    high: float
    codes: Codes


STEPS: Mapping[str, tuple[Step, ...]] = {
    # BioMassters: above-ground biomass, t/ha. More than 20 is woody; little may be young trees, or the edge of a stand.
    "biomass_t_ha": (Step(-np.inf, 5.0, but(*TREES)), Step(20.0, np.inf, TREES)),
}
LEGEND_NAMES = (*LEGENDS, *STEPS)


class LegendError(ValueError):
    """A label that its legend does not explain."""


class LabelValues:
    """The label values of one store: a value for each set of codes, the same whichever source brings it."""

    def __init__(self) -> None:
        self.sets: dict[int, Codes] = {}
        self._values: dict[Codes, int] = {}

    def value_of(self, codes: Codes) -> int:
        """The value of a set of codes; 0 for the empty set. Raises LegendError for codes that WorldCover does not have."""
        codes = tuple(sorted(set(codes)))
        unknown = [code for code in codes if code not in CODES]
        if unknown:
            raise LegendError(f"WorldCover has no class {unknown}; it has {list(CODES)}")
        if not codes or codes == CODES:
            return 0  # any class at all says nothing
        if codes not in self._values:
            free = next(value for value in range(FIRST_FREE_VALUE, 257) if value not in self.sets)
            value = NAMED_VALUES.get(codes, free)
            if value > 255:
                raise LegendError("There are more sets of classes than 8 bits hold")
            self._values[codes] = value
            self.sets[value] = codes
        return self._values[codes]


class Legend:
    """Turns the values of one source's label rasters into label values of the store."""

    def __init__(self, name: str, changes: Mapping[int, Iterable[int]], values: LabelValues) -> None:
        """`changes` add to the named legend or replace parts of it. Raises LegendError for an unknown name."""
        if name and name not in LEGEND_NAMES:
            raise LegendError(f"there is no legend {name!r}; there are {', '.join(LEGEND_NAMES)}")
        self.name = name or "the table in the configuration"
        self._steps = STEPS.get(name, ())
        table = {**LEGENDS.get(name, {}), **{int(value): expand(codes) for value, codes in changes.items()}}
        self._table = {value: values.value_of(codes) for value, codes in table.items()}
        self._step_values = [values.value_of(step.codes) for step in self._steps]

    def apply(self, raster: npt.NDArray[Any], absent: npt.NDArray[np.bool_]) -> U8:
        """Label values uint8 of `raster` [H, W]; 0 where `absent`. Raises LegendError for a value that is not in the legend."""
        out = np.zeros(raster.shape, dtype=np.uint8)
        if self._steps:
            for step, value in zip(self._steps, self._step_values, strict=True):
                with np.errstate(invalid="ignore"):
                    out[(raster >= step.low) & (raster < step.high) & ~absent] = value
            return out
        known = absent.copy()
        for value, label in self._table.items():
            here = raster == value
            out[here & ~absent] = label
            known |= here
        if not known.all():
            strange = np.unique(raster[~known])[:8].tolist()
            raise LegendError(
                f"the label holds {strange}, which the legend “{self.name}” does not explain (it has {sorted(self._table)}): "
                "is it the right legend? Add the values with legend_changes, empty for unknown"
            )
        return out


def expand(codes: Iterable[int]) -> Codes:
    """Codes as the configuration writes them: [80], [20, 30], [-80] for all but 80, [] for unknown."""
    given = tuple(codes)
    if any(code < 0 for code in given):
        if not all(code < 0 for code in given):
            raise LegendError(f"{list(given)} mixes codes with codes that are left out")
        return but(*(-code for code in given))
    return given
