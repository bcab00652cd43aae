# SPDX-License-Identifier: GPL-2.0-or-later
"""What each output raster looks like: type, nodata, bands, colours. The one place where the encodings are written down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..model_card import ClassSpec, ModelCard
from ..strip import LANDCOVER_NODATA, PERCENT_NODATA, PROBABILITY_STEPS

Colour = tuple[int, int, int, int]


@dataclass(frozen=True)
class RasterSpec:
    """One output. `bands` are the descriptions of its bands; `scale` turns stored values into `unit`.

    `meaning` says in a tag what the values are. `overviews` is GDAL's resampling. `predictor` is TIFF's: 1 none (17% smaller
    for codes than with differences, measured), 2 differences, 3 those of floats. `colours` is the colour table; `band_tags` are
    tags of band 1.
    `least_bytes_px` is what a pixel of a band takes in the file at the least, short of a scene without data (measured).
    """

    dtype: str
    nodata: float
    bands: tuple[str, ...]
    overviews: str
    predictor: int
    meaning: str
    least_bytes_px: float
    scale: float | None = None
    unit: str = ""
    colours: Mapping[int, Colour] = field(default_factory=dict)
    band_tags: Mapping[str, str] = field(default_factory=dict)


def raster_specs(card: ModelCard, attention_heads: str = "all") -> dict[str, RasterSpec]:
    """The rasters that a model of this card can give, by output name; `attention_heads` is one of protocol.ATTENTION_HEADS."""
    heads = card.encoder.num_heads if attention_heads == "all" else 0
    specs = {
        "attention": RasterSpec(
            dtype="float32",
            nodata=float("nan"),
            bands=("mean", *(f"head {head + 1}" for head in range(heads))),
            overviews="average",
            predictor=3,
            meaning="attention of the class token to each patch; 1 is as much as the average patch with data, of the mapped scene "
            "or of the window, as SARDINE_ATTENTION_SCOPE says",
            least_bytes_px=1.0,
        )
    }
    if card.classes:
        specs["landcover"] = landcover_spec(card.classes)
        specs["confidence"] = confidence_spec()
        specs["probabilities"] = RasterSpec(
            dtype="uint8",
            nodata=PERCENT_NODATA,
            bands=tuple(f"{item.code} {item.name}" for item in card.classes),
            overviews="average",
            predictor=2,
            meaning=f"probability of each class in 1/{PROBABILITY_STEPS}; 255 is no data",
            least_bytes_px=0.01,
            scale=1.0 / PROBABILITY_STEPS,
        )
    return specs


def landcover_spec(classes: Sequence[ClassSpec]) -> RasterSpec:
    """A raster of class codes, with the names and colours of `classes`."""
    return RasterSpec(
        dtype="uint8",
        nodata=LANDCOVER_NODATA,
        bands=("land cover",),
        overviews="mode",
        predictor=1,
        meaning="class codes; 0 is no data",
        least_bytes_px=0.01,
        colours={LANDCOVER_NODATA: (0, 0, 0, 0), **{item.code: _colour(item.colour) for item in classes}},
        band_tags={f"CLASS_{item.code}": item.name for item in classes},
    )


def confidence_spec() -> RasterSpec:
    """The probability of the class that was mapped."""
    return RasterSpec(
        dtype="uint8",
        nodata=PERCENT_NODATA,
        bands=("confidence",),
        overviews="average",
        predictor=2,
        meaning="probability of the mapped class in percent; 255 is no data",
        least_bytes_px=0.05,
        unit="%",
    )


def _colour(text: str) -> Colour:
    """#rrggbb as red, green, blue, opaque."""
    return (int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16), 255)
