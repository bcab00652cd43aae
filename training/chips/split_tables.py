# SPDX-License-Identifier: GPL-2.0-or-later
"""Splits that a CSV gives, with the columns identifier and split."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from training.chips.config import SourceConfig
from training.chips.readers import m3leo


@dataclass(frozen=True)
class SplitTable:
    """Splits of files by a CSV."""

    name: str
    splits: Mapping[str, str]

    def of(self, file: str) -> str:
        """The split of a file: its stem is the identifier, or begins with it up to an underscore."""
        stem = Path(file).stem
        while stem:
            if stem in self.splits:
                return self.splits[stem]
            stem = stem.rpartition("_")[0]
        return ""


def split_table(source: SourceConfig) -> SplitTable | None:
    """The table that a source names or, of M3LEO, has beside its data; None for a source that is split otherwise.

    Raises FileNotFoundError where there is none, ValueError for a file of another form.
    """
    if source.split != "csv":
        return None
    path = source.split_csv or (m3leo.split_file(source) if source.kind == "m3leo" else None)
    if path is None:
        raise FileNotFoundError(
            f"{source.name}: {source.root} holds no CSV with the columns identifier and split: name it as split_csv"
        )
    named = {"train": "train", "validation": "validation", "val": "validation", "valid": "validation", "test": "test"}
    splits: dict[str, str] = {}
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file, skipinitialspace=True)
        columns = {name.strip().lower(): name for name in reader.fieldnames or ()}
        if not {"identifier", "split"} <= set(columns):
            raise ValueError(f"{source.name}: {path} has the columns {list(columns)}; identifier and split are needed")
        for line in reader:
            split = named.get((line[columns["split"]] or "").strip().lower())
            if split is not None:  # others, such as “None” of a tile in a buffer, are left out
                splits[re.sub(r"\.tiff?$", "", line[columns["identifier"]].strip())] = split
    if not splits:
        raise ValueError(f"{source.name}: {path} names no file as train, val or test")
    return SplitTable(path.name, splits)
