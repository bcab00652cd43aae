# SPDX-License-Identifier: GPL-2.0-or-later
"""QGIS's own metadata of a result layer: what it is, under which licence, and how it was made."""

from __future__ import annotations

from qgis.core import QgsCoordinateReferenceSystem, QgsLayerMetadata

from ..backend.model_card import ModelCard
from ..backend.protocol import JobResult
from .model_text import trained_on
from .processing.parameters import RASTER_OUTPUTS
from .results import summary_lines
from .translation import tr


def metadata_of(name: str, title: str, scene_name: str, result: JobResult, card: ModelCard) -> QgsLayerMetadata:
    """Metadata of the raster with parameter id `name`. The file's own tags hold the same provenance and more."""
    meanings = {
        "LANDCOVER": tr("Class codes; 0 is no data."),
        "CONFIDENCE": tr("Probability of the class that was chosen, in percent; 255 is no data."),
        "PROBABILITIES": tr("One band a class; the file's scale turns its values into 0 to 1."),
        "ATTENTION": tr("Where the model looked: mean and each head, one pixel a patch; 1 is as much as the average patch."),
    }
    metadata = QgsLayerMetadata()
    metadata.setType("dataset")
    metadata.setTitle(title)
    metadata.setIdentifier(result.outputs.get(RASTER_OUTPUTS[name], ""))
    metadata.setAbstract(
        " ".join(
            (
                meanings[name],
                tr("Made by SARdine from {scene} with the model {model}.").format(scene=scene_name, model=card.name),
                tr("The model was trained on {what}.").format(what=trained_on(card)),
            )
        )
    )
    metadata.setLicenses([tr("Model: {licence}").format(licence=card.licence)] if card.licence else [])
    weights = tr("Model {model}, SHA-256 of its weights {hash}").format(model=card.name, hash=result.model_sha256)
    metadata.setHistory([*(line.strip() for line in summary_lines(result, card)), weights, *result.warnings])
    if result.crs_wkt:
        metadata.setCrs(QgsCoordinateReferenceSystem.fromWkt(result.crs_wkt))
    return metadata
