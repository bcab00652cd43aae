# SPDX-License-Identifier: GPL-2.0-or-later
"""The page of the set-up dialog on which an environment is planned: for what, from which Python, from where, in which folder."""

from __future__ import annotations

from pathlib import Path

from qgis.core import QgsSettings
from qgis.gui import QgsFileWidget
from qgis.PyQt.QtCore import QUrl, pyqtSignal
from qgis.PyQt.QtGui import QDesktopServices
from qgis.PyQt.QtWidgets import QFileDialog, QFormLayout, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from ..locations import PLUGIN_ROOT
from ..translation import tr
from . import folder as folders
from .base_python import PythonFacts
from .builds import Build, build_of, fitting_builds, hosts, label, suggest
from .interpreter import environments_home, usual_home
from .plan import SetupPlan, needed_mb
from .python_search import PythonSearch
from .widgets import button, combo, line, words

INTERNET, WHEELS = "internet", "wheels"
WHEELS_KEY = "sardine/wheels"
PYTHON_SITE = "https://www.python.org/downloads/"


class CreatePage(QWidget):
    """`changed` tells that `problem` or `plan` may be another."""

    changed = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.search = PythonSearch(self)
        self._plan: SetupPlan | None = None
        self.build = combo(self, "build")
        self.python = combo(self, "base_python")
        self.source = combo(self, "source")
        self.wheels = QgsFileWidget(self)
        self.wheels.setObjectName("wheels")
        self.wheels.setStorageMode(QgsFileWidget.StorageMode.GetDirectory)
        self.wheels.setFilePath(str(QgsSettings().value(WHEELS_KEY, "") or ""))
        self.folder = QLineEdit(self)
        self.folder.setObjectName("environment_folder")
        self.folder.setReadOnly(True)
        self.cost = words(self, "cost")
        self.no_python = words(self, "no_python")
        self.choose_python = button(self, "choose_base_python", tr("Choose…"))
        self.look_again = button(self, "look_again", tr("Look again"))
        self.get_python = button(self, "get_python", tr("Open python.org"))
        self.change_folder = button(self, "change_folder", tr("Change…"))
        self._lay_out()
        self._connect()

    def start(self, plan: SetupPlan | None = None) -> None:
        """Looks for Pythons and GPUs; `changed` follows. The choices of `plan`, a set-up that runs or failed, are shown again."""
        self._plan = plan
        if plan is not None:
            self.source.setCurrentIndex(self.source.findData(INTERNET if plan.wheels is None else WHEELS))
        self.search.start(self._named() or (plan.base.path if plan is not None else ""))
        self._update()

    def base(self) -> PythonFacts | None:
        """The Python that is chosen as base."""
        index = self.python.currentIndex()
        return self.search.suitable[index] if 0 <= index < len(self.search.suitable) else None

    def problem(self) -> str:
        """Why no environment can be made as things are chosen; empty where one can."""
        if self.search.is_running:
            return tr("Looking for a suitable Python…")
        if self.base() is None:
            return self.search.problem
        wheels = self._wheels()
        if wheels is not None and not any(wheels.glob("*.whl")):
            return tr("Choose a folder that holds the wheels (files named .whl) of all packages.")
        return folders.location_problem(self._path(), needed_mb(self._build(), self._wheels()))

    def plan(self) -> SetupPlan:
        """What is chosen. Only where `problem` is empty."""
        wheels = self._wheels()
        if wheels is not None:
            QgsSettings().setValue(WHEELS_KEY, str(wheels))
        return SetupPlan(self._path(), self.base(), self._build(), tuple(folders.read_requirements(PLUGIN_ROOT)), wheels)

    def show_build(self, key: str) -> None:
        """Makes the build `key` the choice where it is one of those that fit."""
        index = self.build.findData(key)
        if index >= 0:
            self.build.setCurrentIndex(index)

    def _lay_out(self) -> None:
        self.source.addItem(tr("the internet"), INTERNET)
        self.source.addItem(tr("a folder of wheels, without internet"), WHEELS)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow(tr("Computes on"), self.build)
        form.addRow(tr("Made from"), line(self, self.python, self.choose_python))
        source = QVBoxLayout()  # in one row: a hidden row would leave a gap
        source.addWidget(self.source)
        source.addWidget(self.wheels)
        form.addRow(tr("Packages from"), source)
        form.addRow(tr("Folder"), line(self, self.folder, self.change_folder))
        without = QHBoxLayout()
        without.addWidget(self.get_python)
        without.addWidget(self.look_again)
        without.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(22, 0, 0, 6)
        layout.addWidget(self.no_python)
        layout.addLayout(without)
        layout.addLayout(form)
        layout.addWidget(self.cost)  # not in the form, which gives a text of several lines the height of one

    def _connect(self) -> None:
        self.search.ended.connect(self._searched)
        self.python.currentIndexChanged.connect(self._python_changed)
        self.build.currentIndexChanged.connect(self._update)
        self.source.currentIndexChanged.connect(self._update)
        self.wheels.fileChanged.connect(self._update)
        self.choose_python.clicked.connect(self._ask_python)
        self.look_again.clicked.connect(lambda: self.start())
        self.get_python.clicked.connect(lambda: QDesktopServices.openUrl(QUrl(PYTHON_SITE)))
        self.change_folder.clicked.connect(self._ask_folder)

    def _searched(self) -> None:
        self.python.blockSignals(True)
        self.python.clear()
        for facts in self.search.suitable:
            self.python.addItem(tr("Python {version}: {path}").format(version=facts.version_text, path=facts.path), facts.path)
        if self._plan is not None:
            self.python.setCurrentIndex(max(0, self.python.findData(self._plan.base.path)))
        self.python.blockSignals(False)
        self._python_changed()
        if self._plan is not None:
            self.show_build(self._plan.build.key)

    def _python_changed(self) -> None:
        base = self.base()
        chosen = self.build.currentData()
        self.build.blockSignals(True)
        self.build.clear()
        if base is not None:
            for build in fitting_builds(base.system, base.machine):
                self.build.addItem(label(build), build.key)
            suggested = suggest(base.system, base.machine, self.search.gpus)
            self.show_build(chosen or (suggested.key if suggested is not None else ""))
        self.build.blockSignals(False)
        self._update()

    def _update(self) -> None:
        by_wheels = self.source.currentData() == WHEELS
        self.wheels.setVisible(by_wheels)
        nothing = not self.search.is_running and self.base() is None
        self.no_python.setText(self.search.problem if nothing else "")
        for widget in (self.no_python, self.get_python, self.look_again):
            widget.setVisible(nothing)
        self.python.setEnabled(bool(self.search.suitable))
        self.folder.setText(str(self._path()))
        build = self._build() if self.build.count() else None
        texts = [self._found_text(build), self._cost_text(build) if build is not None else ""]
        self.cost.setText("\n".join(text for text in texts if text))
        self.changed.emit()

    def _found_text(self, build: Build | None) -> str:
        if self.search.is_running:
            return tr("Looking for Pythons and GPUs…")
        if not self.search.gpus:
            return tr("Found: no NVIDIA GPU.") if build is None or build.key != "mps" else ""
        names = ", ".join(tr("{name} with driver {driver}").format(name=gpu.name, driver=gpu.driver) for gpu in self.search.gpus)
        base = self.base()
        text = tr("Found: {names}.").format(names=names)
        suggested = suggest(base.system, base.machine, self.search.gpus) if base is not None else None
        if suggested is not None and suggested.key == "cpu":
            text += " " + tr("torch needs a newer driver, or no longer knows this card.")
        return text

    def _cost_text(self, build: Build) -> str:
        wheels = self._wheels()
        free = folders.free_mb(self._path())
        sizes = {
            "download": build.download_mb / 1024,
            "installed": build.installed_mb / 1024,
            "peak": needed_mb(build, wheels) / 1024,
            "free": free / 1024,
        }
        if wheels is None:
            text = tr("Downloads about {download:.1f} GB from {hosts}.").format(hosts=hosts(build, None), **sizes)
        else:
            text = tr("Nothing is downloaded.")
        space = tr(
            "Takes about {installed:.1f} GB, and {peak:.1f} GB while it is made; {free:.0f} GB are free. "
            "QGIS and its Python stay as they are."
        )
        return f"{text} {space.format(**sizes)}"

    def _build(self) -> Build:
        return build_of(self.build.currentData())

    def _path(self) -> Path:
        return folders.environment_path(environments_home(), folders.read_requirements(PLUGIN_ROOT))

    def _wheels(self) -> Path | None:
        """The folder of wheels, perhaps not named yet; None where the internet is the source."""
        return Path(self.wheels.filePath() or "nowhere") if self.source.currentData() == WHEELS else None

    def _named(self) -> str:
        return str(self.python.currentData() or "")

    def _ask_python(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, tr("Python 3.11 or later"), self._named())
        if path:
            self.search.start(path)
            self._update()

    def _ask_folder(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, tr("Folder for the environment"), str(environments_home()))
        if chosen:
            try:
                folders.choose_home(usual_home(), Path(chosen))
            except OSError as error:
                self.cost.setText(str(error))
                return
            self._update()
