# SPDX-License-Identifier: GPL-2.0-or-later
"""Chips for pre-training, which of them a step takes, and the labelled probe that its health is measured on.

Which chips a step sees, and how its views are drawn, follow from seed and step alone: a run that goes on after a stop, or that
is split among processes, sees the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from backend.model_card import BandSpec
from backend.radiometry import standardise
from training.config import DataConfig
from training.crops import I64, ViewDraws, draw_views
from training.pretrain_config import ChipSourceConfig, PretrainConfig
from training.scene_chips import Chips, open_chips

CHECKED_SHARE_PX = 4
"""Every fourth pixel along each side is looked at to tell how much of a chip has data."""


@dataclass(frozen=True)
class ChipSource:
    """Chips of one or several memory-mapped arrays [N, dates, bands, S, S] in dB, NaN nodata."""

    names: tuple[str, ...]
    arrays: tuple[npt.NDArray[Any], ...]
    table: I64
    """[chips, 2]: array and row of each chip that is used."""
    left_out: int
    simulated_only: bool

    def __len__(self) -> int:
        return len(self.table)

    @property
    def chip_px(self) -> int:
        return int(self.arrays[0].shape[-1])

    @property
    def views_of_two_dates(self) -> bool:
        return any(array.shape[1] > 1 for array in self.arrays)

    def dates_of(self, indices: I64) -> I64:
        """Number of dates of each of the chips."""
        dates: I64 = np.array([array.shape[1] for array in self.arrays])[self.table[indices, 0]]
        return dates

    def read(self, indices: I64, dates: I64) -> Tensor:
        """Decibels of chips `indices` [n] at their `dates` [n, k], [n, k, bands, S, S], in the type that they are stored in."""
        rows = [
            self.arrays[array][row][chosen]
            for (array, row), chosen in zip(self.table[indices].tolist(), dates.tolist(), strict=True)
        ]
        return torch.from_numpy(np.stack(rows))

    def name(self, index: int) -> str:
        """Where chip `index` came from."""
        array, row = self.table[index]
        return f"{self.names[array]}, chip {row}"


@dataclass(frozen=True)
class Probe:
    """Chips whose embeddings are looked at. With labels: the class that covers most of each chip, for the k-NN check."""

    bank: Tensor
    """[P, bands, s, s], standardised."""
    bank_labels: I64 | None
    queries: Tensor | None
    """Of scenes that the encoder does not see."""
    query_labels: I64 | None


@dataclass(frozen=True)
class StepPlan:
    """What one step sees: chips [n], their dates [n, 1 or 2], and how views are drawn."""

    indices: I64
    dates: I64
    global_draws: ViewDraws
    local_draws: ViewDraws | None

    def part(self, rank: int, size: int) -> StepPlan:
        """The part of one of `size` processes."""
        each = len(self.indices) // size
        start, stop = rank * each, (rank + 1) * each
        local_draws = None if self.local_draws is None else self.local_draws.part(start, stop)
        return StepPlan(self.indices[start:stop], self.dates[start:stop], self.global_draws.part(start, stop), local_draws)


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
    draws = [
        draw_views(rng, batch, views, scale, side_px, source.chip_px, bands, crops) if views else None
        for views, scale, side_px in (
            (2, crops.global_scale, crops.global_px),
            (crops.local_count, crops.local_scale, crops.local_px),
        )
    ]
    assert draws[0] is not None
    return StepPlan(indices, dates, draws[0], draws[1])


def steps_per_epoch(config: PretrainConfig, source: ChipSource) -> int:
    return len(source) // config.batch_size


@lru_cache(maxsize=2)
def _order(seed: int, epoch: int, chips: int) -> I64:
    return np.random.default_rng([seed, 0, epoch]).permutation(chips)


def open_source(config: PretrainConfig, bands: Sequence[BandSpec]) -> tuple[ChipSource, Probe]:
    """The chips and the probe. Raises FileNotFoundError, and ValueError for arrays of another form or too few chips."""
    data = config.data
    names: list[str] = []
    arrays: list[npt.NDArray[Any]] = []
    validation: Chips | None = None
    train: Chips | None = None
    if data.folder is not None:
        train, validation = open_chips(DataConfig(folder=data.folder, validation_share=data.validation_share, chip_px=data.chip_px))
        names.append(str(data.folder))
        arrays.append(train.values_db[:, None])
    for path in data.arrays:
        names.append(path.name)
        arrays.append(open_array(path, data.chip_px, len(bands)))
    table, left_out = _usable(arrays, data)
    simulated = train is not None and train.simulated and not data.arrays
    source = ChipSource(tuple(names), tuple(arrays), table, left_out, simulated)
    if len(source) < config.batch_size:
        raise ValueError(
            f"{len(source)} chips can be used ({left_out} hold too little data), fewer than one batch of {config.batch_size}."
        )
    if source.views_of_two_dates and config.crops.local_count % 2:
        raise ValueError("Chips of several dates need an even crops.local_count: views take turns between two dates.")
    side_px = min(config.crops.global_px, data.chip_px) // config.encoder.patch_px * config.encoder.patch_px
    if train is not None and validation is not None:
        bank, bank_labels = _labelled_probe(train, bands, side_px, config.probe_chips)
        queries, query_labels = _labelled_probe(validation, bands, side_px, config.probe_chips)
        if len(bank) and len(queries):
            return source, Probe(bank, bank_labels, queries, query_labels)
    chosen = _spread(len(source), config.probe_chips)
    chips_db = source.read(chosen, np.zeros((len(chosen), 1), dtype=np.int64))[:, 0].float().numpy()
    return source, Probe(_centres(chips_db, bands, side_px), None, None, None)


def open_array(path: Path, chip_px: int, bands: int) -> npt.NDArray[Any]:
    """The .npy file at `path`, memory-mapped, as [N, dates, bands, S, S]. Raises FileNotFoundError, ValueError."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there.")
    try:
        array: npt.NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise ValueError(f"{path} is not a whole .npy file: {error}") from error
    array = array[:, None] if array.ndim == 4 else array
    whole = array.ndim == 5 and array.shape[1] >= 1 and array.shape[2:] == (bands, chip_px, chip_px)
    if not whole or array.dtype not in (np.float16, np.float32):
        raise ValueError(
            f"{path} is {array.dtype} {list(array.shape)}; float16 or float32 [N, {bands}, {chip_px}, {chip_px}], or "
            f"[N, dates, {bands}, {chip_px}, {chip_px}], is needed."
        )
    return array


def _usable(arrays: Sequence[npt.NDArray[Any]], data: ChipSourceConfig) -> tuple[I64, int]:
    """Array and row of the chips with enough data at every date, and how many have not."""
    found: list[tuple[int, int]] = []
    total = 0
    for number, array in enumerate(arrays):
        total += len(array)
        for row in range(len(array)):  # chip by chip: memory stays flat whatever the array's size
            present = np.isfinite(array[row, ..., ::CHECKED_SHARE_PX, ::CHECKED_SHARE_PX]).mean(axis=(1, 2, 3))
            if present.min() >= data.min_valid_share:
                found.append((number, row))
    return np.array(found, dtype=np.int64).reshape(-1, 2), total - len(found)


def _spread(length: int, count: int) -> I64:
    return np.unique(np.linspace(0, length - 1, min(count, length)).astype(np.int64))


def _centres(chips_db: npt.NDArray[np.float32], bands: Sequence[BandSpec], side_px: int) -> Tensor:
    start = (chips_db.shape[-1] - side_px) // 2
    part = chips_db[..., start : start + side_px, start : start + side_px]
    x = [standardise(chip, bands)[0] for chip in part]
    return torch.from_numpy(np.stack(x) if x else np.empty((0, len(bands), side_px, side_px), dtype=np.float32))


def _labelled_probe(chips: Chips, bands: Sequence[BandSpec], side_px: int, count: int) -> tuple[Tensor, I64]:
    """Middles of chips spread over the split, and the class that covers most of each; chips without any label are left out."""
    chosen = _spread(len(chips), count)
    start = (chips.labels.shape[-1] - side_px) // 2
    middle = chips.labels[chosen, start : start + side_px, start : start + side_px].reshape(len(chosen), -1)
    counts = np.stack([np.bincount(labels, minlength=256) for labels in middle])
    counts[:, 0] = 0  # unlabelled
    kept = counts.any(axis=1)
    chips_db = chips.values_db[chosen[kept]].astype(np.float32)
    return _centres(chips_db, bands, side_px), counts[kept].argmax(axis=1)
