# SPDX-License-Identifier: GPL-2.0-or-later
"""`classify` and `apply-classifier`: a map from a person's own samples, and the same classifier on other scenes.

samples read -> features (cached) -> training pixels -> cross-validation -> classifier -> map, classifier file, report
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..accuracy.error_matrix import Agreement, agreement
from ..accuracy.report import AccuracyFigures, as_csv, as_html, as_lines
from ..features.basis import FeatureBasis
from ..features.extract import Context, cached_features, features_of, input_files, open_input
from ..features.file import FeatureFile, FeatureFileError
from ..features.pixels import GROUPS, PATCH_GROUPS, PixelFeatures
from ..grid import PixelWindow
from ..model_card import ModelCard
from ..output.paths import check_output_paths
from ..protocol import (
    ApplyClassifierRequest,
    ClassifySamplesRequest,
    ErrorCode,
    FromChild,
    SardineError,
    SceneInput,
    TaskResult,
)
from ..scene.reader import Scene
from ..text_output import write_whole
from ..versions import versions
from .class_map import MapSummary, write_map
from .classifier import METHODS, Classifier
from .classifier_file import load_classifier, save_classifier
from .classifier_fit import FEW_SAMPLES, HeldOut, fit, hold_out
from .samples import SampleSet, read_samples, training_pixels

SUFFIXES = {"classifier": (".safetensors",), "html": (".html", ".htm"), "csv": (".csv",)}
RASTERS = ("classes", "confidence")
CONFUSED_SHARE = 0.1
"""From here on a class is told to be taken for another."""


def run_classify_samples(
    request: ClassifySamplesRequest, report: Callable[[FromChild], None], cancelled: Callable[[], bool]
) -> TaskResult:
    """`details` holds as JSON the groups that were used, classes with area and number of samples, the confusion matrix of held-out
    samples, what is confused with what, the importance of each group, and those of the warnings that are about the judging.


    Raises SardineError: a refusal or failure. Each output is whole or as it was before.
    """
    context = Noted(report, cancelled)
    _check(request)
    outputs = {name: path for name in (*RASTERS, *SUFFIXES) if (path := getattr(request, name))}
    inputs = [*input_files(request.scene), request.samples.partition("|")[0]]
    targets = check_output_paths(outputs, inputs, overwrite=request.overwrite, suffixes=SUFFIXES)
    rasters = {name: targets[name] for name in RASTERS if name in targets}
    context.go_on("opening the scene")
    with open_input(request.scene) as (scene, card):
        for code, text in scene.warnings:
            context.warn(code, text)
        samples = read_samples(request.samples, request.field, scene.grid, request.class_colours)
        cached_only = request.cached_only
        with _features(scene, card, request.scene, request.groups, context, None, cached_only=cached_only) as file:
            groups = request.groups if file is not None else ("db",)
            features = PixelFeatures(scene, card.bands, scene.roles, file, groups)
            pixels = training_pixels(samples, features, scene.grid, request.seed, context.stage("reading the samples"))
            for code, text in pixels.notes:
                context.warn(code, text)
            names = [item.name for item in samples.classes]
            held_out = HeldOut(None, {}, 0, ())
            if request.validate:
                stage = context.stage("judging by held-out samples")
                held_out = hold_out(request.method, pixels, groups, features.names, names, request.seed, stage)
                for text in held_out.notes:
                    context.warn("classes_hardly_judged", text)
            context.go_on("training")
            fitted = fit(request.method, pixels, request.seed)
            figures = _figures(samples, held_out)
            classifier = Classifier(
                method=request.method,
                classes=tuple(samples.classes[place] for place in fitted.present.tolist()),
                features=features.names,
                groups=tuple(groups),
                model_sha256=card.weights_sha256,
                model_name=card.name,
                overlap=request.scene.overlap,
                basis=None if file is None else file.basis,
                trees=fitted.trees,
                bias=fitted.bias,
                linear=fitted.linear,
                info=_info(request, scene, samples, pixels.y.size, held_out, figures),
            )
            area = scene.area_window(request.scene.bounds, request.scene.bounds_crs)
            summary = _map(classifier, features, scene, area, rasters, context)
    if "classifier" in targets:
        save_classifier(targets["classifier"], classifier)
    if figures is not None:
        title = "samples held out"
        for name in ("html", "csv"):
            if name in targets:
                text = as_html(figures, outputs.get("classes", "map"), title, context.notes) if name == "html" else as_csv(figures)
                write_whole(targets[name], text.encode("utf-8"))
    elif "html" in targets or "csv" in targets:
        context.warn("no_report", "No report was written: no accuracy could be told.")
        outputs = {name: path for name, path in outputs.items() if name not in ("html", "csv")}
    counts = {item.name: len(np.unique(pixels.sample[pixels.y == place])) for place, item in enumerate(samples.classes)}
    return _result(classifier, outputs, scene, summary, context, JudgedSamples(counts, held_out, figures))


def run_apply_classifier(
    request: ApplyClassifierRequest, report: Callable[[FromChild], None], cancelled: Callable[[], bool]
) -> TaskResult:
    """Maps another scene. Raises SardineError: classifier_invalid, classifier_of_other_model, and what `classify` raises."""
    context = Noted(report, cancelled)
    outputs = {name: path for name in RASTERS if (path := getattr(request, name))}
    if not outputs:
        raise _nothing_asked()
    targets = check_output_paths(outputs, [*input_files(request.scene), request.classifier], overwrite=request.overwrite)
    classifier = load_classifier(request.classifier)
    context.go_on("opening the scene")
    with open_input(request.scene) as (scene, card):
        for code, text in scene.warnings:
            context.warn(code, text)
        _check_fits(classifier, card)
        source = dataclasses.replace(request.scene, overlap=classifier.overlap)
        with _features(scene, card, source, classifier.groups, context, classifier.basis) as file:
            features = PixelFeatures(scene, card.bands, scene.roles, file, classifier.groups)
            if features.names != classifier.features:
                raise SardineError(
                    ErrorCode.CLASSIFIER_OF_OTHER_MODEL,
                    f"The classifier was made with {len(classifier.features)} features, this scene gives {len(features.names)}.",
                    "The same bands are needed.",
                    "Use a scene with the bands of the one that the classifier was made on.",
                )
            area = scene.area_window(request.scene.bounds, request.scene.bounds_crs)
            summary = _map(classifier, features, scene, area, targets, context)
    return _result(classifier, outputs, scene, summary, context)


@dataclasses.dataclass(frozen=True)
class JudgedSamples:
    """What is known of the samples: how many each class has on valid pixels, and what came of holding some out."""

    counts: Mapping[str, int]
    held_out: HeldOut
    figures: AccuracyFigures | None


class Noted(Context):
    """A context that keeps what it warned of."""

    def __init__(self, report: Callable[[FromChild], None], cancelled: Callable[[], bool]) -> None:
        super().__init__(report, cancelled)
        self.notes: list[str] = []

    def warn(self, code: str, text: str) -> None:
        self.notes.append(text)
        super().warn(code, text)

    def stage(self, name: str) -> Callable[[int, int], None]:
        """`go_on` of one stage."""
        return lambda done, total: self.go_on(name, done, total)


def _check(request: ClassifySamplesRequest) -> None:
    problems = []
    if request.method not in METHODS:
        problems.append(f"The method “{request.method}” is not one of {', '.join(METHODS)}.")
    if not request.groups or not set(request.groups) <= set(GROUPS) or len(set(request.groups)) != len(request.groups):
        problems.append(f"The features “{', '.join(request.groups)}” are not one or more of {', '.join(GROUPS)}.")
    if problems:
        raise SardineError(ErrorCode.REQUEST_INVALID, " ".join(problems), "", "Correct the request.")
    if not any(getattr(request, name) for name in (*RASTERS, *SUFFIXES)):
        raise _nothing_asked()


def _nothing_asked() -> SardineError:
    return SardineError(
        ErrorCode.REQUEST_INVALID, "No output was asked for.", "At least one is needed.", "Name a file for the classes."
    )


def _check_fits(classifier: Classifier, card: ModelCard) -> None:
    if classifier.basis is not None and classifier.model_sha256 != card.weights_sha256:
        raise SardineError(
            ErrorCode.CLASSIFIER_OF_OTHER_MODEL,
            f"The classifier was made with the model {classifier.model_name}, and {card.name} was chosen"
            + (" in another version." if classifier.model_name == card.name else "."),
            "Features of two models cannot be compared.",
            "Choose the model that it was made with, or make it again.",
        )


@contextlib.contextmanager
def _features(
    scene: Scene,
    card: ModelCard,
    source: SceneInput,
    groups: Sequence[str],
    context: Noted,
    basis: FeatureBasis | None,
    *,
    cached_only: bool = False,
) -> Iterator[FeatureFile | None]:
    """The features of the scene, None where `groups` need none, or the cache has none and no others are wanted.

    What damages them in the middle of the run becomes a sentence.
    """
    try:
        if not PATCH_GROUPS & set(groups):
            yield None
        elif cached_only:
            found = cached_features(scene, card, source, context, basis)
            if found is None:
                text = "Attention and embeddings of this scene are not there yet: backscatter alone was looked at."
                context.warn("features_not_cached", text)
            with found or contextlib.nullcontext() as file:
                yield file
        else:
            with features_of(scene, card, source, context, basis) as file:
                yield file
    except FeatureFileError as error:
        raise SardineError(
            ErrorCode.SOURCE_UNREADABLE,
            f"The features were damaged during the run: {error}.",
            "They must not be changed while they are read.",
            "Run again: they will be made anew.",
            refused=False,
        ) from error


def _map(
    classifier: Classifier,
    features: PixelFeatures,
    scene: Scene,
    area: PixelWindow,
    targets: Mapping[str, Any],
    context: Noted,
) -> MapSummary | None:
    if not targets:
        return None
    started_s = time.monotonic()

    def tags(summary: MapSummary) -> dict[str, str]:
        return {
            "SARDINE_VERSIONS": " ".join(f"{name}={version}" for name, version in versions().items()),
            "SARDINE_MODEL": classifier.model_name,
            "SARDINE_MODEL_SHA256": classifier.model_sha256,
            "SARDINE_CLASSIFIER": f"{classifier.method} on {', '.join(classifier.groups)}",
            "SARDINE_CLASSIFIER_MADE": json.dumps(dict(classifier.info), ensure_ascii=False),
            "SARDINE_SOURCES": json.dumps(dict(scene.sources), ensure_ascii=False),
            "SARDINE_UNIT": scene.unit_report.unit,
            "SARDINE_WARP": scene.warp_note or "none: pixels as they are in the source",
            "SARDINE_VALID_SHARE": f"{summary.valid_px / (area.height * area.width):.6f}",
            "SARDINE_SECONDS": f"{time.monotonic() - started_s:.1f}",
            "SARDINE_TIME": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            **({"SIMULATED": "yes"} if scene.simulated else {}),
        }

    return write_map(classifier, features, scene.grid, area, targets, tags, context.stage("classifying"))


def _figures(samples: SampleSet, held_out: HeldOut) -> AccuracyFigures | None:
    if held_out.counts is None:
        return None
    counts = held_out.counts
    there = np.flatnonzero(counts.sum(axis=0) + counts.sum(axis=1))
    counts = counts[np.ix_(there, there)]
    found = agreement(counts)
    judged = counts.sum(axis=0) > 0  # of a class without held-out samples nothing is known, not even that it is never right
    users, producers, f1 = (np.where(judged, values, np.nan) for values in (found.users, found.producers, found.f1))
    return AccuracyFigures(
        codes=tuple(samples.classes[place].code for place in there.tolist()),
        names=tuple(samples.classes[place].name for place in there.tolist()),
        kind="samples held out",
        design="none",
        counts=counts,
        mapped_ha=np.full(len(there), np.nan),
        agreement=Agreement(found.overall, users, producers, f1),
        estimates=None,
        left_out={},
    )


def _info(
    request: ClassifySamplesRequest,
    scene: Scene,
    samples: SampleSet,
    pixels: int,
    held_out: HeldOut,
    figures: AccuracyFigures | None,
) -> dict[str, Any]:
    info: dict[str, Any] = {
        "samples": len(samples.class_of),
        "pixels": pixels,
        "seed": request.seed,
        "made": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "simulated": scene.simulated,
        "folds": held_out.folds,
    }
    if figures is not None:
        info["held_out_overall_accuracy"] = round(figures.agreement.overall, 4)
    return info


def _result(
    classifier: Classifier,
    outputs: Mapping[str, str],
    scene: Scene,
    summary: MapSummary | None,
    context: Noted,
    judged: JudgedSamples | None = None,
) -> TaskResult:
    counts = judged.counts if judged is not None else {}
    details: dict[str, Any] = {
        "method": classifier.method,
        "groups": list(classifier.groups),
        "classes": [
            {"code": item.code, "name": item.name, "colour": item.colour, "samples": counts.get(item.name)}
            for item in classifier.classes
        ],
        "few_samples": FEW_SAMPLES,
    }
    numbers: dict[str, float] = {}
    lines: list[str] = []
    if summary is not None:
        pixel_ha = scene.pixel_area_m2 / 1e4
        details["class_area_ha"] = {str(code): count * pixel_ha for code, count in summary.class_px.items()}
        numbers["valid_area_km2"] = summary.valid_px * pixel_ha / 100
        if summary.valid_px:
            numbers["mean_confidence_percent"] = 100 * summary.confidence_sum / summary.valid_px
        lines += [f"  {item.code:3d} {item.name}: {summary.class_px[item.code] * pixel_ha:.2f} ha" for item in classifier.classes]
    if judged is not None:
        details["judging_notes"] = list(judged.held_out.notes)
    if judged is not None and judged.figures is not None:
        figures, held_out = judged.figures, judged.held_out
        details["held_out"] = figures.as_data()
        details["confused"] = [{"class": name, "taken_for": other, "share": share} for name, other, share in confusions(figures)]
        details["importance"] = held_out.importance
        numbers["overall_accuracy"] = figures.agreement.overall
        numbers["macro_f1"] = float(np.nanmean(figures.agreement.f1))
        lines += [f"By {held_out.folds}-fold cross-validation that holds out whole samples:", *as_lines(figures)]
        lines += [f"  {share:.0%} of {name} is taken for {other}" for name, other, share in confusions(figures)]
        ranked = sorted(held_out.importance.items(), key=lambda item: -item[1])
        lines += [f"  without {group}: balanced accuracy falls by {loss:.3f}" for group, loss in ranked]
    return TaskResult(dict(outputs), numbers, tuple(lines), json.dumps(details), tuple(context.notes))


def confusions(figures: AccuracyFigures) -> list[tuple[str, str, float]]:
    """Each class of which a tenth or more is taken for one other class: its name, that of the other, and the share (0 to 1)."""
    found = []
    totals = figures.counts.sum(axis=0)
    for j, name in enumerate(figures.names):
        others = figures.counts[:, j].copy()
        others[j] = 0
        worst = int(others.argmax())
        if totals[j] and others[worst] >= CONFUSED_SHARE * totals[j]:
            found.append((name, figures.names[worst], float(others[worst] / totals[j])))
    return found
