# SPDX-License-Identifier: GPL-2.0-or-later
"""The panel: choices on one page, the result of the last run on the other, Run and Cancel below. Main thread only."""

from __future__ import annotations

import typing

from qgis.core import Qgis, QgsMapLayer, QgsProcessingException, QgsProject, QgsRasterLayer
from qgis.gui import QgsDockWidget, QgsMapLayerComboBox
from qgis.PyQt.QtCore import QTimer
from qgis.PyQt.QtWidgets import (
    QFrame,
    QScrollArea,
    QSizePolicy,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from ..environment.setup import EnvironmentSetup
from ..translation import tr
from . import memory as panel_memory
from .advanced import AdvancedOptions
from .area import AreaChooser
from .backend_banner import PythonBanner
from .bands import BandTable
from .check import CheckView
from .heading import heading
from .model import ModelChooser
from .outputs import OutputChooser
from .result import ResultView
from .results_group import add_results, is_result
from .run_bar import RunBar
from .run_queue import Run, RunQueue
from .scene_check import check_arguments
from .your_classes.classes_run import ClassesRun
from .your_classes.page import YourClassesPage

if typing.TYPE_CHECKING:
    from qgis.gui import QgisInterface


CHECK_DELAY_MS = 800
"""How long the choices must rest before they are checked."""


MAP_PAGE, CLASSES_PAGE, RESULT_PAGE = 0, 1, 2


class SardineDock(QgsDockWidget):
    """Everything for one run from a loaded scene. Closing it, or the project, ends the runs."""

    def __init__(self, iface: QgisInterface, open_setup: typing.Callable[[], None], setup: EnvironmentSetup) -> None:
        super().__init__(tr("SARdine"), iface.mainWindow())
        self.setObjectName("sardine_dock")
        self._iface = iface
        self._open_setup = open_setup
        self._setup = setup
        self.python = PythonBanner(open_setup, setup, self)
        self.queue = RunQueue()
        self.scene = QgsMapLayerComboBox(self)
        self.scene.setObjectName("scene")
        self.scene.setFilters(Qgis.LayerFilter.RasterLayer)
        self.scene.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.model = ModelChooser(self)
        self.bands = BandTable(self)
        self.check = CheckView(self)
        self.area = AreaChooser(iface.mapCanvas(), self)
        self.outputs = OutputChooser(self)
        self.advanced = AdvancedOptions(self)
        self.result = ResultView(self)
        self.classes = YourClassesPage(
            iface, self.bands, self.model, self.outputs, self.advanced, lambda: self.queue.current is None, self
        )
        self.run_bar = RunBar(self.queue, self)
        self.tabs = QTabWidget(self)
        self._on_classes = False
        """Whether Run is for the page of one's own classes; the page of results leaves it as it was."""
        self._look_again = QTimer(self)
        self._look_again.setSingleShot(True)
        self._look_again.timeout.connect(self._fill_gaps)
        self._check_soon = QTimer(self)
        self._check_soon.setSingleShot(True)
        self._check_soon.timeout.connect(self._check_at_once)
        self._lay_out()
        panel_memory.recall(self.model, self.outputs, self.advanced)
        self._connect()
        self._model_changed()
        self.take_up(iface.activeLayer())

    def take_up(self, layer: QgsMapLayer | None) -> None:
        """Makes `layer` the scene where it is a raster that no run of ours has made."""
        if isinstance(layer, QgsRasterLayer) and not is_result(layer):
            self.scene.setLayer(layer)
        self._scene_changed()

    def problem(self) -> str:
        """Why no run can be started, as one sentence; empty where one can."""
        if self._on_classes:
            return self.classes.problem()
        if self.model.card is None:
            return self.model.problem
        if self.scene.currentLayer() is None:
            return tr("Load a Sentinel-1 raster into the project.")
        return self.bands.problem() or self.area.problem() or self.outputs.problem()

    def parameters(self) -> dict[str, object]:
        """The parameters of `sardine:landcover` as they are chosen. Only where `problem` is empty."""
        return {
            **self.bands.parameters(),
            **self.area.parameters(),
            "MODEL": self.model.path(),
            **self.advanced.parameters(),
            **self.outputs.parameters(self._scene_name(), self.queue.taken()),
        }

    def start_run(self) -> None:
        """Starts a run with the choices, or lets it wait for those before it; opens the set-up where there is no backend yet."""
        self.look_for_backend()
        if self.python.update_problem():
            self._open_setup()
            return
        if self.problem() or self.model.card is None:
            return
        self._keep()
        try:
            run = self._make_run()
        except QgsProcessingException as error:
            self.run_bar.set_problem(str(error))
            return
        self.queue.add(run)

    def _make_run(self) -> Run:
        if self._on_classes:
            return self.classes.make_run(self._scene_name(), self.queue.taken())
        return Run(self.parameters(), self._scene_name(), self.model.card)

    def start_check(self) -> None:
        """Asks the backend what it takes the scene for, without mapping it."""
        if self.python.update_problem():
            self._open_setup()
            return
        arguments = self._to_check()
        if arguments:
            self.check.start(arguments)
        else:
            self._check()

    def release(self) -> None:
        """Ends the runs and gives back all that the panel holds of QGIS's; to be called before it is deleted."""
        self._disconnect()
        self._check_soon.stop()
        self.check.forget()
        self.queue.shut_down()
        self.classes.release()
        self.area.release()

    def _to_check(self) -> list[str]:
        """The command line of a check of what is chosen; empty where something is missing."""
        problem = self.python.update_problem() or self.model.problem or self.bands.problem() or self.area.problem()
        if problem or self.scene.currentLayer() is None:
            return []
        chosen = {**self.bands.parameters(), **self.advanced.parameters(), "MODEL": self.model.path()}
        first = next(iter(self.bands.bands().values()))[0]
        bounds = self.area.bounds(first, chosen["SPACING_M"])
        return check_arguments({**chosen, "BANDS": self.bands.sources(), "BOUNDS": bounds})

    def _choices_changed(self) -> None:
        """Takes back a check of other choices, and has these checked when they have rested for a moment."""
        self._check()
        arguments = self._to_check()
        if arguments == self.check.arguments:
            return
        self.check.forget()
        if arguments and self.advanced.check_at_once.isChecked():
            self._check_soon.start(CHECK_DELAY_MS)

    def _shown(self, visible: bool) -> None:
        if visible:
            self._choices_changed()

    def _check_at_once(self) -> None:
        # Not beside a run: it would slow it down, and its own timing would be wrong.
        if self.isVisible() and self.queue.current is None:
            self.start_check()

    def _keep(self) -> None:
        panel_memory.keep(self.model, self.outputs, self.advanced)

    def _scene_name(self) -> str:
        return self.scene.currentLayer().name()

    def _lay_out(self) -> None:
        page = QWidget(self)
        layout = QVBoxLayout(page)
        layout.addWidget(self.python)
        parts = (
            (tr("Scene"), self.scene),
            (tr("Model"), self.model),
            (tr("Bands"), self.bands),
            ("", self.check),
            (tr("Area"), self.area),
            (tr("Results"), self.outputs),
        )
        for title, part in parts:
            if title:
                layout.addWidget(heading(title, page))
            layout.addWidget(part)
            layout.addSpacing(6)
        layout.addWidget(self.advanced)
        layout.addStretch(1)
        self.tabs.addTab(_scrolled(page), tr("Map"))
        self.tabs.addTab(_scrolled(self.classes), tr("Your classes"))
        self.tabs.addTab(self.result, tr("Last result"))
        self.tabs.setDocumentMode(True)
        body = QWidget(self)
        layout = QVBoxLayout(body)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.tabs, 1)
        layout.addWidget(self.run_bar)
        self.setWidget(body)
        self.setMinimumWidth(360)

    def _connect(self) -> None:
        self.scene.layerChanged.connect(self._scene_changed)
        self.scene.layerChanged.connect(self.classes.scene.setLayer)
        self.classes.scene.layerChanged.connect(self.scene.setLayer)
        self.classes.changed.connect(self._check)
        self.tabs.currentChanged.connect(self._page_changed)
        self._setup.ended.connect(self.look_for_backend)
        self.model.changed.connect(self._model_changed)
        self.outputs.changed.connect(self._check)
        self.closed.connect(self.classes.preview.stop)
        for part in (self.bands, self.area, self.advanced):
            part.changed.connect(self._choices_changed)
        self.advanced.check_at_once.toggled.connect(self._keep)
        self.check.cost_told.connect(self.area.set_cost)
        self.check.wanted.connect(self.start_check)
        self.closed.connect(self._check_soon.stop)
        self.closed.connect(self.check.forget)
        self.visibilityChanged.connect(self._shown)
        self.run_bar.run_wanted.connect(self.start_run)
        self.queue.started.connect(self._started)
        self.queue.ended.connect(self._ended)
        self.closed.connect(self.queue.cancel_all)
        self._iface.currentLayerChanged.connect(self._current_layer_changed)
        QgsProject.instance().cleared.connect(self.queue.cancel_all)
        QgsProject.instance().layersAdded.connect(self._layers_added)

    def _disconnect(self) -> None:
        self._setup.ended.disconnect(self.look_for_backend)
        self.visibilityChanged.disconnect(self._shown)
        self.queue.ended.disconnect(self._ended)
        self._iface.currentLayerChanged.disconnect(self._current_layer_changed)
        QgsProject.instance().cleared.disconnect(self.queue.cancel_all)
        QgsProject.instance().layersAdded.disconnect(self._layers_added)

    def _current_layer_changed(self, layer: QgsMapLayer | None) -> None:
        if isinstance(layer, QgsRasterLayer) and not is_result(layer):
            self.scene.setLayer(layer)

    def _layers_added(self) -> None:
        # The lists of the rows hear of a layer at the same time, and may not hold it yet.
        self._look_again.start(0)

    def _fill_gaps(self) -> None:
        if self.bands.problem() or self.bands.note():
            self._scene_changed()  # it may be the sibling that was missing

    def _scene_changed(self) -> None:
        layer = self.scene.currentLayer()
        raster = layer if isinstance(layer, QgsRasterLayer) else None
        self.bands.set_layer(raster)
        self.area.set_layer(raster)
        self.classes.set_scene(raster)
        self._choices_changed()

    def _model_changed(self) -> None:
        card = self.model.card
        self.bands.set_bands(card.bands if card is not None else ())
        self.outputs.set_card(card)
        self._choices_changed()

    def look_for_backend(self) -> None:
        """Shows whether the backend is there now, and what else is missing."""
        self._choices_changed()

    def _page_changed(self, number: int) -> None:
        if number != RESULT_PAGE:
            self._on_classes = number == CLASSES_PAGE
            self.run_bar.set_verb(tr("Map the scene") if self._on_classes else tr("Run"))
            self._check()

    def _check(self) -> None:
        self.python.update_problem()
        self.run_bar.set_problem(self.problem())

    def _started(self, run: Run) -> None:
        self._check_soon.stop()
        if self.check.check.is_running:
            self.check.forget()
        self.classes.preview.stop()
        self.tabs.setCurrentIndex(CLASSES_PAGE if isinstance(run, ClassesRun) else MAP_PAGE)

    def _ended(self, run: Run) -> None:
        problems = []
        if run.outcome == "done":
            position = self.classes.position_of_results() if isinstance(run, ClassesRun) else 0
            _, broken = add_results(run, QgsProject.instance(), position)
            problems = [tr("QGIS could not open the result {file}.").format(file=path) for path in broken]
        if isinstance(run, ClassesRun) and run.outcome == "done":
            self.classes.show_run(run, problems)
        else:
            self.result.show_run(run, problems)
            self.tabs.setCurrentIndex(RESULT_PAGE)
        self.classes.run_ended()
        self._choices_changed()  # a check may have waited for the end


def _scrolled(page: QWidget) -> QScrollArea:
    scroll = QScrollArea()
    scroll.setWidgetResizable(True)
    scroll.setFrameShape(QFrame.Shape.NoFrame)
    scroll.setWidget(page)
    return scroll
