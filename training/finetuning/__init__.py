# SPDX-License-Identifier: GPL-2.0-or-later
"""Encoder and decoder on labelled chips, whole or partly labelled."""
