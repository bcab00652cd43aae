# SPDX-License-Identifier: GPL-2.0-or-later
"""The parts of the study of encoders, on values that are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from backend.network.attention import QkvTap
from tests.test_training.made_stores import write_store
from tests.test_training.small_study import CROP, NOT_WATER, PATCH, TREES, WATER, half_water, made_config, made_look, tiny_card
from training.metrics import IGNORE
from training.study.attention_heads import mass_masks, overlap_cell
from training.study.crops import crop_starts, cut_crops, patch_majority
from training.study.embedding import attention_entropy, tsne_cell
from training.study.encoders import extract, random_encoder
from training.study.finetuned import count_pixels
from training.study.position import position_cell
from training.study.probes import ATTENTION, DB, TOKENS, Look, ProbeKind, nested_chips, probe_cell
from training.study.results import (
    ABOVE_CHANCE,
    CHANCE,
    MEAN_IOU,
    OVERLAP,
    PRETRAINED,
    SCRATCH,
    SIMULATED,
    PlaceCounts,
    PlaceOverlap,
    Results,
    chosen_rate,
    encoder_name,
    tuning_runs,
)
from training.study.rollout import class_token_rollout


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
    [found] = overlap_cell(made_look(labels).crops, attention, classes=2).values()
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
    store = write_store(tmp_path / "simulated", {"test": [half_water(0, "a")]})
    card = tiny_card(tmp_path)
    encoder = random_encoder(card, 1)
    crops = cut_crops([store["test"]], made_config(tmp_path), card, 2, None)
    found = extract(encoder, crops)
    prediction = encoder.model(torch.from_numpy(crops.x), want_tokens=True)
    np.testing.assert_allclose(found.tokens, prediction.tokens.flatten(2).transpose(1, 2), atol=1e-5)
    np.testing.assert_allclose(found.attention[:, -1], prediction.attention.flatten(2), atol=1e-5)
    assert Look(crops, found).matrix(ATTENTION, np.array([0]), np.array([3])).shape == (1, 2)


def test_labels_of_pixels_should_be_those_of_the_store_where_there_are_data(tmp_path: Path) -> None:
    db, labels, line = half_water(0, "a")
    db[:, :2] = np.nan
    labels[5, 5] = 0
    store = write_store(tmp_path / "simulated", {"test": [(db, labels, line)]})
    first = cut_crops([store["test"]], made_config(tmp_path), tiny_card(tmp_path), 2, None).pixel_labels[0]
    expected = np.ones((CROP, CROP), np.uint8)  # water is the second class
    expected[:2] = expected[5, 5] = IGNORE
    np.testing.assert_array_equal(first, expected)


@pytest.mark.parametrize("registers", [0, 4])
def test_rollout_should_be_the_product_of_whole_attention_matrices(registers: int) -> None:
    """Against the definition, matrix by matrix in float64, from the blocks' own inputs."""
    from timm.models.vision_transformer import VisionTransformer

    torch.manual_seed(0)
    heads, depth = 2, 3
    vit = VisionTransformer(
        img_size=32, patch_size=8, in_chans=2, num_classes=0, embed_dim=16, depth=depth, num_heads=heads, reg_tokens=registers
    ).eval()
    for parameter in vit.parameters():
        parameter.data += 0.5 * torch.randn_like(parameter)  # so that attention is far from even
    inputs: list[torch.Tensor] = []
    for block in vit.blocks:
        block.attn.register_forward_pre_hook(lambda _module, args: inputs.append(args[0]))
    taps = [QkvTap(block.attn.qkv) for block in vit.blocks]
    valid = torch.ones(3, 16, dtype=torch.bool)
    valid[1, 5:9] = False
    with torch.no_grad(), taps[0], taps[1], taps[2]:
        vit(torch.randn(3, 2, 32, 32))
        found = class_token_rollout([tap.value() for tap in taps], heads, 1 + registers, valid).numpy()

    for crop in range(3):
        tokens = 1 + registers + 16
        product = np.eye(tokens)
        for block, given in zip(vit.blocks, inputs, strict=True):
            weight, bias = (part.detach().double().numpy() for part in (block.attn.qkv.weight, block.attn.qkv.bias))
            query, key, _ = np.split(given[crop].double().numpy() @ weight.T + bias, 3, axis=1)
            mean = np.zeros((tokens, tokens))
            for head in range(heads):
                part = slice(head * 8, head * 8 + 8)
                for row in range(tokens):
                    scores = np.exp([query[row, part] @ key[column, part] / 8**0.5 for column in range(tokens)])
                    mean[row] += scores / scores.sum() / heads
            with_residual = mean + np.eye(tokens)
            product = (with_residual / with_residual.sum(axis=1, keepdims=True)) @ product
        expected = np.where(valid[crop].numpy(), product[0, 1 + registers :], 0.0)
        expected *= valid[crop].sum().item() / expected.sum()
        assert expected.max() > 1.3
        np.testing.assert_allclose(found[crop], expected, rtol=1e-4, atol=1e-6)


def test_rollout_of_features_should_be_of_all_blocks(tmp_path: Path) -> None:
    store = write_store(tmp_path / "simulated", {"test": [half_water(0, "a")]})
    card = tiny_card(tmp_path)
    crops = cut_crops([store["test"]], made_config(tmp_path), card, 2, None)
    rollout = extract(random_encoder(card, 1), crops).rollout
    assert rollout.shape == crops.patch_labels.shape
    np.testing.assert_allclose(rollout.mean(axis=1), 1.0, rtol=1e-5)


def test_position_should_explain_what_it_determines_and_nothing_else() -> None:
    rng = np.random.default_rng(0)
    labels = np.zeros((400, 16), np.int64)
    where, what = rng.normal(0, 1, (1, 16, 3)), rng.normal(0, 1, (400, 16, 3))

    def explained(tokens: np.ndarray, hidden: int = 0) -> float:
        look = made_look(labels, tokens.astype(np.float32))
        look.crops.patch_valid[:, :hidden] = False
        cell = position_cell(look)
        assert (cell["crops"], cell["tokens"]) == (400, 400 * (16 - hidden))
        above, below = np.sum(list(cell["sums"].values()), axis=0)
        return float(above / below)

    assert explained(np.broadcast_to(where, what.shape)) == pytest.approx(1.0, abs=1e-5)
    assert explained(what) < 0.01
    tokens = where + what
    whole = tokens[:, 4:].reshape(-1, 3)
    left = np.concatenate([tokens[:, p] - tokens[:, p].mean(axis=0) for p in range(4, 16)])
    assert explained(tokens, hidden=4) == pytest.approx(1 - (left**2).sum() / ((whole - whole.mean(axis=0)) ** 2).sum(), rel=1e-4)


def test_t_sne_should_keep_groups_apart_and_mark_what_is_real() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([[0], [1]], 20, axis=0).repeat(4, axis=1)
    tokens = np.where(labels[..., None] == 0, [9.0, 0.0, 0.0], [0.0, 9.0, 0.0]) + rng.normal(0, 1, (40, 4, 3))
    simulated, real = (made_look(labels, (tokens + shift).astype(np.float32)) for shift in (0.0, 0.1))
    points = np.array(tsne_cell(simulated, real)["points"])
    assert points.shape == (80, 4)
    np.testing.assert_array_equal(points[:, 3], np.repeat([0, 1], 40))
    distance = np.linalg.norm(points[:, None, :2] - points[None, :, :2], axis=-1)
    np.fill_diagonal(distance, np.inf)
    np.testing.assert_array_equal(points[distance.argmin(axis=1), 2], points[:, 2])


def test_pixels_of_a_fine_tuned_network_should_be_counted_by_place() -> None:
    labels = np.array([[0, 0, 1, IGNORE], [1, 1, 1, 1], [0, 0, 0, 0]])
    crops = made_look(labels).crops
    crops.places[2] = crops.places[0]

    class Bright(torch.nn.Module):
        def forward(self, x: torch.Tensor, want_attention: bool):
            from backend.network.model import Prediction

            assert not want_attention
            return Prediction(torch.stack([torch.zeros_like(x[:, 0]), x[:, 0]], dim=1), None)

    found = count_pixels(Bright(), crops, classes=2)
    expected = {str(place): np.zeros((2, 2), np.int64) for place in crops.places}
    for number in range(3):
        for row in range(2 * PATCH):
            for column in range(2 * PATCH):
                truth = crops.pixel_labels[number, row, column]
                if truth != IGNORE:
                    expected[str(crops.places[number])][truth, int(crops.x[number, 0, row, column] > 0)] += 1
    assert found == {place: counts.tolist() for place, counts in expected.items()}
    assert sum(map(np.sum, found.values())) == 11 * PATCH**2


def test_learning_rates_should_be_chosen_for_each_beginning_on_validation_chips(tmp_path: Path) -> None:
    config = made_config(tmp_path, finetune_steps=2, finetune_rates="[0.1,0.2]")
    values = {(PRETRAINED, 0.1): 0.5, (PRETRAINED, 0.2): 0.4, (SCRATCH, 0.1): None, (SCRATCH, 0.2): 0.1}
    cells = {run.name(config): {"validation": {"mean_iou": values[run.arm, run.rate]}} for run in tuning_runs(config)}
    assert len(cells) == 4
    assert all("seed0_10percent" in name for name in cells)
    assert (chosen_rate(config, cells, PRETRAINED), chosen_rate(config, cells, SCRATCH)) == (0.1, 0.2)
