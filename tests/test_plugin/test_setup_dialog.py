# SPDX-License-Identifier: GPL-2.0-or-later
"""The set-up dialog and the page in QGIS's options, by clicking: real Pythons are looked for, asked, and made into environments."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sardine
from qgis.core import QgsSettings
from qgis.PyQt.QtWidgets import QMessageBox, QPushButton
from sardine.plugin import settings
from sardine.plugin.environment import dialog as setup_dialog
from sardine.plugin.environment import folder as folders
from sardine.plugin.environment import interpreter
from sardine.plugin.environment.create_form import WHEELS, CreatePage
from sardine.plugin.environment.dialog import SetupDialog
from sardine.plugin.environment.folder import State
from sardine.plugin.environment.options_page import SardineOptionsFactory, SardineOptionsPage
from sardine.plugin.environment.setup import EnvironmentSetup

from tests.test_plugin.material import write_interpreter
from tests.test_plugin.test_environment_folder import make

SLOW = 120_000


@pytest.fixture
def no_backend(no_chosen_python: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting, no variable, no environment, and a plugin folder without the `.venv` of a clone."""
    monkeypatch.delenv("SARDINE_PYTHON", raising=False)
    plain = tmp_path / "profile" / "sardine"
    (plain / "requirements").mkdir(parents=True)
    (plain / "requirements" / "backend.txt").write_bytes((interpreter.PLUGIN_ROOT / "requirements" / "backend.txt").read_bytes())
    monkeypatch.setattr(interpreter, "PLUGIN_ROOT", plain)


@pytest.fixture
def dialog(no_backend: None, qgis_app: object, qtbot) -> Iterator[SetupDialog]:
    setup = EnvironmentSetup()
    dialog = SetupDialog(setup)
    dialog.show()
    searched(dialog.create_page, qtbot)
    yield dialog
    dialog.close()
    setup.shut_down()


def searched(page: CreatePage, qtbot) -> None:
    qtbot.waitUntil(lambda: not page.search.is_running, timeout=SLOW)


def button(dialog: SetupDialog, name: str) -> QPushButton:
    found = dialog.findChild(QPushButton, name)
    assert found is not None
    return found


def take(page: CreatePage, python: str, qtbot) -> None:
    """Makes `python` the base, as a person does in the file dialog."""
    page.search.start(python)
    searched(page, qtbot)
    assert page.base().path == python


def test_dialog_should_say_what_where_how_large_and_from_where_before_anything_is_done(dialog, environments_home) -> None:
    assert dialog.headline.text() == "The backend is not set up"
    assert dialog.create.isChecked()
    page = dialog.create_page
    assert page.search.suitable
    assert all(facts.version >= (3, 11) for facts in page.search.suitable)
    assert page.folder.text().startswith(str(environments_home / "backend-"))
    page.show_build("cpu")
    cost = page.cost.text()
    assert "Downloads about 0.3 GB from download.pytorch.org, pypi.org." in cost
    assert "Takes about 1.5 GB, and 2.6 GB while it is made" in cost
    assert "GB are free" in cost
    assert dialog.go.text() == "Create"
    assert dialog.go.isEnabled()
    assert not environments_home.exists()


def test_dialog_should_make_show_and_remove_an_environment(
    dialog, qtbot, backend_python, backend_wheels, tmp_path, environments_home, monkeypatch
) -> None:
    page = dialog.create_page
    page.source.setCurrentIndex(page.source.findData(WHEELS))
    page.wheels.setFilePath(str(tmp_path))
    assert not dialog.go.isEnabled()
    assert dialog.stage.text() == "Choose a folder that holds the wheels (files named .whl) of all packages."
    page.wheels.setFilePath(str(backend_wheels))
    take(page, backend_python, qtbot)
    assert "Nothing is downloaded." in page.cost.text()
    with qtbot.waitSignal(dialog._setup.ended, timeout=SLOW):
        button(dialog, "setup_go").click()
        assert button(dialog, "setup_cancel").isVisible()
        assert not dialog.create_page.isEnabled()
        assert not dialog.go.isVisible()
    assert dialog.headline.text() == "✓ The backend is set up"
    assert "torch " in dialog.state.text()
    assert dialog.stage.text() == "✓ The environment is ready. Close this window and press Run."
    button(dialog, "setup_details").click()
    assert "Successfully installed" in dialog.log.toPlainText()
    assert QgsSettings().value("sardine/wheels") == str(backend_wheels)
    answers = iter([QMessageBox.StandardButton.No, QMessageBox.StandardButton.Yes])
    monkeypatch.setattr(setup_dialog.QMessageBox, "question", lambda *_: next(answers))
    button(dialog, "remove_environment").click()
    assert interpreter.shared_environment().state is State.READY
    button(dialog, "remove_environment").click()
    qtbot.waitUntil(lambda: dialog.stage.text() == "Removed.", timeout=SLOW)
    assert list(environments_home.iterdir()) == []
    assert dialog.headline.text() == "The backend is not set up"
    QgsSettings().remove("sardine/wheels")


def test_cancel_and_retry_should_be_there_when_they_are_needed(dialog, qtbot, backend_python, tmp_path, environments_home) -> None:
    page = dialog.create_page
    page.source.setCurrentIndex(page.source.findData(WHEELS))
    (tmp_path / "torch-2.14.1-py3-none-any.whl").write_bytes(b"half")
    page.wheels.setFilePath(str(tmp_path))
    take(page, backend_python, qtbot)
    with qtbot.waitSignal(dialog._setup.ended, timeout=SLOW):
        button(dialog, "setup_go").click()
        button(dialog, "setup_cancel").click()
    assert dialog.stage.text() == "Cancelled; nothing was left behind."
    assert list(environments_home.iterdir()) == []
    with qtbot.waitSignal(dialog._setup.ended, timeout=SLOW):
        button(dialog, "setup_go").click()
    assert dialog.stage.text().startswith("⚠ ")
    assert "torch" in dialog.stage.text()
    assert button(dialog, "setup_go").text() == "Retry"
    assert button(dialog, "setup_details").isVisible()
    assert "only half installed" in dialog.state.text()
    QgsSettings().remove("sardine/wheels")


@pytest.mark.parametrize(("state", "words"), [(State.UNFINISHED, "only half installed"), (State.BROKEN, "was made from, is gone")])
def test_dialog_should_offer_repair_of_what_is_broken(dialog, state, words, tmp_path) -> None:
    base = write_interpreter(tmp_path / "base", "done")
    make(interpreter.shared_environment().path, str(base), whole=state is State.BROKEN)
    base.unlink()
    dialog.refresh()
    assert words in dialog.state.text()
    assert button(dialog, "setup_go").text() == "Repair"
    assert button(dialog, "remove_environment").isVisible()


def test_dialog_should_offer_to_remove_environments_of_other_versions(dialog, qtbot, environments_home, monkeypatch) -> None:
    old = make(environments_home / "backend-00000000")
    dialog.refresh()
    assert "was set up for another version of SARdine; this one needs other packages." in dialog.state.text()
    assert button(dialog, "setup_go").text() == "Upgrade"
    assert dialog.others.found.text() == "Environments of other versions of SARdine: 1 (0.1 GB)."
    monkeypatch.setattr(setup_dialog.QMessageBox, "question", lambda *_: QMessageBox.StandardButton.Yes)
    button(dialog, "remove_others").click()
    qtbot.waitUntil(lambda: dialog.stage.text() == "Removed.", timeout=SLOW)
    assert not old.exists()
    assert not button(dialog, "remove_others").isVisible()


def check(dialog: SetupDialog, qtbot, python: str) -> str:
    dialog.existing.setChecked(True)
    dialog.python.setFilePath(python)
    with qtbot.waitSignal(dialog._check.ended, timeout=SLOW):
        button(dialog, "setup_go").click()
        assert dialog.stage.text() == "Checking…"
    return dialog.stage.text()


def test_existing_python_should_be_checked_and_taken(dialog, qtbot, backend_python) -> None:
    text = check(dialog, qtbot, backend_python)
    assert text.startswith("✓ Python 3.")
    assert "torch 2." in text
    assert "rasterio 1." in text
    assert "Computes on: " in text
    assert settings.chosen_python() == backend_python
    assert dialog.headline.text() == "✓ The backend is set up"


def test_unsuitable_python_should_be_refused_in_words(dialog, qtbot, tmp_path) -> None:
    assert "lacks torch, timm, rasterio" in check(dialog, qtbot, sys.executable)
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\necho hello\n")
    fake.chmod(0o755)
    assert check(dialog, qtbot, str(fake)) == f"⚠ {fake} is not a Python that runs."
    assert "could not be started" in check(dialog, qtbot, str(tmp_path / "nowhere"))
    assert settings.chosen_python() == ""


def test_python_whose_backend_speaks_another_protocol_should_be_refused(dialog, qtbot, backend_python, tmp_path) -> None:
    other = tmp_path / "python of a later version"
    answer = '{"protocol": 99, "versions": {}}'
    other.write_text(f"""#!/bin/sh\ncase "$*" in *doctor*) echo '{answer}' ;; *) exec '{backend_python}' "$@" ;; esac\n""")
    other.chmod(0o755)
    assert check(dialog, qtbot, str(other)) == "⚠ The backend speaks version 99 of the protocol, the plugin version 1."


def test_dialog_should_follow_another_window(dialog, qtbot, environments_home) -> None:
    path = interpreter.shared_environment().path
    path.parent.mkdir()
    code = (
        "import sys, time; from qgis.PyQt.QtCore import QLockFile; lock = QLockFile(sys.argv[1]); "
        "print(lock.tryLock(0), flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code, f"{path}.lock"], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "True\n"
        button(dialog, "setup_go").click()
        assert dialog.stage.text().startswith("Another QGIS window is setting it up")
        make(path)
        qtbot.waitUntil(lambda: dialog.headline.text() == "✓ The backend is set up", timeout=SLOW)
        qtbot.waitUntil(lambda: not dialog.stage.isVisible(), timeout=SLOW)
        other.kill()


def test_options_page_should_show_and_keep_the_interpreter(no_backend, qgis_app, backend_python, qtbot) -> None:
    opened: list[object] = []
    page = SardineOptionsFactory(lambda **given: opened.append(given["parent"])).createWidget(None)
    assert isinstance(page, SardineOptionsPage)
    qtbot.addWidget(page)
    assert page.state.text() == "⚠ The backend is not set up yet."
    page.python.setFilePath(backend_python)
    assert settings.chosen_python() == ""
    page.apply()
    assert settings.chosen_python() == backend_python
    assert page.state.text() == f"✓ Python: {backend_python}"
    page.python.setFilePath("")
    page.apply()
    assert settings.chosen_python() == ""
    page.set_up.click()
    assert opened == [page.window()]


def test_folder_should_be_the_choice_of_all_profiles(dialog, tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("SARDINE_HOME")
    monkeypatch.setattr(interpreter, "usual_home", lambda: tmp_path / "usual")
    monkeypatch.setattr("sardine.plugin.environment.create_form.usual_home", lambda: tmp_path / "usual")
    monkeypatch.setattr(
        "sardine.plugin.environment.create_form.QFileDialog.getExistingDirectory", lambda *_: str(tmp_path / "große Platte")
    )
    button(dialog, "change_folder").click()
    assert interpreter.environments_home() == tmp_path / "große Platte"
    assert dialog.create_page.folder.text().startswith(str(tmp_path / "große Platte"))
    assert folders.home({}, tmp_path / "usual") == tmp_path / "große Platte"


def test_end_of_the_plugin_should_end_a_setup_that_goes_on_behind_a_closed_dialog(
    no_backend, qgis_processing, qgis_iface, qgis_new_project, qtbot, backend_python, backend_wheels, environments_home
) -> None:
    plugin = sardine.classFactory(qgis_iface)
    plugin.initGui()
    plugin.open_panel()
    plugin.dock.python.button.click()
    dialog = plugin.setup_dialog
    page = dialog.create_page
    searched(page, qtbot)
    page.source.setCurrentIndex(page.source.findData(WHEELS))
    page.wheels.setFilePath(str(backend_wheels))
    builds = [page.build.itemData(number) for number in range(page.build.count())]
    page.show_build(builds[-1])
    button(dialog, "setup_go").click()
    assert plugin.dock.python.text.text().startswith("The backend is being set up. ")
    assert plugin.dock.python.button.text() == "Show the set-up…"
    assert not plugin.dock.python.bar.isHidden()
    button(dialog, "setup_close").click()
    assert plugin.setup.is_running
    plugin.dock.look_for_backend()
    assert plugin.dock.python.text.text().startswith("The backend is being set up. ")
    plugin.dock.python.button.click()
    again = plugin.setup_dialog
    assert again.headline.text() == "The backend is being set up"
    assert (again.cancel.isVisible(), again.go.isVisible()) == (True, False)
    searched(again.create_page, qtbot)
    assert (again.create_page.source.currentData(), again.create_page.build.currentData()) == (WHEELS, builds[-1])
    plugin.unload()
    assert list(environments_home.iterdir()) == []
    QgsSettings().remove("sardine/wheels")
