# SPDX-License-Identifier: GPL-2.0-or-later
"""`sardine:class_areas_by_polygon`: the graphical model that ships, with the real backend."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from qgis.core import QgsApplication, QgsVectorLayer
from sardine.backend.model_card import read_header
from sardine.plugin.locations import bundled_model

from tests.test_plugin.material import GROUND_KM2, read_raster

WEST, NORTH = 500_000, 5_400_000
SQUARES = {"left": (0, 0, 16, 20), "right": (40, 24, 24, 24)}
"""Column, row, width and height in pixels of the scene."""


def write_squares(path: Path) -> Path:
    features = []
    for name, (column, row, width, height) in SQUARES.items():
        x, y = WEST + 10 * column, NORTH - 10 * row
        ring = [[x, y], [x + 10 * width, y], [x + 10 * width, y - 10 * height], [x, y - 10 * height], [x, y]]
        features.append({"type": "Feature", "properties": {"name": name}, "geometry": {"type": "Polygon", "coordinates": [ring]}})
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32633"}}
    path.write_text(json.dumps({"type": "FeatureCollection", "crs": crs, "features": features}))
    return path


def test_model_should_give_each_polygon_the_hectares_of_each_class(plugin, real_backend, scene, model, tmp_path) -> None:
    import processing

    wanted = {"SCENE": str(scene), "POLYGONS": str(write_squares(tmp_path / "squares.geojson")), "MODEL": str(model), "UNITS": "db"}
    outputs = {"class_areas": str(tmp_path / "areas.gpkg"), "land_cover": str(tmp_path / "lc.tif")}
    processing.run("sardine:class_areas_by_polygon", {**wanted, **outputs})
    codes = read_raster(tmp_path / "lc.tif")[0]
    areas = QgsVectorLayer(str(tmp_path / "areas.gpkg"), "areas", "ogr")
    found = {feature["name"]: feature for feature in areas.getFeatures()}
    assert set(found) == set(SQUARES)
    fields = {10: "tree_cover_ha", 50: "built_up_ha", 80: "permanent_water_bodies_ha"}
    for name, (column, row, width, height) in SQUARES.items():
        part = codes[row : row + height, column : column + width]
        for code, field in fields.items():
            assert found[name][field] == pytest.approx((part == code).sum() * 100 * GROUND_KM2, rel=1e-3)
    outside = np.ones(codes.shape, bool)
    for column, row, width, height in SQUARES.values():
        outside[row : row + height, column : column + width] = False
    assert (codes[outside] == 0).all()  # the polygons are the mask


def test_model_should_have_a_field_for_each_class_of_the_bundled_model(plugin) -> None:
    algorithm = QgsApplication.processingRegistry().createAlgorithmById("sardine:class_areas_by_polygon")
    assert algorithm.validate() == (True, [])
    codes = {int(child.removeprefix("area_")) for child in algorithm.childAlgorithms() if child.startswith("area_")}
    assert codes == {item.code for item in read_header(bundled_model()).card.classes}
    assert {p.name() for p in algorithm.parameterDefinitions()} == {
        "SCENE",
        "POLYGONS",
        "MODEL",
        "UNITS",
        "class_areas",
        "land_cover",
    }
