# SPDX-License-Identifier: GPL-2.0-or-later
"""Simulated scenes with labels: ground, radar, files."""
