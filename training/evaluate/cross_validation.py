# SPDX-License-Identifier: GPL-2.0-or-later
"""`evaluate --folds`: material read -> places divided -> methods run fold by fold -> one table, JSON and a report."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Sequence
from typing import cast

from backend.model_card import read_header
from training.evaluate.command import model_file
from training.evaluate.config import EvaluateConfig
from training.evaluate.figures import Definition, Figure, definitions_of, difference, figures_of, labelled_px
from training.evaluate.fold_report import write_fold_report
from training.evaluate.folds import Scores, assign_folds, gather, methods_of, run_folds
from training.evaluate.output import EVALUATION, FIGURES, REPORT, card_entries, provenance, write_json
from training.evaluate.score import SceneScore
from training.finetuning.config import FinetuneConfig

Table = dict[str, dict[str, list[Figure]]]
"""Figures by legend and method."""


def cross_validate(config: EvaluateConfig) -> Table:
    """Runs the folds, prints the table and writes each method's figures (for the card), evaluation.json and report.html. With
    `only_folds` there is no table.

    Raises FileNotFoundError without scenes, ValueError for fewer places than folds and where `out` holds folds of other places.
    """
    settings = _settings_of(config)
    material = gather(config)
    folds = assign_folds(material.real, config.folds, config.seed)
    with model_file(config.model) if config.model else contextlib.nullcontext() as model:
        card = read_header(model).card if model else None
        methods = methods_of(config, model, settings)
        scores = run_folds(config, material, folds, methods)
        if config.only_folds:
            print(f"Done: folds {', '.join(map(str, config.only_folds))}. Without only_folds the same command makes the table.")
            return {}
        facts = provenance(config, card)
    table = table_of(scores, config)
    differences = differences_of(scores, config)
    for legend, by_method in table.items():
        print_table(legend, by_method)
    write_json(
        config.out / EVALUATION,
        {
            "provenance": facts,
            "folds": folds,
            "figures": {
                legend: {name: [dataclasses.asdict(item) for item in items] for name, items in by_method.items()}
                for legend, by_method in table.items()
            },
            "differences": {
                legend: {name: [dataclasses.asdict(item) for item in items] for name, items in by_pair.items()}
                for legend, by_pair in differences.items()
            },
            "scores": {
                name: {str(seed): [score.to_dict() for score in run] for seed, run in runs.items()} for name, runs in scores.items()
            },
            "left_out": [dataclasses.asdict(one) for one in material.left_out],
        },
    )
    for method in methods:
        entries = {legend: by_method[method.name] for legend, by_method in table.items() if method.name in by_method}
        write_json(config.out / f"{method.file_name}_{FIGURES}", card_entries(entries, method.note))
    write_fold_report(config.out / REPORT, facts, folds, material, scores, table, differences)
    print(config.out / REPORT)
    return table


def _settings_of(config: EvaluateConfig) -> list[FinetuneConfig]:
    """The settings of each of `config.finetuned`, checked before anything runs; what is wrong with them ends the process as a
    command line does.
    """
    from training.run import parse

    found = [parse(["finetune", "--config", str(item.config)])[1] for item in config.finetuned]
    assert all(isinstance(settings, FinetuneConfig) for settings in found)
    return cast("list[FinetuneConfig]", found)


def by_legend(scores: Scores) -> dict[str, dict[str, list[list[SceneScore]]]]:
    """Runs (one a seed) of labelled scenes, by legend and method."""
    found: dict[str, dict[str, list[list[SceneScore]]]] = {}
    legends = dict.fromkeys(score.legend for runs in scores.values() for run in runs.values() for score in run)
    for legend in legends:
        for name, runs in scores.items():
            kept = [[score for score in run if score.legend == legend and labelled_px(score)] for run in runs.values()]
            if kept[0]:
                found.setdefault(legend, {})[name] = kept
    return found


def table_of(scores: Scores, config: EvaluateConfig) -> Table:
    return {
        legend: {name: figures_of(runs, config.bootstrap_draws, config.seed) for name, runs in by_method.items()}
        for legend, by_method in by_legend(scores).items()
    }


MAIN = ("water IoU, mean over chips", "water IoU, pooled", "overall accuracy", "mean IoU")
"""Figures that methods are compared by."""


def differences_of(scores: Scores, config: EvaluateConfig) -> dict[str, dict[str, list[Figure]]]:
    """Paired differences of each method to the best of the others, by legend; each figure has a best of its own."""
    found: dict[str, dict[str, list[Figure]]] = {}
    for legend, by_method in by_legend(scores).items():
        if len(by_method) < 2:
            continue
        definitions = definitions_of(next(iter(by_method.values()))[0])
        for name, runs in by_method.items():
            others = {other: theirs for other, theirs in by_method.items() if other != name}
            for one in definitions:
                if not one.name.startswith(MAIN) or "sure" in one.name:
                    continue
                rival = best_of(others, one)
                less = difference(one, runs, others[rival], config.bootstrap_draws, config.seed)
                found.setdefault(legend, {}).setdefault(name, []).append(
                    dataclasses.replace(less, name=f"{one.name}, less that of {rival}")
                )
    return found


def best_of(by_method: dict[str, list[list[SceneScore]]], definition: Definition) -> str:
    """The method with the largest value of `definition`, mean over its runs."""

    def value(runs: Sequence[Sequence[SceneScore]]) -> float:
        return sum(definition.statistic(definition.select(run)) for run in runs) / len(runs)

    return max(by_method, key=lambda name: value(by_method[name]))


def print_table(legend: str, by_method: dict[str, list[Figure]]) -> None:
    for name, items in by_method.items():
        for item in items:
            print(f"{legend:12} {name:36} {item.name:60} {item.text:28} {item.scenes} scenes, {item.places} places")
