# SPDX-License-Identifier: GPL-2.0-or-later
"""The one context under which the plugin's strings are translated, and the translation into the language of QGIS."""

from __future__ import annotations

from pathlib import Path

from qgis.core import QgsApplication
from qgis.PyQt.QtCore import QCoreApplication, QTranslator

CONTEXT = "SARdine"
I18N = Path(__file__).parents[1] / "resources" / "i18n"
"""sardine_<language>.ts, and in the package the .qm files compiled from them."""


def tr(text: str) -> str:
    """`text` in the language of QGIS; itself where no translation is installed."""
    return QCoreApplication.translate(CONTEXT, text)


def install(locale: str | None = None, folder: Path = I18N) -> QTranslator | None:
    """Installs the translation for `locale` (by default the language that QGIS runs in), as `pt_BR` or else as `pt`.

    Returns it, for `remove`; None where there is none: in a clone, where nothing is compiled, or for a language without one.
    """
    locale = locale or QgsApplication.instance().locale()
    for name in dict.fromkeys((locale, locale.split("_")[0])):
        translator = QTranslator()
        if translator.load(str(folder / f"sardine_{name}.qm")) and QCoreApplication.installTranslator(translator):
            return translator
    return None


def remove(translator: QTranslator | None) -> None:
    """Takes back what `install` gave."""
    if translator is not None:
        QCoreApplication.removeTranslator(translator)
