# SPDX-License-Identifier: GPL-2.0-or-later
"""A model card as a person reads it. A card is text from strangers: all of it is escaped."""

from __future__ import annotations

from html import escape

from ...backend.model_card import ModelCard
from ..translation import tr


def card_html(card: ModelCard) -> str:
    """Bands, classes with their colours, what it was trained on, figures and licence of `card`."""
    optional = tr("{band} (optional)")
    bands = ", ".join(optional.format(band=band.role) if band.optional else band.role for band in card.bands)
    parts = [
        *(f"<p>{escape(paragraph)}</p>" for paragraph in card.description.splitlines() if paragraph.strip()),
        _row(tr("Bands"), escape(bands)),
        _row(
            tr("Pixels"), escape(tr("{spacing:g} m, patches of {patch} pixels").format(spacing=card.spacing_m, patch=card.patch_px))
        ),
        _row(tr("Trained on"), escape(trained_on(card))),
        _row(tr("Licence"), escape(card.licence or tr("not told"))),
    ]
    if card.classes:
        rows = "".join(
            f'<tr><td style="background-color:{item.colour}">&nbsp;&nbsp;&nbsp;&nbsp;</td>'
            f'<td align="right">&nbsp;{item.code}&nbsp;</td><td>{escape(item.name)}</td></tr>'
            for item in sorted(card.classes, key=lambda item: item.code)
        )
        parts.append(_table(tr("Classes"), rows))
    else:
        parts.append("<p>" + tr("This model has no classes: it gives attention alone.") + "</p>")
    if card.metrics:
        rows = "".join(
            f'<tr><td>{escape(str(item.name))}&nbsp;&nbsp;</td><td align="right">{item.value:.3f}&nbsp;&nbsp;</td>'
            f"<td>{escape(str(item.measured_on))}</td></tr>"
            for item in card.metrics
        )
        parts.append(_table(tr("Figures"), rows))
    return "".join(parts)


def trained_on(card: ModelCard) -> str:
    """A line on the training data, as far as the card tells."""
    scenes = card.training.get("scenes")
    known = isinstance(scenes, int) and not isinstance(scenes, bool)
    if card.training.get("simulated_only"):
        what = tr("{count} simulated scenes").format(count=scenes) if known else tr("simulated scenes")
        return tr("{what} and no real one: a demonstration, not for use").format(what=what)
    real = _real_places(card.training.get("data"))
    if known and 0 < real < scenes:
        return tr("{simulated} simulated scenes and scenes of {real} real places").format(simulated=scenes - real, real=real)
    return tr("{count} scenes").format(count=scenes) if known else tr("data that the card does not tell")


def _real_places(data: object) -> int:
    """How many real places are named in a card's `training.data`; 0 where it is of another form."""
    stores = data.get("stores") if isinstance(data, dict) else None
    named = [store.get("real_places") for store in stores if isinstance(store, dict)] if isinstance(stores, list) else []
    return sum(len(places) for places in named if isinstance(places, list))


def _table(heading: str, rows: str) -> str:
    return f'<p><b>{heading}</b></p><table cellspacing="2">{rows}</table>'


def _row(name: str, text: str) -> str:
    return f"<p><b>{name}:</b> {text}</p>"
