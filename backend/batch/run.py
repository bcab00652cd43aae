# SPDX-License-Identifier: GPL-2.0-or-later
"""A batch from request to table and mosaic. Read this first:

    plan (what is there is kept) -> cluster -> one task a scene -> outcomes as they come, the table kept up -> mosaic

This process computes nothing itself and imports no torch: a worker that dies takes its own scene with it and no other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ..job_stream import cancelled_error
from ..model_card import ModelCard, read_header
from ..protocol import BatchRequest, ErrorCode, FromChild, JobFailure, JobWarning, SardineError, SceneOutcome, TaskResult
from ..text_output import write_whole
from .mosaic import write_mosaic
from .plan import ScenePlan, check_batch_files, plan_batch
from .table import CANCELLED, DONE, FAILED, NOT_BEGUN, SKIPPED, Row, as_csv, as_html, count, counts_text, reason, row_of

Report = Callable[[FromChild], None]
Cancelled = Callable[[], bool]


def run_batch(request: BatchRequest, report: Report, cancelled: Cancelled) -> TaskResult:
    """Maps the scenes of `request`, tells `report` how each ends, and returns the sums.

    A scene that fails is an outcome, no error. Raises SardineError for what concerns the whole batch: a refusal, a cluster that is
    not there, a cancel (what is done is kept then, and the table is of that).
    """
    card = read_header(request.settings.model).card
    plans = plan_batch(request)
    book = OutcomeBook(request, card, plans, report)
    waiting = book.settle_what_needs_no_run()
    if waiting:
        from .dispatch import Dispatch

        Dispatch(request, plans, waiting, book, report, cancelled).run()
    outcomes = book.outcomes()
    if any(outcome.state == CANCELLED for outcome in outcomes) or cancelled():
        raise _cancelled(outcomes)
    lines = [f"Scenes: {counts_text(outcomes)}", *(f"{o.name}: {reason(o)}" for o in outcomes if o.state == FAILED)]
    figures = {state: float(count(outcomes, state)) for state in (DONE, SKIPPED, FAILED)}
    partial = figures[DONE] + figures[SKIPPED] < len(plans)
    files = check_batch_files(request)
    try:
        mapped = [outcome.outputs for outcome in outcomes if outcome.state in (DONE, SKIPPED)]
        if "mosaic" in files and mapped:
            write_mosaic(files["mosaic"], mapped, card, report, cancelled)
    except SardineError as error:
        if error.code is ErrorCode.CANCELLED:
            raise _cancelled(outcomes) from error
        lines.append(f"The mosaic was not made: {error}")  # the scenes are there all the same
        partial = True
        del files["mosaic"]
    outputs = {name: str(path) for name, path in files.items() if path.exists()}
    return TaskResult(outputs, figures, tuple(lines), partial=partial)


class OutcomeBook:
    """The outcome of each scene as it becomes known, told at once, and the table of all."""

    def __init__(self, request: BatchRequest, card: ModelCard, plans: Sequence[ScenePlan], report: Report) -> None:
        self._plans, self._card, self._report = plans, card, report
        self._files = check_batch_files(request)
        self._known: dict[int, Row] = {}

    def settle_what_needs_no_run(self) -> list[int]:
        """Settles scenes that are there or cannot be mapped; returns the numbers of the others."""
        waiting = []
        for number, plan in enumerate(self._plans):
            if plan.request is not None:
                waiting.append(number)
            elif plan.scene.problem:
                failure = JobFailure(ErrorCode.REQUEST_INVALID.value, plan.scene.problem, "", "", refused=True)
                self._settle(number, SceneOutcome(plan.scene.name, FAILED, failure=failure))
            else:
                self._settle(number, SceneOutcome(plan.scene.name, SKIPPED, plan.outputs))
        self._write()
        return waiting

    def settle(self, number: int, outcome: SceneOutcome) -> None:
        """Keeps and tells the outcome of a scene, and brings the table up to it."""
        self._settle(number, outcome)
        self._write()

    def outcomes(self) -> list[SceneOutcome]:
        """The outcomes of all scenes; those that are not known yet have not begun."""
        return [row.outcome for row in self._rows()]

    def _settle(self, number: int, outcome: SceneOutcome) -> None:
        self._known[number] = row_of(outcome)
        self._report(outcome)

    def _rows(self) -> list[Row]:
        not_begun = (Row(SceneOutcome(plan.scene.name, NOT_BEGUN), None) for plan in self._plans)
        return [self._known.get(number, row) for number, row in enumerate(not_begun)]

    def _write(self) -> None:
        rows = self._rows()
        for name, text in (("csv", as_csv), ("html", as_html)):
            if name in self._files:
                try:
                    write_whole(Path(self._files[name]), text(rows, self._card).encode("utf-8"))
                except SardineError as error:
                    # The rasters are worth more than their table: a batch goes on without it.
                    del self._files[name]
                    self._report(JobWarning("table_not_written", str(error)))


def _cancelled(outcomes: Sequence[SceneOutcome]) -> SardineError:
    error = cancelled_error()
    return SardineError(error.code, error.found, f"{counts_text(outcomes)}.", "What is done is kept.", refused=False)
