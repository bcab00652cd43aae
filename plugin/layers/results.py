# SPDX-License-Identifier: GPL-2.0-or-later
"""What a finished run tells, and what a run that died leaves behind."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from ...backend.model_card import ModelCard
from ...backend.protocol import JobResult
from ..translation import tr
from .units import unit_text

PART_SUFFIX = ".part"
"""The backend writes `<name>.part` and renames it when it is whole."""

SIDECAR_SUFFIXES = (".aux.xml", ".ovr", ".msk", ".rows", ".json", ".json.new")
"""What GDAL may put beside a raster, rows that wait for the last of them, and the journal of a run (`backend/output/paths.py`)."""


def summary_lines(result: JobResult, card: ModelCard) -> list[str]:
    """What the result holds and how it came about, a line each, for the log."""
    areas = [(item, result.class_area_ha.get(str(item.code), 0.0)) for item in card.classes]
    return [f"{item.code:3d} {item.name}: {area_ha:.2f} ha" for item, area_ha in areas if area_ha > 0] + notes(result, card)


def notes(result: JobResult, card: ModelCard) -> list[str]:
    """How the result came about, a line each, without the areas of the classes."""
    lines = [
        unit_text(result.unit, result.unit_evidence),
        tr("Grid: {note}").format(note=result.warp_note or tr("the scene's own pixels")),
        tr("{height} × {width} pixels, {share:.1f}% valid, {area:.3f} km²").format(
            height=result.height, width=result.width, share=100 * result.valid_share, area=result.valid_area_km2
        ),
    ]
    if result.mean_confidence_percent is not None:
        lines.append(tr("Mean confidence: {percent:.1f}%").format(percent=result.mean_confidence_percent))
    if card.training.get("simulated_only"):
        lines.append(tr("The model was trained on simulated scenes only: its map is a demonstration."))
    lines.append(
        tr("{run} of {total} windows in {elapsed:.1f} s on {device} ({precision}), model {model}").format(
            run=result.windows_run,
            total=result.windows_total,
            elapsed=result.elapsed_s,
            device=result.device,
            precision=result.precision,
            model=result.model_name,
        )
    )
    return lines


def write_whole(path: str, text: str) -> None:
    """Writes `text` as UTF-8; until it is whole, what was at `path` stays. Raises OSError, and then leaves nothing new."""
    with _whole(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        file.write(text)


def copy_whole(source: str, path: str) -> None:
    """Copies the file `source`; see `write_whole`."""
    with _whole(path) as part:
        shutil.copyfile(source, part)


@contextlib.contextmanager
def _whole(path: str) -> Iterator[Path]:
    """A file to write to, which is given the name `path` when the `with` is left well."""
    part = Path(path + PART_SUFFIX)
    try:
        yield part
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def remove_parts(outputs: Iterable[str]) -> list[str]:
    """Removes the unfinished files of a backend that was killed; returns those that are there still, and why."""
    left = []
    for output in outputs:
        # The backend writes beside the file that a link leads to.
        part = os.path.realpath(output) + PART_SUFFIX
        for path in (Path(part + suffix) for suffix in ("", *SIDECAR_SUFFIXES)):
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                left.append(f"{path} ({error.strerror})")
    return left
