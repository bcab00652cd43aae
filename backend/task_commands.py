# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands of `python -m backend` that are a request and no more: their arguments become it, `tasks.py` answers it."""

from __future__ import annotations

import argparse
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from typing import Any

from .commands import run_on_console
from .protocol import SAMPLE_DESIGNS, AccuracyRequest, ErrorCode, SardineError, StratifiedSampleRequest

_FORMATTER = argparse.ArgumentDefaultsHelpFormatter


def add_parsers(sub: Any) -> list[ArgumentParser]:
    """Adds the commands to the subparsers `sub` and returns their parsers."""
    return [_accuracy(sub), _stratified_sample(sub)]


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


def _add_class_names(parser: ArgumentParser) -> None:
    parser.add_argument("--class-name", action="append", default=[], metavar="CODE=NAME", help="name of a class of the raster")


def _class_names(texts: Sequence[str]) -> dict[str, str]:
    names: dict[str, str] = {}
    for text in texts:
        code, equals, name = text.partition("=")
        if not equals or not name.strip() or not code.strip().lstrip("-").isdigit():
            raise SardineError(
                ErrorCode.REQUEST_INVALID,
                f"The class name “{text}” was not understood.",
                "It needs the form CODE=NAME.",
                "Correct it.",
            )
        names[str(int(code))] = name.strip()
    return names
