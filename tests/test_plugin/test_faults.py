# SPDX-License-Identifier: GPL-2.0-or-later
"""Bad input and faults around a real run: odd sources and names, disks, cancels at each stage, QGIS killed. See README.md here."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from osgeo import gdal
from qgis.core import QgsApplication, QgsProcessingAlgorithm, QgsProcessingException, QgsProject, QgsRasterLayer
from sardine.plugin.main import SardinePlugin

from tests.test_plugin.conftest import LoggedFeedback
from tests.test_plugin.material import (
    big_scene,
    qgis_process_environment,
    qgis_process_program,
    radar_db,
    read_raster,
    write_raster,
)
from tests.test_plugin.panel_tools import children

ODD_NAME = """s1 'a', "b" ü; [1].tif"""


@pytest.fixture
def algorithm(plugin: SardinePlugin, real_backend: None) -> QgsProcessingAlgorithm:
    return QgsApplication.processingRegistry().createAlgorithmById("sardine:landcover")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


@pytest.fixture
def parameters(scene: Path, model: Path, out: Path) -> dict[str, object]:
    both = {"LANDCOVER": str(out / "lc.tif"), "ATTENTION": str(out / "at.tif")}
    return {"INPUT": str(scene), "MODEL": str(model), "UNITS": "db", "DEVICE": "cpu", **both}


def failure(algorithm, parameters, context, feedback: LoggedFeedback | None = None) -> str:
    with pytest.raises(QgsProcessingException) as caught:
        algorithm.run(parameters, context, feedback or LoggedFeedback(), catchExceptions=False)
    return str(caught.value)


def test_odd_names_virtual_rasters_and_two_reference_systems_should_be_mapped(
    algorithm, parameters, context, tmp_path, out
) -> None:
    """VV in a file of an odd name, VH as a virtual raster in degrees: brought onto the grid of the first."""
    db = radar_db()
    first = write_raster(tmp_path / ODD_NAME, db[:1], descriptions=("VV",))
    utm = write_raster(tmp_path / "vh utm.tif", db[1:], descriptions=("VH",))
    virtual = tmp_path / "vh.vrt"
    gdal.Warp(str(virtual), str(utm), format="VRT", dstSRS="EPSG:4326", dstNodata=np.nan)
    layers = [QgsRasterLayer(str(path), path.stem) for path in (first, virtual)]
    assert [layer.crs().authid() for layer in layers] == ["EPSG:32633", "EPSG:4326"]
    algorithm.run({**parameters, "INPUT": layers[0], "INPUT_2": layers[1]}, context, LoggedFeedback(), catchExceptions=False)
    codes = read_raster(out / "lc.tif")[0]
    assert codes.shape == (64, 72)
    assert (codes[8:-8, 8:-8] > 0).all()
    assert gdal.Open(str(out / "lc.tif")).GetGeoTransform() == gdal.Open(str(first)).GetGeoTransform()


@pytest.mark.parametrize("kind", ["web", "vector", "in memory", "virtual in memory"])
def test_layers_that_are_no_files_should_be_refused_with_what_to_do(kind, algorithm, parameters, context, tmp_path, out) -> None:
    write_raster(Path("/vsimem/s1.tif"), radar_db(), descriptions=("VV", "VH"))
    gdal.Translate("/vsimem/s1.vrt", "/vsimem/s1.tif", format="VRT")
    vector = tmp_path / "points.geojson"
    vector.write_text('{"type": "FeatureCollection", "features": []}')
    source = {
        "web": QgsRasterLayer("type=xyz&url=https://example.org/{z}/{x}/{y}.png", "tiles", "wms"),
        "vector": str(vector),
        "in memory": QgsRasterLayer("/vsimem/s1.tif", "memory"),
        "virtual in memory": QgsRasterLayer("/vsimem/s1.vrt", "virtual"),
    }[kind]
    text = failure(algorithm, {**parameters, "INPUT": source}, context)
    assert "Save the layer as a GeoTIFF" in text or ("points.geojson" in text and kind == "vector")
    assert list(out.iterdir()) == []


@pytest.fixture(params=["size=64k", "ro"])
def bad_disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[Path, str]]:
    """A disk that is nearly full, or read-only."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", request.param, "sardine-test", str(folder)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        pytest.skip(f"a disk cannot be mounted here: {done.stderr.strip()}")
    yield folder, request.param
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.skipif(not shutil.which("mount"), reason="no mount command: a disk cannot be made")
def test_full_and_read_only_disks_should_be_told_and_left_as_they_were(algorithm, parameters, context, bad_disk, tmp_path) -> None:
    disk, kind = bad_disk
    scene = write_raster(tmp_path / "scene.tif", radar_db(500, 500), descriptions=("VV", "VH"))
    changes = {"INPUT": str(scene), "LANDCOVER": str(disk / "lc.tif"), "PROBABILITIES": str(disk / "p.tif"), "ATTENTION": None}
    text = failure(algorithm, {**parameters, **changes}, context)
    assert text.startswith("Output folder cannot be written to: " if kind == "ro" else "Disk full: ")
    assert list(disk.iterdir()) == []


def test_output_that_is_loaded_in_the_project_should_be_replaced_and_shown_anew(
    algorithm, parameters, context, out, qgis_new_project
) -> None:
    write_raster(out / "lc.tif", np.full((1, 5, 5), 7, np.uint8))
    layer = QgsRasterLayer(str(out / "lc.tif"), "old")
    QgsProject.instance().addMapLayer(layer)
    assert layer.dataProvider().sample(layer.extent().center(), 1) == (7.0, True)
    algorithm.run({**parameters, "ATTENTION": None}, context, LoggedFeedback(), catchExceptions=False)
    assert set(np.unique(read_raster(out / "lc.tif"))) <= {0, 10, 50, 80}
    assert [path.name for path in out.iterdir()] == ["lc.tif"]
    again = QgsRasterLayer(str(out / "lc.tif"), "new")
    assert (again.width(), again.height()) == (72, 64)
    layer.reload()
    assert layer.isValid()


@pytest.mark.parametrize("stage", ["Starting the backend", "Loading the model", "Opening the scene", "Finishing the files"])
def test_cancel_at_any_stage_should_leave_all_or_nothing(stage, algorithm, parameters, context, out) -> None:
    feedback = LoggedFeedback(stage)
    try:
        algorithm.run(parameters, context, feedback, catchExceptions=False)
    except QgsProcessingException as error:
        assert str(error) == "Cancelled."  # noqa: PT017 (a run whose files are in place already is done)
        assert list(out.iterdir()) == []
    else:
        assert stage == "Finishing the files"
        assert sorted(path.name for path in out.iterdir()) == ["at.tif", "lc.tif"]
    assert any(text.startswith(stage) for text in feedback.texts)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds the children as Linux tells them")
def test_qgis_that_is_killed_should_leave_no_backend_and_no_half_file(profile, backend_python, parameters, tmp_path, out) -> None:
    arguments = [f"{name}={value}" for name, value in {**parameters, "INPUT": str(big_scene(tmp_path))}.items()]
    qgis = subprocess.Popen(
        [qgis_process_program(), "run", "sardine:landcover", "--", *arguments],
        env=qgis_process_environment(profile, backend_python),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline_s = time.monotonic() + 120
    while not list(out.glob("*.part")):
        assert time.monotonic() < deadline_s
        assert qgis.poll() is None
        time.sleep(0.05)
    backends = children(qgis.pid)
    assert any(b"backend" in Path(f"/proc/{pid}/cmdline").read_bytes() for pid in backends)
    qgis.kill()
    qgis.wait(timeout=30)
    while any(runs(pid) for pid in backends) and time.monotonic() < deadline_s:
        time.sleep(0.05)
    assert not any(runs(pid) for pid in backends)
    assert list(out.iterdir()) == []


def runs(pid: int) -> bool:
    """Whether the process is there and is no zombie, which no more than waits to be asked how it ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
