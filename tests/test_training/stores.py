# SPDX-License-Identifier: GPL-2.0-or-later
"""Small chip stores for the tests of trainings, cut by the code that cuts large ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.test_training.evaluation_material import half_water_db, write_chip
from training.chips.build import make_store
from training.chips.config import ChipsConfig, SourceConfig, SplitConfig
from training.run import main


def simulated_store(work: Path, scenes: int = 6) -> Path:
    """Chips of 64 px of simulated scenes, a third of them for validation."""
    folder = work / "scenes"
    sides = ["--height_px", "128", "--width_px", "128"]
    assert main(["simulate", "--out", str(folder), "--scenes", str(scenes), *sides]) == 0
    source = SourceConfig(name="simulated", root=folder, kind="simulated")
    make_store(ChipsConfig(work / "simulated", (source,), chip_px=64, splits=SplitConfig(validation_share=0.34, test_share=0)))
    return work / "simulated"


def water_store(work: Path, scenes: int = 5) -> Path:
    """Chips of 64 px that say water, not water, or (the first columns) nothing; each scene is a place, "place_<n>"."""
    folder = work / "water_scenes"
    folder.mkdir()
    for number in range(scenes):
        label = np.zeros((96, 96), dtype=np.uint8)
        label[:, 48:] = 1
        values_db = half_water_db(label, seed=number)
        label[:, :8] = 255
        write_chip(folder, f"place_{number}", values_db, label, 500_000 + 20_000 * number)
    source = SourceConfig(
        name="water",
        root=folder,
        files=("*_S1.tif",),
        label_replace={"_S1": "_label"},
        legend="sen1floods11",
        units="db",
        places={r"(place_\d+)": r"\1"},
    )
    make_store(ChipsConfig(work / "water", (source,), chip_px=64, splits=SplitConfig(validation_share=0.2, test_share=0)))
    return work / "water"
