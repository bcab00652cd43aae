# SPDX-License-Identifier: GPL-2.0-or-later
"""What the backend tells of the scenes of a batch: kept for the report, and told to the person as it comes."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection

from qgis.core import QgsProcessingFeedback

from ...backend.protocol import FromChild, SceneOutcome
from ..error_text import describe, error_of
from ..translation import tr
from .job_feedback import JobFeedback
from .parameters import RASTER_OUTPUTS


class BatchFeedback(JobFeedback):
    """A `JobFeedback` that keeps how each scene ended. `problems` are sentences of ours that the request held."""

    def __init__(self, feedback: QgsProcessingFeedback, problems: Collection[str]) -> None:
        super().__init__(feedback)
        self.outcomes: list[SceneOutcome] = []
        self._problems = problems

    def on_message(self, message: FromChild) -> None:
        """As `JobFeedback`; and of a scene that has ended, how."""
        if not isinstance(message, SceneOutcome):
            super().on_message(message)
            return
        self.outcomes.append(message)
        sentence = self.sentence(message)
        if message.state == "failed":
            self._feedback.reportError(f"{message.name}: {sentence}", False)
        else:
            self._feedback.pushInfo(f"{message.name}: {state_labels()[message.state]}")

    def count(self, state: str) -> int:
        """How many scenes have ended in `state`, one of protocol.SCENE_STATES."""
        return sum(outcome.state == state for outcome in self.outcomes)

    def sentence(self, outcome: SceneOutcome) -> str:
        """Why the scene is not done; empty where it is."""
        if outcome.failure is None:
            return ""
        if outcome.failure.found in self._problems:
            return outcome.failure.found
        return describe(error_of(outcome.failure))

    def json(self) -> str:
        """Each outcome with its whole `JobResult`, as one line of JSON; outputs by parameter id."""
        ids = {value: name for name, value in RASTER_OUTPUTS.items()}
        told = [
            {
                "name": outcome.name,
                "state": outcome.state,
                "sentence": self.sentence(outcome),
                "outputs": {ids[name]: path for name, path in outcome.outputs.items()},
                "result": None if outcome.result is None else dataclasses.asdict(outcome.result),
            }
            for outcome in self.outcomes
        ]
        return json.dumps(told, ensure_ascii=False, allow_nan=False)


def state_labels() -> dict[str, str]:
    """The states of a scene as a person reads them."""
    return {
        "done": tr("done"),
        "skipped": tr("there already"),
        "failed": tr("failed"),
        "cancelled": tr("cancelled"),
        "not begun": tr("not begun"),
    }
