# SPDX-License-Identifier: GPL-2.0-or-later
"""What a later run needs to go on where this one was: a JSON file beside the first output, replaced as the run goes on.

It says what the run is of, how far it is, and what its unfinished files hold. It is written under another name and renamed, after
the files are on the disk: so what it says is there, whenever the run is killed.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..protocol import ErrorCode, SardineError
from ..run_state import RunState
from .part_state import PartState
from .row_spill import SpillState

FORMAT = 1
"""Raised when an older journal could no longer be gone on from."""


@dataclass(frozen=True)
class Saved:
    """A run as its journal has it. `rasters` is by output name; `elapsed_s` is what it took so far."""

    state: RunState
    rasters: Mapping[str, PartState]
    spill: SpillState | None
    elapsed_s: float


class Journal:
    """The journal at `path` of the run that `identity` describes: what it is of, in words, to a text that tells it from others."""

    def __init__(self, path: Path, identity: Mapping[str, str]) -> None:
        self.path = path
        self._identity = dict(identity)

    def read(self) -> Saved | None:
        """What was saved last; None where there is no journal, and so nothing to go on from.

        Raises SardineError (resume_refused) where it is of another run, or cannot be understood.
        """
        try:
            data = json.loads(self.path.read_bytes())
            if data["format"] != FORMAT:
                raise ValueError(f"format {data['format']!r}")
            other = [name for name, text in self._identity.items() if data["identity"].get(name) != text]
            saved = _from_json(data)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise refused(
                f"The journal {self.path} of the unfinished run cannot be read ({type(error).__name__}: {error})."
            ) from error
        if other:
            raise refused(f"The unfinished run of {self.path} was begun with another {' and another '.join(other)}.")
        return saved

    def write(self, saved: Saved) -> None:
        """Replaces what was there. Raises OSError, and then what was there is there still."""
        new = self.path.with_name(self.path.name + ".new")
        data = {
            "format": FORMAT,
            "identity": self._identity,
            "state": saved.state.to_json(),
            "rasters": {name: dataclasses.asdict(state) for name, state in saved.rasters.items()},
            "spill": None if saved.spill is None else dataclasses.asdict(saved.spill),
            "elapsed_s": saved.elapsed_s,
        }
        try:
            with new.open("w", encoding="utf-8") as file:
                json.dump(data, file, allow_nan=False)
                file.flush()
                os.fsync(file.fileno())
            new.replace(self.path)
        except OSError:
            new.unlink(missing_ok=True)
            raise

    def remove(self) -> None:
        """Removes it, with what a killed run may have left of a new one. Raises OSError."""
        self.path.unlink(missing_ok=True)
        self.path.with_name(self.path.name + ".new").unlink(missing_ok=True)


def refused(found: str) -> SardineError:
    """The error of a run that cannot go on from what is there."""
    return SardineError(
        ErrorCode.RESUME_REFUSED,
        found,
        "A run goes on only from its own files, with the same scene, model and settings.",
        "Repeat the first command with --resume, or leave --resume out to begin anew.",
    )


def _from_json(data: Mapping[str, Any]) -> Saved:
    spill = data["spill"]
    return Saved(
        RunState.from_json(data["state"]),
        {
            name: PartState(**{**state, "tiles": tuple((int(start), int(end)) for start, end in state["tiles"])})
            for name, state in data["rasters"].items()
        },
        None if spill is None else SpillState(**spill),
        float(data["elapsed_s"]),
    )
