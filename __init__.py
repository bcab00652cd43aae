# SPDX-License-Identifier: GPL-2.0-or-later
"""SARdine: land cover and attention maps from Sentinel-1 radar in QGIS. QGIS loads this folder as one package."""

from __future__ import annotations

import typing

if typing.TYPE_CHECKING:
    from qgis.gui import QgisInterface

    from .plugin.main import SardinePlugin


def classFactory(iface: QgisInterface | None) -> SardinePlugin:
    """The plugin object that QGIS asks for. `iface` is None under `qgis_process`."""
    from .plugin.main import SardinePlugin

    return SardinePlugin(iface)
