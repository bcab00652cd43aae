# SPDX-License-Identifier: GPL-2.0-or-later
"""The QGIS side: layers and choices become a request, results become styled layers. Nothing heavy is imported here."""
