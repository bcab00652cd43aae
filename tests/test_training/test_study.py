# SPDX-License-Identifier: GPL-2.0-or-later
"""The study of frozen encoders: its parts on values that are known, and whole small studies through the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from backend.network.model import build_model
from tests.test_training.made_stores import made_chip, write_store
from training.checkpoint import Checkpoint, save_checkpoint
from training.metrics import IGNORE
from training.pretraining.config import PretrainConfig
from training.pretraining.pretrain import encoder_card
from training.run import main, parse
from training.study.attention_heads import mass_masks, overlap_cell
from training.study.config import StudyConfig
from training.study.crops import CropSet, crop_starts, cut_crops, patch_majority
from training.study.embedding import attention_entropy
from training.study.encoders import Features, extract, random_encoder
from training.study.probes import ATTENTION, DB, TOKENS, Look, ProbeKind, nested_chips, probe_cell
from training.study.results import (
    ABOVE_CHANCE,
    CHANCE,
    MEAN_IOU,
    OVERLAP,
    PRETRAINED,
    SIMULATED,
    PlaceCounts,
    PlaceOverlap,
    Results,
    encoder_name,
)

SIDE, CROP, PATCH = 64, 32, 8
PATCHES = (CROP // PATCH) ** 2
WATER, TREES, NOT_WATER = 80, 10, 201
SMALL = {
    "crop_px": CROP,
    "fractions": "[0.5,1.0]",
    "seeds": "[0,1]",
    "classes": f"[{TREES},{WATER}]",
    "max_patches": 60,
    "set_patches": 40,
    "trees": 5,
    "real_folds": 2,
    "bootstrap_draws": 20,
    "threads": 1,
}


def made_config(tmp_path: Path, **settings: object) -> StudyConfig:
    names = {"out": tmp_path / "study", "encoder": tmp_path / "pretrain", "simulated": tmp_path / "simulated"}
    _, config = parse(["study", *(f"--{name}={value}" for name, value in {**names, **SMALL, **settings}.items())])
    assert isinstance(config, StudyConfig)
    return config


def half_water(seed: int, place: str, label: int = TREES):
    """A chip whose left half is labelled water and is dark, and whose right half has `label` and is bright."""
    rng = np.random.default_rng(seed)
    db = np.full((2, SIDE, SIDE), -8.0, np.float32)
    db[:, :, : SIDE // 2] = -22
    db[1] -= 6
    labels = np.full((SIDE, SIDE), label, np.uint8)
    labels[:, : SIDE // 2] = WATER
    return made_chip(db + rng.normal(0, 1, db.shape).astype(np.float32), labels, place=place)


def tiny_card(tmp_path: Path):
    _, config = parse(
        [
            "pretrain",
            f"--out={tmp_path / 'pretrain'}",
            f"--data.stores=['{tmp_path / 'simulated'}']",
            f"--crops.global_px={CROP}",
            "--crops.local_px=16",
            "--encoder.embed_dim=16",
            "--encoder.depth=2",
            "--encoder.num_heads=2",
            f"--encoder.patch_px={PATCH}",
        ]
    )
    assert isinstance(config, PretrainConfig)
    return encoder_card(config)


@pytest.fixture
def ready(tmp_path: Path) -> Path:
    """Stores and an encoder to study."""
    for name, simulated in (("simulated", True), ("real", False)):
        splits = {
            split: [half_water(10 * number + chip, f"{split} {chip}") for chip in range(count)]
            for number, (split, count) in enumerate((("train", 6), ("validation", 3), ("test", 3)))
        }
        write_store(tmp_path / name, splits, simulated=simulated)
    card = tiny_card(tmp_path)
    (tmp_path / "pretrain").mkdir()
    weights = build_model(card).state_dict()
    save_checkpoint(tmp_path / "pretrain", Checkpoint(weights, card.to_json(), "{}", 1, {}))
    return tmp_path


def run_study(ready: Path, **settings: object) -> int:
    names = {"out": ready / "study", "encoder": ready / "pretrain", "simulated": ready / "simulated", "real": ready / "real"}
    return main(["study", *(f"--{name}={value}" for name, value in {**names, **SMALL, **settings}.items())])


def made_look(labels: np.ndarray, tokens: np.ndarray | None = None, attention: np.ndarray | None = None) -> Look:
    """Crops with the patch labels [N, P], one chip and one place each, and features that are given or say nothing."""
    count, patches = labels.shape
    side = int(patches**0.5) * PATCH
    rng = np.random.default_rng(5)
    x = rng.normal(0, 1, (count, 2, side, side)).astype(np.float32)
    places = np.array([f"place {n}" for n in range(count)])
    crops = CropSet(x, labels.astype(np.uint8), np.ones(labels.shape, np.bool_), np.arange(count), places, PATCH)
    tokens = rng.normal(0, 1, (count, patches, 3)).astype(np.float32) if tokens is None else tokens
    attention = np.ones((count, 1, 1, patches), np.float32) if attention is None else attention
    return Look(crops, Features(tokens, np.ones(labels.shape, np.float32), tokens.mean(axis=1), attention))


def test_smaller_fractions_should_be_among_larger_ones() -> None:
    chips = np.repeat(np.arange(200), 4)
    drawn = [set(nested_chips(chips, fraction, seed=3)) for fraction in (0.01, 0.05, 0.1, 0.25, 1.0)]
    assert [len(part) for part in drawn] == [2, 10, 20, 50, 200]
    assert all(small < large for small, large in zip(drawn, drawn[1:], strict=False))
    assert set(nested_chips(chips, 0.25, seed=4)) != drawn[3]


def test_a_perfect_feature_should_give_a_mean_iou_of_one(tmp_path: Path) -> None:
    labels = np.random.default_rng(0).integers(0, 2, (12, 16))
    look = made_look(labels, tokens=np.eye(3, dtype=np.float32)[labels])
    config = made_config(tmp_path)

    def mean_iou(features: str, classifier: str) -> float:
        counts = probe_cell(ProbeKind(features, classifier), look, {SIMULATED: look}, config, 1.0, 60, seed=0)["counts"][SIMULATED]
        return MEAN_IOU.statistic([PlaceCounts(place, np.array(part)) for place, part in counts.items()])

    assert mean_iou(TOKENS, "logistic") == mean_iou(TOKENS, "forest") == 1.0
    assert mean_iou(DB, "logistic") < 0.6  # the pixels are noise


def test_patches_should_take_the_label_of_more_than_half_of_their_pixels() -> None:
    labels = np.full((8, 16), IGNORE, np.uint8)
    labels[:4, :8] = 1  # 32 of 64
    labels[:4, 8:] = 1
    labels[4, 8] = 1  # 33 of 64
    np.testing.assert_array_equal(patch_majority(np.vstack([labels, labels * 0]), 8), [IGNORE, 1, 0, 0])


def test_crops_of_a_chip_should_not_overlap() -> None:
    assert crop_starts(256, 96, 2) == [0, 160]
    assert crop_starts(150, 96, 2) == [27]
    assert crop_starts(90, 96, 2) == []


def test_labels_of_several_classes_should_not_count(tmp_path: Path) -> None:
    store = write_store(tmp_path / "simulated", {"test": [half_water(0, "a", label=NOT_WATER)]})
    config = made_config(tmp_path, classes=f"[{TREES},30,{WATER}]")
    crops = cut_crops([store["test"]], config, tiny_card(tmp_path), 2, None)
    np.testing.assert_array_equal(np.unique(crops.patch_labels[[0, 2]]), [2])
    np.testing.assert_array_equal(np.unique(crops.patch_labels[[1, 3]]), [IGNORE])
    np.testing.assert_array_equal(crops.classes(), [2, IGNORE, 2, IGNORE])


def test_masks_should_be_the_fewest_patches_that_hold_the_mass() -> None:
    np.testing.assert_array_equal(mass_masks(np.array([2.0, 4.0, 1.0, 3.0], np.float32), 0.6), [False, True, False, True])
    np.testing.assert_array_equal(mass_masks(np.array([9.0, 1.0, 0.0, 0.0], np.float32), 0.6), [True, False, False, False])


def test_attention_on_a_class_alone_should_overlap_it_whole() -> None:
    labels = np.array([[0, 0, 0, 0, 1, 1, IGNORE, 0, 0]])
    attention = np.where(labels == 1, 5.0, 0.0).astype(np.float32)[:, None, None]
    [found] = overlap_cell(made_look(labels, attention=attention), classes=2).values()
    assert (found["hits"][0][0], found["union"][0][0]) == ([0, 2], [8, 2])
    assert (found["of_class"], found["labelled"]) == ([6, 2], [8, 8])


def test_heads_should_be_chosen_on_validation_and_never_on_test(tmp_path: Path) -> None:
    def places(first: int, second: int) -> dict[str, object]:
        counts = {"hits": [[[first], [second]]], "union": [[[10], [10]]], "of_class": [5], "labelled": [10]}
        return {"a": counts, "b": counts}

    cells = {encoder_name("attention", PRETRAINED): {"validation": places(6, 2), SIMULATED: places(1, 9)}}
    results = Results(made_config(tmp_path), cells, with_real=False)
    assert results.heads(PRETRAINED, 0, last_block=True) == [(0, 0)]
    [run] = results.head_runs(PRETRAINED, 0, True, SIMULATED)
    assert [(part.hits, part.union) for part in run] == [(1, 10), (1, 10)]


def test_chance_should_be_what_a_mask_of_the_same_size_gets_anywhere() -> None:
    # Half of 100 patches are of the class, and half are in the mask: anywhere, 25 are both and 75 either.
    assert CHANCE.statistic([PlaceOverlap("a", hits=25, union=75, of_class=50, labelled=100)]) == pytest.approx(1 / 3)
    assert OVERLAP.statistic([PlaceOverlap("a", hits=50, union=50, of_class=50, labelled=100)]) == 1.0
    assert ABOVE_CHANCE.statistic([PlaceOverlap("a", hits=50, union=50, of_class=50, labelled=100)]) == pytest.approx(2 / 3)


def test_entropy_of_attention_should_be_one_where_even_and_zero_on_one_patch() -> None:
    attention = np.array([[[1, 1, 1, 0], [3, 0, 0, 0]]], np.float32)
    np.testing.assert_allclose(attention_entropy(attention, np.array([[True, True, True, False]])), [[1.0, 0.0]], atol=1e-12)


def test_features_should_be_those_of_the_backend(tmp_path: Path) -> None:
    """Tokens and attention are what the plugin's own forward gives for the same crops."""
    import torch

    store = write_store(tmp_path / "simulated", {"test": [half_water(0, "a")]})
    card = tiny_card(tmp_path)
    encoder = random_encoder(card, 1)
    crops = cut_crops([store["test"]], made_config(tmp_path), card, 2, None)
    found = extract(encoder, crops)
    prediction = encoder.model(torch.from_numpy(crops.x), want_tokens=True)
    np.testing.assert_allclose(found.tokens, prediction.tokens.flatten(2).transpose(1, 2), atol=1e-5)
    np.testing.assert_allclose(found.attention[:, -1], prediction.attention.flatten(2), atol=1e-5)
    assert Look(crops, found).matrix(ATTENTION, np.array([0]), np.array([3])).shape == (1, 2)


def test_a_study_should_not_make_a_cell_again_and_should_make_it_alike(ready: Path) -> None:
    assert run_study(ready) == 0
    cells = {path: path.stat().st_mtime_ns for path in (ready / "study/cells").rglob("*.json")}
    assert (
        len(cells) == 2 * 2 * 2 + 2 * 2 + (2 * 6 + 2 * 5) * 2 + 3 + 3
    )  # fractions, real labels, feature sets, attention, embedding
    report = (ready / "study/report.html").read_text(encoding="utf-8")
    assert "4. Embedding space" in report
    assert "data:image/png" in report
    gone = ready / "study/cells/fractions/random_seed1_50percent.json"
    before = json.loads(gone.read_text())
    gone.unlink()
    assert run_study(ready, bootstrap_draws=0) == 0
    assert json.loads(gone.read_text()) == before
    assert {path for path, changed in cells.items() if path.stat().st_mtime_ns != changed} == {gone}
    assert "real chips" in (ready / "study/study.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("what", ["settings", "encoder"])
def test_a_study_should_refuse_cells_of_other_settings_or_another_encoder(
    ready: Path, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    settings = {"seeds": "[0]", "fractions": "[1.0]", "real": ready / "absent"}
    assert run_study(ready, **settings) == 0
    cells = {path: path.read_bytes() for path in (ready / "study/cells").rglob("*.json")}
    if what == "encoder":
        card = tiny_card(ready)
        save_checkpoint(ready / "pretrain", Checkpoint(build_model(card).state_dict(), card.to_json(), "{}", 2, {}))
    changed = {"settings": {"trees": 6}, "encoder": {}}[what]
    capsys.readouterr()
    assert run_study(ready, **{**settings, **changed}) == 2
    said = capsys.readouterr().err
    assert {"settings": "settings.trees: 5 became 6", "encoder": "encoder_sha256"}[what] in said
    assert "--out" in said
    assert {path: path.read_bytes() for path in (ready / "study/cells").rglob("*.json")} == cells


def test_a_study_should_say_what_it_leaves_out_and_what_it_needs(ready: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_study(ready, seeds="[0]", fractions="[1.0]", real=ready / "absent") == 0
    assert "the real part is left out" in capsys.readouterr().out
    report = (ready / "study/report.html").read_text(encoding="utf-8")
    assert "the real part is left out" in report
    assert "Learnt on real places" not in report
    assert run_study(ready, encoder=ready / "nowhere") == 2
    assert "training.run pretrain" in capsys.readouterr().err
    assert run_study(ready, simulated=ready / "nowhere") == 2
    assert "training.run chips" in capsys.readouterr().err
    assert run_study(ready, out=ready / "other", crop_px=30) == 2
    assert "multiple of the encoder's patch" in capsys.readouterr().err


def test_a_damaged_cell_should_be_named(ready: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = {"seeds": "[0]", "fractions": "[1.0]", "real": ready / "absent"}
    assert run_study(ready, **settings) == 0
    cell = ready / "study/cells/embedding/pretrained.json"
    cell.write_text(cell.read_text()[:40])
    assert run_study(ready, **settings) == 2
    assert "pretrained.json is damaged" in capsys.readouterr().err
