# SPDX-License-Identifier: GPL-2.0-or-later
"""Chips for pre-training, which of them a step takes, and the labelled probe that its health is measured on.

Which chips a step sees, and how its views are drawn, follow from seed and step alone: a run that goes on after a stop, or that
is split among processes, sees the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from backend.model_card import BandSpec
from backend.radiometry import standardise
from training.chips.encoding import decode_tensor
from training.chips.store import ChipSplit, ChipStore, StoreError, open_store, same_form
from training.config import SPACING_M
from training.pretraining.config import PretrainConfig
from training.pretraining.crops import I64, ViewDraws, draw_views


@dataclass(frozen=True)
class ChipSource:
    """The chips of one or several stores' training splits, by ground: looks at the same pixels on several dates are one."""

    splits: tuple[ChipSplit, ...]
    bands: tuple[int, ...]
    """The wanted bands' places in the stores."""
    looks: I64
    """[looks, 2]: split and row of each chip that is used, those of one ground together."""
    first: I64
    """[grounds + 1]: the first of each ground's looks."""
    extent_px: I64
    """[grounds, 2]: rows and columns that the scene fills, of each ground's chips."""
    left_out: int
    """Chips with too little data or too small."""
    simulated_only: bool

    def __len__(self) -> int:
        return len(self.first) - 1

    @property
    def chip_px(self) -> int:
        return self.splits[0].info.chip_px

    @property
    def views_of_two_dates(self) -> bool:
        return len(self.looks) > len(self)

    def dates_of(self, indices: I64) -> I64:
        """Number of looks at each of the grounds."""
        return self.first[indices + 1] - self.first[indices]

    def read(self, indices: I64, dates: I64, starts: I64 | None = None, part_px: int = 0) -> Tensor:
        """What is stored of grounds `indices` [n] on their `dates` [n, k]: [n, k, bands, S, S]; `decode` makes it decibels.

        With `part_px`, of each chip the square of this side whose first row and column `starts` [n, 2] tells.
        """
        looks = self.looks[self.first[indices][:, None] + dates]  # [n, k, 2]
        side = part_px or self.chip_px
        starts = np.zeros((len(indices), 2), dtype=np.int64) if starts is None else starts
        first = self.splits[0].values
        stored = np.empty((*looks.shape[:2], len(self.bands), side, side), dtype=first.dtype)
        for number, (one, (row, column)) in enumerate(zip(looks.tolist(), starts.tolist(), strict=True)):
            for date, (split, chip) in enumerate(one):
                whole = self.splits[split].values[chip, 0]
                for place, band in enumerate(self.bands):
                    stored[number, date, place] = whole[band, row : row + side, column : column + side]
        return torch.from_numpy(stored)

    def decode(self, stored: Tensor) -> Tensor:
        """Decibels float32 of what `read` gave, NaN nodata, on the device that it was brought to."""
        info = self.splits[0].info
        return decode_tensor(stored, info.encoding, [info.clip_db[band] for band in self.bands])

    def name(self, index: int) -> str:
        """Where ground `index` came from."""
        split, row = self.looks[self.first[index]]
        return f"{self.splits[split].index.name(int(row))}, chip {row} of {self.splits[split].name}"


@dataclass(frozen=True)
class Probe:
    """Chips whose embeddings are looked at. With labels: the class that covers most of what is labelled, for the k-NN check."""

    bank: Tensor
    """[P, bands, s, s], standardised."""
    bank_labels: I64 | None
    queries: Tensor | None
    """Of scenes that the encoder does not see."""
    query_labels: I64 | None


@dataclass(frozen=True)
class StepPlan:
    """What one step sees: chips [n], their dates [n, 1 or 2], where in them, and how views are drawn."""

    indices: I64
    dates: I64
    starts: I64
    """[n, 2]: first row and column of the square of each chip that views are drawn from."""
    global_draws: ViewDraws
    local_draws: ViewDraws | None

    def part(self, rank: int, size: int) -> StepPlan:
        """The part of one of `size` processes."""
        each = len(self.indices) // size
        start, stop = rank * each, (rank + 1) * each
        local_draws = None if self.local_draws is None else self.local_draws.part(start, stop)
        indices, dates, starts = (values[start:stop] for values in (self.indices, self.dates, self.starts))
        return StepPlan(indices, dates, starts, self.global_draws.part(start, stop), local_draws)


def plan_step(config: PretrainConfig, source: ChipSource, bands: int, step: int) -> StepPlan:
    """The whole team's step: each epoch goes through the chips once, in a new order; what is left of a batch is left out."""
    batch, crops = config.batch_size, config.crops
    epoch, number = divmod(step, steps_per_epoch(config, source))
    indices = _order(config.seed, epoch, len(source))[number * batch : (number + 1) * batch]
    rng = np.random.default_rng([config.seed, 1, step])
    count = source.dates_of(indices)
    chance = rng.random((2, batch))
    first = (chance[0] * count).astype(np.int64)
    dates = first[:, None]
    if source.views_of_two_dates:
        # Another date where there is one; the same where there is not.
        other = np.where(count > 1, first + 1 + (chance[1] * (count - 1)).astype(np.int64), first) % count
        dates = np.stack([first, other], axis=1)
    extent_px = np.minimum(source.extent_px[indices], config.data.part_px or source.chip_px)
    starts = (rng.random((batch, 2)) * (source.extent_px[indices] - extent_px + 1)).astype(np.int64)
    draws = [
        draw_views(rng, batch, views, scale, side_px, extent_px, bands, crops) if views else None
        for views, scale, side_px in (
            (2, crops.global_scale, crops.global_px),
            (crops.local_count, crops.local_scale, crops.local_px),
        )
    ]
    assert draws[0] is not None
    return StepPlan(indices, dates, starts, draws[0], draws[1])


def steps_per_epoch(config: PretrainConfig, source: ChipSource) -> int:
    return len(source) // config.batch_size


@lru_cache(maxsize=2)
def _order(seed: int, epoch: int, chips: int) -> I64:
    return np.random.default_rng([seed, 0, epoch]).permutation(chips)


def open_source(config: PretrainConfig, bands: Sequence[BandSpec]) -> tuple[ChipSource, Probe]:
    """The chips and the probe. Raises ValueError (StoreError among them): stores that cannot be read, or not together, too few
    chips, views that do not fit.
    """
    stores = [open_store(folder) for folder in config.data.stores]
    problem = same_form(stores)
    if problem is not None:
        raise StoreError(problem)
    source = _usable(stores, config, bands)
    crops = config.crops
    if len(source) < config.batch_size:
        raise ValueError(
            f"{len(source)} chips can be used ({source.left_out} are too small or hold too little data), fewer than one batch of "
            f"{config.batch_size}."
        )
    if source.views_of_two_dates and crops.local_count % 2:
        raise ValueError("Chips of several dates need an even crops.local_count: views take turns between two dates.")
    side_px = min(crops.global_px, source.chip_px) // config.encoder.patch_px * config.encoder.patch_px
    bank, bank_labels = _labelled_probe([store["train"] for store in stores], source, bands, side_px, config.probe_chips)
    queries, query_labels = _labelled_probe([store["validation"] for store in stores], source, bands, side_px, config.probe_chips)
    if len(bank) and len(queries):
        return source, Probe(bank, bank_labels, queries, query_labels)
    chosen = _spread(len(source), config.probe_chips)
    middles = [
        _middle(source.splits[split], int(row), source.bands, side_px)[0] for split, row in source.looks[source.first[chosen]]
    ]
    return source, Probe(_standardised(middles, bands, side_px), None, None, None)


def _usable(stores: Sequence[ChipStore], config: PretrainConfig, bands: Sequence[BandSpec]) -> ChipSource:
    """The training chips with all bands that are needed, enough data and room for a view, told by the index alone."""
    info = stores[0].info
    roles = tuple(band.role for band in bands)
    if not set(roles) <= set(info.bands):
        raise StoreError(f"{stores[0].folder} holds {', '.join(info.bands)}; {', '.join(roles)} are needed.")
    if info.spacing_m != SPACING_M:
        raise StoreError(f"{stores[0].folder} has chips of {info.spacing_m:g} m; views are made from chips of {SPACING_M:g} m.")
    crops = config.crops
    view_px = max(crops.global_px, crops.local_px if crops.local_count else 0)
    least_px = view_px * crops.spacing_m[0] / SPACING_M
    part_px = config.data.part_px or info.chip_px
    if part_px > info.chip_px:
        raise ValueError(f"data.part_px is {part_px}, the chips of {stores[0].folder} have {info.chip_px} px.")
    if least_px > part_px:
        raise ValueError(
            f"A view of {view_px} px at the smallest crops.spacing_m needs {least_px:.0f} px of a chip, and has {part_px}."
        )
    needed = {band.role for band in bands if not band.optional}
    looks: list[I64] = []
    grounds: list[I64] = []
    extents: list[I64] = []
    total = 0
    for number, store in enumerate(stores):
        index = store["train"].index
        total += len(index)
        extent = np.stack([index["height_px"], index["width_px"]], axis=1)
        have = {text: _serves(text, needed, roles) for text in set(index["bands"].tolist())}
        kept = np.array([have[text] for text in index["bands"]], dtype=np.bool_)
        kept &= index["valid_share"] * info.chip_px**2 >= config.data.min_valid_share * extent.prod(axis=1)
        kept &= extent.min(axis=1, initial=info.chip_px) >= least_px
        rows = np.flatnonzero(kept)
        looks.append(np.stack([np.full(len(rows), number), rows], axis=1))
        grounds.append(np.stack([np.full(len(rows), number), index["ground"][rows]], axis=1))
        extents.append(extent[rows])
    look, ground, extent = (np.concatenate(parts) for parts in (looks, grounds, extents))
    order = np.lexsort((look[:, 1], ground[:, 1], ground[:, 0]))
    look, ground, extent = look[order], ground[order], extent[order]
    begins = np.ones(len(look), dtype=np.bool_)
    begins[1:] = (ground[1:] != ground[:-1]).any(axis=1)
    first = np.append(np.flatnonzero(begins), len(look))
    return ChipSource(
        splits=tuple(store["train"] for store in stores),
        bands=tuple(info.bands.index(role) for role in roles),
        looks=look,
        first=first,
        extent_px=extent[first[:-1]],
        left_out=total - len(look),
        simulated_only=all(store.info.simulated_only for store in stores),
    )


def _serves(text: str, needed: set[str], roles: Sequence[str]) -> bool:
    """Whether a chip with the bands `text` has those that are needed, or any where none is."""
    have = set(text.split())
    return needed <= have if needed else bool(have & set(roles))


def _spread(length: int, count: int) -> I64:
    return np.unique(np.linspace(0, length - 1, min(count, length)).astype(np.int64))


def _middle(
    split: ChipSplit, row: int, bands: tuple[int, ...], side_px: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
    """The middle of what the scene fills of a chip, dB [bands, s, s], and its labels; beyond the chip's own part nodata."""
    part = tuple(
        slice(start, start + side_px)
        for length in (split.index["height_px"][row], split.index["width_px"][row])
        for start in [max(0, (int(length) - side_px) // 2)]
    )
    db = split.read_db(row, part)[0, list(bands)]
    return db, split.labels[row, part[0], part[1]]


def _standardised(middles: Sequence[npt.NDArray[np.float32]], bands: Sequence[BandSpec], side_px: int) -> Tensor:
    x = [standardise(middle, bands)[0] for middle in middles]
    return torch.from_numpy(np.stack(x) if x else np.empty((0, len(bands), side_px, side_px), dtype=np.float32))


def _labelled_probe(
    splits: Sequence[ChipSplit], source: ChipSource, bands: Sequence[BandSpec], side_px: int, count: int
) -> tuple[Tensor, I64]:
    """Middles of labelled chips spread over the splits, and the class that covers most of each. Labels that may be one of
    several classes do not count; chips without another are left out.
    """
    needed = {band.role for band in bands if not band.optional}
    roles = [band.role for band in bands]
    places = [
        (split, row)
        for split in splits
        for row in np.flatnonzero(split.index["labelled_share"] > 0).tolist()
        if _serves(split.index["bands"][row], needed, roles)
    ]
    middles, classes = [], []
    for chosen in _spread(len(places), count) if places else ():
        split, row = places[chosen]
        middle, labels = _middle(split, row, source.bands, side_px)
        counts = np.bincount(labels.ravel(), minlength=256)
        sure = [value for value, codes in split.info.label_sets.items() if len(codes) == 1]
        found = {split.info.label_sets[value][0]: int(counts[value]) for value in sure if counts[value]}
        if found:
            middles.append(middle)
            classes.append(max(found, key=lambda code: found[code]))
    return _standardised(middles, bands, side_px), np.array(classes, dtype=np.int64)
