# SPDX-License-Identifier: GPL-2.0-or-later
"""Real QGIS with the plugin loaded from this clone; nothing here is skipped where QGIS is missing."""

from __future__ import annotations

import gc
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sardine
from qgis.core import QgsApplication, QgsMapLayer, QgsProcessingContext, QgsProcessingFeedback, QgsProject, QgsSettings
from qgis.gui import QgisInterface
from qgis.PyQt import sip
from sardine.plugin.environment.base_python import PythonFacts, ask_command, read_facts
from sardine.plugin.environment.builds import build_of, package_name
from sardine.plugin.environment.folder import environment_path, read_requirements
from sardine.plugin.environment.plan import SetupPlan
from sardine.plugin.main import SardinePlugin
from sardine.plugin.panel.dock import SardineDock
from sardine.plugin.panel.memory import PREFIX

from tests.test_plugin.material import radar_db, write_header_only_model, write_interpreter, write_model, write_raster
from tests.test_plugin.panel_tools import add
from tests.test_plugin.wheels import write_backend_wheels


@pytest.fixture(autouse=True, scope="session")
def no_layer_outlives_qgis(qgis_app: QgsApplication) -> Iterator[None]:
    """Frees, before QGIS ends, the layers that Python still owns: those in cycles, and those that something holds to the end.

    `pytest.raises(…) as caught` holds the frame that holds `caught`, and so the layers of that frame. Freed with the interpreter,
    when GDAL has been shut down, such a layer ends it with a segmentation fault.
    """
    yield
    gc.collect()
    for thing in gc.get_objects():
        if isinstance(thing, QgsMapLayer) and not sip.isdeleted(thing) and sip.ispyowned(thing):
            sip.delete(thing)


@pytest.fixture(autouse=True)
def environments_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of environments, so that no test finds or touches those of the person who runs it."""
    home = tmp_path / "Ümgebungen von SARdine"
    monkeypatch.setenv("SARDINE_HOME", str(home))
    return home


@pytest.fixture
def plugin(qgis_processing: None) -> Iterator[SardinePlugin]:
    """The plugin as `qgis_process` loads it: with its provider, without a window."""
    plugin = SardinePlugin(None)
    plugin.initProcessing()
    yield plugin
    plugin.unload()


@pytest.fixture
def no_chosen_python() -> Iterator[None]:
    """The setting of the interpreter, empty for a test and as it was afterwards."""
    before = QgsSettings().value("sardine/python")
    QgsSettings().remove("sardine/python")
    yield
    if before is None:
        QgsSettings().remove("sardine/python")
    else:
        QgsSettings().setValue("sardine/python", before)


@pytest.fixture
def context() -> Iterator[QgsProcessingContext]:
    """A Processing context on the current project."""
    context = QgsProcessingContext()
    context.setProject(QgsProject.instance())
    yield context
    # pytest lets go of the last test's fixtures only after QGIS and GDAL have shut down: no layer may live that long.
    context.temporaryLayerStore().removeAllMapLayers()


class LoggedFeedback(QgsProcessingFeedback):
    """Keeps what was told, by kind. At the first progress text that begins with `act_at`, `act` is done (by default: cancel)."""

    def __init__(self, act_at: str | None = None, act: Callable[[], None] | None = None) -> None:
        super().__init__(False)
        self.warnings: list[str] = []
        self.infos: list[str] = []
        self.details: list[str] = []
        self.texts: list[str] = []
        self._act_at = act_at
        self._act = act or self.cancel

    def pushWarning(self, text: str) -> None:
        self.warnings.append(text)

    def pushInfo(self, text: str) -> None:
        self.infos.append(text)

    def pushDebugInfo(self, text: str) -> None:
        self.details.append(text)

    def setProgressText(self, text: str) -> None:
        self.texts.append(text)
        if self._act_at is not None and text.startswith(self._act_at):
            self._act_at = None
            self._act()


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    """A small scene in dB with band descriptions, in a folder with a space and letters beyond ASCII."""
    folder = tmp_path / "Szene Größe"
    folder.mkdir()
    return write_raster(folder / "s1 münchen.tif", radar_db(), descriptions=("VV", "VH"))


@pytest.fixture
def python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Sets SARDINE_PYTHON to a child with the habit (of children.py) that is asked for."""

    def chosen(habit: str) -> None:
        monkeypatch.setenv("SARDINE_PYTHON", str(write_interpreter(tmp_path / f"python {habit}", habit)))

    return chosen


@pytest.fixture
def real_backend(backend_python: str, no_chosen_python: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real backend in the place of children."""
    monkeypatch.setenv("SARDINE_PYTHON", backend_python)


@pytest.fixture
def header_model(tmp_path: Path) -> Path:
    """A model file without weights."""
    return write_header_only_model(tmp_path / "model.safetensors")


@pytest.fixture(scope="session")
def backend_python(root: Path) -> str:
    """The backend's interpreter: SARDINE_PYTHON, else the clone's own environment. Its absence is a failure."""
    python = os.environ.get("SARDINE_PYTHON") or str(root / ".venv/bin/python")
    assert Path(python).is_file(), f"no Python for the backend at {python}: run make setup, or set SARDINE_PYTHON"
    return python


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory, backend_python: str, root: Path) -> Path:
    """A whole model with random weights."""
    return write_model(tmp_path_factory.mktemp("model") / "random weights.safetensors", backend_python, root)


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory, backend_python: str, root: Path) -> Path:
    """An encoder without classes, as a pre-training leaves it."""
    path = tmp_path_factory.mktemp("model") / "encoder.safetensors"
    return write_model(path, backend_python, root, name="test encoder", classes=[], decoder=None)


@pytest.fixture(scope="session")
def base_facts(backend_python: str) -> PythonFacts:
    """The backend's own interpreter as a base of environments."""
    command = ask_command(backend_python, os.environ, [], ["torch"])
    done = subprocess.run([command.program, *command.arguments], env=dict(command.environment), capture_output=True, check=True)
    found = read_facts(backend_python, done.stdout)
    assert found is not None
    return found


@pytest.fixture(scope="session")
def backend_wheels(tmp_path_factory: pytest.TempPathFactory, backend_python: str, root: Path) -> Path:
    """A folder of wheels that bring the backend's packages of this machine."""
    names = [package_name(line) for line in read_requirements(root)]
    return write_backend_wheels(tmp_path_factory.mktemp("Räder, links & rechts"), backend_python, names)


@pytest.fixture
def plan(base_facts: PythonFacts, backend_wheels: Path, environments_home: Path, root: Path) -> SetupPlan:
    """A set-up of the plugin's requirements without internet, in a folder that is not there yet."""
    requirements = read_requirements(root)
    path = environment_path(environments_home, requirements)
    return SetupPlan(path, base_facts, build_of("cpu"), tuple(requirements), backend_wheels)


@pytest.fixture
def own_settings(no_chosen_python: None) -> Iterator[None]:
    """The plugin's settings, empty for a test and as they were afterwards; but no check of a scene begins by itself."""
    settings = QgsSettings()
    before = {key: settings.value(key) for key in settings.allKeys() if key.startswith("sardine/")}
    settings.remove("sardine")
    settings.setValue(f"{PREFIX}check_at_once", False)
    yield
    settings.remove("sardine")
    for key, value in before.items():
        settings.setValue(key, value)


@pytest.fixture
def gui(
    qgis_processing: None, qgis_iface: QgisInterface, qgis_new_project: None, own_settings: None, python: Callable[[str], None]
) -> Iterator[SardinePlugin]:
    """The plugin in QGIS's window, with a backend that maps nothing and says that it is done."""
    python("done")
    plugin = sardine.classFactory(qgis_iface)
    plugin.initGui()
    yield plugin
    plugin.unload()
    QgsApplication.sendPostedEvents(None, 52)  # QEvent::DeferredDelete


@pytest.fixture
def dock(gui: SardinePlugin, scene: Path, header_model: Path) -> SardineDock:
    """The panel on a loaded scene, with a model that no child reads."""
    add(scene)
    gui.open_panel()
    gui.dock.model.choose(str(header_model))
    return gui.dock


@pytest.fixture(scope="session")
def profile(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Path:
    """A QGIS profile of its own in which the plugin is this clone."""
    folder = tmp_path_factory.mktemp("QGIS profile ü")
    subprocess.run([str(root / "scripts/make_profile.sh"), str(folder)], check=True, timeout=120)
    return folder
