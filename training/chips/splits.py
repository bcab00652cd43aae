# SPDX-License-Identifier: GPL-2.0-or-later
"""Which split a chip is in. Splits go by place; where no places are named, by geographic blocks with a buffer between them.

Blocks are bands of latitude, each divided in longitude so that blocks are about as wide as high: the same all over the Earth,
whatever CRS a scene has.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from training.chips.config import SplitConfig

KM_PER_DEGREE = 111.195
"""Of latitude, on a sphere of 6371 km."""

KEPT_FIRST = ("test", "validation", "train")
"""Near a border, the chip of the earlier one stays."""

LEAST_OVERLAP_M = 100.0
"""Neighbouring scenes overlap by rounded bounds; more than this in both directions is the same ground."""


@dataclass(frozen=True)
class LonLatBox:
    """Bounds in degrees; longitudes may pass 180."""

    west: float
    south: float
    east: float
    north: float

    def grown(self, km: float) -> LonLatBox:
        """The box with a margin of `km` on each side."""
        up = km / KM_PER_DEGREE
        across = up / max(math.cos(math.radians(max(abs(self.south), abs(self.north)))), 0.01)
        return LonLatBox(self.west - across, self.south - up, self.east + across, self.north + up)

    def overlaps(self, other: LonLatBox) -> bool:
        """Whether they share more than a rim."""
        rim = LEAST_OVERLAP_M / 1000 / KM_PER_DEGREE
        up = min(self.north, other.north) - max(self.south, other.south)
        across = min(self.east, other.east) - max(self.west, other.west)
        return up > rim and across * math.cos(math.radians(self.south)) > rim


def block_of(longitude: float, latitude: float, block_km: float) -> str:
    """Name of the block that holds a point, e.g. block_54_13 (row from the equator northwards, column from Greenwich eastwards)."""
    height = block_km / KM_PER_DEGREE
    row = math.floor(latitude / height)
    return f"block_{row}_{math.floor(_wrapped(longitude) / _width(row, height))}"


def blocks_touched(box: LonLatBox, block_km: float) -> set[str]:
    """Names of all blocks that `box` reaches into."""
    height = block_km / KM_PER_DEGREE
    found = set()
    for row in range(math.floor(box.south / height), math.floor(box.north / height) + 1):
        width = _width(row, height)
        # An odd number of blocks leaves a half one on either side of 180 degrees: steps of half a block miss none.
        steps = max(1, math.ceil(2 * (box.east - box.west) / width))
        for step in range(steps + 1):
            longitude = box.west + (box.east - box.west) * step / steps
            found.add(f"block_{row}_{math.floor(_wrapped(longitude) / width)}")
    return found


def _width(row: int, height: float) -> float:
    """Degrees of longitude of the blocks of a row: a whole number of them goes round the Earth."""
    cosine = max(math.cos(math.radians((row + 0.5) * height)), 0.01)
    return 360.0 / max(1, math.floor(360.0 * cosine / height))


def _wrapped(longitude: float) -> float:
    return (longitude + 180.0) % 360.0 - 180.0


def split_by_name(place: str, config: SplitConfig) -> str:
    """The split that `config.named` names for a place, or an empty text."""
    for split, patterns in config.named.items():
        if any(re.fullmatch(pattern, place) for pattern in patterns):
            return split
    return ""


def divide(places: Iterable[str], fixed: Mapping[str, str], config: SplitConfig) -> dict[str, str]:
    """A split for each of `places`: the one in `fixed`, or by a draw that gives the wanted shares as nearly as whole places can.

    The draw is an order of the places by a hash of their name, so that it does not depend on the order of files. A split with
    a share gets at least one place where there are three or more.
    """
    split_of = {place: fixed[place] for place in places if place in fixed}
    free = sorted((place for place in set(places) if place not in fixed), key=lambda place: _rank(place, config.seed))
    counts = []
    for share in (config.test_share, config.validation_share):
        wanted = round(share * len(free))
        counts.append(max(wanted, 1) if share > 0 and len(free) >= 3 else wanted)
    for number, place in enumerate(free):
        split_of[place] = "test" if number < counts[0] else "validation" if number < sum(counts) else "train"
    return split_of


def _rank(place: str, seed: int) -> str:
    return hashlib.sha256(f"{seed}/{place}".encode()).hexdigest()


def kept_in_block(box: LonLatBox, split: str, split_of: Mapping[str, str], config: SplitConfig) -> bool:
    """Whether a chip of a block of `split` stays: it lies in blocks of its split alone, and its buffer reaches into no block of
    a split that goes before. `split_of` holds the blocks that have chips.
    """
    own = {split_of.get(block, split) for block in blocks_touched(box, config.block_km)}
    near = {split_of.get(block, split) for block in blocks_touched(box.grown(config.buffer_km), config.block_km)}
    before = KEPT_FIRST[: KEPT_FIRST.index(split)]
    return own == {split} and not near & set(before)


def overlaps_between_splits(boxes: Sequence[tuple[str, str, LonLatBox]]) -> list[tuple[str, str]]:
    """Pairs of names of (name, split, box) whose boxes overlap and whose splits differ; each pair of names once."""
    cells: dict[tuple[int, int], list[int]] = {}
    cell = 0.1
    for number, (_, _, box) in enumerate(boxes):
        for row in range(math.floor(box.south / cell), math.floor(box.north / cell) + 1):
            for column in range(math.floor(box.west / cell), math.floor(box.east / cell) + 1):
                cells.setdefault((row, column), []).append(number)
    found: dict[tuple[str, str], None] = {}
    for numbers in cells.values():
        if len({boxes[number][1] for number in numbers}) < 2:
            continue
        for place, first in enumerate(numbers):
            for second in numbers[place + 1 :]:
                (name, split, box), (other, other_split, other_box) = boxes[first], boxes[second]
                if split != other_split and box.overlaps(other_box):
                    found[min(name, other), max(name, other)] = None
    return list(found)
