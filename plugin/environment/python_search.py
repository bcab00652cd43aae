# SPDX-License-Identifier: GPL-2.0-or-later
"""Looks for what an environment can be made of: the Pythons of this machine, and its NVIDIA GPUs. Never blocks."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from qgis.PyQt.QtCore import QObject, pyqtSignal

from ..child.backend_environment import BackendCommand, child_environment
from ..child.short_process import ShortProcess
from ..locations import qgis_folders
from ..translation import tr
from .base_python import PythonFacts, ask_command, base_problem, candidates, read_facts, what_to_install
from .builds import GPU_QUERY, Gpu, parse_gpus

LONGEST_MS = 20_000
MOST = 12
"""Interpreters that are asked. More than a few are links and old versions."""


class PythonSearch(QObject):
    """After `ended`, `suitable` holds what an environment can be made from, `problem` why there is none, `gpus` the GPUs."""

    ended = pyqtSignal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.gpus: list[Gpu] = []
        self.suitable: list[PythonFacts] = []
        self.problem = ""
        self._waiting: list[str] = []
        self._asked = ""
        self._refused: list[tuple[PythonFacts, str]] = []
        self._gpu_query = ShortProcess(LONGEST_MS, self)
        self._gpu_query.ended.connect(self._gpus_told)
        self._question = ShortProcess(LONGEST_MS, self)
        self._question.ended.connect(self._told)

    @property
    def is_running(self) -> bool:
        return self._gpu_query.is_running or self._question.is_running

    def start(self, named: str = "") -> None:
        """Looks again, at the interpreter `named` by a person first."""
        self.stop()
        self.suitable, self._refused, self.problem = [], [], ""
        found = candidates(sys.platform, os.environ, Path.home(), qgis_folders())
        self._waiting = [*([named] if named else []), *(path for path in found if path != named)][:MOST]
        program = shutil.which("nvidia-smi")
        if program is None:
            self.gpus = []
            self._ask_next()
        else:
            self._gpu_query.start(BackendCommand(program, GPU_QUERY, child_environment(os.environ, Path(), qgis_folders())))

    def stop(self) -> None:
        """Ends the search without a word."""
        self._gpu_query.stop()
        self._question.stop()

    def _gpus_told(self, out: bytes, _err: bytes, _problem: str) -> None:
        self.gpus = parse_gpus(out.decode("utf-8", "replace"))
        self._ask_next()

    def _ask_next(self) -> None:
        if self._waiting:
            self._asked = self._waiting.pop(0)
            self._question.start(ask_command(self._asked, os.environ, qgis_folders()))
            return
        if not self.suitable:
            self.problem = self._why_none()
        self.ended.emit()

    def _told(self, out: bytes, _err: bytes, _problem: str) -> None:
        facts = read_facts(self._asked, out)
        if facts is not None and facts.base not in [known.base for known in self.suitable]:
            problem = base_problem(facts, os_release())
            if problem:
                self._refused.append((facts, problem))
            else:
                self.suitable.append(facts)
        self._ask_next()

    def _why_none(self) -> str:
        """The one thing to install: what the newest Python lacks, or a Python."""
        new_enough = [(facts, problem) for facts, problem in self._refused if facts.lacks]
        if new_enough:
            facts, problem = max(new_enough, key=lambda pair: pair[0].version)
            if facts.version >= (3, 11):
                return tr("{path}: {problem}").format(path=facts.path, problem=problem)
        install = what_to_install(sys.platform, os_release())
        if not self._refused:
            return tr("No Python was found. {install}").format(install=install)
        facts, problem = max(self._refused, key=lambda pair: pair[0].version)
        return tr("No suitable Python was found; the newest is {path}. {problem} {install}").format(
            path=facts.path, problem=problem, install=install
        )


def os_release() -> str:
    """What a Linux says of itself; empty elsewhere."""
    try:
        return Path("/etc/os-release").read_text(encoding="utf-8")
    except OSError:
        return ""
