# SPDX-License-Identifier: GPL-2.0-or-later
"""The labelled chips of several stores: which of them are used, how often each is drawn, and what their labels say."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from backend.model_card import BandSpec, ModelCard
from training.chips.store import ChipSplit, ChipStore, StoreError, open_store
from training.config import SPACING_M
from training.finetuning.config import FinetuneConfig, StoreConfig
from training.finetuning.label_sets import label_tables
from training.metrics import BoolArray

I64 = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LabelledChips:
    """Chips of one store's split that carry labels of the model's classes."""

    name: str
    """Name of the store's folder."""
    split: ChipSplit
    rows: I64
    """[n]: rows of the split's arrays."""
    table: npt.NDArray[np.uint8]
    """[256]: what a stored label value says, as a row of `LabelledData.members`; IGNORE where nothing."""
    labelled_px: I64
    """[n, sets]: pixels of each chip by what their label says."""
    bands: tuple[int, ...]
    """For each of the model's bands the store's band; -1 where it has none."""

    def __len__(self) -> int:
        return len(self.rows)

    def places(self) -> npt.NDArray[Any]:
        """Place of each chip."""
        of_chips: npt.NDArray[Any] = self.split.index["place"][self.rows]
        return of_chips

    def subset(self, kept: npt.NDArray[np.integer]) -> LabelledChips:
        return LabelledChips(self.name, self.split, self.rows[kept], self.table, self.labelled_px[kept], self.bands)


@dataclass(frozen=True)
class LabelledData:
    """What a fine-tuning learns from and is scored on."""

    members: BoolArray
    """[sets, classes]: what a target stands for, see `label_sets.py`."""
    train: tuple[LabelledChips, ...]
    chances: tuple[F64, ...]
    """For each of `train`: the chance of each of its chips to be drawn; over all of them they sum to 1."""
    validation: tuple[LabelledChips, ...]
    left_out: str
    """What was left out and why, for people; empty where nothing was."""

    def __len__(self) -> int:
        return sum(map(len, self.train))

    def label_shares(self) -> F64:
        """[sets]: how common each kind of label is among the pixels that training sees."""
        shares = np.zeros(len(self.members))
        for chips, chance in zip(self.train, self.chances, strict=True):
            shares += chance @ chips.labelled_px
        whole: F64 = shares / shares.sum()
        return whole


def open_labelled(config: FinetuneConfig, card: ModelCard) -> LabelledData:
    """The chips that `config` names. Raises StoreError and ValueError with all that stands against them."""
    stores, problems = _open_stores(config)
    if problems:
        raise StoreError("; ".join(problems))
    codes = tuple(item.code for item in card.classes)
    members, tables = label_tables(codes, [store.info.label_sets for store in stores])
    train: list[LabelledChips] = []
    validation: list[LabelledChips] = []
    notes: list[str] = []
    for wanted, store, table in zip(config.data.stores, stores, tables, strict=True):
        try:
            _check_form(config, store)
            bands = _store_bands(card.bands, store)
            train.append(_labelled(wanted, store, "train", table, len(members), bands, card.bands, notes))
            if wanted.validate:
                validation.append(_labelled(wanted, store, "validation", table, len(members), bands, card.bands, notes))
        except ValueError as error:
            problems.append(str(error))
    if not problems:
        problems += _lacks(card, members, train, validation)
    if problems:
        raise ValueError("; ".join(problems))
    # After the check: a small share may lack a rare class, and is to be trained on all the same.
    shares = (config.label_fraction if wanted.label_fraction is None else wanted.label_fraction for wanted in config.data.stores)
    used = tuple(_fraction(chips, share, config.seed) for chips, share in zip(train, shares, strict=True))
    kept = tuple(chips for chips in validation if len(chips))
    return LabelledData(members, used, _chances(config, used), kept, "; ".join(notes))


def _open_stores(config: FinetuneConfig) -> tuple[list[ChipStore], list[str]]:
    stores, problems = [], []
    for wanted in config.data.stores:
        try:
            stores.append(open_store(wanted.folder))
        except StoreError as error:
            problems.append(str(error))
    return stores, problems


def _check_form(config: FinetuneConfig, store: ChipStore) -> None:
    info = store.info
    if info.chip_px < config.data.crop_px:
        raise ValueError(f"{store.folder} has chips of {info.chip_px} px, smaller than data.crop_px {config.data.crop_px}")
    if info.spacing_m != SPACING_M:
        raise ValueError(f"{store.folder} has chips of {info.spacing_m:g} m; models are made for {SPACING_M:g} m")


def _store_bands(bands: Sequence[BandSpec], store: ChipStore) -> tuple[int, ...]:
    """For each of the model's bands the store's. Raises ValueError where one is missing that the model needs."""
    have = store.info.bands
    missing = [band.role for band in bands if band.role not in have and not band.optional]
    if missing or not any(band.role in have for band in bands):
        raise ValueError(
            f"{store.folder} holds {', '.join(have)}; the model needs {', '.join(missing) or 'any of its bands'} "
            "(with data.channel_drop above 0 a band may be absent)"
        )
    return tuple(have.index(band.role) if band.role in have else -1 for band in bands)


def _labelled(
    wanted: StoreConfig,
    store: ChipStore,
    split_name: str,
    table: npt.NDArray[np.uint8],
    sets: int,
    bands: tuple[int, ...],
    specs: Sequence[BandSpec],
    notes: list[str],
) -> LabelledChips:
    """The chips of one split that are used. Raises ValueError for sources or places that the store does not have."""
    split = store[split_name]
    unknown = [name for name in wanted.only_sources if name not in {source.name for source in store.info.sources}]
    if unknown:
        raise ValueError(f"{store.folder} has no source {', '.join(unknown)}; it has {_listed(s.name for s in store.info.sources)}")
    used = np.ones(len(split), dtype=np.bool_)
    if wanted.only_sources:
        used &= np.isin(split.index["source"], wanted.only_sources)
    for pattern in wanted.hold_out_places:
        of_pattern = held_out(split.index["place"], (pattern,))
        used &= ~of_pattern
        if split_name == "train":
            notes.append(f"{store.folder.name}: {pattern!r} holds out {int(of_pattern.sum())} training chips")
    needed = {spec.role for spec in specs if not spec.optional}
    whole = {text: needed <= set(text.split()) for text in set(split.index["bands"].tolist())}
    incomplete = used & ~np.array([whole[text] for text in split.index["bands"]], dtype=np.bool_)
    used &= ~incomplete
    rows = np.flatnonzero(used)
    labelled_px = np.zeros((len(rows), sets), dtype=np.int64)
    for number, row in enumerate(rows.tolist()):  # chip by chip: memory stays flat whatever the store's size
        if split.index["labelled_share"][row] > 0:
            labelled_px[number] = np.bincount(table[split.labels[row]].ravel(), minlength=256)[:sets]
    kept = labelled_px.any(axis=1)
    why_not = {"lack a band": int(incomplete.sum()), "say nothing of the classes": int((~kept).sum())}
    told = ", ".join(f"{count} chips {why}" for why, count in why_not.items() if count)
    if told:
        notes.append(f"{store.folder.name}, {split_name}: {told}")
    return LabelledChips(store.folder.name, split, rows[kept], table, labelled_px[kept], bands)


def held_out(places: npt.NDArray[Any], patterns: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Which of `places` one of the regular expressions names whole."""
    names = {place for place in set(places.tolist()) if any(re.fullmatch(pattern, place) for pattern in patterns)}
    return np.isin(places, sorted(names)) if names else np.zeros(len(places), dtype=np.bool_)


def _fraction(chips: LabelledChips, fraction: float, seed: int) -> LabelledChips:
    """A share of the chips, spread over places: one chip of each place in turn, places and chips in an order of the seed.

    The order does not depend on the share, so that 1% is part of 5%.
    """
    if fraction >= 1 or not len(chips):
        return chips
    rng = np.random.default_rng([seed, 3])
    _, place = np.unique(chips.places(), return_inverse=True)
    place_order = rng.permutation(int(place.max()) + 1)
    shuffled = rng.permutation(len(chips))
    turn = np.empty(len(chips), dtype=np.int64)  # how many chips of the same place come before
    seen: dict[int, int] = {}
    for chip in shuffled.tolist():
        turn[chip] = seen.get(int(place[chip]), 0)
        seen[int(place[chip])] = int(turn[chip]) + 1
    order = np.lexsort((place_order[place], turn))
    return chips.subset(np.sort(order[: max(1, round(fraction * len(chips)))]))


def _chances(config: FinetuneConfig, train: Sequence[LabelledChips]) -> tuple[F64, ...]:
    """Stores by their weights; in a store places by a power of their labelled pixels; in a place chips by the same power."""
    weights = np.array([store.weight for store in config.data.stores])
    weights = weights / weights.sum()
    power, found = config.data.place_balance, []
    for weight, chips in zip(weights, train, strict=True):
        pixels = chips.labelled_px.sum(axis=1).astype(np.float64)
        _, place = np.unique(chips.places(), return_inverse=True)
        of_place = np.bincount(place, pixels) ** power
        within = pixels**power
        within /= np.bincount(place, within)[place]
        chance = within * of_place[place]
        found.append(weight * chance / chance.sum())
    return tuple(found)


def _lacks(card: ModelCard, members: BoolArray, train: Sequence[LabelledChips], validation: Sequence[LabelledChips]) -> list[str]:
    """What the chips that are left do not suffice for."""
    problems = [
        f"{chips.name} holds no training chip that says anything of the classes {[item.code for item in card.classes]}"
        for chips in train
        if not len(chips)
    ]
    if not any(map(len, validation)):
        problems.append("no validation chip is left: name a store that has some, or make it with another validation share")
    elif not sum(chips.labelled_px[:, : len(card.classes)].sum() for chips in validation):
        problems.append("no validation chip has a label of one class alone, so that no IoU can be told")
    pixels = sum(chips.labelled_px.sum(axis=0) for chips in train)
    never = [
        f"{item.code} ({item.name})"
        for number, item in enumerate(card.classes)
        if not np.sum(pixels[: len(card.classes)][number])  # alone; within a set a class is never told from the others
    ]
    if never and not problems:
        problems.append(f"no training chip is labelled {', '.join(never)}: take it out of data.classes, or add chips with it")
    return problems


def label_legend(data: LabelledData, card: ModelCard) -> Mapping[str, float]:
    """How common each kind of label is among the pixels that training sees, by class names joined with `or`."""
    names = [" or ".join(item.name for item, held in zip(card.classes, row, strict=True) if held) for row in data.members]
    return {name: round(float(share), 4) for name, share in zip(names, data.label_shares(), strict=True)}


def _listed(names: Any) -> str:
    return ", ".join(sorted(names))
