# SPDX-License-Identifier: GPL-2.0-or-later
"""Cells: the parts of a study that are done one by one, a JSON each. A cell that is there is not made again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from training.checkpoint import config_json
from training.chips.store import INFO
from training.evaluate.output import write_json
from training.state import changed_settings
from training.study.config import StudyConfig
from training.study.encoders import weights_file

IDENTITY = "identity.json"
NAMED_BY_CELLS = (
    "fractions",
    "seeds",
    "finetune_fractions",
    "finetune_rates",
    "finetune_steps",
    "finetune_batch",
    "finetune_crop_px",
    "finetune_real_folds",
)
"""A cell's name tells its own: more of them, and others, add cells and change none."""
NOT_IN_CELLS = ("out", "encoder", "variants", "imagenet", "simulated", "real", "bootstrap_draws", "threads", "device")
"""Settings that no cell depends on; files count by what is in them, variants' in the names of their cells."""

Cell = dict[str, Any]


class CellFolder:
    """The cells of one study. Raises ValueError where `config.out` holds those of other settings, encoder or stores."""

    def __init__(self, config: StudyConfig) -> None:
        self.folder = config.out / "cells"
        self.identity = identity_of(config)
        path = config.out / IDENTITY
        if path.is_file():
            try:
                before = json.loads(path.read_text(encoding="utf-8"))
            except ValueError as error:
                raise ValueError(f"{path} is damaged ({error}). Choose another folder with --out, or remove this one.") from error
            changed = changed_settings(before, self.identity)
            if changed:
                raise ValueError(
                    f"{config.out} holds cells of other settings: {', '.join(changed)}. Choose another folder with --out, or "
                    "remove it."
                )
        else:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_json(path, self.identity)

    def cell(self, name: str, make: Callable[[], Cell]) -> Cell:
        """The cell `name`, made by `make` where it is not there; it appears under its name only when it is whole."""
        path = self.folder / f"{name}.json"
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_json(path, make())
        try:
            found: Cell = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path} is damaged ({error}). Remove it: it will be made again.") from error
        return found


def identity_of(config: StudyConfig) -> dict[str, Any]:
    """What all cells of a folder have in common: settings, and hashes of the encoder and of the stores."""
    settings = {key: value for key, value in json.loads(config_json(config)).items() if key not in (*NAMED_BY_CELLS, *NOT_IN_CELLS)}
    stores = {"simulated": config.simulated, "real": config.real if has_real(config) else None}
    hashes = {name: sha256(folder / INFO) if folder is not None else "none" for name, folder in stores.items()}
    return {"settings": settings, "encoder_sha256": sha256(weights_file(config.encoder)), "stores_sha256": hashes}


def has_real(config: StudyConfig) -> bool:
    """Whether there is a real store."""
    return config.real is not None and (config.real / INFO).is_file()


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
