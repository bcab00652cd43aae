# SPDX-License-Identifier: GPL-2.0-or-later
"""What QGIS sees of the plugin before anything is run."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import pytest
from qgis.core import QgsApplication, QgsProcessingAlgorithm, QgsProcessingContext, QgsProcessingParameterDefinition
from qgis.PyQt.QtCore import QUrl
from qgis.PyQt.QtGui import QIcon
from sardine.plugin.main import SardinePlugin

SCENE = {"INPUT": "raster", "VV_BAND": "band", "VH_BAND": "band", "INPUT_2": "raster", "EXTENT": "extent", "MASK": "source"}
SETTINGS = {
    "MODEL": "file",
    "UNITS": "enum",
    "DEVICE": "string",
    "OVERLAP": "number",
    "PRECISION": "enum",
    "BANDS": "string",
    "CALIBRATION_DB": "number",
    "SPACING_M": "number",
    "ALLOW_COARSE": "boolean",
    "ATTENTION_HEADS": "enum",
    "ATTENTION_SCOPE": "enum",
    "RESUME": "boolean",
}
PARAMETERS = {
    "landcover": {
        **SCENE,
        **SETTINGS,
        **dict.fromkeys(("LANDCOVER", "CONFIDENCE", "PROBABILITIES", "ATTENTION"), "rasterDestination"),
        **dict.fromkeys(("SUMMARY", "AREAS"), "fileDestination"),
    },
    "attention": {**SCENE, **SETTINGS, "ATTENTION": "rasterDestination", "SUMMARY": "fileDestination"},
    "landcover_batch": {
        "SCENES": "multilayer",
        "FOLDER": "file",
        "PATTERN": "string",
        "RECURSIVE": "boolean",
        "OUTPUTS": "enum",
        "OVERWRITE": "boolean",
        "MASK": "source",
        **SETTINGS,
        "OUTPUT_FOLDER": "folderDestination",
        **dict.fromkeys(("SUMMARY", "TABLE"), "fileDestination"),
    },
}
FIGURES = {
    **dict.fromkeys(("VALID_AREA_KM2", "VALID_PERCENT", "PIXEL_AREA_M2", "ELAPSED_S"), "outputNumber"),
    "REPORT": "outputString",
}
OUTPUTS = {
    "landcover": {
        **dict.fromkeys(("LANDCOVER", "CONFIDENCE", "PROBABILITIES", "ATTENTION"), "outputRaster"),
        **FIGURES,
        "MEAN_CONFIDENCE": "outputNumber",
        "SUMMARY": "outputHtml",
        "AREAS": "outputFile",
    },
    "attention": {"ATTENTION": "outputRaster", **FIGURES, "SUMMARY": "outputHtml"},
    "landcover_batch": {
        "OUTPUT_FOLDER": "outputFolder",
        "SUMMARY": "outputHtml",
        "TABLE": "outputFile",
        **dict.fromkeys(("DONE", "SKIPPED", "FAILED"), "outputNumber"),
        "REPORT": "outputString",
    },
}
DEFAULTS = {
    "UNITS": "auto",
    "DEVICE": "auto",
    "OVERLAP": 0.125,
    "PRECISION": "auto",
    "ATTENTION_HEADS": "all",
    "ATTENTION_SCOPE": "scene",
    "ALLOW_COARSE": False,
    "RESUME": False,
}


@pytest.fixture(params=list(PARAMETERS))
def algorithm(plugin: SardinePlugin, request: pytest.FixtureRequest) -> QgsProcessingAlgorithm:
    return created(request.param)


def created(name: str) -> QgsProcessingAlgorithm:
    return QgsApplication.processingRegistry().createAlgorithmById(f"sardine:{name}")


def test_algorithm_should_keep_the_ids_and_types_of_its_parameters(algorithm: QgsProcessingAlgorithm) -> None:
    assert {p.name(): p.type() for p in algorithm.parameterDefinitions()} == PARAMETERS[algorithm.name()]


def test_algorithm_should_declare_each_output(algorithm: QgsProcessingAlgorithm) -> None:
    assert {o.name(): o.type() for o in algorithm.outputDefinitions()} == OUTPUTS[algorithm.name()]


NEEDED = {"landcover": ["INPUT"], "attention": ["INPUT", "ATTENTION"], "landcover_batch": ["OUTPUT_FOLDER"]}
MADE = {
    "landcover": ["LANDCOVER", "CONFIDENCE", "SUMMARY"],
    "attention": ["ATTENTION", "SUMMARY"],
    "landcover_batch": ["OUTPUT_FOLDER", "SUMMARY", "TABLE"],
}
BATCH_DEFAULTS = {"PATTERN": "*.tif;*.tiff", "RECURSIVE": False, "OUTPUTS": ["landcover", "confidence"], "OVERWRITE": False}


def test_algorithm_should_require_nothing_but_the_raster(algorithm: QgsProcessingAlgorithm) -> None:
    optional = QgsProcessingParameterDefinition.Flag.FlagOptional
    definitions = algorithm.parameterDefinitions()
    assert [p.name() for p in definitions if not p.flags() & optional and p.defaultValue() is None] == NEEDED[algorithm.name()]
    defaults = {**DEFAULTS, **(BATCH_DEFAULTS if algorithm.name() == "landcover_batch" else {})}
    assert {p.name(): p.defaultValue() for p in definitions if p.defaultValue() not in (None, "")} == defaults
    assert [p.name() for p in definitions if p.isDestination() and p.createByDefault()] == MADE[algorithm.name()]


def test_algorithm_should_be_cancellable_batchable_and_out_of_the_main_thread(algorithm: QgsProcessingAlgorithm) -> None:
    flag = type(algorithm).Flag
    assert algorithm.flags() & flag.FlagCanCancel
    assert algorithm.flags() & flag.FlagSupportsBatch
    assert not algorithm.flags() & flag.FlagNoThreading


def test_bands_should_be_chosen_from_their_raster(plugin: SardinePlugin) -> None:
    algorithm = created("landcover")
    for name in ("VV_BAND", "VH_BAND"):
        assert algorithm.parameterDefinition(name).parentLayerParameterName() == "INPUT"


def test_algorithm_should_explain_itself(algorithm: QgsProcessingAlgorithm) -> None:
    assert "Sentinel-1" in algorithm.displayName()
    assert "radar" in algorithm.shortDescription()
    assert {"radar", "attention"} <= set(algorithm.tags())
    assert "Vision Transformer" in algorithm.shortHelpString() or "attention" in algorithm.shortHelpString()
    assert all(p.help() for p in algorithm.parameterDefinitions())
    assert not QIcon(algorithm.svgIconPath()).pixmap(24, 24).isNull()


def test_help_should_be_pages_on_this_disk_that_lead_to_each_other(plugin: SardinePlugin, root: Path) -> None:
    folder = root / "resources" / "help"
    for algorithm in QgsApplication.processingRegistry().providerById("sardine").algorithms():
        page = Path(QUrl(algorithm.helpUrl()).toLocalFile())
        assert page.parent == folder
        assert page.is_file()
        assert f"sardine:{algorithm.name()}" in page.read_text(encoding="utf-8")
        names = {p.name() for p in algorithm.parameterDefinitions()} if algorithm.name() in PARAMETERS else set()
        assert {name for name in names if f"<code>{name}</code>" not in page.read_text(encoding="utf-8")} == set()
    for page in folder.glob("*.html"):
        links = re.findall(r'href="([^"]+)"', page.read_text(encoding="utf-8"))
        assert len(links) > 5
        assert [link for link in links if not (folder / link).is_file()] == []


def test_outputs_should_be_geotiffs_whatever_processing_is_set_to(plugin: SardinePlugin, context: QgsProcessingContext) -> None:
    algorithm = created("attention")
    provider = algorithm.provider()
    destination = algorithm.parameterDefinition("ATTENTION")
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
