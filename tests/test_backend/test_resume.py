# SPDX-License-Identifier: GPL-2.0-or-later
"""A run that was killed or stopped goes on and gives the pixels of one that was not; or it is refused, and nothing is lost."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.network.model import build_model
from backend.network.model_file import save_model
from tests.test_backend.cards import small_card
from tests.test_backend.standins import speckled_scene
from tests.test_backend.test_bad_input import write_tif

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows cannot fork, by which the runs are started")

ROOT = Path(__file__).parents[2]
OUTPUTS = ("landcover", "confidence", "probabilities", "attention")
SCOPES = ("scene", "window")


@pytest.fixture(scope="module")
def server():
    """Starts runs: takes arguments and the moment to kill at, gives status, what was printed and the number of moments."""
    command = [sys.executable, "-m", "tests.test_backend.fork_server"]
    child = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(arguments, kill_at=None):
        child.stdin.write(json.dumps({"arguments": [str(part) for part in arguments], "kill_at": kill_at}) + "\n")
        child.stdin.flush()
        return json.loads(child.stdout.readline())

    yield ask
    child.stdin.close()
    child.wait(timeout=60)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    for seed in (0, 1):
        torch.manual_seed(seed)
        save_model(folder / f"{seed}.safetensors", small_card(), build_model(small_card()))
    return folder


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """In degrees, so that it is warped; with a strip that holds no data, as whole tiles and rows of windows then do."""
    db = speckled_scene(600, 100, seed=9)
    db[:, 90:200] = np.nan
    db[:, 200:270, :70] = np.nan
    folder = tmp_path_factory.mktemp("scene")
    return write_tif(
        folder / "scene.tif", db, descriptions=("VV", "VH"), crs="EPSG:4326", nodata=np.nan,
        transform=rasterio.transform.from_origin(11.0, 48.0, 1.3e-4, 9e-5),
    )  # fmt: skip


def arguments(scene, model, folder, *extra, scope="scene", outputs=OUTPUTS, overlap=0.25):
    targets = [part for name in outputs for part in (f"--{name}", folder / f"{name}.tif")]
    settings = ["--batch-size", "3", "--overlap", overlap, "--attention-scope", scope, "--device", "cpu", "--precision", "fp32"]
    return ["predict", "--scene", scene, "--units", "db", "--model", model, "--json", *settings, *targets, *extra]


def pixels(folder):
    found = {}
    for name in OUTPUTS:
        with rasterio.open(folder / f"{name}.tif") as file:
            found[name] = [file.read(), *(file.read(1, out_shape=(file.height // 2, file.width // 2)) for _ in file.overviews(1))]
            assert file.tags()["SARDINE_MODEL"]
    return found


def sizes(folder):
    return {name: (folder / f"{name}.tif").stat().st_size for name in OUTPUTS}


def result_of(answer):
    result = json.loads([line for line in answer["printed"].splitlines() if line.startswith("{")][-1])
    return {key: result[key] for key in ("valid_share", "mean_confidence_percent", "class_area_ha", "windows_run", "windows_total")}


@pytest.fixture(scope="module")
def whole(server, scene, models, tmp_path_factory):
    """By scope: the pixels, the figures and the number of moments of a run that is not interrupted."""
    found = {}
    for scope in SCOPES:
        folder = tmp_path_factory.mktemp(scope)
        answer = server(arguments(scene, models / "0.safetensors", folder, scope=scope))
        assert answer["status"] == 0, answer["printed"]
        found[scope] = pixels(folder), result_of(answer), sizes(folder), answer["moments"]
    return found


def assert_same(folder, answer, whole):
    expected, figures, expected_sizes, _ = whole
    assert answer["status"] == 0, answer["printed"]
    assert sorted(path.name for path in folder.iterdir()) == sorted(f"{name}.tif" for name in OUTPUTS)
    found = pixels(folder)
    for name in OUTPUTS:
        assert len(found[name]) == len(expected[name])
        for one, other in zip(found[name], expected[name], strict=True):
            np.testing.assert_array_equal(one, other, err_msg=name)
    assert result_of(answer) == figures
    for name, size in sizes(folder).items():
        assert abs(size - expected_sizes[name]) < 200  # tags hold times; nothing of what was cut back is left in a file


def state_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@settings(deadline=None, max_examples=12, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kills=st.lists(st.floats(0.02, 1.0), min_size=1, max_size=3), scope=st.sampled_from(SCOPES))
def test_run_that_is_killed_at_any_moment_should_go_on_to_the_same_pixels(kills, scope, server, scene, models, whole, tmp_path):
    folder = tmp_path / "out"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    moments = whole[scope][-1]
    for number, kill in enumerate(kills):
        # The first is a plain run: nobody knows beforehand that it will be killed.
        again = ("--resume", "--overwrite") if number else ()
        answer = server(arguments(scene, models / "0.safetensors", folder, *again, scope=scope), max(1, int(kill * moments)))
        assert answer["status"] in (-9, 0), answer["printed"]  # a run that goes on has fewer moments, and may come to its end
    answer = server(arguments(scene, models / "0.safetensors", folder, "--resume", "--overwrite", scope=scope))
    assert_same(folder, answer, whole[scope])


@pytest.fixture(scope="module")
def killed_once(server, scene, models, whole, tmp_path_factory):
    """The folder of a run that was killed when most of it was done, and what was in it."""
    folder = tmp_path_factory.mktemp("killed")
    answer = server(arguments(scene, models / "0.safetensors", folder), int(0.8 * whole["scene"][-1]))
    assert answer["status"] == -9
    return folder, state_of(folder)


@pytest.fixture
def killed(killed_once):
    """The folder of that run, as it was after the kill."""
    folder, files = killed_once
    for path in folder.iterdir():
        path.unlink()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def test_run_that_goes_on_should_not_do_again_what_is_done(server, scene, models, whole, killed):
    answer = server(arguments(scene, models / "0.safetensors", killed, "--resume"))
    assert_same(killed, answer, whole["scene"])
    assert "sampling the scene" not in answer["printed"]  # the query is in the journal
    done = re.search(r"unfinished one was: (\d+) of (\d+) rows of windows were done", answer["printed"])
    assert int(done[1]) > int(done[2]) // 2
    assert answer["moments"] < whole["scene"][-1] // 2


def journal_of(folder):
    return folder / "landcover.tif.part.json"


def spoil_a_tile(folder):
    tiles = json.loads(journal_of(folder).read_text())["rasters"]["confidence"]["tiles"]
    with (folder / "confidence.tif.part").open("r+b") as file:
        file.seek(tiles[0][0] + 5)
        byte = file.read(1)
        file.seek(tiles[0][0] + 5)
        file.write(bytes([byte[0] ^ 1]))


DAMAGES = {
    "part that was cut short": lambda folder: os.truncate(folder / "landcover.tif.part", 3000),
    "part that is gone": lambda folder: (folder / "probabilities.tif.part").unlink(),
    "part with another tile": spoil_a_tile,
    "rows that were cut short": lambda folder: os.truncate(folder / "attention.tif.part.rows", 100),
    "journal that breaks off": lambda folder: os.truncate(journal_of(folder), 500),
    "journal of another format": lambda folder: journal_of(folder).write_text('{"format": 99}'),
    "journal that is no journal": lambda folder: journal_of(folder).write_text("[1, 2]"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_files_that_do_not_fit_should_be_refused_in_one_sentence_and_left_alone(name, server, scene, models, killed):
    DAMAGES[name](killed)
    assert_refused(server(arguments(scene, models / "0.safetensors", killed, "--resume")), killed, "landcover.tif.part.json")


def assert_refused(answer, folder, says):
    assert answer["status"] == 2, answer["printed"]
    failure = json.loads(answer["printed"].splitlines()[-2])
    assert failure["code"] == "resume_refused"
    assert says in failure["found"]
    assert failure["found"].count(". ") == 0
    assert failure["found"].endswith(".")


OTHERS = {
    "model": {"model": "1.safetensors"},
    "overlap of windows": {"overlap": 0.5},
    "kind of attention": {"scope": "window"},
    "set of outputs": {"outputs": OUTPUTS[:2]},
    "area": {"extra": ("--bounds", 11.002, 47.96, 11.008, 47.99, "--bounds-crs", "EPSG:4326")},
    "device or precision": {"extra": ("--precision", "bf16")},
}


@pytest.mark.parametrize("name", OTHERS)
def test_another_run_should_be_refused_and_lose_nothing(name, server, scene, models, whole, killed):
    change = {"model": "0.safetensors", "extra": (), **OTHERS[name]}
    model, extra = models / change.pop("model"), change.pop("extra")
    before = state_of(killed)
    answer = server(arguments(scene, model, killed, "--resume", *extra, **change))
    assert_refused(answer, killed, f"another {name}")
    assert state_of(killed) == before
    if name == "model":
        assert_same(killed, server(arguments(scene, models / "0.safetensors", killed, "--resume")), whole["scene"])


def test_scene_that_was_changed_should_be_refused(server, scene, models, killed, tmp_path):
    other = shutil.copy2(scene, tmp_path / "other.tif")
    assert_refused(server(arguments(other, models / "0.safetensors", killed, "--resume")), killed, "another scene")
    status = scene.stat()
    os.utime(scene, ns=(status.st_atime_ns, status.st_mtime_ns + 10**9))
    try:
        assert_refused(server(arguments(scene, models / "0.safetensors", killed, "--resume")), killed, "another scene")
    finally:
        os.utime(scene, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_two_runs_should_not_go_on_with_the_same_files(server, scene, models, whole, killed):
    fcntl = pytest.importorskip("fcntl", reason="Windows has no such locks")
    before = state_of(killed)
    with (killed / "landcover.tif.part").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert_refused(server(arguments(scene, models / "0.safetensors", killed, "--resume")), killed, "Another run is writing")
    assert state_of(killed) == before
    assert_same(killed, server(arguments(scene, models / "0.safetensors", killed, "--resume")), whole["scene"])


def test_run_that_begins_anew_should_leave_nothing_of_the_killed_one(server, scene, models, whole, killed):
    assert_same(killed, server(arguments(scene, models / "0.safetensors", killed)), whole["scene"])


def test_resume_without_an_unfinished_run_should_begin(server, scene, models, whole, tmp_path):
    answer = server(arguments(scene, models / "0.safetensors", tmp_path, "--resume"))
    assert_same(tmp_path, answer, whole["scene"])
    assert "goes on" not in answer["printed"]
    assert server(arguments(scene, models / "0.safetensors", tmp_path, "--resume"))["status"] == 2  # it is there, and stays


@pytest.mark.parametrize("resume", [False, True])
def test_run_that_is_stopped_should_be_kept_only_where_that_is_asked_for(resume, server, scene, models, whole, tmp_path):
    extra = ("--resume",) if resume else ()
    answer = server(arguments(scene, models / "0.safetensors", tmp_path, *extra), -int(0.6 * whole["scene"][-1]))
    assert answer["status"] == 130, answer["printed"]
    failure = json.loads(answer["printed"].splitlines()[-2])
    assert failure["code"] == "cancelled"
    if resume:
        assert re.fullmatch(r"\d+ of 25 rows of windows are kept: --resume goes on from there.", failure["action"])
        assert_same(tmp_path, server(arguments(scene, models / "0.safetensors", tmp_path, "--resume")), whole["scene"])
    else:
        assert failure["action"] == "Nothing was written."
        assert list(tmp_path.iterdir()) == []
