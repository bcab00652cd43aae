# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sardine.backend.protocol import ErrorCode, SardineError
from sardine.plugin.child.backend_environment import child_environment, find_python, job_command

from tests.test_plugin.material import write_interpreter

QGIS = "/Applications/QGIS.app/Contents"


def test_child_environment_should_drop_what_qgis_set_for_itself() -> None:
    environ = {
        "HOME": "/home/ü",
        "PYTHONHOME": QGIS,
        "PYTHONEXECUTABLE": QGIS + "/bin/python",
        "PYTHONPATH": QGIS + "/Resources/python",
        "__PYVENV_LAUNCHER__": "x",
        "PIP_USER": "1",
        "PIP_TARGET": "/t",
        "PROJ_LIB": "/p",
        "PROJ_DATA": "/p",
        "GDAL_DATA": "/g",
        "GDAL_DRIVER_PATH": "/g",
        "CUDA_VISIBLE_DEVICES": "1",
    }
    assert child_environment(environ, Path("/profile/sardine"), [QGIS]) == {
        "HOME": "/home/ü",
        "CUDA_VISIBLE_DEVICES": "1",
        "PYTHONPATH": str(Path("/profile/sardine")),
        "PYTHONSAFEPATH": "1",
        "PYTHONUTF8": "1",
    }


def test_child_environment_should_take_only_qgis_entries_off_search_paths() -> None:
    environ = {
        "PATH": os.pathsep.join([QGIS + "/MacOS/bin", "/usr/bin", QGIS + "2/bin"]),
        "DYLD_LIBRARY_PATH": QGIS + "/lib",
        "LD_LIBRARY_PATH": os.pathsep.join(["/opt/cuda/lib", QGIS, QGIS + "/lib/"]),
        "SSL_CERT_FILE": QGIS + "/Resources/cacert.pem",
        "REQUESTS_CA_BUNDLE": "/etc/company.pem",
    }
    child = child_environment(environ, Path("/profile/sardine"), [QGIS, ""])
    assert child["PATH"] == os.pathsep.join(["/usr/bin", QGIS + "2/bin"])
    assert child["LD_LIBRARY_PATH"] == "/opt/cuda/lib"
    assert "DYLD_LIBRARY_PATH" not in child
    assert "SSL_CERT_FILE" not in child
    assert child["REQUESTS_CA_BUNDLE"] == "/etc/company.pem"


def test_child_environment_should_leave_system_folders_where_qgis_is_installed_into_them() -> None:
    environ = {"PATH": "/usr/local/bin:/usr/bin:/bin", "SSL_CERT_DIR": "/usr/lib/ssl/certs"}
    child = child_environment(environ, Path("/profile/sardine"), ["/usr"])
    assert child["PATH"] == environ["PATH"]
    assert child["SSL_CERT_DIR"] == environ["SSL_CERT_DIR"]


def test_job_command_should_start_a_package_in_a_folder_with_any_name(tmp_path: Path) -> None:
    folder = tmp_path / "Wälder und Städte"
    (folder / "backend").mkdir(parents=True)
    (folder / "backend" / "__init__.py").touch()
    (folder / "backend" / "__main__.py").write_text("import sys; print('started', sys.argv[1:])")
    trap = tmp_path / "trap"
    trap.mkdir()
    (trap / "backend.py").write_text("print('trapped')")
    command = job_command(sys.executable, folder, {**os.environ, "PYTHONHOME": "/nowhere"})
    done = subprocess.run(
        [command.program, *command.arguments], env=dict(command.environment), cwd=trap, capture_output=True, text=True, check=True
    )
    assert done.stdout == "started ['job']\n"


def test_find_python_should_prefer_the_setting_then_the_variable_then_its_own(tmp_path: Path) -> None:
    own = tmp_path / "plugin" / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    own.parent.mkdir(parents=True)
    paths = {
        name: str(write_interpreter(path, "done")) for name, path in (("own", own), ("a", tmp_path / "a"), ("b", tmp_path / "b ö"))
    }
    root = tmp_path / "plugin"
    assert find_python(paths["a"], {"SARDINE_PYTHON": paths["b"]}, root) == paths["a"]
    assert find_python("", {"SARDINE_PYTHON": paths["b"]}, root) == paths["b"]
    assert find_python("  ", {"SARDINE_PYTHON": ""}, root) == paths["own"]


@pytest.mark.parametrize(("chosen", "environ"), [("/nowhere/python", {}), ("", {"SARDINE_PYTHON": "/nowhere/python"}), ("", {})])
def test_find_python_should_name_the_choice_that_is_not_there(tmp_path: Path, chosen: str, environ: dict[str, str]) -> None:
    with pytest.raises(SardineError) as caught:
        find_python(chosen, environ, tmp_path)
    assert caught.value.code is ErrorCode.INTERPRETER_MISSING
    assert ("/nowhere/python" if chosen or environ else "not set up yet") in caught.value.found


def test_find_python_should_not_take_a_folder_or_a_plain_file(tmp_path: Path) -> None:
    plain = tmp_path / "notes.txt"
    plain.write_text("x")
    for path in (tmp_path, plain):
        with pytest.raises(SardineError):
            find_python(str(path), {}, tmp_path)
