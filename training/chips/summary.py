# SPDX-License-Identifier: GPL-2.0-or-later
"""What came of each source, as text: chips by split, labelled pixels by class, what was refused and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from training.chips.cut import CutScene
from training.chips.plan import Plan
from training.chips.store import SPLITS, StoreInfo
from training.classes import WORLDCOVER


def summary(plan: Plan, came: Mapping[str, Sequence[CutScene]], info: StoreInfo | None) -> str:
    """`came` and `info` are empty for a plan that is not carried out yet."""
    names = list(dict.fromkeys([scene.source.name for scene in plan.scenes] + [refusal.source for refusal in plan.refused]))
    refused = Counter(refusal.source for refusal in plan.refused)
    lines = [_row("source", "looks", "chips", "little data", "near border", "refused")]
    for name in names:
        scenes = [scene for scene in plan.scenes if scene.source.name == name]
        cuts = came.get(name, ())
        chips = sum(cut.chips for cut in cuts) if came else sum(len(scene.chips) for scene in scenes)
        too_little = str(sum(cut.too_little_data for cut in cuts)) if came else "?"
        lines.append(_row(name, str(len(scenes)), str(chips), too_little, str(plan.at_border.get(name, 0)), str(refused[name])))
    if info is None:
        lines += ["", _places(plan)]
    else:
        lines += ["", *_splits(plan, info), "", *label_table(info)]
    if plan.refused:
        lines += ["", "Refused, or used in part:", *(f"  {one.source}: {one.file}: {one.reason}" for one in plan.refused)]
    return "\n".join(lines)


def label_table(info: StoreInfo) -> list[str]:
    """Labelled pixels by split: a line for each set of classes."""
    values = sorted({value for found in info.label_pixels.values() for value in found})
    lines = [_row("labelled pixels", *SPLITS)]
    for value in values:
        lines.append(_row(set_name(info, value), *(f"{info.label_pixels[split].get(value, 0):,}" for split in SPLITS)))
    return lines if values else ["No pixel is labelled."]


def set_name(info: StoreInfo, value: int) -> str:
    """What a label value says, for people."""
    names = {item.code: item.name for item in WORLDCOVER}
    codes = info.label_sets.get(value, ())
    if len(codes) == 1:
        return f"{value} {names[codes[0]]}"
    absent = [code for code in names if code not in codes]
    return (
        f"{value} not {', '.join(map(str, absent))}" if len(absent) < len(codes) else f"{value} one of {', '.join(map(str, codes))}"
    )


def _splits(plan: Plan, info: StoreInfo) -> list[str]:
    lines = []
    for split in SPLITS:
        places = sum(1 for place in plan.split_of.values() if place == split)
        lines.append(f"{split}: {info.splits[split]} chips of {places} places")
    return lines


def _places(plan: Plan) -> str:
    counts = Counter(plan.split_of.values())
    return "places: " + ", ".join(f"{counts[split]} {split}" for split in SPLITS)


def _row(first: str, *cells: str) -> str:
    return f"{first:34}" + "".join(f"{cell:>14}" for cell in cells)
