# SPDX-License-Identifier: GPL-2.0-or-later
"""What goes wrong while a run is under way: exit status 3, its code and sentence, no traceback, and nothing left on disk."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch

from backend.__main__ import main
from backend.job import run_job
from backend.network.model import build_model
from backend.network.model_file import save_model
from backend.protocol import BandSource, ErrorCode, JobRequest, OutputPaths, Progress, SardineError
from tests.test_backend.cards import small_card
from tests.test_backend.test_bad_input import radar, write_tif

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("model") / "m.safetensors"
    save_model(path, small_card(), build_model(small_card()))
    return path


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def arguments(scene, model, out, *extra):
    outputs = [part for name in ("landcover", "attention") for part in (f"--{name}", str(out / f"{name}.tif"))]
    return ["predict", "--band", f"VV={scene}:1", "--band", f"VH={scene}:2", "--model", str(model), *outputs, "--json", *extra]


def request(scene, model, out):
    bands = (BandSource("VV", str(scene), 1), BandSource("VH", str(scene), 2))
    return JobRequest(bands, str(model), OutputPaths(landcover=str(out / "landcover.tif")))


def failure_of(capsys):
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err
    failure = json.loads(printed.out.splitlines()[-1])
    assert failure["type"] == "failure"
    assert not failure["refused"]
    assert failure["found"].endswith(".")
    assert failure["action"].endswith(".")
    return failure


def spoil_a_tile(path, row, column):
    """Overwrites the compressed tile in which this pixel of band 1 lies."""
    with rasterio.open(path) as dataset:
        height, width = dataset.block_shapes[0]
        offset, size = (
            int(dataset.get_tag_item(f"BLOCK_{what}_{column // width}_{row // height}", "TIFF", bidx=1))
            for what in ("OFFSET", "SIZE")
        )
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"\xff" * size)


def test_read_error_half_way_should_be_told_with_the_file_and_leave_nothing(model, out, tmp_path, capsys):
    # Larger than the checks before the run read: 12 x 12 blocks of 64 px, and the last rows.
    scene = write_tif(
        tmp_path / "damaged scene.tif", radar(1100, 1600), descriptions=("VV", "VH"), tiled=True, blockxsize=32, blockysize=32,
        compress="deflate", interleave="band",
    )  # fmt: skip
    spoil_a_tile(scene, 96 + 80, 90)
    assert main(arguments(scene, model, out, "--bounds", "500000", "5396000", "502000", "5400000")) == 3
    failure = failure_of(capsys)
    assert failure["code"] == "source_unreadable"
    assert "damaged scene.tif" in failure["found"]
    assert list(out.iterdir()) == []


def test_scene_deleted_while_running_should_not_lose_the_map(model, out, tmp_path):
    """Files that are open stay readable on POSIX: nothing may want the name again at the end of a run."""
    scene = write_tif(tmp_path / "scene.tif", radar(), descriptions=("VV", "VH"))

    def report(message):
        if isinstance(message, Progress) and message.stage == "mapping":
            scene.unlink(missing_ok=True)

    result = run_job(request(scene, model, out), report, lambda: False)
    assert not scene.exists()
    assert result.valid_share == 1.0
    assert [path.name for path in out.iterdir()] == ["landcover.tif"]


def test_scene_cut_short_while_running_should_be_told_and_leave_nothing(model, out, tmp_path):
    # More than GDAL keeps of it in memory.
    db = np.broadcast_to(radar(64, 1024).repeat(150, axis=1), (2, 9600, 1024))
    scene = write_tif(tmp_path / "scene.tif", db, descriptions=("VV", "VH"))

    def report(message):
        if isinstance(message, Progress) and message.stage == "mapping" and message.done:
            os.truncate(scene, 200_000)  # of 78 million

    with pytest.raises(SardineError) as caught:
        run_job(request(scene, model, out), report, lambda: False)
    assert caught.value.code is ErrorCode.SOURCE_UNREADABLE
    assert not caught.value.refused
    assert "scene.tif" in caught.value.found
    assert list(out.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps a folder with open files")
def test_output_folder_deleted_while_running_should_be_a_failure(model, out, tmp_path):
    scene = write_tif(tmp_path / "scene.tif", radar(600, 100), descriptions=("VV", "VH"))

    def report(message):
        if isinstance(message, Progress) and message.stage == "mapping" and out.exists():
            shutil.rmtree(out)

    with pytest.raises(SardineError) as caught:
        run_job(request(scene, model, out), report, lambda: False)
    assert caught.value.code is ErrorCode.OUTPUT_READ_ONLY
    assert not caught.value.refused
    assert not out.exists()


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=96k", "sardine-test", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("no mount command: a small disk cannot be made")
    if done.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_disk_that_fills_up_should_be_told_and_be_left_empty(model, small_disk, tmp_path, capsys):
    scene = write_tif(tmp_path / "scene.tif", radar(600, 600), descriptions=("VV", "VH"))
    confidence = ["--confidence", str(small_disk / "confidence.tif")]
    assert main([*arguments(scene, model, small_disk), *confidence]) == 3
    failure = failure_of(capsys)
    assert failure["code"] == "disk_full"
    assert str(small_disk) in failure["found"]
    assert list(small_disk.iterdir()) == []


def begun(scene, model, out, *extra):
    """A run in another process, that is mapping."""
    command = [sys.executable, "-m", "backend", *arguments(scene, model, out, "--batch-size", "1", *extra)]
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline_s = time.monotonic() + 60
    while len(list(out.glob("*.part"))) < 2 and time.monotonic() < deadline_s and child.poll() is None:
        time.sleep(0.02)
    return child


@pytest.fixture(scope="module")
def tall_scene(tmp_path_factory):
    return write_tif(tmp_path_factory.mktemp("scene") / "tall.tif", radar(3000, 600), descriptions=("VV", "VH"))


def test_second_run_on_the_same_outputs_should_win_and_the_first_should_say_why_it_failed(tall_scene, model, out, tmp_path):
    scene = write_tif(tmp_path / "scene.tif", radar(), descriptions=("VV", "VH"))
    first = begun(tall_scene, model, out)
    assert main(arguments(tmp_path / "none.tif", model, out)) == 2  # a run that is refused leaves the first alone
    assert len(list(out.glob("*.part"))) == 2
    assert main(arguments(scene, model, out)) == 0
    printed, err = first.communicate(timeout=100)
    failure = json.loads(printed.splitlines()[-1])
    assert (first.returncode, failure.get("code")) == (3, "output_read_only"), err
    assert "another program" in failure["found"]
    assert sorted(path.name for path in out.iterdir()) == ["attention.tif", "landcover.tif"]
    with rasterio.open(out / "landcover.tif") as file:
        assert file.shape == (64, 64)


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no such signals on Windows")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_terminal_that_is_closed_should_cancel_and_leave_nothing(tall_scene, model, out, name):
    child = begun(tall_scene, model, out)
    child.send_signal(getattr(signal, name))
    printed, err = child.communicate(timeout=60)
    assert child.returncode == 130, err
    assert json.loads(printed.splitlines()[-1])["code"] == "cancelled"
    assert list(out.iterdir()) == []


LITTLE_MEMORY = r"""
import re, resource, sys
import torch, rasterio, scipy  # noqa
from backend.__main__ import main
import backend.job
name, size, more_mb = sys.argv[1:4]
held = 1024 * int(re.search(size + r":\s+(\d+) kB", open("/proc/self/status").read())[1])
resource.setrlimit(getattr(resource, name), (held + int(more_mb) * 2**20,) * 2)
sys.exit(main(sys.argv[4:]))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux alone tells and limits a process's memory so")
@pytest.mark.parametrize(
    ("limit", "size", "more_mb", "window_px", "scope"),
    [
        ("RLIMIT_AS", "VmSize", 200, 2048, "window"),  # one window takes gigabytes
        ("RLIMIT_AS", "VmSize", 100, 512, "scene"),  # while the scene is sampled; GDAL could no longer start a thread then
        ("RLIMIT_DATA", "VmData", 60, 512, "scene"),
    ],
)
def test_memory_that_runs_out_should_be_told_and_leave_nothing(limit, size, more_mb, window_px, scope, out, tmp_path):
    scene = write_tif(tmp_path / "scene.tif", radar(64, 3000), descriptions=("VV", "VH"))
    wide = small_card(window_px=window_px)
    path = tmp_path / "wide.safetensors"
    save_model(path, wide, build_model(wide))
    one_window = ("--batch-size", "1", "--device", "cpu", "--attention-scope", scope)
    child = subprocess.run(
        [sys.executable, "-c", LITTLE_MEMORY, limit, size, str(more_mb), *arguments(scene, path, out, *one_window)],
        capture_output=True, text=True, timeout=200, env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert child.returncode == 3, child.stderr
    failure = json.loads(child.stdout.splitlines()[-1])
    assert failure["code"] == "out_of_memory", failure
    assert list(out.iterdir()) == []
