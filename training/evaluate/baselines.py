# SPDX-License-Identifier: GPL-2.0-or-later
"""Simple mappers to compare models with: thresholds on VH, and a random forest on decibels and their local statistics."""

from __future__ import annotations

import functools
import zlib
from collections.abc import Sequence

import numpy as np
from scipy.ndimage import uniform_filter
from sklearn.ensemble import RandomForestClassifier

from backend.radiometry import BoolArray
from training.evaluate.learning import LearningScene, legends_of, of_legend
from training.evaluate.legends import F32, U8, WATER, Legend
from training.evaluate.maps import GroupMap, RadarImage, read_radar
from training.evaluate.scenes import LabelledScene
from training.metrics import IGNORE

TREES = 200
WINDOWS_PX = (5, 11, 21)
LEAF_PX = 5
"""Fewest training pixels of a leaf: probabilities of single pixels are 0 or 1."""

THRESHOLDS_DB = np.arange(-32.0, -12.0, 0.25)


def otsu_threshold(values: F32, bins: int = 256) -> float:
    """The value that splits `values` (any shape, finite) into the two classes of largest variance between them (Otsu 1979)."""
    counts, edges = np.histogram(values, bins)
    middles = (edges[:-1] + edges[1:]) / 2
    below, above = np.cumsum(counts), counts.sum() - np.cumsum(counts)
    sums = np.cumsum(counts * middles)
    with np.errstate(invalid="ignore", divide="ignore"):
        gap = sums / below - (sums[-1] - sums) / above
    between = np.nan_to_num(below.astype(np.float64) * above * gap**2)
    return float(edges[1:][int(np.argmax(between))])


class OtsuMapper:
    """Water is what lies below Otsu's threshold on VH of the scene itself: it finds two classes in a dry scene too."""

    name = "Otsu on VH"

    def map(self, scene: LabelledScene, legend: Legend, where: BoolArray | None = None) -> GroupMap | None:
        if legend != WATER:
            return None
        radar = read_radar(scene)
        vh = radar.values_db[1]
        return _below(radar, otsu_threshold(vh[np.isfinite(vh)]))


class ThresholdMapper:
    """Water is what lies below one threshold on VH: the one of THRESHOLDS_DB with the largest mean IoU over the wet chips learnt
    from.
    """

    name = "VH threshold"

    def __init__(self, scenes: Sequence[LearningScene]) -> None:
        known = of_legend([scene for scene in scenes if not scene.simulated], WATER)
        wet = [scene for scene in known if scene.wet] or known
        curves = []
        for scene in wet:
            labelled = scene.water != IGNORE
            vh, water = scene.values_db[1][labelled], scene.water[labelled] == 1
            curves.append([_iou(water, vh < threshold_db) for threshold_db in THRESHOLDS_DB])
        self.threshold_db = float(THRESHOLDS_DB[int(np.argmax(np.mean(curves, axis=0)))])

    def map(self, scene: LabelledScene, legend: Legend, where: BoolArray | None = None) -> GroupMap | None:
        if legend != WATER:
            return None
        return _below(read_radar(scene), self.threshold_db)


def _iou(truth: BoolArray, found: BoolArray) -> float:
    return float((truth & found).sum() / max(1, (truth | found).sum()))


def _below(radar: RadarImage, threshold_db: float) -> GroupMap:
    invalid = ~np.isfinite(radar.values_db).all(axis=0)
    return GroupMap(np.where(invalid, IGNORE, radar.values_db[1] < threshold_db).astype(np.uint8), None, radar.grid)


def local_features(values_db: F32) -> F32:
    """VV, VH, VV - VH, and their means and deviations in dB over WINDOWS_PX: float32 [21, H, W] of `values_db` [2, H, W].

    Pixels without data are left out of means and deviations; there the features are worth nothing.
    """
    there = np.isfinite(values_db).all(axis=0)
    bands = np.where(there, np.stack([values_db[0], values_db[1], values_db[0] - values_db[1]]), 0).astype(np.float64)
    found = [*bands]
    for side in WINDOWS_PX:
        share = np.maximum(uniform_filter(there.astype(np.float64), side), 1e-6)
        for band in bands:
            mean = uniform_filter(band, side) / share
            square = uniform_filter(band * band, side) / share
            found += [mean, np.sqrt(np.maximum(square - mean * mean, 0))]
    return np.stack(found).astype(np.float32)


class ForestMapper:
    """A random forest of TREES trees for each legend, on up to `pixels` of each scene learnt from.

    Of a simulated scene it is half as many: of these there are more.
    """

    def __init__(self, scenes: Sequence[LearningScene], name: str, seed: int, pixels: int, jobs: int) -> None:
        self.name = name
        self._forests = {legend.name: _fit(of_legend(scenes, legend), legend, seed, pixels, jobs) for legend in legends_of(scenes)}

    def map(self, scene: LabelledScene, legend: Legend, where: BoolArray | None = None) -> GroupMap | None:
        if legend.name not in self._forests:
            return None
        forest = self._forests[legend.name]
        radar = read_radar(scene)
        there = np.isfinite(radar.values_db).all(axis=0)
        if where is not None:
            there &= where
        groups = np.full(there.shape, IGNORE, dtype=np.uint8)
        confidence = np.zeros(there.shape, dtype=np.float32)
        if there.any():
            probabilities = forest.predict_proba(local_features(radar.values_db)[:, there].T)
            groups[there] = forest.classes_[probabilities.argmax(axis=1)]
            confidence[there] = probabilities.max(axis=1)
        return GroupMap(groups, confidence, radar.grid)


@functools.cache
def draw_pixels(scene: LearningScene, legend: Legend, seed: int, most: int) -> tuple[F32, U8]:
    """Features [n, 21] and group indices [n] of up to `most` labelled pixels of a scene; the same ones in every fold.

    Of WATER they are drawn at random, so that water has its share; of SIX_GROUPS evenly over the groups of the scene: polygons
    have no natural shares.
    """
    rng = np.random.default_rng([seed, zlib.crc32(scene.name.encode())])
    truth = scene.truth(legend)
    pools = [np.flatnonzero(truth == value) for value in np.unique(truth) if value != IGNORE]
    if legend == WATER:
        pools = [np.concatenate(pools)]
    share = most // len(pools)
    chosen = np.concatenate([rng.choice(pool, min(share, len(pool)), replace=False) for pool in pools])
    features = local_features(scene.values_db).reshape(-1, truth.size)[:, chosen].T
    return features, truth.ravel()[chosen]


def _fit(scenes: Sequence[LearningScene], legend: Legend, seed: int, pixels: int, jobs: int) -> RandomForestClassifier:
    parts = [draw_pixels(scene, legend, seed, pixels // 2 if scene.simulated else pixels) for scene in scenes]
    forest = RandomForestClassifier(TREES, min_samples_leaf=LEAF_PX, random_state=seed, n_jobs=jobs)
    return forest.fit(np.concatenate([features for features, _ in parts]), np.concatenate([truth for _, truth in parts]))
