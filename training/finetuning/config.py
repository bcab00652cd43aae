# SPDX-License-Identifier: GPL-2.0-or-later
"""Settings of `finetune`. Fields' docstrings are the command line's help; a YAML file fills them (`--config`)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from training.classes import worldcover_classes
from training.config import BandsConfig, refuse

DECODERS = ("upsampling", "linear")
ALL_BLOCKS = -1


@dataclass(frozen=True)
class StoreConfig:
    """A chip store, and how much of it is seen."""

    folder: Path
    """Folder of the store, as `chips` writes it."""

    weight: float = 1.0
    """Crops of this store against those of the others: with weights 3 and 1, three of four crops are of the first."""

    only_sources: tuple[str, ...] = ()
    """Sources of the store that are used. Empty: all."""

    hold_out_places: tuple[str, ...] = ()
    """Places (regular expressions on the whole name) that are neither trained nor validated on: kept for `evaluate`."""

    validate: bool = True
    """Whether the store's validation chips count: where the best weights are chosen by real places, leave simulated ones out."""

    label_fraction: Optional[float] = None
    """Share of the store's labelled chips that is trained on. None: that of the run, `label_fraction`."""


@dataclass(frozen=True)
class LabelledDataConfig:
    """Which crops are drawn and what is done to them on the way to the network."""

    stores: tuple[StoreConfig, ...]
    """Chip stores. Their bands and label legends may differ."""

    crop_px: int = 128
    """Side of the random crops that the network is trained on."""

    classes: tuple[int, ...] = (10, 30, 40, 50, 60, 80)
    """WorldCover codes to tell apart. Labels that say nothing of them are ignored."""

    place_balance: float = 0.5
    """How places share the crops of a store: 0 all alike, 1 by their labelled pixels; chips within a place alike. Chips without
    a label are never drawn."""

    gain_db: float = 1.5
    """Random gain of a crop, uniform between minus and plus this many dB, the same for all bands."""

    band_gain_db: float = 0.5
    """The same, for each band alone."""

    speckle_chance: float = 0.0
    """Chance that a crop is multiplied by speckle of its own."""

    speckle_looks: tuple[float, float] = (6.0, 30.0)
    """Number of looks of that speckle: few are strong."""

    channel_drop: float = 0.0
    """Chance that a crop lacks one band. Above 0, the model card says that bands may be absent."""

    nodata_chance: float = 0.08
    """Chance that a strip of a crop is made nodata."""

    label_balance: float = 0.0
    """Chance that a crop is placed on a pixel of a kind of label that is drawn evenly among those that its chip holds, so that
    small polygons and rare classes are seen as often as large ones. Other crops lie anywhere in the chip."""

    flip: bool = True
    """Mirror crops along rows and columns, which also exchanges the look direction."""

    transpose: bool = False
    """Exchange rows and columns of half of the crops: with `flip`, all quarter turns."""


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

    register_tokens: int = 0
    """Register tokens, as in the pre-training."""

    window_px: int = 224
    """Side of the window in use; a multiple of the patch. Positions are interpolated from the training crop's."""

    decoder: str = "upsampling"
    """upsampling: convolutions that also see the input. linear: each patch token alone (a probe of the encoder)."""

    decoder_blocks: tuple[int, ...] = (3, 7, 11)
    """Encoder blocks that the decoder reads, counted from 0."""

    decoder_width: int = 96
    """Channels of the upsampling decoder at low resolution."""

    skip_width: int = 16
    """Channels of its skip from the input at full resolution."""

    drop_path: float = 0.0
    """Stochastic depth of the encoder."""


@dataclass(frozen=True)
class FinetuneConfig:
    """Encoder and decoder, trained on labelled chips."""

    out: Path
    """Run folder: settings, commit, versions, metrics and checkpoint go there. Must not hold another run, unless `resume`."""

    data: LabelledDataConfig
    """Chips."""

    bands: BandsConfig = field(default_factory=BandsConfig)
    """Standardisation."""

    network: NetworkConfig = field(default_factory=NetworkConfig)
    """Sizes."""

    start_from: Optional[Path] = None
    """What the weights begin as: a run folder of `pretrain` or `finetune`, a model file, or a published weights file of a timm or
    DINO Vision Transformer (.pth, .safetensors). What does not fit is adapted, and said. None: from scratch."""

    train_blocks: int = -1
    """Encoder blocks that are trained, counted from the end; 0: the encoder stays as it is; -1: all of it."""

    layer_decay: float = 1.0
    """Learning rate of an encoder block over that of the one after it. 1: all alike."""

    label_fraction: float = 1.0
    """Share of the labelled chips of each store that is trained on, unless the store has its own; of one seed, smaller shares are
    part of larger ones."""

    steps: int = 6000
    """Optimiser steps at most."""

    max_minutes: float = 0.0
    """Wall time of the steps at most; the learning rate follows whichever ends first. 0: no limit."""

    batch_size: int = 32
    """Crops of a step, over all processes."""

    learning_rate: float = 1e-3
    """Peak learning rate of AdamW."""

    weight_decay: float = 0.05
    """Weight decay of AdamW; none on biases, norms, positions and the class token."""

    warmup_share: float = 0.05
    """Share of the run over which the learning rate rises."""

    clip_gradient: float = 1.0
    """Largest norm of the gradient."""

    dice_weight: float = 0.5
    """Weight of the Dice loss beside cross-entropy."""

    class_weights: tuple[float, ...] = ()
    """Weight of each class in the cross-entropy, in the order of `data.classes`. Empty: see `balance_classes`."""

    balance_classes: float = 0.0
    """Weights from the classes' frequency among the crops: one over its power. 0: all alike, 1: all classes count the same."""

    class_bias: tuple[float, ...] = ()
    """Added to the logits of each class, in the order of `data.classes`, wherever the network is scored and in the exported file;
    never in the loss. Above 0 a class is chosen sooner, as if its pixels had been exp(bias) times as common; a training that
    begins from an exported file begins with what that holds. Empty: nothing."""

    ema_decay: float = 0.998
    """Decay of the averaged weights, which are the ones that are kept. 0: no averaging."""

    validate_steps: int = 500
    """Steps between validations."""

    validation_chips: int = 64
    """Chips of each store in one validation at most. The last one, of the best weights, uses all."""

    patience: int = 0
    """Validations in a row without a better mean IoU after which the run ends. 0: it runs to its last step."""

    seed: int = 0
    """Seed of weights, crops and augmentation."""

    device: str = "auto"
    """auto, cpu, cuda or cuda:<n>."""

    precision: str = "bf16"
    """bf16 (autocast; the loss stays fp32) or fp32."""

    threads: int = 0
    """CPU threads of torch. 0: its own choice."""

    log_steps: int = 20
    """Steps between lines of metrics.jsonl. On a GPU nothing is read back in between."""

    save_minutes: float = 10.0
    """Time between saved states, beside those after each validation."""

    tensorboard: bool = True
    """Write curves for TensorBoard too."""

    resume: bool = False
    """Go on with the run in `out`, whose settings must be the same."""

    dry_run: bool = False
    """Check settings, data, memory and disk, say what was found, and train nothing."""

    def __post_init__(self) -> None:
        refuse(_problems(self))


def _problems(config: FinetuneConfig) -> list[str]:
    network, data = config.network, config.data
    problems: list[str] = []

    def need(holds: bool, text: str) -> None:
        if not holds:
            problems.append(text)

    need(bool(data.stores), "data.stores is empty: make a chip store with `python -m training.run chips` and name it")
    for store in data.stores:
        need(store.weight > 0, f"the weight of {store.folder} must be above 0")
        of_store = store.label_fraction
        need(of_store is None or 0 < of_store <= 1, f"the label_fraction of {store.folder} must lie above 0 and at most be 1")
        for pattern in store.hold_out_places:
            try:
                re.compile(pattern)
            except re.error as error:
                problems.append(f"hold_out_places: {pattern!r} is no regular expression ({error})")
    need(network.patch_px in (8, 16), "network.patch_px must be 8 or 16")
    if network.patch_px in (8, 16):
        for name, side in (("data.crop_px", data.crop_px), ("network.window_px", network.window_px)):
            need(side >= 16 and side % network.patch_px == 0, f"{name} must be a multiple of network.patch_px, at least 16")
    need(network.num_heads >= 1 and network.embed_dim % max(network.num_heads, 1) == 0, "network.num_heads must divide embed_dim")
    need(network.depth >= 1, "network.depth must be at least 1")
    need(0 <= network.register_tokens <= 64, "network.register_tokens must lie in 0..64")
    need(network.decoder in DECODERS, f"network.decoder must be {' or '.join(DECODERS)}")
    blocks = network.decoder_blocks
    need(
        bool(blocks) and all(0 <= block < network.depth for block in blocks) and list(blocks) == sorted(set(blocks)),
        f"network.decoder_blocks must rise within 0..{network.depth - 1}",
    )
    need(min(network.decoder_width, network.skip_width) >= 1, "widths of the decoder must be at least 1")
    need(0 <= network.drop_path < 1, "network.drop_path must lie in 0..1")
    need(len(data.classes) >= 2 and len(set(data.classes)) == len(data.classes), "data.classes needs at least two different codes")
    try:
        worldcover_classes(data.classes)
    except ValueError as error:
        problems.append(f"data.classes: {error}")
    need(0 <= data.place_balance <= 1, "data.place_balance must lie in 0..1")
    need(data.gain_db >= 0 and data.band_gain_db >= 0, "gains must not be negative")
    for name in ("speckle_chance", "channel_drop", "nodata_chance", "label_balance"):
        need(0 <= getattr(data, name) <= 1, f"data.{name} must lie in 0..1")
    need(1 < data.speckle_looks[0] <= data.speckle_looks[1], "data.speckle_looks must rise from above 1")
    need(ALL_BLOCKS <= config.train_blocks <= network.depth, f"train_blocks must lie in {ALL_BLOCKS}..{network.depth}")
    need(0 < config.layer_decay <= 1, "layer_decay must lie in 0..1")
    need(0 < config.label_fraction <= 1, "label_fraction must lie above 0 and at most be 1")
    need(config.steps >= 1 and config.batch_size >= 1, "steps and batch_size must be at least 1")
    need(config.learning_rate > 0 and config.weight_decay >= 0, "learning_rate must be above 0, weight_decay not negative")
    need(0 <= config.warmup_share < 1, "warmup_share must lie in 0..1")
    need(config.clip_gradient > 0 and config.dice_weight >= 0, "clip_gradient must be above 0, dice_weight not negative")
    need(len(config.class_weights) in (0, len(data.classes)), "class_weights needs a number for each of data.classes")
    need(all(weight > 0 for weight in config.class_weights), "class_weights must be above 0")
    need(len(config.class_bias) in (0, len(data.classes)), "class_bias needs a number for each of data.classes")
    need(0 <= config.balance_classes <= 1, "balance_classes must lie in 0..1")
    need(not (config.class_weights and config.balance_classes), "give either class_weights or balance_classes")
    need(0 <= config.ema_decay < 1, "ema_decay must lie in 0..1")
    need(config.validate_steps >= 1 and config.log_steps >= 1, "validate_steps and log_steps must be at least 1")
    need(config.validation_chips >= 1 and config.patience >= 0, "validation_chips must be at least 1, patience not negative")
    need(config.precision in ("bf16", "fp32"), "precision must be bf16 or fp32")
    need(config.seed >= 0 and config.threads >= 0, "seed and threads must not be negative")
    return problems
