# SPDX-License-Identifier: GPL-2.0-or-later
"""Chips: scenes and label rasters of many layouts become one memory-mapped store, which pretrain, finetune and evaluate read.

readers (which files there are, what they are) -> cut (the backend's scene, cut) -> splits -> writer -> store
"""
