# SPDX-License-Identifier: GPL-2.0-or-later
"""The process layer against real children (children.py)."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import pytest
from sardine.backend.protocol import BandSource, ErrorCode, FromChild, Hello, JobRequest, JobWarning, OutputPaths, Progress
from sardine.plugin.child.backend_environment import BackendCommand, child_environment
from sardine.plugin.child.backend_process import BackendError, BackendRun, Patience

CHILDREN = Path(__file__).parent / "children.py"
REQUEST = JobRequest((BandSource("VV", "Größe vv.tif", 1),), "m.safetensors", OutputPaths(landcover="lc.tif"))
SHORT = Patience(start_s=5, hello_s=2, cancel_s=1, terminate_s=0.5, leave_s=0.5)


class Recorder:
    """Keeps the messages; cancels when `cancel_on` says so of a message, or at once where it is None."""

    def __init__(self, cancels: bool = False, at_once: bool = False) -> None:
        self.messages: list[FromChild] = []
        self.cancelled = at_once
        self.cancels = cancels
        self.cancelled_at_s = 0.0
        self.stalls: list[float] = []

    def is_cancelled(self) -> bool:
        return self.cancelled

    def on_message(self, message: FromChild) -> None:
        self.messages.append(message)
        if self.cancels and isinstance(message, Progress):
            self.cancelled = True
            self.cancelled_at_s = time.monotonic()

    def on_stalled(self, seconds: float) -> None:
        self.stalls.append(seconds)


def command(habit: str) -> BackendCommand:
    return BackendCommand(sys.executable, (str(CHILDREN), habit), dict(os.environ))


def failing(habit: str, recorder: Recorder | None = None, patience: Patience = SHORT) -> BackendError:
    with pytest.raises(BackendError) as caught:
        BackendRun(command(habit), REQUEST, recorder or Recorder(), patience).run()
    return caught.value


def test_backend_run_should_pass_messages_on_and_return_the_result() -> None:
    recorder = Recorder()
    result = BackendRun(command("done"), REQUEST, recorder).run()
    assert result.valid_area_km2 == 2.5
    assert [type(m) for m in recorder.messages] == [Hello, JobWarning, Progress]
    assert recorder.messages[1] == JobWarning("w", "request of type predict")


def test_backend_run_should_report_a_refusal_as_the_backend_worded_it() -> None:
    error = failing("refused")
    assert (error.code, str(error), error.refused, error.log) == (ErrorCode.UNIT_AMBIGUOUS, "F. N. A.", True, "D")


def test_backend_run_should_stop_an_obedient_child_at_once() -> None:
    recorder = Recorder(cancels=True)
    error = failing("obedient", recorder, Patience())
    assert error.code is ErrorCode.CANCELLED
    assert time.monotonic() - recorder.cancelled_at_s < 1.5


def test_backend_run_should_kill_a_child_that_does_not_listen() -> None:
    recorder = Recorder(cancels=True)
    error = failing("silent", recorder)
    assert error.code is ErrorCode.CANCELLED
    assert time.monotonic() - recorder.cancelled_at_s < SHORT.cancel_s + SHORT.terminate_s + SHORT.leave_s + 1


def test_backend_run_should_tell_of_a_child_that_lives_but_does_not_go_on() -> None:
    recorder = Recorder()
    BackendRun(command("stalls"), REQUEST, recorder, Patience(stalled_s=0.5)).run()
    began, ended = recorder.stalls
    assert 0.5 < began < 1.5
    assert ended == 0.0
    quick = Recorder()
    BackendRun(command("done"), REQUEST, quick).run()
    assert quick.stalls == []


def test_backend_run_should_not_wait_for_hello_once_cancelled() -> None:
    started_s = time.monotonic()
    assert failing("no_hello", Recorder(at_once=True)).code is ErrorCode.CANCELLED
    assert time.monotonic() - started_s < 1.5


def test_backend_run_should_tell_a_killed_child_with_head_and_tail_of_its_words() -> None:
    error = failing("killed")
    assert error.code is ErrorCode.BACKEND_CRASHED
    assert "signal 9" in error.found
    assert not error.refused
    lines = error.log.split("\n")
    assert lines[0] == "first words"
    assert lines[-1] == "last words"
    assert len(lines) < 200


def test_backend_run_should_survive_garbage_on_stdout() -> None:
    result = BackendRun(command("garbage"), REQUEST, Recorder(), SHORT).run()
    assert result.model_name == "m"


def test_backend_run_should_tell_an_interpreter_that_prints_rubbish() -> None:
    """Megabytes without a line's end, bytes that are no text, and JSON that is no message."""
    error = failing("rubbish", patience=Patience(hello_s=20))
    assert error.code is ErrorCode.INTERPRETER_UNSUITABLE
    assert "before it had said hello" in error.found
    assert len(error.log) < 300_000
    assert "[1, 2]" in error.log


def test_backend_run_should_drain_both_pipes() -> None:
    recorder = Recorder()
    BackendRun(command("flood"), REQUEST, recorder, SHORT).run()
    assert sum(isinstance(m, Progress) for m in recorder.messages) == 2000


def test_backend_run_should_tell_an_interpreter_that_does_not_start() -> None:
    missing = BackendCommand("/nowhere/python", (), {})
    with pytest.raises(BackendError) as caught:
        BackendRun(missing, REQUEST, Recorder(), SHORT).run()
    assert caught.value.code is ErrorCode.INTERPRETER_MISSING
    assert "/nowhere/python" in caught.value.found


def test_backend_run_should_tell_an_interpreter_without_backend() -> None:
    error = failing("leaves")
    assert error.code is ErrorCode.INTERPRETER_UNSUITABLE
    assert error.log == "No module named backend"


def test_backend_run_should_tell_an_interpreter_that_never_says_hello() -> None:
    error = failing("no_hello")
    assert error.code is ErrorCode.INTERPRETER_UNSUITABLE
    assert "within 2 s" in error.found


def test_backend_run_should_tell_an_interpreter_without_torch() -> None:
    error = failing("no_torch")
    assert error.code is ErrorCode.INTERPRETER_UNSUITABLE
    assert "has no torch." in error.found


def test_backend_run_should_tell_another_protocol_version() -> None:
    assert failing("other_version").code is ErrorCode.PROTOCOL_MISMATCH


def test_backend_run_should_keep_the_result_of_a_child_that_does_not_end() -> None:
    started_s = time.monotonic()
    assert BackendRun(command("lingers"), REQUEST, Recorder(), SHORT).run().valid_share == 1.0
    assert time.monotonic() - started_s < 4


def test_backend_run_should_not_spin_when_the_child_closes_its_stdout() -> None:
    before_s = time.process_time()
    assert failing("closes_stdout").code is ErrorCode.BACKEND_CRASHED
    assert time.process_time() - before_s < 0.5


def test_backend_run_should_give_the_child_the_cleaned_environment_alone(tmp_path: Path) -> None:
    folder = tmp_path / "Plug-in mit Größe"
    folder.mkdir()
    environ = {**os.environ, "PYTHONHOME": "/qgis/python", "PROJ_LIB": "/qgis/proj", "GDAL_DATA": "/qgis/gdal"}
    recorder = Recorder()
    child = BackendCommand(sys.executable, ("-P", str(CHILDREN), "environment"), child_environment(environ, folder))
    BackendRun(child, REQUEST, recorder, SHORT).run()
    (told,) = [json.loads(m.text) for m in recorder.messages if isinstance(m, JobWarning)]
    assert told["path"][0] == str(folder)
    assert {"PYTHONHOME", "PROJ_LIB", "GDAL_DATA"}.isdisjoint(told["environ"])
    assert told["environ"]["PYTHONSAFEPATH"] == "1"
