# SPDX-License-Identifier: GPL-2.0-or-later
"""Which band of which file plays which role, read off descriptions and file names, and checked where a person said so.

A role is a polarisation and, for composites, more words: VV, VH_asc, VV_winter. Words match in any order and case.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..model_card import POLARISATION, BandSpec
from ..protocol import BandSource, ErrorCode, SardineError
from .sources import RasterInfo

POLARISATIONS = ("VV", "VH", "HH", "HV")
CROSS_OF = {"VV": "VH", "HH": "HV"}
_DIRECTIONS = {"ascending": "asc", "descending": "desc"}
_TEXT_TO_SHOW = 40


@dataclass(frozen=True)
class RoleBand:
    """A band and its role. `text` is what the file calls it; `corroborated` says that this agrees with the role."""

    role: str
    path: str
    band: int
    text: str
    corroborated: bool


def words_of(text: str) -> frozenset[str]:
    """Words of a role, description or file name, upper case; long and short names of orbit directions are the same.

    >>> sorted(words_of("VV_asc")), sorted(words_of("vv ascending"))
    (['ASC', 'VV'], ['ASC', 'VV'])
    """
    words = re.split(r"[^a-z0-9]+", POLARISATION.sub(lambda m: f" {m.group(0)} ", text).lower())
    return frozenset(_DIRECTIONS.get(word, word).upper() for word in words if word)


def polarisation_of(text: str) -> str | None:
    """The one polarisation that `text` names; None for none, or for several (a ratio, or a name of a two-band file)."""
    found = {(m.group(1) or m.group(2)).upper() for m in POLARISATION.finditer(text)}
    return found.pop() if len(found) == 1 else None


def role_of(text: str, roles: Sequence[str] = ()) -> str | None:
    """The role that `text` names, among `roles` if given; else polarisation and orbit direction. None where it names none.

    Of several that fit, the one with most words: of VV and VV_asc, “S1 VV ascending” is VV_asc.
    """
    polarisation = polarisation_of(text)
    words = words_of(text)
    if not roles:
        direction = next((word.lower() for word in ("ASC", "DESC") if word in words), None)
        return None if polarisation is None else f"{polarisation}_{direction}" if direction else polarisation
    fitting = [role for role in roles if words_of(role) <= words and polarisation in (None, polarisation_of(role))]
    if polarisation is None:  # "VV/VH ratio" holds the word VV, and is neither
        fitting = [role for role in fitting if polarisation_of(role) is None]
    fitting.sort(key=lambda role: len(words_of(role)), reverse=True)
    if len(fitting) > 1 and len(words_of(fitting[0])) == len(words_of(fitting[1])):
        return None
    return fitting[0] if fitting else None


def band_text(info: RasterInfo, band: int) -> str:
    """What the file calls a band: its description, or for a single-band file without one that names a polarisation, its name."""
    description = info.descriptions[band - 1]
    if info.count == 1 and polarisation_of(description) is None and polarisation_of(info.stem) is not None:
        return info.stem
    return description


def resolve_bands(
    sources: Sequence[BandSource], infos: Mapping[str, RasterInfo], specs: Sequence[BandSpec] | None
) -> list[RoleBand]:
    """The band for each role, in the order of `sources`. `specs` are the model's bands; None takes whatever roles are found.

    Raises SardineError: band_absent, band_duplicate, bands_swapped, request_invalid.
    """
    known = [spec.role for spec in specs] if specs is not None else []
    resolved: list[RoleBand] = []
    for source in sources:
        info = infos[source.path]
        if source.band > info.count:
            raise SardineError(
                ErrorCode.BAND_ABSENT,
                f"{info.name} has no band {source.band}: it has {info.count}.",
                f"A band from 1 to {info.count} is needed.",
                "Choose another band.",
            )
        if source.role:
            resolved.append(_given(source, info, known))
        else:
            numbers = range(1, info.count + 1) if source.band == 0 else (source.band,)
            resolved.extend(_read_off(info, numbers, known))
    if not resolved:
        _check_polarisations(infos, specs)
        named = "; ".join(_bands_named(info) for info in infos.values())
        raise SardineError(
            ErrorCode.BAND_ABSENT,
            f"No band names a role ({named}).",
            f"The roles needed are {', '.join(known) or 'VV, VH or the like'}.",
            "Say which band is which, for example VV=scene.tif:1.",
        )
    _check_duplicates(resolved)
    if specs is not None:
        _check_complete(resolved, specs)
    return resolved


def _given(source: BandSource, info: RasterInfo, known: Sequence[str]) -> RoleBand:
    """The band that a person gave a role, checked against what the file says."""
    role = _matching_role(source.role, known)
    if role is None:
        raise SardineError(
            ErrorCode.REQUEST_INVALID,
            f"The model has no band {source.role}.",
            f"Its bands are {', '.join(known)}.",
            "Use one of these roles, or choose another model.",
        )
    band = max(source.band, 1)
    text = band_text(info, band)
    named, wanted = polarisation_of(text), polarisation_of(role)
    if named is not None and wanted is not None and named != wanted:
        raise SardineError(
            ErrorCode.BANDS_SWAPPED,
            f"Band {band} of {info.name} was given as {role}, but the file calls it “{text[:_TEXT_TO_SHOW]}”.",
            f"{role} needs a band of polarisation {wanted}.",
            "Exchange the bands, or correct the description in the file.",
        )
    return RoleBand(role, source.path, band, text, corroborated=named is not None and named == wanted)


def _matching_role(role: str, known: Sequence[str]) -> str | None:
    """`role` as the model writes it; itself where no model is known."""
    if not known:
        return role
    return next((name for name in known if words_of(name) == words_of(role)), None)


def _read_off(info: RasterInfo, numbers: Sequence[int], known: Sequence[str]) -> list[RoleBand]:
    found: list[RoleBand] = []
    for number in numbers:
        text = band_text(info, number)
        role = role_of(text, known)
        if role is not None:
            found.append(RoleBand(role, info.path, number, text, corroborated=True))
    return found


def _check_duplicates(resolved: Sequence[RoleBand]) -> None:
    for index, band in enumerate(resolved):
        for other in resolved[:index]:
            same_band = (_canonical(band.path), band.band) == (_canonical(other.path), other.band)
            if same_band or band.role == other.role:
                what = (
                    f"Band {band.band} of {Path(band.path).name} was given for both {other.role} and {band.role}."
                    if same_band
                    else f"{_named(other)} and {_named(band)} both claim the role {band.role}."
                )
                raise SardineError(
                    ErrorCode.BAND_DUPLICATE, what, "Each role needs a band of its own.", "Choose one band for each role."
                )


def _named(band: RoleBand) -> str:
    return f"Band {band.band} of {Path(band.path).name}" + (f" (“{band.text[:_TEXT_TO_SHOW]}”)" if band.text else "")


def _check_polarisations(infos: Mapping[str, RasterInfo], specs: Sequence[BandSpec] | None) -> None:
    """Says so where every band has a polarisation and the model knows none of them. Raises SardineError: band_absent."""
    found = [polarisation_of(text) for info in infos.values() for text in info.descriptions]
    names = sorted({name for name in found if name is not None})
    if specs and names and None not in found and not any(polarisation_of(spec.role) in (None, *names) for spec in specs):
        raise SardineError(
            ErrorCode.BAND_ABSENT,
            f"The scene is {' and '.join(names)} ({', '.join(info.name for info in infos.values())}).",
            f"The model needs {', '.join(spec.role for spec in specs)}, and was trained on no other polarisation.",
            "Choose a model for these polarisations, or another scene.",
        )


def _check_complete(resolved: Sequence[RoleBand], specs: Sequence[BandSpec]) -> None:
    have = {band.role for band in resolved}
    missing = [spec.role for spec in specs if not spec.optional and spec.role not in have]
    if missing:
        optional = [spec.role for spec in specs if spec.optional]
        raise SardineError(
            ErrorCode.BAND_ABSENT,
            f"The scene has {', '.join(sorted(have))}, but no {' and no '.join(missing)}.",
            f"The model needs {', '.join(spec.role for spec in specs if not spec.optional)}"
            + (f" and takes {', '.join(optional)}." if optional else "."),
            "Add the missing band, or choose a model for the bands there are.",
        )


def _canonical(path: str) -> str:
    return str(Path(path).resolve()) if Path(path).exists() else path


def _bands_named(info: RasterInfo) -> str:
    names = ", ".join(f"“{text[:_TEXT_TO_SHOW]}”" if text else "without description" for text in info.descriptions[:8])
    return f"{info.name}: {names}"
