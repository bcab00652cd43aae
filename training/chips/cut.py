# SPDX-License-Identifier: GPL-2.0-or-later
"""Cuts planned scenes into chips: pixels by the backend's reader, labels on the same grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from backend.grid import PixelWindow
from backend.protocol import SardineError
from backend.scene.open import Scene
from training.chips.config import ChipsConfig
from training.chips.labels import LabelMismatchError, Labels
from training.chips.legends import Legend, LegendError
from training.chips.plan import PlannedChip, PlannedScene, open_item
from training.chips.scene_items import Refusal
from training.chips.writer import StoreWriter
from training.doubtful_water import doubtful_water
from training.simulation.fields import F32

LOOK = {"ascending": "east", "descending": "west"}
"""Sentinel-1 looks to the right of its path: east on its way north, west on its way south."""


WATER = 80
"""Label value of what is water for sure: a WorldCover code stands for itself."""

LEAST_WHITE_PX = 256
"""A town saturates in single pixels and small groups; this many together in all bands are a filling."""


@dataclass(frozen=True)
class CutScene:
    """What came of a scene."""

    chips: int
    simulated: bool
    too_little_data: int
    refused: Refusal | None = None


def cut_scene(
    planned: PlannedScene, split_of: dict[str, str], legend: Legend, config: ChipsConfig, writer: StoreWriter
) -> CutScene:
    """Writes the scene's chips. A scene that cannot be read to its end, or whose label its legend does not explain, is taken
    back whole and refused. Raises OSError where the disk is full.
    """
    mark = writer.mark()
    too_little = 0
    try:
        with (
            open_item(planned.item, planned.source, config) as scene,
            Labels(scene, planned.item.labels, planned.source.label_band, legend, planned.item.polygons) as labels,
        ):
            for chip in planned.chips:
                too_little += not _cut_chip(scene, labels, planned, chip, split_of, config, writer)
            simulated = scene.simulated
    except (SardineError, LabelMismatchError, LegendError) as error:
        writer.rollback(mark)
        return CutScene(0, False, 0, Refusal(planned.source.name, planned.item.file, str(error)))
    return CutScene(len(planned.chips) - too_little, simulated, too_little)


def _cut_chip(
    scene: Scene,
    labels: Labels,
    planned: PlannedScene,
    chip: PlannedChip,
    split_of: dict[str, str],
    config: ChipsConfig,
    writer: StoreWriter,
) -> bool:
    """Writes one chip; False where it holds too little data."""
    side = config.chip_px
    window = PixelWindow(chip.row, chip.column, side, side)
    db = scene.read(window)  # nodata beyond the scene
    if scene.unit_report.unit == "scaled":
        blank_white(db)
    there = np.isfinite(db)  # [bands, S, S]
    valid = there.any(axis=0)
    if valid.sum() < config.min_valid_share * chip.height * chip.width:
        return False
    label = labels.read(window)
    label[~valid] = 0
    if planned.source.void_doubtful_water and "VV" in config.roles:
        label[doubtful_water(label == WATER, db[config.roles.index("VV")])] = 0
    xmin, ymin, xmax, ymax = chip.bounds
    item = planned.item
    line: dict[str, Any] = {
        "source": planned.source.name,
        "file": item.file,
        "place": chip.place,
        "ground": chip.ground,
        "pixel_row": chip.row,
        "pixel_column": chip.column,
        "height_px": chip.height,
        "width_px": chip.width,
        "xmin": xmin,
        "ymin": ymin,
        "xmax": xmax,
        "ymax": ymax,
        "crs": planned.crs,
        "date": item.date,
        "orbit": item.orbit,
        "look": LOOK.get(item.orbit, ""),
        "bands": " ".join(role for role, band in zip(config.roles, there, strict=True) if band.any()),
        "unit": scene.unit_report.unit,
        "valid_share": round(float(valid.mean()), 4),
        "labelled_share": round(float((label > 0).mean()), 4),
        "simulated": "yes" if scene.simulated else "no",
    }
    writer.append(split_of[chip.place], db, label, line)
    return True


def blank_white(db: F32) -> None:
    """Sets to NaN, in place, large areas of `db` [bands, S, S] where every band has its highest value: pictures of grey levels
    are often filled with white beyond the swath. Of one band alone nothing is blanked.
    """
    present = [band for band in db if np.isfinite(band).any()]
    if len(present) < 2:
        return
    white = np.all([band == np.nanmax(band) for band in present], axis=0)
    areas, _ = ndimage.label(white)
    sizes = np.bincount(areas.ravel())
    sizes[0] = 0
    db[:, sizes[areas] >= LEAST_WHITE_PX] = np.nan
