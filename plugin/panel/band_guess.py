# SPDX-License-Identifier: GPL-2.0-or-later
"""Which layer and band of the project most likely holds each band that a model needs. A proposal: a person may change it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from qgis.core import Qgis, QgsRasterLayer

from ...backend import model_card
from ...backend.model_card import POLARISATION, without_image_number

LayerBand = tuple[QgsRasterLayer, int]

_POLARISATIONS = frozenset(("vv", "vh", "hh", "hv"))
_DIRECTIONS = {"ascending": "asc", "descending": "desc"}


def names_role(role: str, text: str) -> bool:
    """Whether `text` names `role` and no other polarisation. The backend checks the same again when it opens the files.

    >>> names_role("VV", "S1A_IW_sigma0_VV"), names_role("VV", "VV/VH ratio"), names_role("VV_asc", "vv ascending")
    (True, False, True)
    """
    found = _words(text)
    return _words(role) <= found and len(found & _POLARISATIONS) <= 1


def guess_bands(roles: Sequence[str], selected: QgsRasterLayer, others: Sequence[QgsRasterLayer]) -> dict[str, LayerBand]:
    """A layer and band (counted from 1) for each role that could be found: in `selected`, else in a sibling among `others`.

    A sibling is a layer whose name, or whose file, differs from the selected one's in the polarisation alone.
    """
    siblings = [layer for layer in others if layer.id() != selected.id() and _common(layer) & _common(selected)]
    found: dict[str, LayerBand] = {}
    for role in roles:
        for layer in (selected, *siblings):
            number = band_of_role(layer, role)
            if number:
                found[role] = (layer, number)
                break
    return found


def band_of_role(layer: QgsRasterLayer, role: str) -> int:
    """The band of `layer` that names `role`, by its description; of a single-band layer by its own or its file's name. 0: none."""
    provider = layer.dataProvider()
    if provider is None:
        return 0
    numbers = _bands(layer)
    named = [number for number in numbers if names_role(role, provider.bandDescription(number))]
    if len(named) == 1:
        return named[0]
    if len(numbers) == 1 and any(names_role(role, text) for text in _names(layer)):
        return numbers[0]
    return 0


def polarisations(layer: QgsRasterLayer) -> list[str]:
    """The polarisations that the bands of `layer` name, or the layer itself where it has one band, in their order."""
    provider, numbers = layer.dataProvider(), _bands(layer)
    texts = [provider.bandDescription(number) for number in numbers] if provider is not None else []
    found = [_words(text) & _POLARISATIONS for text in [*texts, *(_names(layer) if len(numbers) == 1 else ())]]
    return list(dict.fromkeys(next(iter(words)).upper() for words in found if len(words) == 1))


def _bands(layer: QgsRasterLayer) -> list[int]:
    """The bands that hold values. A raster with ground control points gets a band of opacity from QGIS, which warps it."""
    provider = layer.dataProvider()
    if provider is None:
        return []
    opacity = Qgis.RasterColorInterpretation.AlphaBand
    return [number for number in range(1, layer.bandCount() + 1) if provider.colorInterpretation(number) != opacity]


def sibling_file(layer: QgsRasterLayer, role: str) -> Path | None:
    """The file beside that of `layer` whose name has the polarisation of `role` in the place of its own; None: there is none."""
    return model_card.sibling_file(layer.source().split("|", 1)[0], role)


def split_polarisation(name: str) -> tuple[str, str]:
    """`name` without its polarisation, and the polarisation; whole and "" where it names none or several.

    >>> split_polarisation("S1A_IW_VV_may"), split_polarisation("vv_vh")
    (('S1A_IW__may', 'vv'), ('vv_vh', ''))
    """
    found = list(POLARISATION.finditer(name))
    if len(found) != 1:
        return name, ""
    (match,) = found
    return name[: match.start()] + name[match.end() :], match.group(0).lower()


def _names(layer: QgsRasterLayer) -> tuple[str, str]:
    return layer.name(), Path(layer.source().split("|", 1)[0]).stem


def _common(layer: QgsRasterLayer) -> set[frozenset[str]]:
    """The layer's names without their polarisation, where they have one."""
    found = [_words(without_image_number(name)) for name in _names(layer)]
    return {words - _POLARISATIONS for words in found if words & _POLARISATIONS}


def _words(text: str) -> frozenset[str]:
    spaced = POLARISATION.sub(lambda match: f" {match.group(0)} ", text).lower()
    return frozenset(_DIRECTIONS.get(word, word) for word in re.split(r"[^a-z0-9]+", spaced) if word)
