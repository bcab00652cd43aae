# SPDX-License-Identifier: GPL-2.0-or-later
"""What `sardine:landcover` asks for and gives. Models, scripts and saved histories use these ids: they never change."""

from __future__ import annotations

from qgis.core import (
    QgsProcessing,
    QgsProcessingOutputDefinition,
    QgsProcessingOutputNumber,
    QgsProcessingOutputString,
    QgsProcessingParameterBand,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterEnum,
    QgsProcessingParameterExtent,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterFile,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
)

from ...backend.protocol import UNITS
from ..translation import tr

RASTER_OUTPUTS = {"LANDCOVER": "landcover", "CONFIDENCE": "confidence", "PROBABILITIES": "probabilities", "ATTENTION": "attention"}
"""Parameter id to the backend's name of the output."""

DEVICE_HINTS = ["auto", "cpu", "cuda", "mps"]


def inputs() -> list[QgsProcessingParameterDefinition]:
    """The parameters that go in, new ones at each call: Processing takes ownership."""
    number = QgsProcessingParameterNumber
    device = QgsProcessingParameterString("DEVICE", tr("Device"), defaultValue="auto")
    device.setMetadata({"widget_wrapper": {"value_hints": DEVICE_HINTS}})
    return [
        _helped(
            QgsProcessingParameterRasterLayer("INPUT", tr("Sentinel-1 raster")),
            tr("A raster file with VV and VH, or with one of them and the other below. Values in dB, power or amplitude."),
        ),
        _helped(
            QgsProcessingParameterBand("VV_BAND", tr("VV band"), parentLayerParameterName="INPUT", optional=True),
            tr("A band of the Sentinel-1 raster. With both left empty they are read off the band descriptions and file names."),
        ),
        _helped(
            QgsProcessingParameterBand("VH_BAND", tr("VH band"), parentLayerParameterName="INPUT", optional=True),
            tr("A band of the second raster where there is one, else of the Sentinel-1 raster."),
        ),
        _helped(
            QgsProcessingParameterRasterLayer("INPUT_2", tr("Second raster (VH in a file of its own)"), optional=True),
            tr("It may have another grid or coordinate system: it is brought onto that of the first."),
        ),
        _helped(
            QgsProcessingParameterExtent("EXTENT", tr("Extent"), optional=True),
            tr("The part to map. Left empty: the whole raster."),
        ),
        _helped(
            QgsProcessingParameterFeatureSource("MASK", tr("Mask"), [QgsProcessing.SourceType.TypeVectorPolygon], optional=True),
            tr("Outside these polygons the results hold no data."),
        ),
        _helped(
            QgsProcessingParameterFile("MODEL", tr("Model"), fileFilter=tr("SARdine models (*.safetensors)"), optional=True),
            tr("Left empty: the model that comes with the plugin."),
        ),
        _helped(
            QgsProcessingParameterEnum("UNITS", tr("Unit of the pixel values"), UNITS, defaultValue="auto", usesStaticStrings=True),
            tr(
                "auto detects the unit and says by what evidence; where it is not certain, the run stops and asks. dn: digital "
                "numbers of a GRD product, which need the calibration constant. scaled: grey levels of unknown scale."
            ),
        ),
        _helped(device, tr("auto takes a graphics card where there is one. Scripts may also name one of several: cuda:1.")),
        _advanced(
            number("OVERLAP", tr("Overlap of windows"), number.Type.Double, defaultValue=0.125, minValue=0.0, maxValue=0.75),
            tr("Share of a window that it has in common with the next. More is smoother and slower."),
        ),
        _advanced(
            QgsProcessingParameterString("BANDS", tr("Bands by role"), multiLine=True, optional=True),
            tr(
                "For models with other bands: ROLE=source:band, one a line or separated by semicolons. A source is a file, a "
                "layer's name, INPUT or INPUT_2. Overrides the band choices above."
            ),
        ),
        _advanced(
            number("CALIBRATION_DB", tr("Calibration constant (dB)"), number.Type.Double, optional=True),
            tr("For the unit dn alone: sigma nought in dB is 20 log10 of the number, minus this."),
        ),
        _advanced(
            number("SPACING_M", tr("Pixel spacing (m)"), number.Type.Double, optional=True, minValue=0.01),
            tr("Of a raster without coordinate system, which is then used as it is; the results have none either."),
        ),
        _advanced(
            QgsProcessingParameterBoolean("ALLOW_COARSE", tr("Take pixels that are too coarse"), defaultValue=False),
            tr("Maps a scene whose pixels are more than twice as coarse as the model's. Expect little of it."),
        ),
    ]


def raster_outputs() -> list[QgsProcessingParameterRasterDestination]:
    """The rasters that come out, each optional."""
    destination = QgsProcessingParameterRasterDestination
    return [
        _helped(
            destination("LANDCOVER", tr("Land cover"), optional=True),
            tr("Class codes; 0 is no data. Names and colours are in the file."),
        ),
        _helped(
            destination("CONFIDENCE", tr("Confidence"), optional=True),
            tr("Probability of the class that was chosen, in percent; 255 is no data."),
        ),
        _helped(
            destination("PROBABILITIES", tr("Probabilities"), optional=True, createByDefault=False),
            tr("One band a class; the file's scale turns its values into 0 to 1."),
        ),
        _helped(
            destination("ATTENTION", tr("Attention"), optional=True, createByDefault=False),
            tr("Where the model looked: mean and each head, one pixel a patch; 1 is as much as the average patch."),
        ),
    ]


def other_outputs() -> list[QgsProcessingOutputDefinition]:
    """The figures that come out, and all of them with their provenance in one JSON text (`JobResult` of the protocol)."""
    return [
        QgsProcessingOutputNumber("VALID_AREA_KM2", tr("Mapped area (km²)")),
        QgsProcessingOutputNumber("MEAN_CONFIDENCE", tr("Mean confidence (%)")),
        QgsProcessingOutputString("REPORT", tr("Report (JSON)")),
    ]


def _helped(parameter: QgsProcessingParameterDefinition, text: str) -> QgsProcessingParameterDefinition:
    parameter.setHelp(text)
    return parameter


def _advanced(parameter: QgsProcessingParameterDefinition, text: str) -> QgsProcessingParameterDefinition:
    parameter.setFlags(parameter.flags() | QgsProcessingParameterDefinition.Flag.FlagAdvanced)
    return _helped(parameter, text)
