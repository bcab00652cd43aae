# SPDX-License-Identifier: GPL-2.0-or-later
"""Settings of `chips`. Fields' docstrings are the command line's help; a YAML file fills them (`--config`)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from backend.protocol import UNITS
from training.chips.encoding import ENCODINGS, FLOAT16
from training.chips.legends import LEGEND_NAMES, LegendError, expand
from training.chips.store import SPLITS
from training.config import BandsConfig, refuse

KINDS = ("scenes", "simulated", "sen1floods11", "dfc2020", "m3leo", "ssl4eo", "single_pol", "reference")
PLACES = ("file", "folder", "source", "block", "table")


@dataclass(frozen=True)
class SourceConfig:
    """One set of files of one layout."""

    name: str
    """Name in the store's index; `finetune` weights sources by it."""

    root: Path
    """Folder that file names start from."""

    kind: str = "scenes"
    """Layout: scenes (GeoTIFFs or other rasters, with or without labels), simulated (`simulate`'s folder), sen1floods11, dfc2020
    (SEN12MS too), m3leo, ssl4eo, single_pol (one band a file), reference (the scenes that reference polygons were drawn on)."""

    files: tuple[str, ...] = ()
    """Scene files below root, as patterns (`*`, `**/*.tif`). Empty: those of the kind."""

    exclude: tuple[str, ...] = ()
    """Patterns of files below root that are left out."""

    bands: tuple[str, ...] = ()
    """Role of each band of a file, for files that do not say: `[VV, VH]`; an empty role is not read. Empty: read off the files."""

    label_replace: dict[str, str] = field(default_factory=dict)
    """How a label's name follows from the scene's: regular expression and replacement, on the path below root."""

    label_rasters: tuple[str, ...] = ()
    """Patterns of label rasters that cover many scenes, such as WorldCover tiles; warped to each scene (nearest neighbour)."""

    label_band: int = 1
    """Band of the label raster."""

    legend: str = ""
    """What label values mean: worldcover, worldcover_index (1 to 11), sen1floods11, terramesh, dfc2020, igbp, etci2021, flood_mask,
    optical_indices, cropland, biomass_t_ha, or none of them where legend_changes say all. Empty: that of the kind."""

    legend_changes: dict[int, list[int]] = field(default_factory=dict)
    """Label values that mean something else: `1: [80]` is water, `2: [20, 30]` one of two, `0: [-80]` all but water, `7: []`
    unknown."""

    polygons: Optional[Path] = None
    """Folder of reference polygons (GeoJSON), burned over the labels of their scenes, whose place and split they set."""

    data_root: Optional[Path] = None
    """Folder that scene paths in the polygons and in the table of places start from. Empty: root."""

    place: str = ""
    """What a place is: file, folder, source (all of it one place), block (geographic), or what training/reference/places.csv
    says (table). Empty: block where the scene has a CRS, else file."""

    places: dict[str, str] = field(default_factory=dict)
    """Places by name: regular expression on the path below root, and the place (`\\1` is its first group)."""

    void_doubtful_water: bool = False
    """Take labelled water that is as bright as land in VV for unlabelled (`training/doubtful_water.py`): flooded vegetation, or
    water of another day."""

    same_ground: str = ""
    """Regular expression whose group is the same for scenes of the same pixels on other dates. Empty: scenes on one grid are."""

    split: str = ""
    """train, validation or test for all of it; csv (`split_csv`); polygons (as their files say). Empty: by place, see `splits`."""

    split_csv: Optional[Path] = None
    """CSV with the columns identifier and split; the identifier is the file's stem or the beginning of it."""

    units: str = "auto"
    """db, power, amplitude, dn, scaled (grey levels, standardised over their scene) or auto."""

    calibration_db: Optional[float] = None
    """Calibration constant of dn."""

    spacing_m: Optional[float] = None
    """Ground spacing of scenes without a CRS."""

    allow_coarse: bool = False
    """Take scenes with pixels of more than twice the store's spacing; they are interpolated."""


@dataclass(frozen=True)
class SplitConfig:
    """How places are divided. Chips of one place are never in different splits."""

    validation_share: float = 0.1
    """Share of the places without a split of their own that go to validation."""

    test_share: float = 0.1
    """And to test."""

    block_km: float = 10.0
    """Side of the geographic blocks that are places where none are named."""

    buffer_km: float = 0.5
    """Chips of training this near to a block of validation or test, and chips of validation this near to test, are left out."""

    named: dict[str, list[str]] = field(default_factory=dict)
    """Places and regions by name: `test: [Berlin, "Spain.*"]`, regular expressions on the whole place; before any other rule."""

    seed: int = 0
    """Decides which places are held out."""


@dataclass(frozen=True)
class ChipsConfig:
    """One chip store of scenes and label rasters of many layouts."""

    out: Path
    """Folder of the store."""

    sources: tuple[SourceConfig, ...]
    """Where chips come from."""

    chip_px: int = 256
    """Side of a chip. Smaller scenes are padded with nodata; the last row and column of a larger one overlap the one before."""

    spacing_m: float = 10.0
    """Ground spacing of the chips."""

    roles: tuple[str, ...] = ("VV", "VH")
    """Bands of the store, e.g. VV and VH, or seasons of them: VV_winter. A chip may lack some, but not all."""

    encoding: str = FLOAT16
    """float16_db, or uint8 over the clip range, which takes half the space."""

    clip: BandsConfig = field(default_factory=BandsConfig)
    """Clip range of uint8; mean and deviation that scenes of unknown scale are brought to."""

    min_valid_share: float = 0.2
    """Chips of which less than this share of the scene's part has a value are left out."""

    splits: SplitConfig = field(default_factory=SplitConfig)
    """How places are divided."""

    overwrite: bool = False
    """Replace a store that is there."""

    dry_run: bool = False
    """Check settings, files and disk, tell what would be written and what would be refused, and write nothing."""

    def __post_init__(self) -> None:
        problems = [] if self.sources else ["sources is empty: name at least one"]
        names = [source.name for source in self.sources]
        problems += [f"two sources are called {name}" for name in sorted({name for name in names if names.count(name) > 1})]
        for source in self.sources:
            problems += [f"{source.name or 'a source'}: {problem}" for problem in _source_problems(source)]
        if not 16 <= self.chip_px <= 4096 or self.chip_px % 8:
            problems.append(f"chip_px is {self.chip_px}; a multiple of 8 from 16 to 4096 is needed")
        if not 0.1 <= self.spacing_m <= 1000:
            problems.append("spacing_m must lie in 0.1..1000")
        if not self.roles or len(set(self.roles)) != len(self.roles):
            problems.append("roles must name different bands")
        if self.encoding not in ENCODINGS:
            problems.append(f"encoding must be {' or '.join(ENCODINGS)}")
        if not 0 < self.min_valid_share <= 1:
            problems.append("min_valid_share must lie in 0 (left out) to 1")
        refuse(problems + _split_problems(self.splits))


def _source_problems(source: SourceConfig) -> list[str]:
    problems = []
    if not re.fullmatch(r"[\w.+-]+", source.name):
        problems.append("name must be made of letters, digits, dots, hyphens, pluses and underscores")
    if source.kind not in KINDS:
        problems.append(f"kind is {source.kind}; it must be one of {', '.join(KINDS)}")
    if source.legend and source.legend not in LEGEND_NAMES:
        problems.append(f"legend is {source.legend}; it must be one of {', '.join(LEGEND_NAMES)}")
    if source.units not in UNITS:
        problems.append(f"units must be one of {', '.join(UNITS)}")
    if source.place not in ("", *PLACES):
        problems.append(f"place must be one of {', '.join(PLACES)}; names go into places")
    if source.split not in ("", "csv", "polygons", *SPLITS):
        problems.append(f"split must be one of {', '.join(SPLITS)}, csv or polygons")
    if source.split == "csv" and source.split_csv is None and source.kind != "m3leo":
        problems.append("split csv needs split_csv")
    if source.split == "polygons" and source.polygons is None and source.kind != "reference":
        problems.append("split polygons needs polygons")
    if source.data_root is not None and not source.root.resolve().is_relative_to(source.data_root.resolve()):
        problems.append(f"root {source.root} does not lie below data_root {source.data_root}")
    for pattern in (*source.label_replace, *source.places, source.same_ground):
        try:
            re.compile(pattern)
        except re.error as error:
            problems.append(f"{pattern!r} is no regular expression ({error})")
    for codes in source.legend_changes.values():
        try:
            expand(codes)
        except LegendError as error:
            problems.append(f"legend_changes: {error}")
    return problems


def _split_problems(splits: SplitConfig) -> list[str]:
    problems = []
    if min(splits.validation_share, splits.test_share) < 0 or splits.validation_share + splits.test_share >= 1:
        problems.append("splits.validation_share and splits.test_share must not be negative, and leave something to train on")
    if splits.block_km <= 0 or splits.buffer_km < 0:
        problems.append("splits.block_km must be above 0, splits.buffer_km not negative")
    if splits.buffer_km >= splits.block_km / 2:
        problems.append("splits.buffer_km must be below half of splits.block_km, else no chip is left")
    problems += [f"splits.named names {name}, which is no split" for name in splits.named if name not in SPLITS]
    return problems
