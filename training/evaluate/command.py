# SPDX-License-Identifier: GPL-2.0-or-later
"""`python -m training.run evaluate`: scenes listed -> mapped by the backend -> compared -> figures -> JSON and a report."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import platform
import shlex
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from backend.protocol import SardineError
from training.checkpoint import CHECKPOINT, config_json, current_commit
from training.config import ExportConfig
from training.evaluate.config import EvaluateConfig
from training.evaluate.figures import Figure, figures_of, labelled_px
from training.evaluate.legends import WATER
from training.evaluate.maps import BackendMapper, Mapper, read_radar
from training.evaluate.pictures import Picture, picture_of
from training.evaluate.scenes import LabelledScene, label_on_grid, list_labelled
from training.evaluate.score import SceneScore, score_scene

FIGURES, EVALUATION, REPORT = "figures.json", "evaluation.json", "report.html"


@dataclass(frozen=True)
class LeftOut:
    """A scene that could not be measured, and why."""

    label_set: str
    scene: str
    reason: str


@dataclass(frozen=True)
class Measured:
    """Scores of one method, scenes that were left out, and pictures of its maps."""

    method: str
    scores: tuple[SceneScore, ...]
    left_out: tuple[LeftOut, ...]
    pictures: tuple[Picture, ...] = ()


def evaluate(config: EvaluateConfig) -> dict[str, list[Figure]]:
    """Measures the model, prints the figures and writes `config.out`; returns the figures of each label set.

    Raises FileExistsError where `out` holds an evaluation, FileNotFoundError without scenes or model, ValueError where no scene
    could be measured.
    """
    from training.evaluate.report import write_report

    if (config.out / EVALUATION).exists() and not config.overwrite:
        raise FileExistsError(f"{config.out} already holds an evaluation. Choose another folder, or give --overwrite true.")
    scenes = list_labelled(config.sets, config.data)
    with model_file(config.model) as model:
        mapper = BackendMapper(model, config.device)
        measured = measure(mapper, scenes, config.picture_px)
        facts = provenance(config, config.model, mapper)
    if not measured.scores:
        raise ValueError("No scene could be measured: " + "; ".join(f"{one.scene}: {one.reason}" for one in measured.left_out))
    figures = {
        item.name: figures_of([s for s in measured.scores if s.label_set == item.name], config.bootstrap_draws, config.seed)
        for item in config.sets
    }
    waters = [s for s in measured.scores if s.groups == WATER.names and labelled_px(s)]
    if len({s.label_set for s in waters}) > 1:
        figures["all water labels"] = figures_of(waters, config.bootstrap_draws, config.seed)
    print_figures(measured.method, figures)
    config.out.mkdir(parents=True, exist_ok=True)
    write_json(config.out / FIGURES, card_entries(figures, config.note))
    write_json(config.out / EVALUATION, document(facts, measured, figures))
    write_report(config.out / REPORT, facts, measured, figures)
    print(f"{config.out / REPORT}")
    return figures


def measure(mapper: Mapper, scenes: Sequence[LabelledScene], picture_px: int = 0) -> Measured:
    """Maps and scores each scene; one that the backend refuses is left out with its reason."""
    scores: list[SceneScore] = []
    left_out: list[LeftOut] = []
    pictures: list[Picture] = []
    for number, scene in enumerate(scenes, 1):
        try:
            found = mapper.map(scene, scene.legend)
            if found is None:
                continue
            radar = read_radar(scene)
            label = None if scene.label is None else label_on_grid(scene, found.grid)
        except SardineError as error:
            if not error.refused:
                raise
            left_out.append(LeftOut(scene.label_set.name, scene.name, str(error)))
            continue
        if radar.grid != found.grid:
            raise ValueError(f"The map of {scene.name} lies on another grid than the radar image.")
        score = score_scene(scene, found, label, radar.values_db, radar.simulated)
        if label is not None and not labelled_px(score):
            left_out.append(LeftOut(scene.label_set.name, scene.name, "no pixel is labelled"))
            continue
        scores.append(score)
        if picture_px:
            pictures.append(picture_of(scene, radar.values_db, found, label, picture_px))
        say(f"{mapper.name}: {number} of {len(scenes)} {scene.name}")
    return Measured(mapper.name, tuple(scores), tuple(left_out), tuple(pictures))


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


def provenance(config: Any, model: Path | None, mapper: BackendMapper | None) -> dict[str, Any]:
    """What a reader needs to repeat the figures: command, commit, versions, hashes, settings."""
    facts: dict[str, Any] = {
        "command": "python -m training.run " + shlex.join(sys.argv[1:]),
        "commit": current_commit(),
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("torch", "timm", "numpy", "rasterio", "scipy", "scikit-learn")},
        "settings": json.loads(config_json(config)),
    }
    if mapper is not None and model is not None:
        facts["model"] = {"name": mapper.card.name, "file": model.name, "weights_sha256": mapper.card.weights_sha256}
        facts["note"] = config.note
    return facts


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
        if item.value == item.value
    ]


def interval_text(item: Figure) -> str:
    return f"; 95% interval over places {item.low:.3f} to {item.high:.3f}" if item.low == item.low else ""


def document(facts: dict[str, Any], measured: Measured, figures: dict[str, list[Figure]]) -> dict[str, Any]:
    """Everything that was measured, as JSON."""
    return {
        "provenance": facts,
        "method": measured.method,
        "figures": {name: [dataclasses.asdict(item) for item in items] for name, items in figures.items()},
        "scenes": [score.to_dict() for score in measured.scores],
        "left_out": [dataclasses.asdict(one) for one in measured.left_out],
    }


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


def file_hash(path: Path) -> str:
    """SHA-256 of the file's bytes, its first 16 digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def print_figures(method: str, figures: dict[str, list[Figure]]) -> None:
    for name, items in figures.items():
        for item in items:
            print(f"{method}  {name:24} {item.name:56} {item.text:28} {item.scenes} scenes, {item.places} places")


def say(text: str) -> None:
    tty = sys.stderr.isatty()
    print(f"\r{text:100}" if tty else text, end="" if tty else "\n", file=sys.stderr, flush=True)
