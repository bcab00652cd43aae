# SPDX-License-Identifier: GPL-2.0-or-later
"""Opens a scene for a model and checks it, so that what can be refused is refused before the run.

The steps: files opened -> roles -> layers (bands sharing their pixels) -> samples -> unit -> output grid -> `Scene`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..model_card import LEFT_OUT, BandSpec, ModelCard, absent_band_note
from ..protocol import UNITS, BandSource, ErrorCode, SardineError
from ..radiometry import HIGHEST_DB, LOWEST_DB, require_calibration, to_db
from .bands import RoleBand, resolve_bands
from .checks import Warning_, check_backscatter, check_different, check_order, check_real_valued, check_values
from .georeference import georeference_of
from .layers import Layer, Sample
from .mask import PolygonMask
from .output_grid import GridChoice, choose_grid
from .reader import Scene
from .safe_dataset import open_source
from .sources import RasterInfo, blank_zero_everywhere, cache_bytes, check_readable, describe_raster, set_cache
from .units import BandSample, UnitReport, backscatter_of, detect_unit, require_certain, unlikely
from .warp import GridReader

__all__ = ["Scene", "open_bands", "open_scene"]

COARSE_RATIO = 1.25
"""From here on a coarser scene is warned of."""

_UNIT_TAGS = ("unit", "dimension", "polari", "measure", "quantity", "radiometr", "calib", "product", "imagedescription", "scale")
"""Tags whose name holds one of these may say what the values are; others, such as a source's path, may not."""


def open_scene(
    bands: Sequence[BandSource],
    card: ModelCard,
    *,
    units: str = "auto",
    calibration_db: float | None = None,
    spacing_m: float | None = None,
    mask: str | None = None,
    allow_coarse: bool = False,
) -> Scene:
    """The scene of `bands` as `card` needs it, opened and checked. A band with an empty role finds its role from its file.

    Raises SardineError, always refused: the codes of the sources, request_invalid, unit_ambiguous, calibration_missing,
    mask_unreadable, mask_outside.
    """
    return open_bands(
        bands,
        card.bands,
        card.spacing_m,
        units=units,
        calibration_db=calibration_db,
        spacing_m=spacing_m,
        mask=mask,
        allow_coarse=allow_coarse,
    )


def open_bands(
    bands: Sequence[BandSource],
    specs: Sequence[BandSpec] | None,
    model_spacing_m: float,
    *,
    units: str = "auto",
    calibration_db: float | None = None,
    spacing_m: float | None = None,
    mask: str | None = None,
    allow_coarse: bool = False,
) -> Scene:
    """As `open_scene`, for bands and a spacing without a model; `specs` None takes whatever roles the files name."""
    _check_arguments(bands, units, spacing_m)
    with contextlib.ExitStack() as stack:
        datasets: dict[str, Any] = {}
        for source in bands:
            if source.path not in datasets:
                datasets[source.path] = stack.enter_context(contextlib.closing(open_source(source.path)))
        infos = {path: describe_raster(dataset, path) for path, dataset in datasets.items()}
        resolved = resolve_bands(bands, infos, specs)
        specs = specs if specs is not None else [_any_spec(band.role) for band in resolved]
        check_real_valued(resolved, infos)
        set_cache(cache_bytes((datasets[band.path], band.band) for band in resolved))
        for path, dataset in datasets.items():
            check_readable(dataset, [band.band for band in resolved if band.path == path])
        layers = _layers(resolved, datasets, spacing_m)
        choice = choose_grid(layers[0].georeference, model_spacing_m, name=infos[resolved[0].path].name, allow_coarse=allow_coarse)
        left_out = absent_band_note(specs, {band.role: band.path for band in resolved})
        warnings = [(LEFT_OUT, left_out)] if left_out else []
        warnings += _spacing_warnings(layers, datasets, spacing_m, choice, model_spacing_m)
        warnings += _overlap_warnings(layers, choice)
        facts = _product_facts(infos)
        if "SARDINE_TERRAIN_CORRECTION" in facts:
            text = (
                "The product was placed by its ground control points, without terrain correction: slopes lie up to some pixels off."
            )
            warnings.append(("no_terrain_correction", text))
        samples = [layer.sample() for layer in layers]
        report, unit_warnings = _unit(layers, samples, infos, specs, units, calibration_db)
        warnings += unit_warnings
        warnings += _value_checks(layers, samples, specs, report, calibration_db)
        warnings += check_backscatter(report, specs)
        grey = _grey_levels(layers) if report.unit == "scaled" else {}
        polygons = PolygonMask(mask, choice.grid) if mask is not None else None
        scene = Scene(
            specs,
            layers,
            choice.grid,
            report,
            calibration_db=calibration_db,
            grey_levels=grey,
            warnings=warnings,
            warp_note=choice.note,
            spacing_m=choice.spacing_m,
            mask=polygons,
            product_facts=facts,
            simulated=any(info.texts.get("SIMULATED", "").lower() == "yes" for info in infos.values()),
        )
        stack.pop_all()  # from here on the scene closes the files
        return scene


def _check_arguments(bands: Sequence[BandSource], units: str, spacing_m: float | None) -> None:
    if not bands:
        raise SardineError(ErrorCode.REQUEST_INVALID, "No band was given.", "At least one is needed.", "Add --band VV=scene.tif:1.")
    if units not in UNITS:
        raise SardineError(
            ErrorCode.REQUEST_INVALID, f"The unit “{units}” is not known.", f"One of {', '.join(UNITS)} is needed.", "Correct it."
        )
    if spacing_m is not None and not 0.1 <= spacing_m <= 10_000:
        raise SardineError(
            ErrorCode.REQUEST_INVALID,
            f"A ground spacing of {spacing_m:g} m was given.",
            "It must lie between 0.1 and 10000 m.",
            "Correct it.",
        )


def _layers(resolved: Sequence[RoleBand], datasets: Mapping[str, Any], spacing_m: float | None) -> list[Layer]:
    """Bands grouped by the pixels that they share, in the order given. Raises SardineError: crs_missing, layers_do_not_overlap."""
    layers: list[Layer] = []
    for band in resolved:
        dataset = datasets[band.path]
        georeference = georeference_of(dataset, dataset.name.rsplit("/", 1)[-1], spacing_m)
        layer = next((layer for layer in layers if layer.georeference.same_as(georeference)), None)
        if layer is not None:
            layer.add(band, dataset)
            continue
        if layers and (georeference.is_local != layers[0].georeference.is_local):
            raise SardineError(
                ErrorCode.LAYERS_DO_NOT_OVERLAP,
                "One layer has a coordinate reference system and another has none.",
                "Both must say where they are, or neither.",
                "Assign the CRS to the layer that lacks it.",
            )
        layers.append(Layer([band], [dataset], georeference))
    return layers


def _spacing_warnings(
    layers: Sequence[Layer], datasets: Mapping[str, Any], spacing_m: float | None, choice: GridChoice, model_spacing_m: float
) -> list[Warning_]:
    warnings: list[Warning_] = []
    coarsest_m = max(choice.spacing_m)
    if coarsest_m > COARSE_RATIO * model_spacing_m:
        text = f"The pixels are {coarsest_m:.0f} m on the ground, the model was made for {model_spacing_m:g} m: detail is missing."
        warnings.append(("spacing_coarse", text))
    if spacing_m is not None and not layers[0].georeference.is_local:
        warnings.append(("spacing_ignored", "The ground spacing that was given is not used: the scene has a CRS."))
    elif spacing_m is not None and any(dataset.gcps[0] for dataset in datasets.values()):
        warnings.append(("points_ignored", "The ground control points are not used, because a ground spacing was given."))
    return warnings


def _overlap_warnings(layers: Sequence[Layer], choice: GridChoice) -> list[Warning_]:
    """Raises SardineError: layers_do_not_overlap."""
    warnings: list[Warning_] = []
    for layer in layers[1:]:
        names = " and ".join(band.role for band in layer.bands)
        share = GridReader(layer.georeference, choice.grid, choice.crs).covers(choice.grid.full_window)
        if share == 0:
            raise SardineError(
                ErrorCode.LAYERS_DO_NOT_OVERLAP,
                f"The layer of {names} covers no part of the layer of {layers[0].bands[0].role}.",
                "Layers of one place are needed.",
                "Choose layers that overlap.",
            )
        text = (
            f"{names} lies on another grid and is brought onto that of {layers[0].bands[0].role}, of which it covers {share:.0%}."
        )
        warnings.append(("layers_aligned", text))
    return warnings


def _unit(
    layers: Sequence[Layer],
    samples: Sequence[Sample],
    infos: Mapping[str, RasterInfo],
    specs: Sequence[BandSpec],
    units: str,
    calibration_db: float | None,
) -> tuple[UnitReport, list[Warning_]]:
    """The unit given or detected. Raises SardineError: unit_ambiguous, calibration_missing, source_all_nodata."""
    band_samples: list[BandSample] = []
    texts: list[str] = []
    for layer, sample in zip(layers, samples, strict=True):
        for index, band in enumerate(layer.bands):
            info = infos[band.path]
            named = [info.descriptions[band.band - 1], info.stem, *_unit_texts(info, band.band)]
            dtype = info.dtypes[band.band - 1]
            scaled_by_file = layer.datasets[index].scales[band.band - 1] != 1.0
            band_samples.append(BandSample(band.role, "float32" if scaled_by_file else dtype, sample.present(index), named))
            texts += [*named, *info.texts.values()]
    warnings: list[Warning_] = []
    known = {infos[band.path].known_unit for layer in layers for band in layer.bands}
    known_unit = known.pop() if len(known) == 1 else None
    if known_unit is not None:
        if units not in ("auto", known_unit):
            warnings.append(("unit_ignored", f"The unit {units} is not used: the product is calibrated here, to {known_unit}."))
        report = UnitReport(known_unit, "calibrated here from the product's own tables", "sigma0", certain=True)
    elif units == "auto":
        counts = {sample.role: sample.values.size for sample in band_samples}
        check_values([band for layer in layers for band in layer.bands], specs, counts, "any unit")
        report = require_certain(detect_unit(band_samples, texts, calibration_db))
    else:
        report = UnitReport(units, "given with the request", backscatter_of(texts), certain=True)
        doubt = unlikely(band_samples, units)
        if doubt is not None:
            warnings.append(("unit_unlikely", f"The values were taken as {units} as asked, but {doubt}."))
    if report.unit == "dn":
        require_calibration(calibration_db)
        report = replace(report, backscatter="sigma0")  # what the constant makes of digital numbers
    elif calibration_db is not None:
        warnings.append(("calibration_ignored", f"The calibration constant is not used: the values are {report.unit}."))
    if report.unit == "scaled":
        text = "Grey levels of unknown scale were standardised over the scene: the map is uncalibrated and less reliable."
        warnings.append(("uncalibrated", text))
    return report, warnings


def _value_checks(
    layers: Sequence[Layer],
    samples: Sequence[Sample],
    specs: Sequence[BandSpec],
    report: UnitReport,
    calibration_db: float | None,
) -> list[Warning_]:
    """Checks on the sampled values. Raises SardineError: source_all_nodata, band_duplicate, bands_swapped."""
    bands = [band for layer in layers for band in layer.bands]
    counts: dict[str, int] = {}
    medians_db: dict[str, float] = {}
    for layer, sample in zip(layers, samples, strict=True):
        check_different(layer.bands, list(sample.values))
        values = sample.values[:, None, :].copy()
        if report.unit in ("db", "scaled"):
            blank_zero_everywhere(values)
        db = values if report.unit == "scaled" else to_db(values, report.unit, calibration_db)
        for index, band in enumerate(layer.bands):
            there = db[index][np.isfinite(db[index])]
            counts[band.role] = there.size
            if there.size and report.unit != "scaled":
                medians_db[band.role] = float(np.median(there))
    taken_as = f"{report.unit} between {LOWEST_DB:g} and {HIGHEST_DB:g} dB" if report.unit != "scaled" else report.unit
    return [*check_values(bands, specs, counts, taken_as), *check_order(bands, medians_db)]


def _grey_levels(layers: Sequence[Layer]) -> dict[str, tuple[float, float]]:
    levels: dict[str, tuple[float, float]] = {}
    for layer in layers:
        means, deviations = layer.statistics()
        for band, mean, deviation in zip(layer.bands, means, deviations, strict=True):
            levels[band.role] = (float(mean), float(deviation))
    return levels


def _unit_texts(info: RasterInfo, band: int) -> list[str]:
    """Values of tags that may name the unit of `band`; not those of other bands."""
    found = []
    for key, value in info.texts.items():
        name, _, of_band = key.rpartition(" of band ")
        if (of_band in ("", key) or not name or of_band == str(band)) and any(word in key.lower() for word in _UNIT_TAGS):
            found.append(value)
    return found


def _product_facts(infos: Mapping[str, RasterInfo]) -> dict[str, str]:
    """What products say of their acquisition, by tag; several that differ are joined."""
    facts: dict[str, str] = {}
    for info in infos.values():
        for key, value in info.texts.items():
            if info.known_unit is not None and key.startswith("SARDINE_") and " of band " not in key:
                facts[key] = value if facts.get(key, value) == value else f"{facts[key]}; {value}"
    return facts


def _any_spec(role: str) -> BandSpec:
    """A band that no model describes: wide limits, so that nothing is judged by them."""
    return BandSpec(role, (LOWEST_DB, HIGHEST_DB), -12.0, 6.0, backscatter="mixed", optional=True)
