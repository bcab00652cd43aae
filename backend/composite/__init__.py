# SPDX-License-Identifier: GPL-2.0-or-later
"""Many dates of one place become one raster: median, mean or percentile of linear power, by season, by month or of all."""
