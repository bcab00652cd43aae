# SPDX-License-Identifier: GPL-2.0-or-later
"""DINO's loss, centre, schedules and teacher against plain NumPy loops; what must not learn does not."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.model_card import EncoderSpec
from training.distributed import Team
from training.pretraining.config import ChipSourceConfig, DinoConfig, EncoderConfig, PretrainConfig, dino_numbers
from training.pretraining.dino import (
    Dino,
    DinoHead,
    Schedules,
    clip_each,
    dino_loss,
    move_teacher,
    moved_centre,
    teacher_log_probability,
)

ALONE = Team(0, 1)
CPU = torch.device("cpu")
SMALL = DinoConfig(hidden_dim=24, bottleneck_dim=8)


def config(**changes: object) -> PretrainConfig:
    return dataclasses.replace(PretrainConfig(Path("run"), ChipSourceConfig((Path("chips"),))), **changes)


def make_dino(drop_path: float = 0.0, registers: int = 0) -> Dino:
    torch.manual_seed(3)
    spec = EncoderSpec(embed_dim=16, depth=2, num_heads=2, patch_px=8, position_grid=4, register_tokens=registers)
    return Dino(spec, 2, drop_path, SMALL, 12, CPU)


def views(chips: int = 3, count: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(5)
    return torch.randn(2 * chips, 2, 32, 32, generator=generator), torch.randn(count * chips, 2, 16, 16, generator=generator)


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max())
    return e / e.sum()


def test_loss_should_match_a_plain_sum_over_pairs_of_views() -> None:
    rng = np.random.default_rng(0)
    count, chips, outputs = 5, 4, 7
    student = rng.normal(size=(count, chips, outputs)).astype(np.float32)
    teacher = rng.normal(size=(2, chips, outputs)).astype(np.float32)
    centre = rng.normal(size=outputs).astype(np.float32)
    total, terms = 0.0, 0
    for t in range(2):
        for s in range(count):
            if s == t:
                continue
            for b in range(chips):
                q = softmax((teacher[t, b].astype(np.float64) - centre) / 0.05)
                p = softmax(student[s, b].astype(np.float64) / 0.1)
                total -= float((q * np.log(p)).sum()) / chips
            terms += 1
    probability = teacher_log_probability(torch.from_numpy(teacher), torch.from_numpy(centre), 0.05).exp()
    found = dino_loss(torch.from_numpy(student), probability, 0.1)
    assert float(found) == pytest.approx(total / terms, rel=1e-5)


def test_loss_without_local_views_should_compare_the_two_global_ones() -> None:
    logits = torch.randn(2, 3, 6, generator=torch.Generator().manual_seed(1))
    q = logits.softmax(-1)
    log_p = (logits / 0.1).log_softmax(-1)
    expected = -((q[0] * log_p[1]).sum(-1).mean() + (q[1] * log_p[0]).sum(-1).mean()) / 2
    assert float(dino_loss(logits, q, 0.1)) == pytest.approx(float(expected), rel=1e-5)


def test_centre_should_follow_the_batch_mean() -> None:
    rng = np.random.default_rng(1)
    centre = np.zeros(4)
    found = torch.zeros(4)
    for _ in range(6):
        batch = rng.normal(size=(5, 4)).astype(np.float32)
        centre = 0.9 * centre + 0.1 * batch.mean(0)
        found = moved_centre(found, torch.from_numpy(batch).mean(0), 0.9)
    np.testing.assert_allclose(found.numpy(), centre, atol=1e-6)


def test_teacher_should_be_the_moving_average_of_the_student() -> None:
    dino = make_dino()
    before = {name: p.clone().numpy() for name, p in dino.teacher.named_parameters()}
    with torch.no_grad():
        for p in dino.student.parameters():
            p.add_(torch.randn(p.shape, generator=torch.Generator().manual_seed(2)))
    move_teacher(dino.teacher, dino.student, 0.97)
    student = dict(dino.student.named_parameters())
    for name, p in dino.teacher.named_parameters():
        expected = 0.97 * before[name] + 0.03 * student[name].detach().numpy()
        np.testing.assert_allclose(p.numpy(), expected, atol=1e-6)


def test_schedules_should_match_the_published_ones() -> None:
    """Written out as facebookresearch/dino computes them: whole arrays by linspace and cosine."""
    made = config(steps=1000, batch_size=128, dino=DinoConfig(teacher_warmup_epochs=20, teacher_temperature=0.07))
    schedules = Schedules(made, dino_numbers(made.dino, 20_000), steps_per_epoch=10)
    peak = 5e-4 * 128 / 256
    iterations = np.arange(900)
    learning_rate = np.concatenate([np.linspace(0, peak, 100), 1e-6 + 0.5 * (peak - 1e-6) * (1 + np.cos(np.pi * iterations / 900))])
    decay = 0.4 + 0.5 * (0.04 - 0.4) * (1 + np.cos(np.pi * np.arange(1000) / 1000))
    momentum = 1 + 0.5 * (0.99 - 1) * (1 + np.cos(np.pi * np.arange(1000) / 1000))
    temperature = np.concatenate([np.linspace(0.04, 0.07, 200), np.full(800, 0.07)])
    found = [schedules.at(step) for step in range(1000)]
    np.testing.assert_allclose([at.learning_rate for at in found], learning_rate, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose([at.weight_decay for at in found], decay, rtol=1e-9)
    np.testing.assert_allclose([at.teacher_momentum for at in found], momentum, rtol=1e-9)
    np.testing.assert_allclose([at.teacher_temperature for at in found], temperature, rtol=1e-9)
    assert [at.last_layer_frozen for at in found] == [True] * 10 + [False] * 990


def test_warm_ups_should_be_held_to_their_share_of_a_short_run() -> None:
    made = config(steps=50)
    schedules = Schedules(made, dino_numbers(made.dino, 1000), steps_per_epoch=1000)
    assert (schedules.warmup_steps, schedules.frozen_steps, schedules.teacher_warmup_steps) == (5, 5, 15)


@pytest.mark.parametrize(
    ("chips", "output_dim", "temperature", "warmup", "momentum"),
    [(500, 1024, 0.02, 0.02, 0.99), (50_000, 2048, 0.021, 0.02, 0.9901), (1_281_167, 65_536, 0.07, 0.04, 0.996)],
)
def test_numbers_should_follow_the_size_of_the_data_set(
    chips: int, output_dim: int, temperature: float, warmup: float, momentum: float
) -> None:
    numbers = dino_numbers(DinoConfig(), chips)
    assert (numbers.output_dim, numbers.teacher_temperature) == (output_dim, temperature)
    assert (numbers.warmup_teacher_temperature, numbers.teacher_momentum) == (warmup, momentum)
    given = dino_numbers(DinoConfig(output_dim=77, teacher_temperature=0.05, teacher_momentum=0.5), chips)
    assert (given.output_dim, given.teacher_temperature, given.teacher_momentum) == (77, 0.05, 0.5)


def test_gradients_should_be_clipped_each_by_itself() -> None:
    rng = np.random.default_rng(4)
    gradients = [rng.normal(size=shape) * size for shape, size in [((5, 4), 10.0), ((6,), 0.1), ((3, 2, 2), 4.0)]]
    parameters = [torch.nn.Parameter(torch.zeros(g.shape)) for g in gradients]
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = torch.from_numpy(gradient.astype(np.float32))
    parameters.append(torch.nn.Parameter(torch.zeros(2)))  # reached by no loss
    clip_each(parameters, 3.0)
    for parameter, gradient in zip(parameters, gradients, strict=False):
        expected = gradient * min(1.0, 3.0 / (np.linalg.norm(gradient) + 1e-6))
        np.testing.assert_allclose(parameter.grad.numpy(), expected, rtol=1e-5)
    assert parameters[-1].grad is None


@pytest.mark.parametrize("registers", [0, 4])
def test_views_of_one_size_should_go_through_together_as_they_do_one_by_one(registers: int) -> None:
    dino = make_dino(registers=registers)
    large, small = views()
    with torch.no_grad():
        together = dino.student([large, small])
        alone = torch.cat([dino.student([view[None]]) for group in (large, small) for view in group])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


def test_last_layer_should_be_weight_normalised() -> None:
    torch.manual_seed(0)
    head = DinoHead(16, 24, 8, 12)
    x = torch.randn(5, 16)
    logits = head(x)
    features = head.mlp(x).detach().numpy()
    weight = head.last_layer.detach().numpy()
    expected = (features / np.linalg.norm(features, axis=1, keepdims=True)) @ (
        weight / np.linalg.norm(weight, axis=1, keepdims=True)
    ).T
    np.testing.assert_allclose(logits.detach().numpy(), expected, atol=1e-5)
    with torch.no_grad():
        head.last_layer *= 7.0
    torch.testing.assert_close(head(x), logits, atol=1e-5, rtol=1e-5)


def test_last_layer_and_loss_should_stay_in_float32_under_bf16() -> None:
    dino = make_dino()
    with torch.autocast("cpu", torch.bfloat16):
        logits = dino.student(list(views()))
    assert logits.dtype == torch.float32
    assert teacher_log_probability(logits.bfloat16(), dino.centre, 0.04).dtype == torch.float32


def run_steps(dino: Dino, made: PretrainConfig, steps: range, bf16: bool = False) -> list[float]:
    schedules = Schedules(made, dino_numbers(made.dino, 1000), steps_per_epoch=2)
    large, small = views()
    return [float(dino.step(large, small, schedules.at(step), 3.0, ALONE, bf16).loss) for step in steps]


def test_teacher_should_get_no_gradient_and_follow_the_student_all_the_same() -> None:
    dino = make_dino(drop_path=0.2)
    before = [p.clone() for p in dino.teacher.parameters()]
    run_steps(dino, config(steps=40), range(10, 13))
    assert all(p.grad is None and not p.requires_grad for p in dino.teacher.parameters())
    assert all(p.grad is not None for p in dino.student.parameters())
    assert not dino.teacher.training, "no drop path in the teacher"
    assert max(float((a - b).abs().max()) for a, b in zip(before, dino.teacher.parameters(), strict=True)) > 0


def test_last_layer_should_be_frozen_at_first_and_then_learn() -> None:
    dino = make_dino()
    made = config(steps=40)  # two steps an epoch: the first two are frozen
    before = dino.student.head.last_layer.detach().clone()
    first = dino.student.head.mlp[0].weight.detach().clone()
    run_steps(dino, made, range(2))
    assert torch.equal(dino.student.head.last_layer, before)
    assert not torch.equal(dino.student.head.mlp[0].weight, first)
    run_steps(dino, made, range(2, 4))
    assert not torch.equal(dino.student.head.last_layer, before)


def test_weights_should_decay_and_biases_and_norms_should_not() -> None:
    dino = make_dino()
    made = config(steps=40, learning_rate=0.1)
    run_steps(dino, made, range(20, 21))
    for group in dino.optimizer.param_groups:
        assert group["weight_decay"] == (pytest.approx(0.22) if group["decays"] else 0.0)
        assert {p.ndim > 1 for p in group["params"]} == {group["decays"]}
    names = {id(p): name for name, p in dino.student.named_parameters()}
    free = {names[id(p)] for p in dino.optimizer.param_groups[1]["params"]}
    assert free == {name for name in names.values() if name.endswith(".bias") or "norm" in name}


def test_student_should_learn_to_tell_chips_apart() -> None:
    dino = make_dino()
    generator = torch.Generator().manual_seed(7)
    levels = torch.tensor([[1.0, -1.0], [-1.0, 1.0], [1.0, 1.0]])[:, :, None, None]  # the chips differ by their bands' levels
    made = config(steps=150, learning_rate=0.1, batch_size=3)
    schedules = Schedules(made, dino_numbers(made.dino, 1000), steps_per_epoch=10)
    losses = []
    for step in range(150):
        large = levels.repeat(2, 1, 1, 1) + 0.5 * torch.randn(6, 2, 32, 32, generator=generator)
        small = levels.repeat(4, 1, 1, 1) + 0.5 * torch.randn(12, 2, 16, 16, generator=generator)
        losses.append(float(dino.step(large, small, schedules.at(step), 3.0, ALONE, False).loss))
    assert np.mean(losses[-10:]) < 0.1 * np.mean(losses[:10])
    with torch.no_grad():
        answers = (dino.teacher([large]) - dino.centre).view(2, 3, -1).argmax(-1)
    assert torch.equal(answers[0], answers[1]), "both global views of a chip get one answer"
    assert len(set(answers[0].tolist())) > 1, "chips do not all get the same"


def test_bf16_step_should_be_near_the_float32_one() -> None:
    made = config(steps=40)
    exact, rounded = (run_steps(make_dino(), made, range(10, 14), bf16) for bf16 in (False, True))
    assert rounded[0] == pytest.approx(exact[0], rel=0.02)
    np.testing.assert_allclose(rounded, exact, rtol=0.1)


def test_config_should_name_all_problems_at_once() -> None:
    with pytest.raises(ValueError, match=r"data.stores.*patch_px must be 8 or 16.*precision must be") as caught:
        PretrainConfig(Path("run"), ChipSourceConfig(()), encoder=EncoderConfig(patch_px=12), precision="fp16")
    assert str(caught.value).count(";") == 2
