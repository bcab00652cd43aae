# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands of `python -m backend` on many scenes: `batch`."""

from __future__ import annotations

import argparse
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .commands import run_on_console, settings
from .protocol import RASTERS, BatchRequest

AddArguments = Callable[[ArgumentParser], None]
_FORMATTER = argparse.ArgumentDefaultsHelpFormatter
TABLE_NAME = "batch"
"""The tables of a batch are called so, in its folder, where no other name is given."""


def add_parsers(sub: Any, add_values: AddArguments, add_settings: Sequence[AddArguments]) -> list[ArgumentParser]:
    """Adds the commands to the subparsers `sub` and returns their parsers; the other arguments add those of each scene."""
    return [_batch(sub, add_values, add_settings)]


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


def _add_scenes(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--scenes",
        required=True,
        nargs="+",
        metavar="SCENE",
        help="rasters, Sentinel-1 products, folders of them, or patterns; two files that differ in VV and VH alone are one scene",
    )
