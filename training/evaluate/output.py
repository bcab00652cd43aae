# SPDX-License-Identifier: GPL-2.0-or-later
"""What an evaluation writes beside its report: provenance, entries of the model card, JSON."""

from __future__ import annotations

import json
import platform
import shlex
import sys
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from backend.model_card import ModelCard
from training.checkpoint import config_json, current_commit
from training.evaluate.config import EvaluateConfig
from training.evaluate.figures import Figure

FIGURES, EVALUATION, REPORT = "figures.json", "evaluation.json", "report.html"


@dataclass(frozen=True)
class LeftOut:
    """A scene that could not be measured, and why."""

    label_set: str
    scene: str
    reason: str


def provenance(config: EvaluateConfig, card: ModelCard | None) -> dict[str, Any]:
    """What a reader needs to repeat the figures: `run_facts`, and the model that was measured."""
    facts = run_facts(config)
    if card is not None and config.model is not None:
        facts["model"] = {"name": card.name, "file": config.model.name, "weights_sha256": card.weights_sha256}
        facts["note"] = config.note
    return facts


def run_facts(config: Any) -> dict[str, Any]:
    """Command, commit, versions and settings of this run."""
    return {
        "command": "python -m training.run " + shlex.join(sys.argv[1:]),
        "commit": current_commit(),
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("torch", "timm", "numpy", "rasterio", "scipy", "scikit-learn")},
        "settings": json.loads(config_json(config)),
    }


def card_entries(figures: dict[str, list[Figure]], note: str) -> list[dict[str, Any]]:
    """The figures as `export --measures` takes them."""
    return [
        {
            "name": item.name,
            "value": round(item.value, 4),
            "measured_on": f"{name}: {item.scenes} scenes of {item.places} places; {note}" + interval_text(item),
        }
        for name, items in figures.items()
        for item in items
    ]


def interval_text(item: Figure) -> str:
    return f"; 95% interval over places {item.low:.3f} to {item.high:.3f}" if item.low == item.low else ""


def write_json(path: Path, content: Any) -> None:
    """Replaces `path` in one step. Figures that are not a number become null."""
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(_plain(content), indent=1, ensure_ascii=False, allow_nan=False), encoding="utf-8")
    part.replace(path)


def _plain(content: Any) -> Any:
    if isinstance(content, float) and content != content:
        return None
    if isinstance(content, dict):
        return {key: _plain(value) for key, value in content.items()}
    return [_plain(value) for value in content] if isinstance(content, (list, tuple)) else content


def say(text: str) -> None:
    tty = sys.stderr.isatty()
    print(f"\r{text:100}" if tty else text, end="" if tty else "\n", file=sys.stderr, flush=True)
