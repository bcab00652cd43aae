# SPDX-License-Identifier: GPL-2.0-or-later
"""Other pre-trainings that the main encoder is compared with: without real chips, with register tokens, without one of the changes
that views undergo, or on photographs (ImageNet).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from backend.model_card import ModelCard
from training.finetuning.published_weights import fit_encoder, read_published, width_and_depth
from training.study.cells import sha256
from training.study.config import IMAGENET, StudyConfig
from training.study.encoders import FrozenEncoder, random_encoder, read_encoder, weights_file

HEAD_WIDTH = 64
"""Of the heads of the Vision Transformers that timm and DINO publish; their files do not tell it."""


@dataclass(frozen=True)
class Variant:
    """`arm` names its cells. It holds the beginning of the hash of its weights: cells of another file are never taken for its."""

    name: str
    arm: str
    encoder: FrozenEncoder


def read_variants(config: StudyConfig, main: ModelCard) -> list[Variant]:
    """All variants, checked against the card of the main encoder. Raises as `read_encoder`, and ValueError for one that cannot be
    compared with it.
    """
    found = []
    for name, path in config.variants.items():
        encoder, card = read_encoder(path)
        check_comparable(f"The variant {name} ({path})", card, main)
        found.append(Variant(name, _arm(name, weights_file(path)), encoder))
    if config.imagenet is not None:
        encoder = published_encoder(config.imagenet, main)
        found.append(Variant(IMAGENET, _arm(IMAGENET, config.imagenet), encoder))
    return found


def _arm(name: str, weights: Path) -> str:
    return f"variant_{name}_{sha256(weights)[:12]}"


def check_comparable(what: str, card: ModelCard, main: ModelCard) -> None:
    """Raises ValueError where the encoders do not see the same: the same crops are given to both, and the same patches scored."""
    if card.encoder.patch_px != main.encoder.patch_px:
        raise ValueError(f"{what} has patches of {card.encoder.patch_px} px; {main.encoder.patch_px} px are needed, as of encoder.")
    if _inputs(card) != _inputs(main):
        raise ValueError(f"{what} has the inputs {_inputs(card)}; {_inputs(main)} are needed, as of encoder.")


def _inputs(card: ModelCard) -> str:
    """Bands and their standardisation, for people. That a band may be absent changes nothing: the study's crops have all."""
    return ", ".join(
        f"{band.role} (clipped to {band.clip_db[0]:g} to {band.clip_db[1]:g} dB, mean {band.mean_db:g}, deviation {band.std_db:g})"
        for band in card.bands
    )


def published_encoder(path: Path, main: ModelCard) -> FrozenEncoder:
    """The encoder of a published weights file: of the file's width and depth, adapted to the bands, patch and positions of the main
    one; register tokens that it lacks are as a random encoder's. Raises FileNotFoundError, and ValueError for what does not fit.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there: imagenet needs a published weights file (.pth, .safetensors; timm's names).")
    weights = read_published(path)
    width, depth = width_and_depth(weights)
    if width % HEAD_WIDTH:
        raise ValueError(f"{path} has a width of {width}; a multiple of {HEAD_WIDTH}, the width of a published head, is needed.")
    form = dataclasses.replace(main.encoder, embed_dim=width, depth=depth, num_heads=width // HEAD_WIDTH)
    encoder = random_encoder(dataclasses.replace(main, encoder=form, attention_block=depth - 1), seed=0)
    try:
        fitted, _ = fit_encoder(weights, encoder.model.encoder.state_dict(), form)
    except ValueError as error:
        raise ValueError(f"{path} is no plain Vision Transformer, which imagenet needs: {error}") from error
    encoder.model.encoder.load_state_dict(fitted)
    return FrozenEncoder(encoder.model)
