# SPDX-License-Identifier: GPL-2.0-or-later
"""Sentinel-1 products to open: small made-up ones, and real annotations with a made-up measurement of the right size."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

SMALL = (520, 640)  # lines, samples
CALIBRATION_A = {"VV": (600.0, 500.0), "VH": (610.0, 510.0), "HH": (600.0, 500.0), "HV": (610.0, 510.0)}
"""sigmaNought at the first and the last sample of a small product; linear in between, and 10% less in the last line."""
NOISE_DN2 = 900.0

_MANIFEST = """<?xml version="1.0"?>
<xfdu:XFDU xmlns:xfdu="urn:ccsds:schema:xfdu:1" xmlns:safe="http://www.esa.int/safe/sentinel-1.0"><metadataSection>
<safe:orbitReference><safe:relativeOrbitNumber type="start">59</safe:relativeOrbitNumber></safe:orbitReference>
</metadataSection></xfdu:XFDU>"""


def small_product(
    folder: Path,
    polarisations: tuple[str, ...] = ("VV", "VH"),
    *,
    dn: Mapping[str, np.ndarray] | None = None,
    old_noise: bool = False,
    write: Callable[[Path, np.ndarray], object] | None = None,
    name: str = "S1A_IW_GRDH_1SDV_20210809T173953_20210809T174018_039156_049F13_6FF8.SAFE",
) -> Path:
    """A made-up product of SMALL pixels near Toulouse, `dn` [lines, samples] uint16 by polarisation (else 200 everywhere)."""
    product = folder / name
    for part in ("annotation/calibration", "measurement"):
        (product / part).mkdir(parents=True)
    (product / "manifest.safe").write_text(_MANIFEST)
    for number, polarisation in enumerate(polarisations, 1):
        stem = f"s1a-iw-grd-{polarisation.lower()}-20210809t173953-20210809t174018-039156-049f13-{number:03d}"
        (product / f"annotation/{stem}.xml").write_text(_annotation(polarisation))
        (product / f"annotation/calibration/calibration-{stem}.xml").write_text(_calibration(polarisation))
        (product / f"annotation/calibration/noise-{stem}.xml").write_text(_noise(polarisation, old_noise))
        values = dn[polarisation] if dn is not None else np.full(SMALL, 200, np.uint16)
        measurement = product / f"measurement/{stem}.tiff"
        if write is None:
            write_measurement(measurement, values.shape, {(0, 0): values})
        else:
            write(measurement, values)
    return product


def real_product(folder: Path, archive: Path, blocks: Mapping[tuple[int, int], np.ndarray]) -> Path:
    """The annotations in `archive` of the shared data with measurements of the full size: `blocks` by (line, sample), else 0."""
    import re

    with zipfile.ZipFile(archive) as source:
        names = [name for name in source.namelist() if name.endswith((".xml", "manifest.safe")) and "/rfi/" not in name]
        source.extractall(folder, names)
    (product,) = (path.parent for path in folder.glob("*/manifest.safe"))
    (product / "measurement").mkdir(exist_ok=True)
    for annotation in (product / "annotation").glob("*.xml"):
        text = annotation.read_text()
        size = tuple(int(re.search(rf"<{name}>(\d+)<", text)[1]) for name in ("numberOfLines", "numberOfSamples"))
        write_measurement(product / "measurement" / f"{annotation.stem}.tiff", size, blocks)
    return product


def write_measurement(path: Path, size: tuple[int, int], blocks: Mapping[tuple[int, int], np.ndarray]) -> None:
    """Digital numbers, uint16; tiles that no block touches are not stored, so that a whole scene takes kilobytes."""
    profile = {"driver": "GTiff", "dtype": "uint16", "count": 1, "height": size[0], "width": size[1], "compress": "deflate"}
    import rasterio  # here, as the plugin's tests build products too, without rasterio
    from rasterio.errors import NotGeoreferencedWarning
    from rasterio.windows import Window

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path, "w", tiled=True, SPARSE_OK=True, **profile) as file:
            for (line, sample), values in blocks.items():
                file.write(values.astype(np.uint16), 1, window=Window(sample, line, values.shape[1], values.shape[0]))


def zipped(product: Path, target: Path) -> Path:
    """The product as the zip in which it is downloaded."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(product.rglob("*")):
            archive.write(path, path.relative_to(product.parent))
    return target


def _header(polarisation: str) -> str:
    return (
        f"<adsHeader><missionId>S1A</missionId><productType>GRD</productType><polarisation>{polarisation}</polarisation>"
        "<mode>IW</mode><swath>IW</swath><startTime>2021-08-09T17:39:53.153776</startTime>"
        "<stopTime>2021-08-09T17:40:18.152800</stopTime><absoluteOrbitNumber>39156</absoluteOrbitNumber></adsHeader>"
    )


def _annotation(polarisation: str) -> str:
    lines, samples = SMALL
    points = ""
    for line in np.linspace(0, lines - 1, 5).astype(int):
        for sample in np.linspace(0, samples - 1, 5).astype(int):
            longitude, latitude = 1.93 + sample * 1.24e-4 + line * 1e-5, 44.53 - line * 9e-5 + sample * 1e-5
            points += (
                f"<geolocationGridPoint><line>{line}</line><pixel>{sample}</pixel><latitude>{latitude:.9e}</latitude>"
                f"<longitude>{longitude:.9e}</longitude><height>1.5e+02</height></geolocationGridPoint>"
            )
    return (
        f"<product>{_header(polarisation)}<generalAnnotation><productInformation><pass>Ascending</pass></productInformation>"
        f"</generalAnnotation><imageAnnotation><imageInformation><numberOfSamples>{samples}</numberOfSamples>"
        f"<numberOfLines>{lines}</numberOfLines></imageInformation></imageAnnotation>"
        f"<geolocationGrid><geolocationGridPointList>{points}</geolocationGridPointList></geolocationGrid></product>"
    )


def _calibration(polarisation: str) -> str:
    lines, samples = SMALL
    first, last = CALIBRATION_A[polarisation]
    vectors = ""
    for line, factor in ((0, 1.0), (lines - 1, 0.9)):
        vectors += (
            f"<calibrationVector><line>{line}</line><pixel count='2'>0 {samples - 1}</pixel>"
            f"<sigmaNought count='2'>{first * factor:.6e} {last * factor:.6e}</sigmaNought></calibrationVector>"
        )
    return f"<calibration>{_header(polarisation)}<calibrationVectorList count='2'>{vectors}</calibrationVectorList></calibration>"


def _noise(polarisation: str, old: bool) -> str:
    lines, samples = SMALL
    if old:
        values = f"<pixel>0 {samples - 1}</pixel><noiseLut>{NOISE_DN2} {NOISE_DN2}</noiseLut>"
        vectors = "".join(f"<noiseVector><line>{line}</line>{values}</noiseVector>" for line in (0, lines - 1))
        return f"<noise>{_header(polarisation)}<noiseVectorList>{vectors}</noiseVectorList></noise>"
    # Two sub-swaths side by side: the second has twice the noise in its last line.
    vectors = "".join(
        f"<noiseRangeVector><line>{line}</line><pixel>0 {samples - 1}</pixel><noiseRangeLut>{NOISE_DN2} {NOISE_DN2}</noiseRangeLut>"
        "</noiseRangeVector>"
        for line in (0, lines - 1)
    )
    blocks = ""
    for swath, first, last, end in (("IW1", 0, 299, 1.0), ("IW2", 300, samples - 1, 2.0)):
        blocks += (
            f"<noiseAzimuthVector><swath>{swath}</swath><firstAzimuthLine>0</firstAzimuthLine><firstRangeSample>{first}"
            f"</firstRangeSample><lastAzimuthLine>{lines - 1}</lastAzimuthLine><lastRangeSample>{last}</lastRangeSample>"
            f"<line>0 {lines - 1}</line><noiseAzimuthLut>1.0 {end}</noiseAzimuthLut></noiseAzimuthVector>"
        )
    return (
        f"<noise>{_header(polarisation)}<noiseRangeVectorList>{vectors}</noiseRangeVectorList>"
        f"<noiseAzimuthVectorList>{blocks}</noiseAzimuthVectorList></noise>"
    )
