# SPDX-License-Identifier: GPL-2.0-or-later
import dataclasses

import pytest
import safetensors.torch
import torch

from backend.model_card import CARD_KEY, read_header
from backend.network.model import build_model
from backend.network.model_file import load_model, save_model
from backend.protocol import ErrorCode, SardineError
from tests.test_backend.cards import small_card


@pytest.fixture
def saved(tmp_path):
    torch.manual_seed(0)
    card, path = small_card(), tmp_path / "m.safetensors"
    model = build_model(card).eval()
    return path, save_model(path, card, model, "float32"), model


def refusal(path):
    with pytest.raises(SardineError) as caught:
        load_model(path)
    assert caught.value.refused
    return caught.value.code


def rewrite(path, change, card=None):
    """The file with `change` applied to its tensors, and a card whose hash fits."""
    header = read_header(path)
    tensors = change(safetensors.torch.load_file(path))
    shape_only = safetensors.torch.save(tensors)
    import hashlib

    start = 8 + int.from_bytes(shape_only[:8], "little")
    card = dataclasses.replace(card or header.card, weights_sha256=hashlib.sha256(shape_only[start:]).hexdigest())
    path.write_bytes(safetensors.torch.save(tensors, metadata={CARD_KEY: card.to_json()}))


def test_saved_model_should_come_back_with_the_same_output(saved):
    path, card, model = saved
    loaded, loaded_card = load_model(path)
    assert loaded_card == card
    x = torch.randn(2, 2, 32, 32)
    torch.testing.assert_close(loaded(x).logits, model(x).logits, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(loaded(x).attention, model(x).attention, rtol=1e-4, atol=1e-5)


def test_positions_of_another_grid_should_be_interpolated_as_in_training(tmp_path):
    torch.manual_seed(0)
    encoder = dataclasses.replace(small_card().encoder, position_grid=2)
    model = build_model(small_card(encoder=encoder)).eval()
    save_model(tmp_path / "m.safetensors", small_card(encoder=encoder), model, "float32")
    x = torch.randn(1, 2, 32, 32)
    torch.testing.assert_close(load_model(tmp_path / "m.safetensors")[0](x).logits, model(x).logits, rtol=1e-4, atol=1e-5)


def test_half_precision_should_halve_the_file_and_barely_move_the_logits(saved, tmp_path):
    path, card, model = saved
    half = tmp_path / "half.safetensors"
    save_model(half, card, model, "float16")
    assert half.stat().st_size < 0.7 * path.stat().st_size
    x = torch.randn(2, 2, 32, 32)
    torch.testing.assert_close(load_model(half)[0](x).logits, model(x).logits, rtol=0.02, atol=0.02)


def test_saving_should_leave_no_part_file_and_refuse_weights_that_overflow(saved, tmp_path):
    _, card, model = saved
    model.decoder.classify.weight.data[0, 0] = 1e5
    with pytest.raises(ValueError, match="classify"):
        save_model(tmp_path / "over.safetensors", card, model, "float16")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.safetensors"]


def test_one_flipped_bit_should_be_noticed(saved):
    path, _, _ = saved
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    assert refusal(path) == ErrorCode.MODEL_CORRUPT


def test_truncated_file_should_be_refused(saved):
    path, _, _ = saved
    path.write_bytes(path.read_bytes()[:-100])
    assert refusal(path) == ErrorCode.MODEL_TRUNCATED


def test_missing_tensor_should_be_refused(saved):
    path, _, _ = saved
    rewrite(path, lambda tensors: {k: v for k, v in tensors.items() if k != "decoder.classify.bias"})
    assert refusal(path) == ErrorCode.MODEL_TENSORS_MISMATCH


def test_extra_tensor_should_be_refused(saved):
    path, _, _ = saved
    rewrite(path, lambda tensors: {**tensors, "extra": torch.zeros(3)})
    assert refusal(path) == ErrorCode.MODEL_TENSORS_MISMATCH


def test_weights_for_another_number_of_bands_should_be_refused(saved):
    path, card, _ = saved
    rewrite(path, lambda tensors: tensors, dataclasses.replace(card, bands=card.bands[:1]))
    assert refusal(path) == ErrorCode.MODEL_TENSORS_MISMATCH


def test_integer_weights_should_be_refused(saved):
    path, _, _ = saved
    rewrite(path, lambda tensors: {**tensors, "decoder.classify.bias": torch.zeros(3, dtype=torch.int32)})
    assert refusal(path) == ErrorCode.MODEL_TENSORS_MISMATCH


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_should_be_refused(saved, value):
    path, _, _ = saved
    rewrite(path, lambda tensors: {**tensors, "decoder.classify.bias": torch.tensor([0.0, value, 0.0])})
    assert refusal(path) == ErrorCode.MODEL_WEIGHTS_NOT_FINITE
