# SPDX-License-Identifier: GPL-2.0-or-later
"""DINO: a student learns to say of any view of a chip what a slowly moving average of itself says of the global views.

Caron et al. 2021, "Emerging Properties in Self-Supervised Vision Transformers", arXiv 2104.14294, algorithm 1 and appendix C;
details that the paper leaves open are as in facebookresearch/dino (main_dino.py, vision_transformer.py, utils.py).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from backend.model_card import EncoderSpec
from backend.network.model import build_encoder
from training.distributed import Team
from training.pretraining.config import DinoConfig, DinoNumbers, PretrainConfig


class DinoHead(nn.Module):
    """Three layers, a bottleneck of unit length, and a last layer whose rows have unit length (weight norm, gain 1)."""

    def __init__(self, embed_dim: int, hidden_dim: int, bottleneck_dim: int, output_dim: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(embed_dim, hidden_dim),
            nn.GELU(),
            nn.Linear(hidden_dim, hidden_dim),
            nn.GELU(),
            nn.Linear(hidden_dim, bottleneck_dim),
        )
        for layer in self.mlp:
            if isinstance(layer, nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=0.02)
                nn.init.zeros_(layer.bias)
        # nn.Linear's own initialisation; only the rows' directions matter, their length sets how fast these turn.
        self.last_layer = nn.Parameter(nn.Linear(bottleneck_dim, output_dim, bias=False).weight.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        """Float32 [N, output_dim] in -1..1 of class tokens [N, embed_dim]. The last layer runs in float32: its outputs are
        divided by temperatures of a few hundredths, which bfloat16's steps of 0.004 near 1 do not survive.
        """
        x = self.mlp(x)
        with torch.autocast(x.device.type, enabled=False):
            return functional.linear(functional.normalize(x.float(), dim=-1), functional.normalize(self.last_layer, dim=-1))


class DinoNetwork(nn.Module):
    """Encoder and head."""

    def __init__(self, encoder: nn.Module, head: DinoHead) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head

    def forward(self, groups: Sequence[Tensor]) -> Tensor:
        """Outputs [N, K] of all views; each of `groups` is a batch [n, bands, s, s] of views of one size, run in one pass."""
        return cast(Tensor, self.head(torch.cat([self.encoder(group) for group in groups])))


def teacher_log_probability(logits: Tensor, centre: Tensor, temperature: float) -> Tensor:
    """Log of the teacher's distribution, centred and sharpened: log softmax((logits - centre) / temperature), [.., K]."""
    return functional.log_softmax((logits.float() - centre) / temperature, dim=-1)


def dino_loss(student_logits: Tensor, teacher_probability: Tensor, student_temperature: float) -> Tensor:
    """Mean cross-entropy over all pairs of a global view seen by the teacher and another view seen by the student.

    `student_logits` is [views, B, K], the global views first; `teacher_probability` [global views, B, K]. A view is never
    compared with itself.
    """
    student = functional.log_softmax(student_logits.float() / student_temperature, dim=-1)
    views, globals_ = len(student), len(teacher_probability)
    # For each of the teacher's views, the sum over all of the student's views but that one: two products instead of 2 (V - 1).
    others = student.sum(dim=0, keepdim=True) - student[:globals_]
    return -(teacher_probability * others).sum(dim=-1).mean(dim=-1).sum() / (globals_ * (views - 1))


def moved_centre(centre: Tensor, batch_mean: Tensor, momentum: float) -> Tensor:
    """The centre after a batch of teacher outputs (before temperature) with mean `batch_mean` [K]: equation 4 of the paper."""
    return centre * momentum + batch_mean * (1 - momentum)


@torch.no_grad()
def move_teacher(teacher: nn.Module, student: nn.Module, momentum: float) -> None:
    """Sets teacher = momentum * teacher + (1 - momentum) * student, for every parameter."""
    torch._foreach_lerp_(list(teacher.parameters()), list(student.parameters()), 1 - momentum)


@torch.no_grad()
def clip_each(parameters: Iterable[nn.Parameter], largest_norm: float) -> None:
    """Scales the gradient of each parameter tensor down to `largest_norm`, each by itself; nothing is read back from the GPU."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    scales = [(largest_norm / (norm + 1e-6)).clamp(max=1.0) for norm in torch._foreach_norm(gradients)]
    torch._foreach_mul_(gradients, scales)


def cosine(step: int, steps: int, start: float, end: float) -> float:
    """Half a cosine from `start` at step 0 towards `end` at `steps`."""
    return end + 0.5 * (start - end) * (1 + math.cos(math.pi * step / max(steps, 1)))


@dataclass(frozen=True)
class StepSettings:
    """What the schedules say for one step."""

    learning_rate: float
    weight_decay: float
    teacher_momentum: float
    teacher_temperature: float
    last_layer_frozen: bool


@dataclass(frozen=True)
class Schedules:
    """Learning rate (linear warm-up, cosine), weight decay (cosine), teacher momentum (cosine to 1), teacher temperature (linear
    warm-up, by step where the published code goes by epoch), and the last layer's freeze.
    """

    config: PretrainConfig
    numbers: DinoNumbers
    steps_per_epoch: int

    def _length(self, epochs: float, largest_share: float) -> int:
        return min(round(epochs * self.steps_per_epoch), int(largest_share * self.config.steps))

    @property
    def warmup_steps(self) -> int:
        return self._length(self.config.warmup_epochs, 0.1)

    @property
    def frozen_steps(self) -> int:
        return self._length(self.config.dino.freeze_last_layer_epochs, 0.1)

    @property
    def teacher_warmup_steps(self) -> int:
        return self._length(self.config.dino.teacher_warmup_epochs, 0.3)

    def at(self, step: int) -> StepSettings:
        """The settings of `step`, counted from 0."""
        config, numbers, steps = self.config, self.numbers, self.config.steps
        peak = config.learning_rate * config.batch_size / 256
        warmup, teacher_warmup = self.warmup_steps, self.teacher_warmup_steps
        if step < warmup:
            learning_rate = peak * step / max(warmup - 1, 1)
        else:
            learning_rate = cosine(step - warmup, steps - warmup, peak, config.final_learning_rate)
        risen = min(step / max(teacher_warmup - 1, 1), 1.0) if teacher_warmup else 1.0
        low, high = numbers.warmup_teacher_temperature, numbers.teacher_temperature
        return StepSettings(
            learning_rate=learning_rate,
            weight_decay=cosine(step, steps, config.weight_decay, config.final_weight_decay),
            teacher_momentum=cosine(step, steps, numbers.teacher_momentum, 1.0),
            teacher_temperature=low + (high - low) * risen,
            last_layer_frozen=step < self.frozen_steps,
        )


@dataclass(frozen=True)
class StepFacts:
    """Of one step, as tensors that are still on the device: the loss, and the mean entropy of the teacher's answers (nats)."""

    loss: Tensor
    teacher_entropy: Tensor


class Dino:
    """Student, teacher, centre and optimiser. Student and teacher start with the same weights; the teacher gets no gradient."""

    def __init__(
        self, spec: EncoderSpec, bands: int, drop_path: float, dino: DinoConfig, output_dim: int, device: torch.device
    ) -> None:
        def network(rate: float) -> DinoNetwork:
            head = DinoHead(spec.embed_dim, dino.hidden_dim, dino.bottleneck_dim, output_dim)
            return DinoNetwork(build_encoder(spec, bands, rate), head).to(device)

        self.settings = dino
        self.student = network(drop_path).train()
        self.teacher = network(0.0).eval().requires_grad_(False)
        self.teacher.load_state_dict(self.student.state_dict())
        self.centre = torch.zeros(output_dim, device=device)
        # Learning rate and decay are set at each step.
        self.optimizer = torch.optim.AdamW(parameter_groups(self.student), lr=0.0, fused=device.type == "cuda")

    def step(
        self, global_views: Tensor, local_views: Tensor | None, at: StepSettings, clip: float, team: Team, bf16: bool
    ) -> StepFacts:
        """One step on views ordered view by view: [2 B, bands, S, S] and [count B, bands, s, s]."""
        groups = [global_views] if local_views is None else [global_views, local_views]
        chips = len(global_views) // 2
        with torch.autocast(global_views.device.type, torch.bfloat16, enabled=bf16):
            with torch.no_grad():
                teacher_logits = self.teacher([global_views])
            student_logits = self.student(groups)
        log_probability = teacher_log_probability(teacher_logits, self.centre, at.teacher_temperature)
        probability = log_probability.exp()
        loss = dino_loss(
            student_logits.view(-1, chips, student_logits.shape[-1]),
            probability.view(2, chips, -1),
            self.settings.student_temperature,
        )
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        if at.last_layer_frozen:
            self.student.head.last_layer.grad = None
        team.average_gradients(self.student.parameters())
        if clip > 0:
            clip_each(self.student.parameters(), clip)
        for group in self.optimizer.param_groups:
            group["lr"] = at.learning_rate
            group["weight_decay"] = at.weight_decay if group["decays"] else 0.0
        self.optimizer.step()
        self.centre = moved_centre(self.centre, team.mean(teacher_logits.mean(dim=0)), self.settings.centre_momentum)
        move_teacher(self.teacher, self.student, at.teacher_momentum)
        return StepFacts(loss.detach(), -(probability * log_probability).sum(dim=-1).mean())

    def state(self) -> dict[str, Any]:
        """All that a later run needs to go on, as tensors and plain values."""
        return {
            "student": self.student.state_dict(),
            "teacher": self.teacher.state_dict(),
            "centre": self.centre,
            "optimizer": self.optimizer.state_dict(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Takes over what `state` gave."""
        self.student.load_state_dict(state["student"])
        self.teacher.load_state_dict(state["teacher"])
        self.centre.copy_(state["centre"])
        self.optimizer.load_state_dict(state["optimizer"])


def parameter_groups(network: nn.Module) -> list[dict[str, Any]]:
    """Two groups: weights decay, biases and norms do not (as published: whatever has one dimension does not)."""
    decayed = [parameter for parameter in network.parameters() if parameter.ndim > 1]
    free = [parameter for parameter in network.parameters() if parameter.ndim <= 1]
    return [{"params": decayed, "decays": True}, {"params": free, "decays": False}]
