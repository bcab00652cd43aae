# SPDX-License-Identifier: GPL-2.0-or-later
"""Pictures of labelled chips: what the network sees, what the label says, what was predicted. So that wrong labels, nodata or
levels are seen before hours have gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from backend.model_card import ModelCard
from training.finetuning.validate import Sample
from training.metrics import IGNORE, BoolArray
from training.pretraining.view_pictures import GAP_PX, grey_levels, write_png

U8 = npt.NDArray[np.uint8]


def write_samples(path: Path, samples: Sequence[Sample], card: ModelCard, members: BoolArray) -> None:
    """Writes a colour PNG: a row a chip, its first band, its label in the classes' colours (black: unlabelled; of several
    classes the mean of their colours) and, where there is one, the prediction.
    """
    colours = np.array([_rgb(item.colour) for item in card.classes], dtype=np.float64)
    of_label = np.zeros((IGNORE + 1, 3), dtype=np.uint8)
    of_label[: len(members)] = np.rint(members @ colours / members.sum(axis=1, keepdims=True))
    side = max((sample.truth.shape[0] for sample in samples), default=1) + GAP_PX
    tiles = [
        [np.repeat(grey_levels(sample.x)[..., None], 3, axis=-1), of_label[sample.truth]]
        + ([] if sample.predicted is None else [colours.astype(np.uint8)[sample.predicted]])
        for sample in samples
    ]
    columns = max(map(len, tiles), default=1)
    picture = np.full((side * max(len(tiles), 1), side * columns, 3), 255, dtype=np.uint8)
    for row, line in enumerate(tiles):
        for column, tile in enumerate(line):
            picture[row * side : row * side + len(tile), column * side : column * side + tile.shape[1]] = tile
    write_png(path, picture)


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
