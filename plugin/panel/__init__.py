# SPDX-License-Identifier: GPL-2.0-or-later
"""The dockable panel: what is chosen, a check before the run, the queue of runs, and what came of them."""
