# SPDX-License-Identifier: GPL-2.0-or-later
"""The bare forward of the windows of a scene: no reading, blending or writing in the time."""

from __future__ import annotations

import json
import time

import torch

from backend.grid import PixelWindow
from backend.network.device import choose_device, choose_precision, default_batch_size
from backend.network.forward import BatchRunner
from backend.network.model_file import load_model
from backend.protocol import BandSource
from backend.radiometry import standardise
from backend.scene.open import open_scene


def measure(scene_path: str, model_path: str, windows: int) -> None:
    """Prints the seconds that `windows` windows of the scene take, at the job's own device, precision and batch size."""
    model, card = load_model(model_path)
    device = choose_device("auto")
    precision, batch = choose_precision("auto", device), default_batch_size(device, card.window_px)
    runner = BatchRunner(model, device, precision, batch, may_use_cpu=False, warn=lambda _code, text: print(text))
    side, patches = card.window_px, card.window_px // card.patch_px
    valid = torch.ones(batch, patches, patches, dtype=torch.bool)
    seconds = 0.0
    with open_scene([BandSource("VV", scene_path, 1), BandSource("VH", scene_path, 2)], card, units="db") as scene:
        columns = scene.grid.width // side
        for first in range(0, windows, batch):
            count = min(batch, windows - first)
            corners = [divmod(index, columns) for index in range(first, first + count)]
            blocks = [scene.read(PixelWindow(r * side % (scene.grid.height - side), c * side, side, side)) for r, c in corners]
            x = torch.stack([torch.from_numpy(standardise(block, card.bands)[0]) for block in blocks])
            started_s = time.perf_counter()
            for _, prediction in runner.run(x, valid[:count]):
                if prediction.attention is not None:
                    prediction.attention.sum().item()
            seconds += time.perf_counter() - started_s
    print(json.dumps({"s": seconds, "precision": precision, "batch": batch}))
