# SPDX-License-Identifier: GPL-2.0-or-later
"""A composite from request to GeoTIFF: scenes opened on one grid -> dates of a block -> reduced in power -> decibels, row by row.

Memory depends on the number of dates and a block of pixels, never on the size of the scenes.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..grid import PixelWindow
from ..job_stream import cancelled_error
from ..output.paths import check_output_paths
from ..output.raster_specs import RasterSpec
from ..output.writer import RasterSet
from ..protocol import (
    COMPOSITE_PERIODS,
    REDUCTIONS,
    CompositeRequest,
    ErrorCode,
    FromChild,
    JobWarning,
    Progress,
    SardineError,
    TaskResult,
)
from ..radiometry import FloatArray, power_to_db, to_power
from ..strip import Strip
from .reduce import reduce_dates
from .stack import OutputBand, Stack, open_stack

STAGE = "compositing"
ROWS = 256
COLUMNS = 512
"""A block is so many rows, and a multiple of so many columns."""

BLOCK_BYTES = 96 * 2**20
"""For the values of all dates of a period in a block; sorting and reading take about twice as much again."""


def run_composite(request: CompositeRequest, report: Callable[[FromChild], None], cancelled: Callable[[], bool]) -> TaskResult:
    """Writes the composite, and where it is asked for the number of dates of each pixel.

    Raises SardineError: what `open_stack` and the writer raise, cancelled, source_all_nodata. Outputs are whole or as they were.
    """
    _check(request)
    outputs = {name: path for name, path in (("composite", request.output), ("count", request.count)) if path}
    inputs = [band.path for scene in request.scenes for band in scene.bands]
    targets = check_output_paths(outputs, inputs, overwrite=request.overwrite)
    report(Progress("opening the scenes", 0, 1))
    with contextlib.ExitStack() as files:
        stack = open_stack(request, files)
        for code, text in stack.warnings:
            report(JobWarning(code, text))
        specs = {"composite": composite_spec(request, stack.bands), "count": count_spec(stack.bands)}
        grids = dict.fromkeys(targets, stack.grid)
        valid_px = 0
        with RasterSet(targets, {name: specs[name] for name in targets}, grids) as writer:
            for row in range(0, stack.grid.height, ROWS):
                if cancelled():
                    raise cancelled_error()
                report(Progress(STAGE, row, stack.grid.height))
                rows = min(ROWS, stack.grid.height - row)
                values, counts = _strip(stack, row, rows, request, cancelled)
                valid_px += int(np.count_nonzero(np.isfinite(values).any(axis=0)))
                writer.write(Strip("composite", row, values))
                if "count" in targets:
                    writer.write(Strip("count", row, counts))
            if valid_px == 0:
                raise SardineError(
                    ErrorCode.SOURCE_ALL_NODATA,
                    "No pixel holds data on any date.",
                    "At least one valid pixel is needed.",
                    "Check the scenes and their nodata values.",
                )
            writer.finish(_tags(request, stack), progress=report, cancelled=cancelled)
    lines = [f"{len(stack.dates)} dates, {len(stack.bands)} bands of {stack.grid.width} x {stack.grid.height} pixels"]
    lines += [f"  band {number}: {band.description}" for number, band in enumerate(stack.bands, 1)]
    figures = {
        "dates": float(len(stack.dates)),
        "bands": float(len(stack.bands)),
        "valid_share": valid_px / (stack.grid.height * stack.grid.width),
    }
    return TaskResult(outputs, figures, tuple(lines), warnings=tuple(text for _, text in stack.warnings))


def composite_spec(request: CompositeRequest, bands: tuple[OutputBand, ...]) -> RasterSpec:
    """Decibels of the reduced power. Its overviews average decibels: they are for looking at."""
    how = f"{request.percentile:g}th percentile" if request.reduction == "percentile" else request.reduction
    return RasterSpec(
        dtype="float32",
        nodata=float("nan"),
        bands=tuple(band.description for band in bands),
        overviews="average",
        predictor=3,
        meaning=f"backscatter in dB: the {how} over the dates, taken in linear power",
        least_bytes_px=1.0,
        unit="dB",
    )


def count_spec(bands: tuple[OutputBand, ...]) -> RasterSpec:
    """How many dates have a value in each pixel, a band for each of the composite."""
    return RasterSpec(
        dtype="int16",
        nodata=-1,
        bands=tuple(f"dates of {band.description}" for band in bands),
        overviews="nearest",
        predictor=2,
        meaning="number of dates with data in the pixel",
        least_bytes_px=0.01,
    )


def _check(request: CompositeRequest) -> None:
    wrong = [
        f"“{value}” is none of {', '.join(allowed)}."
        for value, allowed in ((request.by, COMPOSITE_PERIODS), (request.reduction, REDUCTIONS))
        if value not in allowed
    ]
    if not 0 <= request.percentile <= 100:
        wrong.append(f"The percentile is {request.percentile:g}, and must lie between 0 and 100.")
    if not request.scenes:
        wrong.append("No scene was named.")
    if wrong:
        raise SardineError(ErrorCode.REQUEST_INVALID, " ".join(wrong), "", "Correct it.")


def _strip(
    stack: Stack, row: int, rows: int, request: CompositeRequest, cancelled: Callable[[], bool]
) -> tuple[FloatArray, NDArray[np.int16]]:
    """Whole rows of all bands: decibels float32 and numbers of dates int16, both [bands, rows, width]."""
    shape = (len(stack.bands), rows, stack.grid.width)
    values = np.full(shape, np.nan, dtype=np.float32)
    counts = np.zeros(shape, dtype=np.int16)
    periods = list(dict.fromkeys(band.period for band in stack.bands))
    columns = block_columns(max(_planes(stack, period) for period in periods), rows)
    for column in range(0, stack.grid.width, columns):
        if cancelled():
            raise cancelled_error()
        window = PixelWindow(row, column, rows, min(columns, stack.grid.width - column))
        place = np.s_[:, column : column + window.width]
        for period in periods:
            read = {number: to_power(date.scene.read(window)) for number, date in enumerate(stack.dates) if date.period == period}
            for index, band in enumerate(stack.bands):
                if band.period == period:
                    power = np.stack([read[number][plane] for number, plane in band.planes])
                    reduced, counts[index][place] = reduce_dates(power, request.reduction, request.percentile)
                    values[index][place] = power_to_db(reduced)
    return values, counts


def block_columns(planes: int, rows: int) -> int:
    """Columns of a block so that `planes` values a pixel stay within BLOCK_BYTES; at least COLUMNS, which bounds it from below."""
    return max(1, BLOCK_BYTES // (planes * rows * 4 * COLUMNS)) * COLUMNS


def _planes(stack: Stack, period: str) -> int:
    return sum(len(band.planes) for band in stack.bands if band.period == period)


def _tags(request: CompositeRequest, stack: Stack) -> dict[str, str]:
    bands = {band.description: list(band.dates) for band in stack.bands}
    sources = {date.name: {"date": date.date, **date.scene.sources} for date in stack.dates}
    tags = {
        "SARDINE_COMPOSITE": request.by,
        "SARDINE_REDUCTION": f"{request.reduction} {request.percentile:g}"
        if request.reduction == "percentile"
        else request.reduction,
        "SARDINE_DATES": json.dumps(bands),
        "SARDINE_SOURCES": json.dumps(sources, ensure_ascii=False),
        "SARDINE_WARNINGS": " ".join(text for _, text in stack.warnings) or "none",
    }
    if any(date.scene.simulated for date in stack.dates):
        tags["SIMULATED"] = "yes"
    backscatter = {date.scene.unit_report.backscatter for date in stack.dates}
    if len(backscatter) == 1 and (only := backscatter.pop()) is not None:
        tags["SARDINE_PRODUCT_BACKSCATTER"] = only
    return tags
