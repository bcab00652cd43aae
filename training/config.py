# SPDX-License-Identifier: GPL-2.0-or-later
"""Typed settings of each command. Fields' docstrings are the command line's help; a YAML file fills them (`--config`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from training.simulate_layout import LANDSCAPES
from training.simulate_radar import RadarSettings


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
class DataConfig:
    """Where chips come from and what is done to them on the way to the network."""

    folder: Path
    """Folder with labelled scenes, as `simulate` writes them."""

    validation_share: float = 0.08
    """Share of scenes (whole scenes, never chips of one) that are kept from training."""

    chip_px: int = 256
    """Side of the chips that scenes are cut into."""

    crop_px: int = 128
    """Side of the random crops that the network is trained on."""

    classes: tuple[int, ...] = (10, 30, 40, 50, 60, 80)
    """WorldCover codes to tell apart. Labels with any other code are ignored."""

    gain_db: float = 1.5
    """Random gain of a crop, uniform between minus and plus this many dB, the same for all bands."""

    band_gain_db: float = 0.5
    """The same, for each band alone."""

    nodata_chance: float = 0.08
    """Chance that a strip of a crop is made nodata."""

    flip: bool = True
    """Mirror crops along rows and columns. Simulated scenes have both look directions, so that this is harmless for them."""


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
class NetworkConfig:
    """Sizes of encoder and decoder."""

    embed_dim: int = 192
    """Width of the encoder."""

    depth: int = 12
    """Blocks of the encoder."""

    num_heads: int = 3
    """Attention heads."""

    patch_px: int = 8
    """Side of a patch: 8 or 16."""

    window_px: int = 224
    """Side of the window in use; a multiple of the patch. Positions are interpolated from the training crop's."""

    decoder_blocks: tuple[int, ...] = (3, 7, 11)
    """Encoder blocks that the decoder reads, counted from 0."""

    decoder_width: int = 96
    """Channels of the decoder at low resolution."""

    skip_width: int = 16
    """Channels of its skip from the input at full resolution."""

    drop_path: float = 0.0
    """Stochastic depth of the encoder."""


@dataclass(frozen=True)
class FinetuneConfig:
    """Encoder and decoder, trained on labelled chips from scratch."""

    out: Path
    """Run folder: settings, commit, versions, metrics and checkpoint go there. Must not hold another run."""

    data: DataConfig
    """Chips."""

    bands: BandsConfig = field(default_factory=BandsConfig)
    """Standardisation."""

    network: NetworkConfig = field(default_factory=NetworkConfig)
    """Sizes."""

    start_from: Optional[Path] = None
    """Run folder whose weights this run begins with; the network's sizes must be the same. None: from scratch."""

    steps: int = 6000
    """Optimiser steps at most."""

    max_minutes: float = 0.0
    """Wall time of the steps at most; the learning rate follows whichever ends first. 0: no limit."""

    batch_size: int = 32
    """Crops a step."""

    learning_rate: float = 1e-3
    """Peak learning rate of AdamW."""

    weight_decay: float = 0.05
    """Weight decay of AdamW; none on biases and norms."""

    warmup_share: float = 0.05
    """Share of the run over which the learning rate rises."""

    clip_gradient: float = 1.0
    """Largest norm of the gradient."""

    dice_weight: float = 0.5
    """Weight of the Dice loss beside cross-entropy."""

    ema_decay: float = 0.998
    """Decay of the averaged weights, which are the ones that are kept. 0: no averaging."""

    validate_minutes: float = 5.0
    """Time between validations; the last step is always followed by one."""

    validation_chips: int = 64
    """Chips of one validation at most, spread over the validation scenes. The last validation uses all."""

    seed: int = 0
    """Seed of weights, crops and augmentation."""

    device: str = "auto"
    """auto, cpu, cuda or cuda:<n>."""

    precision: str = "bf16"
    """bf16 (autocast; the loss stays fp32) or fp32."""

    threads: int = 0
    """CPU threads of torch. 0: its own choice."""

    def __post_init__(self) -> None:
        network, data = self.network, self.data
        problems = []
        if network.patch_px not in (8, 16):
            problems.append("network.patch_px must be 8 or 16")
        elif data.crop_px % network.patch_px or network.window_px % network.patch_px:
            problems.append("data.crop_px and network.window_px must be multiples of network.patch_px")
        if network.embed_dim % network.num_heads:
            problems.append("network.embed_dim must be a multiple of network.num_heads")
        if not network.decoder_blocks or not all(0 <= block < network.depth for block in network.decoder_blocks):
            problems.append(f"network.decoder_blocks must lie in 0..{network.depth - 1}")
        if data.crop_px > data.chip_px:
            problems.append("data.crop_px must not exceed data.chip_px")
        if len(data.classes) < 2 or len(set(data.classes)) != len(data.classes):
            problems.append("data.classes needs at least two different codes")
        if not 0 < data.validation_share < 1:
            problems.append("data.validation_share must lie between 0 and 1")
        if self.steps < 1 or self.batch_size < 1:
            problems.append("steps and batch_size must be at least 1")
        if self.precision not in ("bf16", "fp32"):
            problems.append("precision must be bf16 or fp32")
        if not 0 <= self.ema_decay < 1:
            problems.append("ema_decay must lie in 0..1")
        refuse(problems)


@dataclass(frozen=True)
class ExportConfig:
    """One model file of a checkpoint."""

    run: Path
    """Run folder of `finetune`."""

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
