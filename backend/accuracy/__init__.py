# SPDX-License-Identifier: GPL-2.0-or-later
"""A class map judged by a reference: error matrix, areas with intervals, stratified samples."""
