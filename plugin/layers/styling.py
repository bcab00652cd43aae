# SPDX-License-Identifier: GPL-2.0-or-later
"""How result layers look: land cover from the model card's palette, confidence and attention as ramps."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable

from qgis.core import (
    Qgis,
    QgsColorRampShader,
    QgsContrastEnhancement,
    QgsGradientColorRamp,
    QgsGradientStop,
    QgsMapLayer,
    QgsMultiBandColorRenderer,
    QgsPalettedRasterRenderer,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingLayerPostProcessorInterface,
    QgsRasterDataProvider,
    QgsRasterLayer,
    QgsRasterRenderer,
    QgsRasterShader,
    QgsSingleBandGrayRenderer,
    QgsSingleBandPseudoColorRenderer,
)
from qgis.PyQt.QtGui import QColor

from ...backend.model_card import ModelCard

INFERNO = ("#000004", "#420a68", "#932667", "#dd513a", "#fca50a", "#fcffa4")
"""Six even steps of matplotlib's “inferno” (CC0): its lightness grows evenly, so that it reads in grey and for the colour-blind."""


SAMPLE_PX = 256
"""Side of the sample that percentiles are taken of, on the main thread: sorting 512 x 512 values took 45 ms of it, these 9."""


def landcover_renderer(provider: QgsRasterDataProvider, card: ModelCard) -> QgsRasterRenderer:
    """Class codes in the colours of `card`, in the order of the codes."""
    in_order = sorted(card.classes, key=lambda item: item.code)
    classes = [QgsPalettedRasterRenderer.Class(item.code, QColor(item.colour), item.name) for item in in_order]
    return QgsPalettedRasterRenderer(provider, 1, classes)


def confidence_renderer(provider: QgsRasterDataProvider) -> QgsRasterRenderer:
    """Percent from black (0) to white (100), the same for each layer so that two can be compared."""
    return _grey(provider, 1, 0.0, 100.0)


def unsure_renderer(provider: QgsRasterDataProvider) -> QgsRasterRenderer:
    """Confidence in percent, seen only where it is low: the lower, the stronger. Few maps have a class in magenta."""
    steps = (
        (50.0, "#e6ff00ff", "< 50%"),
        (65.0, "#aaff00ff", "50–65%"),
        (80.0, "#64ff00ff", "65–80%"),
        (math.inf, "#00ff00ff", "≥ 80%"),
    )
    function = QgsColorRampShader(0.0, 100.0, None, QgsColorRampShader.Type.Discrete)
    function.setColorRampItemList([QgsColorRampShader.ColorRampItem(upto, QColor(colour), text) for upto, colour, text in steps])
    shader = QgsRasterShader(0.0, 100.0)
    shader.setRasterShaderFunction(function)
    return QgsSingleBandPseudoColorRenderer(provider, 1, shader)


def attention_renderer(provider: QgsRasterDataProvider) -> QgsRasterRenderer:
    """Mean attention between its 2nd and 98th percentile. A few patches draw hundreds of times the average."""
    return _inferno(provider, *percentiles(provider, 1, 0.02, 0.98))


def similarity_renderer(provider: QgsRasterDataProvider) -> QgsRasterRenderer:
    """Cosine similarity from 0, which is as unlike as at random, to 1."""
    return _inferno(provider, 0.0, 1.0)


def features_renderer(provider: QgsRasterDataProvider) -> QgsRasterRenderer:
    """The first three components as red, green and blue, each between its 2nd and 98th percentile."""
    bands = [min(number, provider.bandCount()) for number in (1, 2, 3)]
    renderer = QgsMultiBandColorRenderer(provider, *bands)
    setters = (renderer.setRedContrastEnhancement, renderer.setGreenContrastEnhancement, renderer.setBlueContrastEnhancement)
    for band, set_enhancement in zip(bands, setters):
        set_enhancement(_stretch(provider, band, *percentiles(provider, band, 0.02, 0.98)))
    return renderer


def _inferno(provider: QgsRasterDataProvider, low: float, high: float) -> QgsRasterRenderer:
    ramp = QgsGradientColorRamp(QColor(INFERNO[0]), QColor(INFERNO[-1]))
    ramp.setStops([QgsGradientStop(n / (len(INFERNO) - 1), QColor(colour)) for n, colour in enumerate(INFERNO[1:-1], start=1)])
    shader_function = QgsColorRampShader(low, high, ramp, QgsColorRampShader.Type.Interpolated)
    shader_function.classifyColorRamp(len(INFERNO), 1)
    shader = QgsRasterShader(low, high)
    shader.setRasterShaderFunction(shader_function)
    renderer = QgsSingleBandPseudoColorRenderer(provider, 1, shader)
    renderer.setClassificationMin(low)
    renderer.setClassificationMax(high)
    return renderer


def probabilities_renderer(provider: QgsRasterDataProvider) -> QgsRasterRenderer:
    """The first class's probability from black (0) to white (1); the band is changed in the layer's properties."""
    return _grey(provider, 1, 0.0, 1.0)


def percentiles(provider: QgsRasterDataProvider, band: int, low: float, high: float) -> tuple[float, float]:
    """The values below which the shares `low` and `high` of a sample of at most SAMPLE_PX x SAMPLE_PX pixels lie; never equal.

    Not `cumulativeCut`: it has GDAL compute statistics, which leaves an .aux.xml file beside the raster.
    """
    width, height = min(provider.xSize(), SAMPLE_PX), min(provider.ySize(), SAMPLE_PX)
    block = provider.block(band, provider.extent(), width, height)
    nodata = block.noDataValue() if block.hasNoDataValue() else math.nan
    block.convert(Qgis.DataType.Float32)
    values = sorted(value for value in array("f", bytes(block.data())) if math.isfinite(value) and value != nodata)
    if not values:
        return 0.0, 1.0
    minimum, maximum = (values[round(share * (len(values) - 1))] for share in (low, high))
    return (minimum, maximum) if maximum > minimum else (minimum, minimum + 1.0)


def renderer_for(output: str, provider: QgsRasterDataProvider, card: ModelCard | None = None) -> QgsRasterRenderer:
    """The renderer of the backend's `output`; land cover alone needs the `card`, for its classes.

    `unsure` is confidence again, to be laid over a map.
    """
    plain: dict[str, Callable[[QgsRasterDataProvider], QgsRasterRenderer]] = {
        "confidence": confidence_renderer,
        "unsure": unsure_renderer,
        "probabilities": probabilities_renderer,
        "attention": attention_renderer,
        "features": features_renderer,
        "composite": features_renderer,  # VV, VH and the next band, such as VV of the next season
        "similarity": similarity_renderer,
    }
    if card is not None and output == "landcover":
        return landcover_renderer(provider, card)
    return plain[output](provider)


def style(layer: QgsRasterLayer, output: str, card: ModelCard | None = None) -> None:
    """Gives `layer`, which holds the backend's `output`, its renderer. Main thread only."""
    layer.setRenderer(renderer_for(output, layer.dataProvider(), card))
    layer.triggerRepaint()


class LayerStyler(QgsProcessingLayerPostProcessorInterface):
    """Styles one result when Processing has loaded it. Processing keeps no reference to it: whoever makes it must."""

    def __init__(self, output: str, card: ModelCard | None = None) -> None:
        super().__init__()
        self._output = output
        self._card = card

    def postProcessLayer(self, layer: QgsMapLayer, context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> None:
        if isinstance(layer, QgsRasterLayer) and layer.isValid():
            style(layer, self._output, self._card)


def _grey(provider: QgsRasterDataProvider, band: int, low: float, high: float) -> QgsRasterRenderer:
    renderer = QgsSingleBandGrayRenderer(provider, band)
    renderer.setContrastEnhancement(_stretch(provider, band, low, high))
    return renderer


def _stretch(provider: QgsRasterDataProvider, band: int, low: float, high: float) -> QgsContrastEnhancement:
    enhancement = QgsContrastEnhancement(provider.dataType(band))
    enhancement.setMinimumValue(low)
    enhancement.setMaximumValue(high)
    enhancement.setContrastEnhancementAlgorithm(QgsContrastEnhancement.ContrastEnhancementAlgorithm.StretchToMinimumMaximum)
    return enhancement
