# SPDX-License-Identifier: GPL-2.0-or-later
"""What prediction hands to the writer: finished rows of one output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

CLASS_OUTPUTS = frozenset({"landcover", "confidence", "probabilities"})
"""Outputs that need a model with classes; the others, attention and tokens, have one pixel a patch."""

LANDCOVER_NODATA = 0
PERCENT_NODATA = 255
PROBABILITY_STEPS = 250
"""A probability is stored as round(250 p): 255 stays free for nodata."""


@dataclass(frozen=True)
class Strip:
    """Finished rows of one output: `values` is [bands, rows, columns] as stored, `row` counts from the output's first row."""

    output: str
    row: int
    values: NDArray[np.uint8] | NDArray[np.float32] | NDArray[np.int16]


class StripSink(Protocol):
    """Takes the strips of each output from top to bottom; `output.map_writer.MapWriter` is one."""

    @property
    def outputs(self) -> frozenset[str]:
        """Names of the outputs that it wants."""

    def write(self, strip: Strip) -> None:
        """Takes the next rows of one output."""
