# SPDX-License-Identifier: GPL-2.0-or-later
"""`python -m training.run evaluate`: scenes listed -> mapped by the backend -> compared -> figures -> JSON and a report."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from training.checkpoint import CHECKPOINT
from training.config import ExportConfig
from training.evaluate.config import EvaluateConfig
from training.evaluate.figures import Figure, figures_of
from training.evaluate.maps import BackendMapper
from training.evaluate.measure import Measured, measure
from training.evaluate.output import EVALUATION, FIGURES, REPORT, card_entries, provenance, write_json
from training.evaluate.scenes import list_labelled
from training.evaluate.seen import without_seen


def evaluate(config: EvaluateConfig) -> dict[str, list[Figure]]:
    """Measures the model, prints the figures and writes `config.out`; returns the figures of each label set.

    Raises FileExistsError where `out` holds an evaluation, FileNotFoundError without scenes or model, ValueError where no scene
    could be measured.
    """
    from training.evaluate.report import write_report

    if config.model is None:
        raise ValueError("No model to evaluate.")
    if (config.out / EVALUATION).exists() and not config.overwrite:
        raise FileExistsError(f"{config.out} already holds an evaluation. Choose another folder, or give --overwrite true.")
    scenes = list_labelled(config.sets, config.data)
    with model_file(config.model) as model:
        mapper = BackendMapper(model, config.device)
        kept, unused = without_seen(scenes, mapper.card, config.include_seen, config.leave_out_places)
        measured = measure(mapper, kept, config.picture_px)
        measured = dataclasses.replace(measured, left_out=(*unused, *measured.left_out))
        facts = provenance(config, mapper.card)
    if not measured.scores:
        reasons = "; ".join(f"{one.scene}: {one.reason}" for one in measured.left_out)
        raise ValueError(f"No scene could be measured: {reasons}")
    figures = {
        item.name: figures_of([[s for s in measured.scores if s.label_set == item.name]], config.bootstrap_draws, config.seed)
        for item in config.sets
    }
    print_figures(measured.method, figures)
    config.out.mkdir(parents=True, exist_ok=True)
    write_json(config.out / FIGURES, card_entries(figures, config.note))
    write_json(config.out / EVALUATION, document(facts, measured, figures))
    write_report(config.out / REPORT, facts, measured, figures)
    print(f"{config.out / REPORT}")
    return figures


@contextmanager
def model_file(model: Path) -> Iterator[Path]:
    """The model file at `model`, or one exported for the time from the run folder `model`. Raises FileNotFoundError."""
    if model.is_file():
        yield model
        return
    if not (model / CHECKPOINT).is_file():
        raise FileNotFoundError(f"{model} is neither a model file nor a run folder with a {CHECKPOINT}.")
    from training.export import export

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{model.name}.safetensors"
        export(ExportConfig(run=model, out=path, name=model.name))
        yield path


def document(facts: dict[str, Any], measured: Measured, figures: dict[str, list[Figure]]) -> dict[str, Any]:
    """Everything that was measured, as JSON."""
    return {
        "provenance": facts,
        "method": measured.method,
        "figures": {name: [dataclasses.asdict(item) for item in items] for name, items in figures.items()},
        "scenes": [score.to_dict() for score in measured.scores],
        "left_out": [dataclasses.asdict(one) for one in measured.left_out],
    }


def print_figures(method: str, figures: dict[str, list[Figure]]) -> None:
    for name, items in figures.items():
        for item in items:
            print(f"{method}  {name:24} {item.name:56} {item.text:28} {item.scenes} scenes, {item.places} places")
