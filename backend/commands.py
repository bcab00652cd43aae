# SPDX-License-Identifier: GPL-2.0-or-later
"""What each command of `python -m backend` does. Each takes the parsed arguments and returns the exit status.

Heavy imports are inside the functions: `job` says hello before torch is imported, `describe` never needs it.
"""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import sys
import threading
from argparse import Namespace
from collections.abc import Callable
from typing import Any

from .job_stream import Heartbeat, Inbox, Outbox
from .model_card import read_header
from .outcome import outcome_of
from .protocol import (
    BandSource,
    ErrorCode,
    ExitStatus,
    FromChild,
    Hello,
    JobFailure,
    JobRequest,
    JobWarning,
    OutputPaths,
    Progress,
    Request,
    Result,
    SceneOutcome,
    TaskResult,
    encode,
)
from .versions import versions

JOB_NICENESS = 5
"""The child of a desktop program gives way to it: QGIS stays responsive while all cores compute."""


def predict(arguments: Namespace) -> int:
    """Maps a scene: progress on stderr, the paths (or with --json the result message) on stdout."""
    return run_on_console(lambda: _request(arguments), arguments.json)


def run_on_console(request: Callable[[], Request], as_json: bool) -> int:
    """Runs what `request` makes and tells a person at a terminal: progress and notes on stderr, the outcome on stdout."""

    def run() -> Result:
        from .progress_bar import ProgressBar
        from .tasks import run_request

        bar = ProgressBar()
        interrupted = _interrupt_event()

        def report(message: FromChild) -> None:
            if isinstance(message, Progress):
                bar.update(message)
            elif isinstance(message, JobWarning):
                print(f"Note: {message.text}", file=sys.stderr)
            elif isinstance(message, SceneOutcome):
                print(f"{message.name}: {message.state}", file=sys.stderr)

        try:
            return run_request(request(), report, interrupted.is_set)
        finally:
            bar.close()

    result = outcome_of(run)
    if isinstance(result, JobFailure):
        return _tell_failure(result, as_json)
    if as_json:
        print(encode(result), end="")
    else:
        for line in result.lines if isinstance(result, TaskResult) else ():
            print(line)
        for name, path in result.outputs.items():
            print(f"{name:<14}{path}")
    return ExitStatus.FAILED if isinstance(result, TaskResult) and result.partial else ExitStatus.DONE


def inspect(arguments: Namespace) -> int:
    """Says what a scene is taken to be, and with a model what a run would cost."""

    def run() -> Any:
        from . import inspect as inspection

        header = read_header(arguments.model) if arguments.model else None
        seconds_per_window = None
        if header is not None:
            from .doctor import seconds_per_window as measure

            seconds_per_window = measure(arguments.model, arguments.device, arguments.precision)
        return inspection.inspect(
            [BandSource.parse(text) for text in arguments.band],
            header.card if header else None,
            units=arguments.units,
            calibration_db=arguments.calibration_db,
            spacing_m=arguments.spacing_m,
            allow_coarse=arguments.allow_coarse,
            bounds=_bounds(arguments),
            bounds_crs=arguments.bounds_crs,
            overlap=arguments.overlap,
            seconds_per_window=seconds_per_window,
        )

    found = outcome_of(run)
    if isinstance(found, JobFailure):
        return _tell_failure(found, arguments.json)
    from .inspect import as_text

    print(json.dumps(found) if arguments.json else as_text(found))
    return ExitStatus.DONE


def describe(arguments: Namespace) -> int:
    """Shows a model card."""
    from .describe import describe as as_text

    header = outcome_of(lambda: read_header(arguments.model))
    if isinstance(header, JobFailure):
        return _tell_failure(header, arguments.json)
    print(header.card.to_json() if arguments.json else as_text(header))
    return ExitStatus.DONE


def doctor(arguments: Namespace) -> int:
    """Shows versions, devices, precisions and one timed forward."""
    from . import doctor as checks

    found = outcome_of(checks.examine)
    if isinstance(found, JobFailure):
        return _tell_failure(found, arguments.json)
    print(json.dumps(found) if arguments.json else checks.as_text(found))
    return ExitStatus.DONE


def job(_arguments: Namespace) -> int:
    """Speaks the protocol of `protocol.py`: hello at once, then what the request asks, then one result or failure."""
    outbox = Outbox()
    outbox.send(Hello(versions()))
    if hasattr(os, "nice"):
        os.nice(JOB_NICENESS)
    inbox = Inbox()

    def run() -> Result:
        request = inbox.request()
        with Heartbeat(outbox, Progress("starting", 0, 1)) as heartbeat:
            from .tasks import run_request

            def report(message: FromChild) -> None:
                if isinstance(message, Progress):
                    heartbeat.update(message)
                else:
                    outbox.send(message)

            return run_request(request, report, inbox.cancelled)

    end = outcome_of(run)
    outbox.send(end)
    return end.exit_status if isinstance(end, JobFailure) else ExitStatus.DONE


def _request(arguments: Namespace) -> JobRequest:
    return dataclasses.replace(
        settings(arguments),
        bands=tuple(BandSource.parse(text) for text in arguments.band),
        outputs=OutputPaths(arguments.landcover, arguments.confidence, arguments.probabilities, arguments.attention),
        bounds=_bounds(arguments),
        bounds_crs=arguments.bounds_crs,
    )


def settings(arguments: Namespace) -> JobRequest:
    """A request with all that the arguments say but for the scene, its bounds and the outputs."""
    return JobRequest(
        bands=(),
        model=arguments.model,
        outputs=OutputPaths(),
        units=arguments.units,
        calibration_db=arguments.calibration_db,
        spacing_m=arguments.spacing_m,
        mask=arguments.mask,
        overlap=arguments.overlap,
        device=arguments.device,
        precision=arguments.precision,
        attention_heads=arguments.attention_heads,
        batch_size=arguments.batch_size,
        overwrite=arguments.overwrite,
        allow_coarse=arguments.allow_coarse,
        attention_scope=arguments.attention_scope,
        resume=arguments.resume,
    )


def _bounds(arguments: Namespace) -> tuple[float, float, float, float] | None:
    return tuple(arguments.bounds) if arguments.bounds else None


def _tell_failure(failure: JobFailure, as_json: bool) -> int:
    if as_json:
        print(encode(failure), end="")
    print(f"{failure.code}: {failure.sentence}", file=sys.stderr)
    if failure.code == ErrorCode.INTERNAL.value:
        print(failure.detail, file=sys.stderr)
    return failure.exit_status


def _interrupt_event() -> threading.Event:
    """Set by the first Ctrl-C, terminate or hang-up, which stop the run in good order; a second Ctrl-C stops it at once."""
    event = threading.Event()

    def stop(_number: int, _frame: object) -> None:
        event.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # the last one, of a terminal that is closed, is unknown to Windows
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:  # nohup, and a shell's background, ignore some
            signal.signal(number, stop)
    return event
