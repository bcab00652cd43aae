# SPDX-License-Identifier: GPL-2.0-or-later
"""The study: what frozen encoders know, pre-trained against random. Read `study.py` first."""
