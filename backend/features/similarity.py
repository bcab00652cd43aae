# SPDX-License-Identifier: GPL-2.0-or-later
"""`similarity`: how much each patch of a scene is like the places that a person points at.

    places -> their patches' embeddings, each of length one, averaged -> cosine of each patch's embedding with that mean

The embeddings are the components of the patch tokens, with the mean of the scene taken off: 1 is the same, 0 as unlike as two
patches at random. Places may lie on another scene; its basis is then used for both.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.features import rasterize, shapes
from scipy.ndimage import label, mean

from ..grid import PixelWindow, RasterGrid
from ..output.paths import check_output_paths
from ..output.raster_specs import RasterSpec
from ..output.writer import RasterSet
from ..protocol import ErrorCode, FromChild, SardineError, SimilarityRequest, TaskResult
from ..scene.georeference import transform_between
from ..scene.mask import place_polygons
from ..scene.reader import Scene
from ..scene.vector_file import VectorLayer, read_features
from ..strip import Strip
from ..text_output import write_whole
from .extract import Context, features_of, input_files, open_input
from .file import NODATA, FeatureFile, FeatureFileError

STEPS = 10_000
ROWS = 64
Float = NDArray[np.float32]

SPEC = RasterSpec(
    dtype="int16",
    nodata=NODATA,
    bands=("similarity",),
    overviews="average",
    predictor=2,
    meaning="cosine of each patch's embedding with the mean of the chosen places, in 1/10000; -32768 is no data",
    least_bytes_px=0.1,
    scale=1.0 / STEPS,
)


def run_similarity(request: SimilarityRequest, report: Callable[[FromChild], None], cancelled: Callable[[], bool]) -> TaskResult:
    """The raster, and polygons around what is at least `threshold` alike (fields `mean` and `patches`).

    Raises SardineError: a refusal or failure. Each output is whole or as it was before.
    """
    context = Context(report, cancelled)
    outputs = {name: path for name in ("similarity", "polygons") if (path := getattr(request, name))}
    if not outputs or not -1 <= request.threshold <= 1:
        found = "No output was asked for." if not outputs else f"The threshold is {request.threshold:g}."
        raise SardineError(ErrorCode.REQUEST_INVALID, found, "An output, and a threshold from -1 to 1, are needed.", "Correct it.")
    inputs = [*input_files(request.scene), request.samples.partition("|")[0]]
    targets = check_output_paths(outputs, inputs, overwrite=request.overwrite, suffixes={"polygons": (".geojson", ".json")})
    context.go_on("opening the scene")
    layer = read_features(request.samples)
    try:
        with open_input(request.scene) as (scene, card):
            for code, text in scene.warnings:
                context.warn(code, text)
            if request.places_scene is None:
                with features_of(scene, card, request.scene, context) as file:
                    wanted, patches = _mean_embedding(scene, file, layer)
                    mask = _write(scene, file, wanted, request, targets, context)
            else:
                with open_input(request.places_scene) as (other, other_card):
                    if other_card.weights_sha256 != card.weights_sha256:
                        raise _other_model(card.name, other_card.name)
                    with features_of(other, other_card, request.places_scene, context) as there:
                        wanted, patches = _mean_embedding(other, there, layer)
                        basis = there.basis
                with features_of(scene, card, request.scene, context, basis) as file:
                    mask = _write(scene, file, wanted, request, targets, context)
            grid = scene.grid.crop(file.region).coarsen(file.patch_px)
            patch_ha = scene.pixel_area_m2 * file.patch_px**2 / 1e4
    except FeatureFileError as error:
        raise SardineError(
            ErrorCode.SOURCE_UNREADABLE,
            f"The features were damaged during the run: {error}.",
            "They must not be changed while they are read.",
            "Run again: they will be made anew.",
            refused=False,
        ) from error
    alike = mask >= request.threshold
    found_polygons = 0
    if "polygons" in targets:
        context.go_on("writing")
        content, found_polygons = _polygons(mask, alike, grid)
        write_whole(targets["polygons"], content.encode("utf-8"))
    area_ha = float(np.count_nonzero(alike)) * patch_ha
    lines = (
        f"{patches} patches were pointed at",
        f"{np.count_nonzero(alike)} patches ({area_ha:.1f} ha) are at least {request.threshold:g} alike",
    )
    figures = {"places_patches": float(patches), "area_ha": area_ha, "polygons": float(found_polygons)}
    return TaskResult(outputs, figures, lines)


def _write(
    scene: Scene, file: FeatureFile, wanted: Float, request: SimilarityRequest, targets: dict[str, Any], context: Context
) -> Float:
    """Writes the raster where it is asked for; returns it whole, NaN nodata: a pixel a patch, so some megabytes."""
    grid = scene.grid.crop(file.region).coarsen(file.patch_px)
    result: Float = np.full((grid.height, grid.width), np.nan, dtype=np.float32)
    for row, rows in _rows(file, grid):
        context.go_on("comparing places", row, grid.height)
        result[row : row + rows.shape[1]] = cosine(rows, wanted)
    if "similarity" in targets:
        with RasterSet({"similarity": targets["similarity"]}, {"similarity": SPEC}, {"similarity": grid}) as writer:
            steps = np.where(np.isfinite(result), np.round(np.clip(result, -1, 1) * STEPS), NODATA).astype(np.int16)
            writer.write(Strip("similarity", 0, steps[None]))
            tags = {"SARDINE_SOURCES": json.dumps(dict(scene.sources), ensure_ascii=False), "SARDINE_UNIT": scene.unit_report.unit}
            writer.finish({**tags, **({"SIMULATED": "yes"} if scene.simulated else {})}, cancelled=context.cancelled)
    return result


def cosine(embeddings: Float, wanted: Float) -> Float:
    """Cosine of [components, rows, columns] with [components]: float32 [rows, columns], NaN nodata."""
    length = np.sqrt((embeddings**2).sum(axis=0)) * np.sqrt((wanted**2).sum())
    product: Float = np.tensordot(wanted, embeddings, axes=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        result: Float = np.where(length > 0, product / length, np.where(np.isfinite(length), 0.0, np.nan)).astype(np.float32)
    return result


def _rows(file: FeatureFile, grid: RasterGrid) -> Iterator[tuple[int, Float]]:
    for row in range(0, grid.height, ROWS):
        rows = min(ROWS, grid.height - row)
        yield row, file.read(PixelWindow(row, 0, rows, grid.width))[: file.basis.components]


def _mean_embedding(scene: Scene, file: FeatureFile, layer: VectorLayer) -> tuple[Float, int]:
    """The mean of the embeddings, each of length one, of all patches that the places touch; and how many there are."""
    if scene.grid.crs_wkt is None:
        raise SardineError(
            ErrorCode.CRS_MISSING, "The scene has no CRS, so places cannot be found on it.", "A CRS is needed.", "Assign it."
        )
    grid = scene.grid.crop(file.region).coarsen(file.patch_px)
    touched = np.zeros((grid.height, grid.width), dtype=np.bool_)
    polygons = [polygon for feature in layer.features for polygon in feature.polygons]
    drawn = [{"type": "Polygon", "coordinates": polygon} for _, _, polygon in place_polygons(polygons, layer.crs, grid)]
    if drawn:
        transform = Affine(grid.pixel_width, 0.0, grid.origin_x, 0.0, -grid.pixel_height, grid.origin_y)
        touched |= rasterize(drawn, out_shape=touched.shape, transform=transform, dtype="uint8", all_touched=True) == 1
    points = [point for feature in layer.features for point in feature.points]
    if points:
        x, y = (np.array([point[axis] for point in points]) for axis in (0, 1))
        x, y = transform_between(layer.crs, CRS.from_wkt(grid.crs_wkt), x, y)
        with np.errstate(invalid="ignore"):
            columns, rows = np.floor((x - grid.origin_x) / grid.pixel_width), np.floor((grid.origin_y - y) / grid.pixel_height)
            inside = (columns >= 0) & (columns < grid.width) & (rows >= 0) & (rows < grid.height)
        touched[rows[inside].astype(int), columns[inside].astype(int)] = True
    total: NDArray[np.float64] = np.zeros(file.basis.components)
    count = 0
    for row, values in _rows(file, grid):
        here = values[:, touched[row : row + values.shape[1]]]
        here = here[:, np.isfinite(here).all(axis=0)]
        lengths = np.sqrt((here**2).sum(axis=0))
        total += (here / np.maximum(lengths, 1e-6)).sum(axis=1)
        count += here.shape[1]
    if count == 0:
        raise SardineError(
            ErrorCode.SAMPLES_OUTSIDE,
            "None of the places touches valid pixels of the scene.",
            "A point or polygon on them is needed.",
            "Point at a place inside the scene, or check the layer's CRS.",
        )
    return (total / count).astype(np.float32), count


def _polygons(values: Float, alike: NDArray[np.bool_], grid: RasterGrid) -> tuple[str, int]:
    """GeoJSON of the connected patches that are alike, in the scene's CRS, and how many there are."""
    transform = Affine(grid.pixel_width, 0.0, grid.origin_x, 0.0, -grid.pixel_height, grid.origin_y)
    groups, count = label(alike)
    numbers = np.arange(1, count + 1)
    means = mean(np.nan_to_num(values), groups, numbers) if count else []
    sizes = np.bincount(groups.ravel(), minlength=count + 1)
    features = [
        {
            "type": "Feature",
            "properties": {"id": int(number), "mean": round(float(means[int(number) - 1]), 4), "patches": int(sizes[int(number)])},
            "geometry": shape,
        }
        for shape, number in shapes(groups.astype(np.int32), mask=alike, transform=transform)
    ]
    crs = CRS.from_wkt(grid.crs_wkt)
    code = crs.to_epsg()
    name = f"urn:ogc:def:crs:EPSG::{code}" if code else crs.to_wkt()
    collection = {"type": "FeatureCollection", "crs": {"type": "name", "properties": {"name": name}}, "features": features}
    return json.dumps(collection), len(features)


def _other_model(one: str, other: str) -> SardineError:
    return SardineError(
        ErrorCode.REQUEST_INVALID,
        f"The scene is read with the model {one}, that of the places with {other}.",
        "Embeddings of two models cannot be compared.",
        "Choose one model for both.",
    )
