# SPDX-License-Identifier: GPL-2.0-or-later
"""Which Pythons are looked at, and what is said of those that will not do."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest
from sardine.plugin.environment.base_python import PythonFacts, ask_command, base_problem, candidates, read_facts, what_to_install

from tests.test_plugin.material import write_interpreter

GOOD = PythonFacts("/usr/bin/python3", (3, 12, 1), "linux", "x86_64", 64, "/usr/bin/python3.12", (), {})
DEBIAN = 'PRETTY_NAME="Ubuntu 24.04"\nID=ubuntu\nID_LIKE=debian\n'
FEDORA = "NAME=Fedora\nID=fedora\n"


def test_python_should_tell_what_it_is_whatever_qgis_set_in_the_environment() -> None:
    command = ask_command(sys.executable, {**os.environ, "PYTHONHOME": "/nowhere", "PYTHONPATH": "/nowhere"}, [])
    done = subprocess.run([command.program, *command.arguments], env=dict(command.environment), capture_output=True, check=True)
    facts = read_facts(sys.executable, done.stdout)
    assert facts is not None
    assert facts.version == tuple(sys.version_info[:3])
    assert (facts.system, facts.bits) == ("linux", 64)
    assert Path(facts.base) == Path(sys._base_executable).resolve()
    assert "pytest" not in facts.packages


@pytest.mark.parametrize("out", [b"", b"hello\n", b"[1]\n", b'{"version": [3]}\n'])
def test_program_that_is_no_python_should_have_no_facts(out: bytes) -> None:
    assert read_facts("/bin/true", out) is None


@pytest.mark.parametrize(
    ("changes", "os_release", "words"),
    [
        ({}, DEBIAN, ""),
        ({"version": (3, 9, 18)}, DEBIAN, "This is Python 3.9.18; 3.11 or later is needed."),
        ({"bits": 32}, "", "torch needs one of 64 bits"),
        (
            {"lacks": ("ensurepip",)},
            DEBIAN,
            "Install the package python3.12-venv (sudo apt install python3.12-venv), then look again.",
        ),
        ({"lacks": ("venv",)}, FEDORA, "This Python lacks venv. Install a complete Python"),
        ({"lacks": ("ensurepip",), "base": "/opt/p/bin/python3"}, DEBIAN, "Install a complete Python"),
        (
            {"base": r"C:\Program Files\WindowsApps\Python\python.exe", "system": "win32"},
            "",
            "Python from the Microsoft Store hides",
        ),
        ({"system": "darwin"}, "", "There is no torch for Intel any more."),
        ({"machine": "riscv64"}, "", "There is no torch for linux on riscv64."),
    ],
)
def test_base_that_will_not_do_should_be_told_with_the_one_thing_to_install(changes, os_release, words) -> None:
    problem = base_problem(dataclasses.replace(GOOD, **changes), os_release)
    assert words in problem
    assert bool(problem) == bool(words)


@pytest.mark.parametrize(
    ("system", "os_release", "words"),
    [
        ("win32", "", "Install Python 3.13 for Windows (64 bit) from python.org"),
        ("darwin", "", "Install Python 3.13 for macOS from python.org"),
        ("linux", DEBIAN, "sudo apt install python3-venv"),
        ("linux", FEDORA, "Install Python 3.11 or later with its modules venv and ensurepip"),
    ],
)
def test_machine_without_python_should_be_told_what_to_install(system: str, os_release: str, words: str) -> None:
    assert words in what_to_install(system, os_release)


def interpreters(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_interpreter(path, "done")


def test_candidates_should_leave_out_what_belongs_to_qgis_or_only_stands_for_another(tmp_path: Path) -> None:
    good, qgis = tmp_path / "Größe/bin", tmp_path / "QGIS 3.40/bin"
    shims, mac = tmp_path / "pyenv/shims", tmp_path / "QGIS-LTR.app/Contents/MacOS/bin"
    interpreters(*(folder / "python3.12" for folder in (good, qgis, shims, mac)))
    (good / "python3").symlink_to(good / "python3.12")
    (good / "python3.11").mkdir()
    environ = {"PATH": os.pathsep.join(map(str, (qgis, shims, mac, good)))}
    found = [path for path in candidates("linux", environ, tmp_path, [str(qgis.parent)]) if path.startswith(str(tmp_path))]
    assert found == [str(good / "python3.12")]


def test_candidates_should_be_found_where_installers_put_them(tmp_path: Path) -> None:
    pyenv, conda = tmp_path / ".pyenv/versions/3.13.0/bin/python3.13", tmp_path / "miniforge3/bin/python3.12"
    interpreters(pyenv, conda)
    found = [path for path in candidates("linux", {}, tmp_path) if path.startswith(str(tmp_path))]
    assert found == [str(pyenv), str(conda)]
    local = tmp_path / "AppData/Local"
    installed, conda = local / "Programs/Python/Python313/python.exe", tmp_path / "miniconda3/python.exe"
    shop = tmp_path / "Microsoft/WindowsApps/python.exe"
    interpreters(installed, conda, shop)
    assert candidates("win32", {"LOCALAPPDATA": str(local), "PATH": str(shop.parent)}, tmp_path) == [str(installed), str(conda)]


def test_candidates_on_macos_should_not_wake_the_installer_of_developer_tools() -> None:
    assert not [path for path in candidates("darwin", {"PATH": "/usr/bin"}, Path("/nowhere")) if path.startswith("/usr/bin/")]
