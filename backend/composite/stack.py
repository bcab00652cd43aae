# SPDX-License-Identifier: GPL-2.0-or-later
"""The scenes of a composite, opened and checked, all read on the grid of the first."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..grid import RasterGrid
from ..protocol import CompositeRequest, CompositeScene, ErrorCode, SardineError
from ..scene.bands import polarisation_of, words_of
from ..scene.checks import Warning_
from ..scene.georeference import Georeference, to_longitude_latitude
from ..scene.open import open_bands
from ..scene.output_grid import COARSEST_RATIO
from ..scene.reader import Scene
from ..scene.sources import cache_bytes, set_cache
from ..scene.warp import GridReader
from .dates import date_of, period_of, period_order

SPACING_M = 10.0
"""Of the grid that a product without one is brought onto: that of IW GRD."""

DIRECTIONS = {"ascending": "asc", "descending": "desc"}
_ABOUT_MODELS = ("spacing_coarse", "backscatter_mismatch", "layers_aligned")
"""Codes of warnings that say nothing of a composite."""


@dataclass(frozen=True)
class Date:
    """One scene on the common grid. `roles` name its planes: a polarisation, and with `directions_apart` its orbit direction."""

    name: str
    date: str
    period: str
    scene: Scene
    roles: tuple[str, ...]


@dataclass(frozen=True)
class OutputBand:
    """One band of the composite: `planes` are (number of the date, plane of its scene)."""

    role: str
    period: str
    planes: tuple[tuple[int, int], ...]
    dates: tuple[str, ...]

    @property
    def description(self) -> str:
        """Role and period as a model's roles have them, then when from and to, and how many acquisitions."""
        name = f"{self.role}_{self.period}" if self.period else self.role
        first, last = min(self.dates), max(self.dates)
        return f"{name} {first if first == last else f'{first}/{last}'} n={len(self.planes)}"


@dataclass(frozen=True)
class Stack:
    """All dates, the grid, and the bands to make of them in their order."""

    dates: tuple[Date, ...]
    grid: RasterGrid
    bands: tuple[OutputBand, ...]
    warnings: tuple[Warning_, ...]


def open_stack(request: CompositeRequest, files: contextlib.ExitStack) -> Stack:
    """The scenes of `request`; `files` closes them.

    Raises SardineError: what opening a scene raises, its name before it; request_invalid (no date, no direction, grey levels),
    spacing_too_coarse, layers_do_not_overlap.
    """
    scenes: list[Scene] = []
    warnings: list[Warning_] = []
    grid: RasterGrid | None = None
    reference_m = SPACING_M
    for item in request.scenes:
        scene = files.enter_context(_open(item, request, reference_m))
        name = _name(item)
        if grid is None:
            grid, reference_m = _reference_grid(scene), max(scene.spacing_m)
        _check_unit(scene, name)
        placed = scene.on_grid(grid)
        _check_place(placed, name, reference_m)
        warnings += [(code, f"{name}: {text}") for code, text in scene.warnings if code not in _ABOUT_MODELS]
        if not placed.reads_as_it_is and scenes:
            warnings.append(
                ("scene_warped", f"{name} lies on another grid, and is warped onto that of {_name(request.scenes[0])}.")
            )
        scenes.append(placed)
    if grid is None:
        raise SardineError(ErrorCode.REQUEST_INVALID, "No scene was named.", "Dates of one place are needed.", "Name them.")
    set_cache(cache_bytes(source for scene in scenes for source in scene.datasets()))
    southern = _is_southern(scenes[0])
    dates = []
    for item, scene in zip(request.scenes, scenes, strict=True):
        date = date_of(item.date, scene.product_facts, item.bands[0].path)
        roles = tuple(_role(role, scene, _name(item), request.directions_apart) for role in scene.roles_of_planes())
        dates.append(Date(_name(item), date, period_of(date, request.by, southern=southern), scene, roles))
    return Stack(tuple(dates), grid, _bands(dates), tuple(warnings))


def _bands(dates: Sequence[Date]) -> tuple[OutputBand, ...]:
    found: dict[tuple[int, int], list[tuple[int, int]]] = {}
    roles = list(dict.fromkeys(role for date in dates for role in date.roles))
    periods = {period_order(date.period): date.period for date in dates}
    for number, date in enumerate(dates):
        for plane, role in enumerate(date.roles):
            found.setdefault((period_order(date.period), roles.index(role)), []).append((number, plane))
    return tuple(
        OutputBand(roles[role], periods[period], tuple(planes), tuple(sorted(dates[number].date for number, _ in planes)))
        for (period, role), planes in sorted(found.items())
    )


def _open(item: CompositeScene, request: CompositeRequest, spacing_m: float) -> Scene:
    try:
        return open_bands(
            item.bands,
            None,
            spacing_m,
            units=request.units,
            calibration_db=request.calibration_db,
            spacing_m=request.spacing_m,
            allow_coarse=True,
        )
    except SardineError as error:
        name = _name(item)
        found = error.found if name in error.found else f"{name}: {error.found}"
        raise SardineError(error.code, found, error.needed, error.action, refused=error.refused) from error


def _reference_grid(scene: Scene) -> RasterGrid:
    """The pixels of the scene as they are where they lie north-up, also in degrees: a later warp is then the only one."""
    georeference = scene.layers[0].georeference
    t = georeference.transform
    if t is None or not georeference.north_up:
        return scene.grid
    crs_wkt = None if georeference.is_local else georeference.crs.to_wkt()
    return RasterGrid(crs_wkt, t.c, t.f, t.a, -t.e, georeference.height, georeference.width)


def _check_unit(scene: Scene, name: str) -> None:
    if scene.unit_report.unit == "scaled":
        raise SardineError(
            ErrorCode.REQUEST_INVALID,
            f"{name} holds grey levels of unknown scale.",
            "Dates are averaged in power, so backscatter is needed.",
            "Leave it out, or say its unit.",
        )


def _check_place(scene: Scene, name: str, reference_m: float) -> None:
    """Refuses what cannot be brought onto the grid that `scene` is on."""
    georeference, grid = scene.layers[0].georeference, scene.grid
    if georeference.is_local != (grid.crs_wkt is None) or (
        georeference.is_local and (georeference.height, georeference.width) != (grid.height, grid.width)
    ):
        raise SardineError(
            ErrorCode.LAYERS_DO_NOT_OVERLAP,
            f"{name} ({georeference.width} x {georeference.height} pixels) cannot be placed on the first scene ({grid.width} x "
            f"{grid.height}): at least one of them has no coordinate reference system.",
            "Scenes of one place in the same pixels, or with a CRS, are needed.",
            "Assign the CRS, or leave it out.",
        )
    spacing_m = max(scene.spacing_m)
    if spacing_m > COARSEST_RATIO * reference_m:
        raise SardineError(
            ErrorCode.SPACING_TOO_COARSE,
            f"The pixels of {name} are {spacing_m:.1f} m on the ground.",
            f"Those of the first scene are {reference_m:.1f} m, and at most twice that is taken.",
            "Leave it out, or put the coarsest scene first.",
        )
    if GridReader(georeference, grid, scene.crs).covers(grid.full_window) == 0:
        raise SardineError(
            ErrorCode.LAYERS_DO_NOT_OVERLAP,
            f"{name} covers no part of the first scene.",
            "Dates of one place are needed.",
            "Leave it out.",
        )


def _role(role: str, scene: Scene, name: str, directions_apart: bool) -> str:
    """The polarisation of a plane, and its orbit direction where directions are kept apart."""
    polarisation = polarisation_of(role) or role
    if not directions_apart:
        return polarisation
    direction = next((word.lower() for word in ("ASC", "DESC") if word in words_of(role)), None)
    direction = direction or DIRECTIONS.get(scene.product_facts.get("SARDINE_ORBIT_DIRECTION", ""))
    if direction is None:
        raise SardineError(
            ErrorCode.REQUEST_INVALID,
            f"Nothing tells the orbit direction of {role} of {name}.",
            "To keep directions apart, band descriptions must name it (VV_asc, VV_desc), or the scene be a product.",
            "Name it in the band descriptions, or put directions together.",
        )
    return f"{polarisation}_{direction}"


def _is_southern(scene: Scene) -> bool:
    """Whether the middle of the scene lies south of the equator; not where nobody knows where it lies."""
    georeference: Georeference = scene.layers[0].georeference
    if georeference.is_local:
        return False
    x, y = georeference.mapper().to_crs(np.array([georeference.width / 2]), np.array([georeference.height / 2]))
    _, latitude = to_longitude_latitude(georeference.crs, x, y)
    return bool(latitude[0] < 0)


def _name(item: CompositeScene) -> str:
    return Path(item.bands[0].path.rstrip("/")).name
