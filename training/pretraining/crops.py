# SPDX-License-Identifier: GPL-2.0-or-later
"""Views of chips: random crops, gains and speckle, on tensors, all views of one size by one `grid_sample`.

What is random is drawn beforehand with NumPy, for the whole team's batch of a step: a chip's views are the same whichever
process renders them. Pixels are averaged as linear power, with nodata left out, and carried in decibels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as functional
from torch import Tensor

from backend.model_card import BandSpec
from training.config import SPACING_M
from training.pretraining.config import CropsConfig
from training.speckle import speckle_db

F32 = npt.NDArray[np.float32]
I64 = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ViewDraws:
    """How `count` views of one size are made from each of `chips` chips; all arrays are [chips, count, ..]."""

    centre_px: F32
    """[.., 2]: row and column of the view's centre in the chip; (0, 0) is the chip's upper left corner."""
    step_px: F32
    """[.., 2]: chip pixels between neighbours of the view, along the chip's rows and columns."""
    mirrored: npt.NDArray[np.bool_]
    """[.., 2]: along rows, along columns."""
    transposed: npt.NDArray[np.bool_]
    """[..]"""
    gain_db: F32
    """[.., bands]"""
    looks: F32
    """[..]: of the speckle to multiply with; infinite for none."""
    noise_seed: I64
    """[..]"""
    dropped_band: I64
    """[..]: index, or -1."""

    def part(self, start: int, stop: int) -> ViewDraws:
        """The draws of chips `start` to `stop`."""
        return ViewDraws(**{item.name: getattr(self, item.name)[start:stop] for item in fields(self)})


def draw_views(
    rng: np.random.Generator,
    chips: int,
    count: int,
    scale: tuple[float, float],
    view_px: int,
    chip_px: int | I64,
    bands: int,
    config: CropsConfig,
) -> ViewDraws:
    """Random views as torchvision's RandomResizedCrop draws them (area uniform in `scale`, log of the aspect uniform), with each
    side then held within the chip and within `config.spacing_m`. `chip_px` is the side of the chips, or [chips, 2] rows and
    columns from each chip's upper left corner that views lie in.

    Example: a view of 64 px of 40% of a chip of 128 px is 81 px wide, 12.6 m a pixel; one of 5% is 29 px wide, which would
    be 4.5 m, and is widened to 32 px, 5 m.
    """
    shape = (chips, count)
    extent_px = np.broadcast_to(np.asarray(chip_px, dtype=np.float64), (chips, 2))[:, None]  # [chips, 1, 2]
    area_px = rng.uniform(*scale, shape) * extent_px.prod(axis=-1)
    aspect = np.exp(rng.uniform(math.log(config.aspect[0]), math.log(config.aspect[1]), shape))
    side_px = np.stack([np.sqrt(area_px / aspect), np.sqrt(area_px * aspect)], axis=-1)
    low, high = (spacing / SPACING_M for spacing in config.spacing_m)
    step_px = np.clip(side_px / view_px, low, np.minimum(high, extent_px / view_px))
    margin_px = step_px * view_px / 2
    gain_db = rng.uniform(-config.gain_db, config.gain_db, (*shape, 1))
    looks = rng.uniform(*config.speckle_looks, shape)
    return ViewDraws(
        centre_px=(margin_px + rng.random((*shape, 2)) * (extent_px - 2 * margin_px)).astype(np.float32),
        step_px=step_px.astype(np.float32),
        mirrored=(rng.random((*shape, 2)) < 0.5) & config.flip,
        transposed=(rng.random(shape) < 0.5) & config.transpose,
        gain_db=(gain_db + rng.uniform(-config.band_gain_db, config.band_gain_db, (*shape, bands))).astype(np.float32),
        looks=np.where(rng.random(shape) < config.speckle_chance, looks, np.inf).astype(np.float32),
        noise_seed=rng.integers(0, 2**62, shape),
        dropped_band=np.where(rng.random(shape) < config.channel_drop, rng.integers(0, bands, shape), -1),
    )


def power_planes(chips_db: Tensor) -> Tensor:
    """Of dB [N, dates, bands, S, S]: linear power (0 where nodata), then presence (0 or 1), float32 [N, dates, 2 bands, S, S]."""
    chips_db = chips_db.float()
    present = torch.isfinite(chips_db)
    power = torch.where(present, torch.exp(chips_db * (math.log(10) / 10)), 0.0)
    return torch.cat([power, present.float()], dim=2)


def render_views(planes: Tensor, draws: ViewDraws, view_px: int, bands: Sequence[BandSpec]) -> Tensor:
    """Network input float32 [count * N, bands, view_px, view_px], view by view, of `power_planes`' result.

    Of several dates, views take turns: the first view is of the first date, the second of the second, and so on. `count` must
    be a multiple of the dates. A pixel has data where at least half of what it averages has. A band is dropped only where
    another one is left.
    """
    chips, dates, doubled, side_px, _ = planes.shape
    count = draws.looks.shape[1]
    device = planes.device
    grid = _grid(draws, view_px, side_px, device)  # [chips, count, view, view, 2]
    each = count // dates
    # The views of one date below each other, so that no chip is copied: [chips * dates, each * view, view, 2].
    grid = grid.view(chips, each, dates, view_px, view_px, 2).transpose(1, 2).reshape(chips * dates, each * view_px, view_px, 2)
    sampled = functional.grid_sample(
        planes.reshape(chips * dates, doubled, side_px, side_px), grid, mode="bilinear", padding_mode="zeros", align_corners=False
    )
    sampled = sampled.view(chips, dates, doubled, each, view_px, view_px).permute(3, 1, 0, 2, 4, 5)
    sampled = sampled.reshape(count, chips, doubled, view_px, view_px)
    power, weight = sampled.chunk(2, dim=2)
    valid = weight >= 0.5
    db = torch.log10((power / weight.clamp_min(0.5)).clamp_min(1e-9)) * 10
    db = db + _speckle_db(draws, db.shape, device) + _tensor(draws.gain_db, device).transpose(0, 1)[..., None, None]
    dropped = _tensor(draws.dropped_band, device).T[..., None] == torch.arange(len(bands), device=device)  # [count, chips, bands]
    left = valid & ~dropped[..., None, None]
    # A view keeps the only band that its chip has.
    valid = torch.where(left.flatten(2).any(dim=2)[..., None, None, None], left, valid)
    return standardise_batch(db.flatten(0, 1), valid.flatten(0, 1), bands)


def standardise_batch(db: Tensor, present: Tensor, bands: Sequence[BandSpec]) -> Tensor:
    """`backend.radiometry.standardise` for a batch on any device: float32 [N, bands, H, W] of dB and of where it is there.

    A test holds it to the same bits as the backend's, which takes one array in main memory at a time.
    """
    valid = valid_pixels(present, bands)

    def planes(values: list[float]) -> Tensor:
        return torch.tensor(values, dtype=torch.float32, device=db.device)[:, None, None]

    low, high = planes([band.clip_db[0] for band in bands]), planes([band.clip_db[1] for band in bands])
    clipped = torch.minimum(torch.maximum(db, low), high)
    scaled = (clipped - planes([band.mean_db for band in bands])) * planes([1.0 / band.std_db for band in bands])
    return torch.where(present & valid, scaled, 0.0)


def valid_pixels(present: Tensor, bands: Sequence[BandSpec]) -> Tensor:
    """Where a model sees anything, bool [N, 1, H, W], of where each band is there: as `backend.radiometry.standardise` has it."""
    needed = [index for index, band in enumerate(bands) if not band.optional]
    return present[:, needed].all(dim=1, keepdim=True) if needed else present.any(dim=1, keepdim=True)


def _grid(draws: ViewDraws, view_px: int, chip_px: int, device: torch.device) -> Tensor:
    """Where each pixel of each view lies in its chip, [chips, count, view, view, 2] as grid_sample takes it: x and y, -1..1
    from edge to edge of the chip.
    """
    offset = torch.arange(view_px, device=device, dtype=torch.float32) + 0.5 - view_px / 2  # view pixels from the centre
    row, column = torch.meshgrid(offset, offset, indexing="ij")
    swap = _tensor(draws.transposed, device)[..., None, None]
    along_rows, along_columns = torch.where(swap, column, row), torch.where(swap, row, column)
    sign = 1.0 - 2.0 * _tensor(draws.mirrored, device).float()
    reach = (_tensor(draws.step_px, device) * sign)[..., None, None]  # [chips, count, 2, 1, 1]
    centre = _tensor(draws.centre_px, device)[..., None, None]
    chip_row = centre[:, :, 0] + along_rows * reach[:, :, 0]
    chip_column = centre[:, :, 1] + along_columns * reach[:, :, 1]
    return torch.stack([chip_column, chip_row], dim=-1) * (2.0 / chip_px) - 1.0


def _speckle_db(draws: ViewDraws, shape: torch.Size, device: torch.device) -> Tensor:
    """Decibels of speckle [count, chips, bands, view, view]."""
    if np.isinf(draws.looks).all():
        return torch.zeros((), device=device)
    return speckle_db(_tensor(draws.looks, device).T, _tensor(draws.noise_seed, device).T, shape[2:])


def _tensor(array: npt.NDArray[np.generic], device: torch.device) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array)).to(device, non_blocking=True)
