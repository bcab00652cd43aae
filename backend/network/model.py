# SPDX-License-Identifier: GPL-2.0-or-later
"""The network: a timm Vision Transformer, and a light decoder over several of its blocks. Built from the card alone,
for training and inference alike.

The encoder is built from sizes, never from a name: a card is data from strangers, and a name could make timm load
something else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as functional
from timm.layers.norm import LayerNorm2d
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from ..model_card import DecoderSpec, EncoderSpec, ModelCard
from .attention import QkvTap, class_token_attention, class_token_query, patch_scores


@dataclass(frozen=True)
class Prediction:
    """What the network says of a batch of windows.

    `logits` is [batch, classes, S, S], before temperature and softmax; None for an encoder alone or where not asked for.
    `attention` is float32 [batch, heads, S/p, S/p], as `attention.py` defines it, or for a `scene_query` the scores of the
    patches against that; NaN where a patch has no data; None where not asked for.
    `tokens` is [batch, embed_dim, S/p, S/p], the patch tokens of the last block that is run, each with mean 0 and variance 1;
    None where not asked for. `query` is the class token's in the attention block, float32 [batch, heads, head_dim]; None where
    not asked for.
    """

    logits: Tensor | None
    attention: Tensor | None
    tokens: Tensor | None = None
    query: Tensor | None = None


def build_encoder(spec: EncoderSpec, bands: int, drop_path_rate: float = 0.0) -> VisionTransformer:
    """A randomly initialised encoder. It takes any window that is a multiple of the patch: positions are interpolated."""
    return VisionTransformer(
        img_size=spec.position_grid * spec.patch_px,
        patch_size=spec.patch_px,
        in_chans=bands,
        num_classes=0,
        global_pool="token",
        embed_dim=spec.embed_dim,
        depth=spec.depth,
        num_heads=spec.num_heads,
        mlp_ratio=spec.mlp_ratio,
        reg_tokens=spec.register_tokens,
        dynamic_img_size=True,
        drop_path_rate=drop_path_rate,
    )


class Decoder(nn.Module):
    """Patch features of several blocks, upsampled by two until full resolution, joined with what small convolutions see
    in the input at full, half and quarter resolution.

    A patch of 8 or 16 px blurs what is smaller than itself; the input's own pixels bring rivers, streets and field borders back.
    Normalisation is per pixel over channels: anything pooled over the window would make the map depend on where windows lie.
    """

    def __init__(self, spec: DecoderSpec, encoder: EncoderSpec, bands: int, classes: int) -> None:
        super().__init__()
        width, skip = spec.width, spec.skip_width
        self.norms = nn.ModuleList(LayerNorm2d(encoder.embed_dim) for _ in spec.blocks)
        self.project = nn.Conv2d(encoder.embed_dim * len(spec.blocks), width, 1)
        self.mix = nn.Sequential(nn.Conv2d(width, width, 3, padding=1), LayerNorm2d(width), nn.GELU())
        # The input at full, half and quarter resolution.
        self.stem_full = nn.Sequential(nn.Conv2d(bands, skip, 3, padding=1), nn.ReLU())
        self.stem_half = nn.Sequential(nn.Conv2d(skip, 2 * skip, 3, stride=2, padding=1), nn.ReLU())
        self.stem_quarter = nn.Sequential(nn.Conv2d(2 * skip, 4 * skip, 3, stride=2, padding=1), nn.ReLU())
        self.join_quarter = nn.Sequential(nn.Conv2d(width + 4 * skip, width, 3, padding=1), LayerNorm2d(width), nn.GELU())
        self.join_half = nn.Sequential(nn.Conv2d(width + 2 * skip, 2 * skip, 3, padding=1), nn.ReLU())
        self.join_full = nn.Sequential(nn.Conv2d(3 * skip, 2 * skip, 3, padding=1), nn.ReLU())
        self.classify = nn.Conv2d(2 * skip, classes, 1)

    def forward(self, x: Tensor, features: list[Tensor]) -> Tensor:
        """`x` is [B, bands, S, S]; each of `features` is [B, embed_dim, S/p, S/p]. Returns logits [B, classes, S, S]."""
        full = self.stem_full(x)
        half = self.stem_half(full)
        quarter = self.stem_quarter(half)
        y = torch.cat([norm(feature) for norm, feature in zip(self.norms, features, strict=True)], dim=1)
        y = self.mix(self.project(y))
        y = self.join_quarter(torch.cat([_resize(y, quarter), quarter], dim=1))
        y = self.join_half(torch.cat([_resize(y, half), half], dim=1))
        y = self.join_full(torch.cat([_resize(y, full), full], dim=1))
        logits: Tensor = self.classify(y)
        return logits


class LinearDecoder(nn.Module):
    """Classes of each patch by one linear layer on its normalised tokens, interpolated to pixels: a probe of what tokens say."""

    def __init__(self, spec: DecoderSpec, encoder: EncoderSpec, classes: int) -> None:
        super().__init__()
        self.classify = nn.Conv2d(encoder.embed_dim * len(spec.blocks), classes, 1)

    def forward(self, x: Tensor, features: list[Tensor]) -> Tensor:
        """As `Decoder.forward`. Normalisation is per token and has no weights of its own."""
        tokens = [functional.layer_norm(f.permute(0, 2, 3, 1), f.shape[1:2]).permute(0, 3, 1, 2) for f in features]
        return _resize(self.classify(torch.cat(tokens, dim=1)), x)


def build_decoder(spec: DecoderSpec, encoder: EncoderSpec, bands: int, classes: int) -> Decoder | LinearDecoder:
    """A randomly initialised decoder."""
    return LinearDecoder(spec, encoder, classes) if spec.kind == "linear" else Decoder(spec, encoder, bands, classes)


def _resize(y: Tensor, like: Tensor) -> Tensor:
    return functional.interpolate(y, size=like.shape[-2:], mode="bilinear", align_corners=False)


class SardineModel(nn.Module):
    """Encoder and decoder as one. `decoder` is None for an encoder alone."""

    def __init__(self, card: ModelCard, drop_path_rate: float = 0.0) -> None:
        super().__init__()
        self.encoder = build_encoder(card.encoder, len(card.bands), drop_path_rate)
        self.decoder = (
            None if card.decoder is None else build_decoder(card.decoder, card.encoder, len(card.bands), len(card.classes))
        )
        # The attention block is among them, so that the forward reaches it; the decoder takes its own ones out.
        self._blocks = sorted({card.attention_block, *(card.decoder.blocks if card.decoder is not None else ())})
        self._decoder_blocks = card.decoder.blocks if card.decoder is not None else ()
        self._patch_px = card.patch_px
        self._num_heads = card.encoder.num_heads
        attention_layer = cast(nn.Module, self.encoder.blocks[card.attention_block].attn)
        self._tap = QkvTap(cast(nn.Module, attention_layer.qkv))

    def forward(
        self,
        x: Tensor,
        patch_valid: Tensor | None = None,
        *,
        want_logits: bool = True,
        want_attention: bool = True,
        want_tokens: bool = False,
        want_query: bool = False,
        scene_query: Tensor | None = None,
    ) -> Prediction:
        """`x` is the standardised [B, bands, S, S], 0 where there is no data.

        `patch_valid` is bool [B, S/p, S/p]; None means that all patches hold data. `scene_query` is float32
        [1, heads, head_dim].
        """
        with self._tap as tap:
            features = cast(
                "list[Tensor]",
                # Blocks after the last one that anybody reads are not run.
                self.encoder.forward_intermediates(x, indices=self._blocks, intermediates_only=True, stop_early=True),
            )
            attention = self._attention(tap.value(), x, patch_valid, scene_query) if want_attention else None
            query = class_token_query(tap.value(), self._num_heads) if want_query else None
        logits = None
        if want_logits and self.decoder is not None:
            logits = self.decoder(x, [f for block, f in zip(self._blocks, features, strict=True) if block in self._decoder_blocks])
        tokens = None
        if want_tokens:
            # Normalised over the embedding, without the encoder's own weights: those of its last norm fit the last block alone.
            tokens = functional.layer_norm(features[-1].movedim(1, -1).float(), (features[-1].shape[1],)).movedim(-1, 1)
        return Prediction(logits, attention, tokens, query)

    def _attention(self, qkv: Tensor, x: Tensor, patch_valid: Tensor | None, scene_query: Tensor | None) -> Tensor:
        rows, columns = x.shape[-2] // self._patch_px, x.shape[-1] // self._patch_px
        if patch_valid is None:
            patch_valid = torch.ones((x.shape[0], rows, columns), dtype=torch.bool, device=x.device)
        flat_valid, prefix_tokens = patch_valid.flatten(1), self.encoder.num_prefix_tokens
        if scene_query is None:
            attention = class_token_attention(qkv, self._num_heads, prefix_tokens, flat_valid)
        else:
            attention = patch_scores(qkv, scene_query, prefix_tokens).masked_fill(~flat_valid[:, None], float("nan"))
        return attention.reshape(*attention.shape[:2], rows, columns)


def build_model(card: ModelCard, drop_path_rate: float = 0.0) -> SardineModel:
    """The network that the card describes, randomly initialised."""
    return SardineModel(card, drop_path_rate)
