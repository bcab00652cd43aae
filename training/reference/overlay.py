# SPDX-License-Identifier: GPL-2.0-or-later
"""A large picture of a scene with pixel coordinates and its reference polygons, to draw, to check and to name them blind.

`python -m training.reference.overlay DATA_FOLDER training/reference/berlin.geojson berlin.png`. With `--blind` the outlines are
white and only numbered, for a second interpreter; with `--bare` there are none. A scene's optical picture, where there is one,
is put to the right.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.errors import NotGeoreferencedWarning
from rasterio.features import rasterize
from scipy.ndimage import uniform_filter

from training.classes import WORLDCOVER
from training.reference.levels import read_bands_db
from training.reference.polygons import Reference, read_reference

U8 = npt.NDArray[np.uint8]

MARGIN_PX = 24
GRID_STEP_PX = 50
WHITE, YELLOW = (255, 255, 255), (255, 255, 0)

# 3 x 5 dots of each digit: five rows of three bits. Enough for coordinates and numbers, and no font is needed.
DIGITS = ("75557", "26227", "71747", "71717", "55711", "74717", "74757", "71222", "75757", "75717")


def composite(values_db: npt.NDArray[np.float32], smooth_px: int = 3) -> U8:
    """uint8 [H, W, 3] of dB [2, H, W]: red VV -22..0, green VH -28..-6, blue VV - VH 0..14 dB, averaged in power; nodata black."""
    power = np.where(np.isfinite(values_db), 10 ** (values_db / 10), 0)
    weight = np.isfinite(values_db).astype(np.float64)
    mean = np.stack([uniform_filter(band, smooth_px) for band in power])
    share = np.stack([uniform_filter(band, smooth_px) for band in weight])
    with np.errstate(divide="ignore", invalid="ignore"):
        vv, vh = 10 * np.log10(np.maximum(mean / share, 1e-6))
    scaled = np.stack([(vv + 22) / 22, (vh + 28) / 22, (vv - vh) / 14], axis=-1)
    return np.asarray(np.round(255 * np.clip(np.nan_to_num(scaled), 0, 1)), dtype=np.uint8)


def write_number(picture: U8, number: int, row: int, column: int, colour: tuple[int, int, int], scale: int = 2) -> None:
    """Writes `number` into `picture` [H, W, 3], its upper left dot at (row, column); what does not fit is left out."""
    for place, digit in enumerate(str(number)):
        for down, dots in enumerate(DIGITS[int(digit)]):
            for across in range(3):
                if int(dots) & (4 >> across):
                    top, left = row + down * scale, column + (place * 4 + across) * scale
                    picture[max(top, 0) : max(top + scale, 0), max(left, 0) : max(left + scale, 0)] = colour


def frame(picture: U8, zoom: int, reference: Reference | None, blind: bool) -> U8:
    """`picture` [H, W, 3] enlarged, with a grid and coordinates every 50 pixels, and the outlines of `reference`."""
    height, width = picture.shape[:2]
    inner = picture.repeat(zoom, axis=0).repeat(zoom, axis=1)
    for step in range(0, max(height, width), GRID_STEP_PX):
        for line in (inner[step * zoom : step * zoom + 1], inner[:, step * zoom : step * zoom + 1]):
            line[:] = line // 4 * 3 + 64
    if reference is not None:
        _draw(inner, reference, zoom, blind)
    out = np.zeros((height * zoom + MARGIN_PX, width * zoom + MARGIN_PX, 3), dtype=np.uint8)
    out[MARGIN_PX:, MARGIN_PX:] = inner
    for step in range(0, width, GRID_STEP_PX):
        write_number(out, step, 6, MARGIN_PX + step * zoom, YELLOW)
    for step in range(0, height, GRID_STEP_PX):
        write_number(out, step, MARGIN_PX + step * zoom, 0, YELLOW)
    return out


def _draw(inner: U8, reference: Reference, zoom: int, blind: bool) -> None:
    colours = {item.code: tuple(int(item.colour[start : start + 2], 16) for start in (1, 3, 5)) for item in WORLDCOVER}
    for polygon in reference.polygons:
        ring = [(column * zoom, row * zoom) for column, row in polygon.ring]
        line = rasterize([({"type": "LineString", "coordinates": ring}, 1)], inner.shape[:2], all_touched=True) > 0
        red, green, blue = WHITE if blind else colours[polygon.code]
        inner[uniform_filter(line.astype(np.float32), 3) > 0] = 0
        inner[line] = (red, green, blue)
        column = int(np.mean([point[0] for point in ring[:-1]]))
        row = int(np.mean([point[1] for point in ring[:-1]]))
        inner[max(row - 7, 0) : row + 7, max(column - 11, 0) : column + 11] //= 3
        write_number(inner, polygon.number, row - 5, column - 8, WHITE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder that the reference's scene path starts from")
    parser.add_argument("reference", type=Path, help="a GeoJSON of training/reference")
    parser.add_argument("picture", type=Path, help="PNG to write")
    parser.add_argument("--zoom", type=int, default=2, help="screen pixels a scene pixel")
    parser.add_argument("--smooth", type=int, default=3, help="side of the averaging window, pixels")
    parser.add_argument("--blind", action="store_true", help="hide the classes: white numbered outlines")
    parser.add_argument("--bare", action="store_true", help="no outlines")
    given = parser.parse_args()
    warnings.simplefilter("ignore", NotGeoreferencedWarning)
    reference = read_reference(given.reference)
    pictures = [composite(read_bands_db(given.data / reference.scene, reference.bands), given.smooth)]
    if reference.optical_picture:
        with rasterio.open(given.data / reference.optical_picture) as file:
            pictures.append(np.moveaxis(file.read([1, 2, 3]), 0, -1))
    shown = None if given.bare else reference
    whole = np.concatenate([frame(picture, given.zoom, shown, given.blind) for picture in pictures], axis=1)
    with rasterio.open(
        given.picture, "w", driver="PNG", height=whole.shape[0], width=whole.shape[1], count=3, dtype="uint8"
    ) as file:
        file.write(np.moveaxis(whole, -1, 0))


if __name__ == "__main__":
    main()
