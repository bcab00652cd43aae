# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes the backend's environment: the commands of setup_steps.py, a check, and the stamp that declares it whole. Never blocks."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from qgis.PyQt.QtCore import QLockFile, QObject, QThread, QTimer, pyqtSignal

from ..child.guarded_process import EXIT_STATUS, Background, GuardedProcess
from ..child.message_stream import Excerpt
from ..translation import tr
from . import folder as folders
from . import pip_output
from .folder import State
from .interpreter_check import CheckReport, InterpreterCheck
from .plan import SetupPlan, pip_variables, take_lock
from .setup_folders import LOG, declare_whole, make_room, put_all_aside
from .setup_progress import SetupProgress
from .setup_steps import CHECK_PERCENT, FINISH_PERCENT, Step, steps

PAUSE_MS, TRIES = 200, 25
"""How long a clean-up waits for files that are still held, and how often."""


class EnvironmentSetup(QObject):
    """One set-up at a time. Main thread only.

    `changed` tells of a new text or percent in `progress`; `ended` carries the outcome: done, failed or cancelled. After a failure
    `problem` is its real cause with what to do, and the work folder stays, so that a second try need not download again. After a
    success `remark` is what else there is to say.
    """

    changed = pyqtSignal()
    ended = pyqtSignal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.progress = SetupProgress(self.changed.emit)
        self.problem = ""
        self.remark = ""
        self.log = Excerpt(head_lines=200, tail_lines=400)
        self._plan: SetupPlan | None = None
        self._lock: QLockFile | None = None
        self._steps: list[Callable[[SetupPlan], Step]] = []
        self._step_log = Excerpt()
        self._background: Background | None = None
        self._child = GuardedProcess(self)
        self._child.printed.connect(self._read)
        self._child.ended.connect(self._step_ended)
        self._check = InterpreterCheck(self)
        self._check.ended.connect(self._checked)
        self._look = QTimer(self)
        self._look.setInterval(500)
        self._look.timeout.connect(lambda: self.progress.follow(self._distributions))

    @property
    def plan(self) -> SetupPlan | None:
        """What is being set up, or was last."""
        return self._plan

    @property
    def _cancelling(self) -> bool:
        return self.progress.is_frozen

    @property
    def is_running(self) -> bool:
        return self._lock is not None

    def start(self, plan: SetupPlan, replace: bool = False) -> str:
        """Begins, and returns an empty text, or why it cannot begin.

        A whole environment is left as it is, another window having made it meanwhile, unless it is to be replaced.
        """
        if self.is_running:
            return tr("A set-up is running already.")
        problem = folders.location_problem(plan.path, plan.needed_mb)
        if problem:
            return problem
        plan.path.parent.mkdir(parents=True, exist_ok=True)
        lock, problem = take_lock(plan.path)
        if lock is None:
            return problem
        self._plan, self._lock, self.progress.is_frozen, self.problem = plan, lock, False, ""
        self.remark = ""
        self.log = Excerpt(head_lines=200, tail_lines=400)
        try:
            folders.bring_back_previous(plan.path)
            if folders.look(plan.path).state is State.READY and not replace:
                self._finish("done")
                return ""
            make_room(plan.path)
        except OSError as error:
            lock.unlock()
            self._lock = None
            return tr("{folder} is in use or cannot be written to: {reason}").format(folder=plan.path, reason=error)
        self._steps = steps(plan)
        self.progress.tell(tr("Starting"), 0)
        self._next()
        return ""

    def cancel(self) -> None:
        """Ends what runs, with all that it started, and removes what was made; `ended` follows when nothing of it is left."""
        if not self.is_running or self._cancelling:
            return
        self.progress.is_frozen = True
        self.progress.tell(tr("Cancelling…"))
        self._check.stop()
        if self._child.is_running:
            self._child.end()
        elif self._background is None:
            self._clean_up()

    def shut_down(self) -> None:
        """Cancels and waits until nothing is left; for the end of QGIS."""
        if not self.is_running or self._plan is None:
            return
        self.progress.is_frozen = True
        self._check.stop()
        self._child.end_now()
        if self._background is not None:
            self._background.done.disconnect()
            self._background.wait()
        for _ in range(TRIES):
            if self._put_all_aside():
                break
            QThread.msleep(PAUSE_MS)
        folders.delete_removed(self._plan.path.parent)
        self._finish("cancelled")

    # The steps.

    def _next(self) -> None:
        if not self._steps:
            self._examine()
            return
        try:
            step = self._steps.pop(0)(self._plan)
        except OSError as error:
            self._fail(str(error), pip_output.advice(str(error)))
            return
        if step.text:
            self.progress.tell(step.text, step.percents[0])
        if step.download_mb:
            self.progress.begin_pip(step.download_mb, step.percents)
            self._look.start()
        self._note([f"> {step.python} -m {' '.join(step.arguments)}"])
        self._step_log = Excerpt()
        self._child.start(step.python, step.arguments, pip_variables(self._plan, step.index), self._work)

    def _examine(self) -> None:
        self.progress.tell(tr("Checking that it works"), CHECK_PERCENT)
        self._check.start(str(folders.python_in(self._plan.path)))

    def _checked(self, report: CheckReport) -> None:
        if report.problem:
            self._note(report.details.splitlines())
            self._fail(report.problem, tr("Press Retry, or choose another build."))
            return
        on_gpu = any(device["name"].startswith("cuda") for device in report.found["devices"])
        if self._plan.build.capabilities is not None and not on_gpu:
            self.remark = tr("torch finds no NVIDIA GPU that it can use, so it computes on the CPU.")
        self.progress.tell(tr("Finishing"), FINISH_PERCENT)
        versions = {str(name): str(version) for name, version in report.found["versions"].items()}
        self._in_background(lambda: folders.size_mb(self._plan.path), lambda size_mb: self._declare_whole(versions, size_mb))

    def _declare_whole(self, versions: dict[str, str], size_mb: int) -> None:
        if self._cancelling:
            self._clean_up()
            return
        try:
            declare_whole(self._plan, versions, size_mb)
        except OSError as error:
            self._fail(str(error), pip_output.advice(str(error)))
            return
        self._delete_and_finish("done")

    # What the steps are made of.

    @property
    def _work(self) -> Path:
        return folders.work_folder(self._plan.path)

    def _read(self, lines: list[str]) -> None:
        for line in lines:
            self.progress.feed(line, self._distributions)
        self._note([line for line in lines if not line.startswith("Progress ")])

    def _distributions(self) -> list[str]:
        return folders.distributions(self._plan.path)

    def _note(self, lines: list[str]) -> None:
        text = "".join(f"{line}\n" for line in lines).encode()
        self.log.feed(text)
        self._step_log.feed(text)
        # A full disk must not end in an error about the log: the step itself will tell.
        with contextlib.suppress(OSError), (self._work / LOG).open("ab") as file:
            file.write(text)

    def _step_ended(self, problem: str) -> None:
        self._look.stop()
        if self._cancelling:
            self._clean_up()
        elif problem:
            log = self._step_log.text
            self._fail(pip_output.cause(log) if problem == EXIT_STATUS else problem, pip_output.advice(log))
        else:
            self._next()

    # The ends.

    def _fail(self, why: str, what_to_do: str) -> None:
        self._look.stop()
        if self._cancelling:
            self._clean_up()
            return
        self.problem = " ".join(text for text in (pip_output.sentence(why), what_to_do) if text)
        self._note([tr("The whole log: {file}").format(file=self._work / LOG)])
        try:
            folders.bring_back_previous(self._plan.path)
        except OSError as error:
            self.problem = f"{self.problem} {error}"
        self._delete_and_finish("failed")

    def _clean_up(self, tries: int = TRIES) -> None:
        """Puts all aside that was made; a while later again where Windows still holds a file for the child that was ended."""
        if self._put_all_aside() or tries == 0:
            self._delete_and_finish("cancelled")
        else:
            QTimer.singleShot(PAUSE_MS, lambda: self._clean_up(tries - 1))

    def _put_all_aside(self) -> bool:
        try:
            put_all_aside(self._plan.path)
        except OSError:
            return False
        return True

    def _delete_and_finish(self, outcome: str) -> None:
        self.progress.tell(tr("Cleaning up"))
        folder = self._plan.path.parent
        self._in_background(lambda: folders.delete_removed(folder), lambda _: self._finish(outcome))

    def _in_background(self, work: Callable[[], object], then: Callable[[Any], None]) -> None:
        """Does what takes a disk seconds, such as 40,000 files, in a thread."""

        def go_on(result: object) -> None:
            self._background = None
            then(result)

        self._background = Background(work)
        self._background.done.connect(go_on)
        self._background.start()

    def _finish(self, outcome: str) -> None:
        if self._lock is None:
            return
        self._look.stop()
        self._lock.unlock()
        self._lock = None
        if outcome == "done":
            self.progress.tell(tr("Ready"), 100)
        self.ended.emit(outcome)
