# SPDX-License-Identifier: GPL-2.0-or-later
"""Splits go by place: no ground is in two of them, and blocks keep their distance."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from training.chips.config import SplitConfig
from training.chips.legends import CODES, LabelValues, Legend, LegendError, but, expand
from training.chips.plan import chip_corners
from training.chips.splits import KM_PER_DEGREE, LonLatBox, block_of, blocks_touched, divide, kept_in_block, overlaps_between_splits


def box_at(longitude: float, latitude: float, side_km: float) -> LonLatBox:
    """A square around a point."""
    up = side_km / 2 / KM_PER_DEGREE
    across = up / math.cos(math.radians(latitude))
    return LonLatBox(longitude - across, latitude - up, longitude + across, latitude + up)


@settings(max_examples=100, deadline=None)
@given(height=st.integers(1, 900), width=st.integers(1, 900), chip_px=st.sampled_from([32, 64, 256]))
def test_chips_should_cover_every_pixel_and_overlap_only_at_the_end(height: int, width: int, chip_px: int) -> None:
    seen = np.zeros((max(height, chip_px), max(width, chip_px)), dtype=np.int64)
    corners = list(chip_corners(height, width, chip_px))
    for row, column in corners:
        assert row + chip_px <= seen.shape[0]
        assert column + chip_px <= seen.shape[1]
        seen[row : row + chip_px, column : column + chip_px] += 1
    assert (seen[:height, :width] > 0).all()
    assert len(corners) == math.ceil(max(height, chip_px) / chip_px) * math.ceil(max(width, chip_px) / chip_px)


def test_blocks_should_be_about_square_all_over_the_earth() -> None:
    for latitude in (-70, -33, 0.5, 48, 79):
        width = 0.0
        first = block_of(10.0, latitude, 20)
        while block_of(10.0 + width, latitude, 20) == first:
            width += 0.001
        km = width * KM_PER_DEGREE * math.cos(math.radians(latitude))
        assert 0 < km < 21.5, "from a point inside a block to its eastern edge"
    assert block_of(179.9999, 0.01, 20) != block_of(-179.9999, 0.01, 20)
    assert block_of(190.0, 0.01, 20) == block_of(-170.0, 0.01, 20)


@settings(max_examples=60, deadline=None)
@example(seed=166, latitude=39.375, longitude=179.95, buffer_km=2.0)  # half a block lies before 180 degrees
@given(
    seed=st.integers(0, 1000),
    latitude=st.floats(-65, 65),
    longitude=st.sampled_from([-120.0, 8.0, 179.95]),
    buffer_km=st.sampled_from([0.0, 0.5, 2.0]),
)
def test_chips_of_different_splits_should_never_share_ground_and_keep_the_buffer(
    seed: int, latitude: float, longitude: float, buffer_km: float
) -> None:
    """Overlapping chips all over a region of some blocks: what is kept."""
    config = SplitConfig(validation_share=0.25, test_share=0.25, block_km=8, buffer_km=buffer_km, seed=seed)
    step = 1.5 / KM_PER_DEGREE
    boxes = [
        box_at(longitude + column * step / math.cos(math.radians(latitude)), latitude + row * step, 2.5)
        for row in range(16)
        for column in range(16)
    ]
    places = [block_of((box.west + box.east) / 2, (box.south + box.north) / 2, config.block_km) for box in boxes]
    split_of = divide(places, {}, config)
    kept = [
        (split_of[place], box)
        for box, place in zip(boxes, places, strict=True)
        if kept_in_block(box, split_of[place], split_of, config)
    ]
    assert {split for split, _ in kept} <= {"train", "validation", "test"}
    for number, (split, box) in enumerate(kept):
        for other_split, other in kept[:number]:
            if split != other_split:
                wide = box.grown(max(buffer_km - 0.01, 0.0) if "train" in (split, other_split) else 0.0)
                apart = wide.east <= other.west or other.east <= wide.west or wide.north <= other.south or other.north <= wide.south
                near = wide.grown(-0.02)
                assert apart or not (
                    near.east > other.west and other.east > near.west and near.north > other.south and other.north > near.south
                ), (split, other_split)


def test_divide_should_keep_shares_and_not_depend_on_order() -> None:
    places = [f"place{number}" for number in range(200)]
    config = SplitConfig(validation_share=0.1, test_share=0.2)
    split_of = divide(places, {"place0": "test", "place1": "validation"}, config)
    counts = {split: list(split_of.values()).count(split) for split in ("train", "validation", "test")}
    assert counts == {"train": 138, "validation": 21, "test": 41}
    assert (split_of["place0"], split_of["place1"]) == ("test", "validation")
    assert divide(places[::-1], {"place1": "validation", "place0": "test"}, config) == split_of
    assert divide(places, {}, SplitConfig(seed=1)) != divide(places, {}, SplitConfig(seed=2))
    assert sorted(divide(["a", "b", "c"], {}, SplitConfig()).values()) == ["test", "train", "validation"]


def test_overlaps_should_be_found_between_splits_alone() -> None:
    boxes = [
        ("a", "train", box_at(10, 50, 2)),
        ("b", "test", box_at(10.01, 50, 2)),
        ("c", "train", box_at(10.02, 50, 2)),
        ("d", "test", LonLatBox(box_at(10, 50, 2).west - 0.1, 49, box_at(10, 50, 2).west, 51)),  # touches a's edge
    ]
    assert overlaps_between_splits(boxes) == [("a", "b"), ("b", "c")]


def test_chip_over_two_blocks_of_one_split_should_stay() -> None:
    config = SplitConfig(block_km=8, buffer_km=0)
    box = LonLatBox(9.9, 49.9, 10.1, 50.1)
    touched = blocks_touched(box, 8)
    assert len(touched) >= 6
    assert kept_in_block(box, "train", dict.fromkeys(touched, "train"), config)
    one = sorted(touched)[0]
    assert not kept_in_block(box, "train", {**dict.fromkeys(touched, "train"), one: "test"}, config)


# Legends


def test_legends_should_give_the_same_values_to_the_same_sets() -> None:
    values = LabelValues()
    absent = np.array([[False, False, False, True]])
    floods = Legend("sen1floods11", {}, values)
    np.testing.assert_array_equal(floods.apply(np.array([[-1, 0, 1, 1]]), absent), [[0, 201, 80, 0]])
    own = Legend("", {5: [-80], 6: [30], 7: [], 8: [60, 30]}, values)
    found = own.apply(np.array([[5, 6, 7, 8]]), np.zeros((1, 4), bool))
    assert found[0, :3].tolist() == [201, 30, 0]
    assert values.sets[int(found[0, 3])] == (30, 60)
    assert values.sets[201] == but(80)
    assert values.value_of(CODES) == 0, "any class at all says nothing"


def test_legend_should_refuse_values_that_it_does_not_explain() -> None:
    legend = Legend("worldcover", {}, LabelValues())
    with pytest.raises(LegendError, match=r"holds \[7, 11\], which the legend “worldcover” does not explain.*legend_changes"):
        legend.apply(np.array([[7, 10, 11, 255]]), np.array([[False, False, False, True]]))
    assert Legend("worldcover", {7: [], 11: [50]}, LabelValues()).apply(np.array([[7, 11]]), np.zeros((1, 2), bool)).tolist() == [
        [0, 50]
    ]
    with pytest.raises(LegendError, match="no class"):
        LabelValues().value_of((10, 11))
    with pytest.raises(LegendError, match="there is no legend"):
        Legend("corine", {}, LabelValues())
    with pytest.raises(LegendError, match="mixes"):
        expand([80, -10])


def test_biomass_should_be_trees_above_20_and_unknown_between() -> None:
    values = LabelValues()
    legend = Legend("biomass_t_ha", {}, values)
    found = legend.apply(np.array([[0.0, 4.9, 5.0, 19.9, 20.0, 300.0, np.nan]]), np.zeros((1, 7), bool))[0]
    assert [values.sets.get(int(value), ()) for value in found] == [but(10, 95)] * 2 + [()] * 2 + [(10, 95)] * 2 + [()]
