# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether a DINO run learns anything: what its teacher answers, how many directions its embeddings use, and whether chips
of one class lie near each other. A collapsed run looks busy otherwise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as functional
from torch import Tensor

from training.pretraining.crops import I64
from training.pretraining.data import Probe
from training.pretraining.dino import Dino, teacher_log_probability

NEIGHBOURS = 20
NEIGHBOUR_TEMPERATURE = 0.07
"""Of the k-NN check, as Caron et al. 2021 have it (section 4.1 and eval_knn.py)."""

CHIPS_AT_ONCE = 64

UNIFORM_SHARE = 0.995
"""Mean entropy of the teacher's answers over ln K, above which they say nothing."""
SAME_ANSWER_SHARE = 0.02
"""What an answer tells of which chip it was, over the most that it could tell, below which all chips get one answer."""
FLAT_RANK = 1.2
"""Effective rank of the embeddings below which all point the same way."""
CHECKS_IN_A_ROW = 2


class CollapseError(ArithmeticError):
    """The run has collapsed: what was seen, and what to change."""


@dataclass(frozen=True)
class Health:
    """Figures of one check. Entropies are in nats; `most_entropy` is ln K for K outputs of the head."""

    teacher_entropy: float
    """Mean over chips; 0: one output takes all; ln K: all are alike."""
    information: float
    """Entropy of the mean answer less the mean entropy of the answers: what an answer tells of the chip; 0 where it is the same."""
    most_information: float
    """ln of the number of outputs or of chips, whichever is smaller."""
    most_entropy: float
    centre_norm: float
    embedding_rank: float
    """RankMe of the teacher's class tokens."""
    knn_accuracy: float | None
    """Share of unseen chips whose neighbours' class is theirs. None without labels."""
    knn_chance: float | None
    """The same for answering with the commonest class of the known chips."""


@torch.no_grad()
def measure_health(dino: Dino, probe: Probe, teacher_temperature: float, bf16: bool) -> Health:
    """Runs the teacher over the probe. Raises FloatingPointError where what it answers is no number."""
    bank = embed(dino, probe.bank, bf16)
    with torch.autocast(bank.device.type, torch.bfloat16, enabled=bf16):
        logits = dino.teacher.head(bank)
    if not bool(torch.isfinite(bank).all() & torch.isfinite(logits).all()):
        raise FloatingPointError("The teacher's answers are not finite numbers")
    entropy, information = teacher_statistics(teacher_log_probability(logits, dino.centre, teacher_temperature))
    accuracy = chance = None
    if probe.bank_labels is not None and probe.queries is not None and probe.query_labels is not None:
        accuracy = knn_accuracy(bank, probe.bank_labels, embed(dino, probe.queries, bf16), probe.query_labels)
        chance = float(np.mean(probe.query_labels == np.bincount(probe.bank_labels).argmax()))
    outputs = logits.shape[-1]
    return Health(
        teacher_entropy=entropy,
        information=information,
        most_information=math.log(min(outputs, len(bank))),
        most_entropy=math.log(outputs),
        centre_norm=float(dino.centre.norm()),
        embedding_rank=rank_me(bank),
        knn_accuracy=accuracy,
        knn_chance=chance,
    )


@torch.no_grad()
def embed(dino: Dino, x: Tensor, bf16: bool) -> Tensor:
    """The teacher's class tokens, float32 [P, embed_dim], of standardised chips on any device."""
    device = dino.centre.device
    with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        return torch.cat([dino.teacher.encoder(part.to(device)).float() for part in torch.split(x, CHIPS_AT_ONCE)])


def teacher_statistics(log_probability: Tensor) -> tuple[float, float]:
    """Mean entropy of the answers [P, K], and the information that they hold about which chip was asked about, in nats."""
    log_probability = log_probability.double()
    probability = log_probability.exp()
    entropy = -(probability * log_probability).sum(dim=-1).mean()
    mean = probability.mean(dim=0)
    return float(entropy), float(-torch.xlogy(mean, mean).sum() - entropy)


def rank_me(embeddings: Tensor) -> float:
    """Effective rank of `embeddings` [P, D]: exp of the entropy of the singular values' shares (RankMe, Garrido et al. 2023,
    arXiv 2210.02885, equation 1), 1 to min(P, D).
    """
    # On the CPU: a few hundred rows, and the decomposition is not there on every device.
    values = torch.linalg.svdvals(embeddings.cpu().double())
    share = values / values.sum().clamp_min(1e-12)
    return float(torch.exp(-torch.xlogy(share, share).sum()))


def knn_accuracy(bank: Tensor, bank_labels: I64, queries: Tensor, query_labels: I64, neighbours: int = NEIGHBOURS) -> float:
    """Share of `queries` [Q, D] that the weighted vote of their nearest of `bank` [P, D], by cosine, gives their own class."""
    return float(np.mean(knn_classes(bank, bank_labels, queries, neighbours) == query_labels))


def knn_classes(bank: Tensor, bank_labels: I64, queries: Tensor, neighbours: int = NEIGHBOURS) -> I64:
    """The class [Q] that the weighted vote of their nearest of `bank` [P, D], by cosine, gives `queries` [Q, D]."""
    similarity = functional.normalize(queries, dim=-1) @ functional.normalize(bank, dim=-1).T
    near, index = similarity.topk(min(neighbours, len(bank)), dim=-1)
    classes, positions = np.unique(bank_labels, return_inverse=True)
    votes = torch.zeros(len(queries), len(classes), device=bank.device)
    votes.scatter_add_(1, torch.from_numpy(positions).to(bank.device)[index], torch.exp(near.float() / NEIGHBOUR_TEMPERATURE))
    found: I64 = classes[votes.argmax(dim=-1).cpu().numpy()]
    return found


class CollapseWatch:
    """Tells a collapse from a bad moment: it takes the same finding in some checks in a row."""

    def __init__(self) -> None:
        self._in_a_row = 0

    def verdict(self, health: Health) -> str:
        """What collapsed, as a sentence; empty while the run is well, or only the first check says otherwise."""
        finding = collapse_of(health)
        self._in_a_row = self._in_a_row + 1 if finding else 0
        return finding if self._in_a_row >= CHECKS_IN_A_ROW else ""


def collapse_of(health: Health) -> str:
    """What one check shows of a collapse, as a sentence; empty where it shows none."""
    if health.teacher_entropy > UNIFORM_SHARE * health.most_entropy:
        return (
            f"The teacher finds all outputs alike: its entropy is {health.teacher_entropy:.3f} of at most "
            f"{health.most_entropy:.3f}, so that the loss cannot fall below ln K. Lower dino.teacher_temperature."
        )
    if health.information < SAME_ANSWER_SHARE * health.most_information:
        return (
            f"The teacher answers the same for every chip: its answers tell {health.information:.4f} of "
            f"{health.most_information:.3f} nats. Lower dino.centre_momentum or learning_rate, or raise dino.teacher_temperature."
        )
    if health.embedding_rank < FLAT_RANK:
        return (
            f"The embeddings of all chips point the same way: their effective rank is {health.embedding_rank:.2f}. "
            "Lower learning_rate, or raise dino.teacher_momentum."
        )
    return ""
