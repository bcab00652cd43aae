# SPDX-License-Identifier: GPL-2.0-or-later
"""`sardine:composite`: many dates of one place as one raster, by season, by month or of all."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterEnum,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterString,
)

from ...backend.protocol import COMPOSITE_PERIODS, REDUCTIONS, BandSource, CompositeRequest, CompositeScene
from ..translation import tr
from . import parameters as ours
from .backend_algorithm import BackendAlgorithm, not_prepared, paragraphs
from .job_algorithm import number_or_none, tags
from .many_scenes import find_scenes, names_scenes, no_scene_named, scene_parameters
from .parameters import advanced, helped
from .scene_algorithm import style_when_loaded

SCENE_SETTINGS = ("UNITS", "CALIBRATION_DB", "SPACING_M")
"""Those of the settings of a map that say what a scene's values and pixels are."""


class CompositeAlgorithm(BackendAlgorithm):
    """No model is needed: the backend reads, warps and reduces."""

    def __init__(self) -> None:
        super().__init__()
        self._request: CompositeRequest | None = None

    def name(self) -> str:
        return "composite"

    def displayName(self) -> str:
        return tr("Composite of many Sentinel-1 dates")

    def shortDescription(self) -> str:
        return tr("Reduces many radar scenes of one place to one raster, by season, by month or all together.")

    def tags(self) -> list[str]:
        return tags(tr("composite"), tr("median"), tr("season"), tr("time series"), tr("speckle"))

    def shortHelpString(self) -> str:
        return paragraphs(
            tr("Dates of one place become one: the median, mean or a percentile of each pixel, taken in linear power."),
            tr("A pixel without data on a date is left out of that date alone. The grid is that of the first scene."),
            tr("By season the bands are called VV_winter, VH_winter and so on, as models trained on seasons call them."),
        )

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        number = QgsProcessingParameterNumber
        for parameter in (
            *scene_parameters(tr("For dates that lie in folders of their own.")),
            helped(
                QgsProcessingParameterString("DATES", tr("Dates of the scenes"), multiLine=True, optional=True),
                tr(
                    "YYYY-MM-DD or YYYY-MM, one a scene in their order, separated by spaces or lines. Left empty: read off "
                    "products and file names."
                ),
            ),
            helped(
                QgsProcessingParameterEnum(
                    "BY", tr("A composite for each"), COMPOSITE_PERIODS, False, "all", usesStaticStrings=True
                ),
                tr(
                    "season: winter is December to February, south of the equator June to August. month: the same month of all "
                    "years. all: one for all dates."
                ),
            ),
            helped(
                QgsProcessingParameterEnum(
                    "REDUCTION", tr("How dates become one value"), REDUCTIONS, False, "median", usesStaticStrings=True
                ),
                tr("The median keeps single floods and ships out. The mean has the least speckle. A low percentile finds water."),
            ),
            advanced(
                number("PERCENTILE", tr("Percentile"), number.Type.Double, defaultValue=50, minValue=0, maxValue=100),
                tr("For the reduction percentile alone."),
            ),
            helped(
                QgsProcessingParameterBoolean("DIRECTIONS_APART", tr("Keep orbit directions apart"), defaultValue=False),
                tr(
                    "Bands of their own for ascending and descending orbits, which see slopes from two sides. Band descriptions "
                    "must name the direction (VV_asc), or the scenes be products."
                ),
            ),
            *(parameter for parameter in ours.settings() if parameter.name() in SCENE_SETTINGS),
            helped(
                QgsProcessingParameterRasterDestination("OUTPUT", tr("Composite")),
                tr("Decibels; the bands are called by polarisation, period, first and last date and number of dates."),
            ),
            helped(
                QgsProcessingParameterRasterDestination("COUNT", tr("Number of dates"), None, True, False),
                tr("How many dates each pixel has, a band for each of the composite."),
            ),
        ):
            self.addParameter(parameter)
        self.addOutput(QgsProcessingOutputNumber("DATES_USED", tr("Dates")))
        self.addOutput(QgsProcessingOutputNumber("BANDS_OUT", tr("Bands")))

    def checkParameterValues(self, parameters: dict[str, Any], context: QgsProcessingContext) -> tuple[bool, str]:
        # Of the list QGIS would open each raster, and refuse all without saying which one is not there.
        good, message = super().checkParameterValues({**parameters, "SCENES": None}, context)
        if good and not names_scenes(parameters):
            return False, no_scene_named()
        return good, message

    def prepare(self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> None:
        scenes = find_scenes(self, parameters, context)
        problem = next((scene.problem for scene in scenes if scene.problem), "")
        if problem:
            raise QgsProcessingException(problem)
        dates = re.split(r"[\s,;]+", self.parameterAsString(parameters, "DATES", context).strip())
        if dates == [""]:
            dates = []
        if dates and len(dates) != len(scenes):
            text = tr("{dates} dates are given for {scenes} scenes: one a scene is needed, in their order.")
            raise QgsProcessingException(text.format(dates=len(dates), scenes=len(scenes)))
        self._request = CompositeRequest(
            scenes=tuple(
                CompositeScene(tuple(BandSource("", source, 0) for source in scene.sources), dates[number] if dates else None)
                for number, scene in enumerate(scenes)
            ),
            output="",
            by=self.parameterAsString(parameters, "BY", context),
            reduction=self.parameterAsString(parameters, "REDUCTION", context),
            percentile=self.parameterAsDouble(parameters, "PERCENTILE", context),
            directions_apart=self.parameterAsBoolean(parameters, "DIRECTIONS_APART", context),
            units=self.parameterAsString(parameters, "UNITS", context),
            calibration_db=number_or_none(self, parameters, "CALIBRATION_DB", context),
            spacing_m=number_or_none(self, parameters, "SPACING_M", context),
            overwrite=True,  # Processing has asked already whether a file may be replaced
        )

    def process(self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> dict[str, Any]:
        if self._request is None:
            raise not_prepared()
        paths = {name: self.parameterAsOutputLayer(parameters, name, context) for name in ("OUTPUT", "COUNT")}
        paths = {name: path for name, path in paths.items() if path}
        request = dataclasses.replace(self._request, output=paths["OUTPUT"], count=paths.get("COUNT"))
        result = self.run_task(request, paths.values(), feedback)
        style_when_loaded(paths["OUTPUT"], "composite", context)
        return {**paths, "DATES_USED": result.figures["dates"], "BANDS_OUT": result.figures["bands"]}
