# SPDX-License-Identifier: GPL-2.0-or-later
"""The space of class tokens: neighbours, clusters by class and by place, and artefacts of tokens and attention."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.metrics import silhouette_samples

from training.metrics import IGNORE
from training.pretraining.health import knn_classes
from training.simulation.fields import F32
from training.study.crops import I64, BoolArray
from training.study.probes import Look

OUTLIER = 2.0
"""Tokens longer than this many times the median of their set are outliers (compare Darcet et al. 2023, arXiv 2309.16588)."""
PLOTTED = 400
PERPLEXITY = 30.0
"""Of the t-SNE, where there are points enough."""

Sums = dict[str, list[float]]
"""Of each place a sum and how many were summed: means of places that are drawn follow from it."""


def embedding_cell(train: Look, queries: list[Look], test: Look, real: Look | None) -> dict[str, Any]:
    """Each figure as sums by place. `queries` are simulated crops that no encoder has seen."""
    bank, bank_classes, _ = classed(train)
    found: dict[str, Any] = {"bank": len(bank)}
    sums: dict[str, Sums] = {}
    parts = [classed(look) for look in queries]
    asked, answers, places = (np.concatenate([part[number] for part in parts]) for number in range(3))
    sums["simulated: k-NN accuracy"] = _sums(_neighbours(bank, bank_classes, asked) == answers, places)
    sums["simulated: the commonest class"] = _sums(answers == np.bincount(bank_classes).argmax(), places)
    sums |= {f"simulated: {name}": value for name, value in _space(test).items()}
    if real is not None:
        asked, answers, places = classed(real)
        sums["real, neighbours simulated: k-NN accuracy"] = _sums(_neighbours(bank, bank_classes, asked) == answers, places)
        right = np.zeros(len(answers), dtype=np.bool_)
        common = np.zeros(len(answers), dtype=np.bool_)
        for place in np.unique(places) if len(np.unique(places)) > 1 else ():
            here = places == place
            right[here] = _neighbours(asked[~here], answers[~here], asked[here]) == answers[here]
            common[here] = np.bincount(answers[~here]).argmax() == answers[here]
        sums["real, neighbours of other places: k-NN accuracy"] = _sums(right, places)
        sums["real, the commonest class of other places"] = _sums(common, places)
        sums |= {f"real: {name}": value for name, value in _space(real).items()}
    found["sums"] = sums
    found["pca"] = _pca(test, real)
    return found


def classed(look: Look) -> tuple[F32, I64, npt.NDArray[Any]]:
    """Class tokens [n, D], classes [n] and places [n] of the crops that have a class."""
    classes = look.crops.classes()
    kept = classes != IGNORE
    return look.features.class_tokens[kept], classes[kept], look.crops.places[kept]


def _neighbours(bank: F32, bank_classes: I64, queries: F32) -> I64:
    return knn_classes(torch.from_numpy(bank), bank_classes, torch.from_numpy(queries))


def _space(look: Look) -> dict[str, Sums]:
    tokens, classes, places = classed(look)
    found = {}
    for name, groups in (("class", classes), ("place", places)):
        if 1 < len(np.unique(groups)) < len(groups):
            found[f"silhouette by {name}"] = _sums(silhouette_samples(tokens, groups, metric="cosine"), places)
    valid = look.crops.patch_valid
    norms = look.features.norms
    outliers = (norms > OUTLIER * np.median(norms[valid])) & valid
    found["share of outlying tokens"] = _sums(outliers[valid], np.repeat(look.crops.places, valid.sum(axis=1)))
    entropy = attention_entropy(look.features.attention[:, -1], valid)
    for head in range(entropy.shape[1]):
        found[f"entropy of attention, head {head + 1}"] = _sums(entropy[:, head], look.crops.places)
    return found


def attention_entropy(attention: F32, valid: BoolArray) -> npt.NDArray[np.float64]:
    """Entropy of `attention` [N, heads, P] over valid patches [N, P], [N, heads], over its most: 1 is even, 0 one patch."""
    share = attention.astype(np.float64) / attention.sum(axis=-1, keepdims=True, dtype=np.float64)
    nats = -(share * np.log(np.where(share > 0, share, 1.0))).sum(axis=-1)
    return np.asarray(nats / np.log(valid.sum(axis=-1))[:, None])


def _sums(values: npt.NDArray[Any], places: npt.NDArray[Any]) -> Sums:
    return {str(place): [float(values[places == place].sum()), int((places == place).sum())] for place in np.unique(places)}


def tsne_cell(test: Look, real: Look | None) -> dict[str, Any]:
    """A t-SNE (van der Maaten and Hinton 2008) of the same class tokens as the principal components, by cosine as the neighbours:
    [x, y, class, 1 where real]. It keeps neighbours together; distances between groups, and their sizes, mean nothing.
    """
    tokens, classes, is_real = _plotted(test, real)
    perplexity = min(PERPLEXITY, (len(tokens) - 1) / 3)
    xy = TSNE(2, perplexity=perplexity, metric="cosine", init="pca", random_state=0).fit_transform(tokens)
    return {"perplexity": perplexity, "points": np.column_stack([xy.astype(np.float64).round(3), classes, is_real]).tolist()}


def _pca(test: Look, real: Look | None) -> dict[str, Any]:
    """The first two components of those class tokens: [x, y, class, 1 where real]."""
    tokens, classes, is_real = _plotted(test, real)
    pca = PCA(2).fit(tokens)
    points = np.column_stack([pca.transform(tokens).round(4), classes, is_real])
    return {"explained": [float(value) for value in pca.explained_variance_ratio_], "points": points.tolist()}


def _plotted(test: Look, real: Look | None) -> tuple[F32, I64, I64]:
    """Class tokens [n, D] of test and real crops, PLOTTED of each at most, with class and 1 where real [n]."""
    sets = [classed(look) for look in ((test, real) if real is not None else (test,))]
    chosen = [np.linspace(0, len(part[0]) - 1, min(PLOTTED, len(part[0]))).astype(np.int64) for part in sets]
    tokens = np.concatenate([part[0][rows] for part, rows in zip(sets, chosen, strict=True)])
    classes = np.concatenate([part[1][rows] for part, rows in zip(sets, chosen, strict=True)])
    return tokens, classes, np.repeat(np.arange(len(sets)), [len(rows) for rows in chosen])
