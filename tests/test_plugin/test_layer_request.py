# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from osgeo import gdal, ogr
from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransformContext,
    QgsFeature,
    QgsGeometry,
    QgsProcessingContext,
    QgsProcessingFeatureSource,
    QgsRasterLayer,
    QgsRectangle,
    QgsVectorLayer,
)
from sardine.backend.protocol import BandSource, ErrorCode, SardineError
from sardine.plugin.layers import request as layer_request

from tests.test_plugin.material import radar_db, write_raster


def test_raster_source_should_be_what_another_process_opens(scene: Path) -> None:
    assert layer_request.raster_source(QgsRasterLayer(str(scene), "s")) == str(scene)
    assert layer_request.raster_source(QgsRasterLayer(f"{scene}|option:NUM_THREADS=2", "s")) == str(scene)


def test_raster_source_should_keep_subdatasets(tmp_path: Path) -> None:
    path = tmp_path / "two tables.gpkg"
    bands = np.zeros((1, 300, 300), dtype=np.uint8)
    tif = write_raster(tmp_path / "a.tif", bands, epsg=3857)
    for table in ("one", "two"):
        gdal.Translate(str(path), str(tif), format="GPKG", creationOptions=[f"RASTER_TABLE={table}", "APPEND_SUBDATASET=YES"])
    source = layer_request.raster_source(QgsRasterLayer(f"GPKG:{path}:two", "two"))
    assert gdal.Open(source).RasterXSize == 300


def test_raster_source_should_refuse_what_is_no_file(tmp_path: Path) -> None:
    memory = "/vsimem/scene.tif"
    write_raster(Path(memory), radar_db())
    service = QgsRasterLayer("type=xyz&url=https://example.org/{z}/{x}/{y}.png", "tiles", "wms")
    for layer, word in ((QgsRasterLayer(memory, "m"), "memory"), (service, "“wms”")):
        with pytest.raises(SardineError) as caught:
            layer_request.raster_source(layer)
        assert caught.value.code is ErrorCode.SOURCE_NOT_RASTER
        assert word in caught.value.found
    gdal.Unlink(memory)


def test_crs_note_should_tell_of_a_crs_that_only_qgis_knows(scene: Path) -> None:
    layer = QgsRasterLayer(str(scene), "s")
    assert layer_request.crs_note(layer) == ""
    layer.setCrs(QgsCoordinateReferenceSystem("EPSG:32632"))
    assert "EPSG:32632" in layer_request.crs_note(layer)
    assert "EPSG:32633" in layer_request.crs_note(layer)


@pytest.mark.parametrize(
    ("second", "vv", "vh", "expected"),
    [
        (None, 0, 0, [("", "a", 0)]),
        (None, 2, 1, [("VV", "a", 2), ("VH", "a", 1)]),
        (None, 1, 0, [("VV", "a", 1)]),
        (None, 0, 3, [("VH", "a", 3)]),
        ("b", 0, 0, [("", "a", 0), ("", "b", 0)]),
        ("b", 1, 1, [("VV", "a", 1), ("VH", "b", 1)]),
        ("b", 2, 0, [("VV", "a", 2), ("", "b", 0)]),
        ("b", 0, 2, [("", "a", 0), ("VH", "b", 2)]),
    ],
)
def test_chosen_bands_should_leave_to_the_backend_what_was_not_chosen(
    second: str | None, vv: int, vh: int, expected: list[tuple[str, str, int]]
) -> None:
    assert list(layer_request.chosen_bands("a", second, vv, vh)) == [BandSource(*item) for item in expected]


def test_parse_bands_should_know_files_parameters_and_layers(scene: Path) -> None:
    layers = {"january": QgsRasterLayer(str(scene), "january")}
    text = "VV_1=january:2; VH_1=INPUT:1\n\n ratio=/data/x=y.tif ;C=C:\\s1.tif:3"
    assert layer_request.parse_bands(text, {"INPUT": "/data/in.tif"}, layers.get) == (
        BandSource("VV_1", str(scene), 2),
        BandSource("VH_1", "/data/in.tif", 1),
        BandSource("ratio", "/data/x=y.tif", 1),
        BandSource("C", "C:\\s1.tif", 3),
    )


def test_parse_bands_should_refuse_band_zero() -> None:
    with pytest.raises(SardineError) as caught:
        layer_request.parse_bands("VV=a.tif:0", {}, lambda name: None)
    assert caught.value.code is ErrorCode.REQUEST_INVALID


def test_crs_text_should_be_short_where_it_can_and_whole_where_it_must() -> None:
    assert layer_request.crs_text(QgsCoordinateReferenceSystem("EPSG:32633")) == "EPSG:32633"
    assert layer_request.crs_text(QgsCoordinateReferenceSystem()) is None
    own = QgsCoordinateReferenceSystem.fromProj("+proj=laea +lat_0=47 +lon_0=11 +datum=WGS84 +units=m")
    assert "Lambert Azimuthal Equal Area" in layer_request.crs_text(own)


def test_bounds_should_be_the_extent_in_its_own_crs(scene: Path) -> None:
    extent, crs = QgsRectangle(9, 47, 10, 48), QgsCoordinateReferenceSystem("EPSG:4326")
    assert layer_request.bounds_of(extent, crs, QgsRasterLayer(str(scene), "s"), None) == ((9, 47, 10, 48), "EPSG:4326")


def test_bounds_should_be_metres_from_the_corner_of_a_raster_without_crs(tmp_path: Path) -> None:
    layer = QgsRasterLayer(str(write_raster(tmp_path / "plain.tif", radar_db(), epsg=None)), "plain")
    shown, project_crs = QgsRectangle(10, -20, 30, -5), QgsCoordinateReferenceSystem("EPSG:4326")
    assert layer_request.bounds_of(shown, project_crs, layer, 10.0) == ((100, -200, 300, -50), None)


def test_bounds_should_follow_a_file_that_counts_its_rows_downwards(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "down.tif", radar_db(), epsg=None)
    file = gdal.Open(str(path), gdal.GA_Update)
    file.SetGeoTransform((1000, 1, 0, 2000, 0, 1))
    file = None
    layer = QgsRasterLayer(str(path), "down")
    assert layer.extent() == QgsRectangle(1000, 2000, 1072, 2064)
    shown = QgsRectangle(1010, 2005, 1030, 2020)
    bounds, _ = layer_request.bounds_of(shown, QgsCoordinateReferenceSystem(), layer, 10.0)
    assert bounds == pytest.approx((100, -200, 300, -50))


def polygons(*texts: str) -> QgsVectorLayer:
    layer = QgsVectorLayer("Polygon?crs=EPSG:32633", "polygons", "memory")
    for text in texts:
        feature = QgsFeature()
        feature.setGeometry(QgsGeometry.fromWkt(text))
        layer.dataProvider().addFeature(feature)
    return layer


def written_mask(layer: QgsVectorLayer, path: Path, context: QgsProcessingContext) -> int:
    return layer_request.write_mask(QgsProcessingFeatureSource(layer, context), str(path), QgsCoordinateTransformContext())


SQUARE = "Polygon((0 0, 0 10, 10 10, 10 0, 0 0))"
BOW_TIE = "Polygon((20 0, 30 10, 30 0, 20 10, 20 0))"


def test_write_mask_should_copy_each_polygon_with_its_crs(tmp_path: Path, context: QgsProcessingContext) -> None:
    path = tmp_path / "mask.gpkg"
    assert written_mask(polygons(SQUARE, BOW_TIE), path, context) == 2
    file = ogr.Open(str(path))
    assert file.GetLayerCount() == 1
    copy = file.GetLayer(0)
    assert copy.GetSpatialRef().GetAuthorityCode(None) == "32633"
    assert [f.GetGeometryRef().GetEnvelope() for f in copy] == [(0, 10, 0, 10), (20, 30, 0, 10)]


def test_write_mask_should_refuse_an_empty_layer(tmp_path: Path, context: QgsProcessingContext) -> None:
    with pytest.raises(SardineError) as caught:
        written_mask(polygons(), tmp_path / "mask.gpkg", context)
    assert caught.value.code is ErrorCode.MASK_UNREADABLE
    assert "no polygon" in caught.value.found


def test_write_mask_should_refuse_a_folder_that_is_not_there(tmp_path: Path, context: QgsProcessingContext) -> None:
    with pytest.raises(SardineError) as caught:
        written_mask(polygons(SQUARE), tmp_path / "nowhere" / "mask.gpkg", context)
    assert caught.value.code is ErrorCode.MASK_UNREADABLE
