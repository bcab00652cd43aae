# SPDX-License-Identifier: GPL-2.0-or-later
"""Reference polygons on real scenes, read, drawn, measured; and which place a scene shows."""
