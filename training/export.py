# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes the model file of a run: weights and card, as the backend reads it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from backend.model import build_model
from backend.model_card import Metric, ModelCard
from backend.model_file import save_model
from training.checkpoint import Checkpoint, load_checkpoint
from training.config import ExportConfig


def export(config: ExportConfig) -> ModelCard:
    """Writes `config.out` and returns its card. Raises FileNotFoundError without a run, FileExistsError without `overwrite`."""
    if config.out.exists() and not config.overwrite:
        raise FileExistsError(f"{config.out} exists. Give --overwrite true to replace it.")
    checkpoint = load_checkpoint(config.run)
    card = finished_card(config, checkpoint)
    model = build_model(card)
    model.load_state_dict(checkpoint.weights)
    config.out.parent.mkdir(parents=True, exist_ok=True)
    return save_model(config.out, card, model, config.dtype)


def finished_card(config: ExportConfig, checkpoint: Checkpoint) -> ModelCard:
    """The card of the run, with name, licence, provenance and every figure together with what it was measured on."""
    draft = ModelCard.from_json(checkpoint.card)
    settings, report = json.loads(checkpoint.config), checkpoint.report
    simulated = bool(report.get("simulated_only", False))
    names = ", ".join(item.name for item in draft.classes)
    on = "simulated Sentinel-1 scenes alone" if simulated else "labelled Sentinel-1 scenes"
    default = f"ViT with a light decoder, {draft.patch_px} px patches, trained from scratch on {on}. Classes: {names}." + (
        " No real pixel was seen in training, but the simulator's levels were set by summary figures of real scenes."
        " Expect errors on real scenes, and check before use."
        if simulated
        else ""
    )
    measured_on = f"{report['validation_scenes']} held-out {'simulated ' if simulated else ''}scenes"
    metrics = [
        Metric(f"IoU {item.name}", iou, measured_on) for item, iou in zip(draft.classes, _iou(report), strict=True) if iou == iou
    ]
    metrics = [
        Metric("mean IoU", report["scores"]["mean_iou"], measured_on),
        Metric("overall accuracy", report["scores"]["overall_accuracy"], measured_on),
        *metrics,
    ]
    for path in config.measures:
        metrics += [
            Metric(**{key: entry[key] for key in ("name", "value", "measured_on")}) for entry in json.loads(path.read_text())
        ]
    training: dict[str, Any] = {
        "simulated_only": simulated,
        "pretrained": False,
        "method": "supervised, from scratch: cross-entropy and Dice",
        "scenes": report["training_scenes"],
        "recipe": report.get("recipe", ""),
        "crops_seen": report["crops_seen"],
        "minutes": report["minutes"],
        "earlier_runs": report.get("earlier", []),
        "settings": {key: settings[key] for key in settings if key not in ("out",)},
        **report["provenance"],
    }
    # Names of folders say enough; where they lay on the machine is nobody's business.
    training["settings"]["data"]["folder"] = Path(settings["data"]["folder"]).name
    if settings.get("start_from"):
        training["settings"]["start_from"] = Path(settings["start_from"]).name
    return dataclasses.replace(
        draft,
        name=config.name,
        description=config.description or default,
        licence=config.licence,
        training=training,
        metrics=tuple(metrics),
    )


def _iou(report: dict[str, Any]) -> list[float]:
    return [float(value) for value in report["scores"]["iou"]]
