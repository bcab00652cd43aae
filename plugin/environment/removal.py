# SPDX-License-Identifier: GPL-2.0-or-later
"""Takes environments away that are not wanted any more. Never blocks."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from qgis.PyQt.QtCore import QObject, pyqtSignal

from ..child.guarded_process import Background
from . import folder as folders
from .plan import take_lock


class EnvironmentRemoval(QObject):
    """One removal at a time; `ended` follows when the disk space is free again."""

    ended = pyqtSignal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._background: Background | None = None

    @property
    def is_running(self) -> bool:
        return self._background is not None

    def start(self, paths: Iterable[Path]) -> str:
        """Begins, and returns an empty text, or why it cannot: a window is at work on one, or a program still uses it."""
        home = Path()
        for path in paths:
            home = path.parent
            lock, problem = take_lock(path)
            if lock is None:
                return problem
            try:
                for part in (path, folders.work_folder(path)):
                    folders.put_aside(part)
            except OSError as error:
                return str(error)
            finally:
                lock.unlock()
        self._background = Background(lambda: folders.delete_removed(home))
        self._background.done.connect(self._end)
        self._background.start()
        return ""

    def _end(self) -> None:
        self._background = None
        self.ended.emit()
