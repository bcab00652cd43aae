# SPDX-License-Identifier: GPL-2.0-or-later
"""Features of a scene: found in the cache, or computed in one pass of the network over the scene and put there.

key -> cache -> (query and basis from sampled windows) -> windows predicted -> attention and components, one pixel a patch
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..grid import PixelWindow
from ..job_stream import cancelled_error
from ..model_card import ModelCard, read_header
from ..output.paths import check_output_paths, part_path
from ..output.writer import RasterSet
from ..protocol import ErrorCode, FeaturesRequest, FromChild, JobWarning, Progress, Ready, SardineError, SceneInput, TaskResult
from ..scene.fingerprint import fingerprint
from ..scene.open import open_scene
from ..scene.reader import Scene
from ..windows import WindowLayout, lay_windows
from .basis import FeatureBasis, fit_basis
from .cache import LIMIT_BYTES, FeatureCache, default_folder, key_of
from .file import OUTPUT, FeatureFile, FeatureSink, feature_tags, features_spec

Report = Callable[[FromChild], None]
Cancelled = Callable[[], bool]


@dataclass
class Context:
    """How a run tells of itself and is stopped."""

    report: Report
    cancelled: Cancelled

    def go_on(self, stage: str, done: int = 0, total: int = 1) -> None:
        """Tells of progress. Raises SardineError (cancelled)."""
        self.report(Progress(stage, done, total))
        if self.cancelled():
            raise cancelled_error()

    def warn(self, code: str, text: str) -> None:
        self.report(JobWarning(code, text))


def run_features(request: FeaturesRequest, report: Report, cancelled: Cancelled) -> TaskResult:
    """The features of a scene as a file. Raises SardineError: a refusal or failure, and then no file has appeared or changed."""
    context = Context(report, cancelled)
    targets = check_output_paths({OUTPUT: request.output}, input_files(request.scene), overwrite=request.overwrite)
    context.go_on("opening the scene")
    with open_input(request.scene) as (scene, card):
        for code, text in scene.warnings:
            context.warn(code, text)
        with features_of(scene, card, request.scene, context) as features:
            target = targets[OUTPUT]
            context.go_on("writing")
            _copy(features.path, target)
            basis, region = features.basis, features.region
            size_mb = target.stat().st_size / 1e6
            lines = (
                f"{basis.components} components with {basis.explained:.1%} of the tokens' variance, and {features.heads} heads",
                f"{region.height // card.patch_px} x {region.width // card.patch_px} patches, {size_mb:.1f} MB",
            )
            figures = {"explained": basis.explained, "bands": float(basis.components + features.heads), "size_mb": size_mb}
            return TaskResult({OUTPUT: request.output}, figures, lines, "{}", tuple(text for _, text in scene.warnings))


class open_input:  # noqa: N801  # used as a function
    """The scene and the card of a request, as a context: no weights are read, and torch is not imported."""

    def __init__(self, source: SceneInput) -> None:
        self._card = read_header(source.model).card
        self._scene = open_scene(
            source.bands,
            self._card,
            units=source.units,
            calibration_db=source.calibration_db,
            spacing_m=source.spacing_m,
            allow_coarse=source.allow_coarse,
        )

    def __enter__(self) -> tuple[Scene, ModelCard]:
        return self._scene, self._card

    def __exit__(self, *_: object) -> None:
        self._scene.close()


def input_files(source: SceneInput) -> list[str]:
    """All files that a run on `source` reads."""
    return [band.path for band in source.bands] + [source.model]


def features_of(
    scene: Scene, card: ModelCard, source: SceneInput, context: Context, basis: FeatureBasis | None = None
) -> FeatureFile:
    """The features of the part of `scene` that `source` names, from the cache where they are there; close it after use.

    With `basis` they are reduced to its components, else to those of a basis of their own. Raises SardineError.
    """
    found = cached_features(scene, card, source, context, basis)
    if found is not None:
        return found
    return _compute(scene, card, source, _layout(scene, card, source, _area(scene, source)), basis, context)


def cached_features(
    scene: Scene, card: ModelCard, source: SceneInput, context: Context, basis: FeatureBasis | None = None
) -> FeatureFile | None:
    """As `features_of`, of the whole scene or of that part; None where they are not in the cache. Imports no torch."""
    cache = _cache(source)
    for area in (scene.grid.full_window, _area(scene, source)):
        region = _layout(scene, card, source, area).region
        found = _find(cache, _key(scene, card, source, region, basis), context)
        if found is not None:
            return found
        if basis is not None:  # perhaps the scene's own basis is the one that is asked for
            found = _find(cache, _key(scene, card, source, region, None), context)
            if found is not None and found.basis.sha256 == basis.sha256:
                return found
            if found is not None:
                found.close()
    return None


def _area(scene: Scene, source: SceneInput) -> PixelWindow:
    return scene.area_window(source.bounds, source.bounds_crs)


def _layout(scene: Scene, card: ModelCard, source: SceneInput, area: PixelWindow) -> WindowLayout:
    grid = scene.grid
    return lay_windows(area, grid.height, grid.width, window_px=card.window_px, patch_px=card.patch_px, overlap=source.overlap)


def _cache(source: SceneInput) -> FeatureCache:
    limit_bytes = LIMIT_BYTES if source.cache_limit_gb is None else int(source.cache_limit_gb * 1e9)
    return FeatureCache(Path(source.cache) if source.cache else default_folder(), limit_bytes)


def _find(cache: FeatureCache, key: str, context: Context) -> FeatureFile | None:
    found = cache.find(key)
    if cache.problem:
        context.warn("feature_cache_damaged", f"Features in the cache were not used: {cache.problem}. They are made again.")
    return found


def _key(scene: Scene, card: ModelCard, source: SceneInput, region: PixelWindow, basis: FeatureBasis | None) -> str:
    files = fingerprint(source.bands)
    return key_of(
        {
            "files": files if files is not None else [[band.path, band.role, band.band] for band in source.bands],
            "unit": [scene.unit_report.unit, source.calibration_db, source.spacing_m],
            "grid": [scene.grid.height, scene.grid.width, *scene.grid.bounds],
            "model": card.weights_sha256,
            "region": [region.row, region.column, region.height, region.width],
            "overlap": source.overlap,
            "basis": source.components if basis is None else basis.sha256,
        }
    )


def _compute(
    scene: Scene,
    card: ModelCard,
    source: SceneInput,
    layout: WindowLayout,
    basis: FeatureBasis | None,
    context: Context,
) -> FeatureFile:
    # Here and not above: what finds its features in the cache has no use for torch, which takes seconds to import.
    from .tokens import TokenRun

    cache = _cache(source)
    heads, components = card.encoder.num_heads, source.components if basis is None else basis.components
    grid = scene.grid.crop(layout.region).coarsen(card.patch_px)
    size_mb = grid.height * grid.width * (heads + components) * 2 / 1e6
    context.warn("feature_size", f"The features take up to {size_mb:.1f} MB in {cache.folder}.")
    try:
        cache.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SardineError(
            ErrorCode.OUTPUT_READ_ONLY,
            f"The folder for features, {cache.folder}, cannot be made ({error.strerror}).",
            "A folder that can be written to is needed.",
            "Name another with --cache, or in SARDINE_CACHE.",
        ) from error
    key = _key(scene, card, source, layout.region, basis)
    path = cache.path(key)
    context.go_on("loading the model")
    run = TokenRun(card, source, context)
    context.report(Ready(str(run.runner.device), run.runner.precision, card.name))
    sampled = run.sample(scene, layout)
    if sampled is None:
        raise _nothing_valid()
    if basis is None:
        basis = fit_basis(sampled.total, sampled.products, sampled.count, components)
    with RasterSet({OUTPUT: path}, {OUTPUT: features_spec(heads, components)}, {OUTPUT: grid}) as writer:
        valid_px = run.predict(scene, layout, FeatureSink(writer, components, grid.width), basis, sampled)
        if valid_px == 0:
            raise _nothing_valid()
        writer.finish(feature_tags(key, basis, heads, layout.region, card.patch_px), cancelled=context.cancelled)
    cache.add(key)
    return FeatureFile(path, key)


def _copy(source: Path, target: Path) -> None:
    part = part_path(target)
    try:
        shutil.copyfile(source, part)
        part.replace(target)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise SardineError(
            ErrorCode.OUTPUT_READ_ONLY,
            f"{target} could not be written ({error.strerror}).",
            "Room and leave to write are needed.",
            "Free some room, or choose another folder.",
            refused=False,
        ) from error


def _nothing_valid() -> SardineError:
    return SardineError(
        ErrorCode.SOURCE_ALL_NODATA,
        "No pixel of the chosen area holds data.",
        "At least one valid pixel is needed.",
        "Choose another area, or check the layer's nodata value.",
    )
