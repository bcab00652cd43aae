# SPDX-License-Identifier: GPL-2.0-or-later
"""Which bands of a file, or of several, make one look at the ground: one VV and one VH, of one date and orbit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from backend.protocol import BandSource
from backend.scene.bands import POLARISATIONS, band_text, polarisation_of, role_of, words_of
from backend.scene.sources import describe_raster, open_raster

_TOKEN = re.compile(r"(?<![a-z])(vv|vh|hh|hv)(?![a-z])", re.IGNORECASE)

_GLUED = re.compile(r"(?<![a-z])(vv|vh|hh|hv)(asc|des)(?:c|cending|ending)?(?![a-z])", re.IGNORECASE)
"""Polarisation and orbit direction in one word, as M3LEO's bands have them (geetiles/defs/s1grd.py: winter_vvasc)."""


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

    Where roles are more than a polarisation (VV_winter), there is one look, with the band that names each role's words.
    Raises SardineError for a file that cannot be opened.
    """
    if given:
        return [Look(tuple(BandSource(role, str(path), band) for path in paths for band, role in enumerate(given, 1) if role))]
    bands = [(path, band, spelt_out(text)) for path in paths for band, text in enumerate(_band_texts(path), 1)]
    if not all(role in POLARISATIONS for role in roles):
        named = [(role_of(text, roles), path, band) for path, band, text in bands]
        return [Look(tuple(BandSource(role, str(path), band) for role, path, band in named if role) or _unnamed(paths))]
    found: list[tuple[str, str, BandSource]] = []
    for path, band, text in bands:
        polarisation = polarisation_of(text)
        if polarisation is not None and polarisation in roles:
            rest = " ".join(sorted(words_of(text) - {polarisation} - words_of(_TOKEN.sub(" ", path.stem))))
            found.append((polarisation, rest, BandSource(polarisation, str(path), band)))
    return _grouped(found) if found else [Look(_unnamed(paths))]


def spelt_out(text: str) -> str:
    """A band's name with its words apart.

    >>> spelt_out("winter_vvasc"), spelt_out("summer_vhdes")
    ('winter_vv asc', 'summer_vh desc')
    """
    return _GLUED.sub(lambda match: f"{match.group(1)} {'asc' if match.group(2).lower() == 'asc' else 'desc'}", text)


def _band_texts(path: Path) -> list[str]:
    dataset = open_raster(str(path))
    try:
        info = describe_raster(dataset, str(path))
    finally:
        dataset.close()
    return [band_text(info, band) for band in range(1, info.count + 1)]


def _unnamed(paths: Sequence[Path]) -> tuple[BandSource, ...]:
    """Bands whose roles nothing tells: the backend says what it misses."""
    return tuple(BandSource("", str(path), 0) for path in paths)


def _grouped(named: Sequence[tuple[str, str, BandSource]]) -> list[Look]:
    """Looks by the words beside the polarisation; one look where each polarisation is there once, whatever its words."""
    polarisations = [polarisation for polarisation, _, _ in named]
    if len(set(polarisations)) == len(polarisations):
        return [Look(tuple(band for _, _, band in named), " ".join(sorted({rest for _, rest, _ in named})))]
    groups: dict[str, list[BandSource]] = {}
    for _, rest, band in named:
        groups.setdefault(rest, []).append(band)
    return [Look(tuple(bands), rest) for rest, bands in groups.items()]
