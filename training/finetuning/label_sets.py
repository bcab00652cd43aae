# SPDX-License-Identifier: GPL-2.0-or-later
"""Partial labels: a pixel's label may stand for several classes, of which one is true ("not water" is any class but water).

A target is a number of a row of `members`: the first rows are the model's classes alone, the ones after them sets of several.
Learning from such labels by the likelihood of the whole set: Cour et al. 2011, "Learning from Partial Labels" (JMLR 12); on
merged classes of segmentation maps: Fang and Yan 2020 (arXiv 2003.03045).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from training.metrics import IGNORE, BoolArray

LabelLegend = Mapping[int, Sequence[int]]
"""What stored label values stand for: value -> WorldCover codes. 0 and values without an entry say nothing."""


def label_tables(codes: Sequence[int], legends: Sequence[LabelLegend]) -> tuple[BoolArray, list[npt.NDArray[np.uint8]]]:
    """The sets that occur, and for each of `legends` how its stored values become targets.

    `members` is bool [sets, classes]: row k below the number of `codes` is class k alone, later rows are sets of several. A
    table is uint8 [256] of rows of `members`, IGNORE where a value says nothing of the model's classes. Codes that the model
    does not have are taken out of a set: "not water" stays "any of the model's other classes". A set of all classes says
    nothing, as does one of none. Raises ValueError for values outside 0..255 or more sets than a byte counts.
    """
    rows: dict[frozenset[int], int] = {frozenset([index]): index for index in range(len(codes))}
    position = {code: index for index, code in enumerate(codes)}
    tables = []
    for legend in legends:
        table = np.full(256, IGNORE, dtype=np.uint8)
        for value, meant in legend.items():
            if not 0 <= value <= 255:
                raise ValueError(f"A label value of {value} does not fit into a byte.")
            found = frozenset(position[code] for code in meant if code in position)
            if value and 0 < len(found) < len(codes):
                table[value] = rows.setdefault(found, len(rows))
        tables.append(table)
    if len(rows) > IGNORE:
        raise ValueError(f"The stores' labels make {len(rows)} different sets of classes; at most {IGNORE} can be told apart.")
    members = np.zeros((len(rows), len(codes)), dtype=np.bool_)
    for found, row in rows.items():
        members[row, sorted(found)] = True
    return members, tables


def set_weights(class_weights: npt.NDArray[np.float64], members: BoolArray) -> npt.NDArray[np.float32]:
    """Weight of each row of `members` in the loss: of a set, the harmonic mean of its classes' weights.

    Weights that are one over a class's frequency stay so: a merged class is as frequent as its classes together.
    """
    inverse = 1.0 / class_weights
    weights: npt.NDArray[np.float32] = (members.sum(axis=1) / (members * inverse).sum(axis=1)).astype(np.float32)
    return weights
