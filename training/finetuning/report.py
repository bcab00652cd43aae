# SPDX-License-Identifier: GPL-2.0-or-later
"""What a fine-tuning says of itself in its report, which the model card is made from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backend.model_card import ModelCard
from training.data_provenance import describe_chips, describe_stores
from training.finetuning.config import FinetuneConfig
from training.finetuning.labelled_data import LabelledData, label_legend
from training.finetuning.start_weights import Start
from training.finetuning.validate import Validation
from training.simulation.simulate import RECIPE


def make_report(
    facts: Mapping[str, Any], found: Validation, data: LabelledData, config: FinetuneConfig, card: ModelCard, start: Start
) -> dict[str, Any]:
    """`facts` of the run (steps, minutes, provenance) with scores, what they were measured on, the chips that were trained on,
    and what came before.
    """
    described = describe_data(data, config)
    index = [(chips.split.index, chips.rows) for chips in data.validation]
    return {
        **facts,
        "temperature": found.temperature,
        "scores": found.figures(),
        "validation": {
            "chips": found.chips,
            "places": len({place for chips in data.validation for place in chips.places().tolist()}),
            "stores": [chips.name for chips in data.validation],
            "simulated": all((columns["simulated"][rows] == "yes").all() for columns, rows in index),
        },
        "data": described,
        "labels": label_legend(data, card),
        "simulated_only": described["real_chips"] == 0 and start.simulated_only,
        "recipe": RECIPE if described["simulated_chips"] else "",
        "start": start.told(),
        "earlier": start.earlier,
    }


def describe_data(data: LabelledData, config: FinetuneConfig) -> dict[str, Any]:
    """What a model card says of the chips."""
    return describe_stores(
        [
            describe_chips(chips.name, chips.split, chips.rows, weight=wanted.weight, held_out_places=list(wanted.hold_out_places))
            for chips, wanted in zip(data.train, config.data.stores, strict=True)
        ]
    )
