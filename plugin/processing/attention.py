# SPDX-License-Identifier: GPL-2.0-or-later
"""`sardine:attention`: where a model looks in one scene, from any model file of ours, one without classes too."""

from __future__ import annotations

from typing import Any

from ..translation import tr
from . import parameters as ours
from .backend_algorithm import paragraphs
from .job_algorithm import tags
from .scene_algorithm import SceneAlgorithm


class AttentionAlgorithm(SceneAlgorithm):
    """The same job as land cover's, with attention as its only raster: the decoder is not run."""

    def name(self) -> str:
        return "attention"

    def displayName(self) -> str:
        return tr("Attention from Sentinel-1")

    def shortDescription(self) -> str:
        return tr("Shows where a Vision Transformer looks in a Sentinel-1 radar scene.")

    def tags(self) -> list[str]:
        return tags(tr("attention"), tr("saliency"), tr("explain"))

    def shortHelpString(self) -> str:
        return paragraphs(
            tr(
                "Writes the attention of a model's class token to each patch of a Sentinel-1 scene: one pixel a patch (80 or "
                "160 m), where 1 is as much as the average patch of the scene. Bright places are those that the model takes "
                "for telling: built-up ground, shores, ships, field borders."
            ),
            tr("Any model file of SARdine will do, also an encoder that was pre-trained without classes."),
            tr(
                "The raster may hold dB, linear power or amplitude, in any coordinate system. The unit is detected and told "
                "with its evidence; where it is not certain the run stops and asks."
            ),
            tr("A result is written in full or not at all: a run that is cancelled or fails leaves nothing behind."),
        )

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        for parameter in (
            *ours.scene_inputs(),
            ours.model_file(),
            ours.attention_heads(),
            *ours.settings(),
            ours.resume(),
            ours.raster_output("ATTENTION", optional=False),
            ours.summary_output(),
        ):
            self.addParameter(parameter)
        for output in ours.figures():
            self.addOutput(output)
