# SPDX-License-Identifier: GPL-2.0-or-later
"""What this machine offers the backend: versions, devices, precisions, and one timed forward."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import rasterio
import torch
from rasterio.crs import CRS

from .model_card import BandSpec, ClassSpec, DecoderSpec, EncoderSpec, ModelCard
from .network.device import choose_device, choose_precision, default_batch_size, describe_devices
from .network.forward import BatchRunner
from .network.model import build_model
from .network.model_file import load_model
from .protocol import PROTOCOL_VERSION
from .versions import versions

TIMED_FORWARDS = 3

REFERENCE_CARD = ModelCard(
    name="ViT-Ti/16",
    description="random weights, for timing alone",
    licence="GPL-2.0-or-later",
    bands=(BandSpec("VV", (-30.0, 5.0), -12.5, 5.3), BandSpec("VH", (-38.0, 0.0), -20.2, 5.9)),
    classes=(ClassSpec(1, "one", "#000000"), ClassSpec(2, "two", "#ffffff")),
    window_px=224,
    spacing_m=10.0,
    encoder=EncoderSpec(embed_dim=192, depth=12, num_heads=3, patch_px=16, position_grid=14),
    decoder=DecoderSpec(blocks=(2, 5, 8, 11), width=48, skip_width=12),
    attention_block=11,
)
"""A network of a common size, so that the figures of two machines can be compared."""


def examine() -> dict[str, Any]:
    """Versions, devices, and the rate of the reference network on the device and precision that `auto` takes.

    Raises what rasterio raises where its PROJ database is not its own, the commonest fault of an environment beside QGIS.
    """
    CRS.from_epsg(32633).to_wkt()
    device = choose_device("auto")
    precision = choose_precision("auto", device)
    torch.manual_seed(0)
    model = build_model(REFERENCE_CARD).eval().to(memory_format=torch.channels_last)
    seconds = _time_forward(model, REFERENCE_CARD, device, precision)
    return {
        "protocol": PROTOCOL_VERSION,
        "versions": {**versions(), "gdal": rasterio.__gdal_version__},
        "devices": [dataclasses.asdict(info) for info in describe_devices()],
        "chosen_device": str(device),
        "chosen_precision": precision,
        "threads": torch.get_num_threads(),
        "timed_model": REFERENCE_CARD.name,
        "seconds_per_window": seconds,
        "megapixels_per_s": REFERENCE_CARD.window_px**2 / 1e6 / seconds,
    }


def seconds_per_window(model_path: str, device: str = "auto", precision: str = "auto") -> float:
    """A short timing of a model file on this device, in this precision.

    Raises what `load_model`, `choose_device` and `choose_precision` raise.
    """
    chosen = choose_device(device)
    in_precision = choose_precision(precision, chosen)
    model, card = load_model(model_path)
    return _time_forward(model, card, chosen, in_precision)


def _time_forward(model: torch.nn.Module, card: ModelCard, device: torch.device, precision: str) -> float:
    """The fastest of a few forwards of one batch, per window: what else the machine does only ever adds time."""
    batch = default_batch_size(device, card.window_px)
    runner = BatchRunner(model, device, precision, batch, may_use_cpu=True, warn=lambda _code, _text: None)
    x = torch.randn(batch, len(card.bands), card.window_px, card.window_px)
    valid = torch.ones(batch, card.window_px // card.patch_px, card.window_px // card.patch_px, dtype=torch.bool)
    taken_s = []
    for _ in range(TIMED_FORWARDS):
        started_s = time.perf_counter()
        for _, prediction in runner.run(x, valid):
            if prediction.attention is not None:
                prediction.attention.sum().item()  # waits for an asynchronous device
        taken_s.append(time.perf_counter() - started_s)
    return min(taken_s) / batch


def as_text(found: dict[str, Any]) -> str:
    """The findings of `examine`, one a line."""
    lines = ["  ".join(f"{name} {version}" for name, version in found["versions"].items()), "", "Devices (auto takes the first)"]
    for info in found["devices"]:
        memory = f", {info['memory_gb']:.0f} GB" if info["memory_gb"] else ""
        lines.append(f"  {info['name']:<8} {info['label']}{memory}, {'float32 and bfloat16' if info['bf16'] else 'float32'}")
    lines += [
        "",
        f"One forward of a {found['timed_model']} on {found['chosen_device']} in {found['chosen_precision']}: "
        f"{1000 * found['seconds_per_window']:.0f} ms a window, {found['megapixels_per_s']:.2f} megapixels/s",
    ]
    return "\n".join(lines)
