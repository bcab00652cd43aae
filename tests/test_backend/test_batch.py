# SPDX-License-Identifier: GPL-2.0-or-later
"""`batch`: real clusters, real worker processes, and what a kill or a cancel of any of them leaves."""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import rasterio
import torch
from distributed import Client, LocalCluster, Security

from backend.__main__ import main
from backend.batch import cluster as clusters
from backend.batch.scenes import find_scenes, group_sources
from backend.network.model import build_model
from backend.network.model_file import save_model
from backend.output import map_writer
from backend.protocol import (
    BandSource,
    BatchRequest,
    BatchScene,
    Cancel,
    JobRequest,
    JobWarning,
    OutputPaths,
    Progress,
    SardineError,
    SceneOutcome,
    encode,
)
from backend.tasks import run_request
from tests.test_backend.cards import small_card
from tests.test_backend.rasters import backscatter_db, write_raster, write_scene

ROOT = Path(__file__).parents[2]
SLOW_PX = 256
"""Side of a scene that takes the small model some seconds, a window at a time."""


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("batch") / "m.safetensors"
    save_model(path, small_card(), build_model(small_card()))
    return path


@pytest.fixture
def scenes(tmp_path):
    """A scene in one file, one in two files, and a file that is no raster."""
    folder = tmp_path / "Szenen [a]"
    folder.mkdir()
    write_scene(folder / "both.tif")
    values = backscatter_db(seed=2)
    write_raster(folder / "S1A_VV_may.tif", values[0])
    write_raster(folder / "S1A_VH_may.tif", values[1])
    (folder / "broken.tif").write_text("no raster")
    return folder


def slow_scenes(folder: Path, names: str) -> Path:
    folder.mkdir()
    for seed, name in enumerate(names):
        write_scene(folder / f"{name}.tif", height=SLOW_PX, width=SLOW_PX, seed=seed)
    return folder


def rows_of(table: Path) -> dict[str, dict[str, str]]:
    with table.open(encoding="utf-8", newline="") as file:
        return {row["scene"]: row for row in csv.DictReader(file)}


def start(arguments: list[str], **options: object) -> subprocess.Popen:
    command = [sys.executable, "-m", "backend", *arguments]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, **options)


def workers_of(process: subprocess.Popen) -> list[psutil.Process]:
    """Worker processes: children that are not Python's tracker of semaphores."""
    try:
        children = psutil.Process(process.pid).children(recursive=True)
        return [child for child in children if "spawn_main" in " ".join(child.cmdline())]
    except psutil.Error:
        return []


def maps(worker: psutil.Process, output: str) -> bool:
    """Whether the worker holds the unfinished file of that output open."""
    try:
        return any(Path(file.path).name == f"{output}.tif.part" for file in worker.open_files())
    except psutil.Error:
        return False


def wait_for(condition, seconds: float = 900.0) -> bool:
    until_s = time.monotonic() + seconds
    while time.monotonic() < until_s:
        if condition():
            return True
        time.sleep(0.01)
    return False


def test_batch_should_map_each_scene_report_failures_and_keep_what_exists(scenes, model, tmp_path, capsys):
    out = tmp_path / "maps"
    command = ["batch", "--scenes", str(scenes), "--out", str(out), "--model", str(model), "--device", "cpu", "--units", "db"]
    assert main(command) == 3  # one of the scenes failed
    printed = capsys.readouterr()
    assert printed.out.splitlines()[0] == "Scenes: 2 done, 1 failed"
    made = [
        "S1A_may_confidence.tif",
        "S1A_may_landcover.tif",
        "batch.csv",
        "batch.html",
        "both_confidence.tif",
        "both_landcover.tif",
    ]
    assert sorted(path.name for path in out.iterdir()) == made
    first = rows_of(out / "batch.csv")
    assert {name: row["state"] for name, row in first.items()} == {"both": "done", "S1A_may": "done", "broken": "failed"}
    assert first["broken"]["reason"].startswith("broken.tif is not a raster")
    assert first["both"]["attempts"] == "1"
    with rasterio.open(out / "both_landcover.tif") as dataset:
        codes = dataset.read(1)
        assert dataset.tags()["SARDINE_SOURCES"].count("both.tif") == 2
    for item in small_card().classes:
        wanted_ha = np.count_nonzero(codes == item.code) * 0.01
        assert float(first["both"][f"{item.code} {item.name} (ha)"]) == pytest.approx(wanted_ha, rel=2e-3)
    page = (out / "batch.html").read_text(encoding="utf-8")
    assert "2 done, 1 failed" in page
    assert "broken: broken.tif is not a raster" in page
    assert "trained on simulated scenes only" in page

    before = {path: path.stat().st_mtime_ns for path in out.glob("*.tif")}
    (scenes / "broken.tif").unlink()
    assert main(command) == 0
    assert {path: path.stat().st_mtime_ns for path in out.glob("*.tif")} == before
    again = rows_of(out / "batch.csv")
    assert {row["state"] for row in again.values()} == {"skipped"}
    figures = [name for name in first["both"] if name.endswith("(ha)") or name in ("valid_area_km2", "mean_confidence_percent")]
    assert {name: again["both"][name] for name in figures} == {name: first["both"][name] for name in figures}


def test_scene_should_be_the_same_as_predict_makes_it_whatever_workers_die(model, tmp_path):
    """The worker of `a` is killed once, each worker that tries `b`, none of `c`."""
    scenes, out = slow_scenes(tmp_path / "scenes", "abc"), tmp_path / "maps"
    command = ["batch", "--scenes", str(scenes), "--out", str(out), "--model", str(model), "--device", "cpu", "--batch-size", "1"]
    process = start([*command, "--json"])
    killed: list[tuple[str, int]] = []

    def kill() -> bool:
        for worker in workers_of(process):
            for name, most in (("a", 1), ("b", 9)):
                begun = (name, worker.pid)
                if begun not in killed and sum(done == name for done, _ in killed) < most and maps(worker, f"{name}_landcover"):
                    os.kill(worker.pid, signal.SIGKILL)
                    killed.append(begun)
        return process.poll() is not None

    assert wait_for(kill)
    stdout, stderr = process.communicate()
    assert [name for name, _ in killed] == ["a", "b", "b"], stderr.decode()
    assert process.returncode == 3
    assert json.loads(stdout)["figures"] == {"done": 2.0, "skipped": 0.0, "failed": 1.0}
    rows = rows_of(out / "batch.csv")
    assert {name: (row["state"], row["attempts"]) for name, row in rows.items()} == {
        "a": ("done", "2"),
        "b": ("failed", "2"),
        "c": ("done", "1"),
    }
    assert rows["b"]["reason"].startswith("The worker process died while it mapped the scene")
    whole = [f"{name}_{output}.tif" for name in "ac" for output in ("confidence", "landcover")]
    assert sorted(path.name for path in out.iterdir()) == [*whole[:2], "batch.csv", "batch.html", *whole[2:]]
    predict = ["predict", "--scene", str(scenes / "a.tif"), "--model", str(model), "--device", "cpu", "--batch-size", "1"]
    assert main([*predict, "--landcover", str(tmp_path / "lc.tif"), "--confidence", str(tmp_path / "c.tif")]) == 0
    for alone, batch in (("lc.tif", "a_landcover.tif"), ("c.tif", "a_confidence.tif")):
        with rasterio.open(tmp_path / alone) as one, rasterio.open(out / batch) as other:
            np.testing.assert_array_equal(one.read(), other.read())


def test_workers_should_end_with_a_batch_that_is_killed(model, tmp_path):
    scenes, out = slow_scenes(tmp_path / "scenes", "a"), tmp_path / "maps"
    command = ["batch", "--scenes", str(scenes), "--out", str(out), "--model", str(model), "--device", "cpu", "--batch-size", "1"]
    process = start(command)
    assert wait_for(lambda: (out / "a_landcover.tif.part").exists())
    workers = workers_of(process)
    assert workers
    process.kill()
    process.communicate()
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert alive == []
    assert not (out / "a_landcover.tif").exists()


def test_cancel_should_keep_what_is_done_tell_of_the_rest_and_leave_no_process(model, tmp_path):
    scenes, out = slow_scenes(tmp_path / "scenes", "abc"), tmp_path / "maps"
    request = BatchRequest(
        scenes=tuple(BatchScene(name, (BandSource("", str(scenes / f"{name}.tif"), 0),)) for name in "abc"),
        folder=str(out),
        settings=JobRequest((), str(model), OutputPaths(), device="cpu", batch_size=1),
        outputs=("landcover",),
        csv=str(out / "table.csv"),
    )
    process = start(["job"], stdin=subprocess.PIPE)
    process.stdin.write(encode(request).encode())
    process.stdin.flush()
    assert wait_for(lambda: (out / "b_landcover.tif.part").exists())
    workers = workers_of(process)
    messages = process.communicate(encode(Cancel()).encode(), timeout=900)[0].decode().splitlines()
    assert process.returncode == 130
    end = json.loads(messages[-1])
    assert (end["type"], end["code"]) == ("failure", "cancelled")
    assert "1 done, 1 cancelled, 1 not begun" in end["needed"]
    told = {message["name"]: message["state"] for message in map(json.loads, messages) if message["type"] == "scene"}
    assert told == {"a": "done", "b": "cancelled"}
    assert sorted(path.name for path in out.iterdir()) == ["a_landcover.tif", "table.csv"]
    assert {name: row["state"] for name, row in rows_of(out / "table.csv").items()} == {
        "a": "done",
        "b": "cancelled",
        "c": "not begun",
    }
    assert psutil.wait_procs(workers, timeout=10)[1] == []


def test_batch_that_was_cancelled_should_go_on_in_the_middle_of_a_scene(model, tmp_path, monkeypatch):
    monkeypatch.setattr(map_writer, "SAVE_S", 0.0)  # workers are threads of this process
    scenes, out = slow_scenes(tmp_path / "scenes", "a"), tmp_path / "maps"
    settings = JobRequest((), str(model), OutputPaths(), device="cpu", batch_size=1, overlap=0.5, resume=True)
    request = BatchRequest(tuple(find_scenes([str(scenes)])), str(out), settings, outputs=("landcover",))
    told: list[object] = []

    def half_done() -> bool:
        return any(isinstance(message, Progress) and message.done > 0.4 * message.total for message in told)

    with LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None) as there:
        request = dataclasses.replace(request, scheduler=there.scheduler_address)
        with pytest.raises(SardineError, match="1 cancelled"):
            run_request(request, told.append, half_done)
        assert {"a_landcover.tif.part", "a_landcover.tif.part.json"} <= {path.name for path in out.iterdir()}
        told.clear()
        run_request(request, told.append, lambda: False)
    resumed = [message.text for message in told if isinstance(message, JobWarning) and message.code == "resumed"]
    assert [text.partition(":")[0] for text in resumed] == ["a"]
    assert [path.name for path in out.iterdir()] == ["a_landcover.tif"]
    alone = JobRequest(
        (BandSource("", str(scenes / "a.tif"), 0),), str(model), OutputPaths(landcover=str(tmp_path / "alone.tif")),
        device="cpu", batch_size=1, overlap=0.5,
    )  # fmt: skip
    run_request(alone, lambda _: None, lambda: False)
    with rasterio.open(tmp_path / "alone.tif") as one, rasterio.open(out / "a_landcover.tif") as other:
        np.testing.assert_array_equal(one.read(), other.read())


def test_cluster_that_is_there_should_be_used_and_left_running(scenes, model, tmp_path):
    """What is refused is tried once; a file that breaks off in the middle, which nothing foresees, is tried twice."""
    write_damaged(scenes / "damaged.tif")
    told: list[SceneOutcome] = []
    request = BatchRequest(
        tuple(find_scenes([str(scenes)])),
        str(tmp_path / "maps"),
        JobRequest((), str(model), OutputPaths(), units="db", device="cpu"),
    )
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, memory_limit=0) as there:
        request = dataclasses.replace(request, scheduler=there.scheduler_address)
        result = run_request(request, lambda m: told.append(m) if isinstance(m, SceneOutcome) else None, lambda: False)
        assert len(there.workers) == 2
    assert (result.figures, result.partial) == ({"done": 2.0, "skipped": 0.0, "failed": 2.0}, True)
    ends = {(outcome.name, outcome.failure.code if outcome.failure else "", outcome.attempts) for outcome in told}
    assert ends == {
        ("both", "", 1),
        ("S1A_may", "", 1),
        ("broken", "source_not_raster", 1),
        ("damaged", "source_unreadable", 2),
    }
    assert not list((tmp_path / "maps").glob("damaged*"))


def write_damaged(path: Path) -> None:
    """A scene with one broken tile that lies between those blocks that are sampled when it is opened."""
    write_scene(path, height=1100, width=1100, tiled=True, blockxsize=16, blockysize=16, compress="deflate")
    with rasterio.open(path) as dataset:
        offset = int(dataset.get_tag_item("BLOCK_OFFSET_4_4", "TIFF", bidx=1))
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"\xff" * 40)


def test_cluster_that_is_not_there_should_be_refused(scenes, model, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(clusters, "CONNECT_S", 1)
    command = ["batch", "--scenes", str(scenes), "--out", str(tmp_path / "maps"), "--model", str(model)]
    assert main([*command, "--scheduler", "tcp://127.0.0.1:9"]) == 2
    error = capsys.readouterr().err
    assert "cluster_unavailable: The cluster at tcp://127.0.0.1:9 cannot be used" in error
    assert "dask worker tcp://127.0.0.1:9 --nthreads 1" in error


def test_workers_of_this_machine_should_listen_to_nobody_else():
    with clusters.open_cluster(None, "cpu") as cluster:
        here = psutil.Process()
        listening = [
            connection.laddr.ip
            for process in (here, *here.children(recursive=True))
            for connection in process.net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN
        ]
        assert len(listening) >= 2  # scheduler and worker
        assert set(listening) == {"127.0.0.1"}
        with pytest.raises(OSError, match=r"Timed out trying to connect|certificate|SSL"):  # a key, but not that of this run
            Client(cluster.client.scheduler.address, security=Security.temporary(), timeout=2, set_as_default=False)


def test_scenes_should_be_rasters_with_two_polarisations_joined_and_outputs_left_out(scenes):
    write_scene(scenes / "both_landcover.tif")
    write_scene(scenes / "land_landcover.tif")  # a scene: no other is called “land”
    names = [(scene.name, [Path(band.path).name for band in scene.bands]) for scene in find_scenes([str(scenes)])]
    assert names == [
        ("S1A_may", ["S1A_VV_may.tif", "S1A_VH_may.tif"]),
        ("both", ["both.tif"]),
        ("broken", ["broken.tif"]),
        ("land_landcover", ["land_landcover.tif"]),
    ]
    pattern = str(scenes / "b*.tif").replace("[a]", "[[]a]")
    assert [scene.name for scene in find_scenes([pattern])] == ["both", "broken"]
    assert [scene.problem for scene in find_scenes([str(scenes / "both.tif"), str(scenes / "both.tif")])] == [""]
    (scenes / "below").mkdir()
    write_scene(scenes / "below" / "both.tif")
    problems = [scene.problem for scene in find_scenes([str(scenes / "both.tif"), str(scenes / "below" / "both.tif")])]
    assert problems[0] == ""
    assert "the same names as those of" in problems[1]
    assert group_sources(["x_vh.tif", "x_vv.tif", "y_vv.tif"]) == [("x_vv.tif", "x_vh.tif"), ("y_vv.tif",)]
    with pytest.raises(SardineError, match="names no scene"):
        find_scenes([str(scenes / "*.img")])


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["--outputs", "landcover", "--mosaic", "m.tif"], "A mosaic was asked for without land cover and confidence"),
        (["--csv", "table.txt"], "is not named as a CSV file"),
    ],
)
def test_batch_should_refuse_what_cannot_be_before_it_starts(arguments, found, scenes, model, tmp_path, capsys):
    assert main(["batch", "--scenes", str(scenes), "--out", str(tmp_path / "m"), "--model", str(model), *arguments]) == 2
    assert found in capsys.readouterr().err
