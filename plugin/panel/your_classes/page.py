# SPDX-License-Identifier: GPL-2.0-or-later
"""The page “Your classes”: samples are drawn, previewed on the visible map, mapped and judged. Main thread only.

What scene, bands and model are, and where results go, is chosen on the first page; both pages run through the same queue.
"""

from __future__ import annotations

import typing
from collections.abc import Callable
from pathlib import Path

from qgis.core import Qgis, QgsProcessingUtils, QgsProject, QgsRasterLayer
from qgis.gui import QgsMapLayerComboBox
from qgis.PyQt.QtCore import Qt, pyqtSignal
from qgis.PyQt.QtWidgets import QCheckBox, QFileDialog, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from ...layers.results import copy_whole
from ...translation import tr
from ..advanced import AdvancedOptions
from ..area import AreaChooser
from ..bands import BandTable
from ..heading import heading
from ..model import ModelChooser
from ..outputs import OutputChooser
from . import sample_layer
from .accuracy_view import AccuracyView
from .class_list import ClassList
from .classes_run import ClassesRun, PreviewRun
from .drawing import DrawButton
from .live_layer import LiveLayer, below
from .method import MethodChooser
from .preview import AFTER_MOVE_MS, Preview
from .sample_chooser import SampleChooser
from .visible_part import visible_part

if typing.TYPE_CHECKING:
    from qgis.gui import QgisInterface

SHARED = ("DEVICE", "PRECISION", "SPACING_M", "ALLOW_COARSE")
"""Of the first page's advanced choices those that these runs have too. Features have an overlap of their own."""


class YourClassesPage(QWidget):
    """`changed` tells that what can be run may be another. `may_preview` says whether no other run needs the computer."""

    changed = pyqtSignal()

    def __init__(
        self,
        iface: QgisInterface,
        bands: BandTable,
        model: ModelChooser,
        outputs: OutputChooser,
        advanced: AdvancedOptions,
        may_preview: Callable[[], bool],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._canvas = iface.mapCanvas()
        self._bands, self._model, self._outputs, self._advanced = bands, model, outputs, advanced
        self._may_preview = may_preview
        self._scene: QgsRasterLayer | None = None
        self._classifier = ""
        self._put_off = False
        self.scene = QgsMapLayerComboBox(self)
        self.scene.setObjectName("scene_of_samples")
        self.samples = SampleChooser(self)
        self.classes = ClassList(self)
        self.draw = DrawButton(iface, self)
        self.method = MethodChooser(self)
        self.preview = Preview(self._preview_run, self)
        self.preview_wanted = QCheckBox(tr("Preview on the visible map"), self)
        self.preview_wanted.setObjectName("preview")
        self.preview_wanted.setToolTip(tr("Maps what you see after each sample, in some seconds and without running the network."))
        self.note = QLabel(self)
        self.note.setObjectName("samples_note")
        self.note.setWordWrap(True)
        self.note.setTextFormat(Qt.TextFormat.PlainText)
        self.area = AreaChooser(self._canvas, self, with_polygons=False)
        self.accuracy = AccuracyView(self)
        self.save = QPushButton(tr("Save the classifier…"), self)
        self.save.setObjectName("save_classifier")
        self.save.setToolTip(tr("One file, for other scenes: “Map with a saved classifier” in the toolbox."))
        self.unsure = QCheckBox(tr("Show where unsure"), self)
        self.unsure.setObjectName("show_unsure")
        self.unsure.setToolTip(tr("Colours the places where the map is least sure: there the next sample helps most."))
        self._map_layer = LiveLayer("landcover", tr("Preview of your classes"), 0.7, self.position_of_results)
        self._unsure_layer = LiveLayer("unsure", tr("Where unsure"), 1.0, self.position_of_results)
        self._lay_out()
        self._connect()
        self._tell("")
        self._samples_changed()
        self._results_changed()

    def set_scene(self, scene: QgsRasterLayer | None) -> None:
        """Works on `scene` from now on."""
        self._scene = scene
        self.area.set_layer(scene)
        self.samples.set_scene(scene)
        self._ask_preview(AFTER_MOVE_MS)
        self.changed.emit()

    def problem(self) -> str:
        """Why no map can be made, as one sentence; empty where one can."""
        return self._unready() or self.area.problem() or self._outputs.destination_problem()

    def make_run(self, scene_name: str, taken: set[str]) -> ClassesRun:
        """A run over the area with what is chosen; only where `problem` is empty. Raises QgsProcessingException."""
        parameters = {
            **self._parameters(),
            **self.area.parameters(),
            **self._outputs.paths(scene_name, ClassesRun.file_words, taken),
            "CLASSIFIER": QgsProcessingUtils.generateTempFilename("classifier.safetensors"),
        }
        return ClassesRun(parameters, scene_name, self._model.card)

    def show_run(self, run: ClassesRun, problems: list[str]) -> None:
        """Shows how accurate the map of `run` is; `problems` are sentences on what came after it."""
        self.accuracy.show_details(run.details, [*problems, *run.told_besides()])
        self._classifier = run.classifier
        self._map_layer.forget()  # the map itself is there now
        self._tell("")
        self._unsure_layer.take(run.outputs["CONFIDENCE"], run.card, own=False)
        self._results_changed()

    def position_of_results(self) -> int:
        """The place of a group of results in the layer tree: the samples stay above it."""
        return below(self.samples.layer)

    def run_ended(self) -> None:
        """A preview may have waited for the end of a run."""
        if self._put_off:
            self._put_off = False
            self._ask_preview()

    def release(self) -> None:
        """Ends previews and gives back all that the page holds of QGIS's."""
        self.preview.shut_down()
        self.draw.release()
        self.area.release()
        self.samples.release()
        self._canvas.extentsChanged.disconnect(self._map_moved)
        QgsProject.instance().cleared.disconnect(self._project_cleared)
        for layer in (self._map_layer, self._unsure_layer):
            layer.forget()

    def _unready(self) -> str:
        """Why there can be neither map nor preview; empty where there can."""
        if self._model.card is None:
            return self._model.problem
        if self._scene is None:
            return tr("Load a Sentinel-1 raster into the project.")
        layer = self.samples.layer
        if layer is None:
            return tr("Make a sample layer, and draw samples of your classes on the map.")
        if not sample_layer.class_field(layer):
            return tr("Choose the field that holds the class of each sample, and press “Show by classes”.")
        if len([name for name in sample_layer.count_samples(layer) if name]) < 2:
            return tr("Draw samples of two classes at least: select a class, press “Draw”, click the corners of a polygon.")
        return self._bands.problem() or self.method.problem()

    def _parameters(self) -> dict[str, object]:
        """What map and preview have in common."""
        layer = self.samples.layer
        shared = self._advanced.parameters()
        return {
            **self._bands.parameters(),
            **{name: shared[name] for name in SHARED},
            **self.method.parameters(),
            "MODEL": self._model.path(),
            "SAMPLES": layer.id(),
            "FIELD": sample_layer.class_field(layer),
        }

    def _preview_run(self) -> PreviewRun | str:
        """A quick run over the visible map, or a sentence on why there is none; empty where nobody is to be told."""
        if not self._may_preview():
            self._put_off = True
            return tr("The preview waits for the run to end.")
        problem = self._unready()
        if problem:
            return problem
        part = visible_part(self._canvas, self._scene)
        if part is None:
            return tr("The map shows no part of the scene: move it there.")
        parameters = {**self._parameters(), "EXTENT": part, "VALIDATE": False, "CACHED_ONLY": True}
        for name, file in (("CLASSES", "preview.tif"), ("CONFIDENCE", "preview_confidence.tif")):
            parameters[name] = QgsProcessingUtils.generateTempFilename(file)
        return PreviewRun(parameters, self._scene.name(), self._model.card)

    def _show_preview(self, run: ClassesRun) -> None:
        self._map_layer.take(run.outputs["CLASSES"], run.card, own=True)
        self._unsure_layer.take(run.outputs["CONFIDENCE"], run.card, own=True)
        self._results_changed()

    def _preview_toggled(self, on: bool) -> None:
        self._map_layer.set_shown(on)
        if on:
            self._ask_preview()
        else:
            self.preview.stop()
            self._tell("")

    def _ask_preview(self, rest_ms: int | None = None) -> None:
        if self.preview_wanted.isChecked() and self.isVisible():
            self.preview.ask(*([] if rest_ms is None else [rest_ms]))

    def _map_moved(self) -> None:
        self._ask_preview(AFTER_MOVE_MS)

    def _project_cleared(self) -> None:
        self.preview.stop()
        for layer in (self._map_layer, self._unsure_layer):
            layer.forget()
        self._classifier = ""
        self.accuracy.forget()
        self._results_changed()

    def _samples_changed(self) -> None:
        """The layer, its samples or its classes are others."""
        layer = self.samples.layer
        self.classes.show_layer(layer if sample_layer.class_field(layer) else None)
        self._ask_preview()
        self.changed.emit()

    def _class_selected(self) -> None:
        self.draw.set_target(self.samples.layer, self.classes.current)

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        parts = (
            (tr("Scene"), self.scene),
            (tr("Samples"), self.samples),
            ("", self.classes),
            ("", self.draw),
            ("", self.preview_wanted),
            ("", self.note),
            (tr("Area of the map"), self.area),
            ("", self.method),
            (tr("How good is it?"), self.accuracy),
            ("", self.unsure),
            ("", self.save),
        )
        self.scene.setFilters(Qgis.LayerFilter.RasterLayer)
        self.scene.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        for title, part in parts:
            if title:
                layout.addWidget(heading(title, self))
            layout.addWidget(part)
        layout.addStretch(1)

    def _connect(self) -> None:
        self.samples.changed.connect(self._samples_changed)
        self.classes.current_changed.connect(self._class_selected)
        for part in (self.samples, self.classes, self.draw):
            part.refused.connect(self._tell)
        for part in (self.method, self._bands):
            part.changed.connect(self._choices_changed)
        self.area.changed.connect(self.changed)
        self.preview_wanted.toggled.connect(self._preview_toggled)
        self.preview.told.connect(self._tell)
        self.preview.made.connect(self._show_preview)
        self.unsure.toggled.connect(self._unsure_layer.set_shown)
        self.save.clicked.connect(self._ask_and_save)
        self._canvas.extentsChanged.connect(self._map_moved)
        QgsProject.instance().cleared.connect(self._project_cleared)

    def _choices_changed(self) -> None:
        self._ask_preview()
        self.changed.emit()

    def _results_changed(self) -> None:
        self.save.setEnabled(Path(self._classifier or "/nowhere").is_file())
        self.unsure.setEnabled(self._unsure_layer.has_content)

    def _ask_and_save(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self, tr("Save the classifier"), f"{self._scene.name()}_classifier.safetensors", tr("Classifiers (*.safetensors)")
        )
        if path:
            self.save_classifier(path if path.lower().endswith(".safetensors") else f"{path}.safetensors")

    def save_classifier(self, path: str) -> None:
        """Copies the last map's classifier to `path`; what goes wrong is told."""
        try:
            copy_whole(self._classifier, path)
        except OSError as error:
            self._tell(
                tr("⚠ {file} could not be written ({reason}): choose another place.").format(file=path, reason=error.strerror)
            )
        else:
            self._tell(tr("The classifier is in {file}.").format(file=path))

    def _tell(self, text: str) -> None:
        self.note.setText(text)
        self.note.setVisible(bool(text))
