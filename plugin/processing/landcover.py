# SPDX-License-Identifier: GPL-2.0-or-later
"""`sardine:landcover`: one Sentinel-1 scene to land cover, confidence, probabilities and attention."""

from __future__ import annotations

from typing import Any

from qgis.core import QgsProcessingOutputNumber

from ..translation import tr
from . import parameters as ours
from .backend_algorithm import paragraphs
from .job_algorithm import tags
from .scene_algorithm import SceneAlgorithm


class LandcoverAlgorithm(SceneAlgorithm):
    """The algorithm that the panel runs."""

    def name(self) -> str:
        return "landcover"

    def displayName(self) -> str:
        return tr("Land cover from Sentinel-1")

    def shortDescription(self) -> str:
        return tr("Maps land cover, its confidence and the model's attention from a Sentinel-1 radar scene.")

    def tags(self) -> list[str]:
        return tags(tr("land cover"), tr("classification"), tr("attention"))

    def shortHelpString(self) -> str:
        return paragraphs(
            tr("Maps land cover from Sentinel-1 radar (VV and VH) with a Vision Transformer, and shows where the model looked."),
            tr(
                "The raster may hold dB, linear power or amplitude, in any coordinate system. The unit is detected and told "
                "with its evidence; where it is not certain the run stops and asks."
            ),
            tr(
                "The work is done by a Python process of its own, which needs torch, timm and rasterio: choose its interpreter "
                "under Raster › SARdine, or set SARDINE_PYTHON."
            ),
            tr("A result is written in full or not at all: a run that is cancelled or fails leaves nothing behind."),
        )

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        areas = tr("The area of each class in hectares and percent.")
        for parameter in (
            *ours.scene_inputs(),
            ours.model_file(),
            *ours.settings(),
            ours.advanced(ours.attention_heads()),
            ours.resume(),
            ours.raster_output("LANDCOVER"),
            ours.raster_output("CONFIDENCE"),
            ours.raster_output("PROBABILITIES", by_default=False),
            ours.raster_output("ATTENTION", by_default=False),
            ours.summary_output(),
            ours.file_output("AREAS", tr("Class areas"), tr("CSV files (*.csv)"), areas, False),
        ):
            self.addParameter(parameter)
        for output in ours.figures():
            self.addOutput(output)
        self.addOutput(QgsProcessingOutputNumber("MEAN_CONFIDENCE", tr("Mean confidence (%)")))
