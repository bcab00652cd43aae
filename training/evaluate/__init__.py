# SPDX-License-Identifier: GPL-2.0-or-later
"""How well a map agrees with labels, through the backend as it is used. Start with `command.py`."""
