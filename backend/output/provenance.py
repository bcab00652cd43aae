# SPDX-License-Identifier: GPL-2.0-or-later
"""What an output says of its making, as tags inside the file."""

from __future__ import annotations

import datetime
import json

from ..model_card import ModelCard
from ..protocol import JobRequest
from ..run_state import Summary
from ..scene.reader import Scene
from ..versions import versions
from ..windows import WindowLayout


def provenance_tags(
    request: JobRequest,
    card: ModelCard,
    scene: Scene,
    layout: WindowLayout,
    summary: Summary,
    device: str,
    precision: str,
    elapsed_s: float,
) -> dict[str, str]:
    """GeoTIFF tags of all outputs of a run. SIMULATED is there where a source says it of itself."""
    tags = {
        "SARDINE_VERSIONS": " ".join(f"{name}={version}" for name, version in versions().items()),
        "SARDINE_MODEL": card.name,
        "SARDINE_MODEL_SHA256": card.weights_sha256,
        "SARDINE_MODEL_LICENCE": card.licence,
        "SARDINE_MODEL_TRAINED_ON_SIMULATED_ONLY": _yes(bool(card.training.get("simulated_only", False))),
        "SARDINE_SOURCES": json.dumps(dict(scene.sources), ensure_ascii=False),
        "SARDINE_UNIT": scene.unit_report.unit,
        "SARDINE_UNIT_DECIDED_BY": scene.unit_report.evidence,
        "SARDINE_CALIBRATED": _yes(scene.calibrated),
        "SARDINE_BACKSCATTER": scene.unit_report.backscatter or "not told by the source",
        "SARDINE_BACKSCATTER_OF_MODEL": ", ".join(sorted({band.backscatter for band in card.bands})),
        "SARDINE_WARP": scene.warp_note or "none: pixels as they are in the source",
        "SARDINE_WINDOWS": f"{summary.windows_run} of {summary.windows_total}, {layout.window_px} px, stride {layout.stride_px} px",
        "SARDINE_ATTENTION_SCOPE": request.attention_scope,
        "SARDINE_OVERLAP": f"{request.overlap:g}",
        "SARDINE_VALID_SHARE": f"{summary.valid_px / (layout.area.height * layout.area.width):.6f}",
        "SARDINE_DEVICE": f"{device} {precision}",
        "SARDINE_SECONDS": f"{elapsed_s:.1f}",
        "SARDINE_TIME": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "SARDINE_WARNINGS": " ".join(text for _, text in scene.warnings) or "none",
    }
    if request.calibration_db is not None:
        tags["SARDINE_CALIBRATION_DB"] = f"{request.calibration_db:g}"
    tags |= result_tags(summary, scene.pixel_area_m2)
    tags |= scene.product_facts
    if scene.simulated:
        tags["SIMULATED"] = "yes"
    return tags


def result_tags(summary: Summary, pixel_area_m2: float) -> dict[str, str]:
    """The figures of a run, so that a later batch that finds the file there can still put them into its table."""
    tags = {"SARDINE_VALID_AREA_KM2": f"{summary.valid_px * pixel_area_m2 / 1e6:.6f}"}
    if summary.mean_confidence_percent is not None:
        areas_ha = {str(code): round(pixels * pixel_area_m2 / 1e4, 4) for code, pixels in summary.class_px.items()}
        tags["SARDINE_MEAN_CONFIDENCE_PERCENT"] = f"{summary.mean_confidence_percent:.2f}"
        tags["SARDINE_CLASS_AREA_HA"] = json.dumps(areas_ha)
    return tags


def _yes(holds: bool) -> str:
    return "yes" if holds else "no"
