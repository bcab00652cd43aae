# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from qgis.core import QgsProcessingContext, QgsProcessingFeedback, QgsRasterLayer
from sardine.backend.model_card import ModelCard, read_header
from sardine.plugin.layers import styling

from tests.test_plugin.material import write_raster


@pytest.fixture
def card(header_model: Path) -> ModelCard:
    return read_header(header_model).card


def layer_of(path: Path, values: np.ndarray) -> QgsRasterLayer:
    layer = QgsRasterLayer(str(write_raster(path, values[None])), path.stem)
    assert layer.isValid()
    return layer


def test_landcover_should_take_names_and_colours_from_the_card_in_order_of_codes(tmp_path: Path, card: ModelCard) -> None:
    layer = layer_of(tmp_path / "lc.tif", np.array([[10, 50], [80, 0]], dtype=np.uint8))
    styling.style(layer, "landcover", card)
    found = [(c.value, c.color.name(), c.label) for c in layer.renderer().classes()]
    assert found == [(10, "#006400", "Tree cover"), (50, "#fa0000", "Built-up"), (80, "#0064c8", "Permanent water bodies")]


def test_confidence_should_run_from_nought_to_a_hundred_whatever_it_holds(tmp_path: Path, card: ModelCard) -> None:
    layer = layer_of(tmp_path / "c.tif", np.array([[60, 61], [62, 63]], dtype=np.uint8))
    styling.style(layer, "confidence", card)
    enhancement = layer.renderer().contrastEnhancement()
    assert (enhancement.minimumValue(), enhancement.maximumValue()) == (0, 100)


def test_attention_should_be_stretched_from_the_second_to_the_98th_percentile(tmp_path: Path, card: ModelCard) -> None:
    values = np.arange(10_000, dtype=np.float32).reshape(100, 100)
    values[0, 0] = 1e9
    values[50] = np.nan
    layer = layer_of(tmp_path / "a.tif", values)
    styling.style(layer, "attention", card)
    renderer = layer.renderer()
    low, high = np.nanpercentile(values, [2, 98])
    assert renderer.classificationMin() == pytest.approx(low, abs=2)
    assert renderer.classificationMax() == pytest.approx(high, abs=2)
    items = renderer.shader().rasterShaderFunction().colorRampItemList()
    assert [item.color.name() for item in items] == list(styling.INFERNO)
    lightness = [item.color.lightnessF() + item.color.greenF() for item in items]
    assert lightness == sorted(lightness)


def test_attention_should_be_drawn_where_all_of_it_is_nodata_or_the_same(tmp_path: Path, card: ModelCard) -> None:
    for name, value in (("nan", np.nan), ("same", 3.0)):
        layer = layer_of(tmp_path / f"{name}.tif", np.full((4, 4), value, dtype=np.float32))
        styling.style(layer, "attention", card)
        assert layer.renderer().classificationMax() > layer.renderer().classificationMin()


def test_styling_should_leave_no_file_beside_the_raster(tmp_path: Path, card: ModelCard) -> None:
    layer = layer_of(tmp_path / "a.tif", np.random.default_rng(0).random((600, 700), dtype=np.float32))
    styling.style(layer, "attention", card)
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".safetensors"] == ["a.tif"]


def test_layer_styler_should_style_what_processing_loaded(tmp_path: Path, card: ModelCard) -> None:
    layer = layer_of(tmp_path / "lc.tif", np.array([[10, 50], [80, 0]], dtype=np.uint8))
    styling.LayerStyler("landcover", card).postProcessLayer(layer, QgsProcessingContext(), QgsProcessingFeedback())
    assert layer.renderer().type() == "paletted"
