# SPDX-License-Identifier: GPL-2.0-or-later
"""What the algorithms ask for and give. Models, scripts and saved histories use these ids: they never change."""

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
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
)

from ...backend.protocol import ATTENTION_HEADS, ATTENTION_SCOPES, DEFAULT_OVERLAP, PRECISIONS, UNITS
from ..translation import tr

RASTER_OUTPUTS = {"LANDCOVER": "landcover", "CONFIDENCE": "confidence", "PROBABILITIES": "probabilities", "ATTENTION": "attention"}
"""Parameter id to the backend's name of the output."""

DEVICE_HINTS = ["auto", "cpu", "cuda", "mps"]


def scene_inputs() -> list[QgsProcessingParameterDefinition]:
    """One scene and the part of it to map. New ones at each call, as in all that follows: Processing takes ownership."""
    return [
        helped(
            QgsProcessingParameterRasterLayer("INPUT", tr("Sentinel-1 raster")),
            tr("A raster file with VV and VH, or with one of them and the other below. Values in dB, power or amplitude."),
        ),
        helped(
            QgsProcessingParameterBand("VV_BAND", tr("VV band"), parentLayerParameterName="INPUT", optional=True),
            tr("A band of the Sentinel-1 raster. With both left empty they are read off the band descriptions and file names."),
        ),
        helped(
            QgsProcessingParameterBand("VH_BAND", tr("VH band"), parentLayerParameterName="INPUT", optional=True),
            tr("A band of the second raster where there is one, else of the Sentinel-1 raster."),
        ),
        helped(
            QgsProcessingParameterRasterLayer("INPUT_2", tr("Second raster (VH in a file of its own)"), optional=True),
            tr("It may have another grid or coordinate system: it is brought onto that of the first."),
        ),
        helped(
            QgsProcessingParameterExtent("EXTENT", tr("Extent"), optional=True),
            tr("The part to map. Left empty: the whole raster."),
        ),
        mask(),
    ]


def mask() -> QgsProcessingParameterDefinition:
    """Polygons to map inside of."""
    return helped(
        QgsProcessingParameterFeatureSource("MASK", tr("Mask"), [QgsProcessing.SourceType.TypeVectorPolygon], optional=True),
        tr("Outside these polygons the results hold no data."),
    )


def model_file() -> QgsProcessingParameterDefinition:
    """The model."""
    return helped(
        QgsProcessingParameterFile("MODEL", tr("Model"), fileFilter=tr("SARdine models (*.safetensors)"), optional=True),
        tr("Left empty: the model that comes with the plugin."),
    )


def settings() -> list[QgsProcessingParameterDefinition]:
    """Unit and device, and the advanced settings of each run."""
    number = QgsProcessingParameterNumber
    device = QgsProcessingParameterString("DEVICE", tr("Device"), defaultValue="auto")
    device.setMetadata({"widget_wrapper": {"value_hints": DEVICE_HINTS}})
    return [
        helped(
            QgsProcessingParameterEnum("UNITS", tr("Unit of the pixel values"), UNITS, defaultValue="auto", usesStaticStrings=True),
            tr(
                "auto detects the unit and says by what evidence; where it is not certain, the run stops and asks. dn: digital "
                "numbers of a GRD product, which need the calibration constant. scaled: grey levels of unknown scale."
            ),
        ),
        helped(device, tr("auto takes a graphics card where there is one. Scripts may also name one of several: cuda:1.")),
        advanced(
            number(
                "OVERLAP", tr("Overlap of windows"), number.Type.Double, defaultValue=DEFAULT_OVERLAP, minValue=0, maxValue=0.75
            ),
            tr("Share of a window that it has in common with the next. More is smoother and slower."),
        ),
        advanced(
            QgsProcessingParameterEnum("PRECISION", tr("Precision"), PRECISIONS, defaultValue="auto", usesStaticStrings=True),
            tr("auto takes bf16 where the device computes faster in it. fp32 gives the same map on every device but for rounding."),
        ),
        advanced(
            QgsProcessingParameterEnum(
                "ATTENTION_SCOPE", tr("Attention relative to"), ATTENTION_SCOPES, defaultValue="scene", usesStaticStrings=True
            ),
            tr(
                "scene: one query for the whole scene, and 1 is as much as its average patch. window: each window by itself, "
                "which shows as squares."
            ),
        ),
        advanced(
            QgsProcessingParameterString("BANDS", tr("Bands by role"), multiLine=True, optional=True),
            tr(
                "For models with other bands: ROLE=source:band, one a line or separated by semicolons. A source is a file, a "
                "layer's name, INPUT or INPUT_2. Overrides all other choices of bands."
            ),
        ),
        advanced(
            number("CALIBRATION_DB", tr("Calibration constant (dB)"), number.Type.Double, optional=True),
            tr("For the unit dn alone: sigma nought in dB is 20 log10 of the number, minus this."),
        ),
        advanced(
            number("SPACING_M", tr("Pixel spacing (m)"), number.Type.Double, optional=True, minValue=0.01),
            tr("Of a raster without coordinate system, which is then used as it is; the results have none either."),
        ),
        advanced(
            QgsProcessingParameterBoolean("ALLOW_COARSE", tr("Take pixels that are too coarse"), defaultValue=False),
            tr("Maps a scene whose pixels are more than twice as coarse as the model's. Expect little of it."),
        ),
    ]


def attention_heads() -> QgsProcessingParameterDefinition:
    """Which bands the attention raster has."""
    return helped(
        QgsProcessingParameterEnum(
            "ATTENTION_HEADS", tr("Attention heads"), ATTENTION_HEADS, defaultValue="all", usesStaticStrings=True
        ),
        tr("all: a band with the mean over the heads, then one a head. mean: the mean alone, in a smaller file."),
    )


def resume() -> QgsProcessingParameterDefinition:
    """Whether a run that does not finish is kept, and gone on with."""
    return advanced(
        QgsProcessingParameterBoolean("RESUME", tr("Go on where a stopped run was"), defaultValue=False),
        tr(
            "For long runs into files that you name: if the run is stopped or dies, what is done stays beside the files, and the "
            "same run goes on from there. Otherwise nothing is left behind."
        ),
    )


def raster_output(name: str, *, optional: bool = True, by_default: bool = True) -> QgsProcessingParameterDefinition:
    """The destination of the raster with parameter id `name`; `by_default` says whether its box is ticked in a dialog."""
    destination = QgsProcessingParameterRasterDestination(name, raster_labels()[name], None, optional, by_default)
    return helped(destination, raster_meanings()[name])


def raster_labels() -> dict[str, str]:
    """The rasters as a person reads them, by parameter id."""
    return {
        "LANDCOVER": tr("Land cover"),
        "CONFIDENCE": tr("Confidence"),
        "PROBABILITIES": tr("Class probabilities"),
        "ATTENTION": tr("Attention"),
    }


def raster_meanings() -> dict[str, str]:
    """What the values of each raster are, by parameter id."""
    return {
        "LANDCOVER": tr("Class codes; 0 is no data. Names and colours are in the file."),
        "CONFIDENCE": tr("Probability of the class that was chosen, in percent; 255 is no data."),
        "PROBABILITIES": tr("One band a class; the file's scale turns its values into 0 to 1."),
        "ATTENTION": tr("Where the model looked: mean and each head, one pixel a patch; 1 is as much as the average patch."),
    }


def file_output(name: str, label: str, file_filter: str, text: str, by_default: bool) -> QgsProcessingParameterDefinition:
    """The destination of a text file. An HTML one is shown in Processing's results viewer."""
    return helped(QgsProcessingParameterFileDestination(name, label, file_filter, None, True, by_default), text)


def summary_output() -> QgsProcessingParameterDefinition:
    """The destination of the summary for people."""
    text = tr("How the result came about and what it holds, as a page to read or print.")
    return file_output("SUMMARY", tr("Summary"), tr("HTML files (*.html)"), text, True)


def figures() -> list[QgsProcessingOutputDefinition]:
    """The figures of one scene, and all of them with their provenance in one JSON text (`JobResult` of the protocol)."""
    return [
        QgsProcessingOutputNumber("VALID_AREA_KM2", tr("Mapped area (km²)")),
        QgsProcessingOutputNumber("VALID_PERCENT", tr("Valid pixels (%)")),
        QgsProcessingOutputNumber("PIXEL_AREA_M2", tr("Area of a pixel (m²)")),
        QgsProcessingOutputNumber("ELAPSED_S", tr("Time (s)")),
        QgsProcessingOutputString("REPORT", tr("Report (JSON)")),
    ]


def helped(parameter: QgsProcessingParameterDefinition, text: str) -> QgsProcessingParameterDefinition:
    """`parameter` with the text that dialogs show beside it."""
    parameter.setHelp(text)
    return parameter


def advanced(parameter: QgsProcessingParameterDefinition, text: str = "") -> QgsProcessingParameterDefinition:
    """`parameter` folded away in dialogs, with its help text where one is given."""
    parameter.setFlags(parameter.flags() | QgsProcessingParameterDefinition.Flag.FlagAdvanced)
    return helped(parameter, text) if text else parameter
