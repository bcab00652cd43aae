# SPDX-License-Identifier: GPL-2.0-or-later
"""DINO on unlabelled radar chips."""
