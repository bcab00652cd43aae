# SPDX-License-Identifier: GPL-2.0-or-later
"""A scene as any model takes it: files, bands and units, one grid, masks, raw products."""
