# SPDX-License-Identifier: GPL-2.0-or-later
"""The text that a person pastes into an issue: versions, settings, error and log, without telling whose files they are."""

from __future__ import annotations

import configparser
import platform
import re

from qgis.core import Qgis
from qgis.PyQt.QtCore import QT_VERSION_STR

from .locations import PLUGIN_ROOT
from .panel.run_queue import Run

_PATH = re.compile(r"(?:[A-Za-z]:[\\/]|(?<![\w/.<:])/)[^\n\"'“”|<>:*?,;()\[\]{}=]+")
"""An absolute path. It may hold spaces, so it may take the words after it too: better a word lost than a name told."""


def report_text(run: Run) -> str:
    """All that is known of `run`, with paths shortened to their last part."""
    settings = {name: value for name, value in run.history["parameters"].get("inputs", {}).items() if value is not None}
    lines = [
        f"SARdine {plugin_version()}",
        f"QGIS {Qgis.QGIS_VERSION}, Qt {QT_VERSION_STR}, Python {platform.python_version()}",
        f"{platform.system()} {platform.release()} {platform.machine()}",
        f"Model: {run.card.name}, weights {run.card.weights_sha256 or 'without hash'}",
        f"Outcome: {run.outcome}",
        "",
        "Settings:",
        *(f"  {name}: {shorten(str(value))}" for name, value in sorted(settings.items())),
        "",
        "Error:",
        shorten(run.feedback.error),
        "",
        "Log:",
        shorten(run.feedback.log),
    ]
    return "\n".join(lines)


def shorten(text: str) -> str:
    """`text` with each absolute path cut to its last part.

    >>> shorten("No file /home/ada/secret site/s1_vv.tif.")
    'No file …/s1_vv.tif.'
    """
    return _PATH.sub(lambda match: "…/" + re.split(r"[\\/]", match.group(0).rstrip("\\/"))[-1], text)


def plugin_version() -> str:
    """The version in metadata.txt."""
    metadata = configparser.ConfigParser(interpolation=None)
    metadata.read(PLUGIN_ROOT / "metadata.txt", encoding="utf-8")
    return metadata.get("general", "version", fallback="unknown")
