# SPDX-License-Identifier: GPL-2.0-or-later
"""Which bands of a file, or of several, make one look at the ground: one VV and one VH, of one date and orbit."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from backend.bands import POLARISATIONS, band_text, polarisation_of, words_of
from backend.protocol import BandSource
from backend.sources import describe_raster, open_raster

_TOKEN = re.compile(r"(?<![a-z])(vv|vh|hh|hv)(?![a-z])", re.IGNORECASE)


@dataclass(frozen=True)
class Look:
    """Bands to open together, and the words that set them apart from other looks of the same files."""

    bands: tuple[BandSource, ...]
    words: str = ""


def pair_files(paths: Sequence[Path]) -> list[tuple[Path, ...]]:
    """Files that differ only by the polarisation in their name, such as scene_VV.tif and scene_VH.tif, together; others alone."""
    groups: dict[Path, list[Path]] = {}
    for path in paths:
        alone = polarisation_of(path.stem) is None
        groups.setdefault(path if alone else path.with_name(_TOKEN.sub("*", path.stem) + path.suffix), []).append(path)
    return [tuple(group) for group in groups.values()]


def looks_of(paths: Sequence[Path], given: Sequence[str], roles: Sequence[str]) -> list[Look]:
    """The looks in these files, for a store with `roles`; `given` are the roles of a file's bands where the configuration says.

    Where roles are more than a polarisation (VV_winter), all bands go into one look, and the backend finds each role by its words.
    Raises SardineError for a file that cannot be opened.
    """
    if given:
        return [Look(tuple(BandSource(role, str(path), band) for path in paths for band, role in enumerate(given, 1) if role))]
    if not all(role in POLARISATIONS for role in roles):
        return [Look(tuple(BandSource("", str(path), 0) for path in paths))]
    named: list[tuple[str, str, BandSource]] = []
    for path in paths:
        dataset = open_raster(str(path))
        try:
            info = describe_raster(dataset, str(path))
        finally:
            dataset.close()
        for band in range(1, info.count + 1):
            text = band_text(info, band)
            polarisation = polarisation_of(text)
            if polarisation is not None and polarisation in roles:
                rest = " ".join(sorted(words_of(text) - {polarisation} - words_of(_TOKEN.sub(" ", path.stem))))
                named.append((polarisation, rest, BandSource(polarisation, str(path), band)))
    if not named:  # the backend says what it misses
        return [Look(tuple(BandSource("", str(path), 0) for path in paths))]
    return _grouped(named)


def _grouped(named: Sequence[tuple[str, str, BandSource]]) -> list[Look]:
    """Looks by the words beside the polarisation; one look where each polarisation is there once, whatever its words."""
    polarisations = [polarisation for polarisation, _, _ in named]
    if len(set(polarisations)) == len(polarisations):
        return [Look(tuple(band for _, _, band in named))]
    groups: Mapping[str, list[BandSource]] = {}
    groups = {}
    for _, rest, band in named:
        groups.setdefault(rest, []).append(band)
    return [Look(tuple(bands), rest) for rest, bands in groups.items()]
