# SPDX-License-Identifier: GPL-2.0-or-later
"""The panel's page for maps in a person's own classes: samples drawn on the map, previewed, mapped and judged."""
