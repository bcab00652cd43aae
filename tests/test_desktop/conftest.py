# SPDX-License-Identifier: GPL-2.0-or-later
"""A desktop of its own: Xvfb with a window manager, a home folder with nothing in it but the package and a scene, and QGIS."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from scipy.ndimage import uniform_filter

from scripts import package

ROOT = package.ROOT
PICTURES = ROOT / "build" / "desktop"
"""Where the pictures and the log of the last visit stay."""

SCREEN = "1440x960x24"
LONGEST_VISIT_S = 480
"""About 80 s on two idle cores; a machine that trains a model beside takes several times as long to import torch."""

CREATES = bool(os.environ.get("SARDINE_CREATE"))
"""Whether the visitor has an environment made (minutes, gigabytes from the network) instead of naming a Python that is there."""

LONGEST_CREATION_S = 1800

SETTINGS = """[fonts]
downloadMissingFonts=false

[core]
httpsfeedqgisorg\\disabled=true

[app]
news-feed\\items\\httpsfeedqgisorg\\disabled=true
"""
"""Of an otherwise empty profile: no download of fonts and news at the start.

QGIS 3.40.6 dies at its end, without any plugin too, where a thread of its task manager has fetched something, rested for 30 s, runs
another task and is still there: what QgsAuthConfigurationStorageDb tied to the thread's end outlives it. QGIS's pull request 62429
mends that.
"""

CLASSES_DRAWN = {"water": 80, "fields": 40, "forest": 10}
"""Names of a new user's own, and WorldCover's codes of what they mean in a simulated scene."""

PROGRAMS = {"qgis": "qgis", "Xvfb": "xvfb", "openbox": "openbox"}


@dataclass(frozen=True)
class Visit:
    """What came of one visit: the lines of the report, QGIS's exit status, and the places that it used."""

    report: list[dict[str, Any]]
    status: int
    folder: Path
    profile: Path
    scene: Path
    original: Path
    python: Path
    left_processes: list[str]

    def told(self, key: str) -> Any:
        """What the story told under `key`."""
        found = [line[key] for line in self.report if key in line]
        assert found, f"the story never came to “{key}”; it ended with {self.report[-1]}; see {PICTURES}"
        return found[-1]


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SARDINE_SCENE, else a simulated one."""
    if os.environ.get("SARDINE_SCENE"):
        return Path(os.environ["SARDINE_SCENE"]).resolve()
    folder = tmp_path_factory.mktemp("simulated")
    line = ["-m", "training.run", "simulate", "--config", "training/configs/simulate_demo.yaml", "--out", str(folder)]
    subprocess.run([sys.executable, *line, "--height_px", "512", "--width_px", "512"], check=True, cwd=ROOT, timeout=300)
    return (folder / "scene_00000.tif").rename(folder / "simulated_coast.tif")


def places(scene: Path) -> dict[str, list[tuple[float, float]]]:
    """Where samples of each class are drawn, as shares of the scene's width and height from the upper left.

    SARDINE_PLACES names a file of them (JSON); else they are read off the label of a simulated scene. Of another scene nobody
    knows any, and none are drawn.
    """
    if os.environ.get("SARDINE_PLACES"):
        return json.loads(Path(os.environ["SARDINE_PLACES"]).read_text(encoding="utf-8"))
    label = scene.with_name("label_00000.tif")
    if not label.is_file():
        return {}
    with rasterio.open(label) as file:
        codes = file.read(1)
    found: dict[str, list[tuple[float, float]]] = {}
    half = round(0.022 * codes.shape[0])
    for name, code in CLASSES_DRAWN.items():
        pure = uniform_filter((codes == code).astype(np.float32), 2 * half + 1)[half:-half, half:-half]
        for _ in range(2):
            row, column = np.unravel_index(pure.argmax(), pure.shape)
            found.setdefault(name, []).append(((column + half) / codes.shape[1], (row + half) / codes.shape[0]))
            pure[max(row - 3 * half, 0) : row + 3 * half, max(column - 3 * half, 0) : column + 3 * half] = 0
    return found


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """Where all of the visit happens. Its name is short and tells nothing, for it is seen in the pictures."""
    made = Path(tempfile.mkdtemp(prefix="desk-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="session")
def visit(folder: Path, scene: Path) -> Visit:
    """One visit of a new user, from an empty profile to QGIS's end."""
    missing = [f"{program} (Debian: {name})" for program, name in PROGRAMS.items() if shutil.which(program) is None]
    assert not missing, f"not installed: {', '.join(missing)}; make desktop installs them on Debian as root"
    home = folder / "ada"
    (home / "Downloads").mkdir(parents=True)
    for name in ("person.py", "story.py", "classes_story.py", "creating.py", "leftovers.py"):
        shutil.copy(Path(__file__).with_name(name), folder)
    zip_file = package.build(home / "Downloads")
    shutil.copy(scene, home / scene.name)
    # A link, so that no picture shows where this clone lies.
    (home / "sardine-env").symlink_to(Path(sys.prefix))
    python = home / "sardine-env" / "bin" / "python"
    plan = {"package": str(zip_file), "scene": str(home / scene.name), "python": str(python), "create": CREATES}
    plan["places"] = places(scene)
    (folder / "plan.json").write_text(json.dumps(plan))
    environ = {
        "PATH": os.defpath,
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "XDG_RUNTIME_DIR": str(folder),
        "QT_QPA_PLATFORM": "xcb",
        "SARDINE_DESKTOP": str(folder),
    }
    folder.chmod(0o700)
    profiles = folder / "profiles"
    settings = profiles / "profiles/default/QGIS/QGIS3.ini"
    settings.parent.mkdir(parents=True)
    settings.write_text(SETTINGS)
    with screen(environ) as display, (folder / "qgis.log").open("w") as log:
        line = ["qgis", "--profiles-path", str(profiles), "--noversioncheck", "--nologo", "--code", str(folder / "story.py")]
        qgis = subprocess.Popen(line, env={**environ, "DISPLAY": display}, stdout=log, stderr=log, start_new_session=True)
        try:
            status = qgis.wait(LONGEST_VISIT_S + CREATES * LONGEST_CREATION_S)
        except subprocess.TimeoutExpired:
            status = -1
        left = left_processes(folder)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(qgis.pid, signal.SIGKILL)
        qgis.wait()
    keep_pictures(folder)
    report = [json.loads(text) for text in (folder / "report.jsonl").read_text().splitlines()]
    ends = [line for line in report if "end" in line]
    if [line["end"] for line in ends] != ["QGIS is told to go"]:
        trace = "".join(line.get("trace", "") for line in ends)
        pytest.fail(f"the visit came to no end (status {status}): see {PICTURES}\n{trace}", pytrace=False)
    if CREATES:
        (python,) = home.glob(".local/share/sardine/backend-*/bin/python")
    return Visit(report, status, folder, profiles, home / scene.name, scene, python, left)


@contextlib.contextmanager
def screen(environ: dict[str, str]) -> Iterator[str]:
    """An X server that shows nothing, on a free display, with a window manager."""
    reading, writing = os.pipe()
    line = ["Xvfb", "-displayfd", str(writing), "-screen", "0", SCREEN, "-nolisten", "tcp"]
    server = subprocess.Popen(line, pass_fds=[writing], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        display = f":{pipe.readline().strip()}"
    manager = subprocess.Popen(
        ["openbox"], env={**environ, "DISPLAY": display}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield display
    finally:
        for process in (manager, server):
            process.terminate()
            process.wait(20)


def left_processes(folder: Path, patience_s: float = 5.0) -> list[str]:
    """Command lines of the processes that the visit started and that outlive QGIS by some seconds."""
    marker = f"SARDINE_DESKTOP={folder}".encode()
    end_s = time.monotonic() + patience_s
    while True:
        found = []
        for process in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if process.name.isdigit() and marker in (process / "environ").read_bytes().split(b"\0"):
                    found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        found = [line for line in found if line and "openbox" not in line]
        if not found or time.monotonic() > end_s:
            return found
        time.sleep(0.2)


def keep_pictures(folder: Path) -> None:
    shutil.rmtree(PICTURES, ignore_errors=True)
    PICTURES.mkdir(parents=True)
    for path in [*folder.glob("*.png"), folder / "report.jsonl", folder / "qgis.log", folder / "crash.txt"]:
        shutil.copy(path, PICTURES)
