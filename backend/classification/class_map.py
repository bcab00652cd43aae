# SPDX-License-Identifier: GPL-2.0-or-later
"""A classifier's map of a scene, tile by tile: memory does not grow with the scene's height."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..features.pixels import PixelFeatures
from ..grid import PixelWindow, RasterGrid
from ..output.raster_specs import RasterSpec, confidence_spec, landcover_spec
from ..output.writer import RasterSet
from ..strip import LANDCOVER_NODATA, PERCENT_NODATA, Strip
from .classifier import Classifier, Predictor

ROWS_PX = 256
COLUMNS_PX = 1024


@dataclass
class MapSummary:
    """Counts over a map; `confidence_sum` is of the largest probability (0 to 1) of the valid pixels."""

    class_px: dict[int, int] = field(default_factory=dict)
    confidence_sum: float = 0.0

    @property
    def valid_px(self) -> int:
        return sum(self.class_px.values())


def map_specs(classifier: Classifier) -> dict[str, RasterSpec]:
    """What the rasters look like, by the names of a request's outputs."""
    return {"classes": landcover_spec(classifier.classes), "confidence": confidence_spec()}


def write_map(
    classifier: Classifier,
    features: PixelFeatures,
    grid: RasterGrid,
    area: PixelWindow,
    targets: Mapping[str, Path],
    tags: Callable[[MapSummary], Mapping[str, str]],
    go_on: Callable[[int, int], None],
) -> MapSummary:
    """Maps `area` of `grid` into `targets`; `tags` are made when the counts are known. Raises SardineError."""
    predictor = Predictor(classifier)
    codes = np.array([item.code for item in classifier.classes], dtype=np.uint8)
    summary = MapSummary({item.code: 0 for item in classifier.classes})
    part = grid.crop(area)
    total = -(-area.height // ROWS_PX) * -(-area.width // COLUMNS_PX)
    done = 0
    with RasterSet(targets, map_specs(classifier), dict.fromkeys(targets, part)) as writer:
        for row in range(0, area.height, ROWS_PX):
            rows = min(ROWS_PX, area.height - row)
            classes: NDArray[np.uint8] = np.full((1, rows, area.width), LANDCOVER_NODATA, dtype=np.uint8)
            confidence: NDArray[np.uint8] = np.full((1, rows, area.width), PERCENT_NODATA, dtype=np.uint8)
            for column in range(0, area.width, COLUMNS_PX):
                go_on(done, total)
                width = min(COLUMNS_PX, area.width - column)
                values, valid = features.read(PixelWindow(area.row + row, area.column + column, rows, width))
                chances = predictor.probabilities(values[:, valid].T)
                best = chances.argmax(axis=1)
                largest = chances.max(axis=1) if len(chances) else np.zeros(0, np.float32)
                columns = slice(column, column + width)
                classes[0, :, columns][valid] = codes[best]
                confidence[0, :, columns][valid] = np.round(100 * largest).astype(np.uint8)
                summary.confidence_sum += float(largest.sum(dtype=np.float64))
                for place, count in enumerate(np.bincount(best, minlength=len(codes)).tolist()):
                    summary.class_px[int(codes[place])] += count
                done += 1
            for name, strip in (("classes", classes), ("confidence", confidence)):
                if name in targets:
                    writer.write(Strip(name, row, strip))
        go_on(total, total)
        writer.finish(tags(summary))
    return summary
