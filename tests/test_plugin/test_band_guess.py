# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest
from osgeo import gdal, osr
from qgis.core import QgsRasterLayer
from sardine.plugin.panel.band_guess import guess_bands, names_role, polarisations, sibling_file

from tests.test_plugin.material import radar_db, write_raster


def layer_of(path: Path, bands: slice = slice(0, 2), descriptions: tuple[str, ...] = (), name: str = "") -> QgsRasterLayer:
    layer = QgsRasterLayer(str(write_raster(path, radar_db()[bands], descriptions=descriptions)), name or path.stem)
    assert layer.isValid()
    return layer


def names(found: dict[str, tuple[QgsRasterLayer, int]]) -> dict[str, tuple[str, int]]:
    return {role: (layer.name(), band) for role, (layer, band) in found.items()}


@pytest.mark.parametrize(
    ("role", "text", "named"),
    [
        ("VV", "Sigma0_VV_db", True),
        ("VH", "VHdB", True),
        ("VV", "VV/VH ratio", False),
        ("VV", "S1_IW_VVVH", False),
        ("VV", "savvy", False),
        ("VV_asc", "S1 VV ascending", True),
        ("VV_asc", "VV", False),
    ],
)
def test_role_should_be_read_off_whole_words(role: str, text: str, named: bool) -> None:
    assert names_role(role, text) is named


def test_bands_should_be_guessed_from_descriptions_in_any_order(tmp_path: Path) -> None:
    scene = layer_of(tmp_path / "scene.tif", descriptions=("Sigma0_VH", "Sigma0_VV"))
    assert names(guess_bands(["VV", "VH"], scene, [scene])) == {"VV": ("scene", 2), "VH": ("scene", 1)}


def test_bands_should_be_guessed_from_sibling_layers_alone(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    vv = layer_of(tmp_path / "march_VV.tif", slice(0, 1))
    vh = layer_of(tmp_path / "march_VH.tif", slice(1, 2))
    stranger = layer_of(tmp_path / "april_VH.tif", slice(1, 2))
    assert names(guess_bands(["VV", "VH"], vv, [stranger, vh, vv])) == {"VV": ("march_VV", 1), "VH": ("march_VH", 1)}
    assert names(guess_bands(["VV", "VH"], vv, [stranger, vv])) == {"VV": ("march_VV", 1)}


def test_bands_should_be_guessed_from_layer_names_where_files_say_nothing(tmp_path: Path) -> None:
    vv = layer_of(tmp_path / "a.tif", slice(0, 1), name="Hamburg VV")
    vh = layer_of(tmp_path / "b.tif", slice(1, 2), name="Hamburg VH")
    assert names(guess_bands(["VV", "VH"], vh, [vv, vh])) == {"VV": ("Hamburg VV", 1), "VH": ("Hamburg VH", 1)}


def test_raster_with_ground_control_points_should_be_one_of_one_band(tmp_path: Path) -> None:
    """QGIS warps such a raster, and gives it a band of opacity."""
    layers = []
    for name in ("vv", "vh"):
        path = write_raster(tmp_path / f"s1a-iw-grd-{name}-1.tiff", radar_db()[:1], epsg=None)
        system = osr.SpatialReference()
        system.ImportFromEPSG(4326)
        corners = [gdal.GCP(12 + x / 8000, 48 - y / 9000, 0, x, y) for x in (0, 72) for y in (0, 64)]
        gdal.Open(str(path), gdal.GA_Update).SetGCPs(corners, system.ExportToWkt())
        layers.append(QgsRasterLayer(str(path), path.stem))
    assert [layer.bandCount() for layer in layers] == [2, 2]
    assert names(guess_bands(["VV", "VH"], layers[0], layers)) == {
        "VV": ("s1a-iw-grd-vv-1", 1),
        "VH": ("s1a-iw-grd-vh-1", 1),
    }
    assert polarisations(layers[1]) == ["VH"]


def test_images_of_one_product_should_be_siblings_whatever_their_numbers(tmp_path: Path) -> None:
    start = "20210809t173953-20210809t174018-039156-049f13"
    vv = layer_of(tmp_path / f"s1a-iw-grd-vv-{start}-001.tiff", slice(0, 1))
    vh = layer_of(tmp_path / f"s1a-iw-grd-vh-{start}-002.tiff", slice(1, 2))
    other = layer_of(tmp_path / f"s1a-iw-grd-vh-{start.replace('049f13', '049f14')}-002.tiff", slice(1, 2))
    assert names(guess_bands(["VV", "VH"], vv, [other, vh, vv])) == {"VV": (vv.name(), 1), "VH": (vh.name(), 1)}
    assert sibling_file(vh, "VV") == tmp_path / f"s1a-iw-grd-vv-{start}-001.tiff"


def test_bands_without_names_should_be_left_open(tmp_path: Path) -> None:
    scene = layer_of(tmp_path / "scene.tif")
    assert guess_bands(["VV", "VH"], scene, [scene]) == {}
    twice = layer_of(tmp_path / "twice.tif", descriptions=("VV", "VV"))
    assert guess_bands(["VV"], twice, [twice]) == {}


def test_sibling_should_be_found_beside_the_file(tmp_path: Path) -> None:
    vv = layer_of(tmp_path / "s1_iw_vv.tif", slice(0, 1))
    assert sibling_file(vv, "VH") is None
    write_raster(tmp_path / "s1_iw_vh.tif", radar_db()[1:])
    assert sibling_file(vv, "VH") == tmp_path / "s1_iw_vh.tif"
    assert sibling_file(vv, "VV") is None
    assert sibling_file(vv, "dem") is None
