# SPDX-License-Identifier: GPL-2.0-or-later
"""The model card: what a model file says of itself, and which of its bands a scene lacks. Standard library alone: the plugin
reads it before any backend exists.

A model is one `.safetensors` file: eight bytes of header length, a JSON header, tensor bytes
(https://huggingface.co/docs/safetensors/index#format). The card is JSON text under the header's metadata key
`sardine_model_card`. A model file is data from strangers: every size is checked against the file before it is used.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

from .protocol import ErrorCode, SardineError

CARD_KEY = "sardine_model_card"
CARD_FORMAT = 2
"""Raised when an older reader would misread a card. Unknown keys are ignored within one format number. Format 2 has linear
decoders; a card without one is still written as format 1, which older versions read."""

DECODER_KINDS = ("upsampling", "linear")

MAX_HEADER_BYTES = 16 * 2**20
"""Ours is about 30 kB; the safetensors library itself stops at 100 MB."""

DTYPE_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}

LEFT_OUT = "band_left_out"
"""The code of the warning that `absent_band_note` is the text of."""
POLARISATION = re.compile(r"(?<![a-z])(vv|vh|hh|hv)(?![a-z])|(?<![a-z])(vv|vh|hh|hv)(?=db)", re.IGNORECASE)
_GRD_IMAGE = re.compile(r"(s1[a-d]-\w+-grd-.+-00)([12])((?:-cog)?)", re.IGNORECASE)
"""A measurement's name, which ends with the number of its image in the product: 1 is co-polarised, 2 cross-polarised."""


@dataclass(frozen=True)
class BandSpec:
    """An input band: its dB values are clipped to `clip_db`, then standardised with `mean_db` and `std_db`."""

    role: str
    clip_db: tuple[float, float]
    mean_db: float
    std_db: float
    backscatter: str = "sigma0"  # sigma0, gamma0, or mixed where training had both
    optional: bool = False


@dataclass(frozen=True)
class ClassSpec:
    """A class: `code` is its pixel value in the land-cover raster (1 to 254; 0 is no data), `colour` is #rrggbb."""

    code: int
    name: str
    colour: str


@dataclass(frozen=True)
class EncoderSpec:
    """A plain Vision Transformer as timm builds it. `position_grid` is the side of its position-embedding grid, in patches."""

    embed_dim: int
    depth: int
    num_heads: int
    patch_px: int
    position_grid: int
    register_tokens: int = 0
    mlp_ratio: float = 4.0


@dataclass(frozen=True)
class DecoderSpec:
    """A decoder over the outputs of encoder `blocks`, counted from 0.

    `upsampling` has `width` channels at low resolution; `skip_width` is the channels of its skip from the input at full
    resolution. `linear` classifies each patch token alone and has no widths (0).
    """

    blocks: tuple[int, ...]
    width: int = 0
    skip_width: int = 0
    kind: str = "upsampling"


@dataclass(frozen=True)
class Metric:
    """A figure and what it was measured on; a figure without its data set says nothing."""

    name: str
    value: float
    measured_on: str


@dataclass(frozen=True)
class ModelCard:
    """What a model needs, gives, and was made from. A card without classes is an encoder alone: attention only.

    `attention_block` is counted from 0. `temperature` divides the blended logits before the softmax. `training` is free
    provenance (commands, data, seeds, versions); its key `simulated_only` says that no real pixel was seen in training.
    """

    name: str
    description: str
    licence: str
    bands: tuple[BandSpec, ...]
    classes: tuple[ClassSpec, ...]
    window_px: int
    spacing_m: float
    encoder: EncoderSpec
    decoder: DecoderSpec | None
    attention_block: int
    temperature: float = 1.0
    training: Mapping[str, Any] = field(default_factory=dict)
    metrics: tuple[Metric, ...] = ()
    weights_sha256: str = ""

    @property
    def patch_px(self) -> int:
        return self.encoder.patch_px

    @property
    def format(self) -> int:
        """The lowest format whose readers understand the card."""
        return 2 if self.decoder is not None and self.decoder.kind == "linear" else 1

    def to_json(self) -> str:
        return json.dumps({**dataclasses.asdict(self), "format": self.format}, ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> ModelCard:
        """Raises SardineError: model_format_newer, or model_card_invalid with every problem found."""
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise _card_error("it is not JSON") from error
        if not isinstance(data, dict):
            raise _card_error("it is not a JSON object")
        found_format = data.get("format")
        if not isinstance(found_format, int) or isinstance(found_format, bool) or found_format < 1:
            raise _card_error(f"its format number is {found_format!r:.40}")
        if found_format > CARD_FORMAT:
            raise SardineError(
                ErrorCode.MODEL_FORMAT_NEWER,
                f"The model file has format {found_format}.",
                f"This version of SARdine reads format {CARD_FORMAT}.",
                "Update SARdine, or export the model with this version.",
            )
        try:
            card = _card_from(data)
        except (KeyError, TypeError, ValueError) as error:
            raise _card_error(f"a field is missing or of the wrong type ({error})") from error
        problems = _problems(card)
        if problems:
            raise _card_error("; ".join(problems))
        return card


@dataclass(frozen=True)
class TensorEntry:
    """A tensor in the file: `begin` and `end` are byte offsets after the header."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


@dataclass(frozen=True)
class ModelHeader:
    """The parsed header of a model file. `data_offset` is where the tensor bytes begin."""

    card: ModelCard
    tensors: Mapping[str, TensorEntry]
    data_offset: int
    file_bytes: int


def read_header(path: str | os.PathLike[str]) -> ModelHeader:
    """The card and tensor table of the model file at `path`, checked against the file's size; no tensor is read.

    Raises SardineError: model_missing, model_truncated, model_header_invalid, model_card_invalid, model_format_newer.
    """
    name = Path(path).name
    try:
        with Path(path).open("rb") as file:
            file_bytes = os.fstat(file.fileno()).st_size
            length_bytes = file.read(8)
            header_bytes = int.from_bytes(length_bytes, "little")
            if len(length_bytes) < 8 or header_bytes < 2 or header_bytes > MAX_HEADER_BYTES:
                raise _header_error(name, f"its header would be {header_bytes} bytes long")
            if 8 + header_bytes > file_bytes:
                raise SardineError(
                    ErrorCode.MODEL_TRUNCATED,
                    f"The model file {name} is {file_bytes} bytes long, but its header alone needs {8 + header_bytes}.",
                    "A whole .safetensors file is needed.",
                    "Copy or download it again.",
                )
            text = file.read(header_bytes)
    except OSError as error:
        raise SardineError(
            ErrorCode.MODEL_MISSING,
            f"The model file {os.fspath(path)} cannot be opened ({error.strerror}).",
            "A readable .safetensors file is needed.",
            "Check the path, or choose another model.",
        ) from error
    try:
        header = json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise _header_error(name, "its header is not JSON") from error
    if not isinstance(header, dict):
        raise _header_error(name, "its header is not a JSON object")
    metadata = header.pop("__metadata__", {})
    card_text = metadata.get(CARD_KEY) if isinstance(metadata, dict) else None
    if not isinstance(card_text, str):
        raise SardineError(
            ErrorCode.MODEL_CARD_INVALID,
            f"The file {name} holds no SARdine model card.",
            f"Its metadata needs the key “{CARD_KEY}”.",
            "Choose a model that was exported with `python -m training.run export`.",
        )
    tensors = _tensor_table(name, header, file_bytes - 8 - header_bytes)
    return ModelHeader(ModelCard.from_json(card_text), tensors, 8 + header_bytes, file_bytes)


def _tensor_table(name: str, header: dict[str, Any], data_bytes: int) -> dict[str, TensorEntry]:
    tensors: dict[str, TensorEntry] = {}
    for key, entry in header.items():
        try:
            dtype, shape, (begin, end) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
            sizes = [*shape, begin, end]
            plain = all(isinstance(n, int) and not isinstance(n, bool) and 0 <= n < 2**48 for n in sizes)
            fits = plain and math.prod(shape) * DTYPE_BYTES[dtype] == end - begin
        except (KeyError, TypeError, ValueError) as error:
            raise _header_error(name, f"its entry for “{key:.60}” is malformed") from error
        if not fits:
            raise _header_error(name, f"the size of “{key:.60}” does not fit its shape")
        tensors[key] = TensorEntry(dtype, shape, begin, end)
    position = 0
    for key, tensor in sorted(tensors.items(), key=lambda item: (item[1].begin, item[1].end)):
        if tensor.begin != position:
            raise _header_error(name, f"the bytes of “{key:.60}” overlap others or leave a gap")
        position = tensor.end
    if position != data_bytes:
        raise SardineError(
            ErrorCode.MODEL_TRUNCATED,
            f"The model file {name} holds {data_bytes} bytes of weights, but its header promises {position}.",
            "A whole file is needed.",
            "Copy or download it again.",
        )
    return tensors


def _card_from(data: dict[str, Any]) -> ModelCard:
    decoder = data["decoder"]
    values = _known(ModelCard, data)
    values["bands"] = tuple(_spec(BandSpec, band, clip_db=tuple(map(float, band["clip_db"]))) for band in data["bands"])
    values["classes"] = tuple(_spec(ClassSpec, item) for item in data["classes"])
    values["encoder"] = _spec(EncoderSpec, data["encoder"])
    values["decoder"] = None if decoder is None else _spec(DecoderSpec, decoder, blocks=tuple(decoder["blocks"]))
    values["metrics"] = tuple(_spec(Metric, item) for item in data.get("metrics", ()))
    return ModelCard(**values)


def _known(cls: type[Any], data: dict[str, Any]) -> dict[str, Any]:
    return {f.name: data[f.name] for f in dataclasses.fields(cls) if f.name in data}


def _spec(cls: type[Any], data: dict[str, Any], **replaced: Any) -> Any:
    return cls(**{**_known(cls, data), **replaced})


def _problems(card: ModelCard) -> list[str]:
    """Each thing that is wrong with the card's values, for one message that names them all."""
    problems: list[str] = []

    def need(holds: bool, text: str) -> None:
        if not holds:
            problems.append(text)

    def whole(value: Any, low: int, high: int) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high

    def number(value: Any, low: float, high: float) -> bool:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high

    for name in ("name", "description", "licence", "weights_sha256"):
        need(isinstance(getattr(card, name), str), f"{name} is not text")
    need(isinstance(card.training, dict), "training is not an object")
    need(1 <= len(card.bands) <= 64, f"it has {len(card.bands)} bands (1 to 64)")
    roles = [band.role for band in card.bands]
    need(all(isinstance(role, str) and role for role in roles), "a band has no role")
    need(len({str(role) for role in roles}) == len(roles), "two bands have the same role")
    for band in card.bands:
        clip = band.clip_db
        need(len(clip) == 2 and clip[0] < clip[1] and all(number(c, -200, 200) for c in clip), f"clip_db of {band.role} is {clip}")
        need(
            number(band.mean_db, -200, 200) and number(band.std_db, 1e-6, 200), f"mean or deviation of {band.role} is out of range"
        )
        need(band.backscatter in ("sigma0", "gamma0", "mixed"), f"backscatter of {band.role} is {band.backscatter!r}")
        need(isinstance(band.optional, bool), f"optional of {band.role} is not true or false")
    codes = [item.code for item in card.classes]
    need(
        all(whole(code, 1, 254) for code in codes) and len(set(map(str, codes))) == len(codes),
        "class codes must differ and be 1 to 254",
    )
    for item in card.classes:
        need(isinstance(item.name, str) and bool(item.name), f"class {item.code} has no name")
        need(
            isinstance(item.colour, str) and re.fullmatch(r"#[0-9a-fA-F]{6}", item.colour) is not None,
            f"class {item.code} has no #rrggbb colour",
        )
    need(len(card.classes) != 1, "one class alone is no choice")
    need(bool(card.classes) == (card.decoder is not None), "classes need a decoder, and a decoder needs classes")
    encoder = card.encoder
    sizes_ok = (
        whole(encoder.embed_dim, 1, 4096)
        and whole(encoder.depth, 1, 64)
        and whole(encoder.num_heads, 1, 64)
        and encoder.embed_dim % encoder.num_heads == 0
        and whole(encoder.position_grid, 1, 512)
        and whole(encoder.register_tokens, 0, 64)
        and number(encoder.mlp_ratio, 0.1, 16)
    )
    need(sizes_ok, "the encoder's sizes are out of range")
    need(encoder.patch_px in (8, 16), f"the patch is {encoder.patch_px!r} px (8 or 16)")
    window_ok = whole(card.window_px, 16, 4096) and encoder.patch_px in (8, 16) and card.window_px % encoder.patch_px == 0
    need(window_ok, f"the window of {card.window_px!r} px is not a multiple of the patch")
    need(number(card.spacing_m, 0.1, 10_000), f"spacing_m is {card.spacing_m!r}")
    need(number(card.temperature, 1e-3, 1e3), f"temperature is {card.temperature!r}")
    if sizes_ok:
        need(whole(card.attention_block, 0, encoder.depth - 1), f"there is no block {card.attention_block!r} for attention")
        if card.decoder is not None:
            blocks = card.decoder.blocks
            need(
                1 <= len(blocks) <= 64
                and all(whole(b, 0, encoder.depth - 1) for b in blocks)
                and list(blocks) == sorted(set(blocks)),
                f"the decoder's blocks are {blocks}",
            )
            need(card.decoder.kind in DECODER_KINDS, f"the decoder is {card.decoder.kind!r:.40}")
            need(
                card.decoder.kind == "linear" or (whole(card.decoder.width, 1, 1024) and whole(card.decoder.skip_width, 1, 256)),
                "the decoder's widths are out of range",
            )
    for metric in card.metrics:
        need(
            number(metric.value, -math.inf, math.inf) and bool(metric.measured_on),
            f"metric {metric.name!r} has no value or data set",
        )
    return problems


def _card_error(problem: str) -> SardineError:
    return SardineError(
        ErrorCode.MODEL_CARD_INVALID,
        f"The model card cannot be used: {problem}.",
        "A card as `python -m training.run export` writes it is needed.",
        "Export the model again, or choose another.",
    )


def _header_error(name: str, problem: str) -> SardineError:
    return SardineError(
        ErrorCode.MODEL_HEADER_INVALID,
        f"{name} is not a model file: {problem}.",
        "A .safetensors file exported by SARdine is needed.",
        "Choose another file.",
    )


def absent_band_note(specs: Sequence[BandSpec], sources: Mapping[str, str], tr: Callable[[str], str] = str) -> str:
    """Which optional bands of `specs` are absent, what the map is made from, and the file to add where one lies beside.

    `sources` is the file of each role that is there; `tr` translates. Empty where no optional band is absent, or all are.
    """
    absent = [spec.role for spec in specs if spec.optional and spec.role not in sources]
    used = [spec.role for spec in specs if spec.role in sources]
    if not absent or not used:
        return ""
    text = tr("No band was given for {absent}: the map is made from {used} alone and is less reliable.")
    text = text.format(absent=", ".join(absent), used=", ".join(used))
    taken = {Path(source) for source in sources.values()}
    siblings = (sibling_file(source, role) for role in absent for source in sources.values())
    beside = next((found for found in siblings if found is not None and found not in taken), None)
    if beside is None:
        return text
    addition = tr("Add {file}, which lies beside the scene.")
    return f"{text} {addition.format(file=beside.name)}"


def sibling_file(path: str, role: str) -> Optional[Path]:
    """The file beside `path` whose name has the polarisation of `role` in the place of its own; None: there is none."""
    own, wanted = Path(path), POLARISATION.search(role)
    if wanted is None or not _is_file(own):
        return None
    polarisation = wanted.group(0).lower()

    def replaced(match: re.Match[str]) -> str:
        return polarisation.upper() if match.group(0).isupper() else polarisation

    name = POLARISATION.sub(replaced, own.stem)
    if name == own.stem:
        return None
    image = _GRD_IMAGE.fullmatch(name)
    names = [name, *([f"{image[1]}{3 - int(image[2])}{image[3]}"] if image else [])]
    return next((found for found in (own.with_name(each + own.suffix) for each in names) if _is_file(found)), None)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that no file system takes: sources of GDAL are not always files
        return False


def without_image_number(name: str) -> str:
    """`name` without what tells two images of one GRD product apart beside their polarisation; other names as they are.

    >>> without_image_number("s1a-iw-grd-vv-20210809t173953-049f13-001"), without_image_number("may_VV_001")
    ('s1a-iw-grd-vv-20210809t173953-049f13-00', 'may_VV_001')
    """
    image = _GRD_IMAGE.fullmatch(name)
    return f"{image[1]}{image[3]}" if image else name
