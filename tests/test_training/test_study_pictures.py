# SPDX-License-Identifier: GPL-2.0-or-later
"""Which crops `training.study.attention_pictures` shows, and with what beside them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.test_training.small_study import CROP, PATCHES, made_look, tiny_card
from training.metrics import IGNORE
from training.reference.overlay import composite
from training.study.attention_pictures import pictured, pictures_cell
from training.study.crops import CropSet, subset
from training.study.encoders import extract, random_encoder


def crops_of(*labels: list[int], places: list[str]) -> CropSet:
    crops = made_look(np.array(labels)).crops
    crops.places[:] = places
    return crops


def test_each_place_should_be_shown_once_by_its_most_various_crop() -> None:
    void = IGNORE
    crops = crops_of(
        [0, 0, void, void],
        [0, 1, void, void],  # two classes: before the first one of its place
        [0, 1, 2, void],  # three: first of all
        [0, 0, 0, 0],  # one class, all labelled: before the last one of its place
        [0, 0, 0, void],
        places=["place 0", "place 0", "place 2", "place 3", "place 3"],
    )
    assert pictured(crops).tolist() == [2, 1, 3]
    assert pictured(crops, count=2).tolist() == [2, 1]


def test_a_picture_should_hold_the_radar_in_decibels_and_what_the_encoder_gives(tmp_path: Path) -> None:
    card = tiny_card(tmp_path)
    encoder = random_encoder(card, 0)
    crops = crops_of([0] * PATCHES, [1] * PATCHES, places=["place 0", "place 1"])
    [first, second] = pictures_cell(encoder, crops, card.bands)["crops"]
    assert (first["place"], second["place"]) == ("place 0", "place 1")
    features = extract(encoder, subset(crops, np.array([1])))
    np.testing.assert_allclose(second["attention"], features.attention[0], atol=6e-4)
    np.testing.assert_allclose(second["rollout"], features.rollout[0], atol=6e-4)
    assert np.unique(second["labels"]).tolist() == [1]
    values_db = np.stack([crops.x[1, n] * band.std_db + band.mean_db for n, band in enumerate(card.bands)])
    np.testing.assert_array_equal(second["radar"], composite(values_db.astype(np.float32)))
    assert np.shape(second["radar"]) == (CROP, CROP, 3)
