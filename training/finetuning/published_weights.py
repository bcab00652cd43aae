# SPDX-License-Identifier: GPL-2.0-or-later
"""Weights of Vision Transformers that others trained: read without running anything in them, and fitted to an encoder's form.

Names are timm's, which facebookresearch/dino shares (vision_transformer.py there): `patch_embed.proj.weight`, `pos_embed`,
`cls_token`, `blocks.<n>.…`, `norm.…`, under prefixes such as `module.backbone.`.
"""

from __future__ import annotations

import math
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from timm.layers.patch_embed import resample_patch_embed
from timm.layers.pos_embed import resample_abs_pos_embed
from torch import Tensor

from backend.model_card import EncoderSpec

SUFFIXES = (".pth", ".pt", ".bin", ".safetensors")
LAYERS = ("teacher", "model_ema", "state_dict", "model", "student")
"""Keys under which checkpoints keep the weights, the wanted one first: of DINO's two networks the teacher is the better one."""

PATCHES = "patch_embed.proj.weight"


def read_published(path: Path) -> dict[str, Tensor]:
    """The encoder's tensors in the file at `path`, by timm's names. Raises ValueError for what is no such file.

    A .pth is unpickled with `weights_only`: a file that carries code is refused.
    """
    try:
        if path.suffix == ".safetensors":
            content: Any = safetensors.torch.load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, KeyError, ValueError, safetensors.SafetensorError) as error:
        raise ValueError(
            f"{path} cannot be read as weights: it is cut short, or holds more than tensors and plain values, which is not run "
            f"({str(error).splitlines()[0]:.120})"
        ) from error
    while isinstance(content, Mapping) and not any(isinstance(value, Tensor) for value in content.values()):
        inner = next((content[key] for key in LAYERS if isinstance(content.get(key), Mapping)), None)
        if inner is None:
            break
        content = inner
    names = [str(name) for name in content] if isinstance(content, Mapping) else []
    first = next((name for name in names if name.endswith(PATCHES)), None)
    if first is None:
        raise ValueError(f"{path} holds no weights of a Vision Transformer by timm's names: there is no {PATCHES}")
    prefix = first.removesuffix(PATCHES)
    return {
        name.removeprefix(prefix): content[name].float() for name in names if name.startswith(prefix) and _is_float(content[name])
    }


def _is_float(value: object) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point()


def fit_encoder(
    found: Mapping[str, Tensor], expected: Mapping[str, Tensor], spec: EncoderSpec
) -> tuple[dict[str, Tensor], list[str]]:
    """Weights for every name of `expected` (the encoder's own random ones), and what had to be adapted, in words.

    Input channels, patch size and position grid are adapted, missing register tokens keep their random values. Raises
    ValueError, with all that does not fit, for another width or depth, or an encoder with parts that this one does not have.
    """
    weights = dict(found)
    notes: list[str] = []
    foreign = [name for name in weights if name.startswith(("blocks.", "norm_pre.")) and name not in expected]
    width, depth = width_and_depth(weights)
    problems = []
    if width != spec.embed_dim:
        problems.append(f"its width is {width}, network.embed_dim {spec.embed_dim}")
    if depth != spec.depth:
        problems.append(f"it has {depth} blocks, network.depth is {spec.depth}")
    if foreign and depth <= spec.depth:
        problems.append(f"it has parts that this encoder does not have ({', '.join(foreign[:3])})")
    if problems:
        raise ValueError("; ".join(problems))
    weights[PATCHES] = _fit_patches(weights[PATCHES], expected[PATCHES], notes)
    if "register_tokens" in weights:
        weights["reg_token"] = weights.pop("register_tokens")
    if "reg_token" in expected and ("reg_token" not in weights or weights["reg_token"].shape != expected["reg_token"].shape):
        weights["reg_token"] = expected["reg_token"]
        notes.append("register tokens are new")
    if "pos_embed" in weights:
        weights["pos_embed"] = _fit_positions(weights["pos_embed"], expected["pos_embed"], spec, notes)
    missing = [name for name in expected if name not in weights]
    unlike = [name for name in expected if name in weights and weights[name].shape != expected[name].shape]
    if missing or unlike:
        raise ValueError(
            f"{len(missing)} tensors are missing ({', '.join(missing[:3])}), "
            f"{len(unlike)} have another shape ({', '.join(unlike[:3])})"
        )
    return {name: weights[name] for name in expected}, notes


def width_and_depth(weights: Mapping[str, Tensor]) -> tuple[int, int]:
    """Width of the embedding and number of blocks of the encoder that has these tensors."""
    return weights[PATCHES].shape[0], len({name.split(".")[1] for name in weights if name.startswith("blocks.")})


def _fit_patches(found: Tensor, expected: Tensor, notes: list[str]) -> Tensor:
    """The patch embedding [D, channels, p, p] for other channels and another patch."""
    channels, side = expected.shape[1], expected.shape[-1]
    if found.shape[1] != channels:
        # What all channels together answer to a grey input is kept, whatever their number; as timm's adapt_input_conv does for
        # one channel (timm/models/_manipulate.py).
        notes.append(f"input channels {found.shape[1]} became {channels}: each is the mean of the old ones")
        found = found.sum(dim=1, keepdim=True).repeat(1, channels, 1, 1) / channels
    if found.shape[-1] != side:
        notes.append(f"patches of {found.shape[-1]} px became {side} px (pseudo-inverse resizing, arXiv 2212.08013)")
        found = resample_patch_embed(found, [side, side])
    return found


def _fit_positions(found: Tensor, expected: Tensor, spec: EncoderSpec, notes: list[str]) -> Tensor:
    """Position embeddings [1, prefix + grid^2, D] on the encoder's grid; tokens that had none (registers) get zeros."""
    prefix = 1 + spec.register_tokens
    tokens = found.shape[1]
    had = next((count for count in (prefix, 1, 0) if math.isqrt(max(tokens - count, 0)) ** 2 == tokens - count), None)
    if had is None:
        raise ValueError(f"its {tokens} position embeddings are no square of patches")
    if had < prefix:
        found = torch.cat([found[:, :had], found.new_zeros(1, prefix - had, found.shape[2]), found[:, had:]], dim=1)
    grid = math.isqrt(tokens - had)
    if found.shape[1] != expected.shape[1]:
        notes.append(f"positions of {grid} x {grid} patches became {spec.position_grid} x {spec.position_grid} (bicubic)")
    fitted: Tensor = resample_abs_pos_embed(found, [spec.position_grid] * 2, [grid] * 2, num_prefix_tokens=prefix)
    return fitted
