# SPDX-License-Identifier: GPL-2.0-or-later
"""Chip stores made of arrays, for tests that need a store and no scenes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from training.chips.encoding import FLOAT16
from training.chips.legends import NAMED_VALUES
from training.chips.store import SPLITS, ChipStore, SourceSummary, StoreInfo, open_store
from training.chips.writer import StoreWriter
from training.simulation.fields import F32

CLIP_DB = ((-30.0, 5.0), (-38.0, 0.0))
Chip = tuple[F32, np.ndarray, dict[str, Any]]


def made_chip(db: F32, labels: np.ndarray | None = None, **line: Any) -> Chip:
    """A chip of dB [bands, S, S], label values [S, S] (unlabelled where left out) and columns of the index."""
    side = db.shape[-1]
    labels = np.zeros((side, side), np.uint8) if labels is None else labels
    bands = " ".join(role for role, band in zip(("VV", "VH"), db, strict=True) if np.isfinite(band).any())
    cells = {
        "source": "made",
        "file": "made.tif",
        "place": "nowhere",
        "pixel_row": 0,
        "pixel_column": 0,
        "height_px": side,
        "width_px": side,
        "xmin": 0.0,
        "ymin": -side * 10.0,
        "xmax": side * 10.0,
        "ymax": 0.0,
        "bands": bands,
        "unit": "db",
        "valid_share": float(np.isfinite(db).any(axis=0).mean()),
        "labelled_share": float((labels > 0).mean()),
        "simulated": "no",
    }
    return db, labels, {**cells, **line}


def write_store(folder: Path, splits: Mapping[str, Sequence[Chip]], encoding: str = FLOAT16, simulated: bool = False) -> ChipStore:
    """Writes the chips of each split, each a ground of its own where none is given, and opens the store."""
    [side] = {chip[0].shape[-1] for chips in splits.values() for chip in chips}
    sets = {value: codes for codes, value in NAMED_VALUES.items()}

    with StoreWriter(folder, side, 2, encoding, CLIP_DB) as writer:
        number = 0
        for split in SPLITS:
            for db, labels, line in splits.get(split, ()):
                writer.append(split, db, labels, {"ground": number, **line})
                number += 1
        pixels = writer.label_pixels
        used = sorted({value for found in pixels.values() for value in found})
        info = StoreInfo(
            chip_px=side,
            spacing_m=10.0,
            bands=("VV", "VH"),
            encoding=encoding,
            clip_db=CLIP_DB,
            label_sets={value: sets[value] for value in used},
            splits=writer.chips,
            label_pixels=pixels,
            sources=(SourceSummary("made", "scenes", sum(writer.chips.values()), simulated, 0),),
            simulated_only=simulated,
            provenance={},
        )
        writer.finish(info)
    return open_store(folder)
