# SPDX-License-Identifier: GPL-2.0-or-later
"""A model card as text for people."""

from __future__ import annotations

import json

from .model_card import ModelHeader

_NUMERALS = {"sigma0": "sigma nought", "gamma0": "gamma nought", "mixed": "sigma and gamma nought"}


def describe(header: ModelHeader) -> str:
    """The card of a model file, one fact a line."""
    card = header.card
    encoder = card.encoder
    lines = [card.name, card.description, ""]
    registers = f", {encoder.register_tokens} register tokens" if encoder.register_tokens else ""
    window = f"{card.window_px} x {card.window_px} px of {card.spacing_m:g} m ({card.window_px * card.spacing_m / 1000:g} km)"
    blocks = f"{encoder.depth} blocks of {encoder.embed_dim}, {encoder.num_heads} heads, patch {encoder.patch_px} px{registers}"
    lines += [
        f"Window     {window}",
        f"Encoder    Vision Transformer, {blocks}",
        f"Attention  block {card.attention_block + 1} of {encoder.depth}, one pixel for each {card.patch_px * card.spacing_m:g} m",
        f"Licence    {card.licence}",
        f"File       {header.file_bytes / 1e6:.1f} MB, weights SHA-256 {card.weights_sha256[:16]}…",
        "",
        "Bands",
    ]
    for band in card.bands:
        optional = ", may be absent" if band.optional else ""
        lines.append(
            f"  {band.role:<10} {_NUMERALS[band.backscatter]}, clipped to {band.clip_db[0]:g} … {band.clip_db[1]:g} dB, "
            f"mean {band.mean_db:g} ± {band.std_db:g} dB{optional}"
        )
    if card.classes:
        lines += ["", f"Classes (temperature {card.temperature:g})"]
        lines += [f"  {item.code:>3}  {item.colour}  {item.name}" for item in card.classes]
    else:
        lines += ["", "No classes: an encoder alone, for attention."]
    if card.metrics:
        lines += ["", "Figures"]
        lines += [f"  {metric.name:<28} {metric.value:.3f}  on {metric.measured_on}" for metric in card.metrics]
    if card.training:
        lines += ["", "Training"]
        lines += [f"  {key}: {value if isinstance(value, str) else json.dumps(value)}" for key, value in card.training.items()]
    return "\n".join(lines)
