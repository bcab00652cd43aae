# SPDX-License-Identifier: GPL-2.0-or-later
"""The new user's map in classes of their own: polygons drawn by clicks on the map, previewed, mapped, and where it is unsure."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from person import Person, Steps
from qgis.core import QgsPointXY, QgsProject, QgsRasterLayer, QgsVectorLayer
from qgis.PyQt.QtCore import QPoint
from qgis.PyQt.QtWidgets import QScrollArea, QTabBar, QTableWidget, QWidget
from qgis.utils import iface

PLACES = json.loads((Path(os.environ["SARDINE_DESKTOP"]) / "plan.json").read_text(encoding="utf-8"))["places"]
"""By class: where samples are drawn, as shares of the scene's width and height from the upper left."""

HALF = 0.022
"""Of a polygon's side, in the same shares."""


def map_own_classes(me: Person) -> Steps:
    """From an empty list of classes to a map; two polygons are drawn with a preview after each, the others without."""
    dock = yield from me.find("sardine_dock")
    yield from show_tab(me, "Your classes")
    yield from me.picture("20_your_classes")
    yield from me.click((yield from me.find("new_samples")), QPoint(8, 12))
    yield from me.until(samples, "a layer of samples")
    yield from rename(me, "land", list(PLACES)[1])
    for name in list(PLACES)[2:]:
        yield from add_class(me, name)
    yield from me.picture("21_classes")
    names = list(PLACES)
    for name in names:
        yield from draw(me, name, PLACES[name][:1])
    preview = me.seen("preview", dock)
    yield from me.click(preview)
    yield from previewed(me)
    yield from me.picture("22_first_preview")
    for name in names:
        yield from draw(me, name, PLACES[name][1:])
    yield from previewed(me)
    yield from me.click((yield from me.find("draw_samples")))
    yield from me.picture("23_preview")
    me.tell(preview=me.seen("samples_note", dock).text())
    yield from me.click((yield from me.find("run")))
    yield from me.until(lambda: me.seen("accuracy", dock), "how accurate the map is", 180)
    yield from me.rest(1.5)
    yield from scroll_to(me, "save_classifier")
    yield from me.picture("24_map")
    unsure = yield from me.find("show_unsure")
    yield from me.click(unsure)
    yield from me.rest(1.5)
    yield from me.picture("25_unsure")
    table = me.seen("accuracy", dock)
    me.tell(
        own_classes=[cells(table, row) for row in range(table.rowCount())],
        own_layers=[node.name() for node in QgsProject.instance().layerTreeRoot().findLayers()],
        own_samples={name: sum(feature["class"] == name for feature in samples().getFeatures()) for name in names},
    )
    yield from me.click(unsure)
    samples().commitChanges()


def add_class(me: Person, name: str) -> Steps:
    yield from me.click((yield from me.find("add_class")))
    yield from me.type(name + "\r")
    yield from me.until(lambda: name in classes(me), f"the class “{name}”")


def rename(me: Person, name: str, new_name: str) -> Steps:
    table = yield from me.find("classes")
    yield from me.click(table.viewport(), table.visualItemRect(table.item(classes(me).index(name), 0)).center())
    yield from me.click((yield from me.find("rename_class")))
    yield from me.type(new_name + "\r")
    yield from me.until(lambda: new_name in classes(me), f"the class “{new_name}”")


def draw(me: Person, name: str, places: Sequence[Sequence[float]]) -> Steps:
    """Draws a square at each place with QGIS's own tool."""
    if not places:
        return
    table = yield from me.find("classes")
    row = classes(me).index(name)
    yield from me.click(table.viewport(), table.visualItemRect(table.item(row, 1)).center())
    button = yield from me.find("draw_samples")
    if not button.isChecked():
        yield from me.click(button)
    for x, y in places:
        before = samples().featureCount()
        corners = ((x - HALF, y - HALF), (x + HALF, y - HALF), (x + HALF, y + HALF), (x - HALF, y + HALF))
        for corner in corners:
            yield from me.click_map(iface.mapCanvas(), on_map(*corner))
        yield from me.click_map(iface.mapCanvas(), on_map(x, y), right=True)
        yield from me.until(lambda before=before: samples().featureCount() == before + 1, f"a polygon of “{name}”")


def previewed(me: Person) -> Steps:
    yield from me.until(lambda: me.seen("samples_note") and "Preview after" in me.seen("samples_note").text(), "a preview", 120)
    yield from me.rest(1.0)


def show_tab(me: Person, text: str) -> Steps:
    """Clicks on a tab of the panel."""
    dock = yield from me.find("sardine_dock")
    bars = [bar for bar in dock.findChildren(QTabBar) if bar.isVisible()]
    bar = next(bar for bar in bars if text in [bar.tabText(number) for number in range(bar.count())])
    yield from me.tab(bar, text)


def scroll_to(me: Person, name: str) -> Steps:
    """Moves the panel's page until the widget is seen."""
    dock = yield from me.find("sardine_dock")
    widget = dock.findChild(QWidget, name)
    area = next(area for area in dock.findChildren(QScrollArea) if area.isAncestorOf(widget))
    area.ensureWidgetVisible(widget)
    yield from me.rest()


def samples() -> QgsVectorLayer | None:
    found = [layer for layer in QgsProject.instance().mapLayers().values() if isinstance(layer, QgsVectorLayer)]
    return found[0] if found else None


def classes(me: Person) -> list[str]:
    table = me.seen("classes")
    return [table.item(row, 0).text() for row in range(table.rowCount())]


def cells(table: QTableWidget, row: int) -> list[str]:
    return [table.item(row, column).text() for column in range(table.columnCount())]


def on_map(x: float, y: float) -> QPoint:
    """A place in the scene on the map's widget."""
    scene = next(
        layer
        for layer in QgsProject.instance().mapLayers().values()
        if isinstance(layer, QgsRasterLayer) and not layer.customProperty("sardine/output")
    )
    extent = scene.extent()
    point = QgsPointXY(extent.xMinimum() + x * extent.width(), extent.yMaximum() - y * extent.height())
    point = iface.mapCanvas().mapSettings().layerToMapCoordinates(scene, point)
    place = iface.mapCanvas().getCoordinateTransform().transform(point)
    return QPoint(round(place.x()), round(place.y()))
