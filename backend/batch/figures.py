# SPDX-License-Identifier: GPL-2.0-or-later
"""The figures of one scene: those of its run, or of an earlier one, as its files tell."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import rasterio
from rasterio.errors import RasterioError

from ..protocol import JobResult


@dataclass(frozen=True)
class SceneFigures:
    """What is not known is None; `class_area_ha` is by class code (as text). `bounds` and CRS are not kept: the files have them."""

    valid_area_km2: float | None = None
    valid_percent: float | None = None
    mean_confidence_percent: float | None = None
    elapsed_s: float | None = None
    class_area_ha: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def figures_of_result(result: JobResult) -> SceneFigures:
    """Those of a run of this batch."""
    return SceneFigures(
        result.valid_area_km2,
        100 * result.valid_share,
        result.mean_confidence_percent,
        result.elapsed_s,
        result.class_area_ha,
        result.warnings,
    )


def figures_of_file(path: str) -> SceneFigures:
    """Those that a raster of an earlier run says of itself; none of a file that cannot be read or is not ours."""
    try:
        with rasterio.open(path) as dataset:
            tags = dataset.tags()
    except (RasterioError, OSError):
        return SceneFigures()
    share = _number(tags.get("SARDINE_VALID_SHARE"))
    warned = tags.get("SARDINE_WARNINGS", "none")
    return SceneFigures(
        _number(tags.get("SARDINE_VALID_AREA_KM2")),
        None if share is None else 100 * share,
        _number(tags.get("SARDINE_MEAN_CONFIDENCE_PERCENT")),
        _number(tags.get("SARDINE_SECONDS")),
        _areas(tags.get("SARDINE_CLASS_AREA_HA", "")),
        () if warned == "none" else (warned,),
    )


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def _areas(text: str) -> dict[str, float]:
    try:
        found = json.loads(text)
        return {str(code): float(area_ha) for code, area_ha in found.items()}
    except (ValueError, TypeError, AttributeError):
        return {}
