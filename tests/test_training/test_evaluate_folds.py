# SPDX-License-Identifier: GPL-2.0-or-later
"""Baselines and cross-validation by place: against slow versions, and whole on small chips."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from tests.test_training.evaluation_material import WATER_SET, constant_model, half_water_db, write_chip
from tests.test_training.stores import simulated_store
from training.checkpoint import load_checkpoint
from training.chips.build import make_store
from training.chips.config import ChipsConfig, SourceConfig, SplitConfig
from training.config import ConfigError
from training.evaluate import unet
from training.evaluate.baselines import ForestMapper, OtsuMapper, ThresholdMapper, local_features, otsu_threshold
from training.evaluate.config import EvaluateConfig, FoldTraining
from training.evaluate.cross_validation import cross_validate
from training.evaluate.figures import Definition, difference, overall_accuracy
from training.evaluate.finetuned import finetuned
from training.evaluate.folds import Fold, Method, assign_folds, gather, run_folds
from training.evaluate.learning import WATER_GROUP, LearningScene
from training.evaluate.legends import SIX_GROUPS, WATER
from training.evaluate.score import SceneScore
from training.evaluate.unet import BATCH, CROP_PX, NOT_WATER, SmallUNet, UNetMapper, draw_crops, target_of
from training.metrics import IGNORE
from training.run import parse


def learning(name: str, place: str, label: np.ndarray, groups: np.ndarray | None = None, simulated: bool = False) -> LearningScene:
    """A scene to learn from; water (label 1) is dark."""
    values_db = half_water_db(label).astype(np.float32)
    none = np.full(label.shape, IGNORE, np.uint8)
    return LearningScene(name, place, values_db, label.astype(np.uint8), none if groups is None else groups, simulated)


def half(height: int = 60, width: int = 60) -> np.ndarray:
    label = np.zeros((height, width), np.uint8)
    label[:, width // 2 :] = 1
    return label


def test_otsu_should_find_the_split_of_largest_variance_between() -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(-25, 1, 300), rng.normal(-15, 2, 700)]).astype(np.float32)

    def between(threshold: float) -> float:
        low, high = values[values < threshold], values[values >= threshold]
        return len(low) * len(high) * (low.mean() - high.mean()) ** 2

    best = max(between(float(value)) for value in np.sort(values)[1:])
    assert between(otsu_threshold(values)) == pytest.approx(best, rel=0.01)


def test_local_features_should_equal_plain_means_and_deviations() -> None:
    rng = np.random.default_rng(1)
    values_db = rng.normal(-12, 4, (2, 40, 44)).astype(np.float32)
    values_db[:, 18:21, 20] = np.nan
    found = local_features(values_db)
    assert found.shape == (21, 40, 44)
    bands = [values_db[0], values_db[1], values_db[0] - values_db[1]]
    number = 3
    for side in (5, 11, 21):
        for band in bands:
            around = band[20 - side // 2 : 21 + side // 2, 23 - side // 2 : 24 + side // 2]
            kept = around[np.isfinite(around)]
            assert kept.size < side * side or side == 5
            assert found[number, 20, 23] == pytest.approx(kept.mean(), abs=1e-3)
            assert found[number + 1, 20, 23] == pytest.approx(kept.std(), abs=1e-3)
            number += 2
    np.testing.assert_allclose(found[:3, 5, 5], [band[5, 5] for band in bands], rtol=1e-6)


def test_threshold_should_come_from_the_wet_chips_it_learns_from() -> None:
    found = ThresholdMapper([learning("a", "A", half()), learning("dry", "B", np.zeros((60, 60), np.uint8))])
    assert -25 < found.threshold_db < -18


def test_folds_should_never_split_a_place() -> None:
    rng = np.random.default_rng(4)
    scenes = []
    for number in range(40):
        groups = rng.integers(0, 6, (4, 4)).astype(np.uint8) if number % 3 else np.full((4, 4), IGNORE, np.uint8)
        water = np.ones((4, 4), np.uint8) if number % 2 else np.zeros((4, 4), np.uint8)
        scenes.append(LearningScene(f"{number}", f"place {number % 13}", np.zeros((2, 4, 4), np.float32), water, groups, False))
    folds = assign_folds(scenes, 5, 0)
    assert sorted(place for places in folds for place in places) == sorted({scene.place for scene in scenes})
    assert len(folds) == 5
    assert all(folds)
    assert folds == assign_folds(scenes, 5, 0)
    assert folds != assign_folds(scenes, 5, 1)
    with pytest.raises(ValueError, match="13 places cannot be divided into 20 folds"):
        assign_folds(scenes, 20, 0)


def test_crops_should_keep_pixels_and_labels_together() -> None:
    scenes = [learning("a", "A", half(150, 170)), learning("b", "B", half(40, 30).T.copy())]
    pools = [[np.flatnonzero(scene.water != IGNORE)] for scene in scenes]
    x, target = draw_crops(np.random.default_rng(0), [(scene, target_of(scene)) for scene in scenes], pools)
    assert x.shape == (BATCH, 2, CROP_PX, CROP_PX)
    labelled = target != IGNORE
    # Water is 10 dB darker than land, noise 1 dB and gain at most 2 dB: halfway between is far from both.
    dark = x[:, 0] < (-14.5 + 12.55) / 5.26
    assert (dark[labelled] == (target[labelled] == WATER_GROUP)).mean() > 0.98
    shares = labelled.mean(axis=(1, 2))
    assert shares.max() == 1
    assert shares.min() == pytest.approx(40 * 30 / CROP_PX**2)
    assert (x[:, 0][~labelled] == 0).all()


def test_water_label_should_teach_only_what_it_says() -> None:
    groups = np.full((2, 3), IGNORE, np.uint8)
    groups[0, 0] = 3
    scene = LearningScene("a", "A", np.zeros((2, 2, 3), np.float32), np.array([[0, 1, 0], [1, 255, 0]], np.uint8), groups, False)
    np.testing.assert_array_equal(target_of(scene), [[3, WATER_GROUP, NOT_WATER], [WATER_GROUP, IGNORE, NOT_WATER]])


def test_small_unet_should_have_about_the_parameters_that_it_says() -> None:
    parameters = sum(item.numel() for item in SmallUNet(6).parameters())
    assert 0.25e6 < parameters < 0.35e6


def test_learnt_baselines_should_find_water_that_is_plain_to_see(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unet, "BATCH", 4)
    monkeypatch.setattr(unet, "CROP_PX", 32)
    label = half(70, 90)
    write_chip(tmp_path, "a", half_water_db(label, seed=9), label)
    config = EvaluateConfig(tmp_path / "out", (WATER_SET,), folds=2, data=tmp_path)
    (scene,) = gather(config).scenes
    groups = np.where(half() == 1, 4, 1).astype(np.uint8)
    known = [learning("x", "X", half(), groups), learning("y", "Y", half().T.copy(), groups.T.copy())]
    mappers = [
        OtsuMapper(),
        ThresholdMapper(known),
        ForestMapper(known, "forest", 0, 200, 1),
        UNetMapper(known, "unet", 0, 60),
    ]
    for mapper in mappers:
        found = mapper.map(scene, WATER)
        assert found is not None
        assert (found.groups == label).mean() > 0.97, mapper.name
    for mapper in mappers[2:]:
        found = mapper.map(scene, SIX_GROUPS)
        assert found is not None
        assert set(np.unique(found.groups)) <= {1, 4}
        assert found.confidence is not None
        assert found.confidence.max() <= 1 + 1e-6
    assert mappers[0].map(scene, SIX_GROUPS) is None


def four_chips(folder: Path) -> EvaluateConfig:
    for number in range(4):
        label = half(64 + 8 * number, 64)
        write_chip(folder, f"place{number}", half_water_db(label, seed=number), label)
    return EvaluateConfig(
        folder / "out",
        (WATER_SET,),
        model=constant_model(folder / "water.safetensors", 80),
        note="none seen",
        data=folder,
        folds=2,
        baselines=("otsu", "threshold", "forest", "unet"),
        unet_steps=2,
        forest_pixels=100,
        seeds=(0, 1),
        bootstrap_draws=20,
    )


def test_cross_validation_should_measure_each_scene_once_and_go_on_where_it_was(tmp_path: Path) -> None:
    config = four_chips(tmp_path)
    table = cross_validate(config)
    out = config.out
    document = json.loads((out / "evaluation.json").read_text())
    for runs in document["scores"].values():
        for run in runs.values():
            assert sorted(score["scene"] for score in run) == [f"place{number}_S1.tif" for number in range(4)]
    assert {name: len(runs) for name, runs in document["scores"].items()} == {
        "Otsu on VH": 1,
        "VH threshold": 1,
        "forest, real": 2,
        "U-Net, real": 2,
        "x": 1,
    }
    iou = {name: next(item for item in items if "pooled, labels" in item.name) for name, items in table["water"].items()}
    assert iou["x"].value == pytest.approx(0.5)
    assert iou["Otsu on VH"].value > 0.95
    assert len(iou["forest, real"].each) == 2
    less = next(one for one in document["differences"]["water"]["x"] if "pooled, labels as given" in one["name"])
    best = max(item.value for name, item in iou.items() if name != "x")
    assert less["value"] == pytest.approx(0.5 - best, abs=1e-9)
    entries = json.loads((out / "x_figures.json").read_text())
    assert "none seen" in entries[0]["measured_on"]
    assert "cross-validated by place" in json.loads((out / "forest_real_figures.json").read_text())[0]["measured_on"]
    page = (out / "report.html").read_text()
    assert page.count("src=") == page.count('src="data:image/png;base64,')
    assert all(f"place{number}_S1.tif" in page for number in range(4))

    kept, again = out / "fold_0" / "forest_real_0.json", out / "fold_1" / "vh_threshold_0.json"
    before = kept.stat().st_mtime_ns, again.read_text()
    kept_text = kept.read_text().replace('"valid_px"', ' "valid_px"')
    kept.write_text(kept_text)
    again.unlink()
    cross_validate(config)
    assert kept.read_text() == kept_text  # read, not made again
    assert again.read_text() == before[1]

    parts = dataclasses.replace(config, out=tmp_path / "parts")
    for number in range(2):
        assert cross_validate(dataclasses.replace(parts, only_folds=(number,))) == {}
        assert (parts.out / f"fold_{number}" / "forest_real_1.json").is_file()
        assert not (parts.out / "evaluation.json").exists()
    assert cross_validate(parts)["water"]["Otsu on VH"] == table["water"]["Otsu on VH"]

    with pytest.raises(ValueError, match="other folds"):
        cross_validate(dataclasses.replace(config, seed=3))


def test_finetuned_model_should_not_see_the_held_out_place_and_be_made_once(tmp_path: Path, root: Path) -> None:
    folder = tmp_path / "chips"
    folder.mkdir()
    for number in range(4):
        write_chip(folder, f"place{number}", half_water_db(half(64, 64), seed=number), half(64, 64), 500_000 + 20_000 * number)
    source = SourceConfig(
        name="water",
        root=folder,
        files=("*_S1.tif",),
        label_replace={"_S1": "_label"},
        legend="sen1floods11",
        units="db",
        place="table",
        data_root=folder,
    )
    named = {"train": ["place[012]_.*"], "validation": ["place3_.*"]}
    make_store(ChipsConfig(tmp_path / "store", (source,), chip_px=64, splits=SplitConfig(named=named)))
    smoke = ["finetune", "--config", str(root / "training/configs/finetune_smoke.yaml"), f"--out={tmp_path / 'x'}"]
    stores = [{"folder": str(simulated_store(tmp_path))}, {"folder": str(tmp_path / "store"), "validate": False}]
    _, settings = parse([*smoke, f"--data.stores={json.dumps(stores)}"])
    held_out = ("place0_S1.tif",)
    fold = tmp_path / "fold_0"
    mapper = finetuned(settings, held_out, fold, "ViT", 0, "cpu")
    report = load_checkpoint(fold / "ViT_0").report
    assert report["data"]["stores"][1]["real_places"] == ["place1_S1.tif", "place2_S1.tif"]
    config = EvaluateConfig(tmp_path / "out", (WATER_SET,), folds=2, data=folder)
    scene = gather(config).scenes[0]
    found = mapper.map(scene, WATER)
    assert found.groups.shape == (64, 64)
    assert set(np.unique(found.groups)) <= {0, 1}
    written = (fold / "ViT_0.safetensors").stat().st_mtime_ns
    finetuned(settings, held_out, fold, "ViT", 0, "cpu")
    with pytest.raises(ValueError, match="trained on place2_S1"):
        finetuned(settings, ("place2_S1.tif",), fold, "ViT", 0, "cpu")
    assert (fold / "ViT_0.safetensors").stat().st_mtime_ns == written


def test_method_should_never_learn_from_a_place_that_is_held_out(tmp_path: Path) -> None:
    config = dataclasses.replace(four_chips(tmp_path), model=None)
    material = gather(config)
    seen: list[tuple[set[str], set[str]]] = []

    def learn(fold: Fold, seed: int) -> OtsuMapper:
        seen.append((set(fold.held_out), {scene.place for scene in fold.real}))
        return OtsuMapper()

    folds = assign_folds(material.real, 2, 0)
    scores = run_folds(config, material, folds, [Method("spy", learn, seeded=False)])
    everything = {scene.place for scene in material.real}
    assert len(seen) == 2
    for held_out, learnt in seen:
        assert held_out
        assert not held_out & learnt
        assert held_out | learnt == everything
    assert len(scores["spy"][0]) == 4


def test_difference_of_a_method_to_itself_should_be_certainly_nothing() -> None:
    rng = np.random.default_rng(0)

    def score(place: str) -> SceneScore:
        counts = rng.integers(1, 9, (3, 3)).tolist()
        empty = {"all": [], "clear": []}
        both = {"all": counts, "clear": counts}
        return SceneScore("s", "water", ("no", "yes"), place, place, "r", False, 1, (1, 1, 0), 0, 0, both, empty)

    run = [score(place) for place in "ABCDE"]
    other = [score(place) for place in "ABCDE"]
    definition = Definition("overall accuracy", overall_accuracy)
    same = difference(definition, [run], [run], 100, 0)
    assert (same.value, same.low, same.high) == (0, 0, 0)
    apart = difference(definition, [run], [other], 100, 0)
    assert apart.value == pytest.approx(overall_accuracy(run) - overall_accuracy(other))
    assert apart.low < apart.value < apart.high


def test_fold_settings_should_be_checked_together() -> None:
    with pytest.raises(ConfigError) as error:
        EvaluateConfig(
            Path("o"),
            (WATER_SET, dataclasses.replace(WATER_SET, name="b", legend="forest")),
            folds=1,
            baselines=("forest_simulated", "tree"),
        )
    for part in ("folds must be 0 or at least 2", "not tree", "need simulated scenes", "legends water"):
        assert part in str(error.value)
    with pytest.raises(ConfigError, match="note of each of finetuned must say"):
        EvaluateConfig(Path("o"), (WATER_SET,), folds=2, finetuned=(FoldTraining(Path("f.yaml"), " "),))
    with pytest.raises(ConfigError, match="a file name of its own"):
        EvaluateConfig(
            Path("o"), (WATER_SET,), folds=2, finetuned=(FoldTraining(Path("f.yaml"), "x"), FoldTraining(Path("a/f.yaml"), "x"))
        )
    with pytest.raises(ConfigError, match=r"only_folds must lie in 0\.\.1"):
        EvaluateConfig(Path("o"), (WATER_SET,), folds=2, only_folds=(2,))
    with pytest.raises(ConfigError, match="model must name"):
        EvaluateConfig(Path("o"), (WATER_SET,))
    with pytest.raises(ConfigError, match="need folds"):
        EvaluateConfig(Path("o"), (WATER_SET,), model=Path("m"), note="x", baselines=("otsu",))
