# SPDX-License-Identifier: GPL-2.0-or-later
"""The backend's Python: found or made, checked, repaired and removed, and the dialogs that do it."""
