# SPDX-License-Identifier: GPL-2.0-or-later
"""Chips of labelled scenes: cut once into one memory-mapped array a split, then cropped and augmented at random."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from backend.model_card import BandSpec
from backend.radiometry import standardise
from training.config import DataConfig
from training.metrics import IGNORE
from training.scene_files import is_simulated, label_path_of, list_scenes, read_scene
from training.simulate_fields import F32

SPLITS = ("train", "validation")
STORE_FORMAT = 1


@dataclass(frozen=True)
class Chips:
    """`values_db` is float16 [N, bands, S, S] in dB, NaN nodata; `labels` uint8 [N, S, S], class codes; both memory-mapped."""

    values_db: npt.NDArray[np.float16]
    labels: npt.NDArray[np.uint8]
    scenes: tuple[str, ...]
    simulated: bool
    """Whether each scene says in its tags that it is simulated."""

    def __len__(self) -> int:
        return len(self.labels)


def open_chips(config: DataConfig) -> tuple[Chips, Chips]:
    """The chips for training and for validation, cut from the scenes of the folder unless that was done before.

    Splits are by scene: two chips of one scene are never in different splits. Raises FileNotFoundError without scenes,
    ValueError where there are too few for two splits or a scene is smaller than a chip.
    """
    scenes = list_scenes(config.folder)
    every = max(2, round(1 / config.validation_share))
    split_of = {scene: SPLITS[number % every == every - 1] for number, scene in enumerate(scenes)}
    store = config.folder / f"chips_{config.chip_px}_{every}"
    index = {
        "format": STORE_FORMAT,
        "chip_px": config.chip_px,
        "scenes": [
            [scene.name, scene.stat().st_mtime_ns, label_path_of(scene).stat().st_mtime_ns, split_of[scene]] for scene in scenes
        ],
    }
    index_path = store / "index.json"
    if not index_path.is_file() or json.loads(index_path.read_text()) != index:
        store.mkdir(exist_ok=True)
        for split in SPLITS:
            _cut([scene for scene in scenes if split_of[scene] == split], store, split, config.chip_px)
        index_path.write_text(json.dumps(index))
    train, validation = (_open(store, split) for split in SPLITS)
    return train, validation


def _cut(scenes: Sequence[Path], store: Path, split: str, chip_px: int) -> None:
    if not scenes:
        raise ValueError(f"No scene is left for the {split} split: more scenes or another share are needed.")
    places: list[tuple[Path, int, int]] = []
    for scene in scenes:
        label = read_scene(scene)[1]
        starts = [range(0, length - chip_px + 1, chip_px) for length in label.shape]
        if not all(starts):
            raise ValueError(f"{scene.name} is smaller than a chip of {chip_px} px.")
        places += [(scene, row, column) for row in starts[0] for column in starts[1]]
    values = np.lib.format.open_memmap(
        store / f"{split}_values.npy", mode="w+", dtype=np.float16, shape=(len(places), 2, chip_px, chip_px)
    )
    labels = np.lib.format.open_memmap(
        store / f"{split}_labels.npy", mode="w+", dtype=np.uint8, shape=(len(places), chip_px, chip_px)
    )
    opened: Path | None = None
    for number, (scene, row, column) in enumerate(places):
        if scene != opened:
            scene_db, scene_label = read_scene(scene)
            opened = scene
        part = np.s_[row : row + chip_px, column : column + chip_px]
        values[number] = scene_db[(slice(None), *part)]
        labels[number] = scene_label[part]
    values.flush()
    labels.flush()
    facts = {"scenes": [scene.name for scene, _, _ in places], "simulated": all(is_simulated(scene) for scene in scenes)}
    (store / f"{split}.json").write_text(json.dumps(facts))


def _open(store: Path, split: str) -> Chips:
    facts = json.loads((store / f"{split}.json").read_text())
    return Chips(
        np.load(store / f"{split}_values.npy", mmap_mode="r"),
        np.load(store / f"{split}_labels.npy", mmap_mode="r"),
        tuple(facts["scenes"]),
        bool(facts["simulated"]),
    )


def class_index(label: npt.NDArray[np.uint8], codes: Sequence[int]) -> npt.NDArray[np.uint8]:
    """`label`'s codes as positions in `codes`; IGNORE for every other code, 0 (unlabelled) among them."""
    table = np.full(256, IGNORE, dtype=np.uint8)
    table[list(codes)] = np.arange(len(codes), dtype=np.uint8)
    return table[label]


def prepare(
    values_db: F32, label: npt.NDArray[np.uint8], bands: Sequence[BandSpec], codes: Sequence[int]
) -> tuple[F32, npt.NDArray[np.uint8]]:
    """Network input [bands, H, W] and class indices [H, W] of one chip; nodata pixels are IGNORE."""
    x, valid = standardise(values_db, bands)
    target = class_index(label, codes)
    target[~valid] = IGNORE
    return x, target


def draw_batch(
    rng: np.random.Generator, chips: Chips, config: DataConfig, bands: Sequence[BandSpec], size: int
) -> tuple[F32, npt.NDArray[np.uint8]]:
    """`size` random crops: input [size, bands, S, S] and class indices [size, S, S]."""
    crop_px = config.crop_px
    x = np.empty((size, len(bands), crop_px, crop_px), dtype=np.float32)
    target = np.empty((size, crop_px, crop_px), dtype=np.uint8)
    for number in range(size):
        chip = int(rng.integers(len(chips)))
        row, column = (int(start) for start in rng.integers(0, chips.labels.shape[1] - crop_px + 1, 2))
        part = np.s_[row : row + crop_px, column : column + crop_px]
        values_db = chips.values_db[(chip, slice(None), *part)].astype(np.float32)
        label = chips.labels[(chip, *part)]
        values_db, label = _augment(rng, values_db, label, config)
        x[number], target[number] = prepare(values_db, label, bands, config.classes)
    return x, target


def _augment(
    rng: np.random.Generator, values_db: F32, label: npt.NDArray[np.uint8], config: DataConfig
) -> tuple[F32, npt.NDArray[np.uint8]]:
    gain_db = rng.uniform(-config.gain_db, config.gain_db) + rng.uniform(-config.band_gain_db, config.band_gain_db, len(values_db))
    values_db = values_db + gain_db.astype(np.float32)[:, None, None]
    if rng.random() < config.nodata_chance:
        side = values_db.shape[-1]
        end = int(rng.integers(1, side // 2))
        strip = np.s_[:, :end] if rng.random() < 0.5 else np.s_[:end, :]
        values_db[(slice(None), *strip)] = np.nan
    if config.flip:
        if rng.random() < 0.5:
            values_db, label = values_db[:, ::-1], label[::-1]
        if rng.random() < 0.5:
            values_db, label = values_db[:, :, ::-1], label[:, ::-1]
    return values_db, label
