# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes the graphical model that ships with the plugin, for the classes of the bundled model.

    QT_QPA_PLATFORM=offscreen PYTHONPATH=. .venv-qgis/bin/python scripts/make_graphical_model.py

Land cover inside polygons -> zonal histogram (pixels of each code) -> a field of hectares for each class.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from qgis.core import (
    QgsApplication,
    QgsProcessing,
    QgsProcessingModelAlgorithm,
    QgsProcessingModelChildAlgorithm,
    QgsProcessingModelChildParameterSource,
    QgsProcessingModelOutput,
    QgsProcessingModelParameter,
    QgsProcessingParameterEnum,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterFile,
    QgsProcessingParameterRasterLayer,
)
from qgis.PyQt.QtCore import QPointF

from backend.model_card import ModelCard, read_header
from backend.protocol import UNITS

ROOT = Path(__file__).resolve().parents[1]
NAME = "class_areas_by_polygon"
Source = QgsProcessingModelChildParameterSource


def class_areas_by_polygon(card: ModelCard) -> QgsProcessingModelAlgorithm:
    """The graphical model. Its name is the algorithm's id and never changes."""
    model = QgsProcessingModelAlgorithm(NAME, "")
    inputs = (
        QgsProcessingParameterRasterLayer("SCENE", "Sentinel-1 raster"),
        QgsProcessingParameterFeatureSource("POLYGONS", "Polygons", [QgsProcessing.SourceType.TypeVectorPolygon]),
        QgsProcessingParameterFile("MODEL", "Model", fileFilter="SARdine models (*.safetensors)", optional=True),
        QgsProcessingParameterEnum("UNITS", "Unit of the pixel values", UNITS, defaultValue="auto", usesStaticStrings=True),
    )
    for place, parameter in enumerate(inputs):
        node = QgsProcessingModelParameter(parameter.name())
        node.setPosition(QPointF(120 + 220 * place, 60))
        model.addModelParameter(parameter, node)
    land = _child("landcover", "sardine:landcover", "Land cover", 0)
    for name, parameter in (("INPUT", "SCENE"), ("MASK", "POLYGONS"), ("MODEL", "MODEL"), ("UNITS", "UNITS")):
        land.addParameterSources(name, [Source.fromModelParameter(parameter)])
    land.setModelOutputs({"LANDCOVER": _output("LANDCOVER", "Land cover", "landcover", "LANDCOVER", 0)})
    model.addChildAlgorithm(land)
    histogram = _child("histogram", "native:zonalhistogram", "Pixels of each class", 1)
    histogram.addParameterSources("INPUT_RASTER", [Source.fromChildOutput("landcover", "LANDCOVER")])
    histogram.addParameterSources("RASTER_BAND", [Source.fromStaticValue(1)])
    histogram.addParameterSources("INPUT_VECTOR", [Source.fromModelParameter("POLYGONS")])
    histogram.addParameterSources("COLUMN_PREFIX", [Source.fromStaticValue("px_")])
    model.addChildAlgorithm(histogram)
    before, classes = "histogram", sorted(card.classes, key=lambda item: item.code)
    for place, item in enumerate(classes, start=2):
        area = _child(f"area_{item.code}", "native:fieldcalculator", f"{item.name} (ha)", place)
        area.addParameterSources("INPUT", [Source.fromChildOutput(before, "OUTPUT")])
        field = re.sub(r"[^a-z0-9]+", "_", item.name.lower()).strip("_")
        area.addParameterSources("FIELD_NAME", [Source.fromStaticValue(f"{field}_ha")])
        area.addParameterSources("FIELD_TYPE", [Source.fromStaticValue(0)])
        # A code that no polygon holds has no field: attribute() is NULL then, where the field's name would be an error.
        formula = f"coalesce(attribute(@feature, 'px_{item.code}'), 0) * @Land_cover_PIXEL_AREA_M2 / 10000"
        area.addParameterSources("FORMULA", [Source.fromStaticValue(formula)])
        if item is classes[-1]:
            area.setModelOutputs({"AREAS": _output("AREAS", "Class areas", area.childId(), "OUTPUT", place)})
        model.addChildAlgorithm(area)
        before = area.childId()
    model.setParameterOrder([parameter.name() for parameter in inputs])
    return model


def _child(name: str, algorithm: str, description: str, place: int) -> QgsProcessingModelChildAlgorithm:
    child = QgsProcessingModelChildAlgorithm(algorithm)
    child.setChildId(name)
    child.setDescription(description)
    child.setPosition(QPointF(300, 180 + 100 * place))
    return child


def _output(name: str, description: str, child: str, output: str, place: int) -> QgsProcessingModelOutput:
    result = QgsProcessingModelOutput(name, description)
    result.setChildId(child)
    result.setChildOutputName(output)
    result.setPosition(QPointF(560, 210 + 100 * place))
    return result


def main() -> None:
    """Writes the model file."""
    application = QgsApplication([], False)
    application.initQgis()
    card = read_header(next((ROOT / "resources" / "models").glob("*.safetensors"))).card
    path = ROOT / "resources" / "models3" / f"{NAME}.model3"
    if not class_areas_by_polygon(card).toFile(str(path)):
        sys.exit(f"{path} could not be written")
    application.exitQgis()


if __name__ == "__main__":
    main()
