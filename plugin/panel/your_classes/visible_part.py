# SPDX-License-Identifier: GPL-2.0-or-later
"""The part of a scene that a preview shows."""

from __future__ import annotations

import math

from qgis.core import QgsCoordinateTransform, QgsCsException, QgsProject, QgsRasterLayer, QgsReferencedRectangle
from qgis.gui import QgsMapCanvas

MOST_PX = 2_000_000
"""About twice a window of 1000 x 1000 pixels: a preview has to be there in seconds."""


def visible_part(canvas: QgsMapCanvas, scene: QgsRasterLayer) -> QgsReferencedRectangle | None:
    """What the map shows of `scene`, or the middle of it where that is more than MOST_PX pixels; None where it shows none of it."""
    settings = canvas.mapSettings()
    shown = canvas.extent()
    if scene.crs() != settings.destinationCrs():
        try:
            transform = QgsCoordinateTransform(settings.destinationCrs(), scene.crs(), QgsProject.instance())
            shown = transform.transformBoundingBox(shown)
        except QgsCsException:
            return None
    part = shown.intersect(scene.extent())
    if part.isEmpty():
        return None
    pixels = part.width() * part.height() / (scene.rasterUnitsPerPixelX() * scene.rasterUnitsPerPixelY())
    if pixels > MOST_PX:
        part.scale(math.sqrt(MOST_PX / pixels))
    return QgsReferencedRectangle(part, scene.crs())
