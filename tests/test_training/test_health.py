# SPDX-License-Identifier: GPL-2.0-or-later
"""The health check's figures against plain versions, and collapses made on purpose."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch

from backend.model_card import EncoderSpec
from training.pretraining.config import DinoConfig
from training.pretraining.data import Probe
from training.pretraining.dino import Dino
from training.pretraining.health import CollapseWatch, collapse_of, knn_accuracy, measure_health, rank_me, teacher_statistics

CHIPS = 40


def make_dino() -> Dino:
    torch.manual_seed(1)
    spec = EncoderSpec(embed_dim=32, depth=2, num_heads=2, patch_px=8, position_grid=2)
    return Dino(spec, 2, 0.0, DinoConfig(hidden_dim=24, bottleneck_dim=16), 20, torch.device("cpu"))


def make_probe() -> Probe:
    """Chips of four classes that differ by the levels of their bands."""
    rng = np.random.default_rng(0)
    levels = np.array([[2, -2], [-2, 2], [2, 2], [-2, -2]], dtype=np.float32)
    labels = rng.integers(0, 4, 2 * CHIPS)
    x = torch.from_numpy(levels[labels][:, :, None, None] + rng.normal(0, 0.3, (2 * CHIPS, 2, 16, 16)).astype(np.float32))
    return Probe(x[:CHIPS], 10 * labels[:CHIPS] + 10, x[CHIPS:], 10 * labels[CHIPS:] + 10)


def well_centred() -> Dino:
    """A random teacher whose centre has found its outputs, as it does in the first tens of steps."""
    dino = make_dino()
    with torch.no_grad():
        dino.centre = dino.teacher([make_probe().bank]).mean(dim=0)
    return dino


def test_rank_should_match_its_formula_and_its_bounds() -> None:
    rng = np.random.default_rng(0)
    embeddings = rng.normal(size=(30, 8)) * np.geomspace(1, 0.01, 8)
    values = np.linalg.svd(embeddings, compute_uv=False)
    share = values / values.sum()
    assert rank_me(torch.from_numpy(embeddings)) == pytest.approx(math.exp(-(share * np.log(share)).sum()), rel=1e-9)
    assert rank_me(torch.eye(6)) == pytest.approx(6.0)
    assert rank_me(torch.ones(10, 4)) == pytest.approx(1.0, abs=1e-6)


def test_teacher_statistics_should_tell_the_three_kinds_of_answers_apart() -> None:
    alike = torch.full((5, 8), 1 / 8).log()
    assert teacher_statistics(alike) == pytest.approx((math.log(8), 0.0), abs=1e-6)
    one_for_all = torch.full((5, 8), -1e4)
    one_for_all[:, 3] = 0.0
    assert teacher_statistics(one_for_all) == pytest.approx((0.0, 0.0), abs=1e-6)
    each_its_own = torch.full((5, 8), -1e4)
    each_its_own[torch.arange(5), torch.arange(5)] = 0.0
    assert teacher_statistics(each_its_own) == pytest.approx((0.0, math.log(5)), abs=1e-6)


def test_knn_should_match_a_plain_vote() -> None:
    rng = np.random.default_rng(2)
    bank, queries = rng.normal(size=(50, 6)), rng.normal(size=(30, 6))
    bank_labels, query_labels = rng.integers(1, 4, 50) * 10, rng.integers(1, 4, 30) * 10
    hits = 0
    for query, label in zip(queries, query_labels, strict=True):
        similarity = [float(query @ other / np.linalg.norm(query) / np.linalg.norm(other)) for other in bank]
        votes: dict[int, float] = {}
        for index in sorted(range(50), key=lambda i: -similarity[i])[:7]:
            votes[int(bank_labels[index])] = votes.get(int(bank_labels[index]), 0.0) + math.exp(similarity[index] / 0.07)
        hits += max(votes, key=lambda name: votes[name]) == label
    assert knn_accuracy(torch.from_numpy(bank), bank_labels, torch.from_numpy(queries), query_labels, 7) == pytest.approx(hits / 30)


def test_healthy_run_should_not_be_called_collapsed() -> None:
    health = measure_health(well_centred(), make_probe(), 0.02, bf16=False)
    assert collapse_of(health) == ""
    assert health.knn_accuracy is not None
    assert health.knn_accuracy > 0.9, "the classes lie apart in the input already"
    assert health.knn_chance is not None
    assert health.knn_chance < 0.5
    assert health.most_entropy == pytest.approx(math.log(20))


def test_answers_that_are_all_alike_should_be_called_a_collapse() -> None:
    dino = make_dino()
    with torch.no_grad():
        dino.teacher.head.last_layer[:] = dino.teacher.head.last_layer[0]
    health = measure_health(dino, make_probe(), 0.02, bf16=False)
    assert health.teacher_entropy == pytest.approx(math.log(20), abs=1e-4)
    assert "all outputs alike" in collapse_of(health)


def test_one_answer_for_all_chips_should_be_called_a_collapse() -> None:
    dino = make_dino()
    dino.centre[:] = 100.0
    dino.centre[4] = 0.0  # a centre that stopped following: one output always wins
    health = measure_health(dino, make_probe(), 0.02, bf16=False)
    assert health.teacher_entropy == pytest.approx(0.0, abs=1e-4)
    assert "the same for every chip" in collapse_of(health)


def test_embeddings_on_one_line_should_be_called_a_collapse() -> None:
    health = measure_health(well_centred(), make_probe(), 0.02, bf16=False)
    assert "effective rank is 1.05" in collapse_of(dataclasses.replace(health, embedding_rank=1.05))


def test_watch_should_wait_for_a_second_finding_in_a_row() -> None:
    well = measure_health(well_centred(), make_probe(), 0.02, bf16=False)
    ill = dataclasses.replace(well, information=0.0)
    watch = CollapseWatch()
    assert [bool(watch.verdict(health)) for health in (ill, well, ill, ill, ill, well)] == [False, False, False, True, True, False]
