# SPDX-License-Identifier: GPL-2.0-or-later
"""Accuracy and area from a confusion matrix. Pure arithmetic.

Rows are what the map says, columns what the reference says, as in Olofsson et al., "Good practices for estimating area and
assessing accuracy of land change", Remote Sensing of Environment 148, 2014 (doi 10.1016/j.rse.2014.02.015); its equations are
named below. The same estimators serve for a simple random sample, stratified after it was drawn (ibid., section 5.1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Z_95 = 1.96
"""Of a 95% interval, as in the paper."""


@dataclass(frozen=True)
class Agreement:
    """Figures that a matrix of counts has by itself, each [classes], 0 to 1, NaN where there is nothing to divide by.

    `overall` is the share of the counts on the diagonal.
    """

    overall: float
    users: Float
    producers: Float
    f1: Float


@dataclass(frozen=True)
class AreaEstimates:
    """What a probability sample says of the whole map. Shares are 0 to 1, areas in the unit of the mapped areas that were given.

    `*_interval` is half the width of a 95% interval: the estimate plus and minus it. All but `overall` are [classes].
    `proportions` is the matrix of estimated area proportions, [map classes, reference classes], summing to one.
    """

    overall: float
    overall_interval: float
    users: Float
    users_interval: Float
    producers: Float
    producers_interval: Float
    f1: Float
    area: Float
    area_interval: Float
    proportions: Float


def agreement(counts: NDArray[np.int64]) -> Agreement:
    """`counts` [classes, classes], rows the map."""
    n = counts.astype(np.float64)
    hits, of_map, of_reference = np.diag(n), n.sum(axis=1), n.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        users, producers = hits / of_map, hits / of_reference
        overall = float(hits.sum() / n.sum())
        return Agreement(overall, users, producers, 2 * hits / (of_map + of_reference))


def area_estimates(counts: NDArray[np.int64], mapped_area: Float) -> AreaEstimates:
    """The stratified estimates, with the map's classes as strata.

    `counts` [classes, classes] are sampled units, rows the map; `mapped_area` [classes] is the area that the map gives each
    class. A class without area or without samples takes no part. With one sample in a class its variance, and so all that
    rests on it, is NaN.
    """
    n = counts.astype(np.float64)
    taken = (n.sum(axis=1) > 0) & (mapped_area > 0)
    n_map = np.where(taken, n.sum(axis=1), 1.0)  # n_i.; 1 keeps an empty row at zero
    n = np.where(taken[:, None], n, 0.0)
    area = np.where(taken, mapped_area, 0.0)
    total = area.sum()
    weight = area / total  # W_i
    share = n / n_map[:, None]  # n_ij / n_i.
    p = weight[:, None] * share  # equation 4
    p_map, p_reference, hits = p.sum(axis=1), p.sum(axis=0), np.diag(p)
    degrees = np.where(taken, n_map - 1, 1.0)  # n_i. - 1
    with np.errstate(invalid="ignore", divide="ignore"):
        users, producers = hits / p_map, hits / p_reference  # equations 2 and 3
        spread = share * (1 - share) / degrees[:, None]  # of the estimated share of each cell
        own = np.diag(spread)
        users_variance = np.where(taken, own, np.nan)  # equation 6
        overall_variance = float((weight**2 * own).sum())  # equation 5
        of_others = (area[:, None] ** 2 * spread).sum(axis=0) - area**2 * own
        reference_area = total * p_reference  # the N_.j of equation 7
        producers_variance = (area**2 * (1 - producers) ** 2 * own + producers**2 * of_others) / reference_area**2  # equation 7
        area_error = total * np.sqrt((weight[:, None] ** 2 * spread).sum(axis=0))  # equations 8 to 11
        f1 = 2 * users * producers / (users + producers)
    return AreaEstimates(
        overall=float(hits.sum()),
        overall_interval=Z_95 * float(np.sqrt(overall_variance)),
        users=users,
        users_interval=Z_95 * np.sqrt(users_variance),
        producers=producers,
        producers_interval=Z_95 * np.sqrt(producers_variance),
        f1=np.where(users + producers == 0, 0.0, f1),
        area=reference_area,
        area_interval=Z_95 * area_error,
        proportions=p,
    )
