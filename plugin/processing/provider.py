# SPDX-License-Identifier: GPL-2.0-or-later
"""The Processing provider `sardine`."""

from __future__ import annotations

from qgis.core import QgsProcessingProvider
from qgis.PyQt.QtGui import QIcon

from ..locations import ICONS
from .accuracy import AccuracyAlgorithm
from .attention import AttentionAlgorithm
from .classify_samples import ApplyClassifierAlgorithm, ClassifySamplesAlgorithm
from .composite import CompositeAlgorithm
from .features import FeaturesAlgorithm
from .landcover import LandcoverAlgorithm
from .landcover_batch import LandcoverBatchAlgorithm
from .shipped_model import ClassAreasByPolygon
from .similarity import SimilarityAlgorithm
from .stratified_sample import StratifiedSampleAlgorithm

ALGORITHMS = (
    LandcoverAlgorithm,
    LandcoverBatchAlgorithm,
    AttentionAlgorithm,
    CompositeAlgorithm,
    AccuracyAlgorithm,
    StratifiedSampleAlgorithm,
    ClassifySamplesAlgorithm,
    ApplyClassifierAlgorithm,
    SimilarityAlgorithm,
    FeaturesAlgorithm,
    ClassAreasByPolygon,
)


class SardineProvider(QgsProcessingProvider):
    """Id and algorithm ids are written into models and scripts: they are never translated and never changed."""

    def id(self) -> str:
        return "sardine"

    def name(self) -> str:
        return "SARdine"

    def icon(self) -> QIcon:
        return QIcon(self.svgIconPath())

    def svgIconPath(self) -> str:
        return str(ICONS / "sardine.svg")

    def loadAlgorithms(self) -> None:
        for kind in ALGORITHMS:
            self.addAlgorithm(kind())

    def supportedOutputRasterLayerExtensions(self) -> list[str]:
        # The backend streams GeoTIFFs; another choice in the settings of Processing must not reach it.
        return ["tif", "tiff"]
