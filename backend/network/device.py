# SPDX-License-Identifier: GPL-2.0-or-later
"""Which device computes, in which precision, and how many windows at a time."""

from __future__ import annotations

import platform
from dataclasses import dataclass

import torch

from ..protocol import PRECISIONS, ErrorCode, SardineError

PIXELS_PER_BATCH = {"cpu": 4 * 224**2, "mps": 8 * 224**2, "cuda": 64 * 224**2}
"""Pixels in a batch, from which the default number of windows follows.

On a CPU more than 4 windows of 224 px were no faster (ViT-Ti, patch 8 and 16, bf16: 1 to 32 windows within 8%, measured),
take more memory, and let a cancel wait longer. The other two are not measured yet: enough to keep a GPU busy.
"""


@dataclass(frozen=True)
class DeviceInfo:
    """A device as `doctor` shows it. `bf16` tells whether bfloat16 is chosen there by `auto`; memory is None where not told."""

    name: str
    label: str
    memory_gb: float | None
    bf16: bool


def describe_devices() -> list[DeviceInfo]:
    """The devices of this machine that torch can use, the one that `auto` takes first."""
    found: list[DeviceInfo] = []
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            properties = torch.cuda.get_device_properties(index)
            device = torch.device("cuda", index)
            found.append(DeviceInfo(f"cuda:{index}", properties.name, properties.total_memory / 1e9, bf16_is_fast(device)))
    if torch.backends.mps.is_available():
        found.append(DeviceInfo("mps", "Apple GPU", None, False))
    label = f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads"
    found.append(DeviceInfo("cpu", label, None, bf16_is_fast(torch.device("cpu"))))
    return found


def choose_device(requested: str) -> torch.device:
    """The device for `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.

    Raises SardineError: request_invalid for another word, device_unavailable where this machine does not have it.
    """
    available = [info.name for info in describe_devices()]
    if requested == "auto":
        return torch.device(available[0])
    kind, colon, number = requested.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (colon and (kind != "cuda" or not number.isascii() or not number.isdigit())):
        raise SardineError(
            ErrorCode.REQUEST_INVALID,
            f"The device “{requested}” was not understood.",
            "It is one of auto, cpu, cuda, cuda:N or mps.",
            "Choose auto to take the fastest.",
        )
    name = f"cuda:{int(number or 0)}" if kind == "cuda" else kind
    if name not in available:
        reason = "; this torch was built without CUDA" if kind == "cuda" and torch.version.cuda is None else ""
        raise SardineError(
            ErrorCode.DEVICE_UNAVAILABLE,
            f"The device {requested} is not available{reason}.",
            f"This machine offers {', '.join(available)}.",
            "Choose one of these, or auto.",
        )
    return torch.device(name)


def choose_precision(requested: str, device: torch.device) -> str:
    """`fp32` or `bf16`. `auto` takes bf16 where the hardware multiplies it faster than float32.

    The answer depends on the hardware alone, not on a timing, so that a second run gives the same map.
    Raises SardineError (request_invalid) for another word.
    """
    if requested not in PRECISIONS:
        raise SardineError(
            ErrorCode.REQUEST_INVALID,
            f"The precision “{requested}” was not understood.",
            f"It is one of {', '.join(PRECISIONS)}.",
            "Choose auto.",
        )
    if requested != "auto":
        return requested
    return "bf16" if bf16_is_fast(device) else "fp32"


def bf16_is_fast(device: torch.device) -> bool:
    """Whether the device has bfloat16 matrix products in hardware.

    CUDA from compute capability 8.0 on. x86 CPUs with AVX512-BF16 or AMX, where it runs 1.5 to 1.9 times as fast as
    float32 (measured with ViT-Ti and ViT-S); without them torch emulates it, which is slower. Not measured on other CPUs and
    on Apple GPUs, so float32 there.
    """
    if device.type == "cuda":
        return bool(torch.cuda.get_device_capability(device)[0] >= 8)
    if device.type == "cpu":
        # An older torch does not tell; float32 is right everywhere.
        capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
        return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
    return False


def default_batch_size(device: torch.device, window_px: int) -> int:
    """Windows in a batch, at least 1."""
    return max(1, PIXELS_PER_BATCH[device.type] // window_px**2)
