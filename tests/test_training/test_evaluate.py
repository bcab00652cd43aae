# SPDX-License-Identifier: GPL-2.0-or-later
"""Figures on labelled scenes, through the backend, against plain counts."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.crs import CRS
from rasterio.transform import from_origin

from backend.grid import RasterGrid
from backend.model_card import Metric, read_header
from tests.test_training.evaluation_material import WATER_SET, constant_model, half_water_db, write_chip
from training.config import ConfigError
from training.evaluate.command import evaluate
from training.evaluate.config import EvaluateConfig, LabelSet
from training.evaluate.figures import (
    Definition,
    calibration_error,
    dry,
    false_water,
    figure,
    figures_of,
    group_iou,
    is_doubtful,
    mean_iou,
    mean_water_iou,
    overall_accuracy,
    wet,
    wettest,
)
from training.evaluate.legends import LEGENDS, LULC, SIX_GROUPS, WATER
from training.evaluate.maps import GroupMap
from training.evaluate.scenes import NO_LABEL, LabelledScene, LabelOnGrid, label_on_grid, list_labelled
from training.evaluate.score import ALL, BINS, CLEAR, SceneScore, expected_calibration_error, reliability_bins, score_scene
from training.evaluate.seen import places_seen
from training.metrics import IGNORE
from training.reference.places import place_of
from training.reference.polygons import read_references

ACCURACY = Definition("overall accuracy", overall_accuracy)
UTM = CRS.from_epsg(32632).to_wkt()
SMALL = RasterGrid(None, 0, 40, 10, 10, 4, 4)


def scored(truth: np.ndarray, groups: np.ndarray, legend: str = "water", name: str = "a_S1.tif", **kwargs: object) -> SceneScore:
    """The score of hand-made arrays; `truth` holds label values, `groups` group indices."""
    scene = LabelledScene(LabelSet("set", "rasters", ("x",), legend), Path(name), name, 1, 2, Path("y"))
    confidence = kwargs.pop("confidence", None)
    values_db = kwargs.pop("values_db", np.full((2, *truth.shape), -20, np.float32))
    label = LabelOnGrid(truth.astype(np.uint8), np.zeros(truth.shape, bool))
    return score_scene(scene, GroupMap(groups.astype(np.uint8), confidence, SMALL), label, values_db, False)


def test_figures_should_equal_slow_counts_of_random_maps() -> None:
    rng = np.random.default_rng(3)
    codes = np.array([0, 10, 20, 30, 50, 60, 70, 80])  # no wetland, and snow and 0, which say nothing
    truth, groups = codes[rng.integers(0, len(codes), (2, 40, 30))], rng.integers(0, 7, (2, 40, 30))
    scores = [scored(t, g, "six_groups") for t, g in zip(truth, groups, strict=True)]
    index = {10: 0, 20: 1, 30: 1, 50: 2, 60: 3, 80: 4}
    pairs = [(index[t], g) for t, g in zip(truth.ravel(), groups.ravel(), strict=True) if t in index]
    ious, f1s = [], []
    for group in range(5):
        both = sum(t == group and g == group for t, g in pairs)
        true, found = sum(t == group for t, _ in pairs), sum(g == group for _, g in pairs)
        ious.append(both / (true + found - both))
        f1s.append(2 * both / (true + found))
    assert overall_accuracy(scores) == pytest.approx(sum(t == g for t, g in pairs) / len(pairs))
    assert mean_iou(scores) == pytest.approx(np.mean(ious))
    assert [group_iou(scores, group) for group in range(5)] == pytest.approx(ious)
    assert np.isnan(group_iou(scores, 5))


def test_perfect_map_should_score_one_everywhere() -> None:
    truth = np.array([[0, 0, 1, 1], [0, 1, 1, 1], [255, 0, 0, 0], [0, 0, 0, 1]])
    score = scored(truth, np.where(truth == 255, 0, truth), confidence=np.ones((4, 4), np.float32))
    found = figures_of([[score]], 0, 0)
    assert len(found) == 6
    for item in found:
        wanted = 0.0 if item.name.startswith(("ECE", "false")) else 1.0
        assert item.value == wanted, item.name


def test_all_land_map_should_score_as_computed_by_hand() -> None:
    wet_truth = np.array([[1, 1, 0, 0]] * 3 + [[255, 255, 0, 0]])  # 6 water, 8 not
    dry_truth = np.zeros((4, 4), int)
    scores = [scored(wet_truth, np.zeros((4, 4))), scored(dry_truth, np.zeros((4, 4)), name="b_S1.tif")]
    assert mean_water_iou(wet(scores)) == 0
    assert group_iou(scores, 1) == 0
    assert overall_accuracy(scores) == pytest.approx(24 / 30)
    assert mean_iou(scores) == pytest.approx((24 / 30 + 0) / 2)
    assert [score.scene for score in dry(scores)] == ["b_S1.tif"]
    assert false_water(dry(scores)) == 0
    flooded = [scored(dry_truth, np.array([[1, 1, 1, 0]] + [[0] * 4] * 3), name="b_S1.tif")]
    assert false_water(flooded) == pytest.approx(3 / 16)


def test_chip_should_be_doubtful_where_its_water_is_as_bright_as_land() -> None:
    truth = np.zeros((30, 30), int)
    truth[:, 10:] = 1
    values_db = np.full((2, 30, 30), -22, np.float32)
    values_db[:, :, :21] = -9  # the first columns of the water are bright, and so is the land
    score = scored(truth, truth, values_db=values_db)
    # The 5 x 5 mean in power is above -13 dB up to the column whose window holds 3 of 5 bright columns and one more: (2/5) 10^-0.9
    # is -13.0 dB with the dark rest, just above.
    assert score.doubtful_px == 30 * 12
    assert is_doubtful(score)
    assert np.sum(score.counts[ALL]) == 900
    assert np.sum(score.counts[CLEAR]) == 900 - score.doubtful_px
    assert not is_doubtful(scored(truth, truth))


def test_wettest_chip_should_be_the_one_with_most_clear_water() -> None:
    more, less = np.ones((4, 4), int), np.array([[1, 0, 0, 0]] * 4)
    bright = np.full((2, 4, 4), -8, np.float32)
    scores = [scored(more, more, values_db=bright, name="bright"), scored(less, less, name="dark")]
    found = wettest(scores)
    assert found is not None
    assert found.scene == "dark"


def test_calibration_error_should_be_as_computed_by_hand() -> None:
    truth = np.array([[0, 0, 1, 1]])
    groups = np.array([[0, 1, 1, 0]], np.uint8)
    confidence = np.array([[0.9, 0.91, 0.55, 0.55]], np.float32)
    # Two bins: (0.9, 0.91) half right, |0.5 - 0.905| = 0.405; (0.55, 0.55) half right, 0.05. Each holds half of the pixels.
    bins = np.array(reliability_bins(truth.astype(np.uint8), groups, confidence))
    assert expected_calibration_error(bins) == pytest.approx(0.405 / 2 + 0.05 / 2, abs=1e-6)
    assert bins[:, 0].sum() == 4
    score = scored(np.array([[0, 0, 1, 1]] * 4), np.repeat(groups, 4, 0), confidence=np.repeat(confidence, 4, 0))
    assert calibration_error([score]) == pytest.approx(0.2275, abs=1e-6)


def test_calibration_error_should_equal_a_slow_loop() -> None:
    rng = np.random.default_rng(1)
    truth, groups = rng.integers(0, 2, (2, 500)).astype(np.uint8)
    confidence = rng.random(500).astype(np.float32)
    truth[::7] = IGNORE
    total = 0.0
    for number in range(BINS):
        low, high = number / BINS, (number + 1) / BINS
        inside = [i for i in range(500) if truth[i] != IGNORE and low <= confidence[i] < high]
        if inside:
            right = sum(truth[i] == groups[i] for i in inside) / len(inside)
            total += len(inside) * abs(right - sum(float(confidence[i]) for i in inside) / len(inside))
    bins = np.array(reliability_bins(truth, groups, confidence))
    assert expected_calibration_error(bins) == pytest.approx(total / (truth != IGNORE).sum())


def test_confidence_should_be_the_probability_of_the_group_that_is_shown() -> None:
    codes = np.array([[30, 80, 70, 0]], np.uint8)
    probabilities = np.array([[[0.1] * 4], [[0.4] * 4], [[0.3] * 4], [[0.2] * 4]], np.float32)
    of_codes = (10, 30, 40, 80)
    # Grass and crop are one group: 0.4 + 0.3. Snow is in no group of the six, 0 is no data.
    np.testing.assert_allclose(SIX_GROUPS.confidence(codes, probabilities, of_codes), [[0.7, 0.2, 0, 0]], atol=1e-6)
    np.testing.assert_array_equal(SIX_GROUPS.mapped(codes), [[1, 4, 6, IGNORE]])
    np.testing.assert_allclose(WATER.confidence(codes, probabilities, of_codes), [[0.8, 0.2, 0.8, 0]], atol=1e-6)
    np.testing.assert_array_equal(LULC.truth(np.arange(10, dtype=np.uint8)), [IGNORE, 4, 0, 5, 1, 2, 3, IGNORE, IGNORE, 1])


def test_legends_should_name_each_code_and_value_once() -> None:
    for legend in LEGENDS.values():
        codes = [code for group in legend.groups for code in group.codes]
        labels = [value for group in legend.groups for value in group.labels]
        assert len(set(codes)) == len(codes)
        assert len(set(labels)) == len(labels)
        assert 0 not in codes


def test_interval_should_come_from_places_not_from_chips() -> None:
    right, wrong = np.ones((4, 4), int), np.zeros((4, 4), int)
    alike = [scored(right, right, name="sen1floods11/Ghana_1_S1.tif"), scored(right, wrong, name="sen1floods11/Ghana_2_S1.tif")]
    one_place = figure(ACCURACY, [alike], 200, 0)
    assert one_place.value == 0.5
    assert np.isnan(one_place.low)
    assert (one_place.scenes, one_place.places) == (2, 1)
    apart = [dataclasses.replace(alike[0], place="A"), dataclasses.replace(alike[1], place="B")]
    two = figure(ACCURACY, [apart], 400, 0)
    assert (two.low, two.high) == (0.0, 1.0)
    same = [dataclasses.replace(alike[0], place=name) for name in "ABC"]
    certain = figure(ACCURACY, [same], 50, 0)
    assert (certain.low, certain.high) == (1.0, 1.0)


def test_places_should_agree_with_those_of_the_reference_polygons() -> None:
    for reference in read_references():
        for scene in (reference.scene, *reference.also_valid_for):
            assert place_of(scene).name == reference.place
    assert place_of("sen1floods11/India_900498_S1.tif") == place_of("stac_overflow/pxs10_S1.tif")
    assert place_of("mine/x.tif").name == "mine/x.tif"


def test_label_should_lie_on_the_map_as_nearest_neighbour(tmp_path: Path) -> None:
    label = np.random.default_rng(0).integers(0, 2, (30, 40)).astype(np.uint8)
    write_chip(tmp_path, "a", half_water_db(label), label)
    (scene,) = list_labelled([WATER_SET], tmp_path)
    same = RasterGrid(UTM, 500_000, 5_500_000, 10, 10, 30, 40)
    np.testing.assert_array_equal(label_on_grid(scene, same).values, label)
    moved = RasterGrid(UTM, 500_000 - 24, 5_500_000 + 16, 10, 10, 34, 45)
    found = label_on_grid(scene, moved).values
    # Pixel (row, column) of `moved` has its centre at x 500000 - 24 + 10 c + 5, which is column floor(c - 1.9) of the label.
    expected = np.full((34, 45), NO_LABEL, np.uint8)
    for row in range(34):
        for column in range(45):
            r, c = int(np.floor(row - 1.6 + 0.5)), int(np.floor(column - 2.4 + 0.5))
            if 0 <= r < 30 and 0 <= c < 40:
                expected[row, column] = label[r, c]
    np.testing.assert_array_equal(found, expected)


def test_evaluate_should_count_what_the_backend_maps(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    labels = {name: rng.integers(0, 2, (70, 90)).astype(np.uint8) for name in ("a", "b")}
    labels["c"] = np.zeros((64, 64), np.uint8)
    for name, label in labels.items():
        label[:5] = 255
        values_db = half_water_db(label)
        values_db[:, :, :3] = np.nan
        write_chip(tmp_path, name, values_db, label)
    model = constant_model(tmp_path / "water.safetensors", 80)
    out = tmp_path / "out"
    found = evaluate(EvaluateConfig(out, (WATER_SET,), model=model, note="none seen", data=tmp_path, bootstrap_draws=50))
    value = {item.name: item for item in found["water chips"]}
    water, counted = (sum((labels[n][5:, 3:] == 1).sum() for n in "abc"), sum(labels[n][5:, 3:].size for n in "abc"))
    assert value["water IoU, pooled, labels as given"].value == pytest.approx(water / counted)
    each = [(labels[n][5:, 3:] == 1).mean() for n in "ab"]
    assert value["water IoU, mean over chips, labels as given"].value == pytest.approx(np.mean(each))
    assert value["water IoU, mean over chips, labels as given"].scenes == 2
    assert value["false water on dry chips"].value == 1.0
    # exp(1) / (exp(1) + 5) is the probability of water; it is stored in steps of 1/250.
    confidence = round(250 * np.e / (np.e + 5)) / 250
    document = json.loads((out / "evaluation.json").read_text())
    all_bins = np.sum([one["bins"]["all"] for one in document["scenes"]], axis=0)
    assert expected_calibration_error(all_bins) == pytest.approx(abs(water / counted - confidence), abs=1e-6)
    entries = json.loads((out / "figures.json").read_text())
    assert Metric(**entries[0]).value == pytest.approx(np.mean(each), abs=1e-4)
    assert all("none seen" in entry["measured_on"] for entry in entries)
    page = (out / "report.html").read_text()
    assert "src=" in page
    assert page.count("src=") == page.count('src="data:image/png;base64,')
    assert document["provenance"]["model"]["weights_sha256"] in page
    with pytest.raises(FileExistsError, match="overwrite"):
        evaluate(EvaluateConfig(out, (WATER_SET,), model=model, note="none seen", data=tmp_path))


def test_scene_that_the_backend_refuses_should_be_told_and_left_out(tmp_path: Path) -> None:
    label = np.random.default_rng(5).integers(0, 2, (64, 64)).astype(np.uint8)
    write_chip(tmp_path, "good", half_water_db(label), label)
    write_chip(tmp_path, "void", half_water_db(label), np.full_like(label, 255))
    write_chip(tmp_path, "coarse", half_water_db(label), label)
    with rasterio.open(tmp_path / "coarse_S1.tif", "r+") as file:
        file.transform = from_origin(500_000, 5_500_000, 40, 40)
    out = tmp_path / "out"
    model = constant_model(tmp_path / "water.safetensors", 80)
    evaluate(EvaluateConfig(out, (WATER_SET,), model=model, note="none seen", data=tmp_path, bootstrap_draws=0, picture_px=0))
    document = json.loads((out / "evaluation.json").read_text())
    assert [one["scene"] for one in document["scenes"]] == ["good_S1.tif"]
    reasons = {one["scene"]: one["reason"] for one in document["left_out"]}
    assert "40.0 x 40.0 m" in reasons["coarse_S1.tif"]
    assert reasons["void_S1.tif"] == "no pixel is labelled"


def test_place_that_the_model_was_trained_on_should_not_count(tmp_path: Path) -> None:
    label = np.random.default_rng(5).integers(0, 2, (64, 64)).astype(np.uint8)
    for number, name in enumerate(("a", "b", "c")):
        write_chip(tmp_path, name, half_water_db(label), label, 500_000 + 10_000 * number)
    told = {"data": {"stores": [{"real_places": []}]}, "earlier_runs": [{"data": {"stores": [{"real_places": ["b_S1.tif"]}]}}]}
    model = constant_model(tmp_path / "water.safetensors", 80, training=told)
    config = EvaluateConfig(
        tmp_path / "out", (WATER_SET,), model=model, note="one place", data=tmp_path, bootstrap_draws=0, leave_out_places=("c_.*",)
    )
    evaluate(config)
    document = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert [one["scene"] for one in document["scenes"]] == ["a_S1.tif"]
    reasons = {one["scene"]: one["reason"] for one in document["left_out"]}
    assert "trained on b_S1.tif" in reasons["b_S1.tif"]
    assert "leave_out_places" in reasons["c_S1.tif"]
    evaluate(dataclasses.replace(config, include_seen=True, leave_out_places=(), out=tmp_path / "all"))
    assert len(json.loads((tmp_path / "all" / "evaluation.json").read_text())["scenes"]) == 3


def test_measurements_should_become_labels_by_a_threshold(tmp_path: Path) -> None:
    label = np.zeros((20, 20), np.float32)
    label[:, 5:] = 50
    label[:3] = np.nan
    write_chip(tmp_path, "a", half_water_db(np.zeros((20, 20))), label)
    forest = dataclasses.replace(WATER_SET, legend="forest", label_above=20.0)
    (scene,) = list_labelled([forest], tmp_path)
    found = label_on_grid(scene, RasterGrid(UTM, 500_000, 5_500_000, 10, 10, 20, 20)).values
    assert (found[:3] == NO_LABEL).all()
    assert (found[3:, :5] == 0).all()
    assert (found[3:, 5:] == 1).all()
    (plain,) = list_labelled([WATER_SET], tmp_path)
    with pytest.raises(ValueError, match="class codes of 0 to 255"):
        label_on_grid(plain, RasterGrid(UTM, 500_000, 5_500_000, 10, 10, 20, 20))


def test_missing_scenes_and_labels_should_be_refused(tmp_path: Path) -> None:
    config = EvaluateConfig(tmp_path / "out", (WATER_SET,), model=tmp_path / "no", note="none seen", data=tmp_path)
    with pytest.raises(FileNotFoundError, match="nothing matches"):
        evaluate(config)
    label = np.zeros((20, 20), np.uint8)
    write_chip(tmp_path, "a", half_water_db(label), label)
    (tmp_path / "a_label.tif").unlink()
    with pytest.raises(FileNotFoundError, match=r"a_S1\.tif has no label a_label\.tif"):
        evaluate(config)
    write_chip(tmp_path, "a", half_water_db(label), label)
    with pytest.raises(FileNotFoundError, match="neither a model file nor a run folder"):
        evaluate(config)
    assert not (tmp_path / "out").exists()


def test_settings_should_name_all_problems_together() -> None:
    wrong = LabelSet("a", "pictures", ("/x",), "colours")
    with pytest.raises(ConfigError) as error:
        EvaluateConfig(Path("o"), (wrong, wrong), model=Path("m"), note=" ")
    for part in ("name of its own", "kind of a", "legend of a", "absolute", "note"):
        assert part in str(error.value)


def test_places_seen_without_labels_should_be_told_apart(tmp_path: Path) -> None:
    seen = {"data": {"stores": [{"real_places": ["Berlin"]}]}}
    earlier = [
        {"kind": "pretrain run", "data": {"stores": [{"real_places": ["Assam", "Berlin"]}]}},
        {"kind": "finetune run", "data": {"stores": [{"real_places": ["Chad"]}]}},
    ]
    card = read_header(constant_model(tmp_path / "m.safetensors", 80)).card
    card = dataclasses.replace(card, training={**seen, "earlier_runs": earlier})
    assert places_seen(card) == {"Assam", "Berlin", "Chad"}
    assert places_seen(card, with_labels=True) == {"Berlin", "Chad"}
