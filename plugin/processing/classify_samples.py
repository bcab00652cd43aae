# SPDX-License-Identifier: GPL-2.0-or-later
"""`sardine:classify_samples` and `sardine:apply_classifier`: a map in a person's own classes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, ClassVar

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingOutputString,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterEnum,
    QgsProcessingParameterField,
    QgsProcessingParameterFile,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterDestination,
)

from ...backend.model_card import ClassSpec
from ...backend.protocol import ApplyClassifierRequest, ClassifySamplesRequest, TaskResult
from ..layers.samples import CLASS_FIELD, class_colours
from ..translation import tr
from . import parameters as ours
from .backend_algorithm import not_prepared, paragraphs
from .feature_algorithm import FeatureAlgorithm, places
from .job_algorithm import tags

METHODS = ["forest", "boosting", "logistic"]
GROUPS = ["attention", "tokens", "db"]
FILES = {"CLASSIFIER": "classifier", "HTML": "html", "CSV": "csv"}
NUMBERS = {
    "valid_area_km2": "VALID_AREA_KM2",
    "mean_confidence_percent": "MEAN_CONFIDENCE",
    "overall_accuracy": "OVERALL_ACCURACY",
    "macro_f1": "MACRO_F1",
}


class _MapAlgorithm(FeatureAlgorithm):
    """The two maps that come of either way."""

    rasters: ClassVar = {"CLASSES": ("classes", "landcover"), "CONFIDENCE": ("confidence", "confidence")}

    def add_maps(self) -> None:
        destination = QgsProcessingParameterRasterDestination
        for parameter in (
            ours.helped(destination("CLASSES", tr("Your classes"), optional=True), tr("Class codes; 0 is no data.")),
            ours.helped(
                destination("CONFIDENCE", tr("Confidence of your classes"), optional=True),
                tr("Probability of the class in percent. Where it is low, the next sample helps most."),
            ),
        ):
            self.addParameter(parameter)

    def finish(self, result: TaskResult, paths: dict[str, str], context: QgsProcessingContext) -> dict[str, Any]:
        """Styles what is loaded; returns the figures."""
        classes = [ClassSpec(item["code"], item["name"], item["colour"]) for item in json.loads(result.details)["classes"]]
        self.arrange(paths, classes, context)
        figures = {NUMBERS[name]: value for name, value in result.figures.items() if name in NUMBERS}
        return {**paths, **figures, "REPORT": result.details}


class ClassifySamplesAlgorithm(_MapAlgorithm):
    """Samples are copied on the main thread: they may be of any format, in memory, or edited and not saved."""

    def __init__(self) -> None:
        super().__init__()
        self._samples = ""
        self._colours: dict[str, str] = {}

    def name(self) -> str:
        return "classify_samples"

    def displayName(self) -> str:
        return tr("Map from your samples")

    def shortDescription(self) -> str:
        return tr("Maps a Sentinel-1 scene in classes of your own from polygons or points, and says how accurate the map is.")

    def tags(self) -> list[str]:
        return tags(
            tr("supervised classification"), tr("random forest"), tr("samples"), tr("training polygons"), tr("custom classes")
        )

    def shortHelpString(self) -> str:
        return paragraphs(
            tr(
                "Draw some polygons (or points) of each class on the scene, in any vector layer with a class field of names or "
                "codes, and run this. No network is trained: a classifier learns from your samples what the backscatter "
                "around each pixel, and if you like the model's attention and embeddings, look like in each class."
            ),
            tr(
                "Accuracy is told by holding out whole polygons, never pixels of a polygon trained on. Draw five or more of "
                "each class, spread over the scene. Colours come from the layer, if it is shown by categories of that field."
            ),
            tr(
                "Attention and embeddings of a scene are computed once and kept for the next run. The classifier can be saved "
                "and used on other scenes with <i>Map with a saved classifier</i>."
            ),
        )

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        self.add_all(self._own_parameters())
        self.add_maps()
        destination = QgsProcessingParameterFileDestination
        for parameter in (
            ours.helped(
                destination(
                    "CLASSIFIER", tr("Classifier"), tr("Classifiers (*.safetensors)"), optional=True, createByDefault=False
                ),
                tr("For other scenes with the same model."),
            ),
            ours.helped(
                destination("HTML", tr("Accuracy report"), tr("Web page (*.html)"), optional=True),
                tr("Confusion matrix and figures of each class, by held-out samples."),
            ),
            ours.helped(
                destination(
                    "CSV", tr("Accuracy table"), tr("Comma-separated values (*.csv)"), optional=True, createByDefault=False
                ),
                tr("The same for a spreadsheet."),
            ),
        ):
            self.addParameter(parameter)
        self.addOutput(QgsProcessingOutputNumber("VALID_AREA_KM2", tr("Mapped area (km²)")))
        self.addOutput(QgsProcessingOutputNumber("MEAN_CONFIDENCE", tr("Mean confidence (%)")))
        self.addOutput(QgsProcessingOutputNumber("OVERALL_ACCURACY", tr("Overall accuracy by held-out samples (0 to 1)")))
        self.addOutput(QgsProcessingOutputNumber("MACRO_F1", tr("Mean F1 by held-out samples (0 to 1)")))
        self.addOutput(QgsProcessingOutputString("REPORT", tr("Figures (JSON)")))

    def prepare(self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> None:
        super().prepare(parameters, context, feedback)
        field = self.parameterAsString(parameters, "FIELD", context)
        self._samples = self.samples(parameters, "SAMPLES", field, context, feedback) or ""
        layer = self.parameterAsVectorLayer(parameters, "SAMPLES", context)
        self._colours = class_colours(layer, field) if layer is not None else {}

    def process(self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> dict[str, Any]:
        if not self._samples:
            raise not_prepared()
        paths = self.asked(parameters, context)
        files = {name: self.parameterAsFileOutput(parameters, name, context) for name in FILES}
        files = {name: path for name, path in files.items() if path}
        request = ClassifySamplesRequest(
            scene=self.scene_input(parameters, context),
            samples=self._samples,
            field=CLASS_FIELD,
            method=self.parameterAsString(parameters, "METHOD", context),
            groups=tuple(self.parameterAsEnumStrings(parameters, "FEATURES", context)),
            class_colours=self._colours,
            validate=self.parameterAsBoolean(parameters, "VALIDATE", context),
            cached_only=self.parameterAsBoolean(parameters, "CACHED_ONLY", context),
            seed=self.parameterAsInt(parameters, "SEED", context),
            overwrite=True,
            **{self.rasters[name][0]: path for name, path in paths.items()},
            **{FILES[name]: path for name, path in files.items()},
        )
        result = self.run_task(request, [*paths.values(), *files.values()], feedback)
        written = {name: path for name, path in files.items() if FILES[name] in result.outputs}
        return {**self.finish(result, paths, context), **written}

    def _own_parameters(self) -> Iterable[QgsProcessingParameterDefinition]:
        enum, number = QgsProcessingParameterEnum, QgsProcessingParameterNumber
        return (
            places("SAMPLES", tr("Samples"), tr("Polygons or points of each class, in any coordinate system.")),
            ours.helped(
                QgsProcessingParameterField("FIELD", tr("Class field"), parentLayerParameterName="SAMPLES"),
                tr("Holds the class of each sample: a name, or a code from 1 to 254."),
            ),
            ours.helped(
                enum("METHOD", tr("Method"), METHODS, defaultValue="forest", usesStaticStrings=True),
                tr("forest: random forest. boosting: gradient boosting. logistic: logistic regression, by far the fastest."),
            ),
            ours.helped(
                enum("FEATURES", tr("What it sees"), GROUPS, allowMultiple=True, defaultValue=["db"], usesStaticStrings=True),
                tr(
                    "db: means and deviations of the backscatter; takes no run of the network. attention of each head and tokens "
                    "(components of the embeddings) need one; with a model of simulated scenes and with a pre-trained encoder they "
                    "brought nothing sure, with the bundled model that was not measured."
                ),
            ),
            ours.helped(
                QgsProcessingParameterBoolean("VALIDATE", tr("Judge by held-out samples"), defaultValue=True),
                tr("Trains some more times, each without some of the samples. Leave it out for a quick look."),
            ),
            ours.advanced(
                QgsProcessingParameterBoolean("CACHED_ONLY", tr("Run no network"), defaultValue=False),
                tr("For a quick look: where attention and embeddings are not there yet, backscatter alone is looked at."),
            ),
            ours.advanced(
                number("SEED", tr("Seed"), number.Type.Integer, defaultValue=0, minValue=0), tr("The same seed gives the same map.")
            ),
        )


class ApplyClassifierAlgorithm(_MapAlgorithm):
    """The same map, from a classifier that was made before."""

    def name(self) -> str:
        return "apply_classifier"

    def displayName(self) -> str:
        return tr("Map with a saved classifier")

    def shortDescription(self) -> str:
        return tr("Maps a Sentinel-1 scene with a classifier that was made from samples on another one.")

    def tags(self) -> list[str]:
        return tags(tr("supervised classification"), tr("classifier"), tr("custom classes"))

    def shortHelpString(self) -> str:
        return paragraphs(
            tr("Uses a classifier that <i>Map from your samples</i> has saved on another scene, with the same model."),
            tr(
                "Season, incidence angle and weather change what radar sees: expect less than on its own scene, and judge the "
                "map with <i>Accuracy of a class map</i>."
            ),
        )

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        classifier = QgsProcessingParameterFile("CLASSIFIER", tr("Classifier"), fileFilter=tr("Classifiers (*.safetensors)"))
        self.add_all([ours.helped(classifier, tr("What “Map from your samples” has saved."))])
        self.add_maps()
        self.addOutput(QgsProcessingOutputNumber("VALID_AREA_KM2", tr("Mapped area (km²)")))
        self.addOutput(QgsProcessingOutputNumber("MEAN_CONFIDENCE", tr("Mean confidence (%)")))
        self.addOutput(QgsProcessingOutputString("REPORT", tr("Figures (JSON)")))

    def process(self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> dict[str, Any]:
        paths = self.asked(parameters, context)
        request = ApplyClassifierRequest(
            scene=self.scene_input(parameters, context),
            classifier=self.parameterAsFile(parameters, "CLASSIFIER", context),
            overwrite=True,
            **{self.rasters[name][0]: path for name, path in paths.items()},
        )
        return self.finish(self.run_task(request, paths.values(), feedback), paths, context)
