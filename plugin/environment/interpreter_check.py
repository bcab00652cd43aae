# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether a Python can run the backend: its version, its packages, and what the backend's own `doctor` finds in it."""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass, field
from typing import Any

from qgis.PyQt.QtCore import QObject, pyqtSignal

from ...backend.protocol import PROTOCOL_VERSION
from ..child.backend_environment import job_command
from ..child.message_stream import Excerpt
from ..child.short_process import ShortProcess
from ..locations import PLUGIN_ROOT, qgis_folders
from ..translation import tr
from .base_python import PythonFacts, ask_command, read_facts, version_problem
from .builds import package_name
from .folder import read_requirements
from .pip_output import cause

LONGEST_MS = 180_000
"""The first import of torch from a slow disk takes a minute."""


@dataclass(frozen=True)
class CheckReport:
    """What is known of an interpreter. `problem` is empty where it can run the backend; `details` is what it printed."""

    python: str
    problem: str
    facts: PythonFacts | None = None
    found: dict[str, Any] = field(default_factory=dict)
    details: str = ""

    @property
    def summary(self) -> str:
        """Versions and devices in two lines, for an interpreter that is good."""
        versions = self.found.get("versions", {})
        names = ", ".join(f"{name} {versions[name]}" for name in ("torch", "timm", "rasterio") if name in versions)
        devices = ", ".join(device["label"] for device in self.found.get("devices", []))
        return tr("Python {python}, {packages}\nComputes on: {devices}").format(
            python=versions.get("python", ""), packages=names, devices=devices
        )


class InterpreterCheck(QObject):
    """Asks a Python two things, one after the other, without blocking. `ended` carries a CheckReport."""

    ended = pyqtSignal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._python = ""
        self._packages: list[str] = []
        self._facts: PythonFacts | None = None
        self._ask = ShortProcess(30_000, self)
        self._ask.ended.connect(self._told)
        self._doctor = ShortProcess(LONGEST_MS, self)
        self._doctor.ended.connect(self._examined)

    @property
    def is_running(self) -> bool:
        return self._ask.is_running or self._doctor.is_running

    def start(self, python: str) -> None:
        """Begins with `python`; a check that runs is ended first, without a word."""
        self.stop()
        self._python, self._facts = python, None
        self._packages = [package_name(line) for line in read_requirements(PLUGIN_ROOT)]
        self._ask.start(ask_command(python, os.environ, qgis_folders(), self._packages))

    def stop(self) -> None:
        """Ends a check that runs; nothing is emitted."""
        self._ask.stop()
        self._doctor.stop()

    def _told(self, out: bytes, err: bytes, problem: str) -> None:
        self._facts = read_facts(self._python, out)
        if self._facts is None:
            self._end(tr("{python} is not a Python that runs.").format(python=self._python) + f" {problem}".rstrip(), err)
            return
        problem = version_problem(self._facts)
        missing = [name for name in self._packages if name not in self._facts.packages]
        if not problem and missing:
            problem = tr("This Python {version} lacks {names}.").format(version=self._facts.version_text, names=", ".join(missing))
        if problem:
            self._end(problem, err)
            return
        command = job_command(self._python, PLUGIN_ROOT, os.environ, qgis_folders())
        self._doctor.start(dataclasses.replace(command, arguments=("-P", "-m", "backend", "doctor", "--json")))

    def _examined(self, out: bytes, err: bytes, problem: str) -> None:
        try:
            found = json.loads(out.decode("utf-8", "replace").strip().splitlines()[-1])
            versions = found["versions"]
        except (ValueError, LookupError, TypeError):
            why = problem or cause((out + b"\n" + err).decode("utf-8", "replace"))
            self._end(tr("Its packages do not work: {why}").format(why=why), out + b"\n" + err)
            return
        if found.get("protocol") != PROTOCOL_VERSION:
            problem = tr("The backend speaks version {theirs} of the protocol, the plugin version {ours}.").format(
                theirs=found.get("protocol"), ours=PROTOCOL_VERSION
            )
            self._end(problem, err)
            return
        self.ended.emit(CheckReport(self._python, "", self._facts, {**found, "versions": versions}))

    def _end(self, problem: str, printed: bytes) -> None:
        excerpt = Excerpt()
        excerpt.feed(printed)
        self.ended.emit(CheckReport(self._python, problem, self._facts, details=excerpt.text))
