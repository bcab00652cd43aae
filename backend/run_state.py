# SPDX-License-Identifier: GPL-2.0-or-later
"""How far a run is between two rows of windows, and what it has counted: what it needs to go on, but for the pixels."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Summary:
    """Counts over the whole run. `confidence_sum` is of the largest probability (0 to 1) over the valid pixels."""

    valid_px: int = 0
    confidence_sum: float = 0.0
    class_px: dict[int, int] = field(default_factory=dict)
    windows_total: int = 0
    windows_run: int = 0

    @property
    def mean_confidence_percent(self) -> float | None:
        """None where no classes were mapped or no pixel is valid."""
        return 100.0 * self.confidence_sum / self.valid_px if self.class_px and self.valid_px else None


@dataclass(frozen=True)
class ScoresState:
    """What is known of a scene's scores so far: mapped patches, and of each head the logarithm of the sum of exp(score).

    The latter is None where no patch was mapped yet: JSON has no minus infinity.
    """

    patches: int
    log_sums: tuple[float, ...] | None


@dataclass(frozen=True)
class RunState:
    """`window_rows` rows of windows are done, and `summary` counts what they finished.

    `scene_query` is the query of each head, [heads][head_dim], where attention is that of one query over the scene and a window
    holds data; `scores` is there with that scope too.
    """

    window_rows: int
    summary: Summary
    scene_query: tuple[tuple[float, ...], ...] | None = None
    scores: ScoresState | None = None

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> RunState:
        """Raises KeyError, TypeError or ValueError for what `to_json` did not make."""
        summary = dict(data["summary"])
        summary["class_px"] = {int(code): int(pixels) for code, pixels in summary["class_px"].items()}
        query, scores = data["scene_query"], data["scores"]
        return cls(
            int(data["window_rows"]),
            Summary(**summary),
            None if query is None else tuple(tuple(map(float, head)) for head in query),
            None
            if scores is None
            else ScoresState(int(scores["patches"]), None if scores["log_sums"] is None else tuple(map(float, scores["log_sums"]))),
        )


@dataclass(frozen=True)
class Start:
    """Where a run goes on: from the `state` that was saved, with `row` of the scene as the first that some output lacks."""

    state: RunState
    row: int
