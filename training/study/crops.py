# SPDX-License-Identifier: GPL-2.0-or-later
"""Crops of labelled chips, with one label a patch: what every part of the study looks at."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from backend.model_card import ModelCard
from backend.radiometry import standardise
from training.chips.store import ChipSplit, ChipStore
from training.finetuning.label_sets import label_tables
from training.metrics import IGNORE
from training.simulation.fields import F32
from training.study.config import StudyConfig

U8 = npt.NDArray[np.uint8]
I64 = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

LABELLED_SHARE = 0.25
"""From this share of labelled patches on, a crop has a class of its own."""


@dataclass(frozen=True, eq=False)
class CropSet:
    """N crops of P patches each, row by row.

    `x` is float32 [N, bands, s, s], standardised, 0 without data. `pixel_labels` uint8 [N, s, s] are places in the study's classes,
    IGNORE where there is none or no data; `patch_labels` uint8 [N, P] the same of what covers more than half of a patch, IGNORE
    where nothing does. `patch_valid` is bool [N, P]: any pixel has data, as the backend has it. `chips` [N] are numbers of chips,
    `places` [N] names.
    """

    x: F32
    pixel_labels: U8
    patch_labels: U8
    patch_valid: BoolArray
    chips: I64
    places: npt.NDArray[Any]
    patch_px: int

    def __len__(self) -> int:
        return len(self.chips)

    @cached_property
    def db_statistics(self) -> F32:
        """Mean and deviation of each band's standardised decibels in each patch, float32 [N, P, 2 * bands]."""
        count, bands, side, _ = self.x.shape
        p = self.patch_px
        tiles = self.x.reshape(count, bands, side // p, p, side // p, p).transpose(0, 2, 4, 1, 3, 5)
        flat = tiles.reshape(count, (side // p) ** 2, bands, p * p)
        return np.concatenate([flat.mean(axis=-1), flat.std(axis=-1)], axis=-1)

    def classes(self) -> I64:
        """The commonest label of each crop's patches [N], IGNORE where less than LABELLED_SHARE of them is labelled."""
        found = np.full(len(self), IGNORE, dtype=np.int64)
        for number, labels in enumerate(self.patch_labels):
            kept = labels[labels != IGNORE]
            if len(kept) >= LABELLED_SHARE * len(labels):
                found[number] = np.bincount(kept).argmax()
        return found


@dataclass(frozen=True, eq=False)
class Material:
    """The crops of a study. `real` is None where there is no real store."""

    train: CropSet
    validation: CropSet
    test: CropSet
    real: CropSet | None


def make_material(config: StudyConfig, card: ModelCard, simulated: ChipStore, real: ChipStore | None) -> Material:
    """Raises ValueError where a set holds no labelled crop, or bands or crop size do not fit the stores."""
    limits = {"train": config.train_chips, "validation": config.scored_chips, "test": config.scored_chips}
    per_side = {"train": config.train_crops_per_side}
    sets = {
        split: cut_crops([simulated[split]], config, card, per_side.get(split, config.crops_per_side), limit)
        for split, limit in limits.items()
    }
    from_real = None
    if real is not None:
        from_real = cut_crops([real[split] for split in limits], config, card, config.crops_per_side, None)
        from_real = only_labelled(from_real)
    for name, crops, folder in (*((split, crops, simulated.folder) for split, crops in sets.items()), *_real(from_real, real)):
        if not (crops.patch_labels != IGNORE).any():
            raise ValueError(
                f"{folder} holds no {name} crop of {config.crop_px} px with a label of one of the classes {list(config.classes)}. "
                "Name another store, other classes or a smaller crop_px."
            )
    return Material(sets["train"], sets["validation"], sets["test"], from_real)


def _real(crops: CropSet | None, store: ChipStore | None) -> list[tuple[str, CropSet, Any]]:
    return [("real", crops, store.folder)] if crops is not None and store is not None else []


def cut_crops(splits: Sequence[ChipSplit], config: StudyConfig, card: ModelCard, per_side: int, limit: int | None) -> CropSet:
    """Crops of the splits' labelled chips that have every band, `limit` chips at most, evenly spread."""
    side, patch = config.crop_px, card.encoder.patch_px
    if side % patch:
        raise ValueError(f"crop_px is {side}: a multiple of the encoder's patch of {patch} px is needed.")
    x, pixel_labels, labels, valid, chips, places = [], [], [], [], [], []
    number = 0
    for split in splits:
        roles = [band.role for band in card.bands]
        if not set(roles) <= set(split.info.bands):
            raise ValueError(f"A store holds {', '.join(split.info.bands)}; the encoder needs {', '.join(roles)}.")
        bands = [split.info.bands.index(role) for role in roles]
        table = label_tables(config.classes, [split.info.label_sets])[1][0]
        table = np.where(table < len(config.classes), table, IGNORE).astype(np.uint8)
        for row in _spread(_usable(split, roles), limit):
            height, width = (int(split.index[key][row]) for key in ("height_px", "width_px"))
            for top in crop_starts(height, side, per_side):
                for left in crop_starts(width, side, per_side):
                    part = np.s_[top : top + side, left : left + side]
                    standardised, pixel_valid = standardise(split.read_db(int(row), part)[0, bands], card.bands)
                    if pixel_valid.mean() < config.min_valid_share:
                        continue
                    x.append(standardised)
                    valid.append(_tiles(pixel_valid, patch).any(axis=-1))
                    found = table[split.labels[(row, *part)]]
                    pixel_labels.append(np.where(pixel_valid, found, IGNORE).astype(np.uint8))
                    labels.append(np.where(valid[-1], patch_majority(found, patch), IGNORE).astype(np.uint8))
                    chips.append(number)
                    places.append(split.index["place"][row])
            number += 1
    if not x:
        names = " and ".join(split.name for split in splits)
        raise ValueError(f"No labelled {names} chip has a crop of {side} px with {config.min_valid_share:.0%} of data.")
    return CropSet(
        x=np.stack(x),
        pixel_labels=np.stack(pixel_labels),
        patch_labels=np.stack(labels),
        patch_valid=np.stack(valid),
        chips=np.array(chips),
        places=np.array(places),
        patch_px=patch,
    )


def only_labelled(crops: CropSet) -> CropSet:
    """The crops with any labelled patch."""
    return subset(crops, (crops.patch_labels != IGNORE).any(axis=1))


def subset(crops: CropSet, kept: BoolArray | I64) -> CropSet:
    """The crops where `kept` [N], or with these numbers."""
    names = ("x", "pixel_labels", "patch_labels", "patch_valid", "chips", "places")
    return dataclasses.replace(crops, **{name: getattr(crops, name)[kept] for name in names})


def crop_starts(length: int, side: int, count: int) -> list[int]:
    """First pixels of at most `count` crops along a side that do not overlap: from edge to edge, or one in the middle."""
    count = min(count, length // side)
    if count < 1:
        return []
    return [(length - side) // 2] if count == 1 else [round(n * (length - side) / (count - 1)) for n in range(count)]


def patch_majority(labels: U8, patch_px: int) -> U8:
    """Of labels [s, s] the one that covers more than half of each patch's pixels, uint8 [P]; IGNORE where none does."""
    tiles = _tiles(labels, patch_px)
    middle = np.sort(tiles, axis=-1)[:, tiles.shape[-1] // 2]  # what covers more than half holds the middle of the sorted ones
    agreed = (tiles == middle[:, None]).sum(axis=-1) * 2 > tiles.shape[-1]
    return np.where(agreed, middle, IGNORE).astype(np.uint8)


def _tiles(pixels: npt.NDArray[Any], patch_px: int) -> npt.NDArray[Any]:
    """[s, s] as [P, patch_px ** 2], patches row by row."""
    n = pixels.shape[0] // patch_px
    return pixels.reshape(n, patch_px, n, patch_px).swapaxes(1, 2).reshape(n * n, patch_px * patch_px)


def _usable(split: ChipSplit, roles: Sequence[str]) -> I64:
    whole = np.array([set(roles) <= set(text.split()) for text in split.index["bands"]], dtype=np.bool_)
    return np.flatnonzero(whole & (split.index["labelled_share"] > 0))


def _spread(rows: I64, limit: int | None) -> I64:
    if limit is None or len(rows) <= limit:
        return rows
    return rows[np.linspace(0, len(rows) - 1, limit).astype(np.int64)]
