# SPDX-License-Identifier: GPL-2.0-or-later
"""Texts that a person sees can be translated, and are, into the language that QGIS runs in."""

from __future__ import annotations

import inspect
import string
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import pytest
import sardine
from qgis.core import QgsApplication
from qgis.PyQt.QtCore import QLocale, QTranslator
from sardine.backend.model_card import absent_band_note
from sardine.plugin import translation

from scripts import package
from tests.test_plugin.untranslated import problems, translated

PLUGIN = sorted((package.ROOT / "plugin").rglob("*.py"))
SOURCES = [*PLUGIN, package.ROOT / "backend" / "model_card.py"]  # which has one text that the panel shows
LANGUAGES = sorted((package.ROOT / "resources" / "i18n").glob("sardine_*.ts"))


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of .qm files as the package holds them."""
    folder = tmp_path_factory.mktemp("i18n ü")
    for path, data in package.compiled_translations().items():
        (folder / Path(path).name).write_bytes(data)
    return folder


@pytest.fixture
def installed() -> Iterator[list[QTranslator]]:
    """Translators to be taken back, whatever becomes of the test."""
    translators: list[QTranslator] = []
    yield translators
    for translator in translators:
        translation.remove(translator)


def messages(path: Path) -> dict[str, str]:
    """Source and translation of each message of a .ts file; empty where it is not translated."""
    return {
        message.findtext("source"): (message.findtext("translation") or "")
        for message in ElementTree.parse(path).iter("message")  # noqa: S314  # our own file
    }


@pytest.mark.parametrize("path", PLUGIN, ids=lambda path: path.name)
def test_sources_should_show_nothing_that_cannot_be_translated(path: Path) -> None:
    assert problems(path.read_text(encoding="utf-8")) == []


def test_the_note_on_absent_bands_should_show_nothing_that_cannot_be_translated() -> None:
    source = inspect.getsource(absent_band_note)
    assert len(translated(source)) == 2
    assert problems(source) == []


@pytest.mark.parametrize("path", LANGUAGES, ids=lambda path: path.name)
def test_translations_should_hold_the_texts_of_the_sources(path: Path) -> None:
    wanted = {text for source in SOURCES for text in translated(source.read_text(encoding="utf-8"))}
    held = set(messages(path))
    assert (wanted - held, held - wanted) == (set(), set()), "run make translations"


@pytest.mark.parametrize("path", LANGUAGES, ids=lambda path: path.name)
def test_translations_should_keep_the_fields_that_are_filled_in(path: Path) -> None:
    def fields(text: str) -> list[tuple[str, str]]:
        return sorted((name, spec or "") for _, name, spec, _ in string.Formatter().parse(text) if name is not None)

    wrong = [source for source, text in messages(path).items() if text and fields(source) != fields(text)]
    assert wrong == []


def test_translation_should_follow_the_locale_and_be_taken_back(compiled: Path, installed: list[QTranslator]) -> None:
    german = messages(package.ROOT / "resources/i18n/sardine_de.ts")
    assert translation.tr("Run") == "Run"
    for locale in ("de", "de_AT"):
        installed.append(translation.install(locale, compiled))
        assert installed[-1] is not None
        assert translation.tr("Run") == german["Run"] == "Ausführen"
        assert translation.tr("Never written") == "Never written"
        translation.remove(installed[-1])
        assert translation.tr("Run") == "Run"


@pytest.mark.parametrize("locale", ["en", "xx", "C"])
def test_translation_should_be_english_without_one(compiled: Path, locale: str) -> None:
    assert translation.install(locale, compiled) is None


def test_translation_should_be_english_where_nothing_is_compiled(tmp_path: Path) -> None:
    assert translation.install("de", tmp_path) is None
    (tmp_path / "sardine_de.qm").write_bytes(b"no translation")
    assert translation.install("de", tmp_path) is None


def test_plugin_should_speak_german_in_a_german_qgis(
    qgis_processing: None, compiled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = QgsApplication.instance().locale()
    monkeypatch.setattr(translation.install, "__defaults__", (None, compiled))
    QgsApplication.instance().setLocale(QLocale("de"))
    try:
        plugin = sardine.classFactory(None)
        plugin.initProcessing()
        algorithm = QgsApplication.processingRegistry().algorithmById("sardine:landcover")
        german = messages(package.ROOT / "resources/i18n/sardine_de.ts")
        assert algorithm.displayName() == german["Land cover from Sentinel-1"] == "Landbedeckung aus Sentinel-1"
        assert algorithm.id() == "sardine:landcover"
        plugin.unload()
        assert translation.tr("Run") == "Run"
    finally:
        QgsApplication.instance().setLocale(QLocale(before))


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('label.setText("Hello you")', ["1: setText shows “Hello you”, which is not translated"]),
        (
            'QLabel(f"Read {n} files", self)',
            ["1: QLabel shows “Read ”, which is not translated", "1: QLabel shows “ files”, which is not translated"],
        ),
        ('raise SardineError(code, "Found it.", tr("Needed."), x)', ["1: SardineError shows “Found it.”, which is not translated"]),
        (
            'bar.pushMessage(tr("A"), "It went wrong" if bad else "")',
            ["1: pushMessage shows “It went wrong”, which is not translated"],
        ),
        ("f\"<b>{tr('Read')}</b>\"", ["1: tr inside an f-string is not collected: put it before"]),
        ('tr(f"Read {n}")', ["1: tr needs one plain text: fill in names with .format"]),
        ('label.setText(tr("Hello"))\nlabel.setObjectName("hello you")\nbox.addItem("—")\nx.setSuffix(" km²".strip())', []),
    ],
)
def test_finder_should_see(source: str, found: list[str]) -> None:
    assert sorted(problems(source)) == sorted(found)
