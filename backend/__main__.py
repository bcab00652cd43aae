# SPDX-License-Identifier: GPL-2.0-or-later
"""`python -m backend <command>`: see `commands.py`, `task_commands.py` and `batch_commands.py` for what each does.

Only the standard library is imported before the arguments are understood: `job` must say hello at once.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

from . import batch_commands, commands, task_commands
from .console import consoles
from .protocol import ATTENTION_HEADS, ATTENTION_SCOPES, DEFAULT_OVERLAP, PRECISIONS, UNITS


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m backend", description="Land cover and attention from Sentinel-1 scenes.")
    sub = parser.add_subparsers(dest="command", required=True, metavar="command")

    predict = sub.add_parser("predict", help="map a scene", formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    _add_scene_arguments(predict)
    predict.add_argument("--model", required=True, metavar="M.safetensors", help="model file")
    outputs = predict.add_argument_group("outputs, at least one of them")
    outputs.add_argument("--landcover", metavar="TIF", help="class codes, 0 is no data")
    outputs.add_argument("--confidence", metavar="TIF", help="probability of the class, percent")
    outputs.add_argument("--probabilities", metavar="TIF", help="one band a class, in 1/250")
    outputs.add_argument("--attention", metavar="TIF", help="where the model looked, one pixel a patch")
    _add_bounds_arguments(predict)
    _add_run_arguments(predict)
    _add_map_arguments(predict)
    predict.set_defaults(run=commands.predict)

    inspect = sub.add_parser(
        "inspect", help="say what a scene is taken to be", formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    _add_scene_arguments(inspect)
    inspect.add_argument("--model", metavar="M.safetensors", help="model file: its bands, spacing, and the expected time")
    _add_bounds_arguments(inspect)
    _add_run_arguments(inspect)
    inspect.set_defaults(run=commands.inspect)

    describe = sub.add_parser("describe", help="show the card of a model file")
    describe.add_argument("model", metavar="M.safetensors")
    describe.set_defaults(run=commands.describe)

    doctor = sub.add_parser("doctor", help="show versions, devices, precisions and one timed forward")
    doctor.set_defaults(run=commands.doctor)

    tasks = task_commands.add_parsers(sub, _add_scene_arguments)
    tasks += batch_commands.add_parsers(sub, _add_value_arguments, (_add_coarse_argument, _add_run_arguments, _add_map_arguments))

    job = sub.add_parser("job", help="speak the plugin's JSON-lines protocol on stdin and stdout")
    job.set_defaults(run=commands.job)

    for command in (predict, inspect, describe, doctor, *tasks, job):
        command.add_argument("--json", action="store_true", help="machine-readable output on stdout")
    return parser


def _add_scene_arguments(parser: argparse.ArgumentParser) -> None:
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--band", action="append", metavar="ROLE=SOURCE:N", help="a band, for example VV=scene.tif:1")
    source.add_argument(
        "--scene",
        dest="band",
        action="append",
        metavar="FILE",
        help="a raster whose bands name their polarisations, or a GRD product as downloaded (.SAFE folder or zip)",
    )
    _add_value_arguments(parser)
    _add_coarse_argument(parser)


def _add_coarse_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--allow-coarse", action="store_true", help="take a scene coarser than twice the model's spacing")


def _add_value_arguments(parser: argparse.ArgumentParser) -> None:
    """What the values and pixels of a scene are."""
    parser.add_argument("--units", choices=UNITS, default="auto", help="what the pixel values are")
    parser.add_argument("--calibration-db", type=float, metavar="C", help="for dn: sigma nought = 20 log10 DN - C")
    parser.add_argument("--spacing-m", type=float, metavar="M", help="ground spacing of a raster without CRS, used as it is")


def _add_bounds_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--bounds",
        nargs=4,
        type=float,
        metavar=("XMIN", "YMIN", "XMAX", "YMAX"),
        help="part of the scene, in its CRS; without one in metres, y upwards, as a rule with 0 0 at the upper left corner",
    )
    parser.add_argument("--bounds-crs", metavar="CRS", help="CRS of --bounds; the scene's if left out")


def _add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """How `predict` computes; `inspect` tells the cost of just that."""
    parser.add_argument(
        "--overlap", type=float, default=DEFAULT_OVERLAP, help="share of a window that it has in common with the next"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps")
    parser.add_argument("--precision", choices=PRECISIONS, default="auto")


def _add_map_arguments(parser: argparse.ArgumentParser) -> None:
    """What else there is to choose of a map, of one scene or of many."""
    parser.add_argument("--attention-heads", choices=ATTENTION_HEADS, default="all", help="bands of the attention raster")
    parser.add_argument("--mask", metavar="FILE", help="polygons (.gpkg, .geojson); outside them is no data")
    parser.add_argument(
        "--attention-scope",
        choices=ATTENTION_SCOPES,
        default="scene",
        help="what 1 in the attention is the average of: the whole scene, for one query, or each window, which shows",
    )
    parser.add_argument("--batch-size", type=int, metavar="N", help="windows at a time; chosen by device if left out")
    parser.add_argument("--overwrite", action="store_true", help="replace outputs that exist")
    parser.add_argument(
        "--resume", action="store_true", help="go on where a killed or stopped run was; keep what is done if this one stops"
    )


def main(arguments: list[str] | None = None) -> int:
    """Runs one command and returns its exit status: 0 done, 2 refused, 3 failed while running, 130 cancelled."""
    with consoles():
        parsed = _parser().parse_args(_plain_numbers(sys.argv[1:] if arguments is None else arguments))
        status: int = parsed.run(parsed)
        return status


def _plain_numbers(arguments: Sequence[str]) -> list[str]:
    """Negative numbers with an exponent written out: argparse takes -1.5e5 for an option (until Python 3.14)."""
    return [_written_out(text) if re.fullmatch(r"-[0-9.]+[eE][+-]?[0-9]{1,2}", text) else text for text in arguments]


def _written_out(text: str) -> str:
    try:
        return f"{Decimal(text):f}"
    except InvalidOperation:  # such as -1.2.3e4
        return text


if __name__ == "__main__":
    sys.exit(main())
