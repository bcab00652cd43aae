# SPDX-License-Identifier: GPL-2.0-or-later
"""What tests of the panel do with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from qgis.core import QgsProject, QgsRasterLayer
from sardine.plugin.panel.dock import SardineDock
from sardine.plugin.panel.run_queue import Run


def add(path: Path) -> QgsRasterLayer:
    layer = QgsRasterLayer(str(path), path.stem)
    QgsProject.instance().addMapLayer(layer)
    return layer


def finish(dock: SardineDock, qtbot, start: Callable[[], None] | None = None, timeout_ms: int = 60_000) -> Run:
    """The run that `start` (by default a click on Run) begins, when it has ended."""
    with qtbot.waitSignal(dock.queue.ended, timeout=timeout_ms) as ended:
        (start or dock.run_bar.run.click)()
    return ended.args[0]


def until_mapping(dock: SardineDock, qtbot) -> None:
    dock.run_bar.run.click()
    qtbot.waitUntil(lambda: "Mapping" in dock.run_bar.stage.text(), timeout=60_000)


def sent(run: Run) -> dict[str, object]:
    """The request as the child `echo` received it."""
    return json.loads(run.feedback.warnings[-1])


def children(of: int | str = "self") -> set[int]:
    """Ids of the processes that this process, or another, has started."""
    return {int(pid) for task in Path(f"/proc/{of}/task").iterdir() for pid in (task / "children").read_text().split()}
