# SPDX-License-Identifier: GPL-2.0-or-later
"""A map from a person's own samples, and the classifier file that carries it to other scenes."""
