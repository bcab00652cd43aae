# SPDX-License-Identifier: GPL-2.0-or-later
"""Many scenes: side by side on the workers of a Dask cluster, one table of all, and one mosaic."""
