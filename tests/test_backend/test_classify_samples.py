# SPDX-License-Identifier: GPL-2.0-or-later
"""A map from a person's samples: from files to files, and each bad input."""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
import safetensors.numpy
import torch

from backend.classification.classifier import Classifier, Linear, Predictor
from backend.classification.classifier_file import load_classifier
from backend.classification.classify_samples import run_apply_classifier, run_classify_samples
from backend.features.extract import Context, features_of, open_input
from backend.features.pixels import PixelFeatures
from backend.grid import PixelWindow
from backend.network.model import build_model
from backend.network.model_file import save_model
from backend.protocol import ApplyClassifierRequest, BandSource, ClassifySamplesRequest, ErrorCode, SardineError, SceneInput
from tests.test_backend.cards import small_card
from tests.test_backend.rasters import write_raster

ROOT = Path(__file__).parents[2]
HEIGHT, WIDTH = 96, 120


def land(seed=0):
    """Simulated dB [2, H, W] under speckle: water on the left, fields in the middle, town on the right; no data in a corner."""
    rng = np.random.default_rng(seed)
    level = np.repeat([-19.0, -10.0, -4.0], WIDTH // 3)[None, :].repeat(HEIGHT, 0)
    db = np.stack([level, level - 7]) + 10 * np.log10(rng.gamma(4.4, 1 / 4.4, (2, HEIGHT, WIDTH)))
    db[:, :8, -8:] = np.nan
    return db.astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two scenes, two models, and one cache for all."""
    folder = tmp_path_factory.mktemp("classify")
    for seed, name in ((0, "m"), (1, "other")):
        torch.manual_seed(seed)
        save_model(folder / f"{name}.safetensors", small_card(name=name), build_model(small_card()))
    for seed in (0, 1):
        write_raster(folder / f"scene{seed}.tif", land(seed), descriptions=("VV", "VH"))
    return folder


def scene_input(folder, number=0, model="m", **changes):
    path = str(folder / f"scene{number}.tif")
    fixed = {"units": "db", "device": "cpu", "precision": "fp32", "components": 4, "cache": str(folder / "cache")}
    return SceneInput(
        (BandSource("VV", path, 1), BandSource("VH", path, 2)), str(folder / f"{model}.safetensors"), **{**fixed, **changes}
    )


def box(row, column, size=8):
    corners = ((row, column), (row, column + size), (row + size, column + size), (row + size, column), (row, column))
    return {"type": "Polygon", "coordinates": [[[500_000 + 10 * c, 5_400_000 - 10 * r] for r, c in corners]]}


def write_samples(path, samples, field="what"):
    features = [{"type": "Feature", "properties": {field: value}, "geometry": shape} for shape, value in samples]
    crs = {"type": "name", "properties": {"name": "EPSG:32633"}}
    path.write_text(json.dumps({"type": "FeatureCollection", "crs": crs, "features": features}))
    return str(path)


def good_samples(path, **options):
    places = {"water": 4, "field": 44, "town": 84}
    return write_samples(path, [(box(row, column), name) for name, column in places.items() for row in (10, 30, 50, 70)], **options)


def classify(folder, samples, tmp_path, cancelled=lambda messages: False, **changes):
    outputs = {
        "classes": str(tmp_path / "c.tif"),
        "confidence": str(tmp_path / "p.tif"),
        "classifier": str(tmp_path / "k.safetensors"),
    }
    fixed = {
        "scene": scene_input(folder),
        "field": "what",
        "method": "logistic",
        "groups": ("attention", "tokens", "db"),
        "overwrite": True,
        **outputs,
    }
    request = ClassifySamplesRequest(samples=samples, **{**fixed, **changes})
    messages = []
    result = run_classify_samples(request, messages.append, lambda: cancelled(messages))
    return result, json.loads(result.details), messages


def refusal(folder, samples, tmp_path, **changes) -> SardineError:
    with pytest.raises(SardineError) as caught:
        classify(folder, samples, tmp_path, **changes)
    assert not list(tmp_path.glob("*.tif"))
    assert not list(tmp_path.glob("*.part"))
    return caught.value


def codes(messages):
    return {message.code for message in messages if message.type == "warning"}


@pytest.mark.parametrize("method", ["logistic", "forest", "boosting"])
def test_a_map_should_follow_the_samples_with_names_and_colours(folder, tmp_path, method):
    samples = good_samples(tmp_path / "s.geojson")
    reports = {"html": str(tmp_path / "r.html"), "csv": str(tmp_path / "r.csv")}
    result, details, _ = classify(folder, samples, tmp_path, method=method, class_colours={"water": "#0000ff"}, **reports)
    with rasterio.open(tmp_path / "c.tif") as file:
        classes, tags, colours = file.read(1), file.tags(1), file.colormap(1)
        assert file.tags()["SARDINE_CLASSIFIER"].startswith(method)
    names = {int(key.removeprefix("CLASS_")): name for key, name in tags.items() if key.startswith("CLASS_")}
    assert names == {1: "field", 2: "town", 3: "water"}
    assert colours[3] == (0, 0, 255, 255)
    truth = np.repeat([3, 1, 2], WIDTH // 3)[None, :].repeat(HEIGHT, 0)
    valid = np.isfinite(land(0)).all(axis=0)
    assert (classes[~valid] == 0).all()
    assert (classes[valid] == truth[valid]).mean() > 0.93
    assert result.figures["overall_accuracy"] > 0.95
    assert details["held_out"]["reference"] == "samples held out"
    assert sum(details["class_area_ha"].values()) == pytest.approx(valid.sum() / 100 / 0.9996**2, rel=1e-3)
    assert set(details["importance"]) == {"attention", "tokens", "db"}
    with rasterio.open(tmp_path / "p.tif") as file:
        confidence = file.read(1)
    assert (confidence[~valid] == 255).all()
    assert confidence[valid].min() >= 33
    assert "samples held out" in Path(reports["html"]).read_text()


@pytest.mark.parametrize("method", ["logistic", "forest", "boosting"])
@pytest.mark.parametrize("count", [2, 3])
def test_a_saved_classifier_should_say_what_scikit_learn_says(method, count):
    from backend.classification.classifier_fit import _estimator, _extracted, _fitted

    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 5)).astype(np.float32)
    y = np.digitize(x[:, 0] + 0.5 * x[:, 1], [0.0] if count == 2 else [-0.5, 0.5])
    estimator = _fitted(_estimator(method, 0, 20, 10), x, y)
    parts = _extracted(method, estimator, x, np.arange(count))
    classes = tuple(small_card().classes[:count])
    basis = None
    made = Classifier(method, classes, tuple("abcde"), ("db",), "", "", 0.25, basis, parts.trees, parts.bias, parts.linear)
    np.testing.assert_allclose(Predictor(made).probabilities(x), estimator.predict_proba(x), atol=2e-5)


def test_a_classifier_should_map_another_scene_the_same_in_any_process(folder, tmp_path):
    samples = good_samples(tmp_path / "s.geojson")
    classify(folder, samples, tmp_path, method="forest")
    with rasterio.open(tmp_path / "c.tif") as file:
        first = file.read(1)
    again = ApplyClassifierRequest(scene_input(folder), str(tmp_path / "k.safetensors"), classes=str(tmp_path / "again.tif"))
    messages = []
    run_apply_classifier(again, messages.append, lambda: False)
    assert not any(message.type == "ready" for message in messages)  # the cache had the features of the same basis
    with rasterio.open(tmp_path / "again.tif") as file:
        np.testing.assert_array_equal(file.read(1), first)
    other = ApplyClassifierRequest(scene_input(folder, 1), str(tmp_path / "k.safetensors"), classes=str(tmp_path / "other.tif"))
    result = run_apply_classifier(other, messages.append, lambda: False)
    with rasterio.open(tmp_path / "other.tif") as file:
        assert (file.read(1) == first).mean() > 0.9
    assert result.figures["valid_area_km2"] > 0


def test_a_preview_should_need_no_torch_and_equal_that_part_of_the_map(folder, tmp_path):
    samples = good_samples(tmp_path / "s.geojson")
    classify(folder, samples, tmp_path)
    scene = folder / "scene0.tif"
    line = [
        "classify",
        "--band",
        f"VV={scene}:1",
        "--band",
        f"VH={scene}:2",
        "--units",
        "db",
        "--model",
        str(folder / "m.safetensors"),
    ]
    line += [
        "--components",
        "4",
        "--cache",
        str(folder / "cache"),
        "--samples",
        samples,
        "--class-field",
        "what",
        "--method",
        "logistic",
    ]
    line += [
        "--method",
        "logistic",
        "--no-validation",
        "--bounds",
        "500200",
        "5399400",
        "500700",
        "5399800",
        "--classes",
        str(tmp_path / "part.tif"),
    ]
    line += ["--features", "attention", "tokens", "db"]
    code = "import sys; from backend.__main__ import main; status = main(sys.argv[1:]); sys.exit(status or 'torch' in sys.modules)"
    subprocess.run([sys.executable, "-P", "-c", code, *line], check=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=120)
    with rasterio.open(tmp_path / "c.tif") as whole, rasterio.open(tmp_path / "part.tif") as part:
        np.testing.assert_array_equal(part.read(1), whole.read(1)[20:60, 20:70])


def test_a_quick_look_should_run_no_network_and_take_what_the_cache_has(folder, tmp_path):
    samples = good_samples(tmp_path / "s.geojson")
    cache = str(tmp_path / "cache")
    wanted = {"scene": scene_input(folder, cache=cache), "cached_only": True, "validate": False}
    result, details, messages = classify(folder, samples, tmp_path, **wanted)
    assert not any(message.type == "ready" for message in messages)
    assert details["groups"] == ["db"]
    assert codes(messages) == {"features_not_cached"}
    assert any("backscatter alone was looked at" in text for text in result.warnings)
    _, details, _ = classify(folder, samples, tmp_path, scene=scene_input(folder, cache=cache))
    assert details["groups"] == ["attention", "tokens", "db"]
    part = scene_input(folder, cache=cache, bounds=(500_200.0, 5_399_400.0, 500_700.0, 5_399_800.0))
    _, details, messages = classify(folder, samples, tmp_path, **{**wanted, "scene": part})
    assert details["groups"] == ["attention", "tokens", "db"]
    assert not any(message.type == "ready" for message in messages)


def test_what_is_confused_and_what_is_rare_should_be_among_the_details(folder, tmp_path):
    rng = np.random.default_rng(1)
    shapes = [box(row, column) for row in range(10, 90, 10) for column in (44, 54, 64)]
    names = rng.permutation(["a", "b"] * (len(shapes) // 2))
    samples = [*zip(shapes, names, strict=True), (box(30, 4), "water")]
    _, details, _ = classify(folder, write_samples(tmp_path / "s.geojson", samples), tmp_path, groups=("db",))
    assert {item["name"]: item["samples"] for item in details["classes"]} == {"a": 12, "b": 12, "water": 1}
    assert {(item["class"], item["taken_for"]) for item in details["confused"]} == {("a", "b"), ("b", "a")}
    matrix, named = np.array(details["held_out"]["matrix"]), [item["name"] for item in details["held_out"]["classes"]]
    for item in details["confused"]:
        column = matrix[:, named.index(item["class"])]
        assert item["share"] == column[named.index(item["taken_for"])] / column.sum()
    assert any("Of water there is one sample alone" in text for text in details["judging_notes"])


@contextlib.contextmanager
def open_features(folder, *groups):
    """A `PixelFeatures` of the first scene, and the file of patches below it."""
    source, context = scene_input(folder), Context(lambda _: None, lambda: False)
    with open_input(source) as (scene, card), features_of(scene, card, source, context) as file:
        yield PixelFeatures(scene, card.bands, scene.roles, file, groups), file


def test_backscatter_alone_should_need_no_network_and_fit_any_model(folder, tmp_path):
    cache = tmp_path / "cache"
    result, details, messages = classify(
        folder, good_samples(tmp_path / "s.geojson"), tmp_path, groups=("db",), scene=scene_input(folder, cache=str(cache))
    )
    assert not any(message.type == "ready" for message in messages)
    assert not cache.exists()
    assert result.figures["overall_accuracy"] > 0.95
    assert details["importance"] == {}
    other = scene_input(folder, 1, "other", cache=str(cache))
    request = ApplyClassifierRequest(other, str(tmp_path / "k.safetensors"), classes=str(tmp_path / "x.tif"))
    run_apply_classifier(request, lambda _: None, lambda: False)
    with rasterio.open(tmp_path / "x.tif") as one, rasterio.open(tmp_path / "c.tif") as two:
        assert (one.read(1) == two.read(1)).mean() > 0.9
    assert not cache.exists()


def test_pixel_features_should_not_depend_on_tiles(folder):
    with open_features(folder, "attention", "tokens", "db") as (features, _):
        whole, valid = features.read(PixelWindow(0, 0, HEIGHT, WIDTH))
        assert whole.shape[0] == len(features.names) == 2 + 4 + 12
        for window in (PixelWindow(0, 0, 40, 50), PixelWindow(33, 57, 50, 60), PixelWindow(90, 112, 6, 8)):
            part, there = features.read(window)
            rows, columns = slice(window.row, window.row_end), slice(window.column, window.column_end)
            np.testing.assert_allclose(part, whole[:, rows, columns], atol=2e-3)
            np.testing.assert_array_equal(there, valid[rows, columns])
        index = features.names.index("db: mean of VV in 9 px")
        assert whole[index, 50, 60] == pytest.approx(land(0)[0, 46:55, 56:65].mean(), abs=1e-3)


def test_patches_should_be_interpolated_between_their_middles(folder):
    with open_features(folder, "tokens") as (features, file):
        coarse = file.read(PixelWindow(0, 0, HEIGHT // 8, WIDTH // 8))
        fine, _ = features.read(PixelWindow(0, 0, HEIGHT, WIDTH))
        between = (coarse[:4, 4, 4] + coarse[:4, 4, 5] + coarse[:4, 5, 4] + coarse[:4, 5, 5]) / 4
        np.testing.assert_allclose(fine[:, 39:41, 39:41].mean(axis=(1, 2)), between, atol=1e-5)


def test_points_and_integer_codes_should_do(folder, tmp_path):
    rng = np.random.default_rng(0)
    samples = []
    for code, column in ((20, 2), (7, 42), (200, 82)):
        for _ in range(30):
            x, y = 500_000 + 10 * (column + rng.integers(0, 35)) + 5, 5_400_000 - 10 * rng.integers(10, 90) - 5
            samples.append(({"type": "Point", "coordinates": [int(x), int(y)]}, code))
    _, details, _ = classify(folder, write_samples(tmp_path / "s.geojson", samples), tmp_path)
    assert [item["code"] for item in details["classes"]] == [7, 20, 200]
    with rasterio.open(tmp_path / "c.tif") as file:
        assert set(np.unique(file.read(1))) == {0, 7, 20, 200}


def test_held_out_figures_should_leave_whole_polygons_out(folder, tmp_path):
    """Class by polygon at random: pixels of a polygon would tell its class, another polygon cannot."""
    rng = np.random.default_rng(1)
    shapes = [box(row, column) for row in range(10, 90, 10) for column in (44, 54, 64)]
    names = rng.permutation(["a", "b"] * (len(shapes) // 2))
    result, _, _ = classify(
        folder, write_samples(tmp_path / "s.geojson", list(zip(shapes, names, strict=True))), tmp_path, method="forest"
    )
    assert result.figures["overall_accuracy"] < 0.75


def test_a_class_with_one_polygon_should_be_mapped_and_said_not_to_be_judged(folder, tmp_path):
    samples = (
        [(box(row, 4), "water") for row in (10, 30, 50)]
        + [(box(row, 44), "field") for row in (10, 30, 50)]
        + [(box(30, 84), "town")]
    )
    result, details, _ = classify(folder, write_samples(tmp_path / "s.geojson", samples), tmp_path)
    assert any("Of town there is one sample alone" in text for text in result.warnings)
    assert any("Few samples of field (3), water (3)" in text for text in result.warnings)
    judged = np.array(details["held_out"]["matrix"]).sum(axis=0)
    names = [item["name"] for item in details["held_out"]["classes"]]
    assert {name: count for name, count in zip(names, judged, strict=True) if count} == {"field": 192, "water": 192}
    assert [value for name, value in zip(names, details["held_out"]["agreement"]["f1"], strict=True) if name == "town"] in (
        [],
        [None],
    )
    with rasterio.open(tmp_path / "c.tif") as file:
        assert 2 in file.read(1)[:, 80:]


def test_too_few_samples_should_give_a_map_without_figures(folder, tmp_path):
    samples = write_samples(tmp_path / "s.geojson", [(box(10, 4), "water"), (box(10, 44), "field")])
    result, details, messages = classify(folder, samples, tmp_path, html=str(tmp_path / "r.html"))
    assert "held_out" not in details
    assert any("Accuracy cannot be told" in text for text in result.warnings)
    assert "no_report" in codes(messages)
    assert not (tmp_path / "r.html").exists()
    assert "html" not in result.outputs


def test_what_is_left_out_should_be_told(folder, tmp_path):
    samples = [(box(row, 4), "water") for row in (10, 50)] + [(box(row, 44), "field") for row in (10, 50)]
    samples += [(box(54, 4), "field"), (box(70, 4), None), (box(70, 44), " "), (box(500, 500), "water"), (box(0, 112), "field")]
    _, _, messages = classify(folder, write_samples(tmp_path / "s.geojson", samples), tmp_path)
    assert {"samples_without_class", "samples_outside", "samples_disputed", "samples_on_nodata"} <= codes(messages)
    told = {message.code: message.text for message in messages if message.type == "warning"}
    assert told["samples_without_class"].startswith("2 samples")
    assert told["samples_disputed"].startswith("32 pixels")


def test_points_outside_should_be_left_out_and_counted(folder, tmp_path):
    def point(row, column):
        return {"type": "Point", "coordinates": [500_005 + 10 * column, 5_399_995 - 10 * row]}

    inside = [(point(row, column), name) for name, column in (("water", 10), ("town", 100)) for row in range(20, 60, 4)]
    outside = [(point(-5, 10), "water"), (point(30, WIDTH), "town"), (point(HEIGHT, 10), "water"), (point(1e9, 1e9), "town")]
    samples = write_samples(tmp_path / "s.geojson", inside + outside)
    _, details, messages = classify(folder, samples, tmp_path, groups=("db",))
    told = {message.code: message.text for message in messages if message.type == "warning"}
    assert told["samples_outside"] == "4 samples lie outside the scene and were left out."
    assert {item["name"]: item["samples"] for item in details["classes"]} == {"town": 10, "water": 10}
    alone = tmp_path / "alone"
    alone.mkdir()
    assert refusal(folder, write_samples(tmp_path / "o.geojson", outside), alone).code is ErrorCode.SAMPLES_OUTSIDE


@pytest.mark.parametrize(
    ("samples", "code", "words"),
    [
        ([(box(10, 4), "water"), (box(40, 4), "water")], ErrorCode.SAMPLES_UNSUITABLE, "one class"),
        ([(box(0, 113, 4), "a"), (box(4, 113, 3), "b")], ErrorCode.SAMPLES_UNSUITABLE, "No sample lies on valid pixels"),
        ([(box(10, 4), "a"), (box(10, 4), "b")], ErrorCode.SAMPLES_UNSUITABLE, "No sample lies on valid pixels"),
        ([(box(10, 4), None), (box(40, 4), "")], ErrorCode.SAMPLES_UNSUITABLE, "No sample has a class"),
        ([(box(500, 500), "a"), (box(600, 500), "b")], ErrorCode.SAMPLES_OUTSIDE, "touches the scene"),
        ([(box(10, 4), f"n{number}") for number in range(3000)], ErrorCode.SAMPLES_UNSUITABLE, "3000 different values"),
        ([], ErrorCode.SAMPLES_UNREADABLE, "no field"),
    ],
    ids=["one class", "on nodata", "all disputed", "no names", "outside", "thousands", "empty"],
)
def test_samples_that_cannot_be_used_should_be_refused(folder, tmp_path, samples, code, words):
    error = refusal(folder, write_samples(tmp_path / "s.geojson", samples), tmp_path)
    assert error.code is code
    assert error.refused
    assert words in error.found


def test_polygons_that_cross_themselves_should_count_by_both_lobes(folder, tmp_path):
    bow = {
        "type": "Polygon",
        "coordinates": [
            [[500_040, 5_399_900], [500_120, 5_399_820], [500_120, 5_399_900], [500_040, 5_399_820], [500_040, 5_399_900]]
        ],
    }
    samples = [(bow, "water"), (box(40, 4), "water"), (box(10, 44), "field"), (box(40, 44), "field")]
    result, _, _ = classify(folder, write_samples(tmp_path / "s.geojson", samples), tmp_path)
    assert result.figures["overall_accuracy"] == 1.0


def test_bad_requests_should_be_refused(folder, tmp_path):
    samples = good_samples(tmp_path / "s.geojson")
    nothing = {"classes": None, "confidence": None, "classifier": None}
    for changes, code in (
        ({"method": "magic"}, ErrorCode.REQUEST_INVALID),
        ({"groups": ()}, ErrorCode.REQUEST_INVALID),
        ({"groups": ("db", "db")}, ErrorCode.REQUEST_INVALID),
        ({"field": "nowhere"}, ErrorCode.SAMPLES_UNREADABLE),
        (nothing, ErrorCode.REQUEST_INVALID),
        ({"classes": samples}, ErrorCode.OUTPUT_UNSUITABLE),
        ({"classifier": str(folder / "m.safetensors")}, ErrorCode.OUTPUT_IS_INPUT),
    ):
        assert refusal(folder, samples, tmp_path, **changes).code is code


@pytest.mark.parametrize(
    "stage", ["opening the scene", "reading the samples", "judging by held-out samples", "training", "classifying"]
)
def test_a_cancel_should_leave_nothing(folder, tmp_path, stage):
    def reached(messages):
        return any(message.type == "progress" and message.stage == stage for message in messages)

    error = refusal(folder, good_samples(tmp_path / "s.geojson"), tmp_path, cancelled=reached)
    assert error.code is ErrorCode.CANCELLED
    assert not (tmp_path / "k.safetensors").exists()


@pytest.mark.parametrize("stage", ["opening the scene", "classifying"])
def test_a_cancel_of_a_saved_classifier_should_leave_nothing(folder, tmp_path, stage):
    classify(folder, good_samples(tmp_path / "s.geojson"), tmp_path, groups=("db",), classes=None, confidence=None)
    reached = []

    def report(message):
        reached.append(message.type == "progress" and message.stage == stage)

    request = ApplyClassifierRequest(scene_input(folder, 1), str(tmp_path / "k.safetensors"), classes=str(tmp_path / "x.tif"))
    with pytest.raises(SardineError) as caught:
        run_apply_classifier(request, report, lambda: any(reached))
    assert caught.value.code is ErrorCode.CANCELLED
    assert not list(tmp_path.glob("*.tif*"))


def apply_error(folder, tmp_path, model="m") -> SardineError:
    request = ApplyClassifierRequest(
        scene_input(folder, 1, model), str(tmp_path / "k.safetensors"), classes=str(tmp_path / "x.tif")
    )
    with pytest.raises(SardineError) as caught:
        run_apply_classifier(request, lambda _: None, lambda: False)
    assert not (tmp_path / "x.tif").exists()
    return caught.value


def rewrite(path, change):
    """Writes the classifier again with `change` made to its arrays and card, and a hash that fits."""
    from backend.classification.classifier_file import CARD_KEY, _hash

    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    card = json.loads(json.loads(content[8 : 8 + length])["__metadata__"][CARD_KEY])
    arrays = {name: array.copy() for name, array in safetensors.numpy.load(content).items()}
    change(arrays, card)
    card["arrays_sha256"] = _hash(arrays)
    path.write_bytes(safetensors.numpy.save(arrays, metadata={CARD_KEY: json.dumps(card)}))


def test_a_classifier_of_another_model_or_tampered_with_should_be_refused(folder, tmp_path):
    classify(folder, good_samples(tmp_path / "s.geojson"), tmp_path, method="forest")
    path = tmp_path / "k.safetensors"
    whole = path.read_bytes()
    error = apply_error(folder, tmp_path, "other")
    assert error.code is ErrorCode.CLASSIFIER_OF_OTHER_MODEL
    assert "made with the model m" in error.found
    for content in (whole[:-10], b"", b"x" * 100, whole[:-4] + b"\x00\x01\x02\x03", (folder / "m.safetensors").read_bytes()):
        path.write_bytes(content)
        assert apply_error(folder, tmp_path).code is ErrorCode.CLASSIFIER_INVALID
    path.unlink()
    assert apply_error(folder, tmp_path).code is ErrorCode.CLASSIFIER_INVALID

    def child_beyond(arrays, _card):
        arrays["trees.left"][0] = 10**6

    def child_before(arrays, _card):
        arrays["trees.right"][0] = 0

    def feature_beyond(arrays, _card):
        arrays["trees.feature"][0] = 99

    def not_a_number(arrays, _card):
        arrays["trees.values"][-1] = np.nan

    def start_beyond(arrays, _card):
        arrays["trees.starts"][-1] = 2**40

    def other_type(arrays, _card):
        arrays["trees.left"] = arrays["trees.left"].astype(np.int64)

    def class_more(_arrays, card):
        card["classes"].append({"code": 99, "name": "x", "colour": "#000000"})

    def code_beyond(_arrays, card):
        card["classes"][0]["code"] = 300

    def basis_broken(arrays, _card):
        arrays["basis.axes"] = arrays["basis.axes"][:, :-1]

    def newer(_arrays, card):
        card["format"] = 2

    for change in (
        child_beyond,
        child_before,
        feature_beyond,
        not_a_number,
        start_beyond,
        other_type,
        class_more,
        code_beyond,
        basis_broken,
        newer,
    ):
        path.write_bytes(whole)
        rewrite(path, change)
        assert apply_error(folder, tmp_path).code is ErrorCode.CLASSIFIER_INVALID, change.__name__
    path.write_bytes(whole)
    assert load_classifier(str(path)).method == "forest"


def test_linear_scores_should_be_those_of_standardised_features():
    rng = np.random.default_rng(0)
    x, mean, weights, bias = (rng.normal(size=shape).astype(np.float32) for shape in ((7, 3), 3, (3, 2), 2))
    deviation = np.array([1.0, 2.0, 0.5], np.float32)
    np.testing.assert_allclose(Linear(mean, deviation, weights, bias).scores(x), (x - mean) / deviation @ weights + bias, atol=1e-5)
