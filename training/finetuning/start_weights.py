# SPDX-License-Identifier: GPL-2.0-or-later
"""What a fine-tuning's weights begin as: random, a run of `pretrain` or `finetune`, a model file, or published weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor

from backend.model_card import CARD_KEY, ModelCard
from backend.network.model import SardineModel
from backend.network.model_file import load_model
from training.checkpoint import load_checkpoint
from training.finetuning.published_weights import SUFFIXES, fit_encoder, read_published


@dataclass(frozen=True)
class Start:
    """Where weights come from, for the person, the run's report and the model card."""

    kind: str = "scratch"
    """scratch, pretrain run, finetune run, model file or published weights."""
    name: str = ""
    """Of the folder or file; where it lay is nobody's business."""
    notes: tuple[str, ...] = ()
    """What was adapted or is new."""
    simulated_only: bool = True
    """Whether no real pixel was seen in what came before."""
    earlier: list[dict[str, Any]] = field(default_factory=list)
    """The runs that came before, the first one first."""

    def told(self) -> dict[str, Any]:
        """For the report and the card."""
        return {"kind": self.kind, "name": self.name, "notes": list(self.notes)}

    def sentence(self) -> str:
        if self.kind == "scratch":
            return "From scratch."
        return f"Starting from the {self.kind} {self.name}" + (f": {'; '.join(self.notes)}." if self.notes else ".")


def begin_weights(path: Path | None, model: SardineModel, card: ModelCard) -> Start:
    """Fills `model` (random, of `card`) with the weights at `path`, and tells what they are.

    The encoder is always taken; the decoder where the file holds one of the same form, whose last layer keeps what it knows of
    the classes that both have. Raises FileNotFoundError, ValueError with all that does not fit, and SardineError for a damaged
    model file.
    """
    if path is None:
        return Start()
    encoder, decoder, source, start = _read(path)
    try:
        fitted, notes = fit_encoder(encoder, model.encoder.state_dict(), card.encoder)
    except ValueError as error:
        raise ValueError(f"{path} does not fit the settings: {error}") from error
    if source is not None:
        notes += _band_notes(source, card)
        if source.encoder.num_heads != card.encoder.num_heads:
            raise ValueError(
                f"{path} does not fit the settings: it has {source.encoder.num_heads} heads, network.num_heads is "
                f"{card.encoder.num_heads}"
            )
    model.encoder.load_state_dict(fitted)
    if source is not None and model.decoder is not None and _same_decoder(source, card):
        kept, new = fit_classes(decoder, model.decoder.state_dict(), source, card)
        model.decoder.load_state_dict(kept)
        notes += new
    else:
        notes.append("the decoder is new")
    return dataclasses.replace(start, notes=tuple(notes))


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Tensor], ModelCard | None, Start]:
    """Encoder and decoder weights, the card where there is one, and what is told of them."""
    if path.is_dir():
        checkpoint = load_checkpoint(path)
        card, report = ModelCard.from_json(checkpoint.card), checkpoint.report
        kind = "finetune run" if card.classes else "pretrain run"
        before = {"kind": kind, **{key: report.get(key) for key in ("crops_seen", "minutes", "data", "simulated_only", "start")}}
        before["commit"] = report["provenance"]["commit"]
        start = Start(kind, path.name, (), bool(report["simulated_only"]), [*report.get("earlier", []), before])
        return *_split(checkpoint.weights), card, start
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there: a run folder, a model file or a file of weights is needed.")
    if path.suffix not in SUFFIXES:
        raise ValueError(f"{path} is no run folder, and no file of weights ({', '.join(SUFFIXES)}).")
    if path.suffix == ".safetensors" and CARD_KEY.encode() in path.read_bytes()[: 2**20]:
        _, card = load_model(path)  # checked whole
        told = {key: card.training.get(key) for key in ("method", "crops_seen", "simulated_only", "data")}
        simulated = card.training.get("simulated_only") is True
        before = {"kind": "model file", "weights_sha256": card.weights_sha256, **told}
        # As they lie in the file: the loaded model's positions are those of its window already.
        weights = {name: tensor.float() for name, tensor in safetensors.torch.load_file(path).items()}
        return (
            *_split(weights),
            card,
            Start("model file", path.name, (), simulated, [*card.training.get("earlier_runs", []), before]),
        )
    return read_published(path), {}, None, Start("published weights", path.name, (), False)


def _same_decoder(source: ModelCard, card: ModelCard) -> bool:
    """Whether the decoder's tensors mean the same, but for the classes: form and bands. That a band may be absent changes none."""
    same_bands = [band.role for band in source.bands] == [band.role for band in card.bands]
    return same_bands and source.decoder is not None and source.decoder == card.decoder


def fit_classes(
    decoder: Mapping[str, Tensor], own: Mapping[str, Tensor], source: ModelCard, card: ModelCard
) -> tuple[dict[str, Tensor], list[str]]:
    """The decoder of `source` for the classes of `card`, and what is told of it.

    Its last layer has one row a class: rows of classes that both have are taken, others stay as in `own`, the random decoder.
    """
    fitted = dict(decoder)
    theirs = {item.code: row for row, item in enumerate(source.classes)}
    pairs = [(row, theirs[item.code]) for row, item in enumerate(card.classes) if item.code in theirs]
    for name in ("classify.weight", "classify.bias"):
        rows = own[name].clone()
        for row, of_source in pairs:
            rows[row] = decoder[name][of_source]
        fitted[name] = rows
    new = [item.name for item in card.classes if item.code not in theirs]
    gone = [item.name for item in source.classes if item.code not in {one.code for one in card.classes}]
    notes = [f"the decoder has yet to learn {', '.join(new)}"] if new else []
    return fitted, notes + ([f"its classes {', '.join(gone)} are left out"] if gone else [])


def _split(weights: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    def part(prefix: str) -> dict[str, Tensor]:
        return {name.removeprefix(prefix): tensor for name, tensor in weights.items() if name.startswith(prefix)}

    return part("encoder."), part("decoder.")


def _band_notes(source: ModelCard, card: ModelCard) -> list[str]:
    """What differs between the inputs that the weights were trained on and those that come."""
    if [band.role for band in source.bands] != [band.role for band in card.bands]:
        return [f"its bands were {', '.join(band.role for band in source.bands)}"]
    scale = ("clip_db", "mean_db", "std_db")
    unlike = [
        old.role
        for old, new in zip(source.bands, card.bands, strict=True)
        if any(getattr(old, key) != getattr(new, key) for key in scale)
    ]
    return [f"its standardisation of {', '.join(unlike)} was another"] if unlike else []
