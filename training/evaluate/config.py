# SPDX-License-Identifier: GPL-2.0-or-later
"""Typed settings of `evaluate`: what is measured, on which labels, with which baselines beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from training.config import refuse
from training.evaluate.legends import LEGENDS

KINDS = ("rasters", "polygons", "unlabelled")


@dataclass(frozen=True)
class LabelSet:
    """Scenes with labels of one kind."""

    name: str
    """Name in tables and figures."""

    kind: str
    """rasters (a label raster a scene), polygons (GeoJSON files of `training.reference_polygons`), or unlabelled (scenes alone:
    the share that is mapped as each group is told)."""

    scenes: tuple[str, ...]
    """Patterns of scene files below `data`, or of GeoJSON files below the project for polygons."""

    legend: str
    """How values of the label and codes of the map become groups: water, forest, six_groups, lulc or worldcover."""

    label_find: str = r"_S1\.tif$"
    """Regular expression in the scene's file name that is replaced to get the label's name (rasters)."""

    label_replace: str = "_label.tif"
    """What it is replaced by."""

    label_above: Optional[float] = None
    """Labels are measurements: above this they become 1, else 0 (rasters); not a number stays void."""

    vv_band: int = 1
    """Band of VV, counted from 1 (rasters and unlabelled)."""

    vh_band: int = 2
    """Band of VH."""

    units: str = "db"
    """Unit of the scenes, as the backend takes it; `scaled` for grey levels."""

    spacing_m: float = 10.0
    """Ground spacing of scenes without a coordinate reference system."""

    limit: int = 0
    """At most this many scenes, evenly spread over the sorted names. 0: all."""


@dataclass(frozen=True)
class EvaluateConfig:
    """Figures of a model on labelled scenes, mapped by the backend as a user maps them; JSON for the card and an HTML report."""

    model: Path
    """Model file, or run folder of `finetune` (exported to a temporary file)."""

    out: Path
    """Folder for figures.json (for `export --measures`), evaluation.json and report.html."""

    sets: tuple[LabelSet, ...]
    """Label sets."""

    note: str
    """What the model saw of these places in training, for the model card: for example "none seen in training"."""

    data: Path = Path("../shared/data")
    """Folder that the patterns of scenes start from."""

    device: str = "auto"
    """Device, as the backend takes it."""

    bootstrap_draws: int = 2000
    """Draws of places for the 95% intervals. 0: no intervals."""

    seed: int = 0
    """Seed of the draws."""

    picture_px: int = 256
    """Longer side of each picture in the report. 0: no pictures."""

    overwrite: bool = False
    """Replace an evaluation that is already in `out`."""

    def __post_init__(self) -> None:
        refuse(set_problems(self.sets) + ([] if self.note.strip() else ["note must say what the model saw in training"]))


def set_problems(sets: tuple[LabelSet, ...]) -> list[str]:
    """Everything that is wrong with the label sets of a configuration."""
    problems = [] if sets else ["sets must name at least one label set"]
    names = [item.name for item in sets]
    if len(set(names)) < len(names):
        problems.append("each of sets needs a name of its own")
    for item in sets:
        if item.kind not in KINDS:
            problems.append(f"kind of {item.name} must be one of {', '.join(KINDS)}")
        if item.legend not in LEGENDS:
            problems.append(f"legend of {item.name} must be one of {', '.join(LEGENDS)}")
        if any(Path(pattern).is_absolute() for pattern in item.scenes):
            problems.append(f"scenes of {item.name} must be patterns below a folder, not absolute paths")
    return problems
