# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes the model file of a run of `finetune` or `pretrain`: weights and card, as the backend reads it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from backend.model_card import Metric, ModelCard
from backend.network.model import SardineModel, build_model
from backend.network.model_file import DTYPES, save_model
from training.checkpoint import Checkpoint, load_checkpoint
from training.config import ExportConfig

COMPARED_WINDOWS = 4
NAMES = ("only_sources", "hold_out_places")
"""Settings that hold names, which may have a slash, and no paths."""


def export(config: ExportConfig) -> ModelCard:
    """Writes `config.out` and returns its card. Raises FileNotFoundError without a run, FileExistsError without `overwrite`,
    ValueError for a checkpoint or measures that cannot be used.
    """
    if config.out.exists() and not config.overwrite:
        raise FileExistsError(f"{config.out} exists. Give --overwrite true to replace it.")
    checkpoint = load_checkpoint(config.run)
    card = finished_card(config, checkpoint)
    model = build_model(card)
    try:
        model.load_state_dict(checkpoint.weights)
    except RuntimeError as error:
        raise ValueError(f"The checkpoint in {config.run} does not hold the weights of its card: {error!s:.300}") from error
    add_class_bias(model, json.loads(checkpoint.config).get("class_bias") or [])
    if config.dtype != "float32":
        difference = rounding_difference(model, card, config.dtype)
        card = dataclasses.replace(card, training={**card.training, "rounding": {"dtype": config.dtype, **difference}})
    config.out.parent.mkdir(parents=True, exist_ok=True)
    return save_model(config.out, card, model, config.dtype)


@torch.no_grad()
def add_class_bias(model: SardineModel, class_bias: Sequence[float]) -> None:
    """Puts the `class_bias` of `finetune`, which its checkpoints leave out, into the last layer."""
    if model.decoder is not None and class_bias:
        cast(nn.Parameter, model.decoder.classify.bias).add_(torch.tensor(class_bias))


@torch.no_grad()
def rounding_difference(model: SardineModel, card: ModelCard, dtype: str) -> dict[str, float]:
    """What storing weights as `dtype` changes, on windows of noise in the bands' own range: the share of pixels whose class stays
    and the largest change of a probability; of an encoder alone the largest change of attention (1 is the average patch).
    """
    rounded = build_model(card)
    rounded.load_state_dict({name: tensor.to(DTYPES[dtype]).float() for name, tensor in model.state_dict().items()})
    noise = torch.Generator().manual_seed(0)
    x = torch.randn(COMPARED_WINDOWS, len(card.bands), card.window_px, card.window_px, generator=noise)
    # Noise alone looks like nothing: levels that change over the window bring forth several classes.
    x = x * 0.5 + torch.linspace(-2.5, 2.5, card.window_px)
    before, after = model.eval()(x), rounded.eval()(x)
    if before.logits is None:
        return {"largest_change_of_attention": _two_digits((before.attention - after.attention).abs().max())}
    same = (before.logits.argmax(1) == after.logits.argmax(1)).float().mean()
    shares = [(logits / card.temperature).softmax(1) for logits in (before.logits, after.logits)]
    change = (shares[0] - shares[1]).abs().max()
    return {"same_class_share": round(float(same), 5), "largest_change_of_probability": _two_digits(change)}


def _two_digits(value: Tensor) -> float:
    return float(f"{float(value):.2g}")


def finished_card(config: ExportConfig, checkpoint: Checkpoint) -> ModelCard:
    """The card of the run, with name, licence, provenance and every figure together with what it was measured on."""
    draft = ModelCard.from_json(checkpoint.card)
    settings = json.loads(checkpoint.config)
    # With one validation, after the last step, there was nothing to choose.
    chosen = 0 < settings.get("validate_steps", 0) < settings.get("steps", 0)
    metrics = [*_own_metrics(draft, checkpoint.report, chosen), *_measured(config.measures)]
    return dataclasses.replace(
        draft,
        name=config.name,
        description=config.description or _description(draft, checkpoint.report),
        licence=config.licence,
        training=_provenance(draft, checkpoint),
        metrics=tuple(metrics),
    )


def _description(draft: ModelCard, report: dict[str, Any]) -> str:
    simulated = _saw_simulated_alone(report)
    on = "simulated Sentinel-1 scenes alone" if simulated else "Sentinel-1 scenes, real ones among them"
    warning = (
        " No real pixel was seen in training, but the simulator's levels were set by summary figures of real scenes."
        " Expect errors on real scenes, and check before use."
        if simulated
        else ""
    )
    if not draft.classes:
        return f"ViT with {draft.patch_px} px patches, pre-trained by DINO without labels on {on}: attention alone.{warning}"
    start = report["start"]
    begun = "from scratch" if start["kind"] == "scratch" else f"starting from the {start['kind']} {start['name']}"
    names = ", ".join(item.name for item in draft.classes)
    head = "a linear layer on its tokens" if draft.decoder is not None and draft.decoder.kind == "linear" else "a light decoder"
    return f"ViT with {head}, {draft.patch_px} px patches, trained on {on}, {begun}. Classes: {names}.{warning}"


def _saw_simulated_alone(report: dict[str, Any]) -> bool:
    """Whether all radar was simulated, in this run and the ones before; published weights saw photographs, or what is not known."""
    before = [run.get("simulated_only") is not False for run in report.get("earlier", [])]
    return report["data"]["real_chips"] == 0 and all(before)


def _own_metrics(draft: ModelCard, report: dict[str, Any], chosen: bool) -> list[Metric]:
    """The figures of the run's last validation; `chosen`: it had others before, of which the best gave the weights."""
    if not draft.classes:
        return []
    scores, validation = report["scores"], report["validation"]
    kind = "simulated " if validation["simulated"] else ""
    on = (
        f"{validation['chips']} {kind}validation chips of {validation['places']} places ({', '.join(validation['stores'])}), "
        f"none trained on; {'the weights were chosen' if chosen else 'the temperature was fitted'} by them"
    )
    named = [(f"IoU {item.name}", float(iou)) for item, iou in zip(draft.classes, scores["iou"], strict=True)]
    figures = [("mean IoU", float(scores["mean_iou"])), ("overall accuracy", float(scores["overall_accuracy"])), *named]
    return [Metric(name, value, on) for name, value in figures if value == value]


def _measured(measures: tuple[Path, ...]) -> list[Metric]:
    """The figures in files of `measure` and `evaluate`. Raises ValueError for other files."""
    found = []
    for path in measures:
        try:
            entries = json.loads(path.read_text())
            if not isinstance(entries, list):
                raise TypeError("no list")
            found += [Metric(**{key: entry[key] for key in ("name", "value", "measured_on")}) for entry in entries]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} holds no figures as `measure` writes them ({error!r:.80})") from error
    return found


def _provenance(draft: ModelCard, checkpoint: Checkpoint) -> dict[str, Any]:
    """What the card says of the training. Names of folders say enough; where they lay on the machine is nobody's business."""
    settings, report = json.loads(checkpoint.config), checkpoint.report
    told = {
        "simulated_only": bool(report["simulated_only"]),
        "crops_seen": report["crops_seen"],
        "minutes": report["minutes"],
        "settings": {key: value for key, value in _without_folders(settings).items() if key not in ("out", "resume", "dry_run")},
        **report["provenance"],
    }
    if not draft.classes:
        return {
            **told,
            "method": "DINO (arXiv 2104.14294), no labels",
            "chips": report["chips"],
            "data": report["data"],
            **_places(report),
        }
    start = report["start"]
    learnt = "cross-entropy (of merged classes where a label says no more) and Dice"
    return {
        **told,
        "method": f"supervised, {learnt}",
        "pretrained": start["kind"] != "scratch",
        "start": start,
        **_places(report),
        "data": report["data"],
        "labels": report["labels"],
        "recipe": report["recipe"],
        "earlier_runs": report["earlier"],
    }


def _places(report: dict[str, Any]) -> dict[str, int]:
    """The number of places, which the plugin shows; a simulated scene is one."""
    return {"scenes": sum(store["places"] for store in report["data"]["stores"])}


def _without_folders(settings: Any) -> Any:
    """Settings with paths cut down to their last part."""
    if isinstance(settings, dict):
        return {key: value if key in NAMES else _without_folders(value) for key, value in settings.items()}
    if isinstance(settings, list):
        return [_without_folders(value) for value in settings]
    return Path(settings).name if isinstance(settings, str) and ("/" in settings or "\\" in settings) else settings
