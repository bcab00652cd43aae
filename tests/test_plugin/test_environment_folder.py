# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the backend's environment lies, and how a whole one is told from all others."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from qgis.PyQt.QtCore import QStandardPaths
from sardine.backend.protocol import SardineError
from sardine.plugin.child.backend_environment import find_python
from sardine.plugin.environment import folder as folders
from sardine.plugin.environment import interpreter
from sardine.plugin.environment.folder import Stamp, State

from tests.test_plugin.material import write_interpreter

REQUIREMENTS = ["torch>=2.11", "timm>=1.0.20"]


def make(path: Path, base: str = sys.executable, whole: bool = True) -> Path:
    """An environment as far as `look` looks."""
    python = folders.python_in(path)
    python.parent.mkdir(parents=True)
    write_interpreter(python, "done")
    if whole:
        folders.write_stamp(path, Stamp("d", "cpu", "3.12.1", base, "2026-11-25", 100, {"torch": "2.14.1"}))
    return path


def test_requirements_should_be_those_of_the_plugin_and_their_digest_tell_versions_apart(root: Path) -> None:
    names = {line.split(">")[0] for line in folders.read_requirements(root)}
    assert names >= {"torch", "timm", "rasterio", "numpy", "safetensors"}
    first = folders.environment_path(Path("/x"), REQUIREMENTS)
    assert first == folders.environment_path(Path("/x"), REQUIREMENTS[::-1])
    assert first != folders.environment_path(Path("/x"), ["torch>=2.12", "timm>=1.0.20"])


def test_environment_should_be_ready_only_once_it_is_stamped(tmp_path: Path) -> None:
    path = tmp_path / "backend-1"
    assert folders.look(path).state is State.ABSENT
    make(path, whole=False)
    assert folders.look(path).state is State.UNFINISHED
    (path / folders.STAMP).write_text('{"requirements": "d", "bui')
    assert folders.look(path).state is State.UNFINISHED
    folders.write_stamp(path, Stamp("d", "cpu", "3.12.1", sys.executable, "2026-11-25", 100))
    assert folders.look(path).state is State.READY


def test_environment_should_be_broken_when_the_python_under_it_has_gone(tmp_path: Path) -> None:
    base = write_interpreter(tmp_path / "base python", "done")
    path = make(tmp_path / "backend-1", str(base))
    assert folders.look(path).state is State.READY
    base.unlink()
    found = folders.look(path)
    assert found.state is State.BROKEN
    with pytest.raises(SardineError, match=r"does not run any more: the Python .*base python, which it was made from, is gone"):
        find_python("", {}, tmp_path, found)


def test_environment_should_be_broken_when_its_own_python_has_gone(tmp_path: Path) -> None:
    path = make(tmp_path / "backend-1")
    folders.python_in(path).unlink()
    assert folders.look(path).state is State.BROKEN


def test_find_python_should_take_the_shared_environment_before_a_clones_own(tmp_path: Path) -> None:
    path = make(tmp_path / "backend-1")
    own = tmp_path / ".venv/bin/python"
    own.parent.mkdir(parents=True)
    write_interpreter(own, "done")
    assert find_python("", {}, tmp_path, folders.look(path)) == str(folders.python_in(path))
    (path / folders.STAMP).unlink()
    assert find_python("", {}, tmp_path, folders.look(path)) == str(own)
    own.unlink()
    with pytest.raises(SardineError, match="only half installed"):
        find_python("", {}, tmp_path, folders.look(path))


def test_home_should_be_local_data_of_the_account_and_hold_a_choice_for_all_profiles(tmp_path: Path) -> None:
    assert interpreter.usual_home() == Path(
        QStandardPaths.writableLocation(QStandardPaths.StandardLocation.GenericDataLocation), "sardine"
    )
    usual = tmp_path / "usual"
    assert folders.home({}, usual) == usual
    folders.choose_home(usual, tmp_path / "große Platte")
    assert folders.home({}, usual) == tmp_path / "große Platte"
    assert folders.home({"SARDINE_HOME": str(tmp_path)}, usual) == tmp_path
    folders.choose_home(usual, usual)
    assert folders.home({}, usual) == usual


def test_environments_of_other_versions_should_be_found_and_put_aside_in_one_step(tmp_path: Path) -> None:
    current = make(tmp_path / "backend-1")
    old = make(tmp_path / "backend-0", whole=False)
    (tmp_path / "backend-0.lock").touch()
    assert [found.path for found in folders.others(tmp_path, current)] == [old]
    assert folders.others(tmp_path / "nowhere", current) == []
    aside = folders.put_aside(old)
    assert aside is not None
    assert aside.is_dir()
    assert folders.others(tmp_path, current) == []
    folders.delete_removed(tmp_path)
    assert not aside.exists()
    assert folders.put_aside(old) is None
    assert folders.look(current).state is State.READY


def test_new_requirements_should_ask_for_an_upgrade_and_leave_the_old_environment_in_use(tmp_path: Path) -> None:
    assert folders.look_for(tmp_path, REQUIREMENTS).state is State.ABSENT
    old = make(folders.environment_path(tmp_path, REQUIREMENTS))
    needs = [*REQUIREMENTS, "pyproj"]
    found = folders.look_for(tmp_path, needs)
    assert found.state is State.OUTDATED
    with pytest.raises(SardineError, match="set up for another version of SARdine; this one needs other packages"):
        find_python("", {}, tmp_path, found)
    make(found.path)
    assert folders.look_for(tmp_path, needs).state is State.READY
    assert folders.look_for(tmp_path, REQUIREMENTS).path == old
    assert folders.look_for(tmp_path, REQUIREMENTS).state is State.READY


def test_location_should_be_refused_without_space_or_the_right_to_write(tmp_path: Path) -> None:
    assert folders.location_problem(tmp_path / "a" / "b", 1) == ""
    free = folders.free_mb(tmp_path / "a" / "b")
    problem = folders.location_problem(tmp_path, free + 10_240)
    assert f"has {free / 1024:.1f} GB free" in problem
    assert f"{(free + 10_240) / 1024:.1f} GB are needed" in problem
    assert "/proc cannot be written to" in folders.location_problem(Path("/proc/nowhere"), 1)
    assert "too long for Windows: it has 200 letters, 119 are possible" in folders.location_problem(
        Path("/" + 199 * "x"), 1, windows=True
    )
