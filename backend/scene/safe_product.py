# SPDX-License-Identifier: GPL-2.0-or-later
"""A Sentinel-1 GRD product as it is downloaded, a `.SAFE` folder or the zip of one: its files found, its annotations read.

Layout and elements: "Sentinel-1 Product Specification", S1-RS-MDA-52-7441, sections 3.3 (format) and 6 (annotations). Of each
polarisation there are an annotation, its calibration and noise, and a measurement, which share a name.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from rasterio.control import GroundControlPoint

from ..protocol import ErrorCode, SardineError
from .safe_tables import NoiseTable, RangeTable, calibration_table, noise_table, numbers
from .xml_tree import Node, XmlError, parse_xml

MOST_XML_BYTES = 64 * 2**20
"""An annotation is 1 to 4 MB."""

ORDER = ("VV", "VH", "HH", "HV")


@dataclass(frozen=True)
class SafeBand:
    """One polarisation: the measurement as GDAL opens it, its size, points and tables."""

    polarisation: str
    measurement: str
    height: int
    width: int
    points: tuple[GroundControlPoint, ...]
    calibration: RangeTable
    noise: NoiseTable


@dataclass(frozen=True)
class SafeProduct:
    """`bands` co-polarised first. `facts` are what the manifest and annotations say of the acquisition, as tags."""

    name: str
    bands: tuple[SafeBand, ...]
    facts: Mapping[str, str]


def product_path(path: str) -> tuple[Path, str] | None:
    """The product that `path` belongs to and the stem of one measurement, empty for all of them; None for other rasters.

    A product is a folder or zip with a manifest, its `manifest.safe`, or a measurement in a folder or zip that has one.
    """
    in_zip = re.match(r"/vsizip/\{?(.+?\.zip)\}?/(?:[^/]+/)?measurement/([^/]+)\.tiff?$", path, re.IGNORECASE)
    if in_zip:
        found = product_path(in_zip[1])
        return None if found is None else (found[0], in_zip[2])
    if not path or path.startswith("/vsi"):
        return None
    place = Path(path)
    try:
        if place.name == "manifest.safe" and place.is_file():
            return place.parent, ""
        if place.is_dir():
            return (place, "") if (place / "manifest.safe").is_file() or place.suffix.upper() == ".SAFE" else None
        if place.parent.name == "measurement" and (place.parent.parent / "manifest.safe").is_file():
            return place.parent.parent, place.stem
        if place.suffix.lower() == ".zip" and place.is_file() and zipfile.is_zipfile(place):
            with zipfile.ZipFile(place) as archive:
                return (place, "") if _zip_root(archive) is not None else None
    except (OSError, ValueError, zipfile.BadZipFile):  # no such place, or a name that none can have
        return None
    return None


def read_product(place: Path, stem: str = "") -> SafeProduct:
    """The product at `place`, with the bands of one measurement `stem` or of all of them.

    Raises SardineError: source_unreadable where a file is missing, damaged or contradicts another; calibration_missing;
    source_complex for a product that is not detected.
    """
    files = _Files(place)
    manifest = files.xml("manifest.safe")
    annotations = [name for name in files.names if PurePosixPath(name).match("annotation/*.xml")]
    if not annotations:
        raise _unreadable(place.name, "it holds no annotation")
    bands, facts = [], _facts(place, manifest)
    for name in annotations:
        own = PurePosixPath(name).stem
        if stem in ("", own):
            annotation = files.xml(name)
            with _told(place.name, name):
                facts |= _acquisition(annotation)
                _check_detected(place.name, annotation)
            bands.append(_band(files, annotation, own))
    if not bands:
        raise _unreadable(place.name, f"the measurement {stem} has no annotation")
    bands.sort(key=lambda band: ORDER.index(band.polarisation) if band.polarisation in ORDER else len(ORDER))
    if any((band.height, band.width) != (bands[0].height, bands[0].width) for band in bands):
        raise _unreadable(place.name, "its polarisations differ in size")
    return SafeProduct(place.name, tuple(bands), facts)


class _Files:
    """The files of a product by their names inside it, with slashes; of a folder or a zip."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._archive: zipfile.ZipFile | None = None
        self._root = ""
        if place.is_dir():
            self.names = sorted(
                path.relative_to(place).as_posix()
                for folder in (place, place / "annotation", place / "annotation" / "calibration", place / "measurement")
                for path in (folder.iterdir() if folder.is_dir() else ())
            )
            return
        try:
            self._archive = zipfile.ZipFile(place)
        except (OSError, zipfile.BadZipFile) as error:
            raise _unreadable(place.name, f"the zip cannot be opened: {error}") from error
        self._root = _zip_root(self._archive) or ""
        self.names = sorted(
            name.removeprefix(self._root) for name in self._archive.namelist() if name.startswith(self._root) and name[-1] != "/"
        )

    def gdal_path(self, name: str) -> str:
        if self._archive is None:
            return str(self._place / name)
        return f"/vsizip/{self._place}/{self._root}{name}"

    def xml(self, name: str) -> Node:
        with _told(self._place.name, name):
            if name not in self.names:
                raise XmlError("it is missing")
            return parse_xml(self._bytes(name))

    def _bytes(self, name: str) -> bytes:
        try:
            if self._archive is None:
                path = self._place / name
                size, read = path.stat().st_size, path.read_bytes
            else:
                archive, member = self._archive, self._root + name
                size, read = archive.getinfo(member).file_size, lambda: archive.read(member)
            if size > MOST_XML_BYTES:
                raise XmlError(f"it has {size / 2**20:.0f} MB, far more than any annotation")
            return read()
        except (OSError, RuntimeError, NotImplementedError, zipfile.BadZipFile, EOFError) as error:  # encrypted, cut short, odd
            raise XmlError(str(error)) from error


class _told:  # noqa: N801  # used as a function
    """A context that turns XmlError into the refusal that names the product and its file."""

    def __init__(self, product: str, name: str) -> None:
        self._product, self._name = product, name

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, XmlError):
            raise _unreadable(self._product, f"{self._name}: {error}") from error


def _zip_root(archive: zipfile.ZipFile) -> str | None:
    """The folder of the one manifest in a zip, with its slash; None where there is none. Raises SardineError for several."""
    names = [name for name in archive.namelist() if PurePosixPath(name).name == "manifest.safe" and name.count("/") <= 1]
    if len(names) > 1:
        raise _unreadable(Path(archive.filename or "").name, f"it holds {len(names)} products, of which one has to be chosen")
    return names[0].removesuffix("manifest.safe") if names else None


def _band(files: _Files, annotation: Node, stem: str) -> SafeBand:
    product = files._place.name
    with _told(product, f"annotation/{stem}.xml"):
        polarisation = annotation.first("adsHeader/polarisation").text.upper()
        image = annotation.first("imageAnnotation/imageInformation")
        height, width = (int(numbers(image.first(name))[0]) for name in ("numberOfLines", "numberOfSamples"))
        if not (0 < height < 10**6 and 0 < width < 10**6):
            raise XmlError(f"it says {height} lines of {width} samples")
        points = tuple(_point(node) for node in annotation.all("geolocationGrid/geolocationGridPointList/geolocationGridPoint"))
        if len(points) < 4:
            raise XmlError(f"it holds {len(points)} geolocation points")
    calibration = f"annotation/calibration/calibration-{stem}.xml"
    if calibration not in files.names:
        raise SardineError(
            ErrorCode.CALIBRATION_MISSING,
            f"{product} lacks the calibration of {polarisation} ({calibration}).",
            "A complete product is needed: its values cannot be turned into backscatter without.",
            "Download it again, whole.",
        )
    with _told(product, calibration):
        sigma = calibration_table(files.xml(calibration), width)
    noise_name = f"annotation/calibration/noise-{stem}.xml"
    with _told(product, noise_name):
        noise = noise_table(files.xml(noise_name), width)
    measurement = next((name for name in files.names if PurePosixPath(name).match(f"measurement/{stem}.tif*")), None)
    if measurement is None:
        raise _unreadable(product, f"the measurement of {polarisation} is missing")
    return SafeBand(polarisation, files.gdal_path(measurement), height, width, points, sigma, noise)


def _point(node: Node) -> GroundControlPoint:
    line, pixel, latitude, longitude, height = (
        float(numbers(node.first(name))[0]) for name in ("line", "pixel", "latitude", "longitude", "height")
    )
    return GroundControlPoint(row=line, col=pixel, x=longitude, y=latitude, z=height)


def _check_detected(product: str, annotation: Node) -> None:
    kind = annotation.first("adsHeader/productType").text
    if kind != "GRD":
        raise SardineError(
            ErrorCode.SOURCE_COMPLEX,
            f"{product} is a product of the type {kind}.",
            "Detected backscatter (GRD) is needed.",
            "Download the GRD product of the same acquisition.",
        )


def _acquisition(annotation: Node) -> dict[str, str]:
    header = annotation.first("adsHeader")
    passes = annotation.all("generalAnnotation/productInformation/pass")
    facts = {
        "SENSED": f"{header.first('startTime').text} to {header.first('stopTime').text}",
        "MODE": f"{header.first('missionId').text} {header.first('mode').text} {header.first('productType').text}",
        "ABSOLUTE_ORBIT": header.first("absoluteOrbitNumber").text,
    }
    return facts | ({"ORBIT_DIRECTION": passes[0].text.lower()} if passes else {})


def _facts(place: Path, manifest: Node) -> dict[str, str]:
    orbits = [node.text for node in manifest.walk() if node.name == "relativeOrbitNumber"]
    return {
        "PRODUCT": place.name.removesuffix(".zip"),
        **({"RELATIVE_ORBIT": orbits[0]} if orbits else {}),
        "CALIBRATION": "sigma nought by the product's own tables, thermal noise removed, border noise masked",
        "TERRAIN_CORRECTION": "none: geocoded by the product's ground control points",
    }


def _unreadable(product: str, reason: str) -> SardineError:
    return SardineError(
        ErrorCode.SOURCE_UNREADABLE,
        f"The product {product} cannot be used ({reason}).",
        "A whole Sentinel-1 GRD product is needed, a .SAFE folder or its zip.",
        "Download it again.",
    )
