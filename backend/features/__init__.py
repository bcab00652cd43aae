# SPDX-License-Identifier: GPL-2.0-or-later
"""Attention, tokens and backscatter as features of a scene, cached; similar places."""
