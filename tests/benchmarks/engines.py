# SPDX-License-Identifier: GPL-2.0-or-later
"""Would another engine be faster on a CPU? The same windows of a scene through torch, ONNX Runtime and OpenVINO, turn by turn.

    .venv/bin/pip install onnx onnxscript onnxruntime openvino   # not among SARdine's own requirements
    .venv/bin/python -m tests.benchmarks.engines SCENE.tif

The figures are those of one process with all cores, engines taking turns, so that a slow moment of the machine meets all of them.
Agreement is the share of pixels of one class with torch in float32. An engine earns a place in the backend at 1.3 times the rate of
the precision that the backend chooses by itself, and 99.5% agreement.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from backend.grid import PixelWindow
from backend.network.device import choose_device, choose_precision
from backend.network.model import SardineModel
from backend.network.model_file import load_model
from backend.protocol import BandSource
from backend.radiometry import standardise
from backend.scene.open import open_scene
from tests.benchmarks.inference import bundled_model

F32 = NDArray[np.float32]
Engine = Callable[[F32], F32]
"""Windows [B, bands, S, S] to logits [B, classes, S, S]."""


class Exported(torch.nn.Module):
    """What is exported: logits and the attention of the class token, as a job asks for them."""

    def __init__(self, model: SardineModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        found = self.model(x)
        assert found.logits is not None
        assert found.attention is not None
        return found.logits, found.attention


def in_torch(model: SardineModel, precision: str) -> Engine:
    """As the backend runs it: channels last, inference mode, autocast in bf16."""
    net = Exported(model.eval().to(memory_format=torch.channels_last))  # type: ignore[call-overload]

    def run(x: F32) -> F32:
        batch = torch.from_numpy(x).contiguous(memory_format=torch.channels_last)
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            return np.asarray(net(batch)[0].float().numpy())

    return run


def in_onnxruntime(path: Path, threads: int) -> Engine:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda x: np.asarray(session.run(None, {name: x})[0])


def in_openvino(path: Path, precision: str, threads: int) -> Engine:
    import openvino

    settings = {"INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
    compiled = openvino.Core().compile_model(str(path), "CPU", settings)
    return lambda x: np.asarray(compiled(x)[0], dtype=np.float32)


def quantized(path: Path) -> Path:
    """Weights of matrix products in int8, activations by the batch: ONNX Runtime's dynamic quantisation, which it advises for
    transformers.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    into = path.with_name("int8.onnx")
    quantize_dynamic(str(path), str(into), weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul", "Gemm"])
    return into


def windows_of(scene: str, model: Path, count: int) -> F32:
    """`count` windows of the scene, standardised, from its upper left corner on."""
    _, card = load_model(model)
    side = card.window_px
    with open_scene((BandSource("", scene, 0),), card) as opened:
        grid = opened.grid
        corners = [(r, c) for r in range(0, grid.height - side + 1, side) for c in range(0, grid.width - side + 1, side)]
        parts = [opened.read(PixelWindow(row, column, side, side)) for row, column in (corners * count)[:count]]
    return np.stack([standardise(part, card.bands)[0] for part in parts])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scene", help="a raster whose bands name their polarisations")
    parser.add_argument("--model", type=Path, help="a model file; the bundled one if left out")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=9)
    chosen = parser.parse_args()
    path = chosen.model or bundled_model()
    x = windows_of(chosen.scene, path, chosen.batch)
    threads = os.cpu_count() or 1
    own = choose_precision("auto", choose_device("cpu"))
    with tempfile.TemporaryDirectory() as folder:
        exported = Path(folder) / "model.onnx"
        torch.onnx.export(Exported(load_model(path)[0].eval()), (torch.from_numpy(x),), str(exported), dynamo=True)
        engines = {
            "torch, float32": in_torch(load_model(path)[0], "fp32"),
            "torch, bf16": in_torch(load_model(path)[0], "bf16"),
            "ONNX Runtime, float32": in_onnxruntime(exported, threads),
            "ONNX Runtime, int8 weights": in_onnxruntime(quantized(exported), threads),
            "OpenVINO, float32": in_openvino(exported, "f32", threads),
            "OpenVINO, bf16": in_openvino(exported, "bf16", threads),
        }
        classes = {name: run(x).argmax(axis=1) for name, run in engines.items()}
        seconds: dict[str, list[float]] = {name: [] for name in engines}
        for _ in range(chosen.repeats):
            for name, run in engines.items():
                began = time.perf_counter()
                run(x)
                seconds[name].append(time.perf_counter() - began)
    mine = seconds[f"torch, {'bf16' if own == 'bf16' else 'float32'}"]
    megapixels = x.shape[0] * x.shape[-1] ** 2 / 1e6
    print(f"{path.name}, {x.shape[0]} windows of {x.shape[-1]} px, {threads} cores, the backend chooses {own}\n")
    print("| engine | megapixels/s of windows | times the backend's rate | same class as torch in float32 |\n|---|---|---|---|")
    for name, found in seconds.items():
        ratios = [a / b for a, b in zip(mine, found, strict=True)]
        same = (classes[name] == classes["torch, float32"]).mean()
        print(
            f"| {name} | {megapixels / statistics.median(found):.2f} | {statistics.median(ratios):.2f} ({min(ratios):.2f} to "
            f"{max(ratios):.2f}) | {100 * same:.2f}% |"
        )


if __name__ == "__main__":
    main()
