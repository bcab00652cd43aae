# SPDX-License-Identifier: GPL-2.0-or-later
"""Layers of the project become sources that another process can open. Everything here runs on the main thread."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Optional

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransformContext,
    QgsFeature,
    QgsFields,
    QgsPoint,
    QgsProcessingFeatureSource,
    QgsRasterDataProvider,
    QgsRasterLayer,
    QgsRectangle,
    QgsVectorFileWriter,
    QgsWkbTypes,
)

from ...backend.grid import Bounds
from ...backend.protocol import BandSource, ErrorCode, SardineError
from ..translation import tr

LayerLookup = Callable[[str], Optional[QgsRasterLayer]]


def raster_source(layer: QgsRasterLayer) -> str:
    """What GDAL in another process opens to read `layer`'s file.

    Raises SardineError (source_not_raster) for a layer that is not a file: a map service, a virtual raster, a raster in
    QGIS's memory, or one behind a password that only QGIS knows.
    """
    source = layer.source()
    problem = ""
    if layer.providerType() != "gdal":
        problem = tr("comes from the provider “{provider}”").format(provider=layer.providerType())
    elif re.search(r"/vsimem/|^MEM:", source):
        problem = tr("lies in the memory of QGIS")
    elif "authcfg=" in source:
        problem = tr("needs a login that is stored in QGIS")
    if problem:
        raise SardineError(
            ErrorCode.SOURCE_NOT_RASTER,
            tr("The layer “{layer}” {problem}.").format(layer=layer.name(), problem=problem),
            tr("The backend reads raster files through GDAL."),
            tr("Save the layer as a GeoTIFF with its raw values, and use that."),
        )
    # Open options stand behind the source (QgsGdalProviderBase::encodeGdalUri); the backend opens files without any.
    return re.split(r"\|(?:option|credential):", source, maxsplit=1)[0]


def crs_note(layer: QgsRasterLayer) -> str:
    """A sentence where QGIS shows `layer` in another coordinate system than its file says; empty where it does not."""
    provider = layer.dataProvider()
    if provider is None or not provider.crs().isValid() or provider.crs() == layer.crs():
        return ""
    return tr("The layer “{layer}” is set to {shown} in QGIS, but its file says {written}: the file's is used.").format(
        layer=layer.name(), shown=layer.crs().userFriendlyIdentifier(), written=provider.crs().userFriendlyIdentifier()
    )


def chosen_bands(first: str, second: str | None, vv_band: int, vh_band: int) -> tuple[BandSource, ...]:
    """The bands as VV_BAND and VH_BAND say; 0 is a choice left empty.

    VV is a band of the `first` source; VH of the `second` where there is one, else of the first. The backend reads the roles
    off each source without a choice of its own, and takes no more than the chosen bands of the others.
    """
    chosen = {first: [], **({} if second is None else {second: []})}
    if vv_band > 0:
        chosen[first].append(BandSource("VV", first, vv_band))
    if vh_band > 0:
        vh_source = first if second is None else second
        chosen[vh_source].append(BandSource("VH", vh_source, vh_band))
    return tuple(band for source, bands in chosen.items() for band in bands or [BandSource("", source, 0)])


def parse_bands(text: str, named: Mapping[str, str], lookup: LayerLookup) -> tuple[BandSource, ...]:
    """The bands in `text`: `ROLE=source:band`, one a line or separated by semicolons.

    A source is a path as GDAL opens it, a name in `named` (the algorithm's own raster parameters, for use in models), or a
    layer of the project by name or id. Raises SardineError (request_invalid, source_not_raster).
    """
    bands = []
    for item in re.split(r"[;\n]", text):
        if item.strip():
            band = BandSource.parse(item.strip())
            bands.append(BandSource(band.role, _resolved(band.path, named, lookup), band.band))
    return tuple(bands)


def _resolved(source: str, named: Mapping[str, str], lookup: LayerLookup) -> str:
    if source in named:
        return named[source]
    layer = lookup(source)
    return raster_source(layer) if layer is not None else source


def crs_text(crs: QgsCoordinateReferenceSystem) -> str | None:
    """`crs` for another process: authority and code, else WKT; None where it is not valid."""
    if not crs.isValid():
        return None
    return (
        crs.authid()
        if crs.authid().upper().startswith(("EPSG:", "ESRI:"))
        else crs.toWkt(QgsCoordinateReferenceSystem.WktVariant.WKT_PREFERRED)
    )


def bounds_of(
    extent: QgsRectangle, crs: QgsCoordinateReferenceSystem, layer: QgsRasterLayer, spacing_m: float | None
) -> tuple[Bounds, str | None]:
    """`extent` (in `crs`) as bounds for the backend and the reference system they are in.

    A raster without reference system is shown by QGIS in its own units, often pixels, and upside down where the file counts
    them downwards. The backend counts metres of `spacing_m` from the file's first pixel, and there is no system to name.
    """
    if layer.crs().isValid():
        return (extent.xMinimum(), extent.yMinimum(), extent.xMaximum(), extent.yMaximum()), crs_text(crs)
    corners = ((extent.xMinimum(), extent.yMaximum()), (extent.xMaximum(), extent.yMinimum()))
    columns, rows = zip(*(_pixel_at(layer, x, y) for x, y in corners))
    step_m = spacing_m or 1.0
    return (min(columns) * step_m, -max(rows) * step_m, max(columns) * step_m, -min(rows) * step_m), None


def _pixel_at(layer: QgsRasterLayer, x: float, y: float) -> tuple[float, float]:
    """Column and row of a point of `layer`, counted from the outer corner of the file's first pixel."""
    to_image = QgsRasterDataProvider.TransformType.TransformLayerToImage
    point = layer.dataProvider().transformCoordinates(QgsPoint(x, y), to_image)
    if not point.isEmpty():
        return point.x(), point.y()
    full = layer.extent()  # without a geotransform QGIS shows one unit a pixel
    return x - full.xMinimum(), full.yMaximum() - y


def write_mask(source: QgsProcessingFeatureSource, path: str, transform_context: QgsCoordinateTransformContext) -> int:
    """Writes the geometries of `source` (its selection, where only that is asked for) to a GeoPackage; returns their number.

    The layer is copied because it may be one of many in its file, filtered, in memory, or edited and not saved.
    Raises SardineError (mask_unreadable).
    """
    options = QgsVectorFileWriter.SaveVectorOptions()
    options.driverName = "GPKG"
    options.layerName = "mask"
    geometry_type = QgsWkbTypes.multiType(QgsWkbTypes.flatType(source.wkbType()))
    writer = QgsVectorFileWriter.create(path, QgsFields(), geometry_type, source.sourceCrs(), transform_context, options)
    count = 0
    problem = writer.errorMessage()
    for feature in source.getFeatures():
        if problem or not feature.hasGeometry():
            continue
        geometry = feature.geometry()
        geometry.get().dropZValue()
        geometry.get().dropMValue()
        geometry.convertToMultiType()
        copy = QgsFeature()
        copy.setGeometry(geometry)
        if not writer.addFeature(copy):
            problem = writer.errorMessage()
        count += 1
    del writer  # closes the file
    if problem or not count:
        raise SardineError(
            ErrorCode.MASK_UNREADABLE,
            tr("The mask layer could not be copied ({problem}).").format(problem=problem)
            if problem
            else tr("The mask layer holds no polygon."),
            tr("At least one polygon is needed."),
            tr("Check the layer and its selection."),
        )
    return count
