# SPDX-License-Identifier: GPL-2.0-or-later
"""The one context under which the plugin's strings are translated."""

from __future__ import annotations

from qgis.PyQt.QtCore import QCoreApplication

CONTEXT = "SARdine"


def tr(text: str) -> str:
    """`text` in the language of QGIS; itself where no translation is installed."""
    return QCoreApplication.translate(CONTEXT, text)
