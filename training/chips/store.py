# SPDX-License-Identifier: GPL-2.0-or-later
"""The chip store: a folder that `chips` writes once and everything else reads, through memory maps.

    store.json              what the store is: `StoreInfo`
    index.csv               a row a chip: `COLUMNS` below
    <split>_values.npy      [N, dates, bands, S, S], float16 dB (NaN nodata) or uint8 (0 nodata): see `encoding.py`
    <split>_labels.npy      [N, S, S] uint8, label values; 0 is unlabelled and counts nowhere

Splits are train, validation and test; one without chips has arrays of length 0. A label value stands for a set of WorldCover
codes, told by `StoreInfo.label_sets`: `10: (10,)`, `130: (20, 30, 40, 100)`, `201: all but 80`. So data that only say water or
not water are kept beside data with every class.

`chips` writes one date a chip. Looks at the same pixels on other dates or from other orbits are chips of their own that share
`ground`: a number that is the same in all splits, and by which two dates of one place are found. Chips with the same `place`
are in one split. A chip smaller than S lies in the upper left corner, `height_px` x `width_px`; the rest is nodata.
"""

from __future__ import annotations

import csv
import json
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Optional

import numpy as np
import numpy.typing as npt

from training.chips.encoding import ENCODINGS, decode
from training.simulation.fields import F32

STORE_FORMAT = 2
"""Raised when a store of this form would be misread by an older reader. Format 1 was a folder inside a folder of scenes."""

SPLITS = ("train", "validation", "test")
INFO, INDEX = "store.json", "index.csv"
HOW_TO_MAKE = "Make it with `python -m training.run chips`."

_NUMBERS = {
    "row": "q",
    "ground": "q",
    "pixel_row": "q",
    "pixel_column": "q",
    "height_px": "q",
    "width_px": "q",
    "xmin": "d",
    "ymin": "d",
    "xmax": "d",
    "ymax": "d",
    "valid_share": "d",
    "labelled_share": "d",
}
"""Columns that are numbers: q int64, d float64."""
COLUMNS = {
    "split": "train, validation or test",
    "row": "row in the split's arrays",
    "source": "name of the source in the configuration",
    "file": "scene file, below the source's root",
    "place": "what splits and folds go by: chips of one place are in one split",
    "ground": "chips with one number show the same pixels on another date or from another orbit",
    "pixel_row": "first row in the grid that the scene was read on",
    "pixel_column": "first column there",
    "height_px": "rows that the scene fills; the chip's other rows are nodata",
    "width_px": "columns that the scene fills",
    "xmin": "bounds in `crs`, or in metres from the scene's upper left corner; y downwards is negative",
    "ymin": "",
    "xmax": "",
    "ymax": "",
    "crs": "EPSG code or WKT; empty where the scene has none",
    "date": "YYYY-MM-DD, or what the layout tells instead (a month, a season); empty where unknown",
    "orbit": "ascending, descending, or empty",
    "look": "east or west: where Sentinel-1, which looks to its right, looked to; empty where unknown",
    "bands": "roles with data, separated by spaces",
    "unit": "unit of the source; `scaled` are grey levels that were standardised over their scene",
    "valid_share": "share of the chip's S x S pixels with a value in any band",
    "labelled_share": "share of them that are labelled",
    "simulated": "yes or no",
}


class StoreError(ValueError):
    """A store that cannot be used: missing, of another format, cut short, or not fitting what is asked of it."""


@dataclass(frozen=True)
class SourceSummary:
    """What one source of the configuration gave."""

    name: str
    kind: str
    chips: int
    simulated: bool
    refused: int
    """Files that were turned down."""


@dataclass(frozen=True)
class StoreInfo:
    """What store.json says."""

    chip_px: int
    spacing_m: float
    bands: tuple[str, ...]
    """Roles, in the order of the arrays."""
    encoding: str
    """float16_db or uint8."""
    clip_db: tuple[tuple[float, float], ...]
    """Lower and upper end of each band; what uint8 spans."""
    label_sets: dict[int, tuple[int, ...]]
    """WorldCover codes that each label value stands for. 0 is not in it."""
    splits: dict[str, int]
    """Chips of each split."""
    label_pixels: dict[str, dict[int, int]]
    """Labelled pixels of each split by label value."""
    sources: tuple[SourceSummary, ...]
    simulated_only: bool
    provenance: dict[str, Any]
    """Commit, start, settings."""

    def to_json(self) -> str:
        return json.dumps({"format": STORE_FORMAT, **_plain(self)}, indent=1)

    @classmethod
    def from_json(cls, text: str) -> StoreInfo:
        """Raises StoreError for another format and KeyError, TypeError, ValueError for what is no store.json at all."""
        data = json.loads(text)
        if data["format"] != STORE_FORMAT:
            raise StoreError(f"it has format {data['format']}, this version reads {STORE_FORMAT}: make it again with `chips`")
        return cls(
            chip_px=int(data["chip_px"]),
            spacing_m=float(data["spacing_m"]),
            bands=tuple(data["bands"]),
            encoding=data["encoding"],
            clip_db=tuple((float(low), float(high)) for low, high in data["clip_db"]),
            label_sets={int(value): tuple(codes) for value, codes in data["label_sets"].items()},
            splits={split: int(data["splits"][split]) for split in SPLITS},
            label_pixels={split: {int(k): int(v) for k, v in found.items()} for split, found in data["label_pixels"].items()},
            sources=tuple(SourceSummary(**entry) for entry in data["sources"]),
            simulated_only=bool(data["simulated_only"]),
            provenance=data["provenance"],
        )


def _plain(info: StoreInfo) -> dict[str, Any]:
    data = {item.name: getattr(info, item.name) for item in fields(info)}
    data["sources"] = [vars(source) for source in info.sources]
    return data


@dataclass(frozen=True)
class ChipIndex:
    """Columns of index.csv for the chips of one split, row by row of its arrays: `index["place"]` is an array [N] of str,
    `index["ground"]` of int64, `index["valid_share"]` of float64.
    """

    columns: dict[str, npt.NDArray[Any]]

    def __getitem__(self, column: str) -> npt.NDArray[Any]:
        return self.columns[column]

    def __len__(self) -> int:
        return len(self.columns["row"])

    def name(self, row: int) -> str:
        """Where a chip came from, for messages."""
        source, file, top, left = (self.columns[key][row] for key in ("source", "file", "pixel_row", "pixel_column"))
        return f"{source}: {file}, row {top}, column {left}"


@dataclass(frozen=True)
class ChipSplit:
    """Chips of one split. `values` [N, dates, bands, S, S] as stored and `labels` uint8 [N, S, S] are memory-mapped."""

    info: StoreInfo
    name: str
    values: npt.NDArray[Any]
    labels: npt.NDArray[np.uint8]
    index: ChipIndex

    def __len__(self) -> int:
        return len(self.labels)

    def read_db(self, rows: npt.NDArray[np.integer] | Sequence[int] | int, part: Any = np.s_[:, :]) -> F32:
        """Decibels of chips `rows`, float32 [n, dates, bands, h, w] (or without n for one row), NaN nodata.

        `part` are row and column slices: only these pixels are read.
        """
        stored = self.values[(rows, slice(None), slice(None), *part)]
        return decode(stored, self.info.encoding, self.info.clip_db)


@dataclass(frozen=True)
class ChipStore:
    """An open store: `store["train"]` is its split."""

    folder: Path
    info: StoreInfo
    splits: dict[str, ChipSplit]

    def __getitem__(self, split: str) -> ChipSplit:
        return self.splits[split]


def open_store(folder: Path) -> ChipStore:
    """The store in `folder`, checked whole. Raises StoreError: missing, another format, cut short, index of another length."""
    if not (folder / INFO).is_file():
        old = (folder / "scene_00000.tif").is_file() or any(folder.glob("*.tif")) if folder.is_dir() else False
        hint = "It holds scenes: name it as a source of `chips` first." if old else HOW_TO_MAKE
        raise StoreError(f"{folder} is no chip store: it holds no {INFO}. {hint}")
    try:
        info = StoreInfo.from_json((folder / INFO).read_text(encoding="utf-8"))
    except StoreError as error:
        raise StoreError(f"{folder} cannot be read: {error}.") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StoreError(f"{folder / INFO} is damaged ({type(error).__name__}: {error}). {HOW_TO_MAKE}") from error
    indexes = _read_index(folder)
    return ChipStore(folder, info, {split: _open_split(folder, info, split, indexes[split]) for split in SPLITS})


def _open_split(folder: Path, info: StoreInfo, split: str, index: ChipIndex) -> ChipSplit:
    count, side = info.splits[split], info.chip_px
    if info.encoding not in ENCODINGS:
        raise StoreError(f"{folder} has the encoding {info.encoding!r}; {' or '.join(ENCODINGS)} is read. {HOW_TO_MAKE}")
    values = _map(folder / f"{split}_values.npy", ENCODINGS[info.encoding], (count, None, len(info.bands), side, side))
    labels = _map(folder / f"{split}_labels.npy", np.dtype("u1"), (count, side, side))
    if len(index) != count or not np.array_equal(index["row"], np.arange(count)):
        raise StoreError(f"{folder / INDEX} names {len(index)} chips of {split}, the store has {count}. {HOW_TO_MAKE}")
    return ChipSplit(info, split, values, labels, index)


def _map(path: Path, dtype: np.dtype[Any], shape: tuple[int | None, ...]) -> npt.NDArray[Any]:
    """The .npy file, memory-mapped. Raises StoreError where it is missing, cut short, or of another form."""
    if not path.is_file():
        raise StoreError(f"{path} is missing: the store is not whole. {HOW_TO_MAKE}")
    try:
        # NumPy does not map an array of no length; such a file is a header.
        empty = shape[0] == 0
        mapped: npt.NDArray[Any] = np.load(path, mmap_mode=None if empty else "r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise StoreError(f"{path} is cut short or damaged ({error}). {HOW_TO_MAKE}") from error
    fits = mapped.ndim == len(shape) and all(want in (None, have) for want, have in zip(shape, mapped.shape, strict=True))
    if mapped.dtype != dtype or not fits:
        wanted = ", ".join("dates" if side is None else str(side) for side in shape)
        raise StoreError(f"{path} is {mapped.dtype} {list(mapped.shape)}; {dtype} [{wanted}] is needed. {HOW_TO_MAKE}")
    return mapped


def _read_index(folder: Path) -> dict[str, ChipIndex]:
    """The index by split. Text is kept once, however many chips share it."""
    path = folder / INDEX
    # Numbers as machine words: of a million chips the index takes some 200 MB, as Python numbers it would take 800.
    rows: dict[str, dict[str, Any]] = {
        split: {column: array(_NUMBERS[column]) if column in _NUMBERS else [] for column in COLUMNS} for split in SPLITS
    }
    known: dict[str, str] = {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            if tuple(reader.fieldnames or ()) != tuple(COLUMNS):
                raise StoreError(f"{path} has the columns {reader.fieldnames}. {HOW_TO_MAKE}")
            for line in reader:
                into = rows[line["split"]]
                for column, text in line.items():
                    number = _NUMBERS.get(column)
                    into[column].append(
                        known.setdefault(text, text) if number is None else int(text) if number == "q" else float(text)
                    )
    except FileNotFoundError as error:
        raise StoreError(f"{path} is missing: the store is not whole. {HOW_TO_MAKE}") from error
    except (KeyError, TypeError, csv.Error, UnicodeDecodeError, ValueError) as error:
        if isinstance(error, StoreError):
            raise
        raise StoreError(f"{path} is cut short or damaged ({error}). {HOW_TO_MAKE}") from error
    return {
        split: ChipIndex({column: np.array(cells, dtype=_NUMBERS.get(column, "O")) for column, cells in columns.items()})
        for split, columns in rows.items()
    }


def same_form(stores: Sequence[ChipStore]) -> Optional[str]:
    """Why these stores cannot be read together, or None: chip size, spacing, bands and encoding must be the same."""
    for store in stores[1:]:
        for key in ("chip_px", "spacing_m", "bands", "encoding", "clip_db"):
            first, other = getattr(stores[0].info, key), getattr(store.info, key)
            if first != other:
                return f"{stores[0].folder} has {key} {first}, {store.folder} has {other}: they must be the same"
    return None
