# SPDX-License-Identifier: GPL-2.0-or-later
"""Acts in QGIS as a person does: looks for what is on the screen, clicks it, types, waits, takes pictures.

A step is a generator; what it yields is waited for, while QGIS runs on. Clicks are posted to the event loop, because a click that
opens a modal dialog returns only when that dialog is closed.
"""

from __future__ import annotations

import json
import os
import time
import traceback
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

from qgis.core import Qgis, QgsApplication
from qgis.gui import QgsMapCanvas
from qgis.PyQt.QtCore import QPoint, Qt, QTimer
from qgis.PyQt.QtTest import QTest
from qgis.PyQt.QtWidgets import (
    QAbstractButton,
    QApplication,
    QCheckBox,
    QComboBox,
    QLineEdit,
    QListWidget,
    QMenu,
    QMenuBar,
    QRadioButton,
    QTabBar,
    QToolButton,
    QWidget,
)

Condition = Callable[[], object]
Steps = Generator[tuple[Condition, float, str], None, None]
POLL_MS = 50
PICTURE_WIDTH_PX = 1200
"""As wide as a README shows them."""

SETTLE_S = 0.3
"""A repaint after a click; pictures are taken and widgets looked for when it is over."""

LIST_S = 0.8
"""A list that opens takes no click for as long as a double click may last: it could be the one that opened it."""


class Person:
    """Runs steps one after the other; tells each in `report` (JSON lines); pictures go into the same folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._report = (folder / "report.jsonl").open("a", encoding="utf-8")
        self._steps: Steps | None = None
        self._awaited: tuple[Condition, float, str] | None = None
        self._deadline_s = 0.0
        self._error = ""
        QgsApplication.messageLog().messageReceived[str, str, Qgis.MessageLevel].connect(self._logged)
        self._timer = QTimer()
        self._timer.timeout.connect(self._tick)

    def follow(self, steps: Steps) -> None:
        """Begins with `steps`; returns at once."""
        self._steps = steps
        self._timer.start(POLL_MS)

    def tell(self, **what: object) -> None:
        self._report.write(json.dumps({"at_s": round(time.monotonic(), 2), **what}) + "\n")
        self._report.flush()

    def _logged(self, text: str, tag: str, level: Qgis.MessageLevel) -> None:
        """A Python error in QGIS ends no step, but it must not be overlooked."""
        if tag == "Python error" or "Traceback" in text:
            self._error = text

    def _tick(self) -> None:
        try:
            if self._error:
                raise RuntimeError(self._error)
            if self._awaited is not None:
                condition, _, what = self._awaited
                if not condition():
                    if time.monotonic() > self._deadline_s:
                        raise TimeoutError(f"waited in vain for {what}")
                    return
            self._awaited = next(self._steps)
            self._deadline_s = time.monotonic() + self._awaited[1]
        except StopIteration:
            self._timer.stop()
            self.tell(end="all steps were done, and QGIS is still there")
        except BaseException as error:
            self._timer.stop()
            self.tell(end="failed", error=repr(error), trace=traceback.format_exc(), seen=list(_seen()))
            self._grab("failure")
            os._exit(3)

    def until(self, condition: Condition, what: str, timeout_s: float = 30.0) -> Steps:
        """Waits until `condition` holds."""
        yield condition, timeout_s, what

    def rest(self, seconds: float = SETTLE_S) -> Steps:
        """Lets QGIS repaint."""
        end_s = time.monotonic() + seconds
        yield lambda: time.monotonic() > end_s, seconds + 5, "a moment"

    def seen(self, name: str, inside: QWidget | None = None) -> QWidget | None:
        """The visible widget with this object name, or None."""
        widgets = [w for w in QApplication.allWidgets() if w.objectName() == name and w.isVisible()]
        return next((w for w in widgets if inside is None or inside.isAncestorOf(w)), None)

    def find(self, name: str, *, inside: QWidget | None = None, timeout_s: float = 20.0) -> Generator[object, None, QWidget]:
        """The widget with this object name, when it can be seen."""
        yield from self.until(lambda: self.seen(name, inside), f"“{name}”", timeout_s)
        return self.seen(name, inside)

    def tool(self, action: str, timeout_s: float = 20.0) -> Generator[object, None, QWidget]:
        """The visible tool button of the action with this object name."""

        def look() -> QWidget | None:
            buttons = [w for w in QApplication.allWidgets() if isinstance(w, QToolButton) and w.isVisible()]
            return next((b for b in buttons if b.defaultAction() is not None and b.defaultAction().objectName() == action), None)

        yield from self.until(look, f"the tool button of “{action}”", timeout_s)
        return look()

    def button(self, text: str, timeout_s: float = 20.0) -> Generator[object, None, QAbstractButton]:
        """The visible button with this text."""

        def look() -> QAbstractButton | None:
            buttons = [w for w in QApplication.allWidgets() if isinstance(w, QAbstractButton) and w.isVisible()]
            return next((b for b in buttons if b.text().replace("&", "") == text), None)

        yield from self.until(look, f"button “{text}”", timeout_s)
        return look()

    def click(self, widget: QWidget, at: QPoint | None = None) -> Steps:
        """A click of the left button in the middle of `widget`, which must be enabled and on the screen."""
        yield from self.until(widget.isEnabled, f"{widget.objectName() or widget} to be enabled")
        if not widget.isVisible():
            raise RuntimeError(f"{widget.objectName() or widget} cannot be seen")
        place = at if at is not None else widget.rect().center()
        if at is None and isinstance(widget, (QRadioButton, QCheckBox)):
            place.setX(12)  # on the mark: they may be wider than what can be clicked
        hit = QApplication.widgetAt(widget.mapToGlobal(place))
        if hit is not widget and not widget.isAncestorOf(hit or widget):
            raise RuntimeError(f"{widget.objectName() or widget} is covered by {hit and (hit.objectName() or hit)}")
        self.tell(click=widget.objectName() or getattr(widget, "text", type(widget).__name__.__str__)())
        QTimer.singleShot(0, lambda: QTest.mouseClick(widget, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place))
        yield from self.rest()

    def write(self, field: QLineEdit, text: str) -> Steps:
        """Replaces what `field` holds, by the keyboard."""
        yield from self.click(field)
        field.selectAll()
        QTest.keyClicks(field, text)
        yield from self.rest()

    def type(self, text: str) -> Steps:
        """Types into whatever has the keyboard."""
        QTest.keyClicks(QApplication.focusWidget(), text)
        yield from self.rest()

    def click_map(self, canvas: QgsMapCanvas, place: QPoint, *, right: bool = False) -> Steps:
        """A click on the map at `place`, where the mouse has moved to before."""
        button = Qt.MouseButton.RightButton if right else Qt.MouseButton.LeftButton
        QTest.mouseMove(canvas.viewport(), place)
        QTimer.singleShot(0, lambda: QTest.mouseClick(canvas.viewport(), button, Qt.KeyboardModifier.NoModifier, place))
        yield from self.rest(0.15)

    def choose(self, box: QComboBox, text: str) -> Steps:
        """Picks the entry with `text` of a list that opens."""
        yield from self.click(box)
        view = box.view()
        yield from self.until(view.isVisible, f"the list of {box.objectName()}")
        yield from self.rest(LIST_S)
        index = view.model().index(box.findText(text), 0)
        if not index.isValid():
            raise RuntimeError(f"{box.objectName()} offers no “{text}”: {[box.itemText(n) for n in range(box.count())]}")
        yield from self.click(view.viewport(), view.visualRect(index).center())
        yield from self.until(lambda: box.currentText() == text, f"{box.objectName()} to be “{text}”")

    def pick(self, items: QListWidget, text: str) -> Steps:
        """Clicks on the entry with `text` of a list that is open."""
        found = [item for item in items.findItems(text, Qt.MatchFlag.MatchExactly) if not item.isHidden()]
        if not found:
            raise RuntimeError(f"no “{text}” among {[items.item(n).text() for n in range(items.count())]}")
        items.scrollToItem(found[0])
        yield from self.click(items.viewport(), items.visualItemRect(found[0]).center())

    def menu(self, bar: QMenuBar, *path: str) -> Steps:
        """Opens a menu and picks the entry at the end of `path`."""
        where: QMenuBar | QMenu = bar
        for text in path:
            action = next((a for a in where.actions() if a.isVisible() and a.text().replace("&", "") == text), None)
            if action is None:
                raise RuntimeError(f"no “{text}” among {[a.text() for a in where.actions()]}")
            yield from self.click(where, where.actionGeometry(action).center())
            if action.menu() is not None:
                where = action.menu()
                yield from self.until(where.isVisible, f"the menu “{text}”")

    def tab(self, bar: QTabBar, text: str) -> Steps:
        """Clicks on the tab with `text`."""
        number = next((n for n in range(bar.count()) if bar.tabText(n).replace("&", "") == text), None)
        if number is None:
            raise RuntimeError(f"no tab “{text}” among {[bar.tabText(n) for n in range(bar.count())]}")
        yield from self.click(bar, bar.tabRect(number).center())

    def picture(self, name: str) -> Steps:
        """Saves what is on the screen as <name>.png."""
        yield from self.rest()
        self._grab(name)

    def _grab(self, name: str) -> None:
        whole = QApplication.primaryScreen().grabWindow(0)
        smooth = Qt.TransformationMode.SmoothTransformation
        whole.scaledToWidth(PICTURE_WIDTH_PX, smooth).save(str(self._folder / f"{name}.png"), quality=0)
        self.tell(picture=name)


def _seen() -> Iterator[str]:
    """What could be clicked when a step failed."""
    for widget in QApplication.allWidgets():
        if widget.isVisible() and widget.objectName() and not widget.objectName().startswith("qt_"):
            text = widget.text() if isinstance(widget, QAbstractButton) else ""
            yield f"{type(widget).__name__} {widget.objectName()} {text}"
