# SPDX-License-Identifier: GPL-2.0-or-later
"""Settings of `pretrain`. Fields' docstrings are the command line's help; a YAML file fills them (`--config`).

Defaults are those of DINO (Caron et al. 2021, arXiv 2104.14294, appendix C, and facebookresearch/dino, main_dino.py).
What is None there follows from the number of chips, as in lightly-train (src/lightly_train/_methods/dino/dino.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from training.config import BandsConfig, refuse

IMAGENET_IMAGES = 1_281_167
SMALL_IMAGES = 20_000
"""Numbers between which teacher temperature and momentum are interpolated."""

OUTPUT_DIMS = ((20_000, 1024), (50_000, 2048), (100_000, 4096), (200_000, 16_384), (500_000, 32_768))
"""Up to this many chips, this many outputs of the head; 65,536 beyond."""


@dataclass(frozen=True)
class ChipSourceConfig:
    """What the encoder is trained on. Labels serve the k-NN check alone."""

    stores: tuple[Path, ...]
    """Chip stores, as `chips` writes them, of chips of one size, spacing and encoding. Their training splits are learnt from; the
    labels of training and validation splits serve the k-NN check. Looks at one place on two dates become its two global views."""

    part_px: int = 0
    """Views are drawn from a square of this side, at random in each chip: for views much smaller than chips. 0: the whole chip."""

    min_valid_share: float = 0.5
    """Chips that are filled with data to less than this share of their scene's part are left out."""


@dataclass(frozen=True)
class CropsConfig:
    """The views: two global and several local crops of each chip. What is random is drawn for each view alone."""

    global_px: int = 224
    """Side of the global views."""

    local_px: int = 96
    """Side of the local views."""

    local_count: int = 8
    """Local views of a chip; 0: none."""

    global_scale: tuple[float, float] = (0.4, 1.0)
    """Share of the chip's area that a global view covers."""

    local_scale: tuple[float, float] = (0.05, 0.4)
    """Share of the chip's area that a local view covers."""

    aspect: tuple[float, float] = (0.75, 1.3333)
    """Ground width of a view over its height."""

    spacing_m: tuple[float, float] = (5.0, 20.0)
    """Ground spacing of a view's pixels, along each side. Chips have 10 m. Areas give way to it."""

    gain_db: float = 1.5
    """Random gain, uniform between minus and plus this, the same for all bands. 1.5 dB also covers sigma against gamma nought."""

    band_gain_db: float = 0.5
    """The same, for each band alone."""

    speckle_chance: float = 0.5
    """Chance that a view is multiplied by speckle of its own."""

    speckle_looks: tuple[float, float] = (6.0, 30.0)
    """Number of looks of that speckle: few are strong. Its power is gamma distributed with mean 1 and variance 1 / looks."""

    flip: bool = True
    """Mirror along rows and along columns."""

    transpose: bool = False
    """Exchange rows and columns of half of the views: with `flip`, all quarter turns."""

    channel_drop: float = 0.0
    """Chance that a view lacks one band. Above 0, the model card says that bands may be absent."""


@dataclass(frozen=True)
class EncoderConfig:
    """Sizes of the encoder: ViT-Ti is 192, 12, 3; ViT-S is 384, 12, 6."""

    embed_dim: int = 384
    """Width."""

    depth: int = 12
    """Blocks."""

    num_heads: int = 6
    """Attention heads."""

    patch_px: int = 16
    """Side of a patch: 8 or 16."""

    register_tokens: int = 0
    """Register tokens (arXiv 2309.16588): 0 or 4."""

    drop_path: float = 0.1
    """Stochastic depth of the student."""


@dataclass(frozen=True)
class DinoConfig:
    """The method."""

    output_dim: Optional[int] = None
    """Outputs of the head. None: 1,024 up to 20,000 chips, 2,048 up to 50,000, .. 65,536 beyond 500,000."""

    hidden_dim: int = 2048
    """Width of the head's hidden layers."""

    bottleneck_dim: int = 256
    """Width before its last layer."""

    student_temperature: float = 0.1
    """Divides the student's outputs."""

    teacher_temperature: Optional[float] = None
    """Divides the teacher's outputs, after its warm-up. None: 0.02 at 20,000 chips to 0.07 at ImageNet's 1.28 million."""

    warmup_teacher_temperature: Optional[float] = None
    """What it starts at. None: 0.02 to 0.04, with the final one."""

    teacher_warmup_epochs: float = 30.0
    """Length of that warm-up; at most 0.3 of the run."""

    centre_momentum: float = 0.9
    """Momentum of the centre."""

    teacher_momentum: Optional[float] = None
    """Momentum of the teacher at the start; a cosine takes it to 1. None: 0.99 at 20,000 chips to 0.996 at 1.28 million."""

    freeze_last_layer_epochs: float = 1.0
    """How long the student's last layer is kept as it is; at most a tenth of the run."""


@dataclass(frozen=True)
class PretrainConfig:
    """An encoder, trained by DINO on radar without labels."""

    out: Path
    """Run folder: settings, commit, versions, metrics and checkpoint go there. Must not hold another run, unless `resume`."""

    data: ChipSourceConfig
    """Chips."""

    crops: CropsConfig = field(default_factory=CropsConfig)
    """Views."""

    bands: BandsConfig = field(default_factory=BandsConfig)
    """Standardisation."""

    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    """Sizes."""

    dino: DinoConfig = field(default_factory=DinoConfig)
    """Method."""

    steps: int = 10_000
    """Optimiser steps."""

    batch_size: int = 64
    """Chips of a step, over all processes."""

    learning_rate: float = 5e-4
    """Peak learning rate of AdamW for 256 chips a step; it is scaled with `batch_size`."""

    final_learning_rate: float = 1e-6
    """Learning rate at the end."""

    warmup_epochs: float = 10.0
    """Linear rise of the learning rate; at most a tenth of the run."""

    weight_decay: float = 0.04
    """Weight decay at the start; none on biases and norms."""

    final_weight_decay: float = 0.4
    """Weight decay at the end of its cosine."""

    clip_gradient: float = 3.0
    """Largest norm of the gradient of each parameter tensor. 0: not clipped."""

    seed: int = 0
    """Seed of weights, order and views."""

    device: str = "auto"
    """auto, cpu, cuda or cuda:<n>."""

    precision: str = "bf16"
    """bf16 (the encoder and the head's hidden layers; last layer and loss stay fp32) or fp32."""

    threads: int = 0
    """CPU threads of torch. 0: its own choice."""

    log_steps: int = 20
    """Steps between lines of metrics.jsonl. On a GPU nothing is read back in between."""

    save_minutes: float = 10.0
    """Time between checkpoints."""

    health_steps: int = 0
    """Steps between checks of the run's health. 0: once an epoch."""

    probe_chips: int = 512
    """Chips of that check at most, and as many that their nearest neighbours are looked for among."""

    stop_on_collapse: bool = True
    """Whether a collapsed run stops."""

    tensorboard: bool = True
    """Write curves for TensorBoard too."""

    resume: bool = False
    """Go on with the run in `out`, whose settings must be the same."""

    dry_run: bool = False
    """Check settings, data, memory and disk, say what was found, and train nothing."""

    def __post_init__(self) -> None:
        refuse(_problems(self))


def _problems(config: PretrainConfig) -> list[str]:
    crops, encoder, data, dino = config.crops, config.encoder, config.data, config.dino
    problems: list[str] = []

    def need(holds: bool, text: str) -> None:
        if not holds:
            problems.append(text)

    def span(name: str, pair: tuple[float, float], low: float, high: float) -> None:
        need(low < pair[0] <= pair[1] <= high, f"{name} must rise within {low:g} (left out) to {high:g}")

    need(bool(data.stores), "data.stores names no chip store")
    need(data.part_px >= 0, "data.part_px must not be negative")
    need(0 < data.min_valid_share <= 1, "data.min_valid_share must lie in 0..1")
    need(encoder.patch_px in (8, 16), "encoder.patch_px must be 8 or 16")
    if encoder.patch_px in (8, 16):
        for name, side in (("global_px", crops.global_px), ("local_px", crops.local_px)):
            need(side >= encoder.patch_px and side % encoder.patch_px == 0, f"crops.{name} must be a multiple of encoder.patch_px")
    need(encoder.num_heads >= 1 and encoder.embed_dim % max(encoder.num_heads, 1) == 0, "encoder.num_heads must divide embed_dim")
    need(encoder.depth >= 1, "encoder.depth must be at least 1")
    need(encoder.register_tokens in (0, 4), "encoder.register_tokens must be 0 or 4")
    need(0 <= encoder.drop_path < 1, "encoder.drop_path must lie in 0..1")
    need(crops.local_count >= 0, "crops.local_count must not be negative")
    span("crops.global_scale", crops.global_scale, 0, 1)
    span("crops.local_scale", crops.local_scale, 0, 1)
    span("crops.aspect", crops.aspect, 0, 10)
    # Bilinear sampling reads two pixels a side: at more than twice the spacing it would step over some.
    span("crops.spacing_m", crops.spacing_m, 0, 20)
    span("crops.speckle_looks", crops.speckle_looks, 1, 1e6)
    need(crops.gain_db >= 0 and crops.band_gain_db >= 0, "gains must not be negative")
    need(0 <= crops.speckle_chance <= 1 and 0 <= crops.channel_drop <= 1, "chances must lie in 0..1")
    need(min(dino.hidden_dim, dino.bottleneck_dim, dino.output_dim or 2) >= 2, "widths of the head must be at least 2")
    need(dino.student_temperature > 0, "dino.student_temperature must be above 0")
    for name in ("teacher_temperature", "warmup_teacher_temperature"):
        value = getattr(dino, name)
        need(value is None or value > 0, f"dino.{name} must be above 0")
    need(0 <= dino.centre_momentum <= 1, "dino.centre_momentum must lie in 0..1")
    need(dino.teacher_momentum is None or 0 <= dino.teacher_momentum <= 1, "dino.teacher_momentum must lie in 0..1")
    need(config.steps >= 1 and config.batch_size >= 1, "steps and batch_size must be at least 1")
    need(config.log_steps >= 1 and config.probe_chips >= 2, "log_steps must be at least 1, probe_chips at least 2")
    need(config.precision in ("bf16", "fp32"), "precision must be bf16 or fp32")
    need(config.clip_gradient >= 0 and config.learning_rate > 0, "clip_gradient must not be negative, learning_rate above 0")
    need(config.seed >= 0, "seed must not be negative")
    return problems


@dataclass(frozen=True)
class DinoNumbers:
    """Hyper-parameters of a data set's size."""

    output_dim: int
    teacher_temperature: float
    warmup_teacher_temperature: float
    teacher_momentum: float


def dino_numbers(config: DinoConfig, chips: int) -> DinoNumbers:
    """The given hyper-parameters, and for those that are not given, what suits `chips`: linear between the two data set sizes."""
    output_dim = config.output_dim or next((dim for limit, dim in OUTPUT_DIMS if chips <= limit), 65_536)
    share = min(max((chips - SMALL_IMAGES) / (IMAGENET_IMAGES - SMALL_IMAGES), 0.0), 1.0)
    temperature = config.teacher_temperature or round(0.02 + share * 0.05, 3)
    rise = min(max((temperature - 0.02) / 0.05, 0.0), 1.0)
    warmup = config.warmup_teacher_temperature or min(temperature, round(0.02 + rise * 0.02, 3))
    momentum = config.teacher_momentum if config.teacher_momentum is not None else round(0.99 + share * 0.006, 4)
    return DinoNumbers(output_dim, temperature, warmup, momentum)
