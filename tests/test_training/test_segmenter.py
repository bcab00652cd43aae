# SPDX-License-Identifier: GPL-2.0-or-later
"""What learns, how fast, and with which weight."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from backend.network.model import build_model
from training.card import draft_card
from training.distributed import ALONE
from training.finetuning.config import FinetuneConfig, LabelledDataConfig, NetworkConfig, StoreConfig
from training.finetuning.labelled_data import LabelledData
from training.finetuning.segmenter import Segmenter, freeze, layer_of, loss_weights, parameter_groups

CPU = torch.device("cpu")


class Shares(LabelledData):
    """Labels in given shares; no chips are needed to weigh them."""

    def label_shares(self) -> np.ndarray:
        return np.array([0.5, 0.125, 0.125, 0.25])


DATA = Shares(np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0]], dtype=bool), (), (), (), "")


def config_for(**more: Any) -> FinetuneConfig:
    network = NetworkConfig(embed_dim=16, depth=3, num_heads=2, window_px=32, decoder_blocks=(2,), decoder_width=8, skip_width=4)
    data = LabelledDataConfig((StoreConfig(Path("x")),), crop_px=32, classes=(10, 30, 80))
    return FinetuneConfig(Path("x"), data, network=network, precision="fp32", **more)


def trained(config: FinetuneConfig, steps: int = 2) -> tuple[dict[str, torch.Tensor], Segmenter]:
    """Weights before, and the segmenter after some steps."""
    torch.manual_seed(0)
    segmenter = Segmenter(build_model(draft_card(config)), config, DATA, CPU)
    before = {name: tensor.clone() for name, tensor in segmenter.model.state_dict().items()}
    x = torch.randn(4, 2, 32, 32)
    target = torch.randint(0, 4, (4, 32, 32))
    for step in range(steps):
        segmenter.step(x, target, step, 1e-3, ALONE)
    return before, segmenter


@pytest.mark.parametrize(
    ("train_blocks", "learn"), [(-1, {"patch", "0", "1", "2", "norm"}), (0, {"norm"} - {"norm"}), (2, {"1", "2"})]
)
def test_only_the_last_blocks_should_learn_when_asked(train_blocks: int, learn: set[str]) -> None:
    before, segmenter = trained(config_for(train_blocks=train_blocks))
    after = segmenter.model.state_dict()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert any(name.startswith("decoder.") for name in moved)
    assert {name.split(".")[2] for name in moved if name.startswith("encoder.blocks.")} == learn & {"0", "1", "2"}
    assert ("encoder.patch_embed.proj.weight" in moved) == ("patch" in learn)


def test_frozen_blocks_should_not_drop_paths_but_learning_ones_should() -> None:
    model = build_model(draft_card(config_for()), 0.5)
    frozen = freeze(model, 1)
    assert model.encoder.blocks[2] not in frozen
    assert {id(part) for part in frozen} == {id(part) for part in (model.encoder.patch_embed, *model.encoder.blocks[:2])}


def test_learning_rate_should_fall_from_the_decoder_down() -> None:
    model = build_model(draft_card(config_for()))
    scales = {}
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    for group in parameter_groups(model, 0.05, 0.5):
        for parameter in group["params"]:
            scales[names[id(parameter)]] = group["rate_scale"]
            plain = parameter.ndim < 2 or names[id(parameter)].endswith(("pos_embed", "cls_token"))
            assert group["weight_decay"] == (0.0 if plain else 0.05)
    assert len(scales) == len(names)
    assert scales["decoder.classify.weight"] == 1
    assert [scales[f"encoder.blocks.{block}.mlp.fc1.weight"] for block in (2, 1, 0)] == [0.5, 0.25, 0.125]
    assert scales["encoder.patch_embed.proj.weight"] == scales["encoder.pos_embed"] == 0.0625
    assert layer_of("encoder.norm.weight", 3) == 4


def test_rate_of_a_step_should_reach_each_group() -> None:
    _, segmenter = trained(config_for(layer_decay=0.5))
    assert {group["lr"] for group in segmenter.optimizer.param_groups} == {1e-3 * 0.5**power for power in range(5)} - {
        1e-3 * 0.5**5
    }


def test_average_should_follow_the_weights() -> None:
    _, plain = trained(config_for(ema_decay=0.0))
    for name, tensor in plain.model.state_dict().items():
        assert torch.equal(tensor, plain.averaged.state_dict()[name])
    before, slow = trained(config_for(ema_decay=0.998), steps=1)
    weight = "decoder.classify.weight"
    expected = before[weight].lerp(slow.model.state_dict()[weight], 0.9)  # decay (1 + 0) / (10 + 0)
    torch.testing.assert_close(slow.averaged.state_dict()[weight], expected)


def test_weights_should_make_rare_classes_count_more_and_average_to_one() -> None:
    assert loss_weights(config_for(), DATA, CPU) is None
    given = loss_weights(config_for(class_weights=(1, 2, 4)), DATA, CPU).numpy()
    np.testing.assert_allclose(given[1:3] / given[0], [2, 4], rtol=1e-6)
    np.testing.assert_allclose(given @ DATA.label_shares(), 1, rtol=1e-6)
    balanced = loss_weights(config_for(balance_classes=1.0), DATA, CPU).numpy()
    # A quarter of the pixels are one of the first two classes: an eighth for each.
    np.testing.assert_allclose(balanced[:3] / balanced[0], [1, 0.625 / 0.25, 0.625 / 0.125], rtol=1e-6)
    np.testing.assert_allclose(balanced @ DATA.label_shares(), 1, rtol=1e-6)


def test_training_should_learn_a_threshold() -> None:
    config = config_for(ema_decay=0.0)
    torch.manual_seed(0)
    segmenter = Segmenter(build_model(draft_card(config)), config, DATA, CPU)
    x = torch.randn(8, 2, 32, 32)
    target = (x[:, 0] > 0).long() * 2
    losses = [float(segmenter.step(x, target, step, 1e-2, ALONE)) for step in range(30)]
    assert losses[-1] < 0.5 * losses[0]
