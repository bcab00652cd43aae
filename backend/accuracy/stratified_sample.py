# SPDX-License-Identifier: GPL-2.0-or-later
"""`stratified-sample`: random points to label, so many in each class of a map.

Every pixel of a class has the same chance. Each class gets at least `least` points (Olofsson et al. 2014, section 5.1.2, advise 50
or more for rare classes); what is left goes to the others in proportion to their area.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from rasterio.crs import CRS

from ..job_stream import cancelled_error
from ..output.paths import check_output_paths
from ..protocol import ErrorCode, FromChild, JobWarning, Progress, SardineError, StratifiedSampleRequest, TaskResult
from ..scene.georeference import transform_between
from ..text_output import write_whole
from .class_raster import ClassRaster, count_classes

MAX_POINTS = 100_000
DEGREES = CRS.from_epsg(4326)


def run_stratified_sample(
    request: StratifiedSampleRequest, report: Callable[[FromChild], None], cancelled: Callable[[], bool]
) -> TaskResult:
    """Writes the points as GeoJSON: fields `id`, `map_code`, `map_class`, and `reference`, empty, for the person who labels them.

    They come in random order, so that the first n of them are a sample too. The same seed gives the same points.
    Raises SardineError: a refusal or failure, and then no file has appeared or changed.
    """
    warned: list[str] = []

    def go_on(done: int, total: int) -> None:
        report(Progress("counting the classes" if counting else "drawing points", done, total))
        if cancelled():
            raise cancelled_error()

    _check(request)
    targets = check_output_paths(
        {"points": request.output}, [request.raster], overwrite=request.overwrite, suffixes={"points": (".geojson", ".json")}
    )
    counting = True
    with ClassRaster(request.raster, request.band) as raster:
        counts = count_classes(raster, go_on)
        quota = allocate(counts.pixels, counts.area_m2, request.points, request.least)
        counting = False
        generator = np.random.default_rng(request.seed)
        ranks = {
            code: np.sort(generator.choice(counts.pixels[code], size=n, replace=False, shuffle=False))
            for code, n in quota.items()
            if n
        }
        places = _find(raster, ranks, go_on)
        names = {**raster.names, **{int(code): name for code, name in request.class_names.items()}}
        grid = raster.grid
        order = generator.permutation(len(places))
        rows = np.array([places[i][1] for i in order], dtype=np.float64)
        columns = np.array([places[i][2] for i in order], dtype=np.float64)
        x = grid.origin_x + (columns + 0.5) * grid.pixel_width
        y = grid.origin_y - (rows + 0.5) * grid.pixel_height
        longitude, latitude = transform_between(raster.crs, DEGREES, x, y)
    short = [f"{names.get(code, str(code))} ({counts.pixels[code]})" for code, n in quota.items() if n < request.least]
    if short:
        text = f"Classes with fewer pixels than the points that each should have, all taken: {', '.join(short)}."
        warned.append(text)
        report(JobWarning("strata_small", text))
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [round(float(lon), 9), round(float(lat), 9)]},
            "properties": {
                "id": number,
                "map_code": places[i][0],
                "map_class": names.get(places[i][0], str(places[i][0])),
                "reference": None,
            },
        }
        for number, (i, lon, lat) in enumerate(zip(order, longitude, latitude, strict=True), start=1)
    ]
    content = json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False).encode("utf-8")
    go_on(1, 1)
    write_whole(targets["points"], content)
    lines = [f"{len(features)} points", *(f"  {names.get(code, str(code))}: {n}" for code, n in quota.items())]
    return TaskResult({"points": request.output}, {"points": float(len(features))}, tuple(lines), "{}", tuple(warned))


def allocate(pixels: Mapping[int, int], area: Mapping[int, float], points: int, least: int) -> dict[int, int]:
    """Points for each class: `least` for each as far as it has pixels, the rest of `points` in proportion to `area`.

    >>> allocate({1: 900_000, 2: 100_000, 3: 20}, {1: 9.0, 2: 1.0, 3: 0.0002}, 500, 50)
    {1: 430, 2: 50, 3: 20}
    """
    quota = {code: min(least, count) for code, count in pixels.items()}
    open_codes = {code for code, count in pixels.items() if count > quota[code]}
    total_area = sum(area.values())
    # Those whose share of all points is more than the least share what the others leave.
    large = [code for code in open_codes if points * area[code] / total_area > least]
    left = points - sum(n for code, n in quota.items() if code not in large)
    large_area = sum(area[code] for code in large)
    for code in large:
        quota[code] = min(pixels[code], max(least, round(left * area[code] / large_area)))
    return quota


def _find(
    raster: ClassRaster, ranks: Mapping[int, NDArray[np.int64]], go_on: Callable[[int, int], None]
) -> list[tuple[int, int, int]]:
    """(code, row, column) of the pixels that are number `ranks` of their class, counted from the upper left."""
    seen = dict.fromkeys(ranks, 0)
    places: list[tuple[int, int, int]] = []
    for block in raster.blocks():
        go_on(block.row, raster.grid.height)
        flat = block.codes.ravel()
        for code, wanted in ranks.items():
            there = np.flatnonzero(flat == code)
            first, last = np.searchsorted(wanted, (seen[code], seen[code] + there.size))
            for index in there[wanted[first:last] - seen[code]].tolist():
                row, column = divmod(index, raster.grid.width)
                places.append((code, block.row + row, column))
            seen[code] += there.size
    return places


def _check(request: StratifiedSampleRequest) -> None:
    if not 1 <= request.points <= MAX_POINTS or not 0 <= request.least <= MAX_POINTS:
        raise SardineError(
            ErrorCode.REQUEST_INVALID,
            f"{request.points} points were asked for, at least {request.least} a class.",
            f"Between 1 and {MAX_POINTS} are possible.",
            "Correct the numbers.",
        )
