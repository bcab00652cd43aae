# SPDX-License-Identifier: GPL-2.0-or-later
"""What QGIS sees of the plugin before anything is run."""

from __future__ import annotations

import configparser
from pathlib import Path

import pytest
from qgis.core import QgsApplication, QgsProcessingAlgorithm, QgsProcessingContext, QgsProcessingParameterDefinition
from qgis.PyQt.QtGui import QIcon
from sardine.plugin.main import SardinePlugin

INPUTS = {
    "INPUT": "raster",
    "VV_BAND": "band",
    "VH_BAND": "band",
    "INPUT_2": "raster",
    "EXTENT": "extent",
    "MASK": "source",
    "MODEL": "file",
    "UNITS": "enum",
    "DEVICE": "string",
    "OVERLAP": "number",
    "BANDS": "string",
    "CALIBRATION_DB": "number",
    "SPACING_M": "number",
    "ALLOW_COARSE": "boolean",
}
RASTERS = ["LANDCOVER", "CONFIDENCE", "PROBABILITIES", "ATTENTION"]
NUMBERS = ["VALID_AREA_KM2", "MEAN_CONFIDENCE"]


@pytest.fixture
def algorithm(plugin: SardinePlugin) -> QgsProcessingAlgorithm:
    return QgsApplication.processingRegistry().createAlgorithmById("sardine:landcover")


def test_algorithm_should_keep_the_ids_and_types_of_its_parameters(algorithm: QgsProcessingAlgorithm) -> None:
    parameters = {p.name(): p.type() for p in algorithm.parameterDefinitions()}
    assert parameters == {**INPUTS, **dict.fromkeys(RASTERS, "rasterDestination")}


def test_algorithm_should_declare_each_output(algorithm: QgsProcessingAlgorithm) -> None:
    outputs = {o.name(): o.type() for o in algorithm.outputDefinitions()}
    assert outputs == {**dict.fromkeys(RASTERS, "outputRaster"), **dict.fromkeys(NUMBERS, "outputNumber"), "REPORT": "outputString"}


def test_algorithm_should_require_nothing_but_the_raster(algorithm: QgsProcessingAlgorithm) -> None:
    optional = QgsProcessingParameterDefinition.Flag.FlagOptional
    definitions = algorithm.parameterDefinitions()
    needed = [p.name() for p in definitions if not p.flags() & optional and p.defaultValue() is None]
    assert needed == ["INPUT"]
    assert {p.name(): p.defaultValue() for p in definitions if p.defaultValue() not in (None, "")} == {
        "UNITS": "auto",
        "DEVICE": "auto",
        "OVERLAP": 0.125,
        "ALLOW_COARSE": False,
    }
    created = [p.name() for p in definitions if p.isDestination() and p.createByDefault()]
    assert created == ["LANDCOVER", "CONFIDENCE"]


def test_bands_should_be_chosen_from_their_raster(algorithm: QgsProcessingAlgorithm) -> None:
    for name in ("VV_BAND", "VH_BAND"):
        assert algorithm.parameterDefinition(name).parentLayerParameterName() == "INPUT"


def test_algorithm_should_explain_itself(algorithm: QgsProcessingAlgorithm) -> None:
    assert algorithm.displayName() == "Land cover from Sentinel-1"
    assert "radar" in algorithm.shortDescription()
    assert "SARDINE_PYTHON" in algorithm.shortHelpString()
    assert all(p.help() for p in algorithm.parameterDefinitions())
    assert not QIcon(algorithm.svgIconPath()).pixmap(24, 24).isNull()


def test_outputs_should_be_geotiffs_whatever_processing_is_set_to(
    algorithm: QgsProcessingAlgorithm, context: QgsProcessingContext
) -> None:
    provider = algorithm.provider()
    destination = algorithm.parameterDefinition("LANDCOVER")
    assert provider.defaultRasterFileExtension() == "tif"
    assert provider.isSupportedOutputValue("out.tif", destination, context)[0]
    assert not provider.isSupportedOutputValue("out.sdat", destination, context)[0]


def test_metadata_should_say_what_the_plugin_site_and_qgis_process_need(root: Path) -> None:
    metadata = configparser.ConfigParser()
    metadata.read(root / "metadata.txt", encoding="utf-8")
    general = metadata["general"]
    needed = ["name", "description", "version", "author", "email", "about", "tracker", "repository", "tags", "changelog"]
    assert all(general.get(key, "").strip() for key in needed)
    assert general["hasProcessingProvider"] == "yes"
    assert (general["qgisMinimumVersion"], general["qgisMaximumVersion"]) == ("3.34", "4.99")
    assert general["supportsQt6"] == "True"
    assert general["category"] == "Raster"
    assert (root / general["icon"]).is_file()
    for package in ("torch", "timm", "rasterio"):
        assert package in general["about"]
