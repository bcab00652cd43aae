# SPDX-License-Identifier: GPL-2.0-or-later
"""One training measured in a process of its own: rate, time waited for data, floating-point operations, peak memory.

`ours` is fed as the commands are; `plain` is the same step fed by a torch DataLoader whose workers make each chip's views one by
one, as published DINO code does.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as functional
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torch.utils.flop_counter import FlopCounterMode

from backend.network.model import build_model
from backend.radiometry import standardise
from training.card import draft_card, encoder_card
from training.chips.store import ChipSplit
from training.distributed import Team, form_team, team_device
from training.feed import Feeder
from training.finetuning.config import FinetuneConfig, LabelledDataConfig, NetworkConfig, StoreConfig
from training.finetuning.labelled_data import open_labelled
from training.finetuning.run import FinetuneRun
from training.finetuning.segmenter import Segmenter
from training.finetuning.start_weights import Start
from training.pretraining.config import ChipSourceConfig, CropsConfig, DinoConfig, EncoderConfig, PretrainConfig, dino_numbers
from training.pretraining.crops import draw_views
from training.pretraining.data import open_source, steps_per_epoch
from training.pretraining.dino import Dino, Schedules
from training.pretraining.run import PretrainRun

WIDTHS = {"ViT-Ti": (192, 3), "ViT-S": (384, 6)}
WARM_UP_STEPS = 4
FED_BATCHES = 40
"""Many more than are made ahead."""
BF16_PEAK = {"H100": 989e12, "H200": 989e12, "A100": 312e12}
"""Dense bf16 operations a second that the makers name (NVIDIA's data sheets)."""


@dataclass(frozen=True)
class Case:
    """What is measured."""

    command: str
    """pretrain or finetune"""
    network: str
    """For example ViT-S/16."""
    feed: str
    """ours or plain"""
    device: str
    batch_size: int
    steps: int
    global_px: int
    """Of finetune, the crop."""
    local_px: int = 0
    local_count: int = 8
    workers: int = 2
    """Of the plain feed."""


def measure(store: str, case: dict[str, Any]) -> None:
    """Runs `case` on the store and prints what was measured as one line of JSON."""
    asked = Case(**case)
    device = team_device(asked.device)
    team = form_team(device)
    make = _pretraining if asked.command == "pretrain" else _finetuning
    step, feed = make(Path(store), asked, device, team)
    print(json.dumps(_timed(asked, step, feed, device)))
    team.disband()


Step = Callable[[Any], None]
Feed = Callable[[int], contextlib.AbstractContextManager[Callable[[], Any]]]
"""Of a number of batches: something that gives them one after the other."""


def _timed(case: Case, step: Step, feed: Feed, device: torch.device) -> dict[str, float]:
    waited_s = 0.0
    with feed(case.steps + WARM_UP_STEPS + 1) as take:
        for _ in range(WARM_UP_STEPS):
            step(take())
        _synchronise(device)
        started_s = time.perf_counter()
        for _ in range(case.steps):
            asked_s = time.perf_counter()
            batch = take()
            waited_s += time.perf_counter() - asked_s
            step(batch)
        _synchronise(device)
        elapsed_s = time.perf_counter() - started_s
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        if device.type == "cuda":
            peak_mb = torch.cuda.max_memory_allocated(device) / 2**20
        with FlopCounterMode(display=False) as counter:
            step(take())
    fed_s = _feed_alone(case, feed, device)
    flops = counter.get_total_flops() * case.steps / elapsed_s
    return {
        "images_per_s": case.steps * case.batch_size / elapsed_s,
        "waited": waited_s / elapsed_s,
        "fed_per_s": case.batch_size / fed_s,
        "tera_flops": flops / 1e12,
        "of_matmul": flops / _matmul_flops(device),
        "of_peak": flops / _named_peak(device) if _named_peak(device) else 0.0,
        "peak_mb": peak_mb,
    }


def _feed_alone(case: Case, feed: Feed, device: torch.device) -> float:
    """Seconds a batch takes to be made where nothing is trained: how much faster a device could become before it had to wait."""
    with feed(FED_BATCHES + WARM_UP_STEPS) as take:
        for _ in range(WARM_UP_STEPS):
            take()
        _synchronise(device)
        started_s = time.perf_counter()
        for _ in range(FED_BATCHES):
            take()
        _synchronise(device)
    return (time.perf_counter() - started_s) / FED_BATCHES


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _matmul_flops(device: torch.device) -> float:
    """Operations a second of a large bf16 matrix product on this device, measured: what a training could reach at most."""
    side = 8192 if device.type == "cuda" else 1024
    a, b = (torch.randn(side, side, device=device, dtype=torch.bfloat16) for _ in range(2))
    for _ in range(2):
        a @ b
    _synchronise(device)
    started_s, count = time.perf_counter(), 0
    while time.perf_counter() - started_s < 0.5:
        for _ in range(4):
            a @ b
        _synchronise(device)
        count += 4
    return 2 * side**3 * count / (time.perf_counter() - started_s)


def _named_peak(device: torch.device) -> float | None:
    if device.type != "cuda":
        return None
    return next((peak for name, peak in BF16_PEAK.items() if name in torch.cuda.get_device_name(device)), None)


def _pretraining(store: Path, case: Case, device: torch.device, team: Team) -> tuple[Step, Feed]:
    width, heads = WIDTHS[case.network.split("/")[0]]
    config = PretrainConfig(
        out=Path("unused"),
        data=ChipSourceConfig(stores=(store,)),
        crops=CropsConfig(global_px=case.global_px, local_px=case.local_px, local_count=case.local_count),
        encoder=EncoderConfig(embed_dim=width, num_heads=heads, patch_px=int(case.network.split("/")[1])),
        dino=DinoConfig(output_dim=4096),
        batch_size=case.batch_size,
        steps=10_000,
        probe_chips=2,
    )
    card = encoder_card(config)
    source, probe = open_source(config, card.bands)
    numbers = dino_numbers(config.dino, len(source))
    dino = Dino(card.encoder, len(card.bands), config.encoder.drop_path, config.dino, numbers.output_dim, device)
    schedules = Schedules(config, numbers, steps_per_epoch(config, source))
    run = PretrainRun(config, card, source, probe, dino, schedules, device, team)

    def step(views: Any) -> None:
        dino.step(*views, schedules.at(run.step), config.clip_gradient, team, run.bf16)
        run.step += 1

    if case.feed == "ours":
        return step, _feeder(run.views_of)

    def collate(chips: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
        large, small = (torch.stack(views, dim=1).flatten(0, 1) for views in zip(*chips, strict=True))
        return large, small

    return step, _loader(_PlainViews(source.splits[0], config, card.bands), collate, case, device)


def _finetuning(store: Path, case: Case, device: torch.device, team: Team) -> tuple[Step, Feed]:
    width, heads = WIDTHS[case.network.split("/")[0]]
    network = NetworkConfig(embed_dim=width, num_heads=heads, patch_px=int(case.network.split("/")[1]))
    data_config = LabelledDataConfig((StoreConfig(store),), crop_px=case.global_px, classes=(10, 40, 80))
    config = FinetuneConfig(Path("unused"), data_config, network=network, batch_size=case.batch_size, steps=10_000)
    card = draft_card(config)
    model = build_model(card, network.drop_path)
    data = open_labelled(config, card)
    segmenter = Segmenter(model, config, data, device)
    run = FinetuneRun(config, card, data, segmenter, Start(), device, team)

    def step(batch: Any) -> None:
        segmenter.step(*batch, run.step, config.learning_rate, team)
        run.step += 1

    if case.feed == "ours":
        return step, _feeder(run.batch)

    def collate(chips: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
        x, target = zip(*chips, strict=True)
        return torch.stack(x), torch.stack(target)

    return step, _loader(_PlainCrops(store, data.train[0].split, config, card.bands), collate, case, device)


def _feeder(make: Callable[[int], Any]) -> Feed:
    @contextlib.contextmanager
    def feed(batches: int) -> Iterator[Callable[[], Any]]:
        with Feeder(make, 0, batches) as feeder:
            yield feeder.take

    return feed


def _loader(dataset: Dataset[Any], collate: Callable[[list[Any]], Any], case: Case, device: torch.device) -> Feed:
    @contextlib.contextmanager
    def feed(batches: int) -> Iterator[Callable[[], Any]]:
        loader = DataLoader(
            dataset,
            batch_size=case.batch_size,
            sampler=torch.utils.data.RandomSampler(dataset, replacement=True, num_samples=batches * case.batch_size),  # type: ignore[arg-type]
            num_workers=case.workers,
            collate_fn=collate,
            pin_memory=device.type == "cuda",
            prefetch_factor=2 if case.workers else None,
        )
        iterator = iter(loader)
        yield lambda: tuple(part.to(device, non_blocking=True) for part in next(iterator))

    return feed


class _PlainViews(Dataset[tuple[Tensor, Tensor]]):
    """The views of a chip, made one by one: crop, resize in power, gain, standardise."""

    def __init__(self, split: ChipSplit, config: PretrainConfig, bands: Any) -> None:
        self._split, self._config, self._bands = split, config, bands

    def __len__(self) -> int:
        return len(self._split)

    def __getitem__(self, row: int) -> tuple[Tensor, Tensor]:
        torch.set_num_threads(1)
        crops = self._config.crops
        power = torch.from_numpy(10 ** (self._split.read_db(row)[0] / 10))
        rng = np.random.default_rng([row, int.from_bytes(os.urandom(4), "little")])
        large = self._views(rng, power, 2, crops.global_scale, crops.global_px)
        return large, self._views(rng, power, crops.local_count, crops.local_scale, crops.local_px)

    def _views(self, rng: np.random.Generator, power: Tensor, count: int, scale: tuple[float, float], side: int) -> Tensor:
        settings = replace(self._config.crops, speckle_chance=0.0)
        draws = draw_views(rng, 1, count, scale, side, power.shape[-1], len(self._bands), settings)
        views = []
        for view in range(count):
            reach = (draws.step_px[0, view] * side).astype(int)
            row, column = (draws.centre_px[0, view] - reach / 2).astype(int).clip(0)
            part = power[None, :, row : row + reach[0], column : column + reach[1]]
            resized = functional.interpolate(part, size=(side, side), mode="bilinear", align_corners=False)[0]
            db = 10 * torch.log10(resized.clamp_min(1e-9)) + torch.from_numpy(draws.gain_db[0, view])[:, None, None]
            flips = [axis for axis, mirror in zip((1, 2), draws.mirrored[0, view], strict=True) if mirror]
            views.append(torch.from_numpy(standardise(db.flip(flips).numpy(), self._bands)[0]))
        return torch.stack(views)


class _PlainCrops(Dataset[tuple[Tensor, Tensor]]):
    """A random crop of a labelled chip with its class numbers."""

    def __init__(self, store: Path, split: ChipSplit, config: FinetuneConfig, bands: Any) -> None:
        self._split, self._config, self._bands = split, config, bands
        self._table = np.full(256, 255, np.int64)
        self._table[list(config.data.classes)] = np.arange(len(config.data.classes))

    def __len__(self) -> int:
        return len(self._split)

    def __getitem__(self, row: int) -> tuple[Tensor, Tensor]:
        torch.set_num_threads(1)
        side = self._config.data.crop_px
        rng = np.random.default_rng([row, int.from_bytes(os.urandom(4), "little")])
        top, left = rng.integers(0, self._split.info.chip_px - side + 1, 2)
        part = np.s_[top : top + side, left : left + side]
        db = self._split.read_db(row, part)[0] + rng.uniform(-1.5, 1.5)
        label = self._table[self._split.labels[(row, *part)]]
        flips = tuple(slice(None, None, int(step)) for step in rng.choice([-1, 1], 2))
        x = standardise(np.ascontiguousarray(db[(slice(None), *flips)], dtype=np.float32), self._bands)[0]
        return torch.from_numpy(x), torch.from_numpy(np.ascontiguousarray(label[flips]))
