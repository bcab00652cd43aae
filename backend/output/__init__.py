# SPDX-License-Identifier: GPL-2.0-or-later
"""GeoTIFFs: part files until whole, tiles and overviews, and what they say of themselves."""
