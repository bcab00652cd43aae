# SPDX-License-Identifier: GPL-2.0-or-later
"""The demo's picture and project, drawn by QGIS in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from osgeo import gdal
from qgis.core import QgsLayoutItemLabel, QgsProject

from tests.test_plugin.material import radar_db, read_raster, write_raster


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Results as the backend names them: half water, half trees."""
    codes = np.full((1, 64, 72), 80, dtype=np.uint8)
    codes[:, :, 36:] = 10
    write_raster(tmp_path / "landcover.tif", codes)
    write_raster(tmp_path / "confidence.tif", np.full((1, 64, 72), 70, dtype=np.uint8))
    write_raster(tmp_path / "attention.tif", np.random.default_rng(0).random((3, 8, 9), dtype=np.float32))
    return tmp_path


def render(root: Path, scene: Path, folder: Path, model: Path) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, str(root / "scripts/demo_render.py"), str(scene), str(folder), str(model)]
    environ = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    return subprocess.run(line, env=environ, capture_output=True, text=True, timeout=120)


def words_of(project: QgsProject) -> list[str]:
    layout = project.layoutManager().layoutByName("Overview")
    return [item.text() for item in layout.items() if isinstance(item, QgsLayoutItemLabel)]


def test_demo_should_draw_the_classes_in_their_colours_and_save_a_project(root, scene, folder, header_model) -> None:
    before = sorted(scene.parent.iterdir())
    done = render(root, scene, folder, header_model)
    assert done.returncode == 0, done.stderr
    pixels = read_raster(folder / "picture.png")[:3].reshape(3, -1).T
    colours, counts = np.unique(pixels, axis=0, return_counts=True)
    drawn = {tuple(int(channel) for channel in colour): int(n) for colour, n in zip(colours, counts)}
    assert drawn[(0x00, 0x64, 0xC8)] > 50_000
    assert drawn[(0x00, 0x64, 0x00)] > 50_000
    assert (0xFA, 0x00, 0x00) not in drawn
    project = QgsProject()
    assert project.read(str(folder / "project.qgz"))
    assert sorted(layer.name() for layer in project.mapLayers().values() if layer.isValid()) == [
        "Attention",
        "Confidence",
        "Land cover",
        f"Scene: {scene.stem}",
    ]
    assert {"Permanent water bodies 50.0%", "Tree cover 50.0%", f"Scene {scene.stem}"} <= set(words_of(project))
    assert sorted(scene.parent.iterdir()) == before


def test_demo_should_say_that_a_scene_is_simulated(root, scene, folder, header_model) -> None:
    file = gdal.Open(str(scene), gdal.GA_Update)
    file.SetMetadataItem("SIMULATED", "yes")
    file = None
    assert render(root, scene, folder, header_model).returncode == 0
    project = QgsProject()
    assert project.read(str(folder / "project.qgz"))
    words = words_of(project)
    assert f"Simulated scene {scene.stem}" in words
    assert any(text.startswith("Simulated radar: not a real place.") for text in words)


def test_demo_should_lay_a_scene_without_crs_under_its_results(root, folder, header_model) -> None:
    scene = write_raster(folder / "plain.tif", radar_db(), epsg=None)
    assert render(root, scene, folder, header_model).returncode == 0
    project = QgsProject()
    assert project.read(str(folder / "project.qgz"))
    layers = {layer.name(): layer for layer in project.mapLayers().values()}
    assert layers["Scene: plain"].extent() == layers["Land cover"].extent()


def test_demo_should_name_a_result_that_is_missing(root, scene, folder, header_model) -> None:
    (folder / "confidence.tif").unlink()
    done = render(root, scene, folder, header_model)
    assert done.returncode == 2
    assert "confidence.tif" in done.stderr
