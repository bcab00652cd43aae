# SPDX-License-Identifier: GPL-2.0-or-later
"""What a reader of a layout finds: scenes, with their labels, where they are and what is known of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from backend.protocol import BandSource
from training.reference.polygons import Reference


@dataclass(frozen=True)
class SceneItem:
    """One look at one piece of ground: bands to open together, and what the layout tells of them."""

    file: str
    """Name for the index and for refusals: the path below the source's root."""

    bands: tuple[BandSource, ...]
    """As the backend takes them."""

    labels: tuple[Path, ...] = ()
    """Label rasters. With a CRS they are warped by it, several are laid over each other; without one, one raster of the scene's
    own shape."""

    legend: str = ""
    """Where it differs from file to file in one layout; else the source's."""

    polygons: Optional[Reference] = None
    """Reference polygons of this scene, burned over the label."""

    place: str = ""
    """Where the layout or the configuration tells it; empty: a geographic block."""

    split: str = ""
    """Where the layout tells it."""

    same_ground: str = ""
    """Scenes of a source with one text show the same pixels; empty: those with a CRS on one grid do, and looks from one file."""

    date: str = ""
    orbit: str = ""
    """ascending, descending or empty."""


@dataclass(frozen=True)
class Refusal:
    """A file that gave no chips, or fewer, and why."""

    source: str
    file: str
    reason: str


@dataclass(frozen=True)
class Found:
    """What a reader found in its folders."""

    items: tuple[SceneItem, ...]
    refused: tuple[Refusal, ...] = ()
