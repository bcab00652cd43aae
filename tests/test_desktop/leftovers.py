# SPDX-License-Identifier: GPL-2.0-or-later
"""What a plugin may leave behind in QGIS when it is unloaded, as plain values that two moments can be compared by."""

from __future__ import annotations

import gc
import os
import threading
from pathlib import Path
from typing import Any

from qgis.core import QgsApplication, QgsProject
from qgis.PyQt import sip
from qgis.PyQt.QtCore import QObject
from qgis.PyQt.QtWidgets import QAction, QDockWidget, QMainWindow, QToolBar, QWidget


def snapshot(window: QMainWindow) -> dict[str, Any]:
    """Tool bars, docks, menus, actions, providers, connections, threads, children and Qt objects of the plugin's own classes."""
    project, tasks, registry = QgsProject.instance(), QgsApplication.taskManager(), QgsApplication.processingRegistry()
    signals = {
        "project.cleared": (project, project.cleared),
        "project.layersAdded": (project, project.layersAdded),
        "project.layersWillBeRemoved": (project, project.layersWillBeRemoved),
        "project.readProject": (project, project.readProject),
        "tasks.allTasksFinished": (tasks, tasks.allTasksFinished),
        "registry.providerAdded": (registry, registry.providerAdded),
    }
    return {
        "tool bars": {bar.objectName(): len(bar.actions()) for bar in window.findChildren(QToolBar)},
        "docks": sorted(dock.objectName() for dock in window.findChildren(QDockWidget)),
        "menus": {
            action.text(): sorted(entry.text() for entry in action.menu().actions())
            for action in window.menuBar().actions()
            if action.menu() is not None and action.menu().objectName() == "mRasterMenu"
        },
        "actions": sorted(action.objectName() for action in window.findChildren(QAction) if "sardine" in action.objectName()),
        "widgets": sorted(_name(widget) for widget in QgsApplication.allWidgets() if _ours(widget)),
        "providers": sorted(provider.id() for provider in registry.providers()),
        "connections": {name: owner.receivers(signal) for name, (owner, signal) in signals.items()},
        "running tasks": tasks.countActiveTasks(),
        "Python threads": sorted(thread.name for thread in threading.enumerate() if not thread.name.startswith("Dummy")),
        "children": _children(),
        "Qt objects": sorted(_name(thing) for thing in gc.get_objects() if _ours(thing) and not sip.isdeleted(thing)),
    }


def _ours(thing: object) -> bool:
    try:
        return isinstance(thing, QObject) and type(thing).__module__.startswith("sardine.")
    except ReferenceError:  # a weak proxy whose object is gone
        return False


def _name(thing: QWidget | QObject) -> str:
    return f"{type(thing).__module__}.{type(thing).__name__}"


def _children() -> list[str]:
    """Command lines of the processes that this one has started."""
    pids = [pid for task in Path(f"/proc/{os.getpid()}/task").iterdir() for pid in (task / "children").read_text().split()]
    return sorted(Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode() for pid in pids)
