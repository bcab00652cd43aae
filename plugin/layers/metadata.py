# SPDX-License-Identifier: GPL-2.0-or-later
"""QGIS's own metadata of a result layer: what it is, under which licence, and how it was made."""

from __future__ import annotations

from qgis.core import QgsCoordinateReferenceSystem, QgsLayerMetadata

from ...backend.model_card import ModelCard
from ...backend.protocol import JobResult
from ..panel.model_text import trained_on
from ..processing.parameters import RASTER_OUTPUTS, raster_meanings
from ..translation import tr
from .results import summary_lines


def metadata_of(name: str, title: str, scene_name: str, result: JobResult, card: ModelCard) -> QgsLayerMetadata:
    """Metadata of the raster with parameter id `name`. The file's own tags hold the same provenance and more."""
    metadata = QgsLayerMetadata()
    metadata.setType("dataset")
    metadata.setTitle(title)
    metadata.setIdentifier(result.outputs.get(RASTER_OUTPUTS[name], ""))
    metadata.setAbstract(
        " ".join(
            (
                raster_meanings()[name],
                tr("Made by SARdine from {scene} with the model {model}.").format(scene=scene_name, model=card.name),
                tr("The model was trained on {what}.").format(what=trained_on(card)),
            )
        )
    )
    metadata.setLicenses([tr("Model: {licence}").format(licence=card.licence)] if card.licence else [])
    weights = tr("Model {model}, SHA-256 of its weights {hash}").format(model=card.name, hash=result.model_sha256)
    metadata.setHistory([*summary_lines(result, card), weights, *result.warnings])
    if result.crs_wkt:
        metadata.setCrs(QgsCoordinateReferenceSystem.fromWkt(result.crs_wkt))
    return metadata
