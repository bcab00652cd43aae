# SPDX-License-Identifier: GPL-2.0-or-later
"""Row-by-row prediction against the same thing done at once with whole arrays."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.grid import PixelWindow
from backend.network.model import build_model
from backend.radiometry import standardise
from tests.test_backend.cards import small_card
from tests.test_backend.standins import ArrayScene, ShiftEquivariant, layout_for, run, speckled_scene

CARD = small_card(temperature=1.7)


def holes(db, seed):
    """The scene with nodata: a corner, a row, scattered pixels and a whole block."""
    rng = np.random.default_rng(seed)
    db = db.copy()
    _, height, width = db.shape
    db[:, : height // 3, : width // 4] = np.nan
    db[:, height // 2] = np.nan
    db[0, rng.random((height, width)) < 0.05] = np.nan
    db[:, height // 2 :, width // 2 : width // 2 + 45] = np.nan
    return db


def whole_at_once(scene, model, card, area=None, overlap=0.25):
    """Outputs by name: every window run on its own, whole float64 arrays, nothing skipped, nothing forgotten."""
    layout = layout_for(scene, card, area, overlap)
    canvas, side, patch = layout.canvas, card.window_px, card.patch_px
    x, valid = standardise(scene.read(canvas), card.bands)
    wanted = valid & scene.read_mask(canvas)
    taper = np.sin(np.pi * (np.arange(side) + 0.5) / side) ** 2
    patch_taper = np.sin(np.pi * (np.arange(side // patch) + 0.5) / (side // patch)) ** 2
    logits = np.zeros((len(card.classes), canvas.height, canvas.width))
    weights = np.zeros((canvas.height, canvas.width))
    attention = np.zeros((card.encoder.num_heads, canvas.height // patch, canvas.width // patch))
    patch_weights = np.zeros(attention.shape[1:])

    def any_valid(mask):
        return mask.reshape(mask.shape[0] // patch, patch, mask.shape[1] // patch, patch).any(axis=(1, 3))

    for row in layout.row_starts:
        for column in layout.column_starts:
            rows, columns = slice(row, row + side), slice(column, column + side)
            patches = slice(row // patch, (row + side) // patch), slice(column // patch, (column + side) // patch)
            patch_valid = any_valid(valid[rows, columns])
            with torch.no_grad():
                said = model(torch.from_numpy(x[None, :, rows, columns]), torch.from_numpy(patch_valid[None]))
            logits[:, rows, columns] += said.logits[0].double().numpy() * np.outer(taper, taper)
            weights[rows, columns] += np.outer(taper, taper)
            heads = np.where(patch_valid, said.attention[0].double().numpy(), 0)
            attention[:, patches[0], patches[1]] += heads * np.outer(patch_taper, patch_taper)
            patch_weights[patches] += np.outer(patch_taper, patch_taper)
    z = logits / weights / card.temperature
    p = np.exp(z - z.max(0)) / np.exp(z - z.max(0)).sum(0)
    codes = np.array([item.code for item in card.classes], np.uint8)
    inside_region = np.zeros_like(wanted)
    region = layout.region
    top, left = region.row - canvas.row, region.column - canvas.column
    inside_region[top : top + region.height, left : left + region.width] = True
    attention = np.where(any_valid(wanted & inside_region), attention / patch_weights, np.nan)
    attention = np.concatenate([attention.mean(0, keepdims=True), attention])
    a = layout.area
    cut = slice(a.row - canvas.row, a.row_end - canvas.row), slice(a.column - canvas.column, a.column_end - canvas.column)
    keep = wanted[cut]
    return {
        "p": np.where(keep, p[:, cut[0], cut[1]], np.nan),
        "landcover": np.where(keep, codes[p.argmax(0)][cut], 0),
        "keep": keep,
        "attention": attention[:, top // patch : (top + region.height) // patch, left // patch : (left + region.width) // patch],
    }


def assert_same(sink, expected, decided_by=1e-4):
    """Equal within float tolerance: codes wherever the best two classes are not equally likely to that tolerance."""
    p, keep = expected["p"], expected["keep"]
    best_two = np.sort(np.where(keep, p, 0), axis=0)[-2:]
    decided = keep & (best_two[1] - best_two[0] > decided_by)
    landcover, confidence = sink.raster("landcover")[0], sink.raster("confidence")[0]
    np.testing.assert_array_equal(landcover[decided], expected["landcover"][decided])
    np.testing.assert_array_equal(landcover == 0, ~keep)
    assert np.abs(confidence[keep] - 100 * best_two[1][keep]).max(initial=0) <= 0.5 + 1e-3
    assert (confidence[~keep] == 255).all()
    probabilities = sink.raster("probabilities")
    assert np.abs(probabilities[:, keep] - 250 * p[:, keep]).max(initial=0) <= 0.5 + 1e-2
    assert (probabilities[:, ~keep] == 255).all()
    np.testing.assert_allclose(sink.raster("attention"), expected["attention"], rtol=2e-4, atol=2e-5)


SIZES = [(1, 1), (1, 100), (100, 1), (20, 31), (32, 32), (33, 33), (40, 100), (131, 77)]


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.75])
def test_streaming_with_the_real_network_should_equal_the_whole_scene_at_once(height, width, overlap):
    torch.manual_seed(1)
    model = build_model(CARD).eval()
    scene = ArrayScene(holes(speckled_scene(height, width), 2) if height * width > 2000 else speckled_scene(height, width))
    sink, summary = run(scene, model, CARD, overlap=overlap)
    expected = whole_at_once(scene, model, CARD, overlap=overlap)
    assert_same(sink, expected)
    keep = expected["keep"]
    assert summary.valid_px == np.count_nonzero(keep)
    assert summary.class_px == {item.code: np.count_nonzero(sink.raster("landcover") == item.code) for item in CARD.classes}
    assert summary.mean_confidence_percent == pytest.approx(100 * np.nanmean(expected["p"].max(0)), rel=1e-4)


def test_area_inside_a_scene_with_polygons_should_equal_the_whole_at_once():
    rng = np.random.default_rng(3)
    mask = np.kron(rng.random((14, 20)) < 0.4, np.ones((10, 10))).astype(bool)
    scene = ArrayScene(holes(speckled_scene(140, 200), 4), mask)
    torch.manual_seed(1)
    model = build_model(CARD).eval()
    for area in (PixelWindow(13, 21, 90, 111), PixelWindow(5, 5, 9, 9), PixelWindow(130, 190, 10, 10)):
        sink, summary = run(scene, model, CARD, area=area)
        assert_same(sink, whole_at_once(scene, model, CARD, area=area))
        assert summary.windows_run <= summary.windows_total


def test_windows_without_a_wanted_pixel_should_be_left_out_and_change_nothing():
    db = speckled_scene(120, 300)
    db[:, :, 60:260] = np.nan
    scene, model = ArrayScene(db), ShiftEquivariant(CARD)
    sink, summary = run(scene, model, CARD, overlap=0.25)
    assert summary.windows_run < summary.windows_total
    assert sum(model.batches) == summary.windows_run
    assert_same(sink, whole_at_once(scene, model, CARD, overlap=0.25))


def test_polygons_should_not_change_what_is_inside_them():
    """The network sees the land around a polygon; only the outputs are cut. So a masked map is a part of the whole map."""
    mask = np.zeros((100, 150), bool)
    mask[20:60, 30:95] = True
    torch.manual_seed(1)
    model, db = build_model(CARD).eval(), speckled_scene(100, 150)
    whole, _ = run(ArrayScene(db), model, CARD)
    masked, _ = run(ArrayScene(db, mask), model, CARD)
    for name in ("landcover", "probabilities"):
        difference = masked.raster(name)[:, mask].astype(int) - whole.raster(name)[:, mask]
        assert np.abs(difference).max() <= (1 if name == "probabilities" else 0)


@settings(deadline=None, max_examples=30)
@given(st.data())
def test_moving_the_crop_should_change_nothing_with_a_shift_equivariant_network(data):
    height, width = data.draw(st.integers(1, 150)), data.draw(st.integers(1, 150))
    row, column = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    area = PixelWindow(row, column, data.draw(st.integers(1, height - row)), data.draw(st.integers(1, width - column)))
    overlap = data.draw(st.sampled_from([0.0, 0.125, 0.5, 0.8]))
    card = dataclasses.replace(CARD, window_px=data.draw(st.sampled_from([8, 32, 48])))
    scene = ArrayScene(holes(speckled_scene(height, width), 5), None)
    model = ShiftEquivariant(card)
    whole, _ = run(scene, model, card, overlap=0.25)
    part, _ = run(scene, model, card, area=area, overlap=overlap)
    rows, columns = slice(area.row, area.row_end), slice(area.column, area.column_end)
    steps = part.raster("probabilities").astype(int) - whole.raster("probabilities")[:, rows, columns]
    assert np.abs(steps).max() <= 1  # one step of 1/250 where rounding falls on the edge
    np.testing.assert_array_equal(part.raster("landcover") == 0, whole.raster("landcover")[:, rows, columns] == 0)
    differ = part.raster("landcover") != whole.raster("landcover")[:, rows, columns]
    two_best = np.sort(part.raster("probabilities").astype(int), axis=0)[-2:]
    assert (two_best[1] - two_best[0])[differ[0]].max(initial=0) <= 1
    patch_rows = slice(area.row // 8, -(-area.row_end // 8))
    patch_columns = slice(area.column // 8, -(-area.column_end // 8))
    np.testing.assert_allclose(
        part.raster("attention"), whole.raster("attention")[:, patch_rows, patch_columns], rtol=1e-4, atol=1e-5
    )


def test_each_row_should_be_read_once_and_in_order():
    scene = ArrayScene(speckled_scene(150, 60))
    run(scene, ShiftEquivariant(CARD), CARD, overlap=0.5)
    ends = [window.row_end for window in scene.reads]
    assert [window.row for window in scene.reads] == [0, *ends[:-1]]
    assert ends[-1] == 152  # the padded end: 19 patches


def test_batch_size_should_not_change_the_map():
    scene, model = ArrayScene(speckled_scene(70, 200)), ShiftEquivariant(CARD)
    one, _ = run(scene, model, CARD, batch_size=1)
    many, _ = run(scene, model, CARD, batch_size=64)
    # Threads add the products of a convolution in another order for another batch: equal within a step of rounding.
    np.testing.assert_allclose(one.raster("attention"), many.raster("attention"), rtol=1e-4, atol=1e-5)
    for name in ("confidence", "probabilities"):
        assert np.abs(one.raster(name).astype(int) - many.raster(name).astype(int)).max() <= 1
    assert (one.raster("landcover") != many.raster("landcover")).mean() < 0.001


def test_missing_optional_band_should_still_give_a_map():
    card = small_card(bands=(CARD.bands[0], dataclasses.replace(CARD.bands[1], optional=True)))
    db = speckled_scene(40, 40)
    db[1] = np.nan
    sink, summary = run(ArrayScene(db), ShiftEquivariant(card), card)
    assert summary.valid_px == 1600
    assert (sink.raster("landcover") > 0).all()


MEMORY_RUN = """
import sys, resource
import numpy as np, torch
from tests.test_backend.cards import small_card
from tests.test_backend.standins import Asking, MemorySink, run_into
from backend.grid import RasterGrid
class Endless:  # a scene that takes no memory of its own
    def __init__(self, height, width):
        self.height, self.width = height, width
    def read(self, window):
        return np.full((2, window.height, window.width), -12.0, np.float32)
    def read_mask(self, window):
        return np.ones((window.height, window.width), bool)
class Forget(MemorySink):
    def __init__(self):
        super().__init__("landcover", "confidence", "probabilities", "attention")
    def write(self, strip):
        pass
torch.set_num_threads(1)
card = small_card(window_px=256)
peak_mb = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
run_into(Forget(), Endless(512, 1024), Asking(card), card, attention_scope="scene")
short_mb = peak_mb()
run_into(Forget(), Endless(8192, 1024), Asking(card), card, attention_scope="scene")
print(peak_mb() - short_mb)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="peak memory is read from getrusage, which Windows lacks")
def test_memory_should_not_depend_on_the_height_of_the_scene():
    """One array of the tall scene's logits would take 100 MB."""
    root = Path(__file__).parents[2]
    child = subprocess.run([sys.executable, "-c", MEMORY_RUN], cwd=root, capture_output=True, text=True, check=True)
    assert float(child.stdout) < 15
