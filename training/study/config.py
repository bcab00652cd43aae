# SPDX-License-Identifier: GPL-2.0-or-later
"""Typed settings of `study`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from training.config import refuse

VARIANT_NAME = re.compile("[a-z0-9][a-z0-9_]{0,30}")
IMAGENET = "imagenet"
TAKEN_NAMES = ("main", "pretrained", "random", "scratch", IMAGENET)
"""What variants cannot be called: the names of other columns and cells."""


@dataclass(frozen=True)
class StudyConfig:
    """Encoders, pre-trained and random: probes, attention and embeddings of frozen ones, and fine-tuning from the pre-trained one
    and from scratch. What `out` holds is not done again.
    """

    out: Path
    """Folder for the cells (one JSON each), report.html and study.md."""

    encoder: Path
    """Run folder of `pretrain`, or a model file of an encoder without classes, as `export` writes it of such a run."""

    simulated: Path
    """Chip store of simulated scenes: probes learn from its train split, heads are chosen on its validation split, all is scored on
    its test split."""

    real: Optional[Path] = None
    """Chip store of real scenes, all splits of which are scored, place by place. Where the folder is absent the real part is left
    out, and the report says so."""

    variants: dict[str, Path] = field(default_factory=dict)
    """Other pre-trainings, by name, each given as `encoder` is. Their patches and bands are those of `encoder`; width, blocks and
    register tokens may differ. They get the linear probes, neighbours and single heads alone."""

    imagenet: Optional[Path] = None
    """A published weights file (.pth, .safetensors; timm's names) of a plain Vision Transformer: one more variant, called imagenet,
    of the file's width and blocks and heads of 64. Its input channels, patch and positions become those of `encoder`."""

    classes: tuple[int, ...] = (10, 30, 40, 50, 60, 80, 90)
    """WorldCover codes. Labels that stand for several of them count nowhere."""

    crop_px: int = 96
    """Side of a crop."""

    train_crops_per_side: int = 1
    """Crops along each side of a training chip: 1 is its middle, 2 its four corners."""

    crops_per_side: int = 2
    """The same for chips that are scored. Crops do not overlap: a small chip gives fewer."""

    train_chips: int = 2500
    """Simulated training chips at most, evenly spread over the store."""

    scored_chips: int = 300
    """Simulated validation chips, and simulated test chips, at most."""

    min_valid_share: float = 0.9
    """Crops with less data are left out."""

    fractions: tuple[float, ...] = (0.01, 0.05, 0.1, 0.25, 1.0)
    """Shares of the training chips that a linear probe learns from; each holds the smaller ones."""

    seeds: tuple[int, ...] = (0, 1, 2)
    """Seeds: of each a random encoder, an order of the training chips, and a draw of patches."""

    max_patches: int = 10000
    """Patches that a linear probe learns from at most."""

    set_patches: int = 4000
    """Patches that a classifier learns from in the comparison of feature sets, and a fold of real places."""

    trees: int = 50
    """Trees of a random forest."""

    real_folds: int = 5
    """Folds, by place, of the probe that learns from real labels."""

    finetune_fractions: tuple[float, ...] = (0.1,)
    """Shares of the simulated labelled training chips that the whole network is fine-tuned on."""

    finetune_rates: tuple[float, ...] = (3e-4, 1e-3)
    """Learning rates to choose from, for each of both beginnings once: at 10% of the chips, with the first seed, by the mean IoU on
    the simulated validation chips."""

    finetune_steps: int = 600
    """Steps of a fine-tuning. 0: none is done."""

    finetune_batch: int = 32
    """Crops of a step."""

    finetune_crop_px: int = 64
    """Side of the crops that a fine-tuning learns from. It is scored on the study's crops like everything else."""

    finetune_real_folds: int = 0
    """Folds, by place, of fine-tunings that also learn from all real labelled training chips of the other places, and are scored on
    the real places that the fold holds out. 0: none is done."""

    bootstrap_draws: int = 1000
    """Draws of places for the 95% intervals. 0: no intervals."""

    threads: int = 0
    """CPU threads of torch. 0: its own choice."""

    device: str = "auto"
    """Of the fine-tunings: auto, cpu, cuda or cuda:<n>. All else, scoring too, is done on the CPU."""

    def __post_init__(self) -> None:
        problems = []
        if len(set(self.classes)) < 2:
            problems.append("classes must name at least two")
        if not self.fractions or not all(0 < fraction <= 1 for fraction in self.fractions):
            problems.append("fractions must lie above 0 and at most at 1")
        if not self.finetune_fractions or not all(0 < fraction <= 1 for fraction in self.finetune_fractions):
            problems.append("finetune_fractions must lie above 0 and at most at 1")
        if not self.finetune_rates or min(self.finetune_rates) <= 0:
            problems.append("finetune_rates must be above 0")
        if not self.seeds or min(self.seeds) < 0 or len(set(self.seeds)) < len(self.seeds):
            problems.append("seeds must be different numbers, none negative")
        least = (
            "crop_px",
            "train_crops_per_side",
            "crops_per_side",
            "train_chips",
            "scored_chips",
            "max_patches",
            "set_patches",
            "trees",
            "finetune_batch",
            "finetune_crop_px",
        )
        problems += [f"{name} must be at least 1" for name in least if getattr(self, name) < 1]
        if not 0 < self.min_valid_share <= 1:
            problems.append("min_valid_share must lie above 0 and at most at 1")
        if self.real_folds < 2:
            problems.append("real_folds must be at least 2")
        if min(self.bootstrap_draws, self.threads, self.finetune_steps) < 0:
            problems.append("bootstrap_draws, threads and finetune_steps must not be negative")
        if self.finetune_real_folds < 0 or self.finetune_real_folds == 1:
            problems.append("finetune_real_folds must be 0 or at least 2")
        for name in self.variants:
            if name in TAKEN_NAMES or not VARIANT_NAME.fullmatch(name):
                problems.append(
                    f"variants cannot be called {name!r}: up to 31 small letters, digits and _ are needed, and none of "
                    + ", ".join(TAKEN_NAMES)
                )
        refuse(problems)
