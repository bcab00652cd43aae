# SPDX-License-Identifier: GPL-2.0-or-later
"""A person's samples: polygons or points with a class, laid onto a scene, and the pixels that are taken of each.

Pixels are taken at random, so many of each polygon at the most: a lake of a million pixels must not outvote ten ponds.
"""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.features import rasterize

from ..features.pixels import PixelFeatures
from ..grid import Bounds, PixelWindow, RasterGrid
from ..model_card import ClassSpec
from ..protocol import ErrorCode, SardineError
from ..radiometry import FloatArray
from ..scene.georeference import transform_between
from ..scene.mask import place_polygons
from ..scene.vector_file import VectorFeature, read_features
from ..scene.wkb import Polygon

MAX_CLASSES = 254
PIXELS_A_SAMPLE = 400
PIXELS_A_CLASS = 5000
TILE_PX = 512
FREE = -1
DISPUTED = -2


@dataclass(frozen=True)
class SampleSet:
    """Samples with a class. `class_of` gives for each sample the index into `classes`; `empty` samples had no class.

    A sample is a feature of the layer: `polygons` are (sample, bounds, polygon) and `points` (sample, row, column) on the grid.
    """

    classes: tuple[ClassSpec, ...]
    class_of: NDArray[np.int64]
    polygons: tuple[tuple[int, Bounds, Polygon], ...]
    points: tuple[tuple[int, int, int], ...]
    empty: int
    outside: int


@dataclass
class TrainingPixels:
    """`x` float32 [n, features], `y` int64 [n] index of the class, `sample` int64 [n] number of the sample."""

    x: FloatArray
    y: NDArray[np.int64]
    sample: NDArray[np.int64]
    disputed_px: int = 0
    notes: list[tuple[str, str]] = field(default_factory=list)


def read_samples(source: str, class_field: str, grid: RasterGrid, colours: Mapping[str, str]) -> SampleSet:
    """The samples of a layer on `grid`. `colours` are #rrggbb by the text of a class's value.

    Whole numbers from 1 to 254 are codes of their own; of anything else the values are numbered in their order.
    Raises SardineError: samples_unreadable, samples_unsuitable, samples_outside, crs_missing.
    """
    if grid.crs_wkt is None:
        raise SardineError(
            ErrorCode.CRS_MISSING,
            "The scene has no CRS, so samples cannot be placed on it.",
            "A scene with a CRS is needed.",
            "Assign the scene's CRS.",
        )
    layer = read_features(source, class_field)
    if not layer.features:
        raise _unsuitable("The layer holds no points or polygons.", "Some of each class are needed.", "Draw samples first.")
    texts = [_text(feature.value) for feature in layer.features]
    kept = [(feature, text) for feature, text in zip(layer.features, texts, strict=True) if text]
    classes = _classes([text for _, text in kept], colours)
    index = {item.name: place for place, item in enumerate(classes)}
    features = [feature for feature, _ in kept]
    polygons, owners = _polygons(features)
    placed = tuple((owners[number], bounds, polygon) for number, bounds, polygon in place_polygons(polygons, layer.crs, grid))
    points = _points(features, layer.crs, grid)
    there = {sample for sample, *_ in placed} | {sample for sample, *_ in points}
    if not there:
        raise SardineError(
            ErrorCode.SAMPLES_OUTSIDE,
            f"None of the {len(features)} samples touches the scene.",
            "Samples inside the scene are needed.",
            "Draw some there, or check the layer's CRS.",
        )
    class_of = np.array([index[text] for _, text in kept], dtype=np.int64)
    return SampleSet(classes, class_of, placed, points, len(texts) - len(kept), len(features) - len(there))


def training_pixels(
    samples: SampleSet, features: PixelFeatures, grid: RasterGrid, seed: int, go_on: Callable[[int, int], None]
) -> TrainingPixels:
    """Pixels of the samples with their features. Raises SardineError (samples_unsuitable) where fewer than two classes have any."""
    rng = np.random.default_rng(seed)
    tiles = _tiles(samples, grid)
    chosen, disputed = _choose(samples, tiles, grid, rng)
    xs: list[FloatArray] = []
    ys: list[NDArray[np.int64]] = []
    owners: list[NDArray[np.int64]] = []
    blank = 0
    for number, tile in enumerate(tiles):
        go_on(number, len(tiles))
        here = chosen[(chosen[:, 1] // TILE_PX == tile.row // TILE_PX) & (chosen[:, 2] // TILE_PX == tile.column // TILE_PX)]
        if not len(here):
            continue
        top, left = int(here[:, 1].min()), int(here[:, 2].min())
        box = PixelWindow(top, left, int(here[:, 1].max()) - top + 1, int(here[:, 2].max()) - left + 1)
        values, valid = features.read(box)
        rows, columns = here[:, 1] - top, here[:, 2] - left
        good = valid[rows, columns]
        blank += int(np.count_nonzero(~good))
        xs.append(values[:, rows[good], columns[good]].T)
        owners.append(here[good, 0])
        ys.append(samples.class_of[here[good, 0]])
    y = np.concatenate(ys) if ys else np.zeros(0, np.int64)
    pixels = TrainingPixels(
        np.concatenate(xs) if xs else np.zeros((0, len(features.names)), np.float32),
        y,
        np.concatenate(owners) if owners else np.zeros(0, np.int64),
        disputed,
    )
    _tell(samples, pixels, blank)
    return pixels


def _tell(samples: SampleSet, pixels: TrainingPixels, blank: int) -> None:
    """Fills the notes, and raises where nothing can be learnt."""
    notes = pixels.notes
    if samples.empty:
        notes.append(("samples_without_class", f"{samples.empty} samples have no class and were left out."))
    if samples.outside:
        notes.append(("samples_outside", f"{samples.outside} samples lie outside the scene and were left out."))
    if pixels.disputed_px:
        text = f"{pixels.disputed_px} pixels lie in samples of different classes and were left out."
        notes.append(("samples_disputed", text))
    if blank:
        notes.append(("samples_on_nodata", f"{blank} sampled pixels hold no data and were left out."))
    found = np.unique(pixels.y)
    lost = [item.name for place, item in enumerate(samples.classes) if place not in found]
    if len(found) == 0:
        raise _unsuitable(
            "No sample lies on valid pixels of the scene.",
            "Each class needs some.",
            "Draw samples where the scene holds data, and none over another.",
        )
    if len(found) == 1:
        only = samples.classes[int(found[0])].name
        without = f" ({', '.join(lost)} had no valid pixel of its own)" if lost else ""
        raise _unsuitable(
            f"All samples are of one class, {only}{without}.", "Two classes at least are needed.", "Draw samples of another."
        )
    if lost:
        notes.append(("classes_lost", f"No valid pixel of its own is left of {', '.join(lost)}: it is not in the map."))


def _choose(
    samples: SampleSet, tiles: Sequence[PixelWindow], grid: RasterGrid, rng: np.random.Generator
) -> tuple[NDArray[np.int64], int]:
    """(sample, row, column) of the pixels that are taken, and how many were disputed."""
    kept: dict[int, NDArray[np.float64]] = {}  # by sample: [n, 3] of a random number, row, column
    disputed = 0
    for tile in tiles:
        owner = _owners(samples, tile, grid)
        disputed += int(np.count_nonzero(owner == DISPUTED))
        rows, columns = np.nonzero(owner >= 0)
        owned = owner[rows, columns]
        lots = rng.random(owned.size)
        for sample in np.unique(owned).tolist():
            mine = owned == sample
            new = np.stack([lots[mine], rows[mine] + tile.row, columns[mine] + tile.column], axis=1)
            both = np.concatenate([kept[sample], new]) if sample in kept else new
            kept[sample] = both[np.argsort(both[:, 0])[:PIXELS_A_SAMPLE]]
    parts: list[NDArray[np.float64]] = []
    for place in range(len(samples.classes)):
        of_class = [
            np.column_stack([np.full(len(rows), sample), rows])
            for sample, rows in kept.items()
            if samples.class_of[sample] == place
        ]
        if of_class:
            every = np.concatenate(of_class)
            parts.append(every[np.argsort(every[:, 1])[:PIXELS_A_CLASS]])
    found = np.concatenate(parts)[:, [0, 2, 3]] if parts else np.zeros((0, 3))
    return found.astype(np.int64), disputed


def _owners(samples: SampleSet, tile: PixelWindow, grid: RasterGrid) -> NDArray[np.int64]:
    """For each pixel of `tile` the sample that it lies in, FREE or DISPUTED (samples of different classes)."""
    owner: NDArray[np.int64] = np.full((tile.height, tile.width), FREE, dtype=np.int64)
    part_grid = grid.crop(tile)
    transform = Affine(grid.pixel_width, 0.0, part_grid.origin_x, 0.0, -grid.pixel_height, part_grid.origin_y)
    for sample, bounds, polygon in samples.polygons:
        window = part_grid.window_of(bounds)
        if window is None:
            continue
        shape = {"type": "Polygon", "coordinates": polygon}
        moved = transform @ Affine.translation(window.column, window.row)
        drawn = rasterize([shape], out_shape=(window.height, window.width), transform=moved, dtype="uint8") == 1
        there = owner[window.row : window.row_end, window.column : window.column_end]
        _claim(there, drawn, sample, samples)
    for sample, row, column in samples.points:
        if tile.row <= row < tile.row_end and tile.column <= column < tile.column_end:
            there = owner[row - tile.row : row - tile.row + 1, column - tile.column : column - tile.column + 1]
            _claim(there, np.ones((1, 1), dtype=np.bool_), sample, samples)
    return owner


def _claim(owner: NDArray[np.int64], drawn: NDArray[np.bool_], sample: int, samples: SampleSet) -> None:
    before = owner[drawn]
    other = np.where(before >= 0, samples.class_of[np.maximum(before, 0)], samples.class_of[sample])
    owner[drawn] = np.where(
        before == FREE, sample, np.where((before == DISPUTED) | (other != samples.class_of[sample]), DISPUTED, before)
    )


def _tiles(samples: SampleSet, grid: RasterGrid) -> list[PixelWindow]:
    """The squares of a fixed raster of tiles that hold samples."""
    places: set[tuple[int, int]] = set()
    for _, bounds, _ in samples.polygons:
        window = grid.window_of(bounds)
        if window is not None:
            rows = range(window.row // TILE_PX, (window.row_end - 1) // TILE_PX + 1)
            columns = range(window.column // TILE_PX, (window.column_end - 1) // TILE_PX + 1)
            places.update((row, column) for row in rows for column in columns)
    places.update((row // TILE_PX, column // TILE_PX) for _, row, column in samples.points)
    squares = (
        PixelWindow(row * TILE_PX, column * TILE_PX, TILE_PX, TILE_PX).intersect(grid.full_window) for row, column in sorted(places)
    )
    return [square for square in squares if square is not None]


def _polygons(features: Sequence[VectorFeature]) -> tuple[list[Polygon], list[int]]:
    """All polygons, and the number of the feature that each belongs to."""
    owners = [number for number, feature in enumerate(features) for _ in feature.polygons]
    return [polygon for feature in features for polygon in feature.polygons], owners


def _points(features: Sequence[VectorFeature], crs: CRS, grid: RasterGrid) -> tuple[tuple[int, int, int], ...]:
    points = [(number, point) for number, feature in enumerate(features) for point in feature.points]
    if not points:
        return ()
    x, y = (np.array([point[axis] for _, point in points]) for axis in (0, 1))
    x, y = transform_between(crs, CRS.from_wkt(grid.crs_wkt), x, y)
    with np.errstate(invalid="ignore"):
        columns, rows = np.floor((x - grid.origin_x) / grid.pixel_width), np.floor((grid.origin_y - y) / grid.pixel_height)
        inside = (columns >= 0) & (columns < grid.width) & (rows >= 0) & (rows < grid.height)
    return tuple((points[i][0], int(rows[i]), int(columns[i])) for i in np.flatnonzero(inside).tolist())


def _classes(texts: Sequence[str], colours: Mapping[str, str]) -> tuple[ClassSpec, ...]:
    values = sorted(set(texts), key=lambda text: (not _is_code(text), int(text) if _is_code(text) else 0, text))
    if not values:
        raise _unsuitable(
            "No sample has a class.", "A class field with names or codes is needed.", "Fill the field in, or choose another."
        )
    if len(values) > MAX_CLASSES:
        raise _unsuitable(
            f"The field has {len(values)} different values.",
            f"At most {MAX_CLASSES} classes are possible.",
            "Check that it is the class field, and not a name or number of each sample.",
        )
    own_codes = all(_is_code(value) for value in values)
    classes = []
    for number, value in enumerate(values, start=1):
        colour = colours.get(value, "")
        classes.append(
            ClassSpec(int(value) if own_codes else number, value, colour if _is_colour(colour) else _palette(number - 1))
        )
    return tuple(classes)


def _is_code(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= MAX_CLASSES and text[0] != "0"


def _is_colour(text: str) -> bool:
    return len(text) == 7 and text[0] == "#" and all(letter in "0123456789abcdefABCDEF" for letter in text[1:])


def _palette(number: int) -> str:
    """Colours that lie far apart: hues by the golden ratio, in three lightnesses."""
    red, green, blue = colorsys.hls_to_rgb((0.08 + number * 0.618034) % 1.0, (0.45, 0.6, 0.35)[number % 3], 0.65)
    return f"#{round(255 * red):02x}{round(255 * green):02x}{round(255 * blue):02x}"


def _text(value: str | int | float | None) -> str:
    if value is None or (isinstance(value, float) and not np.isfinite(value)):
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip()


def _unsuitable(found: str, needed: str, action: str) -> SardineError:
    return SardineError(ErrorCode.SAMPLES_UNSUITABLE, found, needed, action)
