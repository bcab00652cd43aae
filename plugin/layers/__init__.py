# SPDX-License-Identifier: GPL-2.0-or-later
"""Layers on their way in (a request to the backend) and out (styled results)."""
