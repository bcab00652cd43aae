# SPDX-License-Identifier: GPL-2.0-or-later
import dataclasses
import json
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.model_card import CARD_FORMAT, CARD_KEY, ModelCard, read_header
from backend.protocol import ErrorCode, SardineError
from tests.test_backend.cards import CLASSES, VV, encoder_only_card, small_card


def write_file(path, header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def header_with(tensors, card=None):
    return {"__metadata__": {CARD_KEY: (card or small_card()).to_json()}, **tensors}


def refusal(path):
    with pytest.raises(SardineError) as caught:
        read_header(path)
    assert caught.value.refused
    assert all((caught.value.found, caught.value.needed, caught.value.action))
    return caught.value.code


@pytest.mark.parametrize("card", [small_card(), encoder_only_card()])
def test_card_should_survive_json(card):
    assert ModelCard.from_json(card.to_json()) == card


def test_card_should_ignore_unknown_keys_within_one_format():
    data = json.loads(small_card().to_json())
    data["mood"] = "sunny"
    data["bands"][0]["orbit"] = "ascending"
    data["encoder"]["activation"] = "gelu"
    assert ModelCard.from_json(json.dumps(data)) == small_card()


def test_card_of_a_newer_format_should_be_refused_as_newer():
    data = json.loads(small_card().to_json())
    data["format"] = CARD_FORMAT + 1
    data["encoder"] = "something new"
    with pytest.raises(SardineError) as caught:
        ModelCard.from_json(json.dumps(data))
    assert caught.value.code == ErrorCode.MODEL_FORMAT_NEWER


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"bands": ()}, "0 bands"),
        ({"bands": (VV, VV)}, "same role"),
        ({"bands": (dataclasses.replace(VV, clip_db=(5.0, -30.0)),)}, "clip_db"),
        ({"bands": (dataclasses.replace(VV, std_db=0.0),)}, "deviation"),
        ({"bands": (dataclasses.replace(VV, backscatter="beta0"),)}, "backscatter"),
        ({"classes": CLASSES[:1]}, "one class"),
        ({"classes": (CLASSES[0], CLASSES[0])}, "codes must differ"),
        ({"classes": (CLASSES[0], dataclasses.replace(CLASSES[1], code=0))}, "codes"),
        ({"classes": (CLASSES[0], dataclasses.replace(CLASSES[1], colour="red"))}, "colour"),
        ({"classes": ()}, "decoder"),
        ({"decoder": None}, "decoder"),
        ({"window_px": 33}, "multiple of the patch"),
        ({"spacing_m": 0.0}, "spacing_m"),
        ({"temperature": 0.0}, "temperature"),
        ({"attention_block": 2}, "block 2"),
        ({"name": 3}, "name"),
    ],
)
def test_card_with_a_bad_value_should_be_refused_naming_it(changes, named):
    text = small_card(**changes).to_json()
    with pytest.raises(SardineError, match=named) as caught:
        ModelCard.from_json(text)
    assert caught.value.code == ErrorCode.MODEL_CARD_INVALID


@pytest.mark.parametrize(
    ("key", "value"), [("patch_px", 14), ("embed_dim", 10**9), ("depth", 0), ("num_heads", 3), ("depth", True)]
)
def test_encoder_sizes_out_of_range_should_be_refused(key, value):
    data = json.loads(small_card().to_json())
    data["encoder"][key] = value
    with pytest.raises(SardineError) as caught:
        ModelCard.from_json(json.dumps(data))
    assert caught.value.code == ErrorCode.MODEL_CARD_INVALID


def test_all_problems_should_be_named_at_once():
    text = small_card(window_px=33, temperature=0.0).to_json()
    with pytest.raises(SardineError, match=r"window.*temperature"):
        ModelCard.from_json(text)


@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda x: st.lists(x, max_size=3), max_leaves=5),
    st.data(),
)
@settings(max_examples=200)
def test_any_value_in_any_field_should_be_read_or_refused_never_crash(value, data):
    card = json.loads(small_card().to_json())
    key = data.draw(st.sampled_from(sorted(card)))
    card[key] = value
    try:
        assert isinstance(ModelCard.from_json(json.dumps(card)), ModelCard)
    except SardineError as error:
        assert error.code in (ErrorCode.MODEL_CARD_INVALID, ErrorCode.MODEL_FORMAT_NEWER)  # noqa: PT017 (either end is right)


def test_header_should_give_card_and_tensor_table(tmp_path):
    entry = {"dtype": "F16", "shape": [2, 3], "data_offsets": [0, 12]}
    header = read_header(write_file(tmp_path / "m.safetensors", header_with({"a": entry}), bytes(12)))
    assert header.card == small_card()
    assert header.tensors["a"].shape == (2, 3)
    assert header.data_offset + 12 == header.file_bytes


def test_missing_file_should_be_refused(tmp_path):
    assert refusal(tmp_path / "none.safetensors") == ErrorCode.MODEL_MISSING
    assert refusal(tmp_path) == ErrorCode.MODEL_MISSING


@pytest.mark.parametrize("content", [b"", b"\0" * 8, b"PK\x03\x04 a zip file of a pickle", b"\xff" * 64])
def test_file_of_another_kind_should_be_refused(tmp_path, content):
    path = tmp_path / "m.safetensors"
    path.write_bytes(content)
    assert refusal(path) == ErrorCode.MODEL_HEADER_INVALID


def test_header_larger_than_the_file_should_be_refused_before_it_is_read(tmp_path):
    path = tmp_path / "m.safetensors"
    path.write_bytes(struct.pack("<Q", 1000) + b"{}")
    assert refusal(path) == ErrorCode.MODEL_TRUNCATED


def test_hostile_header_length_should_be_refused_without_allocating(tmp_path):
    path = tmp_path / "m.safetensors"
    path.write_bytes(struct.pack("<Q", 2**63) + b"{}")
    assert refusal(path) == ErrorCode.MODEL_HEADER_INVALID


def test_truncated_weights_should_be_refused(tmp_path):
    entry = {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}
    assert refusal(write_file(tmp_path / "m.safetensors", header_with({"a": entry}), bytes(12))) == ErrorCode.MODEL_TRUNCATED


@pytest.mark.parametrize(
    "tensors",
    [
        {"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 12]}},
        {"a": {"dtype": "F99", "shape": [3], "data_offsets": [0, 12]}},
        {"a": {"dtype": "F32", "shape": [-3], "data_offsets": [0, 12]}},
        {"a": {"dtype": "F32", "shape": [2**60], "data_offsets": [0, 2**62]}},
        {"a": {"dtype": "F32", "shape": "3", "data_offsets": [0, 12]}},
        {"a": {"dtype": "F32", "shape": [3]}},
        {"a": [1, 2]},
        {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}, "b": {"dtype": "F32", "shape": [2], "data_offsets": [4, 12]}},
        {"a": {"dtype": "F32", "shape": [1], "data_offsets": [8, 12]}},
    ],
)
def test_hostile_tensor_table_should_be_refused(tmp_path, tensors):
    assert refusal(write_file(tmp_path / "m.safetensors", header_with(tensors), bytes(12))) == ErrorCode.MODEL_HEADER_INVALID


@pytest.mark.parametrize("header", [b"not json", b"[]", b"\xff\xff", b"{" * 100_000])
def test_header_that_is_no_json_object_should_be_refused(tmp_path, header):
    assert refusal(write_file(tmp_path / "m.safetensors", header)) == ErrorCode.MODEL_HEADER_INVALID


@pytest.mark.parametrize("metadata", [None, [], {}, {CARD_KEY: 3}, {CARD_KEY: "{}"}, {CARD_KEY: "nope"}, {CARD_KEY: "[]"}])
def test_file_without_a_card_should_be_refused(tmp_path, metadata):
    assert refusal(write_file(tmp_path / "m.safetensors", {"__metadata__": metadata})) == ErrorCode.MODEL_CARD_INVALID
