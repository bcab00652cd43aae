# SPDX-License-Identifier: GPL-2.0-or-later
import dataclasses

import pytest
import torch

from backend.network.attention import class_token_attention
from backend.network.model import build_model
from tests.test_backend.cards import VV, encoder_only_card, small_card


def seeded(card):
    torch.manual_seed(0)
    return build_model(card).eval()


def with_encoder(**changes):
    return dataclasses.replace(small_card().encoder, **changes)


@pytest.mark.parametrize("registers", [0, 4])
def test_attention_should_equal_the_unfused_softmax_renormalised_over_valid_patches(registers):
    card = small_card(encoder=with_encoder(register_tokens=registers))
    model = seeded(card)
    x = torch.randn(3, 2, 32, 32)
    valid = torch.rand(3, 4, 4) > 0.4
    got = model(x, valid).attention
    # The slow way: the block's input through its own layers, the whole N x N softmax, then renormalised.
    encoder = model.encoder
    tokens = encoder._pos_embed(encoder.patch_embed(x))
    tokens = encoder.blocks[0](tokens)
    attention = encoder.blocks[1].attn
    qkv = attention.qkv(encoder.blocks[1].norm1(tokens)).reshape(3, -1, 3, 2, 8).permute(2, 0, 3, 1, 4)
    full = (qkv[0] @ qkv[1].transpose(-2, -1) * 8**-0.5).softmax(-1)  # [3, heads, N, N]
    row = full[:, :, 0, 1 + registers :] * valid.flatten(1)[:, None]
    expected = row / row.sum(-1, keepdim=True) * valid.flatten(1).sum(-1)[:, None, None]
    expected = expected.reshape(3, 2, 4, 4).masked_fill(~valid[:, None], float("nan"))
    torch.testing.assert_close(got, expected, equal_nan=True, rtol=1e-4, atol=1e-5)


def test_attention_should_average_one_over_valid_patches():
    valid = torch.rand(2, 4, 4) > 0.5
    attention = seeded(small_card())(torch.randn(2, 2, 32, 32), valid).attention
    for sample in range(2):
        assert attention[sample][:, valid[sample]].mean(-1).tolist() == pytest.approx([1.0, 1.0], abs=1e-5)


def test_attention_should_be_nan_throughout_where_no_patch_is_valid():
    attention = class_token_attention(torch.randn(1, 17, 48), 2, 1, torch.zeros(1, 16, dtype=torch.bool))
    assert attention.isnan().all()


def test_attention_should_be_computed_in_float32_under_autocast():
    torch.manual_seed(1)
    qkv = torch.randn(1, 17, 48) * 4
    valid = torch.ones(1, 16, dtype=torch.bool)
    with torch.autocast("cpu", torch.bfloat16):
        under = class_token_attention(qkv, 2, 1, valid)
    assert torch.equal(under, class_token_attention(qkv, 2, 1, valid))


@pytest.mark.parametrize("patch", [8, 16])
@pytest.mark.parametrize("bands", [1, 2, 12])
def test_model_should_take_any_number_of_bands_and_either_patch(patch, bands):
    card = small_card(
        bands=tuple(dataclasses.replace(VV, role=f"B{i}") for i in range(bands)),
        encoder=with_encoder(patch_px=patch, position_grid=32 // patch),
    )
    prediction = seeded(card)(torch.randn(2, bands, 32, 32))
    assert prediction.logits.shape == (2, 3, 32, 32)
    assert prediction.attention.shape == (2, 2, 32 // patch, 32 // patch)


@pytest.mark.parametrize("window", [16, 32, 48])
def test_model_should_take_any_window_by_interpolating_positions(window):
    prediction = seeded(small_card())(torch.randn(1, 2, window, window))
    assert prediction.logits.shape[-2:] == (window, window)


def test_encoder_alone_should_give_attention_without_logits():
    prediction = seeded(encoder_only_card())(torch.randn(1, 2, 32, 32))
    assert prediction.logits is None
    assert prediction.attention.shape == (1, 2, 4, 4)


def test_attention_of_an_earlier_block_should_not_change_the_logits():
    x = torch.randn(1, 2, 32, 32)
    last = seeded(small_card(decoder=dataclasses.replace(small_card().decoder, blocks=(1,)), attention_block=1))
    earlier = seeded(small_card(decoder=dataclasses.replace(small_card().decoder, blocks=(1,)), attention_block=0))
    torch.testing.assert_close(last(x).logits, earlier(x).logits)
    assert not torch.allclose(last(x).attention, earlier(x).attention)


def test_outputs_that_are_not_wanted_should_not_be_made():
    model = seeded(small_card())
    prediction = model(torch.randn(1, 2, 32, 32), want_logits=False, want_attention=False)
    assert prediction.logits is None
    assert prediction.attention is None
