# SPDX-License-Identifier: GPL-2.0-or-later
"""Typed settings of `evaluate`: what is measured, on which labels, with which baselines beside it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from training.config import refuse
from training.evaluate.legends import LEGENDS

LEARNT_LEGENDS = ("water", "six_groups", "lulc")
"""Legends that baselines learn from: water, and six groups."""

KINDS = ("rasters", "polygons", "unlabelled")
BASELINES = ("otsu", "threshold", "forest", "forest_simulated", "unet", "unet_simulated")


@dataclass(frozen=True)
class LabelSet:
    """Scenes with labels of one kind."""

    name: str
    """Name in tables and figures."""

    kind: str
    """rasters (a label raster a scene), polygons (GeoJSON files of `training.reference.polygons`), or unlabelled (scenes alone:
    the share that is mapped as each group is told)."""

    scenes: tuple[str, ...]
    """Patterns of scene files below `data`, or of GeoJSON files below the project for polygons."""

    legend: str
    """How values of the label and codes of the map become groups: water, forest, six_groups, lulc or worldcover."""

    folder: Optional[Path] = None
    """Folder that the patterns start from, in place of those."""

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
class FoldTraining:
    """A `finetune` that is run in each fold with its places held out, exported, and measured through the backend."""

    config: Path
    """Its settings (YAML). The file's name tells it from others in tables and below `out`."""

    note: str
    """What the pre-training that it begins with saw of the places, for the card: for example "pre-trained on all places,
    unlabelled", or "no pre-training"."""


@dataclass(frozen=True)
class EvaluateConfig:
    """Figures of a model on labelled scenes, mapped by the backend as a user maps them; JSON for the card and an HTML report."""

    out: Path
    """Folder for figures.json (for `export --measures`), evaluation.json and report.html."""

    sets: tuple[LabelSet, ...]
    """Label sets."""

    model: Optional[Path] = None
    """Model file, or run folder of `finetune` (exported to a temporary file). With `folds` it is measured beside the methods that
    are trained in them, as it is."""

    note: str = ""
    """What the model saw of these places in training, for the model card: for example "none seen in training"."""

    data: Path = Path("../shared/data")
    """Folder that the patterns of scenes start from."""

    include_seen: bool = False
    """Measure also on places that the model was trained on, by its card. Their scenes are left out otherwise, and told."""

    leave_out_places: tuple[str, ...] = ()
    """Places (regular expressions on the whole name) that do not count: for example those by which weights were chosen."""

    device: str = "auto"
    """Device, as the backend takes it."""

    bootstrap_draws: int = 2000
    """Draws of places for the 95% intervals. 0: no intervals."""

    seed: int = 0
    """Seed of the draws."""

    picture_px: int = 256
    """Longer side of each picture in the report. 0: no pictures."""

    overwrite: bool = False
    """Replace an evaluation that is already in `out`. Folds go on where they were instead."""

    folds: int = 0
    """Cross-validation in this many folds, grouped by place: baselines and `finetuned` learn from the places of the other folds.
    What `out` holds already is not done again. 0: none."""

    only_folds: tuple[int, ...] = ()
    """Do these folds alone (counted from 0) and make no table: so several processes or machines share the work in one `out`."""

    baselines: tuple[str, ...] = ()
    """Methods to run in the folds: otsu, threshold, forest, forest_simulated, unet, unet_simulated."""

    finetuned: tuple[FoldTraining, ...] = ()
    """Fine-tunings to run in the folds."""

    simulated: Optional[LabelSet] = None
    """Simulated scenes that forest_simulated and unet_simulated learn from beside the real ones. WorldCover codes: six_groups."""

    seeds: tuple[int, ...] = (0,)
    """Seeds of what is trained in the folds; figures are means over them."""

    unet_steps: int = 800
    """Steps of a U-Net, of 16 crops each."""

    forest_pixels: int = 800
    """Pixels that a forest learns from of each real scene at most; half of that of each simulated one."""

    jobs: int = 1
    """Processes of a random forest."""

    def __post_init__(self) -> None:
        problems = set_problems(self.sets)
        if self.model is None and not self.folds:
            problems.append("model must name a model file or a run folder, unless folds are made")
        if self.model is not None and not self.note.strip():
            problems.append("note must say what the model saw in training")
        for pattern in self.leave_out_places:
            try:
                re.compile(pattern)
            except re.error as error:
                problems.append(f"leave_out_places: {pattern!r} is no regular expression ({error})")
        problems += _fold_problems(self)
        refuse(problems)


def _fold_problems(config: EvaluateConfig) -> list[str]:
    problems = []
    if config.folds == 1 or config.folds < 0:
        problems.append("folds must be 0 or at least 2")
    if not config.folds and (config.baselines or config.finetuned or config.only_folds):
        problems.append("baselines, finetuned and only_folds need folds")
    if not set(config.only_folds) <= set(range(config.folds)):
        problems.append(f"only_folds must lie in 0..{config.folds - 1}")
    if any(not item.note.strip() for item in config.finetuned):
        problems.append("the note of each of finetuned must say what its pre-training saw of the places")
    names = [item.config.stem for item in config.finetuned]
    if len(set(names)) < len(names):
        problems.append("each of finetuned needs a config with a file name of its own")
    unknown = set(config.baselines) - set(BASELINES)
    if unknown:
        problems.append(f"baselines must be of {', '.join(BASELINES)}, not {', '.join(sorted(unknown))}")
    if config.simulated is None and any(name.endswith("_simulated") for name in config.baselines):
        problems.append("forest_simulated and unet_simulated need simulated scenes")
    if config.simulated is not None and config.simulated.legend != "six_groups":
        problems.append("the legend of simulated must be six_groups")
    if not config.seeds or min(config.unet_steps, config.jobs, config.forest_pixels) < 1:
        problems.append("seeds must not be empty, unet_steps, forest_pixels and jobs at least 1")
    if config.folds and any(item.kind == "unlabelled" or item.legend not in LEARNT_LEGENDS for item in config.sets):
        problems.append(f"folds take labelled sets of the legends {', '.join(LEARNT_LEGENDS)}")
    return problems


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
