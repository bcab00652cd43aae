# SPDX-License-Identifier: GPL-2.0-or-later
"""The parts of a run by themselves, each in a process of its own: the forward of the same windows, and reading and writing.

Run as `python -m tests.benchmarks.bare forward|files …`; the last line of stdout is JSON.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import rasterio
from rasterio.windows import Window

from backend.grid import PixelWindow
from backend.model_card import read_header
from backend.output.raster_specs import raster_specs
from backend.output.writer import RasterSet
from backend.protocol import BandSource
from backend.radiometry import standardise
from backend.scene.open import open_scene
from backend.scene.row_reader import read_rows
from backend.strip import Strip
from backend.windows import lay_windows


def forward(scene_path: str, model_path: str, windows: int, device_name: str, precision_name: str) -> dict[str, object]:
    """Seconds that `windows` windows of the scene take, at the job's own batch size: no reading, blending or writing in them."""
    import torch

    from backend.network.device import choose_device, choose_precision, default_batch_size
    from backend.network.forward import BatchRunner
    from backend.network.model_file import load_model

    model, card = load_model(model_path)
    device = choose_device(device_name)
    precision, batch = choose_precision(precision_name, device), default_batch_size(device, card.window_px)
    runner = BatchRunner(model, device, precision, batch, may_use_cpu=False, warn=lambda _code, text: print(text))
    side, patches = card.window_px, card.window_px // card.patch_px
    valid = torch.ones(batch, patches, patches, dtype=torch.bool)
    seconds = 0.0
    with open_scene(_bands(scene_path), card, units="db") as scene:
        columns = scene.grid.width // side
        for first in range(0, windows, batch):
            count = min(batch, windows - first)
            corners = [divmod(index, columns) for index in range(first, first + count)]
            blocks = [scene.read(PixelWindow(r * side % (scene.grid.height - side), c * side, side, side)) for r, c in corners]
            x = torch.stack([torch.from_numpy(standardise(block, card.bands)[0]) for block in blocks])
            started_s = time.perf_counter()
            for _, prediction in runner.run(x, valid[:count]):
                if prediction.attention is not None:
                    prediction.attention.sum().item()  # waits for a GPU
            seconds += time.perf_counter() - started_s
    return {"s": seconds, "precision": precision, "batch": batch}


def files(scene_path: str, model_path: str, outputs: dict[str, str], overlap: float) -> dict[str, object]:
    """Seconds for reading the scene as the network wants it, and for writing `outputs` once more, which a run has made of it."""
    card = read_header(model_path).card
    with open_scene(_bands(scene_path), card, units="db") as scene:
        grid = scene.grid
        layout = lay_windows(
            grid.full_window, grid.height, grid.width, window_px=card.window_px, patch_px=card.patch_px, overlap=overlap
        )
        started_s = time.perf_counter()
        for _ in read_rows(scene, card, layout):
            pass
        read_s = time.perf_counter() - started_s
    specs = raster_specs(card)
    strips: dict[str, list[np.ndarray]] = {}
    grids = {}
    for name, path in outputs.items():
        with rasterio.open(path) as file:
            grids[name] = grid if name != "attention" else grid.coarsen(card.patch_px)
            windows = [
                Window(0, row, file.width, min(layout.stride_px, file.height - row))
                for row in range(0, file.height, layout.stride_px)
            ]
            strips[name] = [file.read(window=window) for window in windows]
    with tempfile.TemporaryDirectory(dir=Path(next(iter(outputs.values()))).parent) as folder:
        targets = {name: Path(folder) / f"{name}.tif" for name in outputs}
        started_s = time.perf_counter()
        with RasterSet(targets, {name: specs[name] for name in outputs}, grids) as writer:
            for name, parts in strips.items():
                row = 0
                for part in parts:
                    writer.write(Strip(name, row, part))
                    row += part.shape[1]
            writer.finish({})
        write_s = time.perf_counter() - started_s
    return {"read_s": read_s, "write_s": write_s}


def _bands(scene_path: str) -> list[BandSource]:
    return [BandSource("VV", scene_path, 1), BandSource("VH", scene_path, 2)]


if __name__ == "__main__":
    print(json.dumps({"forward": forward, "files": files}[sys.argv[1]](**json.loads(sys.argv[2]))))
