# SPDX-License-Identifier: GPL-2.0-or-later
"""Versions of what the backend runs on, read without importing any of it: `hello` must not wait for torch."""

from __future__ import annotations

import importlib.metadata
import platform

SARDINE_VERSION = "0.1.0"
PACKAGES = ("torch", "timm", "rasterio", "numpy", "safetensors", "scikit-learn", "scipy")


def versions() -> dict[str, str]:
    """Name to version; a package that is not installed is absent."""
    found = {"sardine": SARDINE_VERSION, "python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
