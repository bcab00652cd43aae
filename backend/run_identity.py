# SPDX-License-Identifier: GPL-2.0-or-later
"""What a run is of: all that its pixels depend on. A run goes on only where one of the same was."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .model_card import ModelCard
from .protocol import JobRequest
from .scene.fingerprint import fingerprint
from .scene.reader import Scene
from .versions import SARDINE_VERSION
from .windows import WindowLayout


def run_identity(
    request: JobRequest,
    card: ModelCard,
    scene: Scene,
    layout: WindowLayout,
    targets: Mapping[str, Path],
    device: str,
    precision: str,
) -> dict[str, str]:
    """Names of what may differ between two runs, as a sentence would say them, with a text for each that tells it.

    The number of windows in a batch and that of threads are left out: a run that had too little memory may go on with fewer. They
    change pixels by rounding alone.
    """
    grid = scene.grid
    files = fingerprint(request.bands)
    parts: dict[str, Any] = {
        "model": hashlib.sha256(card.to_json().encode("utf-8")).hexdigest(),  # the hash of the weights is in the card
        "scene": files if files is not None else [[band.path, band.role, band.band] for band in request.bands],
        "unit of the values": [scene.unit_report.unit, request.calibration_db],
        "grid": [grid.height, grid.width, *grid.bounds, grid.crs_wkt],
        "area": [layout.area.row, layout.area.column, layout.area.height, layout.area.width],
        "mask": scene.mask_sha256,
        "overlap of windows": [layout.window_px, layout.stride_px],
        "kind of attention": [request.attention_scope, request.attention_heads],
        "set of outputs": {name: str(path) for name, path in targets.items()},
        "device or precision": [device, precision],
        "version of SARdine": SARDINE_VERSION,
    }
    return {name: json.dumps(part, sort_keys=True) for name, part in parts.items()}
