# SPDX-License-Identifier: GPL-2.0-or-later
"""The backend's messages become Processing's feedback."""

from __future__ import annotations

import time

from qgis.core import QgsProcessingFeedback

from ...backend.protocol import FromChild, Hello, JobWarning, Progress, Ready
from ..translation import tr

TEXT_INTERVAL_S = 10.0
"""Processing keeps every progress text as a line of its log: the bar moves often, the text seldom."""

STAGE_PERCENT = {
    "mapping": (0.0, 97.0),
    "finishing": (97.0, 100.0),
    "counting the classes": (0.0, 50.0),
    "comparing": (50.0, 100.0),
    "drawing points": (50.0, 100.0),
    "classifying": (0.0, 97.0),
    "compositing": (0.0, 97.0),
}
"""Where in the bar a stage of the backend lies; the others take a moment and do not move it."""


class JobFeedback:
    """The listener of a BackendRun that belongs to a Processing algorithm. Safe in the algorithm's thread."""

    def __init__(self, feedback: QgsProcessingFeedback) -> None:
        self._feedback = feedback
        # A panel shows the latest text alone and asks for more of them.
        self._text_interval_s = getattr(feedback, "text_interval_s", TEXT_INTERVAL_S)
        self._stage = ""
        self._told_at_s = 0.0

    def is_cancelled(self) -> bool:
        return self._feedback.isCanceled()

    def on_message(self, message: FromChild) -> None:
        """Shows `message` where a person looks for its kind: the log, the bar, or the line above it."""
        if isinstance(message, Hello):
            self._feedback.pushDebugInfo(", ".join(f"{name} {version}" for name, version in message.versions.items()))
        elif isinstance(message, Ready):
            self._feedback.pushInfo(
                tr("Model {model} on {device} ({precision})").format(
                    model=message.model_name, device=message.device, precision=message.precision
                )
            )
        elif isinstance(message, JobWarning):
            self._feedback.pushWarning(message.text)
        elif isinstance(message, Progress):
            self._show(message)

    def on_stalled(self, seconds: float) -> None:
        """Tells of a stall in the log; a panel is told so that it can offer to end the run."""
        tell = getattr(self._feedback, "tell_stall", None)
        if tell is not None:
            tell(seconds)
        elif seconds:
            self._feedback.pushWarning(stall_text(seconds))

    def _show(self, progress: Progress) -> None:
        now_s = time.monotonic()
        if progress.stage != self._stage or now_s - self._told_at_s > self._text_interval_s:
            self._stage, self._told_at_s = progress.stage, now_s
            before = f"{progress.scene}: " if progress.scene else ""
            self._feedback.setProgressText(before + progress_text(progress))
        start, end = STAGE_PERCENT.get(progress.stage, (0.0, 0.0))
        if end > start and progress.total > 0:
            self._feedback.setProgress(start + (end - start) * progress.done / progress.total)


def progress_text(progress: Progress) -> str:
    """The stage, the rate and the time left, where known."""
    stages = {
        "starting": tr("Starting the backend"),
        "starting workers": tr("Starting the worker processes"),
        "loading the model": tr("Loading the model"),
        "opening the scene": tr("Opening the scene"),
        "opening the scenes": tr("Opening the scenes"),
        "compositing": tr("Compositing"),
        "sampling the scene": tr("Sampling the scene"),
        "mapping": tr("Mapping"),
        "finishing": tr("Finishing the files"),
        "counting the classes": tr("Counting the classes"),
        "comparing": tr("Comparing"),
        "drawing points": tr("Drawing points"),
        "reading the samples": tr("Reading the samples"),
        "judging by held-out samples": tr("Judging by held-out samples"),
        "training": tr("Training the classifier"),
        "classifying": tr("Classifying"),
        "comparing places": tr("Comparing places"),
        "writing": tr("Writing the files"),
    }
    parts = [stages.get(progress.stage, progress.stage)]
    if progress.rate_mpx_s:
        parts.append(tr("{rate:.2f} megapixels/s").format(rate=progress.rate_mpx_s))
    if progress.left_s is not None:
        parts.append(tr("{time} left").format(time=duration_text(progress.left_s)))
    return ", ".join(parts)


def stall_text(seconds: float) -> str:
    """What a person is told of a run that does not go on."""
    text = tr("No progress for {time}. The computer may be busy, or the backend hangs: wait, or end the run.")
    return text.format(time=duration_text(seconds))


def duration_text(seconds: float) -> str:
    """`seconds` as a person says it: 40 s, 12 min, 1 h 20 min.

    >>> duration_text(4810)
    '1 h 20 min'
    """
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{round(seconds)} s"
    if minutes < 90:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"
