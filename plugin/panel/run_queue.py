# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs of the panel as QGIS tasks, one after the other. Main thread only."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, ClassVar

from qgis.core import QgsApplication, QgsProcessingAlgRunnerTask, QgsProcessingContext, QgsProcessingException, QgsProject, QgsTask
from qgis.gui import QgsGui
from qgis.PyQt.QtCore import QEventLoop, QObject, QTimer, pyqtSignal

from ...backend.model_card import ModelCard
from ...backend.protocol import JobResult, SardineError, decode
from ..processing.parameters import RASTER_OUTPUTS, raster_labels
from ..translation import tr
from .run_feedback import RunFeedback

LONGEST_END_MS = 20_000
"""What a backend may take that has to be asked, told and killed; see `Patience`."""


class Run:
    """One run of `algorithm_id`: what was asked, and after its end `outcome` (done, cancelled or failed), `result` and `outputs`.

    `rasters` are the algorithm's raster outputs by parameter id, and the style of each; the first is the one that is shown.
    The layers are read when a run is made, so that it does not matter to a waiting run whether they are still there. Raises
    QgsProcessingException where the algorithm refuses the parameters.
    """

    algorithm_id: ClassVar[str] = "sardine:landcover"
    is_quiet: ClassVar[bool] = False
    """Whether QGIS does not announce its end."""
    rasters: ClassVar[Mapping[str, str]] = RASTER_OUTPUTS

    def __init__(self, parameters: Mapping[str, Any], scene_name: str, card: ModelCard) -> None:
        self.parameters = dict(parameters)
        self.scene_name = scene_name
        self.card = card
        self.feedback = RunFeedback()
        self.outcome = ""
        self.outputs: dict[str, str] = {}
        self.result: JobResult | None = None
        self.context = QgsProcessingContext()
        self.context.setProject(QgsProject.instance())
        self.context.setFeedback(self.feedback)
        algorithm = QgsApplication.processingRegistry().createAlgorithmById(self.algorithm_id)
        if algorithm is None:
            text = tr("The algorithm {id} is not there: switch the plugin off and on again.")
            raise QgsProcessingException(text.format(id=self.algorithm_id))
        good, message = algorithm.checkParameterValues(self.parameters, self.context)
        if not good:
            raise QgsProcessingException(message)
        self.history = _history(algorithm, self.parameters, self.context)
        flags = QgsTask.Flag.CanCancel | QgsTask.Flag.Silent if self.is_quiet else QgsTask.Flag.CanCancel
        self.task = QgsProcessingAlgRunnerTask(algorithm, self.parameters, self.context, self.feedback, flags)
        self.task.setDescription(tr("SARdine: {scene}").format(scene=scene_name))

    @property
    def title(self) -> str:
        return f"{self.scene_name} · {self.card.name}"

    def labels(self) -> dict[str, str]:
        """The rasters as a person reads them, by parameter id."""
        return raster_labels()

    def destinations(self) -> set[str]:
        """The files that this run writes, as far as they have been named by a person."""
        return {str(self.parameters[name]) for name in self.rasters if self.parameters.get(name)}

    def conclude(self, successful: bool, results: Mapping[str, Any]) -> None:
        """Takes over what the task came to."""
        self.task = None  # the task manager deletes it
        if not successful:
            self.outcome = "cancelled" if self.feedback.isCanceled() else "failed"
            return
        self.outputs = {name: results[name] for name in self.rasters if results.get(name)}
        try:
            self.take(results)
        except SardineError as error:
            self.feedback.reportError(str(error))
            self.outcome = "failed"
            return
        self.outcome = "done"

    def take(self, results: Mapping[str, Any]) -> None:
        """Reads what the algorithm reports of itself. Raises SardineError where that is not understood."""
        report = decode(results.get("REPORT", ""))
        self.result = report if isinstance(report, JobResult) else None


class RunQueue(QObject):
    """The runs of a panel. `started` and `ended` carry the Run; `changed` tells that the number of waiting runs has changed.

    Runs of a queue that `keeps_history` are in Processing's history.
    """

    started = pyqtSignal(object)
    ended = pyqtSignal(object)
    changed = pyqtSignal()

    def __init__(self, *, keeps_history: bool = True) -> None:
        super().__init__()
        self._keeps_history = keeps_history
        self.current: Run | None = None
        self.waiting: list[Run] = []
        self._started_at_s = 0.0

    def add(self, run: Run) -> None:
        """Starts `run`, or lets it wait for those before it."""
        self.waiting.append(run)
        self.changed.emit()
        self._next()

    def taken(self) -> set[str]:
        """Files that a run of this queue is going to write."""
        runs = [*self.waiting, *([self.current] if self.current else [])]
        return {path for run in runs for path in run.destinations()}

    def running_s(self) -> float:
        """Seconds since the current run was started."""
        return time.monotonic() - self._started_at_s if self.current else 0.0

    def cancel_current(self) -> None:
        """Asks the current run to stop; `ended` follows when nothing of it is left."""
        if self.current is not None and self.current.task is not None:
            self.current.task.cancel()

    def drop_waiting(self) -> None:
        """Forgets the runs that have not begun."""
        self.waiting.clear()
        self.changed.emit()

    def cancel_all(self) -> None:
        """Nothing waits any more, and the current run is asked to stop."""
        self.drop_waiting()
        self.cancel_current()

    def shut_down(self) -> bool:
        """Cancels all and waits until no backend runs any more; returns whether none does."""
        self.cancel_all()
        if self.current is None:
            return True
        loop = QEventLoop()
        self.ended.connect(loop.quit)
        QTimer.singleShot(LONGEST_END_MS, loop.quit)
        loop.exec(QEventLoop.ProcessEventsFlag.ExcludeUserInputEvents)
        return self.current is None

    def _next(self) -> None:
        if self.current is not None or not self.waiting:
            return
        run = self.current = self.waiting.pop(0)
        self._started_at_s = time.monotonic()
        if self._keeps_history:
            run.history_id, _ = QgsGui.historyProviderRegistry().addEntry("processing", run.history)
        run.task.executed.connect(lambda successful, results: self._end(run, successful, results))
        self.changed.emit()
        self.started.emit(run)
        QgsApplication.taskManager().addTask(run.task)

    def _end(self, run: Run, successful: bool, results: dict[str, Any]) -> None:
        run.conclude(successful, results)
        if self._keeps_history:
            ended = {"results": dict(results), "log": run.feedback.log}
            QgsGui.historyProviderRegistry().updateEntry(run.history_id, {**run.history, **ended})
        self.current = None
        self.ended.emit(run)
        self._next()


def _history(algorithm: Any, parameters: dict[str, Any], context: QgsProcessingContext) -> dict[str, Any]:
    """An entry of Processing's history, as its own dialog writes it."""
    entry = {
        "python_command": algorithm.asPythonCommand(parameters, context),
        "algorithm_id": algorithm.id(),
        "parameters": algorithm.asMap(parameters, context),
    }
    command, complete = algorithm.asQgisProcessCommand(parameters, context)
    return {**entry, "process_command": command} if complete else entry
