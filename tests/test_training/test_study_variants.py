# SPDX-License-Identifier: GPL-2.0-or-later
"""Studies with variants of the pre-training, and with real labels in the fine-tuning."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from timm.models.vision_transformer import VisionTransformer

from tests.test_training.small_study import FINETUNED, SIDE, made_config, make_ready, run_study, save_encoder, tiny_card
from training.card import draft_card
from training.finetuning.labelled_data import open_labelled
from training.run import parse
from training.study.config import StudyConfig
from training.study.finetuned import finetuning_settings, fold_settings
from training.study.probes import place_folds
from training.study.results import (
    MEAN_IOU,
    PRETRAINED,
    REAL,
    SCRATCH,
    SIMULATED,
    Finetuning,
    Results,
    chance_iou,
    encoder_name,
    fraction_name,
)
from training.study.study import study
from training.study.table import with_interval
from training.study.variant_tables import measures, variant_tables
from training.study.variants import check_comparable, published_encoder


@pytest.fixture
def ready(tmp_path: Path) -> Path:
    return make_ready(tmp_path)


def study_of(ready: Path, **settings: object) -> StudyConfig:
    return made_config(ready, real=ready / "real", **settings)


def test_a_variant_should_have_cells_of_its_own_and_differ_from_the_main_encoder_by_what_it_is(ready: Path) -> None:
    assert run_study(ready) == 0
    before = {path: path.stat().st_mtime_ns for path in (ready / "study/cells").rglob("*.json")}
    wide = save_encoder(ready / "wide", tiny_card(ready, embed_dim=32, depth=3, num_heads=4, register_tokens=4))
    results = study(study_of(ready, variants=f"{{same: {ready / 'pretrain'}, wide: {wide}}}"))
    # Of each: linear probes at both fractions and on real labels, of both seeds; attention and embedding.
    after = {path: path.stat().st_mtime_ns for path in (ready / "study/cells").rglob("*.json")}
    assert len(after) == len(before) + 2 * (2 * (2 + 1) + 2)
    assert {path: after[path] for path in before} == before

    names = {
        SIMULATED: [
            "linear probe at 50%, mean IoU",
            "linear probe at 100%, mean IoU",
            "k-NN accuracy",
            "best head, Permanent water bodies, IoU above chance",
        ],
        REAL: [
            "linear probe at 50%, mean IoU",
            "linear probe at 100%, mean IoU",
            "linear probe on real labels, mean IoU",
            "real, neighbours simulated: k-NN accuracy",
            "real, neighbours of other places: k-NN accuracy",
            "best head, Permanent water bodies, IoU above chance",
        ],
    }
    for scored, table in zip((SIMULATED, REAL), variant_tables(results), strict=True):
        found = measures(results, scored)
        assert [measure.name for measure in found] == names[scored]
        assert [row[0] for row in table.rows if row[0]] == ["same", "wide"]
        for number, measure in enumerate(found):
            runs = [measure.runs(arm) for arm in (results.variants["same"], PRETRAINED)]
            less = results.difference(measure.definition, *runs)
            assert (less.value, less.low, less.high) == (0.0, 0.0, 0.0), measure.name
            wide_runs = measure.runs(results.variants["wide"])
            expected = np.mean([measure.definition.statistic(run) for run in wide_runs])
            row = table.rows[len(found) + number]
            assert row[2].startswith(f"{expected:.3f}")
            assert row[3] == with_interval(results.figure(measure.definition, runs[1]))
    heads = results.encoder_cells("attention", results.variants["wide"])[0]["validation"]
    assert np.shape(next(iter(heads.values()))["hits"]) == (3, 4, 2)  # blocks, heads, classes

    report = (ready / "study/report.html").read_text(encoding="utf-8")
    assert "6. Variants of the pre-training" in report
    assert "No variant of the pre-training" not in report
    assert "variant wide, sha256" in report


def test_differences_should_be_the_variant_less_the_main_encoder_and_told_where_there_is_a_figure(tmp_path: Path) -> None:
    def counted(right: int) -> dict[str, object]:
        counts = [[right, 10 - right], [0, 0]]
        return {"counts": {SIMULATED: {"a": counts, "b": counts}}}

    def looked(hits: int, knn: float) -> dict[str, dict[str, object]]:
        head = {"hits": [[[0, hits]]], "union": [[[0, 10]]], "of_class": [0, 5], "labelled": [20, 20]}
        places = {"a": head, "b": head}
        sums = {"simulated: k-NN accuracy": {"a": [knn, 10], "b": [knn, 10]}}
        return {"attention": {"validation": places, SIMULATED: places}, "embedding": {"sums": sums}}

    config = made_config(tmp_path, seeds="[0]", fractions="[0.05,0.1,0.5,1.0]")
    cells = {}
    for arm, right, hits, knn in ((PRETRAINED, 5, 4, 3.0), ("variant_one_ab", 8, 6, 7.0)):
        cells |= {fraction_name(arm, 0, fraction): counted(right) for fraction in config.fractions}
        cells |= {encoder_name(section, arm): cell for section, cell in looked(hits, knn).items()}
    results = Results(config, cells, with_real=False, variants={"one": "variant_one_ab"})
    [table] = variant_tables(results)
    assert [row[:2] for row in table.rows[:3]] == [
        ("one", "linear probe at 5%, mean IoU"),
        ("", "linear probe at 10%, mean IoU"),
        ("", "linear probe at 100%, mean IoU"),
    ]
    assert {row[2:] for row in table.rows[:3]} == {("0.800 (0.800 to 0.800)", "0.500 (0.500 to 0.500)", "0.300 (0.300 to 0.300)")}
    assert [cell[:5] for cell in table.rows[3][2:]] == ["0.700", "0.300", "0.400"]
    chance = {arm: chance_iou(results.head_runs(arm, 1, False, SIMULATED)[0]) for arm in (PRETRAINED, "variant_one_ab")}
    above = [0.6 - chance["variant_one_ab"], 0.4 - chance[PRETRAINED]]
    assert [cell[:5] for cell in table.rows[4][2:]] == [f"{value:.3f}" for value in (*above, above[0] - above[1])]

    for arm in (PRETRAINED, "variant_one_ab"):
        for part in cells[encoder_name("attention", arm)].values():
            part["a"]["union"][0][0][1] = 0
            part["a"]["hits"][0][0][1] = 0
    assert variant_tables(results)[0].rows[4][2:] == ("–", "–", "–")  # no crop shows water


def test_fine_tunings_should_run_where_the_study_says(tmp_path: Path) -> None:
    config, card = made_config(tmp_path, finetune_steps=1, device="cpu"), tiny_card(tmp_path)
    assert finetuning_settings(config, card, Finetuning(PRETRAINED, 0, 0.5, 0.001)).device == "cpu"


def test_cells_of_a_variant_should_not_be_taken_for_those_of_another_file(ready: Path) -> None:
    settings = {"seeds": "[0]", "fractions": "[1.0]", "real": ready / "absent"}
    other = save_encoder(ready / "other", tiny_card(ready))
    first, second = (study(made_config(ready, **settings, variants=f"{{one: {path}}}")) for path in (ready / "pretrain", other))
    assert first.variants["one"] != second.variants["one"]
    main, *found = (
        results.encoder_cells("embedding", arm)[0]["pca"]
        for results, arm in ((first, PRETRAINED), (first, first.variants["one"]), (second, second.variants["one"]))
    )
    assert main == found[0] != found[1]


def test_variants_that_do_not_see_the_same_should_be_refused(ready: Path, capsys: pytest.CaptureFixture[str]) -> None:
    coarse = save_encoder(ready / "coarse", tiny_card(ready, patch_px=16))
    assert run_study(ready, variants=f"{{coarse: {coarse}}}") == 2
    said = capsys.readouterr().err
    assert "The variant coarse" in said
    assert "patches of 16 px; 8 px are needed" in said
    assert not (ready / "study").exists()
    assert run_study(ready, variants=f"{{gone: {ready / 'gone'}}}") == 2
    assert "gone is not there" in capsys.readouterr().err

    main = tiny_card(ready)
    shifted = dataclasses.replace(main, bands=(dataclasses.replace(main.bands[0], mean_db=-9.0), *main.bands[1:]))
    with pytest.raises(ValueError, match=r"V has the inputs VV \(.*mean -9.*VV \(.*are needed"):
        check_comparable("V", shifted, main)
    absent = dataclasses.replace(main, bands=tuple(dataclasses.replace(band, optional=True) for band in main.bands))
    check_comparable("V", absent, main)


@pytest.mark.parametrize("name", ["main", "random", "imagenet", "a/b", "..", "Capital", "x" * 32])
def test_names_that_are_taken_or_no_file_names_should_be_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    with pytest.raises(SystemExit) as exit_info:
        parse(["study", "--out=x", "--encoder=y", "--simulated=z", f'--variants={{"{name}": "w"}}'])
    assert exit_info.value.code == 2
    assert "variants cannot be called" in capsys.readouterr().err


def test_published_weights_should_be_a_variant_of_their_own_form(ready: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(1)
    file, narrow = ready / "vit.safetensors", ready / "narrow.safetensors"
    for path, width in ((file, 64), (narrow, 48)):
        vit = VisionTransformer(img_size=64, patch_size=16, embed_dim=width, depth=3, num_heads=1, num_classes=0)
        safetensors.torch.save_file(vit.state_dict(), path)
    main = tiny_card(ready)
    encoder = published_encoder(file, main).model.encoder
    weights = safetensors.torch.load_file(file)
    for name in ("blocks.2.attn.qkv.weight", "norm.bias", "cls_token"):
        torch.testing.assert_close(encoder.state_dict()[name], weights[name], rtol=0, atol=0)
    assert encoder.patch_embed.proj.weight.shape == (64, 2, 8, 8)
    assert encoder.blocks[0].attn.num_heads == 1

    settings = {"seeds": "[0]", "fractions": "[1.0]", "real": ready / "absent"}
    results = study(made_config(ready, **settings, imagenet=file))
    assert list(results.variants) == ["imagenet"]
    [cell] = results.encoder_cells("attention", results.variants["imagenet"])
    assert np.shape(next(iter(cell["validation"].values()))["hits"]) == (3, 1, 2)
    assert run_study(ready, **settings, imagenet=narrow) == 2
    assert "width of 48; a multiple of 64" in capsys.readouterr().err
    assert run_study(ready, **settings, imagenet=ready / "none.pth") == 2
    assert "none.pth is not there" in capsys.readouterr().err


def test_fine_tuning_on_real_labels_should_never_see_those_of_the_places_held_out(ready: Path) -> None:
    settings = {**FINETUNED, "seeds": "[0]", "finetune_rates": "[0.001]", "finetune_real_folds": 3}
    config = study_of(ready, **settings)
    results = study(config)
    card = tiny_card(ready)
    places = sorted(f"{split} {n}" for split, count in (("train", 6), ("validation", 3), ("test", 3)) for n in range(count))
    for arm in (PRETRAINED, SCRATCH):
        run = Finetuning(arm, 0, 0.5, 0.001, real_folds=3)
        cell = results.cells[run.name(config)]
        assert sorted(cell["counts"][REAL]) == places
        assert np.sum(list(cell["counts"][REAL].values())) == len(places) * SIDE**2
        assert sorted(place for fold in cell["folds"] for place in fold["held_out"]) == places
        learnt_alone = open_labelled(finetuning_settings(config, card, run), draft_card(finetuning_settings(config, card, run)))
        for number, fold in enumerate(cell["folds"]):
            assert fold["learnt_from"] == sorted({f"train {n}" for n in range(6)} - set(fold["held_out"]))
            assert (fold["simulated_chips"], fold["real_chips"]) == (3, len(fold["learnt_from"]))
            used = fold_settings(config, card, run, number, fold["held_out"])
            assert json.loads((used.out / "config.json").read_text())["data"] == json.loads(
                json.dumps(dataclasses.asdict(used.data), default=str)
            )
            simulated, real = open_labelled(used, draft_card(used)).train
            assert set(real.places().tolist()) == set(fold["learnt_from"])
            np.testing.assert_array_equal(simulated.rows, learnt_alone.train[0].rows)  # those of the arm without real labels
    report = (ready / "study/report.html").read_text(encoding="utf-8")
    assert "With real labels of other places, real chips" in report
    assert "No network was fine-tuned on real labels" not in report

    with_real, without = (results.finetune_runs(PRETRAINED, 0.5, REAL, folds) for folds in (3, 0))
    less = results.difference(MEAN_IOU, with_real, without)
    assert less.value == MEAN_IOU.statistic(with_real[0]) - MEAN_IOU.statistic(without[0])
    cells = {path: path.stat().st_mtime_ns for path in (ready / "study/cells").rglob("*.json")}
    assert run_study(ready, **settings) == 0
    assert {path: path.stat().st_mtime_ns for path in cells} == cells


def test_folds_should_divide_places_and_be_fewer_where_places_are() -> None:
    places = np.array(["a", "b", "a", "c", "c", "c"])
    folds = place_folds(places, 5)
    assert len(folds) == 3
    assert [sorted(set(places[held].tolist())) for held in folds] == [["c"], ["a"], ["b"]]
    assert sorted(np.concatenate(folds).tolist()) == list(range(6))
