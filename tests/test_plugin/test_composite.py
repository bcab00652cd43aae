# SPDX-License-Identifier: GPL-2.0-or-later
"""`sardine:composite` with the real backend: from a folder or layers to a styled raster that a model of seasons takes."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from osgeo import gdal
from qgis.core import (
    QgsApplication,
    QgsMultiBandColorRenderer,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProject,
    QgsRasterLayer,
)
from sardine.plugin.main import SardinePlugin

from tests.test_plugin.conftest import LoggedFeedback
from tests.test_plugin.material import radar_db, read_raster, write_raster


@pytest.fixture
def algorithm(plugin: SardinePlugin, real_backend: None) -> QgsProcessingAlgorithm:
    return QgsApplication.processingRegistry().createAlgorithmById("sardine:composite")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three winter dates, one of them in two files, and a summer date."""
    folder = tmp_path / "Zeiten [ü]"
    folder.mkdir()
    for seed, date in enumerate(("20200103", "20200210", "20200709")):
        write_raster(folder / f"S1_{date}.tif", radar_db(seed=seed), descriptions=("VV", "VH"))
    write_raster(folder / "S1_VV_20201230.tif", radar_db(seed=7)[:1])
    write_raster(folder / "S1_VH_20201230.tif", radar_db(seed=7)[1:])
    return folder


def run(algorithm: QgsProcessingAlgorithm, parameters: dict, context: QgsProcessingContext, feedback: LoggedFeedback) -> dict:
    assert algorithm.checkParameterValues(parameters, context) == (True, "")
    results, _ = algorithm.create().run(parameters, context, feedback, catchExceptions=False)
    return results


def descriptions(path: str) -> list[str]:
    file = gdal.Open(path)
    return [file.GetRasterBand(number).GetDescription() for number in range(1, file.RasterCount + 1)]


def test_composite_of_a_folder_should_hold_the_median_of_each_season(algorithm, context, folder, tmp_path) -> None:
    parameters = {"FOLDER": str(folder), "BY": "season", "OUTPUT": str(tmp_path / "c.tif"), "COUNT": str(tmp_path / "n.tif")}
    feedback = LoggedFeedback()
    results = run(algorithm, parameters, context, feedback)
    assert (results["DATES_USED"], results["BANDS_OUT"]) == (4, 4)
    winter = "2020-01-03/2020-12-30 n=3"
    wanted = [f"VV_winter {winter}", f"VH_winter {winter}", "VV_summer 2020-07-09 n=1", "VH_summer 2020-07-09 n=1"]
    assert descriptions(results["OUTPUT"]) == wanted
    dates = np.stack([radar_db(seed=seed) for seed in (0, 1, 7)])
    values = read_raster(Path(results["OUTPUT"]))
    np.testing.assert_allclose(values[:2], np.median(dates, axis=0), atol=1e-4)  # of an odd number dB and power agree
    np.testing.assert_allclose(values[2:], radar_db(seed=2), atol=1e-4)
    counts = read_raster(Path(results["COUNT"]))
    assert set(counts[np.isfinite(values)]) == {1, 3}
    assert set(counts[~np.isfinite(values)]) == {0}
    assert any("4 dates, 4 bands" in line for line in feedback.infos)


def test_layers_with_dates_given_should_be_averaged_in_power_and_styled_when_loaded(
    algorithm, context, folder, tmp_path, qgis_new_project
) -> None:
    layers = [QgsRasterLayer(str(folder / f"S1_{date}.tif"), date) for date in ("20200103", "20200709")]
    QgsProject.instance().addMapLayers(layers)
    out = str(tmp_path / "c.tif")
    context.addLayerToLoadOnCompletion(out, QgsProcessingContext.LayerDetails("c", QgsProject.instance(), "OUTPUT"))
    parameters = {"SCENES": [layer.id() for layer in layers], "DATES": "2019-05\n2019-06-30", "REDUCTION": "mean", "OUTPUT": out}
    run(algorithm, parameters, context, LoggedFeedback())
    assert descriptions(out) == ["VV 2019-05/2019-06-30 n=2", "VH 2019-05/2019-06-30 n=2"]
    first, second = radar_db(seed=0)[0, 3, 4], radar_db(seed=2)[0, 3, 4]
    assert read_raster(Path(out))[0, 3, 4] == pytest.approx(
        10 * math.log10((10 ** (first / 10) + 10 ** (second / 10)) / 2), abs=1e-4
    )
    loaded = QgsRasterLayer(out, "c")
    context.layerToLoadOnCompletionDetails(out).postProcessor().postProcessLayer(loaded, context, LoggedFeedback())
    assert isinstance(loaded.renderer(), QgsMultiBandColorRenderer)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"DATES": "2020-01-01 2020-02-01"}, "2 dates are given for 4 scenes"),
        ({"DIRECTIONS_APART": True}, "Nothing tells the orbit direction of VV"),
        ({"FOLDER": None, "SCENES": ["not there.tif"]}, "Raster not found"),
        ({"PATTERN": "*.img"}, "No scene was found"),
    ],
)
def test_composite_should_be_refused_with_the_reason(changes, words, algorithm, context, folder, tmp_path) -> None:
    parameters = {"FOLDER": str(folder), "OUTPUT": str(tmp_path / "c.tif"), **changes}
    with pytest.raises(QgsProcessingException, match=words):
        run(algorithm, parameters, context, LoggedFeedback())
    assert not list(tmp_path.glob("c.tif*"))


def test_composite_without_scenes_should_not_start(algorithm, context, tmp_path) -> None:
    good, text = algorithm.checkParameterValues({"OUTPUT": str(tmp_path / "c.tif")}, context)
    assert (good, text) == (False, "No scene is named: choose layers or files, or a folder.")


def test_cancel_should_leave_nothing(algorithm, context, folder, tmp_path) -> None:
    with pytest.raises(QgsProcessingException, match="Cancelled"):
        run(
            algorithm,
            {"FOLDER": str(folder), "OUTPUT": str(tmp_path / "c.tif")},
            context,
            LoggedFeedback("Opening the scenes"),
        )
    assert not list(tmp_path.glob("c.tif*"))
