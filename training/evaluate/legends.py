# SPDX-License-Identifier: GPL-2.0-or-later
"""What labels say and what maps say, brought to common groups.

A legend is a row of groups. Each says which values of the label and which WorldCover codes of the map it holds. Values in no
group are left out of the label; codes in no group count as wrong wherever the label says something.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.classes import WORLDCOVER
from training.metrics import IGNORE

ALL_CODES = tuple(item.code for item in WORLDCOVER)

U8 = npt.NDArray[np.uint8]
F32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Group:
    name: str
    codes: tuple[int, ...]
    """WorldCover codes of the map that stand for it."""
    labels: tuple[int, ...]
    """Values of the label raster that stand for it."""
    colour: str


@dataclass(frozen=True)
class Legend:
    """Groups in the order of their index."""

    name: str
    groups: tuple[Group, ...]

    def __len__(self) -> int:
        return len(self.groups)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(group.name for group in self.groups)

    def truth(self, label: npt.NDArray[np.integer]) -> U8:
        """Group index of each label value, IGNORE for values in no group. `label` holds 0..255."""
        table = self._table({value: index for index, group in enumerate(self.groups) for value in group.labels})
        return np.asarray(table[label])

    def mapped(self, codes: U8) -> U8:
        """Group index of each code of a map, `len(self)` for codes in no group, IGNORE for 0 (no data)."""
        table = self._table({code: index for index, group in enumerate(self.groups) for code in group.codes}, len(self))
        table[0] = IGNORE
        return table[codes]

    def confidence(self, codes: U8, probabilities: F32, of_codes: Sequence[int]) -> F32:
        """Probability of the group that the map shows at each pixel, float32 [H, W]; 0 where its code is in no group.

        `probabilities` is [classes, H, W] in the order of `of_codes`.
        """
        mapped = self.mapped(codes)
        found = np.zeros(codes.shape, dtype=np.float32)
        for index, group in enumerate(self.groups):
            planes = [plane for plane, code in enumerate(of_codes) if code in group.codes]
            here = mapped == index
            found[here] = probabilities[planes].sum(axis=0)[here]
        return found

    @staticmethod
    def _table(values: Mapping[int, int], rest: int = IGNORE) -> U8:
        table = np.full(256, rest, dtype=np.uint8)
        for value, index in values.items():
            table[value] = index
        return table


def _colour(code: int) -> str:
    return next(item.colour for item in WORLDCOVER if item.code == code)


def _binary(name: str, other: str, code: int | tuple[int, ...], label: int, other_labels: tuple[int, ...]) -> Legend:
    """Two groups: what is not `name` comes first, so that 1 is the class that is looked for."""
    codes = (code,) if isinstance(code, int) else code
    rest = tuple(item for item in ALL_CODES if item not in codes)
    return Legend(name, (Group(other, rest, other_labels, "#d8d2c4"), Group(name, codes, (label,), _colour(codes[0]))))


WATER = _binary("water", "not water", 80, 1, (0,))
"""Labels 0 not water, 1 water, other values void: Sen1Floods11, STAC Overflow, and ETCI's permanent water (2, flood, is void)."""

FOREST = _binary("forest", "not forest", (10, 95), 1, (0,))

SIX_GROUPS = Legend(
    "six groups",
    (
        Group("tree", (10, 95), (10, 95), _colour(10)),
        Group("open", (20, 30, 40, 100), (20, 30, 40, 100), _colour(40)),
        Group("built", (50,), (50,), _colour(50)),
        Group("bare", (60,), (60,), _colour(60)),
        Group("water", (80,), (80,), _colour(80)),
        Group("wetland", (90,), (90,), _colour(90)),
    ),
)
"""Grass and crop are one: one radar image seldom tells them apart. Labels are WorldCover codes; snow (70) is left out."""

LULC = Legend(
    "six groups",
    tuple(
        Group(group.name, group.codes, labels, group.colour)
        for group, labels in zip(SIX_GROUPS.groups, ((2,), (4, 9), (5,), (6,), (1,), (3,)), strict=True)
    ),
)
"""Esri's land use / land cover codes, as in TerraMesh: 1 water, 2 trees, 3 flooded vegetation, 4 crops, 5 built, 6 bare,
9 rangeland; 7 (snow) and 8 (clouds) say nothing that a radar can be asked."""

WORLDCOVER_CLASSES = Legend("WorldCover", tuple(Group(item.name, (item.code,), (item.code,), item.colour) for item in WORLDCOVER))

LEGENDS: Mapping[str, Legend] = {
    "water": WATER,
    "forest": FOREST,
    "six_groups": SIX_GROUPS,
    "lulc": LULC,
    "worldcover": WORLDCOVER_CLASSES,
}
