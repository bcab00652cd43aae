# SPDX-License-Identifier: GPL-2.0-or-later
"""The outputs of a map of `predict`, with a journal, so that a run that was killed or stopped can be gone on with."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from ..grid import RasterGrid
from ..model_card import ModelCard
from ..protocol import ErrorCode, SardineError
from ..run_state import RunState, Start
from ..windows import WindowLayout
from .journal import Journal, Saved, refused
from .paths import journal_path, part_path, spill_path
from .raster_specs import raster_specs
from .row_spill import RowSpill
from .run_lock import RunLock
from .writer import RasterSet, write_errors_told

SAVE_S = 20.0
"""A kill costs at most the work of this time, besides that of a row of tiles. Saving waits for what is being compressed."""


def output_grid(name: str, scene_grid: RasterGrid, layout: WindowLayout) -> RasterGrid:
    """The pixels of an output: those of the area, or for attention one for each patch of the region."""
    if name == "attention":
        return scene_grid.crop(layout.region).coarsen(layout.patch_px)
    return scene_grid.crop(layout.area)


class MapWriter(RasterSet):
    """The outputs of a run, which `identity` tells from others, as a context.

    A run is saved now and then, so that one that is killed can be gone on with. With `resume` it goes on where the one before
    was, if there is one; and what is saved stays if it ends before it is through. Without, all is removed then.
    """

    def __init__(
        self,
        targets: Mapping[str, Path],
        card: ModelCard,
        scene_grid: RasterGrid,
        layout: WindowLayout,
        attention_heads: str = "all",
        *,
        identity: Mapping[str, str],
        resume: bool = False,
    ) -> None:
        """As `RasterSet`. Raises SardineError (resume_refused) where there is an unfinished run that cannot be gone on with."""
        first = next(iter(targets.values()))
        self._first, self._layout, self._resume = first, layout, resume
        self._journal = Journal(journal_path(first), identity)
        self._lock: RunLock | None = None
        self._spill: RowSpill | None = None
        with write_errors_told(first):
            self._saved = self._unfinished(targets) if resume else None
            if self._saved is None:
                self._journal.remove()
        self.start = self._start()
        """Where the run goes on; None where it begins."""
        self.earlier_s = self._saved.elapsed_s if self._saved else 0.0
        """What the run took before it was gone on with."""
        try:
            grids = {name: output_grid(name, scene_grid, layout) for name in targets}
            super().__init__(targets, raster_specs(card, attention_heads), grids, self._saved.rasters if self._saved else None)
        except BaseException:
            self._release()
            raise
        if self._lock is None:
            self._lock = RunLock(part_path(first))
        self._began_s = self._saved_s = time.monotonic()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if error is None or self._saved is None or not self._resume:
                super().__exit__(kind, error, trace)
                return
            self._close()
        finally:
            self._release()
        if isinstance(error, SardineError):
            rows = self._saved.state.window_rows
            kept = f"{rows} of {len(self._layout.row_starts)} rows of windows are kept: --resume goes on from there."
            action = kept if error.code is ErrorCode.CANCELLED else f"{error.action} {kept}"
            raise SardineError(error.code, error.found, error.needed, action, refused=error.refused) from error

    def spill_attention(self, heads: int, columns: int) -> RowSpill:
        """Where rows of attention wait for the end of the run."""
        self._spill = self.spill("attention", heads, columns, saved=self._saved.spill if self._saved else None)
        return self._spill

    def save(self, state: RunState) -> None:
        """Writes down how far the run is, if that is some time ago. All rows up to `state` have been written.

        Raises SardineError: disk_full, output_read_only.
        """
        if time.monotonic() - self._saved_s < SAVE_S:
            return
        rasters = {}
        for name, raster in self._rasters.items():
            with write_errors_told(self._targets[name]):
                rasters[name] = raster.save()
        spill = self._spill.save() if self._spill else None
        saved = Saved(state, rasters, spill, self.earlier_s + time.monotonic() - self._began_s)
        with write_errors_told(self._first):
            self._journal.write(saved)
        self._saved = saved
        self._saved_s = time.monotonic()

    def _start(self) -> Start | None:
        if self._saved is None:
            return None
        state, layout = self._saved.state, self._layout
        rows = [layout.first_row(state.window_rows)]
        for name, raster in self._saved.rasters.items():
            if name != "attention":
                row, end = layout.area.row + raster.rows, layout.area.row_end
            elif self._saved.spill is None:
                row, end = layout.region.row + raster.rows * layout.patch_px, layout.region.row_end
            else:  # written at the end, from rows that the spill holds
                continue
            if row < end:
                rows.append(row)
        return Start(state, min(rows))

    def _unfinished(self, targets: Mapping[str, Path]) -> Saved | None:
        """The unfinished run, whose files are there and are locked; None where there is none."""
        saved = self._journal.read()
        if saved is None:
            return None
        for name, target in targets.items():
            part = part_path(target)
            if name not in saved.rasters or not saved.rasters[name].fits(part):
                raise refused(f"The file {part} is not the one that the journal {self._journal.path} tells of.")
        if saved.spill is not None and not saved.spill.fits(spill_path(targets["attention"])):
            raise refused(
                f"The file {spill_path(targets['attention'])} is not the one that the journal {self._journal.path} tells of."
            )
        self._lock = RunLock(part_path(self._first))
        return saved

    def _whole(self) -> None:
        self._saved = None  # there is nothing to go on with any more
        with write_errors_told(self._first):
            self._journal.remove()

    def _discard(self) -> list[str]:
        ours = all(raster.is_ours() for raster in self._rasters.values())
        kept = super()._discard()
        if not ours:  # the journal is that of another run too
            return kept
        try:
            self._journal.remove()
        except OSError as error:
            kept.append(f"{self._journal.path} ({error.strerror})")
        return kept

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None
