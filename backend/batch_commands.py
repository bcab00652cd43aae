# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands of `python -m backend` on many scenes: `batch` and `composite`."""

from __future__ import annotations

import argparse
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .commands import run_on_console, settings
from .protocol import (
    COMPOSITE_PERIODS,
    RASTERS,
    REDUCTIONS,
    BatchRequest,
    CompositeRequest,
    CompositeScene,
    ErrorCode,
    SardineError,
)

AddArguments = Callable[[ArgumentParser], None]
_FORMATTER = argparse.ArgumentDefaultsHelpFormatter
TABLE_NAME = "batch"
"""The tables of a batch are called so, in its folder, where no other name is given."""


def add_parsers(sub: Any, add_values: AddArguments, add_settings: Sequence[AddArguments]) -> list[ArgumentParser]:
    """Adds the commands to the subparsers `sub` and returns their parsers; the other arguments add those of each scene."""
    return [_batch(sub, add_values, add_settings), _composite(sub, add_values)]


def _batch(sub: Any, add_values: AddArguments, add_settings: Sequence[AddArguments]) -> ArgumentParser:
    parser: ArgumentParser = sub.add_parser(
        "batch", help="map many scenes, on this machine or on a Dask cluster", formatter_class=_FORMATTER
    )
    _add_scenes(parser)
    parser.add_argument("--out", required=True, metavar="FOLDER", help="where outputs go, as <scene>_<output>.tif")
    parser.add_argument("--model", required=True, metavar="M.safetensors", help="model file")
    parser.add_argument(
        "--outputs", nargs="+", choices=RASTERS, default=["landcover", "confidence"], help="the rasters to make of each scene"
    )
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="Dask cluster whose workers see the same files, such as tcp://host:8786; left out: workers of this machine",
    )
    parser.add_argument("--mosaic", metavar="FILE", help="land cover of all scenes as one raster: .tif, or .vrt without pixels")
    parser.add_argument("--csv", metavar="CSV", help=f"table of all scenes; {TABLE_NAME}.csv in the folder if left out")
    parser.add_argument("--html", metavar="HTML", help=f"the same as a page; {TABLE_NAME}.html in the folder if left out")
    add_values(parser)
    for add in add_settings:
        add(parser)

    def request(arguments: Namespace) -> BatchRequest:
        from .batch.scenes import find_scenes

        folder = Path(arguments.out)
        return BatchRequest(
            scenes=tuple(find_scenes(arguments.scenes)),
            folder=arguments.out,
            settings=settings(arguments),
            outputs=tuple(arguments.outputs),
            scheduler=arguments.scheduler,
            csv=arguments.csv or str(folder / f"{TABLE_NAME}.csv"),
            html=arguments.html or str(folder / f"{TABLE_NAME}.html"),
            mosaic=arguments.mosaic,
        )

    parser.set_defaults(run=lambda arguments: run_on_console(lambda: request(arguments), arguments.json))
    return parser


def _composite(sub: Any, add_values: AddArguments) -> ArgumentParser:
    parser: ArgumentParser = sub.add_parser(
        "composite", help="many dates of one place as one raster, by season or month", formatter_class=_FORMATTER
    )
    _add_scenes(parser)
    parser.add_argument(
        "--dates", nargs="+", metavar="YYYY-MM-DD", help="of the scenes in their order; left out: of products and file names"
    )
    parser.add_argument("--by", choices=COMPOSITE_PERIODS, default="all", help="one composite for each of these")
    parser.add_argument("--reduce", choices=REDUCTIONS, default="median", help="how dates become one value, in linear power")
    parser.add_argument("--percentile", type=float, default=50.0, metavar="P", help="for --reduce percentile")
    parser.add_argument("--directions-apart", action="store_true", help="ascending and descending orbits in bands of their own")
    parser.add_argument("--out", required=True, metavar="TIF", help="the composite in dB, on the grid of the first scene")
    parser.add_argument("--count", metavar="TIF", help="how many dates each pixel has")
    add_values(parser)
    parser.add_argument("--overwrite", action="store_true", help="replace outputs that exist")

    def request(arguments: Namespace) -> CompositeRequest:
        from .batch.scenes import find_scenes

        found = find_scenes(arguments.scenes)
        dates = arguments.dates or [None] * len(found)
        if len(dates) != len(found):
            raise SardineError(
                ErrorCode.REQUEST_INVALID,
                f"{len(dates)} dates were given for {len(found)} scenes.",
                "One date a scene is needed, in the order of the scenes.",
                "Correct them.",
            )
        return CompositeRequest(
            scenes=tuple(CompositeScene(scene.bands, date) for scene, date in zip(found, dates, strict=True)),
            output=arguments.out,
            count=arguments.count,
            by=arguments.by,
            reduction=arguments.reduce,
            percentile=arguments.percentile,
            directions_apart=arguments.directions_apart,
            units=arguments.units,
            calibration_db=arguments.calibration_db,
            spacing_m=arguments.spacing_m,
            overwrite=arguments.overwrite,
        )

    parser.set_defaults(run=lambda arguments: run_on_console(lambda: request(arguments), arguments.json))
    return parser


def _add_scenes(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--scenes",
        required=True,
        nargs="+",
        metavar="SCENE",
        help="rasters, Sentinel-1 products, folders of them, or patterns; two files that differ in VV and VH alone are one scene",
    )
