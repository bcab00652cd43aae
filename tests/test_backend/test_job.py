# SPDX-License-Identifier: GPL-2.0-or-later
"""The job protocol with a real child process: what a parent sees, however it behaves."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch

from backend.network.model import build_model
from backend.network.model_file import save_model
from backend.protocol import BandSource, Cancel, JobRequest, OutputPaths, encode
from tests.test_backend.cards import small_card
from tests.test_backend.test_bad_input import radar, write_tif

ROOT = Path(__file__).parents[2]


class Child:
    """A `job` process; `until` waits for a message of a type, `end` for the process."""

    def __init__(self, *wrapper):
        # From another folder, with unfriendly settings: the child must not depend on either.
        self.process = subprocess.Popen(
            wrapper or [sys.executable, "-P", "-m", "backend", "job"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd="/",
        )  # fmt: skip
        self.seen = []
        self._lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self._lines.put((time.monotonic(), json.loads(line)))
        self._lines.put(None)

    def send(self, message):
        self.process.stdin.write(message if isinstance(message, bytes) else encode(message).encode())
        self.process.stdin.flush()

    def until(self, *types, timeout_s=60):
        while True:
            item = self._lines.get(timeout=timeout_s)
            if item is None:
                raise EOFError(f"the child ended after {self.seen}")
            self.seen.append(item)
            if item[1]["type"] in types and (item[1]["type"] != "progress" or item[1]["done"] > 0):
                return item[1]

    def end(self, timeout_s=60):
        while (item := self._lines.get(timeout=timeout_s)) is not None:
            self.seen.append(item)
        status = self.process.wait(timeout=timeout_s)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            pipe.close()
        return status

    @property
    def messages(self):
        return [message for _, message in self.seen]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("model") / "m.safetensors"
    save_model(path, small_card(), build_model(small_card()))
    return path


@pytest.fixture(scope="module")
def small_scene(tmp_path_factory):
    return write_tif(tmp_path_factory.mktemp("scene") / "small ü scene.tif", radar(40, 50), descriptions=("VV", "VH"))


@pytest.fixture(scope="module")
def large_scene(tmp_path_factory):
    """Takes the small model's windows, one at a time, far longer than any test waits."""
    return write_tif(tmp_path_factory.mktemp("scene") / "large.tif", radar(4000, 2000), descriptions=("VV", "VH"), tiled=True)


def request(scene, model, folder, **changes):
    bands = (BandSource("VV", str(scene), 1), BandSource("VH", str(scene), 2))
    outputs = OutputPaths(landcover=str(folder / "lc.tif"), attention=str(folder / "a.tif"))
    return JobRequest(bands, str(model), outputs, **changes)


def slow(scene, model, folder):
    return request(scene, model, folder, units="db", batch_size=1, precision="fp32")


def test_job_should_say_hello_ready_progress_and_end_with_one_result(small_scene, model, tmp_path):
    child = Child()
    child.send(request(small_scene, model, tmp_path))
    assert child.end() == 0
    types = [message["type"] for message in child.messages]
    assert types[0] == "hello"
    assert types.count("ready") == 1
    assert "progress" in types[types.index("ready") :]
    assert types[-1] == "result"
    assert sum(kind in ("result", "failure") for kind in types) == 1
    result = child.messages[-1]
    assert result["outputs"] == {"landcover": str(tmp_path / "lc.tif"), "attention": str(tmp_path / "a.tif")}
    assert (result["height"], result["width"], result["unit"]) == (40, 50, "db")
    ground_km2 = 40 * 50 * 100 / 1e6 / 0.9996**2  # 500,000 m east is the central meridian, where UTM's scale factor is 0.9996
    assert result["valid_area_km2"] == pytest.approx(ground_km2, rel=1e-4)
    assert sum(result["class_area_ha"].values()) == pytest.approx(100 * ground_km2, rel=1e-4)


def test_hello_should_come_before_torch_is_imported(model):
    child = Child(
        sys.executable, "-X", "importtime", "-P", "-m", "backend", "job",
    )  # fmt: skip
    child.until("hello")
    child.process.stdin.close()
    assert child.process.wait(timeout=30) == 130
    imported = child.process.stderr.read().decode()
    assert "backend.protocol" in imported
    assert "torch" not in imported


def test_progress_should_come_at_least_each_second(large_scene, model, tmp_path):
    child = Child()
    child.send(slow(large_scene, model, tmp_path))
    child.until("ready")
    started_s = time.monotonic()
    while time.monotonic() - started_s < 3:
        child.until("progress")
    child.send(Cancel())
    assert child.end() == 130
    times_s = [at_s for at_s, message in child.seen if message["type"] == "progress"]
    assert max(np.diff(times_s)) < 2.5  # sent each second; the rest is for a machine that is busy with other tests


def test_cancel_should_stop_within_a_moment_and_leave_nothing(large_scene, model, tmp_path):
    child = Child()
    child.send(slow(large_scene, model, tmp_path))
    child.until("progress")
    child.send(Cancel())
    asked_s = time.monotonic()
    assert child.end() == 130
    assert time.monotonic() - asked_s < 5
    assert child.messages[-1]["type"] == "failure"
    assert child.messages[-1]["code"] == "cancelled"
    assert list(tmp_path.iterdir()) == []


def test_end_of_stdin_should_cancel(large_scene, model, tmp_path):
    child = Child()
    child.send(slow(large_scene, model, tmp_path))
    child.until("progress")
    child.process.stdin.close()
    assert child.end() == 130
    assert child.messages[-1]["code"] == "cancelled"
    assert list(tmp_path.iterdir()) == []


PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-P", "-m", "backend", "job"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdin.write(sys.argv[1].encode()); child.stdin.flush()
for line in child.stdout:
    if b'"progress"' in line and b'"done": 0' not in line:
        break
print(child.pid, flush=True)
time.sleep(600)
"""


def test_death_of_the_parent_should_end_the_child_and_leave_nothing(large_scene, model, tmp_path):
    import psutil

    command = [sys.executable, "-c", PARENT, encode(slow(large_scene, model, tmp_path))]
    parent = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE)
    child = psutil.Process(int(parent.stdout.readline()))
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    child.wait(timeout=20)
    assert list(tmp_path.iterdir()) == []


def test_killed_child_should_leave_at_most_part_files_which_the_next_run_replaces(large_scene, small_scene, model, tmp_path):
    child = Child()
    child.send(slow(large_scene, model, tmp_path))
    child.until("progress")
    child.process.kill()
    assert child.end() == -signal.SIGKILL
    assert {path.name for path in tmp_path.iterdir()} <= {"lc.tif.part", "a.tif.part", "a.tif.part.rows"}
    again = Child()
    again.send(request(small_scene, model, tmp_path))
    assert again.end() == 0
    assert {path.name for path in tmp_path.iterdir()} == {"lc.tif", "a.tif"}


def test_garbage_during_a_run_should_be_ignored(small_scene, model, tmp_path):
    child = Child()
    child.send(request(small_scene, model, tmp_path))
    child.send(b"garbage\n\xff\xfe\n{}\n[1]\n")
    assert child.end() == 0
    assert child.messages[-1]["type"] == "result"


@pytest.mark.parametrize("line", [b"garbage\n", b"{}\n", b'{"type": "hello"}\n', b"\xff\n", b"x" * 3_000_000 + b"\n"])
def test_garbage_instead_of_a_request_should_be_refused(line):
    child = Child()
    child.until("hello")
    try:
        child.send(line)
    except BrokenPipeError:
        line = b""  # it had read enough
    assert child.end() == 2
    assert child.messages[-1]["code"] in ("request_invalid", "protocol_mismatch")


def test_request_of_another_protocol_version_should_be_refused(small_scene, model, tmp_path):
    child = Child()
    child.send(request(small_scene, model, tmp_path, protocol=99))
    assert child.end() == 2
    assert child.messages[-1]["code"] == "protocol_mismatch"


def test_cancel_instead_of_a_request_should_end_as_cancelled():
    child = Child()
    child.send(Cancel())
    assert child.end() == 130


def test_refusal_should_be_one_failure_with_status_2(model, tmp_path):
    child = Child()
    child.send(request(tmp_path / "none.tif", model, tmp_path))
    assert child.end() == 2
    assert child.messages[-1]["type"] == "failure"
    assert child.messages[-1]["code"] == "source_missing"
    assert child.messages[-1]["refused"] is True


NOISY = """
import os, sys
sys.argv = ["backend", "job"]
import backend.job_stream as stream
kept = stream.Outbox
def outbox():
    made = kept()
    print("python prints this")
    os.write(1, b"a C library prints this\\n")
    os.system("echo a grandchild prints this")
    return made
stream.Outbox = outbox
import backend.commands
backend.commands.Outbox = outbox
from backend.__main__ import main
sys.exit(main(["job"]))
"""


def test_stdout_should_carry_the_protocol_alone_whatever_is_printed(small_scene, model, tmp_path):
    child = Child(sys.executable, "-c", NOISY)
    child.send(request(small_scene, model, tmp_path))
    child.until("result")
    assert child.process.wait(timeout=30) == 0
    printed = child.process.stderr.read().decode()
    assert all(text in printed for text in ("python prints this", "a C library prints this", "a grandchild prints this"))


def test_ctrl_c_should_cancel_predict_with_status_130(large_scene, model, tmp_path):
    command = [sys.executable, "-m", "backend", "predict", "--band", f"VV={large_scene}:1", "--band", f"VH={large_scene}:2"]
    command += ["--model", str(model), "--landcover", str(tmp_path / "lc.tif"), "--units", "db", "--batch-size", "1"]
    child = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    deadline_s = time.monotonic() + 60
    while not list(tmp_path.glob("*.part")) and time.monotonic() < deadline_s:
        time.sleep(0.05)
    time.sleep(0.5)
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=30)
    assert child.returncode == 130, err
    assert b"Traceback" not in err
    assert list(tmp_path.iterdir()) == []


def test_outputs_should_open_in_another_process(small_scene, model, tmp_path):
    child = Child()
    child.send(request(small_scene, model, tmp_path))
    assert child.end() == 0
    with (
        rasterio.open(small_scene) as scene,
        rasterio.open(tmp_path / "lc.tif") as landcover,
        rasterio.open(tmp_path / "a.tif") as attention,
    ):
        assert landcover.crs == scene.crs
        assert landcover.transform == scene.transform
        assert landcover.shape == scene.shape
        assert attention.shape == (5, 7)
        tags = landcover.tags()
    assert tags["SARDINE_MODEL"] == "test model"
    assert "small ü scene.tif" in tags["SARDINE_SOURCES"]
