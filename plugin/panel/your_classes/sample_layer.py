# SPDX-License-Identifier: GPL-2.0-or-later
"""A layer of samples and its classes. Main thread only.

The list of classes is the layer's own renderer, by categories of the class field: name, colour, and nothing beside it that could
tell otherwise. A project, a style file or QGIS's own dialog of the layer keep and change it as they do with any layer.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from qgis.core import (
    QgsCategorizedSymbolRenderer,
    QgsCoordinateReferenceSystem,
    QgsDefaultValue,
    QgsEditFormConfig,
    QgsExpression,
    QgsFeatureRequest,
    QgsField,
    QgsFields,
    QgsProject,
    QgsRendererCategory,
    QgsSymbol,
    QgsVectorFileWriter,
    QgsVectorLayer,
    QgsWkbTypes,
)
from qgis.PyQt.QtGui import QColor

from ....backend.protocol import ErrorCode, SardineError
from ...layers.samples import CLASS_FIELD, field_type
from ...translation import tr

COLOURS = ("#3b7dd8", "#e0b12d", "#4f9d45", "#d2462f", "#8c5fb8", "#46b5a8", "#b3713d", "#d277a6", "#7d8790", "#a4c04a")
"""Of new classes, one after the other: hues that lie apart for most eyes, over grey radar."""

FILL_ALPHA = 70
"""Of 255: the radar under a sample stays visible."""


OWN_PROPERTY = "sardine/samples"
"""Marks a layer that was made here, and may be set up for drawing at any time."""


@dataclass(frozen=True)
class UserClass:
    """A class of a person's own, and #rrggbb."""

    name: str
    colour: str


def make_layer(name: str, crs: QgsCoordinateReferenceSystem, path: str = "") -> QgsVectorLayer:
    """An empty layer of polygons with a class field, in memory, or in the new GeoPackage `path`.

    Raises SardineError (output_read_only).
    """
    fields = QgsFields()
    fields.append(QgsField(CLASS_FIELD, field_type("QString")))
    if path:
        options = QgsVectorFileWriter.SaveVectorOptions()
        options.driverName, options.layerName = "GPKG", "samples"
        context = QgsProject.instance().transformContext()
        writer = QgsVectorFileWriter.create(path, fields, QgsWkbTypes.Type.Polygon, crs, context, options)
        problem = writer.errorMessage()
        del writer  # closes the file
        layer = QgsVectorLayer(f"{path}|layername=samples", name, "ogr")
        if problem or not layer.isValid():
            raise SardineError(
                ErrorCode.OUTPUT_READ_ONLY,
                tr("{file} could not be made ({problem}).").format(file=path, problem=problem or tr("QGIS cannot open it")),
                tr("A folder that can be written to is needed."),
                tr("Choose another place."),
            )
    else:
        layer = QgsVectorLayer("Polygon", name, "memory")
        layer.dataProvider().addAttributes(fields.toList())
        layer.updateFields()
        layer.setCrs(crs)
    layer.setCustomProperty(OWN_PROPERTY, True)
    form = layer.editFormConfig()
    form.setSuppress(QgsEditFormConfig.FeatureFormSuppress.SuppressOn)  # the class is known: no box after each polygon
    layer.setEditFormConfig(form)
    show_by_classes(layer, CLASS_FIELD)
    return layer


def class_field(layer: QgsVectorLayer | None) -> str:
    """The field by whose categories `layer` is shown; empty where it is shown otherwise."""
    renderer = layer.renderer() if layer is not None else None
    if not isinstance(renderer, QgsCategorizedSymbolRenderer):
        return ""
    field = renderer.classAttribute().strip('"')
    return field if layer.fields().lookupField(field) >= 0 else ""


def show_by_classes(layer: QgsVectorLayer, field: str) -> None:
    """Shows `layer` by categories of `field`, one for each value that there is."""
    layer.setRenderer(QgsCategorizedSymbolRenderer(field, []))
    complete_classes(layer)
    _tell(layer)


def classes_of(layer: QgsVectorLayer) -> list[UserClass]:
    """The classes in their order; QGIS's category of all other values is none."""
    shown = [item for item in _renderer(layer).categories() if item.symbol() is not None and _text(item.value())]
    return [UserClass(_text(item.value()), item.symbol().color().name()) for item in shown]


def count_samples(layer: QgsVectorLayer) -> Counter[str]:
    """How many samples each class has, with those that are not saved yet; under an empty name those without a class."""
    place = layer.fields().lookupField(class_field(layer))
    request = QgsFeatureRequest().setFlags(QgsFeatureRequest.Flag.NoGeometry).setSubsetOfAttributes([place])
    return Counter(_text(feature.attribute(place)) for feature in layer.getFeatures(request))


def complete_classes(layer: QgsVectorLayer, colours: dict[str, str] | None = None) -> None:
    """Adds a class for each value that samples have and the list has not, as after an undo; `colours` are those known by name."""
    there = {item.name for item in classes_of(layer)}
    for name in sorted(name for name in count_samples(layer) if name and name not in there):
        add_class(layer, name, (colours or {}).get(name, ""))


def next_colour(layer: QgsVectorLayer) -> str:
    """A colour that no class has yet, as long as there is one."""
    taken = Counter(item.colour for item in classes_of(layer))
    return min(COLOURS, key=lambda colour: (taken[colour], COLOURS.index(colour)))


def name_problem(layer: QgsVectorLayer, name: str) -> str:
    """Why a class cannot be called `name`; empty where it can."""
    if not name.strip():
        return tr("A class needs a name.")
    if name.strip() in {item.name for item in classes_of(layer)}:
        return tr("There is a class “{name}” already.").format(name=name.strip())
    numeric = layer.fields().field(class_field(layer)).isNumeric()
    if numeric and not name.strip().isdigit():
        return tr("The class field of this layer holds numbers: a code from 1 to 254 is needed.")
    return ""


def add_class(layer: QgsVectorLayer, name: str, colour: str = "") -> None:
    """Adds the class `name` in `colour`, or in one of its own."""
    renderer = _renderer(layer).clone()
    symbol = _symbol(layer, colour or next_colour(layer))
    renderer.addCategory(QgsRendererCategory(_value(layer, name), symbol, name))
    layer.setRenderer(renderer)
    _tell(layer)


def recolour_class(layer: QgsVectorLayer, name: str, colour: str) -> None:
    """Shows the class `name` in `colour`."""
    renderer = _renderer(layer).clone()
    renderer.updateCategorySymbol(_index(renderer, name), _symbol(layer, colour))
    layer.setRenderer(renderer)
    _tell(layer)


def rename_class(layer: QgsVectorLayer, name: str, new_name: str) -> bool:
    """Calls the class `name` and its samples `new_name`; returns whether the layer took it."""
    if not _edit(layer, name, tr("Rename class"), _value(layer, new_name)):
        return False
    renderer = _renderer(layer).clone()
    index = _index(renderer, name)
    renderer.updateCategoryValue(index, _value(layer, new_name))
    renderer.updateCategoryLabel(index, new_name)
    layer.setRenderer(renderer)
    _tell(layer)
    return True


def remove_class(layer: QgsVectorLayer, name: str) -> bool:
    """Removes the class `name` and its samples; returns whether the layer took it."""
    if not _edit(layer, name, tr("Remove class"), None):
        return False
    renderer = _renderer(layer).clone()
    renderer.deleteCategory(_index(renderer, name))
    layer.setRenderer(renderer)
    _tell(layer)
    return True


def is_own(layer: QgsVectorLayer) -> bool:
    """Whether `layer` was made for samples, and not for something else before."""
    return bool(layer.customProperty(OWN_PROPERTY))


def set_class_of_new_samples(layer: QgsVectorLayer, name: str) -> None:
    """Lets QGIS's own tools give new samples the class `name`."""
    place = layer.fields().lookupField(class_field(layer))
    wanted = QgsDefaultValue(QgsExpression.quotedValue(_value(layer, name)))
    if layer.defaultValueDefinition(place) != wanted:
        layer.setDefaultValueDefinition(place, wanted)


def _edit(layer: QgsVectorLayer, name: str, text: str, value: object) -> bool:
    """Gives the samples of the class `name` the value, or removes them with None: one step of QGIS's undo, or saved at once.

    Saved at once is it where nobody is editing the layer.
    """
    field = class_field(layer)
    place = layer.fields().lookupField(field)
    request = QgsFeatureRequest().setFlags(QgsFeatureRequest.Flag.NoGeometry).setSubsetOfAttributes([place])
    found = [feature.id() for feature in layer.getFeatures(request) if _text(feature.attribute(place)) == name]
    if not found:
        return True
    edited = layer.isEditable()
    if not edited and not layer.startEditing():
        return False
    layer.beginEditCommand(text)
    done = layer.deleteFeatures(found) if value is None else all(layer.changeAttributeValue(fid, place, value) for fid in found)
    if not done:
        layer.destroyEditCommand()
    else:
        layer.endEditCommand()
    if not edited and not (done and layer.commitChanges()):
        layer.rollBack()
        return False
    return done


def _renderer(layer: QgsVectorLayer) -> QgsCategorizedSymbolRenderer:
    renderer = layer.renderer()
    if not isinstance(renderer, QgsCategorizedSymbolRenderer):
        raise TypeError(f"{layer.name()} is not shown by categories")
    return renderer


def _index(renderer: QgsCategorizedSymbolRenderer, name: str) -> int:
    return next(number for number, item in enumerate(renderer.categories()) if _text(item.value()) == name)


def _symbol(layer: QgsVectorLayer, colour: str) -> QgsSymbol:
    symbol = QgsSymbol.defaultSymbol(layer.geometryType())
    fill = QColor(colour)
    if layer.geometryType() == QgsWkbTypes.GeometryType.PolygonGeometry:
        fill.setAlpha(FILL_ALPHA)
        symbol.symbolLayer(0).setStrokeColor(QColor(colour).darker(250))  # seen over a map in the same colour
        symbol.symbolLayer(0).setStrokeWidth(0.6)
    symbol.setColor(fill)
    return symbol


def _value(layer: QgsVectorLayer, name: str) -> object:
    """`name` as the class field holds it."""
    return int(name) if layer.fields().field(class_field(layer)).isNumeric() and name.isdigit() else name.strip()


def _text(value: object) -> str:
    """A class field's value as a class's name; empty for none."""
    if value is None or (hasattr(value, "isNull") and value.isNull()):
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip()


def _tell(layer: QgsVectorLayer) -> None:
    """Has map and layer tree show what was changed."""
    layer.triggerRepaint()
    layer.legendChanged.emit()
