# SPDX-License-Identifier: GPL-2.0-or-later
"""What a path of training is, told in words: a chip store, a run folder, a checkpoint or a saved state of one."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import torch

from backend.model_card import ModelCard
from training.checkpoint import CHECKPOINT, METRICS, Checkpoint, load_checkpoint
from training.chips.picture import write_sheet
from training.chips.store import INFO, SPLITS, ChipStore, open_store
from training.chips.summary import label_table
from training.config import InspectConfig
from training.state import STATE

PLACES_TOLD = 60
VALUES_TOLD = ("loss", "chips_per_s", "crops_per_s", "waited_for_data", "elapsed_s")


def inspect(config: InspectConfig) -> None:
    """Prints what `config.path` is. Raises FileNotFoundError, and ValueError for what is none of these things or damaged."""
    path = config.path
    if (path / INFO).is_file():
        store = open_store(path)
        print("\n".join(describe_store(store)))
        if config.picture is not None:
            shown = write_sheet(config.picture, store, config.split, config.chips)
            print(f"\n{config.picture}: {shown} chips of {config.split} with their labels")
        return
    if config.picture is not None:
        raise ValueError(f"{path} is no chip store: there is nothing to picture.")
    if path.is_dir() and ((path / METRICS).is_file() or (path / CHECKPOINT).is_file()):
        print("\n".join(describe_run(path)))
    elif path.is_file() and path.suffix == ".pt":
        print("\n".join(describe_file(path)))
    elif not path.exists():
        raise FileNotFoundError(f"There is no {path}.")
    else:
        hint = " Model files are told by `python -m backend describe`." if path.suffix == ".safetensors" else ""
        raise ValueError(f"{path} is no chip store ({INFO}), run folder ({METRICS}) or checkpoint ({CHECKPOINT}, {STATE}).{hint}")


def describe_store(store: ChipStore) -> list[str]:
    """What the store holds: form, sources, splits, classes and places."""
    info = store.info
    size = sum(file.stat().st_size for file in store.folder.iterdir() if file.is_file())
    lines = [
        f"Chip store {store.folder}: {sum(info.splits.values())} chips of {info.chip_px} px at {info.spacing_m:g} m, "
        f"{', '.join(info.bands)}, {info.encoding}, {size / 1e6:.0f} MB"
        + ("; simulated scenes alone" if info.simulated_only else ""),
        f"made {info.provenance.get('made', 'at an unknown time')}, commit {_short(info.provenance)}",
        "",
    ]
    lines += [
        f"source {source.name} ({source.kind}{', simulated' if source.simulated else ''}): {source.chips} chips"
        + (f", {source.refused} files refused or used in part" if source.refused else "")
        for source in info.sources
    ]
    lines.append("")
    for split in SPLITS:
        index = store[split].index
        if not len(index):
            lines.append(f"{split}: no chips")
            continue
        orbits = Counter(index["orbit"].tolist())
        places, grounds = (len(set(index[key].tolist())) for key in ("place", "ground"))
        lines.append(
            f"{split}: {len(index)} chips of {places} places and {grounds} grounds; "
            f"{100 * index['valid_share'].mean():.0f}% valid, {100 * index['labelled_share'].mean():.1f}% labelled; "
            f"{orbits['ascending']} ascending, {orbits['descending']} descending, {orbits['']} unknown"
        )
    lines += ["", *label_table(info), "", *_places(store)]
    return lines


def _places(store: ChipStore) -> list[str]:
    counts = [(place, split, count) for split in SPLITS for place, count in Counter(store[split].index["place"].tolist()).items()]
    lines = [f"{place:44}{split:>12}{count:>8} chips" for place, split, count in sorted(counts, key=lambda one: one[1::-1])]
    more = len(lines) - PLACES_TOLD
    return lines[:PLACES_TOLD] + ([f"and {more} more places"] if more > 0 else [])


def describe_run(folder: Path) -> list[str]:
    """How far a run came, and what it was."""
    settings = _json(folder / "config.json")
    provenance = _json(folder / "provenance.json")
    lines = [
        f"Run folder {folder}, begun {provenance.get('started', '?')} with commit {_short(provenance)}, "
        + ", ".join(f"{name} {number}" for name, number in provenance.get("versions", {}).items())
    ]
    if settings:
        lines.append(
            "settings: " + ", ".join(f"{key} {value}" for key, value in settings.items() if isinstance(value, (int, float, str)))
        )
    metrics = _lines(folder / METRICS)
    told = next((line for line in reversed(metrics) if "loss" in line), None)
    if told is not None:
        lines.append(
            f"last logged at step {told['step']}: " + ", ".join(f"{key} {told[key]}" for key in VALUES_TOLD if key in told)
        )
    for key in ("health", "validation"):
        last = next((line for line in reversed(metrics) if key in line), None)
        if last is not None:
            lines.append(f"{key} at step {last['step']}: " + _flat(last[key]))
    if (folder / CHECKPOINT).is_file():
        lines += ["", *_checkpoint(load_checkpoint(folder), folder / CHECKPOINT)]
    else:
        lines.append("It has no checkpoint yet.")
    return lines


def describe_file(path: Path) -> list[str]:
    """A checkpoint or a saved state. Only tensors and plain values are unpickled."""
    if path.name == CHECKPOINT:
        return _checkpoint(_loaded(path), path)
    data = _raw(path)
    size = f"{path.stat().st_size / 1e6:.1f} MB"
    if {"command", "step"} <= data.keys():
        return [f"State {path} of `{data['command']}` at step {data['step']}, {size}: what --resume goes on from"]
    if {"weights", "card", "step"} <= data.keys():
        return _checkpoint(_loaded(path), path)
    raise ValueError(f"{path} is neither a checkpoint nor a state of a training; it holds {', '.join(map(str, data))[:200]}.")


def _checkpoint(checkpoint: Checkpoint, path: Path) -> list[str]:
    card = ModelCard.from_json(checkpoint.card)
    encoder = card.encoder
    parameters = sum(tensor.numel() for tensor in checkpoint.weights.values())
    broken = [name for name, tensor in checkpoint.weights.items() if not bool(torch.isfinite(tensor).all())]
    lines = [
        f"Checkpoint {path} at step {checkpoint.step}: {parameters / 1e6:.2f} M parameters"
        + (f", NOT FINITE in {', '.join(broken[:3])}" if broken else ""),
        f"encoder: width {encoder.embed_dim}, {encoder.depth} blocks, {encoder.num_heads} heads, patch {card.patch_px} px, "
        f"{encoder.register_tokens} register tokens; window {card.window_px} px at {card.spacing_m:g} m; "
        + ", ".join(f"{band.role}{' (may be absent)' if band.optional else ''}" for band in card.bands),
        "classes: " + (", ".join(f"{item.code} {item.name}" for item in card.classes) or "none, an encoder alone"),
    ]
    report = {key: value for key, value in checkpoint.report.items() if isinstance(value, (int, float, str, dict))}
    report.pop("provenance", None)
    if report:
        lines.append("report: " + _flat(report))
    return lines


def _loaded(path: Path) -> Checkpoint:
    data = _raw(path)
    try:
        return Checkpoint(**{**data, "report": json.loads(data["report"])})
    except (TypeError, KeyError, ValueError) as error:
        raise ValueError(f"{path} is no checkpoint of a training ({str(error).splitlines()[0]:.120}).") from error


def _raw(path: Path) -> dict[str, Any]:
    try:
        data = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises what its zip and pickle readers meet: a dozen kinds
        raise ValueError(f"{path} cannot be read: cut short, or no file of weights ({str(error).splitlines()[0]:.120}).") from error
    if not isinstance(data, dict):
        raise ValueError(f"{path} is neither a checkpoint nor a state of a training.")
    return data


def _short(provenance: dict[str, Any]) -> str:
    """The commit's first digits, and whether the code had been changed since."""
    commit, plus, changes = str(provenance.get("commit", "unknown")).partition("+")
    return commit[:12] + plus + changes


def _flat(values: dict[str, Any]) -> str:
    """Numbers and texts in one line; lists and tables are left to the files."""
    cells = []
    for key, value in values.items():
        if isinstance(value, dict):
            cells.append(f"{key} ({_flat(value)})")
        elif isinstance(value, float):
            cells.append(f"{key} {np.format_float_positional(value, precision=4, trim='-')}")
        elif isinstance(value, (int, str)) and value != "":
            cells.append(f"{key} {value}")
    return ", ".join(cells)


def _json(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found


def _lines(path: Path) -> list[dict[str, Any]]:
    """Lines of metrics.jsonl; half a line at the end, which a killed process leaves, is left out."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        try:
            found.append(json.loads(line))
        except ValueError:
            break
    return found
