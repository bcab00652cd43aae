# SPDX-License-Identifier: GPL-2.0-or-later
"""The panel's page “Your classes”: the layer of samples and its classes, previews, the map, and what is told of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from qgis.core import (
    QgsApplication,
    QgsFeature,
    QgsField,
    QgsGeometry,
    QgsProject,
    QgsRectangle,
    QgsVectorLayer,
    QgsVectorLayerUtils,
)
from qgis.PyQt.QtCore import QVariant
from sardine.backend.model_card import read_header
from sardine.plugin.panel.dock import CLASSES_PAGE, RESULT_PAGE, SardineDock
from sardine.plugin.panel.your_classes import sample_layer
from sardine.plugin.panel.your_classes.accuracy_view import accuracy_rows, advice, overall_text
from sardine.plugin.panel.your_classes.page import YourClassesPage
from sardine.plugin.panel.your_classes.visible_part import MOST_PX, visible_part

from tests.test_plugin.material import radar_db, read_raster, write_raster
from tests.test_plugin.panel_tools import add, children, finish, sent


@pytest.fixture
def page(dock: SardineDock) -> YourClassesPage:
    dock.window().show()  # previews are for what can be seen
    dock.tabs.setCurrentIndex(CLASSES_PAGE)
    return dock.classes


@pytest.fixture
def layer(page: YourClassesPage) -> QgsVectorLayer:
    """A new layer of samples with its two first classes."""
    page.samples.new.click()
    return page.samples.layer


def draw(layer: QgsVectorLayer, row: int, column: int, size: int = 8) -> int:
    """A square as QGIS's own tool adds it: with the values that the layer gives to new features. Its id."""
    x, y = 500_000 + 10 * column, 5_400_000 - 10 * row
    square = QgsGeometry.fromRect(QgsRectangle(x, y - 10 * size, x + 10 * size, y))
    if not layer.isEditable():
        layer.startEditing()
    feature = QgsVectorLayerUtils.createFeature(layer, square)
    layer.beginEditCommand("draw")
    assert layer.addFeature(feature)
    layer.endEditCommand()
    return feature.id()


def draw_both(page: YourClassesPage, layer: QgsVectorLayer, rows: tuple[int, ...] = (8, 28, 48)) -> None:
    for name, column in (("water", 2), ("land", 40)):
        page.classes.select(name)
        for row in rows:
            draw(layer, row, column)


def legend(layer: QgsVectorLayer) -> list[str]:
    return [item.label() for item in layer.renderer().categories()]


def shown(page: YourClassesPage) -> dict[str, str]:
    """Samples by class as the table shows them."""
    table = page.classes.table
    return {table.item(row, 0).text(): table.item(row, 1).text() for row in range(table.rowCount())}


def test_new_layer_should_be_chosen_in_the_scenes_system_with_two_classes(page, layer) -> None:
    assert layer.crs().authid() == "EPSG:32633"
    assert QgsProject.instance().layerTreeRoot().children()[0].layer() is layer
    assert legend(layer) == ["water", "land"]
    assert shown(page) == {"water": "0", "land": "0"}
    assert [item.colour for item in sample_layer.classes_of(layer)] == list(sample_layer.COLOURS[:2])


def test_new_polygons_should_get_the_selected_class(page, layer, qtbot) -> None:
    draw_both(page, layer, (8, 28))
    assert [feature["class"] for feature in layer.getFeatures()] == ["water", "water", "land", "land"]
    qtbot.waitUntil(lambda: shown(page) == {"water": "2", "land": "2"}, timeout=2000)
    assert page.draw.text() == "Draw “land”"


def test_draw_should_hand_the_layer_to_qgis_own_tool(page, layer, gui) -> None:
    iface = page.draw._iface
    page.draw.click()
    assert layer.isEditable()
    assert iface.activeLayer() is layer
    iface.actionAddFeature().trigger.assert_called()
    iface.mapCanvas().setMapTool(None)
    page.draw._tool = object()  # the window of tests has no such tool
    page.draw._tool_changed(None)
    assert not page.draw.isChecked()


def test_layer_that_cannot_be_edited_should_be_told(page, layer) -> None:
    layer.setReadOnly(True)
    page.draw.click()
    assert not page.draw.isChecked()
    assert "cannot be edited" in page.note.text()
    draw_before = legend(layer)
    page.classes.rename_to("water", "sea")
    assert legend(layer) == ["sea", "land"]  # there is no sample that would have to be changed
    assert draw_before == ["water", "land"]


def test_classes_should_be_added_renamed_recoloured_and_removed_with_their_samples(page, layer, qtbot) -> None:
    draw_both(page, layer)
    page.classes.add_named("rice", "#123456")
    assert page.classes.current == "rice"
    draw(layer, 8, 60)
    page.classes.rename_to("rice", "paddy")
    assert [feature["class"] for feature in layer.getFeatures()].count("paddy") == 1
    assert page.classes.current == "paddy"
    draw(layer, 28, 60)
    sample_layer.recolour_class(layer, "paddy", "#654321")
    assert [item.colour for item in sample_layer.classes_of(layer)][2] == "#654321"
    page.classes.remove_named("water")
    assert legend(layer) == ["land", "paddy"]
    qtbot.waitUntil(lambda: shown(page) == {"land": "3", "paddy": "2"}, timeout=2000)


def test_names_that_cannot_be_should_be_refused_in_words(page, layer) -> None:
    told: list[str] = []
    page.classes.refused.connect(told.append)
    page.classes.add_named("water")
    page.classes.add_named("  ")
    page.classes.rename_to("land", "water")
    assert [bool(text) for text in told] == [True, True, True]
    assert "already" in told[0]
    assert legend(layer) == ["water", "land"]
    assert shown(page) == {"water": "0", "land": "0"}


def test_undo_deletion_and_change_of_class_should_be_followed(page, layer, qtbot) -> None:
    draw_both(page, layer)
    fid = draw(layer, 8, 60)
    layer.undoStack().undo()
    qtbot.waitUntil(lambda: shown(page) == {"water": "3", "land": "3"}, timeout=2000)
    layer.undoStack().redo()
    qtbot.waitUntil(lambda: shown(page)["land"] == "4", timeout=2000)
    layer.deleteFeature(fid)
    qtbot.waitUntil(lambda: shown(page)["land"] == "3", timeout=2000)
    first = next(layer.getFeatures()).id()
    layer.changeAttributeValue(first, 0, "ice")
    qtbot.waitUntil(lambda: shown(page) == {"water": "2", "land": "3", "ice": "1"}, timeout=2000)
    assert legend(layer) == ["water", "land", "ice"]
    layer.rollBack()
    qtbot.waitUntil(lambda: shown(page)["water"] == "0", timeout=2000)


def test_undo_of_a_rename_should_bring_the_class_back_in_its_colour(page, layer, qtbot) -> None:
    draw_both(page, layer)
    colour = sample_layer.classes_of(layer)[0].colour
    page.classes.rename_to("water", "sea")
    layer.undoStack().undo()
    qtbot.waitUntil(lambda: shown(page) == {"sea": "0", "land": "3", "water": "3"}, timeout=2000)
    assert sample_layer.classes_of(layer)[2].colour == colour


def test_layer_that_leaves_the_project_should_be_let_go(page, layer) -> None:
    QgsProject.instance().removeMapLayer(layer)
    assert page.samples.layer is None
    assert page.problem() == "Make a sample layer, and draw samples of your classes on the map."
    assert not page.classes.isEnabled()


def test_layer_of_codes_should_be_shown_by_classes_when_asked(page, qtbot) -> None:
    own = QgsVectorLayer("Polygon?crs=EPSG:32633", "mine", "memory")
    own.dataProvider().addAttributes([QgsField("code", QVariant.Int)])
    own.updateFields()
    feature = QgsFeature(own.fields())
    feature.setGeometry(QgsGeometry.fromWkt("Polygon((500000 5400000, 500080 5400000, 500080 5399920, 500000 5400000))"))
    feature.setAttributes([20])
    own.dataProvider().addFeature(feature)
    QgsProject.instance().addMapLayer(own)
    page.samples.layers.setLayer(own)
    assert page.problem() == "Choose the field that holds the class of each sample, and press “Show by classes”."
    assert own.renderer().type() == "singleSymbol"
    page.samples.fields.setField("code")
    page.samples.show_by.click()
    assert shown(page) == {"20": "1"}
    page.classes.add_named("thirty")
    assert shown(page) == {"20": "1"}
    page.classes.add_named("30")
    assert own.defaultValueDefinition(0).expression() == ""  # a layer of somebody's own, until it is drawn on
    page.draw.click()
    draw(own, 40, 10)
    assert sorted(feature["code"] for feature in own.getFeatures()) == [20, 30]


def test_geopackage_should_keep_the_samples(page, tmp_path: Path) -> None:
    path = tmp_path / "Größe" / "s.gpkg"
    page.samples.make(str(path))
    assert "could not be made" in page.note.text()
    path.parent.mkdir()
    page.samples.make(str(path))
    layer = page.samples.layer
    draw(layer, 8, 2)
    assert layer.commitChanges()
    again = QgsVectorLayer(f"{path}|layername=samples", "again")
    assert [feature["class"] for feature in again.getFeatures()] == ["land"]


def test_what_is_missing_should_be_told_until_nothing_is(page, dock, qtbot) -> None:
    assert dock.run_bar.run.text() == "Map the scene"
    assert dock.run_bar.problem.text() == "⚠ Make a sample layer, and draw samples of your classes on the map."
    page.samples.new.click()
    draw(page.samples.layer, 8, 2)
    assert dock.problem().startswith("Draw samples of two classes at least")
    page.classes.select("water")
    draw(page.samples.layer, 28, 2)
    qtbot.waitUntil(lambda: dock.run_bar.problem.text() == "", timeout=2000)
    page.method.features["db"].setChecked(False)
    assert dock.problem() == "The classifier sees nothing: tick what it is to see, under “Method”."
    dock.tabs.setCurrentIndex(RESULT_PAGE)
    assert dock.run_bar.run.text() == "Map the scene"
    dock.tabs.setCurrentIndex(0)
    assert dock.run_bar.run.text() == "Run"
    assert dock.problem() == ""


def test_request_should_hold_what_was_chosen(page, layer, dock, qtbot, python: Callable, tmp_path: Path) -> None:
    python("echo")
    draw_both(page, layer)
    page.method.features["tokens"].setChecked(True)
    page.method.method.setCurrentIndex(page.method.method.findData("forest"))
    dock.outputs.destination.setCurrentIndex(1)
    dock.outputs.folder.setFilePath(str(tmp_path))
    page.area.set_rectangle(QgsRectangle(500_000, 5_399_600, 500_400, 5_400_000))
    page.area.kind.setCurrentIndex(2)
    run = finish(dock, qtbot)
    asked = sent(run)
    assert run.outcome == "failed"  # a child that only echoes has no map
    assert (asked["type"], asked["field"], asked["method"]) == ("classify_samples", "class", "forest")
    assert (asked["groups"], asked["validate"], asked["cached_only"]) == (["tokens", "db"], True, False)
    assert asked["classes"].endswith("_your_classes.tif")
    assert asked["scene"]["bounds"] == [500_000, 5_399_600, 500_400, 5_400_000]
    assert asked["class_colours"] == {"water": sample_layer.COLOURS[0], "land": sample_layer.COLOURS[1]}
    assert dock.tabs.currentIndex() == RESULT_PAGE


def test_polygons_that_are_not_valid_should_be_mended_and_told(page, layer, dock, qtbot, python: Callable) -> None:
    python("echo")
    draw_both(page, layer)
    bow = QgsFeature(layer.fields())
    bow.setGeometry(
        QgsGeometry.fromWkt("Polygon((500000 5399000, 500080 5398920, 500080 5399000, 500000 5398920, 500000 5399000))")
    )
    bow.setAttributes(["water"])
    assert layer.addFeature(bow)
    qtbot.waitUntil(dock.run_bar.run.isEnabled, timeout=5000)
    run = finish(dock, qtbot)
    assert "1 geometries were not valid and were mended." in run.feedback.warnings


def test_real_samples_should_become_a_preview_a_map_figures_and_a_classifier(
    page, layer, dock, qtbot, model, real_backend, tmp_path: Path
) -> None:
    dock.model.choose(str(model))
    canvas = page._canvas
    canvas.setDestinationCrs(layer.crs())
    canvas.setExtent(QgsRectangle(500_000, 5_399_700, 500_500, 5_400_000))
    page.preview_wanted.setChecked(True)
    qtbot.waitUntil(lambda: page.note.text().startswith("Draw samples of two classes"), timeout=5000)
    with qtbot.waitSignal(page.preview.made, timeout=60_000) as made:
        draw_both(page, layer)
    preview = page._map_layer.layer
    names = [node.name() for node in QgsProject.instance().layerTreeRoot().children()]
    assert names[:2] == [layer.name(), "Preview of your classes"]
    assert (preview.width(), preview.height()) < (72, 64)
    assert [item.label for item in preview.renderer().classes()] == ["land", "water"]
    assert page.note.text().startswith("Preview after")
    assert not page.save.isEnabled()
    before = Path(made.args[0].outputs["CLASSES"])
    with qtbot.waitSignal(page.preview.made, timeout=60_000):
        layer.undoStack().undo()
    assert not before.exists()
    assert page._map_layer.layer is preview
    page.unsure.click()
    unsure = page._unsure_layer.layer
    assert unsure.renderer().type() == "singlebandpseudocolor"
    run = finish(dock, qtbot)
    assert run.outcome == "done", run.feedback.error
    assert dock.tabs.currentIndex() == CLASSES_PAGE
    assert page._map_layer.layer is None
    group = QgsProject.instance().layerTreeRoot().findGroups()[0]
    assert group.name().endswith("· your classes")
    assert [node.name() for node in group.findLayers()] == ["Your classes", "Confidence of your classes"]
    classes = read_raster(run.outputs["CLASSES"])[0]
    assert classes.shape == (64, 72)
    assert (classes[8:60, 2:14] == 2).mean() > 0.9
    assert page._unsure_layer.layer.source() == run.outputs["CONFIDENCE"]
    table = page.accuracy.table
    assert [table.item(row, 0).text() for row in range(2)] == ["land", "water"]
    assert all(int(table.item(row, 3).text()) > 90 for row in range(2))
    assert "Few samples of" in page.accuracy.sentences.text()
    assert page.accuracy.sentences.text().count("Few samples of") == 1  # not once more by the backend's own words
    page.save_classifier(str(tmp_path / "gone" / "k.safetensors"))
    assert "could not be written" in page.note.text()
    page.save_classifier(str(tmp_path / "k.safetensors"))
    algorithm = QgsApplication.processingRegistry().createAlgorithmById("sardine:apply_classifier")
    parameters = {
        "INPUT": str(dock.scene.currentLayer().source()),
        "MODEL": str(model),
        "UNITS": "db",
        "CLASSIFIER": str(tmp_path / "k.safetensors"),
        "CLASSES": str(tmp_path / "again.tif"),
    }
    _, ok = algorithm.run(parameters, run.context, run.feedback, catchExceptions=False)
    assert ok
    assert (read_raster(tmp_path / "again.tif")[0] == classes).all()


def test_newer_preview_should_end_the_older_and_closing_all(page, layer, dock, qtbot, python: Callable) -> None:
    python("obedient")
    before = children()
    page._canvas.setDestinationCrs(layer.crs())
    page._canvas.setExtent(dock.scene.currentLayer().extent())
    page.preview_wanted.setChecked(True)
    draw_both(page, layer)
    qtbot.waitUntil(lambda: page.preview.is_running, timeout=10_000)
    first = page.preview._queue.current
    draw(layer, 58, 40, 4)
    qtbot.waitUntil(lambda: page.preview._queue.current not in (None, first), timeout=20_000)
    assert first.outcome == "cancelled"
    second = page.preview._queue.current
    page.preview_wanted.setChecked(False)
    qtbot.waitUntil(lambda: not page.preview.is_running, timeout=20_000)
    assert second.outcome == "cancelled"
    page.preview_wanted.setChecked(True)
    qtbot.waitUntil(lambda: page.preview.is_running, timeout=20_000)
    QgsProject.instance().cleared.emit()
    qtbot.waitUntil(lambda: not page.preview.is_running, timeout=20_000)
    page.preview.ask()
    qtbot.waitUntil(lambda: page.preview.is_running, timeout=20_000)
    dock.close()
    qtbot.waitUntil(lambda: not page.preview.is_running, timeout=20_000)
    assert children() == before
    assert page._map_layer.layer is None


def test_preview_should_wait_for_a_run(page, layer, dock, qtbot, python: Callable) -> None:
    python("obedient")
    page._canvas.setExtent(dock.scene.currentLayer().extent())
    draw_both(page, layer)
    dock.start_run()
    page.preview_wanted.setChecked(True)
    qtbot.waitUntil(lambda: page.note.text() == "The preview waits for the run to end.", timeout=5000)
    dock.queue.cancel_current()
    qtbot.waitUntil(lambda: dock.queue.current is None, timeout=20_000)


def test_preview_should_be_of_what_is_seen_and_not_of_too_much(page, dock, tmp_path: Path) -> None:
    canvas, scene = page._canvas, dock.scene.currentLayer()
    canvas.setDestinationCrs(scene.crs())
    canvas.setExtent(QgsRectangle(0, 0, 10, 10))
    assert visible_part(canvas, scene) is None
    big = add(write_raster(tmp_path / "big.tif", radar_db(1500, 2000), descriptions=("VV", "VH")))
    canvas.setExtent(big.extent())
    part = visible_part(canvas, big)
    assert part.width() * part.height() / 100 == pytest.approx(MOST_PX, rel=0.01)
    assert part.center() == big.extent().center()
    assert part.crs() == big.crs()


DETAILS = {
    "classes": [
        {"code": 1, "name": "rice", "colour": "#00ff00", "samples": 12},
        {"code": 2, "name": "grass", "colour": "#ffff00", "samples": 3},
        {"code": 3, "name": "town", "colour": "#ff0000", "samples": 1},
    ],
    "few_samples": 5,
    "class_area_ha": {"1": 1234.5, "2": 3.25, "3": 0.0},
    "held_out": {
        "classes": [{"name": "rice"}, {"name": "grass"}],
        "agreement": {"overall": 0.842, "producers": [0.8, 0.9], "users": [0.7, None], "f1": [0.75, None]},
    },
    "confused": [{"class": "rice", "taken_for": "grass", "share": 0.2}],
}


def test_figures_should_be_told_by_class_with_what_to_do() -> None:
    figures = {name: values for name, _, values in accuracy_rows(DETAILS)}
    assert figures["rice"][:3] == ("80", "70", "75")
    assert figures["grass"] == ("90", "–", "–", "3.25")
    assert figures["town"] == ("–", "–", "–", "0.00")
    assert overall_text(DETAILS).startswith("Overall accuracy 84%")
    assert advice(DETAILS) == [
        "20% of rice is taken for grass: draw more of both where the map is wrong, or make them one class.",
        "Of town there is one sample alone, and nothing to judge it by: draw more.",
        "Few samples of grass (3): their figures are rough. Draw 5 or more of each, spread over the scene.",
    ]
    without = {name: value for name, value in DETAILS.items() if name not in ("held_out", "confused")}
    assert overall_text(without).startswith("How accurate the map is cannot be told")
    assert next(values for *_, values in accuracy_rows(without))[:3] == ("–", "–", "–")


def test_report_that_is_not_understood_should_fail_in_words(page, layer, dock, header_model) -> None:
    draw_both(page, layer)
    run = page.make_run("scene", set())
    run.conclude(True, {"REPORT": json.dumps({"classes": [{"name": "water"}]})})
    assert run.outcome == "failed"
    assert "was not understood" in run.feedback.error
    assert run.card == read_header(header_model).card
