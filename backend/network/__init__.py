# SPDX-License-Identifier: GPL-2.0-or-later
"""The network: its file, its device and precision, its forward pass and its attention."""
