# SPDX-License-Identifier: GPL-2.0-or-later
"""What a store will hold, found out before a pixel is written: scenes opened by the backend, their chips, places and splits."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rasterio.crs import CRS

from backend.grid import Bounds, PixelWindow, RasterGrid
from backend.model_card import BandSpec
from backend.protocol import SardineError
from backend.scene.bands import polarisation_of
from backend.scene.georeference import to_longitude_latitude
from backend.scene.open import Scene, open_bands
from training.chips.config import ChipsConfig, SourceConfig
from training.chips.labels import LabelMismatchError, Labels
from training.chips.legends import LabelValues, Legend
from training.chips.readers import LAYOUTS
from training.chips.readers.files import file_place
from training.chips.scene_items import Refusal, SceneItem
from training.chips.split_tables import split_table
from training.chips.splits import LonLatBox, block_of, divide, kept_in_block, overlaps_between_splits, split_by_name
from training.config import BandsConfig

PROBLEMS_TOLD = 8


@dataclass(frozen=True, slots=True)
class PlannedChip:
    """One chip of a scene: its first pixel in the scene's grid, and how many rows and columns of it the scene fills."""

    row: int
    column: int
    height: int
    width: int
    place: str
    ground: int
    bounds: Bounds
    box: LonLatBox | None


@dataclass(frozen=True)
class PlannedScene:
    """A scene that can be read, and its chips."""

    source: SourceConfig
    item: SceneItem
    crs: str
    chips: tuple[PlannedChip, ...]
    misses_label: bool
    """None of its label rasters covers any of it."""


@dataclass
class Plan:
    """Everything that will be written, and what was refused."""

    scenes: list[PlannedScene] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    split_of: dict[str, str] = field(default_factory=dict)
    """Split of each place."""
    at_border: dict[str, int] = field(default_factory=dict)
    """Chips of each source that are left out because they lie near another split's block."""
    values: LabelValues = field(default_factory=LabelValues)
    legends: dict[tuple[str, str], Legend] = field(default_factory=dict)
    """By source and legend."""

    @property
    def chips(self) -> int:
        return sum(len(scene.chips) for scene in self.scenes)


def specs_of(config: ChipsConfig) -> tuple[BandSpec, ...]:
    """The store's bands as the backend knows bands: none of them is needed, as chips may lack some."""
    return tuple(_spec(role, config.clip) for role in config.roles)


def _spec(role: str, bands: BandsConfig) -> BandSpec:
    if polarisation_of(role) in ("VH", "HV"):
        return BandSpec(role, bands.vh_clip_db, bands.vh_mean_db, bands.vh_std_db, backscatter="mixed", optional=True)
    return BandSpec(role, bands.vv_clip_db, bands.vv_mean_db, bands.vv_std_db, backscatter="mixed", optional=True)


def open_item(item: SceneItem, source: SourceConfig, config: ChipsConfig) -> Scene:
    """The scene as the backend reads it. Raises SardineError."""
    return open_bands(
        item.bands,
        specs_of(config),
        config.spacing_m,
        units=source.units,
        calibration_db=source.calibration_db,
        spacing_m=source.spacing_m,
        allow_coarse=source.allow_coarse,
    )


def with_defaults(source: SourceConfig) -> SourceConfig:
    """`source` with what its kind says where the configuration leaves a setting as it is."""
    blank = SourceConfig(name="", root=Path())
    open_settings = {
        key: value for key, value in LAYOUTS[source.kind].defaults.items() if getattr(source, key) == getattr(blank, key)
    }
    return dataclasses.replace(source, **open_settings)  # type: ignore[arg-type]


def make_plan(config: ChipsConfig, opened: Callable[[int], None] = lambda scenes: None) -> Plan:
    """Opens every scene once; tells `opened` how many there were so far.

    Raises ValueError with all that stands against the store: sources that are not there, places that two splits claim, ground
    that lies in two splits, and a store without chips.
    """
    plan = Plan()
    problems: list[str] = []
    seen: dict[tuple[tuple[str, str, int], ...], str] = {}
    grounds: dict[tuple[object, ...], int] = {}
    fixed: dict[str, dict[str, str]] = {}
    for source in map(with_defaults, config.sources):
        try:
            found = LAYOUTS[source.kind].find(source, config.roles)
            splits = split_table(source)
        except (FileNotFoundError, ValueError) as error:
            problems.append(str(error))
            continue
        plan.refused += found.refused
        if not found.items and not found.refused:
            problems.append(f"{source.name}: no file of {source.root} matches {', '.join(source.files) or 'the layout'}")
        for item in found.items:
            bands = tuple((str(Path(band.path).resolve()), band.role, band.band) for band in item.bands)
            if bands in seen:
                plan.refused.append(Refusal(source.name, item.file, f"it is in source {seen[bands]} already"))
                continue
            legend = _legend(plan, source, item)
            try:
                scene = _plan_scene(item, source, config, legend, grounds)
            except (SardineError, LabelMismatchError) as error:
                plan.refused.append(Refusal(source.name, item.file, str(error)))
                continue
            seen[bands] = source.name
            split = splits.of(item.file) if splits is not None else item.split
            if splits is not None and not split:
                plan.refused.append(Refusal(source.name, item.file, f"{splits.name} does not name it"))
                continue
            plan.scenes.append(scene)
            opened(len(plan.scenes))
            if scene.misses_label:
                names = ", ".join(path.name for path in item.labels[:3])
                plan.refused.append(Refusal(source.name, item.file, f"no label covers it ({names}); it is used without"))
            for place in {chip.place for chip in scene.chips}:
                wanted = (
                    split_by_name(place, config.splits)
                    or split
                    or (source.split if source.split in ("train", "validation", "test") else "")
                )
                if wanted:
                    fixed.setdefault(place, {}).setdefault(wanted, f"{source.name}: {item.file}")
    for place, claims in fixed.items():
        if len(claims) > 1:
            told = " and ".join(f"{split} ({claim})" for split, claim in claims.items())
            problems.append(f"the place {place} would be in {told}: name one split, or give the scenes different places")
    if not problems:
        _divide(plan, {place: next(iter(claims)) for place, claims in fixed.items()}, config)
        problems += _shared_ground(plan)
    if not problems and not plan.chips:
        problems.append("no chip is left")
    if problems:
        told = "".join(f"\n  {one.source}: {one.file}: {one.reason}" for one in plan.refused[:PROBLEMS_TOLD])
        more = len(plan.refused) - PROBLEMS_TOLD
        told += f"\n  and {more} more" if more > 0 else ""
        raise ValueError("; ".join(problems) + (f". Files that were refused:{told}" if plan.refused else ""))
    return plan


def _legend(plan: Plan, source: SourceConfig, item: SceneItem) -> Legend:
    key = (source.name, item.legend or source.legend)
    if key not in plan.legends:
        plan.legends[key] = Legend(key[1], source.legend_changes, plan.values)
    if item.polygons is not None:
        for polygon in item.polygons.polygons:
            plan.values.value_of((polygon.code,))
    return plan.legends[key]


def _plan_scene(
    item: SceneItem, source: SourceConfig, config: ChipsConfig, legend: Legend, grounds: dict[tuple[object, ...], int]
) -> PlannedScene:
    with open_item(item, source, config) as scene:
        with Labels(scene, item.labels, source.label_band, legend, item.polygons) as labels:  # refused now rather than later
            misses_label = labels.misses
        grid = scene.grid
        epsg = None if grid.crs_wkt is None else scene.crs.to_epsg()
        crs = "" if grid.crs_wkt is None else f"EPSG:{epsg}" if epsg else grid.crs_wkt
        # Coordinates of simulated scenes are made up: they tell nothing of what overlaps.
        placed = grid.crs_wkt is not None and not scene.simulated
        ground_key = _ground_key(item, source, grid, placed)
        chips = []
        for row, column in chip_corners(grid.height, grid.width, config.chip_px):
            height, width = min(config.chip_px, grid.height - row), min(config.chip_px, grid.width - column)
            part = grid.crop(PixelWindow(row, column, height, width))
            box = _lonlat_box(scene.crs, part.bounds) if placed else None
            place = item.place or _place(source, item, box, config)
            ground = grounds.setdefault((*ground_key, row, column), len(grounds))
            chips.append(PlannedChip(row, column, height, width, place, ground, part.bounds, box))
    return PlannedScene(source, item, crs, tuple(chips), misses_label)


def chip_corners(height: int, width: int, chip_px: int) -> Iterator[tuple[int, int]]:
    """First rows and columns of the chips of a scene; the last ones overlap those before, so that nothing is lost.

    >>> list(chip_corners(300, 256, 256))
    [(0, 0), (44, 0)]
    """
    for row in _starts(height, chip_px):
        for column in _starts(width, chip_px):
            yield row, column


def _starts(length: int, chip_px: int) -> list[int]:
    if length <= chip_px:
        return [0]
    starts = list(range(0, length - chip_px + 1, chip_px))
    return starts if starts[-1] == length - chip_px else [*starts, length - chip_px]


def _place(source: SourceConfig, item: SceneItem, box: LonLatBox | None, config: ChipsConfig) -> str:
    if box is None:
        return file_place(source, item.file)
    return block_of((box.west + box.east) / 2, (box.south + box.north) / 2, config.splits.block_km)


def _ground_key(item: SceneItem, source: SourceConfig, grid: RasterGrid, placed: bool) -> tuple[object, ...]:
    """What scenes of the same pixels share."""
    if item.same_ground:
        return (source.name, item.same_ground, grid.height, grid.width)
    if not placed:
        return (source.name, item.file)
    corner = [round(value / size, 2) for value, size in ((grid.origin_x, grid.pixel_width), (grid.origin_y, grid.pixel_height))]
    return (grid.crs_wkt, *corner, grid.height, grid.width)


def _lonlat_box(crs: CRS, bounds: Bounds) -> LonLatBox:
    xmin, ymin, xmax, ymax = bounds
    x, y = np.meshgrid(np.linspace(xmin, xmax, 3), np.linspace(ymin, ymax, 3))
    longitude, latitude = to_longitude_latitude(crs, x.ravel(), y.ravel())
    # Across the date line longitudes go on beyond 180.
    longitude = longitude[0] + (longitude - longitude[0] + 180.0) % 360.0 - 180.0
    return LonLatBox(*(float(value) for value in (longitude.min(), latitude.min(), longitude.max(), latitude.max())))


def _divide(plan: Plan, fixed: Mapping[str, str], config: ChipsConfig) -> None:
    """Gives each place its split, and takes out chips of blocks near another split."""
    places = {chip.place for scene in plan.scenes for chip in scene.chips}
    plan.split_of = divide(places, fixed, config.splits)
    kept_scenes = []
    for scene in plan.scenes:
        kept = tuple(
            chip
            for chip in scene.chips
            if chip.box is None
            or not chip.place.startswith("block_")
            or kept_in_block(chip.box, plan.split_of[chip.place], plan.split_of, config.splits)
        )
        lost = len(scene.chips) - len(kept)
        plan.at_border[scene.source.name] = plan.at_border.get(scene.source.name, 0) + lost
        kept_scenes.append(dataclasses.replace(scene, chips=kept))
    plan.scenes = kept_scenes


def _shared_ground(plan: Plan) -> list[str]:
    boxes = [
        (f"{chip.place} ({scene.source.name}: {scene.item.file})", plan.split_of[chip.place], chip.box)
        for scene in plan.scenes
        for chip in scene.chips
        if chip.box is not None
    ]
    pairs = overlaps_between_splits([(name, split, box) for name, split, box in boxes if box is not None])
    told = [
        f"{first} and {second} show the same ground but are in different splits: give them one place" for first, second in pairs
    ]
    more = [f"and {len(told) - PROBLEMS_TOLD} more such pairs"] if len(told) > PROBLEMS_TOLD else []
    return told[:PROBLEMS_TOLD] + more
