# SPDX-License-Identifier: GPL-2.0-or-later
"""All outputs of a run: written side by side, given their names together at the end, or removed.

Until the end each output is `<name>.part` and whatever had its name stays. A kill leaves at most the `.part` files and what lies
beside them under names that begin alike, which the next run replaces.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from ..grid import RasterGrid
from ..job_stream import cancelled_error
from ..protocol import ErrorCode, Progress, SardineError
from ..strip import Strip
from .part_state import PartState
from .paths import part_path, spill_path
from .raster import WRITE_ERRORS, OutputRaster, ReplacedRasterError, remove_with_sidecars
from .raster_specs import RasterSpec
from .row_spill import RowSpill, SpillState
from .tiles import IncompleteRasterError

STAGE = "finishing"
MEANING_TAG = "SARDINE_MEANING"
SPILLS = ("", "tokens")
"""The kinds of rows that may wait beside an output: those of the output itself, and what will be joined to them."""

_FULL_DISK_BYTES = 2**20
"""With less room than this left after a failed write, the disk counts as full, whatever GDAL says."""


class RasterSet:
    """Rasters that are written together, as a context: leaving it before `finish` is through removes all of them.

    Each method raises SardineError: disk_full, or output_read_only where something else than room is missing.
    """

    def __init__(
        self,
        targets: Mapping[str, Path],
        specs: Mapping[str, RasterSpec],
        grids: Mapping[str, RasterGrid],
        saved: Mapping[str, PartState] | None = None,
    ) -> None:
        """Makes the `.part` files. `targets` come from `output_paths.check_output_paths`; specs and grids are by the same names.

        With `saved`, by the same names too, the `.part` files that are there, and fit, are brought back to those states.
        """
        self._targets = dict(targets)
        self._specs = dict(specs)
        self._rasters: dict[str, OutputRaster] = {}
        self._spills: list[RowSpill] = []
        if not saved:  # else a part of what is needed is there
            _check_room(self._targets, self._specs, grids)
        try:
            for name, target in self._targets.items():
                with write_errors_told(target):
                    if not saved:
                        remove_with_sidecars(part_path(target))  # of a killed run
                        for what in SPILLS:
                            spill_path(target, what).unlink(missing_ok=True)
                    state = saved[name] if saved else None
                    self._rasters[name] = OutputRaster(part_path(target), self._specs[name], grids[name], state)
        except BaseException:
            if saved:
                self._close()
            else:
                self._discard()
            raise

    @property
    def outputs(self) -> frozenset[str]:
        """Names of the outputs that are written."""
        return frozenset(self._targets)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        kept = self._discard()
        if kept:
            # The reason for leaving stays the reason; what could not be removed is told with it.
            first = error if isinstance(error, SardineError) else None
            raise SardineError(
                first.code if first else ErrorCode.INTERNAL,
                f"{first.found if first else error} Unfinished files could not be removed: {', '.join(kept)}.",
                first.needed if first else "",
                "Remove them by hand; they are no results.",
                refused=False,
            ) from error

    def write(self, strip: Strip) -> None:
        """Takes the next rows of one output. Raises ValueError where they are not the next ones."""
        with write_errors_told(self._targets[strip.output]):
            self._rasters[strip.output].write(strip.row, strip.values)

    def spill(self, name: str, bands: int, columns: int, what: str = "", saved: SpillState | None = None) -> RowSpill:
        """A file beside the output for rows that cannot be finished yet; it goes when all is whole, or is given up.

        `what` is one of SPILLS. With `saved` the file that is there, and fits, is cut back to that state.
        """
        target = self._targets[name]
        spill = RowSpill(spill_path(target, what), bands, columns, lambda: write_errors_told(target), saved)
        self._spills.append(spill)
        return spill

    def finish(
        self,
        tags: Mapping[str, str],
        *,
        progress: Callable[[Progress], None] = lambda _: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        """Completes all files, with `tags` in each, and gives them their names.

        Up to the first rename nothing has changed for anybody. Where a later rename fails the error says which are in place.
        """
        for done, (name, raster) in enumerate(self._rasters.items()):
            if cancelled():
                raise cancelled_error()
            progress(Progress(STAGE, done, len(self._rasters)))
            with write_errors_told(self._targets[name]):
                raster.finish({**tags, MEANING_TAG: self._specs[name].meaning})
        if cancelled():
            raise cancelled_error()
        self._whole()
        placed: list[Path] = []
        for name, target in self._targets.items():
            try:
                _put_in_place(part_path(target), target)
            except OSError as error:
                raise _rename_error(target, placed, error) from error
            del self._rasters[name]  # no longer to be discarded
            placed.append(target)
        self._discard()  # nothing is left but spills, which nobody needs any more
        progress(Progress(STAGE, len(placed), len(placed)))

    def _whole(self) -> None:
        """Called once when all files are whole, before the first gets its name."""

    def _close(self) -> None:
        """Leaves the unfinished files as they are."""
        unfinished: list[OutputRaster | RowSpill] = [*self._rasters.values(), *self._spills]
        for file in unfinished:
            file.close()
        self._rasters, self._spills = {}, []

    def _discard(self) -> list[str]:
        """Removes every `.part` and spill; returns those that stay, each with the reason."""
        kept: list[str] = []
        unfinished: list[OutputRaster | RowSpill] = [*self._rasters.values(), *self._spills]
        for file in unfinished:
            try:
                file.discard()
            except OSError as error:
                kept.append(f"{file.path} ({error.strerror})")
        self._rasters, self._spills = {}, []
        return kept


def _put_in_place(part: Path, target: Path) -> None:
    """Renames, with the sidecar that GDAL may have made, and removes those of the file that was replaced.

    What GDAL or QGIS once computed for another raster of this name (statistics, overviews) must not be shown with this one.
    """
    part.replace(target)
    for suffix in (".ovr", ".msk", ".aux.xml"):
        target.with_name(target.name + suffix).unlink(missing_ok=True)
    sidecar = part.with_name(part.name + ".aux.xml")
    if sidecar.exists():
        sidecar.replace(target.with_name(target.name + ".aux.xml"))


def _check_room(targets: Mapping[str, Path], specs: Mapping[str, RasterSpec], grids: Mapping[str, RasterGrid]) -> None:
    """Refuses where even well-compressing outputs would not fit: better now than after the whole run."""
    needed_bytes: dict[int, float] = {}
    folders: dict[int, Path] = {}
    for name, target in targets.items():
        spec, grid = specs[name], grids[name]
        disk = target.parent.stat().st_dev
        folders[disk] = target.parent
        needed_bytes[disk] = needed_bytes.get(disk, 0.0) + spec.least_bytes_px * grid.height * grid.width * len(spec.bands)
    for disk, folder in folders.items():
        free_bytes = shutil.disk_usage(folder).free
        if free_bytes < needed_bytes[disk]:
            raise SardineError(
                ErrorCode.DISK_FULL,
                f"The disk of {folder} has {free_bytes / 1e6:.1f} MB left.",
                f"The outputs need at least {needed_bytes[disk] / 1e6:.1f} MB.",
                "Free some room, or choose another folder.",
            )


@contextmanager
def write_errors_told(target: Path) -> Iterator[None]:
    """Turns what goes wrong while `target` is written into SardineError: disk_full, or output_read_only."""
    try:
        yield
    except (*WRITE_ERRORS, IncompleteRasterError) as error:
        raise _write_error(target, error) from error


def _write_error(target: Path, error: Exception) -> SardineError:
    if isinstance(error, ReplacedRasterError):
        return SardineError(
            ErrorCode.OUTPUT_READ_ONLY,
            f"{part_path(target)} was replaced or removed by another program during the run.",
            "Two runs cannot write one file.",
            "Let the other run end, or choose another name.",
            refused=False,
        )
    try:
        free_bytes = shutil.disk_usage(target.parent).free
    except OSError:  # the folder itself is gone
        free_bytes = _FULL_DISK_BYTES
    reason = str(error.__cause__ or error).strip().rstrip(".")
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    if full or "No space left" in reason or free_bytes < _FULL_DISK_BYTES:
        return SardineError(
            ErrorCode.DISK_FULL,
            f"The disk filled up while {target} was written ({reason}).",
            f"More room in {target.parent} is needed.",
            "Free some, or choose another folder.",
            refused=False,
        )
    return SardineError(
        ErrorCode.OUTPUT_READ_ONLY,
        f"{target} could not be written ({reason}).",
        "A disk that takes the whole file is needed.",
        "Choose another folder.",
        refused=False,
    )


def _rename_error(target: Path, placed: list[Path], error: OSError) -> SardineError:
    names = ", ".join(os.fspath(path) for path in placed)
    state = f"of this run is there: {names}" if names else "nothing was changed"
    return SardineError(
        ErrorCode.OUTPUT_READ_ONLY,
        f"{target} could not be put in place ({error.strerror}); {state}.",
        "The old file must not be locked by another program.",
        "Close the programs that show it, and run again.",
        refused=False,
    )
