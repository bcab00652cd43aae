# SPDX-License-Identifier: GPL-2.0-or-later
"""The graphical models that come with the plugin, as algorithms of its provider: ready to run, and to be copied and changed."""

from __future__ import annotations

from qgis.core import QgsProcessingModelAlgorithm
from qgis.PyQt.QtGui import QIcon

from ..locations import GRAPHICAL_MODELS, ICONS, help_url
from ..translation import tr
from .backend_algorithm import paragraphs


class ClassAreasByPolygon(QgsProcessingModelAlgorithm):
    """`sardine:class_areas_by_polygon`: what scripts/make_graphical_model.py wrote, with a name and a help of ours.

    A model's name is its id as well, so the one that people read is given here.
    """

    def __init__(self) -> None:
        super().__init__()
        self.fromFile(str(GRAPHICAL_MODELS / "class_areas_by_polygon.model3"))

    def createInstance(self) -> ClassAreasByPolygon:
        return ClassAreasByPolygon()

    def displayName(self) -> str:
        return tr("Class areas by polygon (graphical model)")

    def shortDescription(self) -> str:
        return tr("Maps land cover inside polygons and gives each polygon the area of each class.")

    def tags(self) -> list[str]:
        return tr("sentinel-1,radar,land cover,zonal,histogram,area,example").split(",")

    def shortHelpString(self) -> str:
        return paragraphs(
            tr("Maps land cover inside polygons, counts the pixels of each class in each of them, and turns these into hectares."),
            tr("An example of a graphical model with SARdine: open {file} in the model designer to change it.").format(
                file="resources/models3/class_areas_by_polygon.model3"
            ),
        )

    def icon(self) -> QIcon:
        return QIcon(self.svgIconPath())

    def svgIconPath(self) -> str:
        return str(ICONS / "sardine.svg")

    def helpUrl(self) -> str:
        return help_url(self.name())
