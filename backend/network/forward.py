# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the network on batches of windows, with smaller batches where memory does not suffice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from ..protocol import ErrorCode, SardineError
from .device import bf16_is_fast
from .model import Prediction

Warn = Callable[[str, str], None]
"""Takes a stable code and a sentence for people."""


class BatchRunner:
    """The network on a device, in a precision, at most `batch_size` windows at a time.

    When the device's memory does not suffice the batch is halved, for the rest of the run. When one window is still too much,
    the CPU takes over if `may_use_cpu` (the device was chosen by `auto`), and the person is told; else the run fails.
    """

    def __init__(
        self,
        model: nn.Module,
        device: torch.device,
        precision: str,
        batch_size: int,
        *,
        may_use_cpu: bool,
        warn: Warn,
        want_logits: bool = True,
        want_attention: bool = True,
        want_tokens: bool = False,
    ) -> None:
        if batch_size < 1:
            raise SardineError(
                ErrorCode.REQUEST_INVALID,
                f"The batch size is {batch_size}.",
                "At least one window is needed.",
                "Leave it out to take the default.",
            )
        self.device = device
        self.precision = precision
        self.batch_size = batch_size
        self._may_use_cpu = may_use_cpu
        self._warn = warn
        self._wanted: dict[str, Any] = {"want_logits": want_logits, "want_attention": want_attention}
        if want_tokens:
            self._wanted["want_tokens"] = True
        self._model = model
        try:
            self._model = model.to(device)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            self._leave_device(error)

    def run(self, x: Tensor, patch_valid: Tensor, **wanted: Any) -> Iterator[tuple[int, Prediction]]:
        """Predictions for windows `x` [n, bands, S, S] and `patch_valid` [n, S/p, S/p], in parts.

        Gives the number of the part's first window with each part. Inputs may be on any device. `wanted` are arguments of the
        model's forward that change, for this call, what it was made to give.
        Raises SardineError: out_of_memory.
        """
        first = 0
        while first < len(x):
            part = slice(first, first + self.batch_size)
            try:
                prediction = self._forward(x[part], patch_valid[part], {**self._wanted, **wanted})
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                shortage: Exception | None = error.with_traceback(None)  # its frames hold the tensors that fill the memory
            else:
                shortage = None
            if shortage is not None:
                self._shrink(shortage)
                continue
            yield first, prediction
            first += len(x[part])

    def _forward(self, x: Tensor, patch_valid: Tensor, wanted: dict[str, Any]) -> Prediction:
        mixed = torch.autocast(self.device.type, torch.bfloat16) if self.precision == "bf16" else nullcontext()
        with torch.inference_mode(), mixed:
            prediction: Prediction = self._model(x.to(self.device), patch_valid.to(self.device), **wanted)
        return prediction

    def _shrink(self, error: Exception) -> None:
        if self.batch_size == 1:
            self._leave_device(error)
        else:
            self.batch_size = (self.batch_size + 1) // 2
            self._warn("batch_halved", f"The memory of {self.device} is short: {self.batch_size} windows at a time from here on.")
        _release_cache(self.device)

    def _leave_device(self, error: Exception) -> None:
        if self.device.type == "cpu" or not self._may_use_cpu:
            raise out_of_memory_error(self.device) from error
        crowded = self.device
        self._model = self._model.to("cpu")
        self.device = torch.device("cpu")
        if not bf16_is_fast(self.device):
            self.precision = "fp32"
        _release_cache(crowded)
        self._warn("device_left", f"The memory of {crowded} does not hold one window: the CPU computes from here on.")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether `error` means that memory ran out. Only CUDA has a type for it; the CPU and Apple GPUs say it in words."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    text = str(error)
    signs = ("out of memory", "not enough memory", "can't allocate memory", "_ALLOC_FAILED")
    return isinstance(error, RuntimeError) and any(sign in text for sign in signs)


def out_of_memory_error(device: torch.device) -> SardineError:
    """The failure that says that `device` is too small."""
    other = "Choose the device cpu, close" if device.type != "cpu" else "Close"
    return SardineError(
        ErrorCode.OUT_OF_MEMORY,
        f"The memory of {device} does not hold one window of this model.",
        "More free memory is needed.",
        f"{other} other programs, or take a smaller model.",
        refused=False,
    )


def _release_cache(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
