# SPDX-License-Identifier: GPL-2.0-or-later
"""Points and polygons out of well-known binary (OGC 06-103r4, clause 8.2; ISO and EWKB codes for further dimensions)."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Point = tuple[float, float]
Ring = list[Point]
Polygon = list[Ring]
"""An outer ring, then holes."""

WKB_POINT, WKB_POLYGON, WKB_MULTIPOINT, WKB_MULTIPOLYGON, WKB_COLLECTION = 1, 3, 4, 6, 7
WKB_DIMENSIONS = {0: 2, 1: 3, 2: 3, 3: 4}
"""Numbers a point by the thousands of an ISO WKB type: xy, xyz, xym, xyzm."""
MAX_DEPTH = 8


@dataclass
class Shapes:
    """The points and polygons of one geometry, whatever it was nested in."""

    points: list[Point] = field(default_factory=list)
    polygons: list[Polygon] = field(default_factory=list)

    def add(self, other: Shapes) -> None:
        self.points += other.points
        self.polygons += other.polygons


def read_wkb(blob: bytes, at: int) -> Shapes:
    """The shapes of the well-known binary at byte `at`. Raises ValueError, IndexError, KeyError or struct.error."""
    return _read(blob, at)[0]


def closed_polygon(rings: Any) -> Iterator[Polygon]:
    """The polygon of `rings`, each closed; none where the outer ring has no area. Raises ValueError for NaN and infinity."""
    polygon = [[finite_point(point) for point in ring] for ring in rings]
    if polygon and len(polygon[0]) >= 4:
        yield [ring if ring[0] == ring[-1] else [*ring, ring[0]] for ring in polygon if len(ring) >= 4]


def finite_point(point: Any) -> Point:
    """X and y of `point`. Raises ValueError where one is no number."""
    x, y = float(point[0]), float(point[1])
    if not (math.isfinite(x) and math.isfinite(y)):
        raise ValueError("a coordinate is not a number")
    return x, y


def _read(blob: bytes, at: int, depth: int = 0) -> tuple[Shapes, int]:
    """Shapes at byte `at`, and the byte after them."""
    if depth > MAX_DEPTH:
        raise ValueError("geometries are nested too deeply")
    order = "<" if blob[at] == 1 else ">"
    (code,) = struct.unpack_from(f"{order}I", blob, at + 1)
    thousands, kind = divmod(code & 0x1FFFFFFF, 1000)
    numbers = 2 + bool(code & 0x80000000) + bool(code & 0x40000000) if code & 0xC0000000 else WKB_DIMENSIONS[thousands]
    if kind == WKB_POINT:
        values = struct.unpack_from(f"{order}{numbers}d", blob, at + 5)
        empty = all(math.isnan(value) for value in values[:2])  # how WKB writes an empty point
        return Shapes(points=[] if empty else [finite_point(values)]), at + 5 + numbers * 8
    if kind == WKB_POLYGON:
        polygons, at = _read_polygon(blob, at + 5, order, numbers)
        return Shapes(polygons=polygons), at
    if kind not in (WKB_MULTIPOINT, WKB_MULTIPOLYGON, WKB_COLLECTION):
        raise ValueError("it holds geometries other than points and plain polygons")
    (count,) = struct.unpack_from(f"{order}I", blob, at + 5)
    at += 9
    shapes = Shapes()
    for _ in range(count):
        part, at = _read(blob, at, depth + 1)
        shapes.add(part)
    return shapes, at


def _read_polygon(blob: bytes, at: int, order: str, numbers: int) -> tuple[list[Polygon], int]:
    (ring_count,) = struct.unpack_from(f"{order}I", blob, at)
    at += 4
    rings: Polygon = []
    for _ in range(ring_count):
        (point_count,) = struct.unpack_from(f"{order}I", blob, at)
        values = struct.unpack_from(f"{order}{point_count * numbers}d", blob, at + 4)
        at += 4 + point_count * numbers * 8
        rings.append(list(zip(values[::numbers], values[1::numbers], strict=True)))
    return list(closed_polygon(rings)), at
