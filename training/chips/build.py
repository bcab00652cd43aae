# SPDX-License-Identifier: GPL-2.0-or-later
"""The command `chips`: plan, cut, write, tell what came of it."""

from __future__ import annotations

import json
import shutil
import sys
import time

from training.checkpoint import config_json, current_commit
from training.chips.config import ChipsConfig
from training.chips.cut import CutScene, cut_scene
from training.chips.encoding import ENCODINGS
from training.chips.plan import Plan, make_plan, specs_of
from training.chips.store import INFO, SourceSummary, StoreInfo
from training.chips.summary import summary
from training.chips.writer import StoreWriter

REPORT = "summary.txt"


def make_store(config: ChipsConfig) -> StoreInfo | None:
    """Checks, writes the store that `config` describes, and prints a summary; with `dry_run` only tells.

    Raises ValueError with all that stands against the store, OSError where the disk is full; nothing is left half-written
    then, and an older store stays.
    """
    problems = _folder_problems(config)
    try:
        plan = make_plan(config, _show_opened)
    except ValueError as error:
        raise ValueError("; ".join([*problems, str(error)])) from error
    problems += _disk_problems(config, plan)
    if problems:
        raise ValueError("; ".join(problems))
    if config.dry_run:
        print(summary(plan, {}, None))
        print(f"Dry run: nothing stands against this store. {_size_text(config, plan)}. Nothing was written.")
        return None
    try:
        info = _write(config, plan)
    except KeyboardInterrupt:
        print(f"\nStopped: nothing of {config.out} was kept.", file=sys.stderr)
        raise
    print((config.out / REPORT).read_text(encoding="utf-8"))
    return info


def _write(config: ChipsConfig, plan: Plan) -> StoreInfo:
    clip_db = [spec.clip_db for spec in specs_of(config)]
    started = time.monotonic()
    came: dict[str, list[CutScene]] = {}
    with StoreWriter(config.out, config.chip_px, len(config.roles), config.encoding, clip_db) as writer:
        for number, planned in enumerate(plan.scenes, 1):
            legend = plan.legends[planned.source.name, planned.item.legend or planned.source.legend]
            cut = cut_scene(planned, plan.split_of, legend, config, writer)
            came.setdefault(planned.source.name, []).append(cut)
            if cut.refused is not None:
                plan.refused.append(cut.refused)
            _show_cut(number, len(plan.scenes), sum(writer.chips.values()), started)
        if not sum(writer.chips.values()):
            none = f"No chip is left: none holds data on {config.min_valid_share:.0%} of its scene's part."
            raise ValueError(f"{none}\n{summary(plan, came, None)}")
        info = _info(config, plan, came, writer.chips, writer.label_pixels)
        (writer.part / REPORT).write_text(summary(plan, came, info), encoding="utf-8")
        writer.finish(info)
    return info


def _info(
    config: ChipsConfig, plan: Plan, came: dict[str, list[CutScene]], chips: dict[str, int], label_pixels: dict[str, dict[int, int]]
) -> StoreInfo:
    used = {value for found in label_pixels.values() for value in found}
    sources = []
    for source in config.sources:
        cuts = [cut for cut in came.get(source.name, ()) if cut.chips]
        refused = sum(refusal.source == source.name for refusal in plan.refused)
        simulated = bool(cuts) and all(cut.simulated for cut in cuts)
        sources.append(SourceSummary(source.name, source.kind, sum(cut.chips for cut in cuts), simulated, refused))
    return StoreInfo(
        chip_px=config.chip_px,
        spacing_m=config.spacing_m,
        bands=config.roles,
        encoding=config.encoding,
        clip_db=tuple(spec.clip_db for spec in specs_of(config)),
        label_sets={value: codes for value, codes in sorted(plan.values.sets.items()) if value in used},
        splits=chips,
        label_pixels=label_pixels,
        sources=tuple(sources),
        simulated_only=all(source.simulated for source in sources if source.chips),
        provenance={
            "commit": current_commit(),
            "made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "settings": json.loads(config_json(config)),
        },
    )


def _folder_problems(config: ChipsConfig) -> list[str]:
    out = config.out
    if not out.exists():
        return []
    if not (out / INFO).is_file():
        return [f"{out} exists and is no chip store: choose another --out"] if not out.is_dir() or any(out.iterdir()) else []
    return [] if config.overwrite else [f"{out} holds a store: give --overwrite true to replace it, or choose another --out"]


def _bytes(config: ChipsConfig, plan: Plan) -> int:
    pixel = len(config.roles) * ENCODINGS[config.encoding].itemsize + 1
    return plan.chips * (pixel * config.chip_px**2 + 400)


def _size_text(config: ChipsConfig, plan: Plan) -> str:
    return f"At most {plan.chips} chips and {_bytes(config, plan) / 1e9:.2f} GB"


def _disk_problems(config: ChipsConfig, plan: Plan) -> list[str]:
    folder = next(parent for parent in config.out.resolve().parents if parent.exists())
    free = shutil.disk_usage(folder).free
    if _bytes(config, plan) <= free:
        return []
    return [f"{_size_text(config, plan)} are needed, {folder} has {free / 1e9:.2f} GB free: make room, or use --encoding uint8"]


def _show_cut(done: int, total: int, chips: int, started: float) -> None:
    if not sys.stderr.isatty() and done % 100 and done != total:
        return
    elapsed = time.monotonic() - started
    left_s = elapsed / done * (total - done)
    end = "\n" if done == total else ""
    print(
        f"\r{done} of {total} scenes  {chips} chips  {chips / elapsed:.0f} chips/s  {left_s:.0f} s left ",
        end=end,
        file=sys.stderr,
        flush=True,
    )


def _show_opened(scenes: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{scenes} scenes opened ", end="", file=sys.stderr, flush=True)
