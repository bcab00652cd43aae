# SPDX-License-Identifier: GPL-2.0-or-later
"""Setting up the backend's environment: real venv, real pip, real wheels (wheels.py), real faults."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from qgis.PyQt.QtCore import QLockFile
from sardine.plugin.environment import folder as folders
from sardine.plugin.environment import interpreter
from sardine.plugin.environment.builds import build_of
from sardine.plugin.environment.folder import State
from sardine.plugin.environment.plan import SetupPlan
from sardine.plugin.environment.setup import EnvironmentSetup

from tests.test_plugin.wheels import write_slow_wheel, write_wheel

SLOW = 120_000


@pytest.fixture
def setup(qgis_app: object) -> Iterator[EnvironmentSetup]:
    setup = EnvironmentSetup()
    yield setup
    setup.shut_down()


def finish(setup: EnvironmentSetup, qtbot, start: Callable[[], object]) -> str:
    with qtbot.waitSignal(setup.ended, timeout=SLOW) as ended:
        assert start() in ("", None)
    return ended.args[0]


def running_under(folder: Path) -> dict[int, str]:
    """Command lines, by process, of all that has to do with `folder`."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in line:
            found[int(entry.parent.name)] = line
    return found


def left_in(home: Path) -> list[str]:
    return sorted(path.name for path in home.iterdir())


@pytest.fixture
def slow_plan(plan: SetupPlan, tmp_path: Path) -> SetupPlan:
    """A set-up whose torch takes seconds to be written."""
    folder = tmp_path / "slow wheels"
    folder.mkdir()
    write_slow_wheel(folder, "torch", "2.14.1")
    write_wheel(folder, "torchvision", "0.29.1", {}, ["torch==2.14.1"])
    return dataclasses.replace(plan, wheels=folder)


def until_installing(setup: EnvironmentSetup, qtbot, plan: SetupPlan) -> None:
    assert setup.start(plan) == ""
    qtbot.waitUntil(lambda: setup.progress.text.startswith("Installing torch"), timeout=SLOW)
    qtbot.waitUntil(lambda: any(folders.site_packages(plan.path).glob("torch/m*.py")), timeout=SLOW)


def test_setup_should_make_an_environment_that_runs_the_backend_and_leave_it_alone_afterwards(
    setup, qtbot, plan, environments_home, no_chosen_python, monkeypatch
) -> None:
    monkeypatch.delenv("SARDINE_PYTHON", raising=False)
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    monkeypatch.setenv("PIP_TARGET", "/nowhere")
    texts: list[str] = []
    setup.changed.connect(lambda: texts.append(setup.progress.text))
    assert finish(setup, qtbot, lambda: setup.start(plan)) == "done"
    assert setup.progress.percent == 100
    assert any(text.startswith("Making an environment from Python 3.") for text in texts)
    assert any("torch" in text for text in texts)
    made = interpreter.shared_environment()
    assert (made.path, made.state) == (plan.path, State.READY)
    assert made.stamp is not None
    assert made.stamp.base == plan.base.base
    assert (made.stamp.versions["torch"], made.stamp.build) == (plan.base.packages["torch"], "cpu")
    assert interpreter.backend_python() == str(made.python)
    assert left_in(environments_home) == [plan.path.name]
    assert "Successfully installed" in (plan.path / "setup.log").read_text()
    before = (plan.path / folders.STAMP).stat().st_mtime_ns
    assert finish(setup, qtbot, lambda: setup.start(plan)) == "done"
    assert (plan.path / folders.STAMP).stat().st_mtime_ns == before


def test_cancel_should_end_pip_and_leave_nothing(setup, qtbot, slow_plan, environments_home) -> None:
    until_installing(setup, qtbot, slow_plan)
    assert running_under(environments_home)
    assert finish(setup, qtbot, setup.cancel) == "cancelled"
    assert left_in(environments_home) == []
    assert running_under(environments_home) == {}


def test_cancel_while_the_venv_is_made_should_end_its_children_too(setup, qtbot, plan, environments_home) -> None:
    assert setup.start(plan) == ""
    qtbot.waitUntil(lambda: any("ensurepip" in line for line in running_under(environments_home).values()), timeout=SLOW)
    assert finish(setup, qtbot, setup.cancel) == "cancelled"
    assert left_in(environments_home) == []
    assert running_under(environments_home) == {}


def test_end_of_qgis_should_end_the_setup_before_it_returns(setup, qtbot, slow_plan, environments_home) -> None:
    until_installing(setup, qtbot, slow_plan)
    setup.shut_down()
    assert not setup.is_running
    assert left_in(environments_home) == []
    assert running_under(environments_home) == {}


def test_environment_whose_pip_was_killed_should_be_told_and_repaired(
    setup, qtbot, plan, slow_plan, environments_home, tmp_path, no_chosen_python, monkeypatch
) -> None:
    until_installing(setup, qtbot, slow_plan)
    with qtbot.waitSignal(setup.ended, timeout=SLOW) as ended:
        for process in running_under(environments_home):
            os.kill(process, signal.SIGKILL)
    assert ended.args == ["failed"]
    assert setup.problem.startswith("It was ended from outside (signal 9).")
    assert interpreter.shared_environment().state is State.UNFINISHED
    assert finish(setup, qtbot, lambda: setup.start(plan)) == "done"
    assert interpreter.shared_environment().state is State.READY
    assert not (folders.site_packages(plan.path) / "torch" / "m1.py").exists()
    assert left_in(environments_home) == [plan.path.name]


def test_failure_should_tell_pips_own_reason_and_keep_the_log(setup, qtbot, plan, tmp_path, environments_home) -> None:
    empty = tmp_path / "no wheels"
    empty.mkdir()
    assert finish(setup, qtbot, lambda: setup.start(dataclasses.replace(plan, wheels=empty))) == "failed"
    assert setup.problem.startswith("No matching distribution found for torch>=2.11")
    assert "Take another Python, or add it." in setup.problem
    assert "Could not find a version that satisfies the requirement torch>=2.11" in setup.log.text
    assert f"The whole log: {folders.work_folder(plan.path) / 'setup.log'}" in setup.log.text
    assert "--no-index" in (folders.work_folder(plan.path) / "setup.log").read_text()
    assert interpreter.shared_environment().state is State.UNFINISHED


def test_replacement_that_fails_should_bring_back_what_was_there(setup, qtbot, plan, tmp_path, environments_home) -> None:
    folder = environments_home / plan.path.name
    python = folders.python_in(folder)
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    folders.write_stamp(folder, folders.Stamp("d", "cpu", "3", sys.executable, "", 1))
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / "torch-2.14.1-py3-none-any.whl").write_bytes(b"half a wheel")
    write_wheel(damaged, "torchvision", "0.29.1", {})
    assert finish(setup, qtbot, lambda: setup.start(dataclasses.replace(plan, wheels=damaged), replace=True)) == "failed"
    assert "arrived damaged" in setup.problem
    assert folders.look(folder).state is State.READY
    assert python.is_symlink()


def test_environment_that_cannot_run_the_backend_should_not_be_declared_whole(setup, qtbot, plan, tmp_path) -> None:
    hollow = tmp_path / "hollow"
    hollow.mkdir()
    for wheel in plan.wheels.glob("*.whl"):
        name, version, *_ = wheel.name.split("-")
        write_wheel(hollow, name, version, {})
    assert finish(setup, qtbot, lambda: setup.start(dataclasses.replace(plan, wheels=hollow))) == "failed"
    assert setup.problem.startswith("Its packages do not work: ModuleNotFoundError: No module named '")
    assert folders.look(plan.path).state is State.UNFINISHED


def test_second_window_should_be_told_who_sets_it_up(setup, qtbot, plan, environments_home) -> None:
    environments_home.mkdir()
    code = (
        "import sys, time; from qgis.PyQt.QtCore import QLockFile; lock = QLockFile(sys.argv[1]); lock.setStaleLockTime(0); "
        "print(lock.tryLock(0), flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code, f"{plan.path}.lock"], stdout=subprocess.PIPE, text=True) as other:
        try:
            assert other.stdout is not None
            assert other.stdout.readline() == "True\n"
            problem = setup.start(plan)
            assert problem.startswith(f"Another QGIS window is setting it up (process {other.pid} on ")
            assert not setup.is_running
        finally:
            other.kill()
            other.wait()
    # Its lock is still there, but its process is gone.
    assert Path(f"{plan.path}.lock").exists()
    assert setup.start(plan) == ""
    assert finish(setup, qtbot, setup.cancel) == "cancelled"
    assert left_in(environments_home) == []


def test_same_window_should_not_set_up_twice(setup, qtbot, plan) -> None:
    assert setup.start(plan) == ""
    assert setup.start(plan) == "A set-up is running already."
    other = EnvironmentSetup()
    assert other.start(plan).startswith("Another QGIS window is setting it up")
    assert finish(setup, qtbot, setup.cancel) == "cancelled"
    assert QLockFile(f"{plan.path}.lock").tryLock(0)


def test_full_disk_should_be_told_before_anything_is_made(setup, plan, environments_home) -> None:
    huge = build_of("cpu").__class__("cpu", None, (), 10**9, 10**9)
    assert "GB are needed during the set-up" in setup.start(dataclasses.replace(plan, build=huge))
    assert not environments_home.exists()


def test_setup_should_not_outlive_a_qgis_that_is_killed(plan, root, tmp_path) -> None:
    code = f"""
import sys; sys.path.insert(0, {str(root)!r}); import tests.conftest
from pathlib import Path
from qgis.PyQt.QtCore import QCoreApplication
from sardine.plugin.child.guarded_process import GuardedProcess
import os
app = QCoreApplication([])
child = GuardedProcess()
child.printed.connect(lambda lines: print(*lines, flush=True))
sleep = ["timeit", "-n", "1", "-s", "print('started', flush=True)", "import time; time.sleep(600)"]
child.start({plan.base.path!r}, sleep, dict(os.environ), Path({str(tmp_path)!r}))
app.exec()
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as qgis:
        assert qgis.stdout is not None
        assert qgis.stdout.readline() == "started\n"
        children = Path(f"/proc/{qgis.pid}/task/{qgis.pid}/children").read_text().split()
        assert len(children) == 1
        qgis.kill()
        qgis.wait()
    deadline_s = time.monotonic() + 10
    while Path(f"/proc/{children[0]}/exe").exists() and time.monotonic() < deadline_s:
        time.sleep(0.05)
    assert not Path(f"/proc/{children[0]}/exe").exists()
