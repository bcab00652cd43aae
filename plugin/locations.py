# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the plugin's own files lie."""

from __future__ import annotations

import os
from pathlib import Path

from qgis.core import QgsApplication
from qgis.PyQt.QtCore import QUrl

from ..backend.protocol import ErrorCode, SardineError
from .translation import tr

PLUGIN_ROOT = Path(__file__).parents[1]
"""The folder that QGIS loads. Links are kept: a profile may hold a link to a clone that lies elsewhere."""

ICONS = PLUGIN_ROOT / "resources" / "icons"
MODELS = PLUGIN_ROOT / "resources" / "models"
GRAPHICAL_MODELS = PLUGIN_ROOT / "resources" / "models3"
HELP = PLUGIN_ROOT / "resources" / "help"


def bundled_model() -> Path:
    """The model that comes with the plugin: the first by name, should there be several.

    Raises SardineError (model_missing) where the folder holds none.
    """
    models = sorted(MODELS.glob("*.safetensors"))
    if not models:
        raise SardineError(
            ErrorCode.MODEL_MISSING,
            tr("There is no model in {folder}.").format(folder=MODELS),
            tr("A .safetensors file exported by SARdine is needed."),
            tr("Install the plugin again, or choose a model file."),
        )
    return models[0]


def help_url(topic: str) -> str:
    """The address of a help page on this disk: `index`, `panel`, or the name of an algorithm."""
    return QUrl.fromLocalFile(str(HELP / f"{topic}.html")).toString()


def qgis_folders() -> list[str]:
    """Where QGIS keeps its own libraries, on Windows with the whole OSGeo4W tree."""
    return [QgsApplication.prefixPath(), os.environ.get("OSGEO4W_ROOT", "")]
