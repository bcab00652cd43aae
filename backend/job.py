# SPDX-License-Identifier: GPL-2.0-or-later
"""One job from request to GeoTIFFs. Read this first: the other modules are its steps.

    outputs checked -> model loaded -> scene opened -> area chosen -> windows predicted, strips written -> files renamed

Everything that can be refused is refused before the first output is opened for writing.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from .grid import PixelWindow
from .job_stream import cancelled_error
from .model_card import ModelCard, read_header
from .network.device import choose_device, choose_precision, default_batch_size
from .network.forward import BatchRunner
from .network.model_file import load_model
from .output.map_writer import MapWriter
from .output.paths import check_output_paths
from .output.provenance import provenance_tags
from .predict import predict
from .protocol import ErrorCode, FromChild, JobRequest, JobResult, JobWarning, Progress, Ready, SardineError
from .request_checks import check_outputs
from .run_identity import run_identity
from .run_state import Summary
from .scene.open import open_scene
from .scene.reader import Scene
from .windows import lay_windows

Report = Callable[[FromChild], None]
Cancelled = Callable[[], bool]


def run_job(request: JobRequest, report: Report, cancelled: Cancelled) -> JobResult:
    """Does what `request` asks, tells `report` how it goes, and returns the result once all outputs are whole.

    Raises SardineError for a refusal, a failure or a cancel; then no output has appeared or changed. What a request that may be
    resumed had done is then kept beside the outputs, under names of its own.
    """
    started_s = time.monotonic()
    warned: list[str] = []

    def warn(code: str, text: str) -> None:
        warned.append(text)
        report(JobWarning(code, text))

    def go_on(stage: str) -> None:
        if cancelled():
            raise cancelled_error()
        report(Progress(stage, 0, 1))

    check_outputs(request, read_header(request.model).card)
    targets = check_output_paths(request.outputs.chosen(), _inputs(request), overwrite=request.overwrite)

    go_on("loading the model")
    device = choose_device(request.device)
    precision = choose_precision(request.precision, device)
    model, card = load_model(request.model)
    runner = BatchRunner(
        model,
        device,
        precision,
        default_batch_size(device, card.window_px) if request.batch_size is None else request.batch_size,
        may_use_cpu=request.device == "auto",
        warn=warn,
        want_logits=any(name in targets for name in ("landcover", "confidence", "probabilities")),
        want_attention="attention" in targets,
    )
    report(Ready(str(runner.device), precision, card.name))

    go_on("opening the scene")
    with open_scene(
        request.bands,
        card,
        units=request.units,
        calibration_db=request.calibration_db,
        spacing_m=request.spacing_m,
        mask=request.mask,
        allow_coarse=request.allow_coarse,
    ) as scene:
        for code, text in scene.warnings:
            warn(code, text)
        area = _area(request, scene)
        layout = lay_windows(
            area,
            scene.grid.height,
            scene.grid.width,
            window_px=card.window_px,
            patch_px=card.patch_px,
            overlap=request.overlap,
        )
        identity = run_identity(request, card, scene, layout, targets, runner.device.type, precision)
        with MapWriter(
            targets, card, scene.grid, layout, request.attention_heads, identity=identity, resume=request.resume
        ) as writer:
            if writer.start:
                rows = f"{writer.start.state.window_rows} of {len(layout.row_starts)} rows of windows"
                warn("resumed", f"The run goes on where the unfinished one was: {rows} were done.")
            summary = predict(
                scene,
                runner,
                card,
                layout,
                writer,
                attention_heads=request.attention_heads,
                spill_attention=writer.spill_attention if request.attention_scope == "scene" else None,
                progress=report,
                cancelled=cancelled,
                start=writer.start,
                save=writer.save,
            )
            if summary.valid_px == 0:
                raise _nothing_valid()
            elapsed_s = writer.earlier_s + time.monotonic() - started_s
            writer.finish(
                provenance_tags(request, card, scene, layout, summary, str(runner.device), precision, elapsed_s),
                progress=report,
                cancelled=cancelled,
            )
        elapsed_s = writer.earlier_s + time.monotonic() - started_s
        return _result(request, card, scene, area, summary, runner, elapsed_s, tuple(warned))


def _inputs(request: JobRequest) -> list[str]:
    """All files that the run reads, which no output may replace."""
    return [band.path for band in request.bands] + [request.model] + ([request.mask] if request.mask else [])


def _area(request: JobRequest, scene: Scene) -> PixelWindow:
    """The pixels to map: what the bounds touch, and of that no more than what the mask's polygons touch."""
    area = scene.area_window(request.bounds, request.bounds_crs)
    polygons = scene.mask_window()
    both = area if polygons is None else area.intersect(polygons)
    if both is None:
        raise SardineError(
            ErrorCode.MASK_OUTSIDE,
            "The mask's polygons lie outside the bounds.",
            "Both must share a part of the scene.",
            "Choose other bounds, or another mask.",
        )
    return both


def _result(
    request: JobRequest,
    card: ModelCard,
    scene: Scene,
    area: PixelWindow,
    summary: Summary,
    runner: BatchRunner,
    elapsed_s: float,
    warned: tuple[str, ...],
) -> JobResult:
    grid = scene.grid.crop(area)
    pixel_m2 = scene.pixel_area_m2
    return JobResult(
        outputs=request.outputs.chosen(),
        crs_wkt=grid.crs_wkt,
        bounds=grid.bounds,
        height=grid.height,
        width=grid.width,
        unit=scene.unit_report.unit,
        unit_evidence=scene.unit_report.evidence,
        warp_note=scene.warp_note,
        valid_share=summary.valid_px / (grid.height * grid.width),
        valid_area_km2=summary.valid_px * pixel_m2 / 1e6,
        mean_confidence_percent=summary.mean_confidence_percent,
        class_area_ha={str(code): pixels * pixel_m2 / 1e4 for code, pixels in summary.class_px.items()},
        windows_total=summary.windows_total,
        windows_run=summary.windows_run,
        device=str(runner.device),
        precision=runner.precision,
        elapsed_s=elapsed_s,
        model_name=card.name,
        model_sha256=card.weights_sha256,
        warnings=warned,
    )


def _nothing_valid() -> SardineError:
    return SardineError(
        ErrorCode.SOURCE_ALL_NODATA,
        "No pixel of the chosen area holds data.",
        "At least one valid pixel is needed.",
        "Choose another area or mask, or check the layer's nodata value.",
    )
