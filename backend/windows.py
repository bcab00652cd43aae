# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the model's windows lie over a scene. Pure arithmetic on pixel rows and columns.

Three rectangles, each inside the next:
- the area: the pixels that are mapped (`--bounds`, or the whole scene);
- the region: the area snapped outward to the scene's patch grid, whose lines are at multiples of the patch from the
  scene's first pixel. Two crops of one scene thus share their patches;
- the canvas: the region, grown to one window where it is smaller.

Worked example: window 224, patch 8, overlap 0.125, an area of columns 100 to 600 of a scene of 1000. The region is columns
96 to 600, 504 long. The overlap is 28 px, rounded to 32; the stride is 192. Windows start at 0 and 192 within the region and
would next start at 384, ending at 608: so the last one is moved back to end at 504 and starts at 280.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from .grid import PixelWindow
from .protocol import ErrorCode, SardineError

MAX_OVERLAP = 0.9


def window_stride(window_px: int, patch_px: int, overlap: float) -> int:
    """The step between windows in pixels: a multiple of the patch, at least one patch.

    Raises SardineError (request_invalid) where the overlap is not in [0, 0.9).
    """
    if not 0.0 <= overlap < MAX_OVERLAP:
        raise SardineError(
            ErrorCode.REQUEST_INVALID,
            f"The overlap is {overlap:g}.",
            f"A share of the window from 0 to under {MAX_OVERLAP:g} is needed.",
            "Choose for example 0.125.",
        )
    overlap_px = math.floor(overlap * window_px / patch_px + 0.5) * patch_px
    return max(window_px - overlap_px, patch_px)


def window_starts(length_px: int, window_px: int, stride_px: int) -> tuple[int, ...]:
    """First pixels of the windows that cover `length_px` (at least one window long); the last one ends at its end.

    >>> window_starts(504, 224, 192)
    (0, 192, 280)
    """
    if length_px < window_px:
        raise ValueError(f"{length_px} px cannot hold a window of {window_px} px")
    last = length_px - window_px
    return (*range(0, last, stride_px), last)


@dataclass(frozen=True)
class WindowLayout:
    """The windows of one run. `row_starts` and `column_starts` count from the canvas's corner, in pixels.

    All of region, canvas and starts are multiples of the patch from the scene's first pixel.
    """

    area: PixelWindow
    region: PixelWindow
    canvas: PixelWindow
    window_px: int
    patch_px: int
    stride_px: int
    row_starts: tuple[int, ...]
    column_starts: tuple[int, ...]

    @property
    def count(self) -> int:
        return len(self.row_starts) * len(self.column_starts)

    def first_row(self, index: int) -> int:
        """The scene's row that window row `index` begins at; behind the last window row, the one below the canvas."""
        return self.canvas.row + self.row_starts[index] if index < len(self.row_starts) else self.canvas.row_end

    def window_row_of(self, row: int) -> int:
        """Number of the first window row that reaches `row` of the scene; one more than the last where none does."""
        return sum(self.canvas.row + start + self.window_px <= row for start in self.row_starts)

    def finished_rows(self, index: int) -> int:
        """How many rows, from the start of window row `index` on, no later window touches."""
        if index + 1 < len(self.row_starts):
            return self.row_starts[index + 1] - self.row_starts[index]
        return self.window_px


def lay_windows(
    area: PixelWindow, scene_height: int, scene_width: int, *, window_px: int, patch_px: int, overlap: float
) -> WindowLayout:
    """Windows over `area`, which lies inside the scene. Starts are multiples of the patch.

    An area smaller than a window gets its surroundings too, as far as the scene has them, so that the model sees a place
    the way it would in a map of the whole scene.
    """
    stride_px = window_stride(window_px, patch_px, overlap)
    region = area.snap_out(patch_px)
    row, height = _grow(region.row, region.height, scene_height, window_px, patch_px)
    column, width = _grow(region.column, region.width, scene_width, window_px, patch_px)
    return WindowLayout(
        area=area,
        region=region,
        canvas=PixelWindow(row, column, height, width),
        window_px=window_px,
        patch_px=patch_px,
        stride_px=stride_px,
        row_starts=window_starts(height, window_px, stride_px),
        column_starts=window_starts(width, window_px, stride_px),
    )


def _grow(start: int, length: int, scene_px: int, window_px: int, patch_px: int) -> tuple[int, int]:
    """Start and length of one axis of the canvas: the region in the middle of a window, pushed back into the scene."""
    if length >= window_px:
        return start, length
    scene_end = -(-scene_px // patch_px) * patch_px
    centred = start - (window_px - length) // 2 // patch_px * patch_px
    return max(min(centred, scene_end - window_px), 0), window_px
