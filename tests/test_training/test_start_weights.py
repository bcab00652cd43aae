# SPDX-License-Identifier: GPL-2.0-or-later
"""Weights that others trained, and our own: what is adapted, what is refused, what is told."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from timm.models.vision_transformer import VisionTransformer

from backend.model_card import ModelCard
from backend.network.model import SardineModel, build_model
from backend.network.model_file import save_model
from training.card import draft_card
from training.finetuning.config import FinetuneConfig, LabelledDataConfig, NetworkConfig, StoreConfig
from training.finetuning.start_weights import Start, begin_weights


def card_for(classes: tuple[int, ...] = (10, 80), **network: Any) -> ModelCard:
    sizes = {"embed_dim": 32, "depth": 2, "num_heads": 2, "patch_px": 8, "window_px": 64, "decoder_blocks": (1,)}
    sizes |= {"decoder_width": 8, "skip_width": 4}
    data = LabelledDataConfig((StoreConfig(Path("x")),), crop_px=32, classes=classes)
    return draft_card(FinetuneConfig(Path("x"), data, network=NetworkConfig(**{**sizes, **network})))


def published(**more: Any) -> VisionTransformer:
    """As timm builds the published ones: three channels, 224 px, a head."""
    torch.manual_seed(1)
    sizes = {"img_size": 224, "patch_size": 16, "embed_dim": 32, "depth": 2, "num_heads": 2, "num_classes": 10}
    return VisionTransformer(**{**sizes, **more})


def begun(path: Path, card: ModelCard) -> tuple[SardineModel, Start]:
    torch.manual_seed(0)
    model = build_model(card)
    return model, begin_weights(path, model, card)


def test_published_weights_should_be_fitted_and_what_was_adapted_be_said(tmp_path: Path) -> None:
    theirs = published()
    safetensors.torch.save_file(theirs.state_dict(), tmp_path / "vit.safetensors")
    model, start = begun(tmp_path / "vit.safetensors", card_for())
    ours = model.encoder.state_dict()
    assert torch.equal(ours["blocks.1.mlp.fc1.weight"], theirs.state_dict()["blocks.1.mlp.fc1.weight"])
    assert ours["patch_embed.proj.weight"].shape == (32, 2, 8, 8)
    assert ours["pos_embed"].shape == (1, 17, 32)
    assert (start.kind, start.name, start.simulated_only) == ("published weights", "vit.safetensors", False)
    assert "input channels 3 became 2: each is the mean of the old ones" in start.notes
    assert "positions of 14 x 14 patches became 4 x 4 (bicubic)" in start.notes
    assert any(note.startswith("patches of 16 px became 8 px") for note in start.notes)
    assert start.notes[-1] == "the decoder is new"


def test_fitted_weights_should_give_the_tokens_of_the_published_model_on_grey_input(tmp_path: Path) -> None:
    theirs = published(num_classes=0).eval()
    torch.save(theirs.state_dict(), tmp_path / "vit.pth")
    model, _ = begun(tmp_path / "vit.pth", dataclasses.replace(card_for(patch_px=16, window_px=224), encoder=encoder_of(14)))
    grey = torch.randn(1, 1, 224, 224)
    with torch.no_grad():
        expected = theirs.forward_features(grey.expand(1, 3, 224, 224))
        found = model.encoder.eval().forward_features(grey.expand(1, 2, 224, 224))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def encoder_of(grid: int) -> Any:
    return dataclasses.replace(card_for(patch_px=16, window_px=224).encoder, position_grid=grid)


@pytest.mark.parametrize("prefix", ["module.backbone.", "backbone.", ""])
def test_a_training_checkpoint_of_dino_should_give_its_teacher(tmp_path: Path, prefix: str) -> None:
    teacher, student = published(num_classes=0), published(num_classes=0)
    torch.nn.init.constant_(student.norm.weight, 7.0)
    networks = {"student": student, "teacher": teacher}
    content = {key: {f"{prefix}{name}": tensor for name, tensor in net.state_dict().items()} for key, net in networks.items()}
    torch.save({**content, "epoch": 3}, tmp_path / "dino.pth")
    model, _ = begun(tmp_path / "dino.pth", card_for())
    assert torch.equal(model.encoder.state_dict()["norm.weight"], teacher.norm.weight)


def test_register_tokens_should_be_taken_or_be_new(tmp_path: Path) -> None:
    theirs = published(reg_tokens=4, no_embed_class=True)
    torch.save(theirs.state_dict(), tmp_path / "with.pth")
    model, start = begun(tmp_path / "with.pth", card_for(register_tokens=4))
    assert torch.equal(model.encoder.reg_token, theirs.reg_token)
    assert not model.encoder.pos_embed[:, :5].any(), "class and register tokens had no positions"
    assert "register tokens are new" not in start.notes
    torch.save(published().state_dict(), tmp_path / "without.pth")
    assert "register tokens are new" in begun(tmp_path / "without.pth", card_for(register_tokens=4))[1].notes


class Bomb:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return print, ("code in a weights file was run",)


def test_files_that_do_not_fit_should_be_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def refused(name: str, **network: Any) -> str:
        with pytest.raises((ValueError, FileNotFoundError)) as caught:
            begun(tmp_path / name, card_for(**network))
        return str(caught.value)

    assert "is not there" in refused("nothing.pth")
    torch.save(published().state_dict(), tmp_path / "vit.pth")
    assert "its width is 32, network.embed_dim 64" in refused("vit.pth", embed_dim=64)
    assert "it has 2 blocks, network.depth is 3" in refused("vit.pth", depth=3)
    (tmp_path / "short.pth").write_bytes((tmp_path / "vit.pth").read_bytes()[:3000])
    assert "cannot be read as weights" in refused("short.pth")
    torch.save({"state_dict": Bomb()}, tmp_path / "code.pth")
    assert "cannot be read as weights" in refused("code.pth")
    assert "code in a weights file" not in capsys.readouterr().out
    torch.save({"conv1.weight": torch.zeros(3)}, tmp_path / "resnet.pth")
    assert "no weights of a Vision Transformer" in refused("resnet.pth")
    torch.save(published(init_values=1.0).state_dict(), tmp_path / "scaled.pth")
    assert "parts that this encoder does not have (blocks.0.ls1.gamma" in refused("scaled.pth")
    torch.save(published(qkv_bias=False).state_dict(), tmp_path / "unbiased.pth")
    assert "2 tensors are missing (blocks.0.attn.qkv.bias" in refused("unbiased.pth")
    (tmp_path / "text.txt").write_text("x")
    assert "no run folder, and no file of weights" in refused("text.txt")


def test_model_file_should_give_encoder_and_decoder_of_the_same_form(tmp_path: Path) -> None:
    card = dataclasses.replace(card_for(), training={"simulated_only": True, "crops_seen": 5})
    torch.manual_seed(3)
    before = build_model(card)
    save_model(tmp_path / "model.safetensors", card, before, "float32")
    model, start = begun(tmp_path / "model.safetensors", card_for())
    assert all(torch.equal(tensor, model.state_dict()[name]) for name, tensor in before.state_dict().items())
    assert (start.kind, start.simulated_only, start.notes) == ("model file", True, ())
    assert start.earlier[0]["crops_seen"] == 5
    other, start = begun(tmp_path / "model.safetensors", card_for(skip_width=8))
    assert start.notes == ("the decoder is new",)
    assert torch.equal(other.encoder.pos_embed, before.encoder.pos_embed)
    with pytest.raises(ValueError, match=r"it has 2 heads, network\.num_heads is 4"):
        begun(tmp_path / "model.safetensors", card_for(num_heads=4))


def test_decoder_should_keep_what_it_knows_of_the_classes_that_both_have(tmp_path: Path) -> None:
    torch.manual_seed(3)
    before = build_model(card_for(classes=(10, 50, 80)))
    save_model(tmp_path / "model.safetensors", card_for(classes=(10, 50, 80)), before, "float32")
    model, start = begun(tmp_path / "model.safetensors", card_for(classes=(80, 30, 10)))
    assert start.notes == ("the decoder has yet to learn Grassland", "its classes Built-up are left out")
    found, old = model.state_dict(), before.state_dict()
    for part in ("weight", "bias"):
        now, then = found[f"decoder.classify.{part}"], old[f"decoder.classify.{part}"]
        assert torch.equal(now[[0, 2]], then[[2, 0]])
        assert not torch.equal(now[1], then[1])
    rest = [name for name in old if "classify" not in name]
    assert all(torch.equal(found[name], old[name]) for name in rest)
