# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands of `python -m backend` that are a request and no more: their arguments become it, `tasks.py` answers it."""

from __future__ import annotations

import argparse
import dataclasses
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from typing import Any

from .commands import run_on_console
from .protocol import (
    PRECISIONS,
    SAMPLE_DESIGNS,
    AccuracyRequest,
    ApplyClassifierRequest,
    BandSource,
    ClassifySamplesRequest,
    ErrorCode,
    FeaturesRequest,
    SardineError,
    SceneInput,
    SimilarityRequest,
    StratifiedSampleRequest,
)

METHODS = ("forest", "boosting", "logistic")
GROUPS = ("attention", "tokens", "db")
"""Those of `classifier.py` and `pixel_features.py`, which import what the command line must not wait for."""
AddArguments = Callable[[ArgumentParser], None]
_FORMATTER = argparse.ArgumentDefaultsHelpFormatter


def add_parsers(sub: Any, add_scene: AddArguments) -> list[ArgumentParser]:
    """Adds the commands to the subparsers `sub` and returns their parsers; `add_scene` adds the arguments that name a scene."""
    return [
        _features(sub, add_scene),
        _classify(sub, add_scene),
        _apply(sub, add_scene),
        _similarity(sub, add_scene),
        _accuracy(sub),
        _stratified_sample(sub),
    ]


def _features(sub: Any, add_scene: AddArguments) -> ArgumentParser:
    parser: ArgumentParser = sub.add_parser(
        "features", help="attention and embeddings of a scene as a raster", formatter_class=_FORMATTER
    )
    _add_scene_input(parser, add_scene)
    parser.add_argument("--output", required=True, metavar="TIF", help="the features, one pixel a patch")
    parser.add_argument("--overwrite", action="store_true", help="replace outputs that exist")

    def request(arguments: Namespace) -> FeaturesRequest:
        return FeaturesRequest(_scene_input(arguments), arguments.output, arguments.overwrite)

    parser.set_defaults(run=lambda arguments: run_on_console(lambda: request(arguments), arguments.json))
    return parser


def _classify(sub: Any, add_scene: AddArguments) -> ArgumentParser:
    parser: ArgumentParser = sub.add_parser("classify", help="map a scene from your own samples", formatter_class=_FORMATTER)
    _add_scene_input(parser, add_scene)
    parser.add_argument("--samples", required=True, metavar="FILE", help="polygons or points (.gpkg, .geojson)")
    parser.add_argument("--class-field", required=True, metavar="FIELD", help="field with the class of each")
    parser.add_argument("--method", choices=METHODS, default="forest", help="forest is slower, logistic the fastest")
    parser.add_argument("--features", nargs="+", choices=GROUPS, default=["db"], help="what the classifier sees")
    parser.add_argument("--class-colour", action="append", default=[], metavar="CLASS=#RRGGBB", help="colour of a class")
    parser.add_argument("--no-validation", action="store_true", help="do not judge by held-out samples")
    parser.add_argument(
        "--cached-only", action="store_true", help="run no network: without cached features look at backscatter alone"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="the same seed gives the same map")
    outputs = parser.add_argument_group("outputs, at least one of them")
    outputs.add_argument("--classes", metavar="TIF", help="class codes, 0 is no data")
    outputs.add_argument("--confidence", metavar="TIF", help="probability of the class, percent")
    outputs.add_argument("--classifier", metavar="SAFETENSORS", help="for other scenes: apply-classifier")
    outputs.add_argument("--html", metavar="HTML", help="accuracy by held-out samples, to look at")
    outputs.add_argument("--csv", metavar="CSV", help="the same for a spreadsheet")
    parser.add_argument("--overwrite", action="store_true", help="replace outputs that exist")

    def request(arguments: Namespace) -> ClassifySamplesRequest:
        return ClassifySamplesRequest(
            scene=_scene_input(arguments),
            samples=arguments.samples,
            field=arguments.class_field,
            method=arguments.method,
            groups=tuple(arguments.features),
            class_colours=_pairs(arguments.class_colour, "CLASS=#RRGGBB"),
            validate=not arguments.no_validation,
            cached_only=arguments.cached_only,
            seed=arguments.seed,
            classes=arguments.classes,
            confidence=arguments.confidence,
            classifier=arguments.classifier,
            html=arguments.html,
            csv=arguments.csv,
            overwrite=arguments.overwrite,
        )

    parser.set_defaults(run=lambda arguments: run_on_console(lambda: request(arguments), arguments.json))
    return parser


def _apply(sub: Any, add_scene: AddArguments) -> ArgumentParser:
    parser: ArgumentParser = sub.add_parser(
        "apply-classifier", help="map a scene with a saved classifier", formatter_class=_FORMATTER
    )
    _add_scene_input(parser, add_scene)
    parser.add_argument("--classifier", required=True, metavar="SAFETENSORS", help="what classify has saved")
    parser.add_argument("--classes", metavar="TIF", help="class codes, 0 is no data")
    parser.add_argument("--confidence", metavar="TIF", help="probability of the class, percent")
    parser.add_argument("--overwrite", action="store_true", help="replace outputs that exist")

    def request(arguments: Namespace) -> ApplyClassifierRequest:
        return ApplyClassifierRequest(
            _scene_input(arguments), arguments.classifier, arguments.classes, arguments.confidence, arguments.overwrite
        )

    parser.set_defaults(run=lambda arguments: run_on_console(lambda: request(arguments), arguments.json))
    return parser


def _similarity(sub: Any, add_scene: AddArguments) -> ArgumentParser:
    parser: ArgumentParser = sub.add_parser("similarity", help="find places like those you point at", formatter_class=_FORMATTER)
    _add_scene_input(parser, add_scene)
    parser.add_argument("--places", required=True, metavar="FILE", help="points or polygons (.gpkg, .geojson)")
    parser.add_argument(
        "--places-band", action="append", default=[], metavar="ROLE=SOURCE:N", help="a band of the scene that the places lie on"
    )
    parser.add_argument("--similarity", metavar="TIF", help="1 is the same, 0 as unlike as at random; one pixel a patch")
    parser.add_argument("--polygons", metavar="GEOJSON", help="what is at least so much alike")
    parser.add_argument("--threshold", type=float, default=0.8, help="for the polygons")
    parser.add_argument("--overwrite", action="store_true", help="replace outputs that exist")

    def request(arguments: Namespace) -> SimilarityRequest:
        scene = _scene_input(arguments)
        places = tuple(BandSource.parse(text) for text in arguments.places_band)
        return SimilarityRequest(
            scene=scene,
            samples=arguments.places,
            places_scene=dataclasses.replace(scene, bands=places, bounds=None, bounds_crs=None) if places else None,
            similarity=arguments.similarity,
            polygons=arguments.polygons,
            threshold=arguments.threshold,
            overwrite=arguments.overwrite,
        )

    parser.set_defaults(run=lambda arguments: run_on_console(lambda: request(arguments), arguments.json))
    return parser


def _accuracy(sub: Any) -> ArgumentParser:
    parser: ArgumentParser = sub.add_parser("accuracy", help="compare a class raster with a reference", formatter_class=_FORMATTER)
    parser.add_argument("--raster", required=True, metavar="TIF", help="class raster")
    parser.add_argument("--raster-band", type=int, default=1, metavar="N", help="its band")
    parser.add_argument("--reference", required=True, metavar="FILE", help="points, polygons (.gpkg, .geojson), or a class raster")
    parser.add_argument("--field", help="field with the class code or name of each point or polygon")
    parser.add_argument("--design", choices=SAMPLE_DESIGNS, default="auto", help="how reference points were drawn")
    _add_class_names(parser)
    parser.add_argument("--html", metavar="HTML", help="report to look at")
    parser.add_argument("--csv", metavar="CSV", help="report for a spreadsheet")
    parser.add_argument("--overwrite", action="store_true", help="replace outputs that exist")

    def request(arguments: Namespace) -> AccuracyRequest:
        return AccuracyRequest(
            raster=arguments.raster,
            reference=arguments.reference,
            band=arguments.raster_band,
            field=arguments.field,
            design=arguments.design,
            class_names=_class_names(arguments.class_name),
            html=arguments.html,
            csv=arguments.csv,
            overwrite=arguments.overwrite,
        )

    parser.set_defaults(run=lambda arguments: run_on_console(lambda: request(arguments), arguments.json))
    return parser


def _stratified_sample(sub: Any) -> ArgumentParser:
    parser: ArgumentParser = sub.add_parser(
        "stratified-sample", help="draw random points in each class of a raster, to be labelled", formatter_class=_FORMATTER
    )
    parser.add_argument("--raster", required=True, metavar="TIF", help="class raster")
    parser.add_argument("--raster-band", type=int, default=1, metavar="N", help="its band")
    parser.add_argument("--points", type=int, default=500, metavar="N", help="points in all")
    parser.add_argument("--least", type=int, default=50, metavar="N", help="points that each class gets at the least")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="the same seed gives the same points")
    _add_class_names(parser)
    parser.add_argument("--output", required=True, metavar="GEOJSON", help="the points")
    parser.add_argument("--overwrite", action="store_true", help="replace outputs that exist")

    def request(arguments: Namespace) -> StratifiedSampleRequest:
        return StratifiedSampleRequest(
            raster=arguments.raster,
            output=arguments.output,
            band=arguments.raster_band,
            points=arguments.points,
            least=arguments.least,
            seed=arguments.seed,
            class_names=_class_names(arguments.class_name),
            overwrite=arguments.overwrite,
        )

    parser.set_defaults(run=lambda arguments: run_on_console(lambda: request(arguments), arguments.json))
    return parser


def _add_scene_input(parser: ArgumentParser, add_scene: AddArguments) -> None:
    default = SceneInput((), "")
    add_scene(parser)
    parser.add_argument("--model", required=True, metavar="M.safetensors", help="model file")
    parser.add_argument(
        "--bounds", nargs=4, type=float, metavar=("XMIN", "YMIN", "XMAX", "YMAX"), help="part of the scene, in its CRS"
    )
    parser.add_argument("--bounds-crs", metavar="CRS", help="CRS of --bounds; the scene's if left out")
    parser.add_argument("--components", type=int, default=default.components, metavar="N", help="components of the patch tokens")
    parser.add_argument("--overlap", type=float, default=default.overlap, help="share of a window in common with the next")
    parser.add_argument("--device", default=default.device, help="auto, cpu, cuda, cuda:N or mps")
    parser.add_argument("--precision", choices=PRECISIONS, default=default.precision)
    parser.add_argument("--cache", metavar="FOLDER", help="where features are kept for the next run; the user's own if left out")
    parser.add_argument("--cache-limit-gb", type=float, metavar="GB", help="how much is kept there; 5 if left out")


def _scene_input(arguments: Namespace) -> SceneInput:
    return SceneInput(
        bands=tuple(BandSource.parse(text) for text in arguments.band),
        model=arguments.model,
        units=arguments.units,
        calibration_db=arguments.calibration_db,
        spacing_m=arguments.spacing_m,
        bounds=tuple(arguments.bounds) if arguments.bounds else None,
        bounds_crs=arguments.bounds_crs,
        overlap=arguments.overlap,
        components=arguments.components,
        device=arguments.device,
        precision=arguments.precision,
        allow_coarse=arguments.allow_coarse,
        cache=arguments.cache,
        cache_limit_gb=arguments.cache_limit_gb,
    )


def _add_class_names(parser: ArgumentParser) -> None:
    parser.add_argument("--class-name", action="append", default=[], metavar="CODE=NAME", help="name of a class of the raster")


def _class_names(texts: Sequence[str]) -> dict[str, str]:
    names = _pairs(texts, "CODE=NAME")
    wrong = [code for code in names if not code.lstrip("-").isdigit()]
    if wrong:
        raise SardineError(
            ErrorCode.REQUEST_INVALID, f"The class code “{wrong[0]}” is no number.", "CODE=NAME is needed.", "Correct it."
        )
    return {str(int(code)): name for code, name in names.items()}


def _pairs(texts: Sequence[str], form: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in texts:
        key, equals, value = (part.strip() for part in text.rpartition("="))
        if not equals or not key or not value:
            raise SardineError(ErrorCode.REQUEST_INVALID, f"“{text}” was not understood.", f"{form} is needed.", "Correct it.")
        pairs[key] = value
    return pairs
