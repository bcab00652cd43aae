# SPDX-License-Identifier: GPL-2.0-or-later
"""Model files: one `.safetensors` with the model card in its header. Nothing in such a file is ever executed."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from ..model_card import CARD_KEY, ModelCard, ModelHeader, read_header
from ..protocol import ErrorCode, SardineError
from .model import SardineModel, build_model

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
_FLOAT_DTYPES = ("F32", "F16", "BF16")


def save_model(path: Path, card: ModelCard, model: SardineModel, dtype: str = "float16") -> ModelCard:
    """Writes `model` to `path` with weights as `dtype`, and returns the card with the hash of the weights in it.

    The file appears under its name only when it is whole. Raises ValueError where a weight does not survive the change of
    dtype (float16 ends at 65,504), KeyError for an unknown dtype.
    """
    tensors = {name: tensor.detach().cpu().to(DTYPES[dtype]).contiguous() for name, tensor in model.state_dict().items()}
    broken = [name for name, tensor in tensors.items() if not torch.isfinite(tensor).all()]
    if broken:
        raise ValueError(f"weights that are not finite as {dtype}: {', '.join(broken[:5])}")
    # The hash covers the bytes after the header, so that it can stand in the header.
    card = dataclasses.replace(card, weights_sha256=_data_hash(safetensors.torch.save(tensors)))
    part = path.with_name(path.name + ".part")
    part.write_bytes(safetensors.torch.save(tensors, metadata={CARD_KEY: card.to_json()}))
    part.replace(path)
    return card


def load_model(path: str | Path) -> tuple[SardineModel, ModelCard]:
    """The model in float32 on the CPU, in evaluation mode, at the card's window; and its card.

    Raises SardineError for anything wrong with the file: see `model_card.read_header`, and model_corrupt (wrong hash),
    model_tensors_mismatch, model_weights_not_finite.
    """
    header = read_header(path)
    with torch.device("meta"):
        model = build_model(header.card)  # sizes without memory: what the file holds is compared before any of it is loaded
    _check_tensors(header, model.state_dict())
    content = Path(path).read_bytes()
    if _data_hash(content) != header.card.weights_sha256:
        raise SardineError(
            ErrorCode.MODEL_CORRUPT,
            f"The weights in {Path(path).name} are not those that its card was written for (SHA-256 differs).",
            "An unchanged file is needed.",
            "Copy or download it again.",
        )
    weights = {name: tensor.float() for name, tensor in safetensors.torch.load(content).items()}
    broken = [name for name, tensor in weights.items() if not torch.isfinite(tensor).all()]
    if broken:
        raise SardineError(
            ErrorCode.MODEL_WEIGHTS_NOT_FINITE,
            f"The model holds NaN or infinite weights ({', '.join(broken[:3])}).",
            "Finite weights are needed.",
            "Export the model again from a checkpoint of before its loss diverged.",
        )
    model.load_state_dict(weights, strict=True, assign=True)
    # Convolutions run up to 1.5 times as fast on a CPU with channels last (measured; CONTRIBUTING.md).
    model.requires_grad_(False).eval().to(memory_format=torch.channels_last)
    # Positions are interpolated once here, not again for each batch.
    model.encoder.set_input_size(img_size=(header.card.window_px, header.card.window_px))
    return model, header.card


def _check_tensors(header: ModelHeader, expected: Mapping[str, Tensor]) -> None:
    problems = [f"{name} is missing" for name in expected if name not in header.tensors]
    problems += [f"{name} is not part of such a model" for name in header.tensors if name not in expected]
    for name, entry in header.tensors.items():
        if name in expected and entry.shape != tuple(expected[name].shape):
            problems.append(f"{name} is {list(entry.shape)}, not {list(expected[name].shape)}")
        if entry.dtype not in _FLOAT_DTYPES:
            problems.append(f"{name} holds {entry.dtype}")
    if problems:
        more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
        raise SardineError(
            ErrorCode.MODEL_TENSORS_MISMATCH,
            f"The weights do not fit the model card: {'; '.join(problems[:3])}{more}.",
            "The tensors of the network that the card describes are needed, as 16 or 32 bit floats.",
            "Export the model again, or choose another.",
        )


def _data_hash(content: bytes) -> str:
    """SHA-256 of the bytes after the header."""
    start = 8 + int.from_bytes(content[:8], "little")
    return hashlib.sha256(memoryview(content)[start:]).hexdigest()
