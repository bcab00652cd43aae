# SPDX-License-Identifier: GPL-2.0-or-later
"""One picture and one project of a scene and its results, styled by the plugin and drawn by QGIS.

    QT_QPA_PLATFORM=offscreen python3 scripts/demo_render.py SCENE.tif FOLDER [MODEL.safetensors]

FOLDER holds landcover.tif, confidence.tif and attention.tif; picture.png and project.qgz are written into it.
Run by the Python that QGIS is built for.
"""

from __future__ import annotations

import importlib.util
import math
import sys
from dataclasses import dataclass
from pathlib import Path

from osgeo import gdal
from qgis.core import (
    Qgis,
    QgsApplication,
    QgsContrastEnhancement,
    QgsFillSymbol,
    QgsLayoutExporter,
    QgsLayoutItem,
    QgsLayoutItemLabel,
    QgsLayoutItemMap,
    QgsLayoutItemScaleBar,
    QgsLayoutItemShape,
    QgsLayoutPoint,
    QgsLayoutSize,
    QgsMultiBandColorRenderer,
    QgsPrintLayout,
    QgsProject,
    QgsRasterLayer,
    QgsRectangle,
    QgsSimpleFillSymbolLayer,
    QgsTextFormat,
    QgsUnitTypes,
)
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtGui import QColor, QFont

ROOT = Path(__file__).resolve().parents[1]
MARGIN_MM, GAP_MM, PANEL_MM, TITLE_MM, ROW_MM = 8.0, 5.0, 88.0, 24.0, 4.6
ROWS = 6
"""Lines of a legend."""
DPI = 150


def load_plugin() -> None:
    """Registers the clone as package `sardine`, as QGIS does with a plugin's folder."""
    spec = importlib.util.spec_from_file_location("sardine", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
    module = importlib.util.module_from_spec(spec)
    sys.modules["sardine"] = module
    spec.loader.exec_module(module)


load_plugin()
from sardine.backend.model_card import ClassSpec, ModelCard, read_header  # noqa: E402
from sardine.plugin.layers import styling  # noqa: E402
from sardine.plugin.locations import bundled_model  # noqa: E402


@dataclass(frozen=True)
class Panel:
    """One map of the picture with its title."""

    title: str
    layer: QgsRasterLayer


def main(arguments: list[str]) -> int:
    """Writes picture and project; returns 0, or 2 with a sentence on stderr."""
    if len(arguments) not in (2, 3):
        print(__doc__, file=sys.stderr)
        return 2
    scene, folder = Path(arguments[0]), Path(arguments[1])
    card = read_header(arguments[2] if len(arguments) == 3 else bundled_model()).card
    application = QgsApplication([], True)
    application.initQgis()
    # Drawing asks for statistics, and GDAL would leave them in a file beside a scene that is not ours to write to.
    gdal.SetConfigOption("GDAL_PAM_ENABLED", "NO")
    simulated = gdal.Open(str(scene)).GetMetadataItem("SIMULATED") is not None
    results = result_panels(folder, card)
    panels = [scene_panel(placed(scene, folder, results[0].layer)), *results]
    broken = [panel.layer.source() for panel in panels if not panel.layer.isValid()]
    if broken:
        print(f"QGIS cannot open {', '.join(broken)}.", file=sys.stderr)
        return 2
    project = assemble_project(panels, scene)
    layout = draw(project, panels, card, f"{'Simulated scene' if simulated else 'Scene'} {scene.stem}", simulated)
    settings = QgsLayoutExporter.ImageExportSettings()
    settings.dpi = DPI
    code = QgsLayoutExporter(layout).exportToImage(str(folder / "picture.png"), settings)
    saved = project.write(str(folder / "project.qgz"))
    if code != QgsLayoutExporter.ExportResult.Success or not saved:
        print(f"The picture or the project could not be written into {folder}.", file=sys.stderr)
        return 2
    return 0


def placed(scene: Path, folder: Path, landcover: QgsRasterLayer) -> Path:
    """The scene, or where it has no reference system a VRT that lies where its results lie: metres from its first pixel."""
    file = gdal.Open(str(scene))
    if file.GetProjection() or file.GetGCPCount() or not landcover.isValid():
        return scene
    extent = landcover.extent()
    path = folder / f"{scene.stem}.vrt"
    bounds = [extent.xMinimum(), extent.yMaximum(), extent.xMaximum(), extent.yMinimum()]
    gdal.Translate(str(path), file, format="VRT", outputBounds=bounds)
    return path


def scene_panel(path: Path) -> Panel:
    """The scene: VV red and blue, VH green; a single band in grey."""
    layer = QgsRasterLayer(str(path), f"Scene: {path.stem}")
    if not layer.isValid():
        return Panel("Scene", layer)
    file = gdal.Open(str(path))
    names = [file.GetRasterBand(number).GetDescription().upper() for number in range(1, file.RasterCount + 1)]
    if len(names) == 1:
        layer.setRenderer(grey_renderer(layer))
        return Panel("Radar scene", layer)
    co, cross = (next((n for n, name in enumerate(names, 1) if role in name), n) for n, role in ((1, "VV"), (2, "VH")))
    renderer = QgsMultiBandColorRenderer(layer.dataProvider(), co, cross, co)
    renderer.setRedContrastEnhancement(stretch(layer, co))
    renderer.setGreenContrastEnhancement(stretch(layer, cross))
    renderer.setBlueContrastEnhancement(stretch(layer, co))
    layer.setRenderer(renderer)
    roles = [names[band - 1] or f"band {band}" for band in (co, cross)]
    return Panel(f"Radar scene: {roles[0]} magenta, {roles[1]} green", layer)


def grey_renderer(layer: QgsRasterLayer):
    """Grey levels between the 2nd and the 98th percentile."""
    renderer = layer.renderer().clone()
    renderer.setContrastEnhancement(stretch(layer, 1))
    return renderer


def stretch(layer: QgsRasterLayer, band: int) -> QgsContrastEnhancement:
    """A linear stretch of `band` from its 2nd to its 98th percentile."""
    low, high = styling.percentiles(layer.dataProvider(), band, 0.02, 0.98)
    enhancement = QgsContrastEnhancement(layer.dataProvider().dataType(band))
    enhancement.setMinimumValue(low)
    enhancement.setMaximumValue(high)
    enhancement.setContrastEnhancementAlgorithm(QgsContrastEnhancement.ContrastEnhancementAlgorithm.StretchToMinimumMaximum)
    return enhancement


def result_panels(folder: Path, card: ModelCard) -> list[Panel]:
    """Land cover, confidence and attention with the plugin's own styles."""
    panels = []
    for output, title in (("landcover", "Land cover"), ("confidence", "Confidence"), ("attention", "Attention")):
        layer = QgsRasterLayer(str(folder / f"{output}.tif"), title)
        if layer.isValid():
            styling.style(layer, output, card)
        panels.append(Panel(title, layer))
    return panels


def assemble_project(panels: list[Panel], scene: Path) -> QgsProject:
    """A project with the scene at the bottom and the results in one group above it, land cover shown."""
    project = QgsProject.instance()
    project.setTitle(f"SARdine: {scene.stem}")
    project.setCrs(panels[1].layer.crs())
    root = project.layerTreeRoot()
    group = root.addGroup(f"SARdine: {scene.stem}")
    for panel in panels:
        project.addMapLayer(panel.layer, addToLegend=False)
    for panel in panels[1:]:
        group.addLayer(panel.layer).setItemVisibilityChecked(panel.title == "Land cover")
    root.addLayer(panels[0].layer)
    return project


def draw(project: QgsProject, panels: list[Panel], card: ModelCard, title: str, simulated: bool) -> QgsPrintLayout:
    """The picture as a print layout, which the project keeps too."""
    extent = panels[1].layer.extent()
    map_height_mm = PANEL_MM * min(max(extent.height() / extent.width(), 0.4), 1.6)
    legend_top_mm = TITLE_MM + map_height_mm + 5
    layout = QgsPrintLayout(project)
    layout.initializeDefaults()
    layout.setName("Overview")
    width_mm = 2 * MARGIN_MM + len(panels) * PANEL_MM + (len(panels) - 1) * GAP_MM
    page_size = QgsLayoutSize(width_mm, legend_top_mm + ROWS * ROW_MM + 3, QgsUnitTypes.LayoutUnit.LayoutMillimeters)
    layout.pageCollection().page(0).setPageSize(page_size)
    text(layout, title, MARGIN_MM, 4, width_mm, 15, bold=True)
    notes = ["Simulated radar: not a real place." if simulated else "", f"Model: {card.name}."]
    if card.training.get("simulated_only") and not simulated:
        notes.append("It was trained on simulated scenes only: do not rely on the map.")
    text(
        layout, " ".join(note for note in notes if note), MARGIN_MM, 11, width_mm, 10, colour="#b00020" if simulated else "#333333"
    )
    for index, panel in enumerate(panels):
        left_mm = MARGIN_MM + index * (PANEL_MM + GAP_MM)
        text(layout, panel.title, left_mm, TITLE_MM - 6, PANEL_MM, 11, bold=True)
        map_item = add_map(layout, panel, extent, left_mm, map_height_mm)
        if index == 0 and panels[1].layer.crs().isValid():
            add_scale_bar(layout, map_item, left_mm, legend_top_mm)
        elif panel.title == "Land cover":
            add_classes(layout, classes_present(panel.layer, card), left_mm, legend_top_mm)
        elif panel.title == "Confidence":
            add_ramp(layout, ("#000000", "#ffffff"), ("0%", "100%"), "probability of the class", left_mm, legend_top_mm)
        elif panel.title == "Attention":
            renderer = panel.layer.renderer()
            ends = (f"{renderer.classificationMin():.2f}", f"{renderer.classificationMax():.2f}")
            add_ramp(layout, styling.INFERNO, ends, "1 is as much as the average patch", left_mm, legend_top_mm)
    project.layoutManager().addLayout(layout)
    return layout


def classes_present(layer: QgsRasterLayer, card: ModelCard) -> list[tuple[ClassSpec, float]]:
    """The classes on the map by share of its valid pixels, greatest first."""
    file = gdal.Open(layer.source())
    counts = file.GetRasterBand(1).GetHistogram(-0.5, 255.5, 256, False, False)
    total = sum(counts[item.code] for item in card.classes)
    found = [(item, counts[item.code] / total) for item in card.classes if counts[item.code]]
    return sorted(found, key=lambda pair: pair[1], reverse=True)


def add_map(layout: QgsPrintLayout, panel: Panel, extent: QgsRectangle, left_mm: float, height_mm: float) -> QgsLayoutItemMap:
    item = QgsLayoutItemMap(layout)
    place(item, left_mm, TITLE_MM, PANEL_MM, height_mm)
    item.setLayers([panel.layer])
    item.setKeepLayerSet(True)
    item.zoomToExtent(extent)
    item.setBackgroundColor(QColor("#e6e6e6"))  # no data
    item.setFrameEnabled(True)
    layout.addLayoutItem(item)
    return item


def add_scale_bar(layout: QgsPrintLayout, map_item: QgsLayoutItemMap, left_mm: float, top_mm: float) -> None:
    bar = QgsLayoutItemScaleBar(layout)
    bar.setLinkedMap(map_item)
    bar.setUnits(Qgis.DistanceUnit.Kilometers)
    bar.setUnitLabel("km")
    bar.setTextFormat(text_format(8))
    bar.setNumberOfSegmentsLeft(0)
    bar.setNumberOfSegments(1)
    bar.setSegmentSizeMode(Qgis.ScaleBarSegmentSizeMode.Fixed)
    bar.setUnitsPerSegment(round_length(map_item.extent().width() / 1000 / 4))
    bar.setHeight(1.5)
    bar.setBoxContentSpace(0)
    layout.addLayoutItem(bar)
    bar.attemptMove(QgsLayoutPoint(left_mm, top_mm))


def round_length(length: float) -> float:
    """The greatest of 1, 2, 5, 10, 20 ... (or 0.5, 0.2, 0.1 ...) that is no longer than `length`."""
    power = 10.0 ** math.floor(math.log10(length))
    return power * next(step for step in (5, 2, 1) if step * power <= length)


def add_classes(layout: QgsPrintLayout, classes: list[tuple[ClassSpec, float]], left_mm: float, top_mm: float) -> None:
    """A legend of one column, or of two smaller ones."""
    columns = 1 if len(classes) <= ROWS else 2
    rows = -(-len(classes) // columns)
    width_mm = PANEL_MM / columns
    for index, (item, share) in enumerate(classes):
        x_mm = left_mm + index // rows * width_mm
        y_mm = top_mm + index % rows * ROW_MM
        box(layout, item.colour, x_mm, y_mm, 5.5, ROW_MM - 1.2, outlined=True)
        text(layout, f"{item.name} {100 * share:.1f}%", x_mm + 7, y_mm - 0.4, width_mm - 7, 8 if columns == 1 else 6.5)


def add_ramp(
    layout: QgsPrintLayout, colours: tuple[str, ...], ends: tuple[str, str], caption: str, left_mm: float, top_mm: float
) -> None:
    """A colour bar with its ends written below."""
    steps = 60
    for step in range(steps):
        colour = mixed(colours, step / (steps - 1))
        box(layout, colour, left_mm + step * PANEL_MM / steps, top_mm, PANEL_MM / steps + 0.1, ROW_MM - 1)
    text(layout, ends[0], left_mm, top_mm + ROW_MM - 0.5, 20, 8)
    text(layout, caption, left_mm, top_mm + ROW_MM - 0.5, PANEL_MM, 8, alignment=Qt.AlignmentFlag.AlignHCenter)
    text(layout, ends[1], left_mm + PANEL_MM - 20, top_mm + ROW_MM - 0.5, 20, 8, alignment=Qt.AlignmentFlag.AlignRight)


def mixed(colours: tuple[str, ...], share: float) -> str:
    """The colour at `share` (0 to 1) of an even ramp through `colours`."""
    position = share * (len(colours) - 1)
    index = min(int(position), len(colours) - 2)
    low, high, rest = QColor(colours[index]), QColor(colours[index + 1]), position - index
    channels = ((a + (b - a) * rest) for a, b in zip(low.getRgb()[:3], high.getRgb()[:3]))
    return QColor(*(round(channel) for channel in channels)).name()


def box(
    layout: QgsPrintLayout, colour: str, x_mm: float, y_mm: float, width_mm: float, height_mm: float, outlined: bool = False
) -> None:
    fill = QgsSimpleFillSymbolLayer(QColor(colour), strokeColor=QColor("#555555"), strokeWidth=0.15)
    fill.setStrokeStyle(Qt.PenStyle.SolidLine if outlined else Qt.PenStyle.NoPen)
    item = QgsLayoutItemShape(layout)
    item.setShapeType(QgsLayoutItemShape.Shape.Rectangle)
    item.setSymbol(QgsFillSymbol([fill]))
    place(item, x_mm, y_mm, width_mm, height_mm)
    layout.addLayoutItem(item)


def text(
    layout: QgsPrintLayout,
    words: str,
    x_mm: float,
    y_mm: float,
    width_mm: float,
    size_pt: float,
    *,
    bold: bool = False,
    colour: str = "#111111",
    alignment: Qt.AlignmentFlag = Qt.AlignmentFlag.AlignLeft,
) -> None:
    style = text_format(size_pt, bold)
    style.setColor(QColor(colour))
    item = QgsLayoutItemLabel(layout)
    item.setText(words)
    item.setTextFormat(style)
    item.setHAlign(alignment)
    item.setMarginX(0)
    place(item, x_mm, y_mm, width_mm, size_pt * 0.55)
    layout.addLayoutItem(item)


def text_format(size_pt: float, bold: bool = False) -> QgsTextFormat:
    style = QgsTextFormat()
    font = QFont("DejaVu Sans")
    font.setBold(bold)
    style.setFont(font)
    style.setSize(size_pt)
    style.setSizeUnit(Qgis.RenderUnit.Points)
    return style


def place(item: QgsLayoutItem, x_mm: float, y_mm: float, width_mm: float, height_mm: float) -> None:
    item.attemptMove(QgsLayoutPoint(x_mm, y_mm))
    item.attemptResize(QgsLayoutSize(width_mm, height_mm))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
