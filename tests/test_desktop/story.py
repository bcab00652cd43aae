# SPDX-License-Identifier: GPL-2.0-or-later
"""What a new user does. QGIS runs this file (`qgis --code`); SARDINE_DESKTOP names the folder of plan.json, report and pictures."""

from __future__ import annotations

import faulthandler
import gc
import json
import os
import signal
import sys
import time
from pathlib import Path

import qgis.utils
from qgis.core import QgsProcessingUtils, QgsProject
from qgis.PyQt.QtCore import QPoint
from qgis.PyQt.QtWidgets import QApplication, QLineEdit, QToolButton, QWidget
from qgis.utils import iface

FOLDER = Path(os.environ["SARDINE_DESKTOP"])
PLAN = json.loads((FOLDER / "plan.json").read_text(encoding="utf-8"))
sys.path.insert(0, str(FOLDER))

from classes_story import map_own_classes, show_tab  # noqa: E402
from creating import create, has_ended, told  # noqa: E402
from leftovers import snapshot  # noqa: E402
from person import Person, Steps  # noqa: E402

me = Person(FOLDER)
faulthandler.enable((FOLDER / "crash.txt").open("w"), all_threads=True)


def story() -> Steps:
    """From an empty QGIS to styled layers, then a cancel, a crash, and the end."""
    window = iface.mainWindow()
    yield from me.until(window.isVisible, "QGIS")
    window.setGeometry(window.screen().availableGeometry())
    yield from me.rest(1.0)
    yield from clear_messages()
    before = snapshot(window)
    yield from install()
    yield from switch_off_and_on(before)
    yield from load_scene()
    yield from open_panel()
    yield from set_up_backend()
    yield from run_to_the_end()
    if PLAN["places"]:
        yield from map_own_classes(me)
    yield from cancel_a_run()
    yield from kill_the_backend()
    yield from leave()


def install() -> Steps:
    yield from me.menu(iface.mainWindow().menuBar(), "Plugins", "Manage and Install Plugins…")
    manager = yield from me.find("QgsPluginManagerBase", timeout_s=60)
    pages = yield from me.find("mOptionsListWidget")
    yield from me.pick(pages, "Install from ZIP")
    file = yield from me.find("mZipFileWidget")
    yield from me.write(file.findChild(QLineEdit), PLAN["package"])
    yield from me.picture("01_install_from_zip")
    yield from me.click((yield from me.button("Install Plugin")))
    yield from me.picture("02_warning")
    yield from me.click((yield from me.button("Yes")))
    yield from me.until(lambda: "sardine" in qgis.utils.active_plugins, "the plugin to be installed", 60)
    yield from me.rest(1.0)
    yield from me.picture("03_installed")
    yield from me.click((yield from me.button("Close")))
    yield from me.until(lambda: not manager.isVisible(), "the plugin manager to close")


def clear_messages() -> Steps:
    """Closes what QGIS itself has to say at its first start, such as that it could not fetch a font."""
    bar = iface.messageBar()
    while bar.currentItem() is not None:
        buttons = [button for button in bar.findChildren(QToolButton) if button.isVisible()]
        yield from me.click(max(buttons, key=lambda button: button.mapToGlobal(QPoint(0, 0)).x()))


def switch_off_and_on(before: dict[str, object]) -> Steps:
    """Twice, with the panel and the set-up dialog open, as the box in the plugin manager does it; tells what is left each time."""
    for number in (1, 2):
        yield from me.click((yield from me.tool("sardine_panel")))
        yield from me.click((yield from me.find("set_up_backend")))
        yield from me.find("sardine_setup_dialog")
        qgis.utils.unloadPlugin("sardine")
        deadline_s = time.monotonic() + 10
        while snapshot(iface.mainWindow()) != before and time.monotonic() < deadline_s:
            gc.collect()
            yield from me.rest(0.2)
        after = snapshot(iface.mainWindow())
        me.tell(**{f"left_{number}": {name: (before[name], after[name]) for name in before if before[name] != after[name]}})
        qgis.utils.loadPlugin("sardine")
        qgis.utils.startPlugin("sardine")


def load_scene() -> Steps:
    yield from me.menu(iface.mainWindow().menuBar(), "Layer", "Add Layer", "Add Raster Layer…")
    source = yield from me.find("QgsGdalSourceSelectBase", timeout_s=30)
    file = yield from me.find("mFileWidget", inside=source)
    yield from me.write(file.findChild(QLineEdit), PLAN["scene"])
    yield from me.picture("04_add_raster")
    yield from me.click((yield from me.button("Add")))
    yield from me.until(lambda: QgsProject.instance().mapLayers(), "the scene to be loaded")
    yield from me.click((yield from me.button("Close")))
    yield from me.rest(1.0)
    yield from me.picture("05_scene")


def open_panel() -> Steps:
    yield from me.click((yield from me.tool("sardine_panel")))
    yield from me.find("sardine_dock")
    yield from me.rest(1.0)
    yield from me.picture("06_no_backend")
    me.tell(no_backend=me.seen("backend_problem").text())


def set_up_backend() -> Steps:
    yield from me.click((yield from me.find("set_up_backend")))
    dialog = yield from me.find("sardine_setup_dialog")
    yield from me.until(
        lambda: me.seen("setup_go", dialog).isEnabled() or me.seen("setup_stage", dialog), "the search for Pythons", 60
    )
    yield from me.picture("07_set_up_the_backend")
    frame, whole = dialog.frameGeometry(), dialog.screen().geometry()
    me.tell(dialog_is_on_the_screen=whole.contains(frame), frame=[frame.x(), frame.y(), frame.width(), frame.height()])
    if PLAN["create"]:
        dialog = yield from create(me, dialog)
    else:
        yield from name_a_python(dialog)
    me.tell(set_up=told(me, dialog))
    yield from me.click((yield from me.find("setup_close", inside=dialog)))


def name_a_python(dialog: QWidget) -> Steps:
    yield from me.click((yield from me.find("existing", inside=dialog)))
    python = yield from me.find("existing_python", inside=dialog)
    yield from me.write(python.findChild(QLineEdit), PLAN["python"])
    yield from me.click((yield from me.find("setup_go", inside=dialog)))
    yield from me.until(lambda: has_ended(me, dialog), "the Python to be checked", 180)
    yield from me.picture("08_backend_set_up")


def run_to_the_end() -> Steps:
    yield from me.until(run_button().isEnabled, "Run to be enabled")
    yield from me.until(lambda: me.seen("checked") and "valid" in me.seen("checked").text(), "the check of the scene", 60)
    me.tell(checked=me.seen("checked").text())
    yield from me.picture("09_checked")
    yield from me.click(run_button())
    yield from mapping()
    # A small scene is mapped before there is a time left to tell.
    yield from me.until(lambda: not me.seen("stage") or "left" in me.seen("stage").text(), "the time left", 60)
    yield from me.picture("09_running")
    yield from me.until(lambda: me.seen("areas"), "the result", 120)
    yield from me.rest(1.5)
    yield from me.picture("10_layers")
    me.tell(
        plugin=sys.modules["sardine"].__file__,
        python_path=sys.path,
        layers={layer.name(): layer.renderer().type() for layer in QgsProject.instance().mapLayers().values()},
        groups=[group.name() for group in QgsProject.instance().layerTreeRoot().findGroups()],
    )


def cancel_a_run() -> Steps:
    yield from map_tab()
    yield from slow_down()
    yield from me.click(run_button())
    yield from mapping()
    asked_s = time.monotonic()
    yield from me.click((yield from me.find("cancel")))
    yield from me.until(lambda: not children(), "the backend to end")
    me.tell(cancelled_after_s=round(time.monotonic() - asked_s, 2))
    sentence = yield from me.find("error")
    yield from me.picture("11_cancelled")
    me.tell(cancel=sentence.text(), parts_after_cancel=unfinished_files())


def kill_the_backend() -> Steps:
    yield from map_tab()
    yield from me.click(run_button())
    yield from mapping()
    for pid in children():
        os.kill(pid, signal.SIGKILL)
    sentence = yield from me.find("error")
    yield from me.until(lambda: "signal 9" in sentence.text(), "what became of the run", 30)
    yield from me.picture("12_backend_killed")
    yield from me.click((yield from me.button("Copy report")))
    me.tell(kill=sentence.text(), parts_after_kill=unfinished_files(), report=QApplication.clipboard().text())


def leave() -> Steps:
    yield from map_tab()
    yield from me.click(run_button())
    yield from mapping()
    yield from me.menu(iface.mainWindow().menuBar(), "Project", "Exit QGIS")
    yes = yield from me.button("Yes")
    yield from me.picture("13_leave_during_a_run")
    yield from me.click(yes)
    # QGIS ends the run and stays, until it is told again.
    yield from me.until(lambda: not children(), "the backend to end", 60)
    yield from me.menu(iface.mainWindow().menuBar(), "Project", "Exit QGIS")
    me.tell(end="QGIS is told to go")
    # Temporary layers are to be lost, and the project is not to be saved.
    yield from me.click((yield from me.button("Yes")))
    yield from me.click((yield from me.button("Discard", 60)))
    yield from me.rest(60)


def map_tab() -> Steps:
    yield from show_tab(me, "Map")


def slow_down() -> Steps:
    """So much overlap that there is time to press Cancel, on a fast machine too."""
    group = yield from me.find("advanced")
    yield from me.click((yield from me.find("collapseButton", inside=group)))
    box = yield from me.find("overlap")
    yield from me.write(box.findChild(QLineEdit), "0.75")


def run_button() -> QWidget:
    return me.seen("run")


def mapping() -> Steps:
    """Waits until the backend reads the scene: it samples it for the attention before it maps."""

    def reading() -> bool:
        stage = me.seen("stage")
        return stage is not None and any(text in stage.text() for text in ("Sampling", "Mapping"))

    yield from me.until(reading, "the mapping to begin", 120)


def children() -> list[int]:
    """Processes that this QGIS has started and that run."""
    return [int(pid) for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()]


def unfinished_files() -> list[str]:
    """What a run that did not end well may have left where Processing keeps temporary results."""
    return [str(path) for path in Path(QgsProcessingUtils.tempFolder()).rglob("*.part*")]


me.follow(story())
