# SPDX-License-Identifier: GPL-2.0-or-later
"""What the backend takes a scene for before it is mapped: unit, grid, time and memory. A child process of its own."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from qgis.PyQt.QtCore import QObject, pyqtSignal

from ...backend.protocol import ErrorCode, JobFailure, SardineError, decode
from ..child.message_stream import Excerpt
from ..child.short_process import ShortProcess
from ..environment.interpreter import backend_command
from ..error_text import describe
from ..translation import tr

LONGEST_MS = 180_000
"""A check reads a sample of the pixels and times one forward: a minute on a slow disk."""


class SceneCheck(QObject):
    """`python -m backend inspect` in the background. `ended` carries what was found, or a sentence on why nothing was."""

    ended = pyqtSignal(dict, str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._child = ShortProcess(LONGEST_MS, self)
        self._child.ended.connect(self._ended)

    @property
    def is_running(self) -> bool:
        return self._child.is_running

    def start(self, arguments: list[str]) -> None:
        """Begins a check with `arguments` of the command line; one that runs is ended first, without a word."""
        self.stop()
        try:
            command = backend_command()
        except SardineError as error:
            self.ended.emit({}, describe(error))
            return
        self._child.start(dataclasses.replace(command, arguments=("-P", "-m", "backend", "inspect", "--json", *arguments)))

    def stop(self) -> None:
        """Ends a check that runs; nothing is emitted."""
        self._child.stop()

    def _ended(self, out: bytes, err: bytes, problem: str) -> None:
        if problem:
            self.ended.emit({}, tr("The check gave no answer. {problem}").format(problem=problem))
            return
        self.ended.emit(*_understood(out, err))


def check_arguments(parameters: Mapping[str, Any]) -> list[str]:
    """The command line's arguments for the panel's parameters of `sardine:landcover`.

    BANDS are files, not layers' ids; BOUNDS, where there are any, are bounds and their reference system.
    """
    arguments = ["--model", parameters["MODEL"], "--units", parameters["UNITS"]]
    arguments += ["--device", parameters["DEVICE"], "--precision", parameters["PRECISION"], f"--overlap={parameters['OVERLAP']}"]
    for band in parameters["BANDS"]:
        arguments += ["--band", band]
    for name, option in (("CALIBRATION_DB", "--calibration-db"), ("SPACING_M", "--spacing-m")):
        if parameters.get(name) is not None:
            arguments.append(f"{option}={parameters[name]}")
    if parameters.get("BOUNDS") is not None:
        bounds, bounds_crs = parameters["BOUNDS"]
        arguments += ["--bounds", *(f"{number:f}" for number in bounds)]
        arguments += ["--bounds-crs", bounds_crs] if bounds_crs else []
    return [*arguments, *(["--allow-coarse"] if parameters.get("ALLOW_COARSE") else [])]


def _understood(out: bytes, err: bytes) -> tuple[dict[str, Any], str]:
    """What a check printed: what it found, or a sentence on why it found nothing."""
    lines = [line for line in out.splitlines() if line.strip()]
    try:
        found = json.loads(lines[-1]) if lines else None
    except ValueError:
        found = None
    if isinstance(found, dict) and found.get("type") != JobFailure.type:
        return found, ""
    if isinstance(found, dict):
        failure = decode(lines[-1])
        try:
            code = ErrorCode(failure.code)
        except ValueError:  # a code of a later backend
            return {}, failure.sentence
        return {}, describe(SardineError(code, failure.found, failure.needed, failure.action))
    excerpt = Excerpt(head_lines=3, tail_lines=3)
    excerpt.feed(err)
    return {}, tr("The check ended without a result. It printed: {text}").format(text=excerpt.text or tr("nothing"))
