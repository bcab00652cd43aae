# SPDX-License-Identifier: GPL-2.0-or-later
"""Inference: a request becomes GeoTIFFs. Read job.py first."""
