# SPDX-License-Identifier: GPL-2.0-or-later
"""`accuracy`: a class raster against a reference.

outputs checked -> map opened, its classes counted -> pairs of map and reference counted -> figures -> HTML and CSV
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from ..job_stream import cancelled_error
from ..output.paths import check_output_paths
from ..protocol import (
    SAMPLE_DESIGNS,
    AccuracyRequest,
    ErrorCode,
    FromChild,
    JobWarning,
    Progress,
    SardineError,
    TaskResult,
)
from ..scene.vector_file import read_features
from ..text_output import write_whole
from .class_raster import MAX_CLASSES, ClassRaster, count_classes
from .error_matrix import agreement, area_estimates
from .reference import Pairs, pair_points, pair_polygons, pair_rasters, reference_codes
from .report import AccuracyFigures, as_csv, as_html, as_lines

SUFFIXES = {"html": (".html", ".htm"), "csv": (".csv",)}
VECTOR_SUFFIXES = (".gpkg", ".geojson", ".json")
FEW_POINTS = 30
"""A class of the map with fewer reference points than this is told of: Olofsson et al. 2014 advise 50 or more."""


def run_accuracy(request: AccuracyRequest, report: Callable[[FromChild], None], cancelled: Callable[[], bool]) -> TaskResult:
    """Figures of `AccuracyFigures`, as sentences, numbers and files; `details` holds them all as JSON.

    Raises SardineError: a refusal or failure, and then no file has appeared or changed.
    """
    warned: list[str] = []

    def warn(code: str, text: str) -> None:
        warned.append(text)
        report(JobWarning(code, text))

    def step(stage: str) -> Callable[[int, int], None]:
        def go_on(done: int, total: int) -> None:
            report(Progress(stage, done, total))
            if cancelled():
                raise cancelled_error()

        return go_on

    outputs = {name: path for name, path in (("html", request.html), ("csv", request.csv)) if path}
    is_vector = request.reference.partition("|")[0].lower().endswith(VECTOR_SUFFIXES)
    inputs = [request.raster, request.reference.partition("|")[0]]
    targets = check_output_paths(outputs, inputs, overwrite=request.overwrite, suffixes=SUFFIXES)
    design = _design(request)
    with ClassRaster(request.raster, request.band) as raster:
        names = {**raster.names, **_names(request.class_names)}
        counted = count_classes(raster, step("counting the classes"))
        kind, pairs = _pairs(request, raster, names, is_vector, step("comparing"))
    if not pairs.counts:
        raise _no_pairs(pairs)
    if design == "auto":
        design = "stratified" if kind == "points" else "none"
    elif design != "none" and kind != "points":
        warn("design_ignored", f"Of {kind} no intervals follow: their pixels are no random sample. Only agreement is told.")
        design = "none"
    figures = _figures(pairs, counted.area_m2, names, kind, design)
    for code, text in _notes(figures):
        warn(code, text)
    step("writing")(0, 1)
    for name, target in targets.items():
        content = as_html(figures, request.raster, request.reference, warned) if name == "html" else as_csv(figures)
        write_whole(target, content.encode("utf-8"))
    numbers = {"overall_accuracy": figures.agreement.overall, "samples": float(figures.counts.sum())}
    if figures.estimates is not None:
        numbers["overall_accuracy"] = figures.estimates.overall
        if np.isfinite(figures.estimates.overall_interval):
            numbers["overall_accuracy_interval"] = figures.estimates.overall_interval
    return TaskResult(outputs, numbers, tuple(as_lines(figures)), json.dumps(figures.as_data()), tuple(warned))


def _design(request: AccuracyRequest) -> str:
    if request.design not in SAMPLE_DESIGNS:
        raise SardineError(
            ErrorCode.REQUEST_INVALID,
            f"The sampling design “{request.design}” is not known.",
            f"One of {', '.join(SAMPLE_DESIGNS)} is needed.",
            "Correct it.",
        )
    return request.design


def _pairs(
    request: AccuracyRequest, raster: ClassRaster, names: dict[int, str], is_vector: bool, go_on: Callable[[int, int], None]
) -> tuple[str, Pairs]:
    """What the reference is (points, polygons, a raster), and its pairs with the map."""
    if not is_vector:
        with ClassRaster(request.reference) as other:
            names.update({code: name for code, name in other.names.items() if code not in names})
            return "a raster", pair_rasters(raster, other, go_on)
    if not request.field:
        raise SardineError(
            ErrorCode.REQUEST_INVALID,
            "No field was named for the reference.",
            "The field that holds the class of each point or polygon is needed.",
            "Add --field and its name.",
        )
    layer = read_features(request.reference, request.field)
    codes = reference_codes(layer.features, names)
    if any(feature.polygons for feature in layer.features):
        return "polygons", pair_polygons(raster, layer, codes, go_on)
    go_on(0, 1)
    return "points", pair_points(raster, layer, codes)


def _names(given: Mapping[str, str]) -> dict[int, str]:
    try:
        return {int(code): name for code, name in given.items()}
    except ValueError as error:
        raise SardineError(
            ErrorCode.REQUEST_INVALID, "A class name was given for a code that is no number.", "", "Write CODE=NAME."
        ) from error


def _figures(pairs: Pairs, area_m2: Mapping[int, float], names: Mapping[int, str], kind: str, design: str) -> AccuracyFigures:
    codes = sorted({code for pair in pairs.counts for code in pair} | (set(area_m2) if design != "none" else set()))
    if len(codes) > MAX_CLASSES:
        raise SardineError(
            ErrorCode.SAMPLES_UNSUITABLE,
            f"Map and reference have {len(codes)} classes together.",
            f"At most {MAX_CLASSES} can be compared.",
            "Check that the right field was chosen.",
        )
    place = {code: index for index, code in enumerate(codes)}
    counts: NDArray[np.int64] = np.zeros((len(codes), len(codes)), dtype=np.int64)
    for (mapped, reference), count in pairs.counts.items():
        counts[place[mapped], place[reference]] = count
    mapped_ha = np.array([area_m2.get(code, 0.0) / 1e4 for code in codes])
    return AccuracyFigures(
        codes=tuple(codes),
        names=tuple(names.get(code, str(code)) for code in codes),
        kind=kind,
        design=design,
        counts=counts,
        mapped_ha=mapped_ha,
        agreement=agreement(counts),
        estimates=area_estimates(counts, mapped_ha) if design != "none" else None,
        left_out={
            "outside": pairs.outside,
            "on_nodata": pairs.on_nodata,
            "unlabelled": pairs.unlabelled,
            "undecided": pairs.undecided,
        },
    )


def _notes(figures: AccuracyFigures) -> list[tuple[str, str]]:
    """What a reader must know to read the figures rightly: (code, sentence)."""
    notes: list[tuple[str, str]] = []
    words = {
        "outside": "lie outside the map",
        "on_nodata": "lie where the map holds no data",
        "unlabelled": "have no class",
        "undecided": "lie under polygons of different classes",
    }
    unit = {"points": "points", "polygons": "polygons or pixels", "a raster": "pixels"}[figures.kind]
    for name, count in figures.left_out.items():
        if count:
            notes.append((f"reference_{name}", f"{count} reference {unit} {words[name]} and were left out."))
    if figures.kind == "polygons":
        text = "Pixels of one polygon resemble each other: these figures tell how well the polygons are met, not the whole map."
        notes.append(("polygons_no_sample", text))
    if figures.estimates is not None:
        sampled = figures.counts.sum(axis=1)
        on_map = figures.mapped_ha > 0
        missing = [name for name, n, there in zip(figures.names, sampled, on_map, strict=True) if there and n == 0]
        if missing:
            share = figures.mapped_ha[on_map & (sampled == 0)].sum() / figures.mapped_ha.sum()
            text = f"No reference point lies in the map's {', '.join(missing)}: {share:.1%} of its area is unjudged and left out."
            notes.append(("strata_unsampled", text))
        few = [f"{name} ({n})" for name, n in zip(figures.names, sampled, strict=True) if 0 < n < FEW_POINTS]
        if few:
            notes.append(
                ("strata_few", f"Few reference points in the map's {', '.join(few)}: their figures are rough; 50 are advised.")
            )
    return notes


def _no_pairs(pairs: Pairs) -> SardineError:
    found = f"{pairs.outside} lie outside the map, {pairs.on_nodata} where it holds no data, {pairs.unlabelled} have no class"
    return SardineError(
        ErrorCode.SAMPLES_OUTSIDE,
        f"No part of the reference can be compared with the map: {found}.",
        "Reference points, polygons or pixels with a class, on valid pixels of the map, are needed.",
        "Check the reference's place, CRS and class field.",
    )
