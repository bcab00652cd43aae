# SPDX-License-Identifier: GPL-2.0-or-later
"""Says what a scene is taken to be before anything is computed, from samples of its pixels."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from rasterio.crs import CRS

from .grid import Bounds, PixelWindow
from .model_card import ModelCard
from .protocol import DEFAULT_OVERLAP, BandSource
from .radiometry import HIGHEST_DB, LOWEST_DB, standardise, to_db
from .scene.layers import SAMPLE_WHOLE_PX, Layer, Sample
from .scene.open import Scene, open_bands
from .scene.sources import DECLARED, NOT_FINITE, SENTINEL, blank_zero_everywhere, cache_bytes
from .windows import lay_windows

ASSUMED_SPACING_M = 10.0
"""Of the model, where none is given: that of Sentinel-1 IW GRD."""
LATTICE = 12
LATTICE_BLOCK_PX = 64
FORM_NAMES = {DECLARED: "declared", NOT_FINITE: "not finite", SENTINEL: "undeclared -9999, -32768 or -99"}


def inspect(
    bands: Sequence[BandSource],
    card: ModelCard | None,
    *,
    units: str = "auto",
    calibration_db: float | None = None,
    spacing_m: float | None = None,
    allow_coarse: bool = False,
    bounds: Bounds | None = None,
    bounds_crs: str | None = None,
    overlap: float = DEFAULT_OVERLAP,
    seconds_per_window: float | None = None,
) -> dict[str, Any]:
    """What the scene is taken to be, as JSON-able values; shares are of sampled pixels, 0 to 1.

    Without a model, roles are those that the files name, and the grid is that for a 10 m model. `bounds` (in `bounds_crs`) is
    the part whose cost is told; all else is about the whole scene. `seconds_per_window` is the measured time of one forward on
    this machine; without it no time is expected. Raises SardineError as `open_scene` and `Scene.area_window` do.
    """
    with open_bands(
        bands,
        None if card is None else card.bands,
        ASSUMED_SPACING_M if card is None else card.spacing_m,
        units=units,
        calibration_db=calibration_db,
        spacing_m=spacing_m,
        allow_coarse=allow_coarse or card is None,
    ) as scene:
        valid_share, block_share, sampled_share = _valid_shares(scene)
        found: dict[str, Any] = {
            "bands": _bands(scene, calibration_db),
            "unit": scene.unit_report.unit,
            "unit_evidence": scene.unit_report.evidence,
            "backscatter": scene.unit_report.backscatter,
            "calibrated": scene.calibrated,
            "source_crs": _crs_name(scene.layers[0].georeference.crs),
            "ground_spacing_m": [round(size, 3) for size in scene.spacing_m],
            "crs": None if scene.grid.crs_wkt is None else _crs_name(scene.crs),
            "height": scene.grid.height,
            "width": scene.grid.width,
            "pixel_size": [scene.grid.pixel_width, scene.grid.pixel_height],
            "bounds": list(scene.grid.bounds),
            "warped": bool(scene.warp_note),
            "warp": scene.warp_note,
            "valid_share": round(valid_share, 4),
            "sampled_share": round(sampled_share, 4),
            "assumed_model_spacing_m": ASSUMED_SPACING_M if card is None else None,
            "warnings": [{"code": code, "text": text} for code, text in scene.warnings],
        }
        if card is not None:
            found["model"] = _expected(scene, card, scene.area_window(bounds, bounds_crs), overlap, block_share, seconds_per_window)
        return found


def as_text(found: dict[str, Any]) -> str:
    """The result of `inspect` for a person, a line a fact."""
    lines = []
    for band in found["bands"]:
        named = f", named “{band['named']}”" if band["named"] else ""
        lines.append(f"{band['role']:<10} band {band['band']} of {band['source']}{named}")
        if band["db_1_50_99"]:
            what = "dB" if found["calibrated"] else "grey level"
            lines.append(f"{'':<10} {what} at 1, 50, 99%: {', '.join(f'{value:.1f}' for value in band['db_1_50_99'])}")
        forms = ", ".join(f"{name} {share:.1%}" for name, share in band["nodata"].items() if share)
        lines.append(f"{'':<10} nodata: {forms or 'none seen'}")
    names = {"sigma0": "sigma nought", "gamma0": "gamma nought", None: "the files do not tell sigma from gamma nought"}
    lines.append(f"{'unit':<10} {found['unit']} ({found['unit_evidence']})")
    lines.append(f"{'':<10} {names[found['backscatter']]}")
    across_m, down_m = found["ground_spacing_m"]
    lines.append(f"{'place':<10} {found['source_crs'] or 'no CRS'}, pixels of {across_m:.2f} x {down_m:.2f} m on the ground")
    lines.append(f"{'grid':<10} {found['height']} x {found['width']} px. {found['warp'] or 'Read as it is.'}")
    if found["assumed_model_spacing_m"]:
        lines.append(f"{'':<10} No model was given: this is how one made for {found['assumed_model_spacing_m']:g} m would read it.")
    lines.append(f"{'valid':<10} {found['valid_share']:.1%} of the pixels, from a sample of {found['sampled_share']:.2%} of them")
    model = found.get("model")
    if model:
        lines.append(
            f"{'windows':<10} {model['windows_total']} of {model['window_px']} px, about {model['windows_expected']} with data"
        )
        if model["seconds_expected"] is not None:
            lines.append(f"{'time':<10} about {_duration(model['seconds_expected'])} on the device that was timed")
        lines.append(f"{'memory':<10} about {model['memory_mb_expected']:.0f} MB ({model['memory_basis']})")
    lines += [f"{'note':<10} {warning['text']}" for warning in found["warnings"]]
    return "\n".join(lines)


def _bands(scene: Scene, calibration_db: float | None) -> list[dict[str, Any]]:
    found = []
    for layer in scene.layers:
        sample = layer.sample()
        for index, band in enumerate(layer.bands):
            found.append(
                {
                    "role": band.role,
                    "source": band.path,
                    "band": band.band,
                    "named": band.text,
                    "dtype": layer.datasets[index].dtypes[band.band - 1],
                    "nodata": _nodata_forms(layer, sample, index, scene.unit_report.unit, calibration_db),
                    "db_1_50_99": _percentiles(sample, index, scene.unit_report.unit, calibration_db),
                }
            )
    return found


def _nodata_forms(layer: Layer, sample: Sample, index: int, unit: str, calibration_db: float | None) -> dict[str, float]:
    """Share of the sampled pixels of a band by the form of their nodata; forms that do not occur are left out."""
    total = max(1, sample.forms.shape[1])
    shares = {name: float(np.count_nonzero(sample.forms[index] == form)) / total for form, name in FORM_NAMES.items()}
    values = sample.values[:, None, :].copy()
    there = np.isfinite(sample.values[index])
    if unit in ("db", "scaled"):
        blank = blank_zero_everywhere(values)[0] & there
        shares["0 in every band"] = float(np.count_nonzero(blank)) / total
    else:
        blank = (sample.values[index] <= 0) & there
        shares["0 or negative"] = float(np.count_nonzero(blank)) / total
    if unit != "scaled":
        db = to_db(values[index, 0], unit, calibration_db)
        beyond = there & ~blank & np.isnan(db)
        shares[f"beyond {LOWEST_DB:g} to {HIGHEST_DB:g} dB"] = float(np.count_nonzero(beyond)) / total
    return {name: round(share, 6) for name, share in shares.items() if share > 0}


def _percentiles(sample: Sample, index: int, unit: str, calibration_db: float | None) -> list[float]:
    values = sample.present(index)
    shown = values if unit == "scaled" else to_db(values, unit, calibration_db)
    shown = shown[np.isfinite(shown)]
    return [round(float(value), 3) for value in np.percentile(shown, (1, 50, 99))] if shown.size else []


def _valid_shares(scene: Scene) -> tuple[float, float, float]:
    """Share of valid pixels, share of sampled blocks with any valid pixel, and the share of pixels that was sampled."""
    grid = scene.grid
    if grid.height * grid.width <= SAMPLE_WHOLE_PX:
        windows = [grid.full_window]
    else:
        height, width = min(LATTICE_BLOCK_PX, grid.height), min(LATTICE_BLOCK_PX, grid.width)
        rows = np.unique(np.linspace(0, grid.height - height, LATTICE).astype(int))
        columns = np.unique(np.linspace(0, grid.width - width, LATTICE).astype(int))
        windows = [PixelWindow(int(row), int(column), height, width) for row in rows for column in columns]
    masks = [standardise(scene.read(window), scene.specs)[1] for window in windows]
    pixels = sum(mask.size for mask in masks)
    valid = sum(int(mask.sum()) for mask in masks) / pixels
    return valid, sum(bool(mask.any()) for mask in masks) / len(masks), pixels / (grid.height * grid.width)


def _expected(
    scene: Scene, card: ModelCard, area: PixelWindow, overlap: float, block_share: float, seconds_per_window: float | None
) -> dict[str, Any]:
    """Windows, time and memory of a run over `area`."""
    layout = lay_windows(
        area,
        scene.grid.height,
        scene.grid.width,
        window_px=card.window_px,
        patch_px=card.patch_px,
        overlap=overlap,
    )
    windows = math.ceil(layout.count * block_share)
    # rows of one window row: input in dB and standardised, logits being summed and probabilities, all float32
    rows_bytes = layout.canvas.width * card.window_px * 4 * (2 * len(card.bands) + 2 * len(card.classes) + 2)
    source_bytes = sum(layer.height * layer.width * 4 * len(layer.bands) for layer in scene.layers)
    read = [(dataset, band.band) for layer in scene.layers for band, dataset in zip(layer.bands, layer.datasets, strict=True)]
    process_bytes = _peak_process_bytes()
    basis = "rows in work and GDAL's cache" + (", and this process as it is now" if process_bytes else "")
    return {
        "name": card.name,
        "window_px": card.window_px,
        "windows_total": layout.count,
        "windows_expected": windows,
        "seconds_expected": None if seconds_per_window is None else round(windows * seconds_per_window, 1),
        "memory_mb_expected": round((rows_bytes + min(cache_bytes(read), source_bytes) + process_bytes) / 2**20, 1),
        "memory_basis": basis,
    }


def _peak_process_bytes() -> int:
    """The most memory that this process has held: with the model loaded and timed, what a run starts from. 0 on Windows."""
    try:
        import resource
    except ImportError:  # Windows has no such module
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _crs_name(crs: CRS) -> str | None:
    if not (crs.is_geographic or crs.is_projected):
        return None
    code = crs.to_epsg()
    return f"EPSG:{code}" if code else str(crs.to_wkt()).split('"')[1]


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
