# SPDX-License-Identifier: GPL-2.0-or-later
"""Typed settings of each command. Fields' docstrings are the command line's help; a YAML file fills them (`--config`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from training.simulation.layout import LANDSCAPES
from training.simulation.radar import RadarSettings

SPACING_M = 10.0
"""Pixels of chips, simulated scenes and models: the sampling of Sentinel-1's IW GRD high resolution products."""


class ConfigError(ValueError):
    """Everything that is wrong with a configuration, in one message."""


def refuse(problems: list[str]) -> None:
    """Raises ConfigError that names all `problems`, where there are any."""
    if problems:
        raise ConfigError("; ".join(problems))


@dataclass(frozen=True)
class SimulateConfig:
    """Simulated scenes with labels, written as GeoTIFFs."""

    out: Path
    """Folder for `scene_<n>.tif` and `label_<n>.tif`; made if absent."""

    scenes: int = 4
    """Number of scenes."""

    height_px: int = 512
    """Rows of a scene; a pixel is 10 m."""

    width_px: int = 512
    """Columns of a scene."""

    seed: int = 0
    """Seed of the first scene; the next ones follow. The same seed and sizes give the same pixels."""

    landscape: str = "any"
    """Kind of landscape: any, farmland, mixed, city, coast, forest, river plain or dry."""

    crs: str = "EPSG:32632"
    """Coordinate reference system that the files claim."""

    workers: int = 1
    """Processes that work at the same time."""

    radar: RadarSettings = field(default_factory=RadarSettings)
    """How the scene is seen."""

    def __post_init__(self) -> None:
        problems = []
        if self.scenes < 1 or self.workers < 1:
            problems.append("scenes and workers must be at least 1")
        if min(self.height_px, self.width_px) < 64:
            problems.append("a scene needs at least 64 x 64 px")
        if self.landscape != "any" and self.landscape not in LANDSCAPES:
            problems.append(f"landscape must be any or one of {', '.join(LANDSCAPES)}")
        if self.seed < 0:
            problems.append("seed must not be negative")
        refuse(problems)


@dataclass(frozen=True)
class BandsConfig:
    """Standardisation, written into the model card. Constants: SSL4EO-S12 and DFC2020 code; clipped wide (towns are bright)."""

    vv_clip_db: tuple[float, float] = (-30.0, 5.0)
    """VV is clipped to this."""

    vh_clip_db: tuple[float, float] = (-38.0, 0.0)
    """VH is clipped to this."""

    vv_mean_db: float = -12.55
    """Subtracted from VV."""

    vv_std_db: float = 5.26
    """VV is divided by this."""

    vh_mean_db: float = -20.19
    """Subtracted from VH."""

    vh_std_db: float = 5.91
    """VH is divided by this."""


@dataclass(frozen=True)
class ExportConfig:
    """One model file of a checkpoint."""

    run: Path
    """Run folder of `finetune`, or of `pretrain` for an encoder alone."""

    out: Path
    """The model file to write, ending in .safetensors."""

    name: str
    """Name in the model card."""

    description: str = ""
    """What the model is, for people who choose one. Where empty, a sentence made from the run."""

    licence: str = "CC-BY-4.0"
    """Licence of the weights."""

    dtype: str = "float16"
    """Type of the stored weights: float16, bfloat16 or float32."""

    overwrite: bool = False
    """Replace an existing file."""

    measures: tuple[Path, ...] = ()
    """Files figures.json of `evaluate`; their figures go into the card."""

    def __post_init__(self) -> None:
        problems = []
        if self.out.suffix != ".safetensors":
            problems.append("out must end in .safetensors")
        if self.dtype not in ("float16", "bfloat16", "float32"):
            problems.append("dtype must be float16, bfloat16 or float32")
        refuse(problems)


@dataclass(frozen=True)
class InspectConfig:
    """What a chip store, a run folder, a checkpoint or a saved state is: figures, class shares, places."""

    path: Path
    """The folder or file."""

    picture: Optional[Path] = None
    """PNG to write of a store's chips with their labels."""

    split: str = "train"
    """Split that the picture is of."""

    chips: int = 40
    """Chips in the picture at most; the sources take turns."""

    def __post_init__(self) -> None:
        problems = []
        if self.split not in ("train", "validation", "test"):
            problems.append("split must be train, validation or test")
        if self.chips < 1:
            problems.append("chips must be at least 1")
        if self.picture is not None and self.picture.suffix.lower() != ".png":
            problems.append("picture must end in .png")
        refuse(problems)
