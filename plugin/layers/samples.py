# SPDX-License-Identifier: GPL-2.0-or-later
"""Vector layers with a class field: copied for the backend, and made from what it gives. Main thread only."""

from __future__ import annotations

from qgis.core import (
    QgsCategorizedSymbolRenderer,
    QgsCoordinateTransformContext,
    QgsFeature,
    QgsFeatureRequest,
    QgsField,
    QgsFields,
    QgsGeometry,
    QgsProcessingFeatureSource,
    QgsVectorFileWriter,
    QgsVectorLayer,
    QgsWkbTypes,
)
from qgis.PyQt.QtCore import QMetaType, QVariant

from ...backend.protocol import ErrorCode, SardineError
from ..translation import tr

CLASS_FIELD = "class"
"""Of the copy, whatever the layer's field is called."""

GEOMETRY_TYPES = (QgsWkbTypes.GeometryType.PointGeometry, QgsWkbTypes.GeometryType.PolygonGeometry)


def write_samples(
    source: QgsProcessingFeatureSource, field: str, path: str, transform_context: QgsCoordinateTransformContext
) -> int:
    """Writes points or polygons of `source` (its selection, where only that is asked for) and their class to a GeoPackage.

    With an empty `field` they have no class. Returns how many geometries were not valid and had to be mended. The layer is copied
    because it may be of any format, filtered, in memory, or edited and not saved. Raises SardineError (samples_unreadable).
    """
    index = source.fields().lookupField(field) if field else -1
    if index < 0 and field:
        raise _unreadable(tr("The layer has no field “{field}”.").format(field=field))
    kind = QgsWkbTypes.geometryType(source.wkbType())
    if kind not in GEOMETRY_TYPES:
        raise _unreadable(tr("The layer holds neither points nor polygons."))
    numeric = index >= 0 and source.fields().at(index).isNumeric()
    fields = QgsFields()
    fields.append(QgsField(CLASS_FIELD, field_type("LongLong") if numeric else field_type("QString")))
    options = QgsVectorFileWriter.SaveVectorOptions()
    options.driverName = "GPKG"
    options.layerName = "samples"
    flat = QgsWkbTypes.multiType(QgsWkbTypes.flatType(source.wkbType()))
    if QgsWkbTypes.isCurvedType(flat):
        flat = QgsWkbTypes.linearType(flat)
    writer = QgsVectorFileWriter.create(path, fields, flat, source.sourceCrs(), transform_context, options)
    problem = writer.errorMessage()
    mended = written = 0
    # Processing's own check would stop at the first bad geometry: here they are mended, and told of.
    flags = QgsProcessingFeatureSource.Flag.FlagSkipGeometryValidityChecks
    for feature in source.getFeatures(QgsFeatureRequest(), flags):
        if problem or not feature.hasGeometry():
            continue
        geometry, was_bad = _mended(feature.geometry(), kind)
        mended += was_bad
        if geometry.isNull() or geometry.isEmpty():
            continue
        copy = QgsFeature(fields)
        copy.setGeometry(geometry)
        copy.setAttribute(0, _class_value(feature.attribute(index), numeric) if index >= 0 else None)
        if not writer.addFeature(copy):
            problem = writer.errorMessage()
        written += 1
    del writer  # closes the file
    if problem or not written:
        raise _unreadable(
            tr("The layer could not be copied ({problem}).").format(problem=problem)
            if problem
            else tr("The layer holds no features with a geometry.")
        )
    return mended


def class_colours(layer: QgsVectorLayer, field: str) -> dict[str, str]:
    """#rrggbb by the text of each class, where `layer` is shown by categories of `field`; else nothing."""
    renderer = layer.renderer()
    if not isinstance(renderer, QgsCategorizedSymbolRenderer) or renderer.classAttribute().strip('"') != field:
        return {}
    shown = [item for item in renderer.categories() if item.symbol() is not None]
    return {str(item.value()).strip(): item.symbol().color().name() for item in shown if str(item.value()).strip()}


def _mended(geometry: QgsGeometry, kind: QgsWkbTypes.GeometryType) -> tuple[QgsGeometry, bool]:
    """`geometry` as a valid multi geometry of two dimensions, and whether it was not valid."""
    if QgsWkbTypes.isCurvedType(geometry.wkbType()):
        geometry = QgsGeometry(geometry.constGet().segmentize())
    geometry.get().dropZValue()
    geometry.get().dropMValue()
    was_bad = kind == QgsWkbTypes.GeometryType.PolygonGeometry and not geometry.isGeosValid()
    if was_bad:
        # What is left of a polygon without area, or of a spike, is a line: no part of a sample.
        parts = [part for part in geometry.makeValid().asGeometryCollection() if part.type() == kind]
        geometry = QgsGeometry.collectGeometry(parts) if parts else QgsGeometry()
    if not geometry.isNull():
        geometry.convertToMultiType()
    return geometry, was_bad


def _class_value(value: object, numeric: bool) -> object:
    if value is None or (isinstance(value, QVariant) and value.isNull()):
        return None
    if numeric:
        return int(value) if float(value) == int(value) else None
    text = value if isinstance(value, str) else str(value)
    return text.strip() or None


def field_type(name: str) -> object:
    """A field's type: QGIS 3.38 and later take QMetaType, earlier ones QVariant."""
    newer = getattr(QMetaType, "Type", None)
    found = getattr(newer, name, None) if newer is not None else None
    return found if found is not None else getattr(QVariant, {"QString": "String"}.get(name, name))


def _unreadable(found: str) -> SardineError:
    return SardineError(
        ErrorCode.SAMPLES_UNREADABLE,
        found,
        tr("Points or polygons with a class field are needed."),
        tr("Check the layer, its selection and the field."),
    )
