# SPDX-License-Identifier: GPL-2.0-or-later
"""A fold's own model: one `finetune` whose stores hold the fold's places out, exported, and run by the backend."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path

from training.config import ExportConfig
from training.evaluate.maps import BackendMapper
from training.evaluate.seen import places_seen
from training.export import export
from training.finetuning.config import FinetuneConfig
from training.finetuning.finetune import finetune
from training.state import STATE


def fold_settings(settings: FinetuneConfig, held_out: Sequence[str], run: Path, seed: int, device: str) -> FinetuneConfig:
    """`settings` with the places of a fold held out of every store, beside those that are held out anyway."""
    patterns = tuple(re.escape(place) for place in held_out)
    stores = tuple(
        dataclasses.replace(store, hold_out_places=(*store.hold_out_places, *patterns)) for store in settings.data.stores
    )
    return dataclasses.replace(
        settings,
        out=run,
        data=dataclasses.replace(settings.data, stores=stores),
        seed=seed,
        device=device,
        resume=(run / STATE).is_file(),
    )


def finetuned(settings: FinetuneConfig, held_out: Sequence[str], folder: Path, name: str, seed: int, device: str) -> BackendMapper:
    """The model of a fold, trained unless `folder` holds its file already; a run that was stopped goes on. Files bear `name`.

    Raises ValueError where the model has seen labels of a place of the fold all the same, from the weights that it began with, and
    what `finetune` and `export` raise. A pre-training may have seen the place without its labels; the method's note says so.
    """
    path, run = folder / f"{name}_{seed}.safetensors", folder / f"{name}_{seed}"
    if not path.is_file():
        finetune(fold_settings(settings, held_out, run, seed, device))
        export(ExportConfig(run=run, out=path, name=f"{name}, {folder.name}, seed {seed}"))
    mapper = BackendMapper(path, device, name)
    seen = sorted(places_seen(mapper.card, with_labels=True) & set(held_out))
    if seen:
        raise ValueError(
            f"The model of {folder.name} was trained on {', '.join(seen)}, which the fold holds out. "
            "Begin from weights that did not see it (`start_from`)."
        )
    return mapper
