# SPDX-License-Identifier: GPL-2.0-or-later
"""Labelled crops of a step: drawn by seed and step alone, read from the memory maps, and made the network's input on its device.

A run that goes on after a stop, or that is split among processes, sees the same crops.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from backend.model_card import BandSpec
from training.finetuning.config import LabelledDataConfig
from training.finetuning.labelled_data import I64, LabelledChips, LabelledData
from training.metrics import IGNORE
from training.pretraining.crops import standardise_batch, valid_pixels
from training.speckle import speckle_db

F32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class CropDraws:
    """How the crops of a step are made, [n] each unless said: numbers in 0..1 are turned into places when the chip is read."""

    store: I64
    chip: I64
    """Number among the store's chips that are used."""
    date: F32
    corner: F32
    """[n, 2]: where the crop lies, from the first to the last row and column that it can begin at."""
    pixel: F32
    """Which labelled pixel the crop is moved to, where it would hold none or is placed on a kind of label."""
    kind: F32
    """Which of the chip's kinds of label the crop is placed on; below 0: on none, it lies where `corner` says."""
    mirrored: npt.NDArray[np.bool_]
    """[n, 2]: along rows, along columns."""
    transposed: npt.NDArray[np.bool_]
    strip: F32
    """[n, 2]: width of the nodata strip as a share of half the crop (0: none); below 0.5 it lies along the columns."""
    gain_db: F32
    """[n, bands]"""
    looks: F32
    """Of the speckle; infinite for none."""
    noise_seed: I64
    dropped_band: I64
    """Index, or -1."""

    def part(self, rank: int, size: int) -> CropDraws:
        """The part of one of `size` processes."""
        each = len(self.store) // size
        return CropDraws(**{item.name: getattr(self, item.name)[rank * each : (rank + 1) * each] for item in fields(self)})


class CropPlanner:
    """Draws the crops of any step."""

    def __init__(self, data: LabelledData, config: LabelledDataConfig, bands: int, batch_size: int, seed: int) -> None:
        self._config, self._bands, self._batch_size, self._seed = config, bands, batch_size, seed
        self._firsts = np.cumsum([0, *(len(chips) for chips in data.train)])
        # The last bound is above any number drawn, whatever the rounding of the sum.
        self._bounds = np.cumsum(np.concatenate(data.chances))
        self._bounds[-1] = 1.0

    def draws(self, step: int) -> CropDraws:
        """Of the whole team's step."""
        config, n = self._config, self._batch_size
        rng = np.random.default_rng([self._seed, 1, step])
        chosen = np.searchsorted(self._bounds, rng.random(n), side="right")
        store = np.searchsorted(self._firsts, chosen, side="right") - 1
        gain_db = rng.uniform(-config.gain_db, config.gain_db, (n, 1))
        band_gain_db = rng.uniform(-config.band_gain_db, config.band_gain_db, (n, self._bands))
        strip = rng.random((n, 2)) * np.stack([rng.random(n) < config.nodata_chance, np.ones(n)], axis=1)
        looks = rng.uniform(*config.speckle_looks, n)
        kind = np.where(rng.random(n) < config.label_balance, rng.random(n), -1.0)
        return CropDraws(
            store=store,
            chip=chosen - self._firsts[store],
            date=rng.random(n).astype(np.float32),
            corner=rng.random((n, 2)).astype(np.float32),
            pixel=rng.random(n).astype(np.float32),
            kind=kind.astype(np.float32),
            mirrored=(rng.random((n, 2)) < 0.5) & config.flip,
            transposed=(rng.random(n) < 0.5) & config.transpose,
            strip=strip.astype(np.float32),
            gain_db=(gain_db + band_gain_db).astype(np.float32),
            looks=np.where(rng.random(n) < config.speckle_chance, looks, np.inf).astype(np.float32),
            noise_seed=rng.integers(0, 2**62, n),
            dropped_band=np.where(rng.random(n) < config.channel_drop, rng.integers(0, self._bands, n), -1),
        )


def read_crops(data: LabelledData, draws: CropDraws, crop_px: int) -> tuple[F32, npt.NDArray[np.uint8]]:
    """Decibels float32 [n, bands, S, S], NaN nodata, and targets uint8 [n, S, S], mirrored and with nodata strips."""
    count, bands = draws.gain_db.shape
    values_db = np.empty((count, bands, crop_px, crop_px), dtype=np.float32)
    target = np.empty((count, crop_px, crop_px), dtype=np.uint8)
    for number in range(count):
        chips = data.train[draws.store[number]]
        chip, corner = int(draws.chip[number]), draws.corner[number]
        part = _crop(chips, chip, corner, float(draws.pixel[number]), float(draws.kind[number]), crop_px)
        db, label = _read(chips, chip, float(draws.date[number]), part)
        width, side = draws.strip[number]
        if width > 0:
            end = 1 + int(width * (crop_px // 2 - 1))
            db[(slice(None), *(np.s_[:, :end] if side < 0.5 else np.s_[:end, :]))] = np.nan
        flips = tuple(slice(None, None, -1 if mirror else 1) for mirror in draws.mirrored[number])
        db, label = db[(slice(None), *flips)], label[flips]
        turned = draws.transposed[number]
        values_db[number], target[number] = (db.swapaxes(1, 2), label.T) if turned else (db, label)
    return values_db, target


def _crop(chips: LabelledChips, chip: int, corner: F32, pixel: float, kind: float, crop_px: int) -> tuple[slice, slice]:
    """Where the crop lies: on a pixel of a kind of label, or anywhere in what the scene fills of the chip; moved onto a labelled
    pixel where it would hold none.
    """
    row = chips.rows[chip]
    index = chips.split.index
    # A scene smaller than the crop lies in the upper left corner; the rest of the crop is nodata.
    room = [max(int(index[key][row]) - crop_px, 0) for key in ("height_px", "width_px")]
    part = _part([int(share * (last + 1)) for share, last in zip(corner, room, strict=True)], crop_px)
    labels = chips.split.labels[row]
    if kind >= 0:
        kinds = np.flatnonzero(chips.labelled_px[chip])
        wanted = chips.table[labels] == kinds[int(kind * len(kinds))]
    elif (chips.table[labels[part]] == IGNORE).all():
        wanted = chips.table[labels] != IGNORE
    else:
        return part
    found = np.flatnonzero(wanted)
    place = np.unravel_index(found[int(pixel * len(found))], labels.shape)
    starts = [int(at) - int(share * crop_px) for at, share in zip(place, corner, strict=True)]
    return _part([min(max(start, 0), last) for start, last in zip(starts, room, strict=True)], crop_px)


def _part(starts: Sequence[int], crop_px: int) -> tuple[slice, slice]:
    return slice(starts[0], starts[0] + crop_px), slice(starts[1], starts[1] + crop_px)


def _read(chips: LabelledChips, chip: int, date: float, part: tuple[slice, slice]) -> tuple[F32, npt.NDArray[np.uint8]]:
    """Decibels float32 [bands, h, w] of the model's bands, NaN where the store has none, and targets [h, w]."""
    row = int(chips.rows[chip])
    stored = chips.split.read_db(row, part)  # [dates, bands, h, w]
    stored = stored[int(date * len(stored))]
    db = np.stack([stored[band] if band >= 0 else np.full(stored.shape[1:], np.nan, np.float32) for band in chips.bands])
    return db, chips.table[chips.split.labels[(row, *part)]]


def read_window(chips: LabelledChips, chip: int, window_px: int) -> tuple[F32, npt.NDArray[np.uint8]]:
    """Decibels [bands, S, S] and targets [S, S] of a chip seen through one window around the middle of what is labelled."""
    labels = chips.split.labels[int(chips.rows[chip])]
    rows, columns = np.nonzero(chips.table[labels] != IGNORE)
    side = min(window_px, labels.shape[0])
    starts = [min(max(int(at.mean()) + 1 - side // 2, 0), labels.shape[0] - side) for at in (rows, columns)]
    return _read(chips, chip, 0.0, _part(starts, side))


def network_input(
    values_db: F32, target: npt.NDArray[np.uint8], bands: Sequence[BandSpec], device: torch.device, draws: CropDraws | None = None
) -> tuple[Tensor, Tensor]:
    """Standardised float32 [n, bands, S, S] and targets int64 [n, S, S] on the device; pixels without data are IGNORE.

    With `draws`: their gains and speckle are added and their bands dropped, but never the only one that a crop has.
    """
    db, labels = torch.from_numpy(values_db).to(device), torch.from_numpy(target).to(device).long()
    present = torch.isfinite(db)
    if draws is not None:
        db = db + _on(draws.gain_db, device)[:, :, None, None]
        if np.isfinite(draws.looks).any():
            looks, seed = (_on(values, device)[:, None] for values in (draws.looks, draws.noise_seed))
            # Bands have speckle of their own: [n, 1, bands, S, S].
            db = db + speckle_db(looks, seed, db.shape[1:]).squeeze(1)
        dropped = _on(draws.dropped_band, device)[:, None] == torch.arange(len(bands), device=device)  # [n, bands]
        left = present & ~dropped[:, :, None, None]
        present = torch.where(left.flatten(1).any(dim=1)[:, None, None, None], left, present)
    x = standardise_batch(db, present, bands)
    return x, torch.where(valid_pixels(present, bands)[:, 0], labels, IGNORE)


def _on(values: npt.NDArray[Any], device: torch.device) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values)).to(device, non_blocking=True)
