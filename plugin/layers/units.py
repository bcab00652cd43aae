# SPDX-License-Identifier: GPL-2.0-or-later
"""The units of pixel values in a person's words."""

from __future__ import annotations

import re

from ..translation import tr


def unit_labels() -> dict[str, str]:
    """The units of the protocol as a person reads them."""
    return {
        "auto": tr("Detect; ask where not certain"),
        "db": tr("Decibels (dB)"),
        "power": tr("Linear power"),
        "amplitude": tr("Amplitude"),
        "dn": tr("Digital numbers of a GRD product"),
        "scaled": tr("Grey levels of unknown scale"),
    }


def unit_text(unit: str, evidence: str) -> str:
    """The unit and what speaks for it; the backend's own name of the unit before its evidence is left out."""
    reasons = re.sub(r"^(dB|power|amplitude|digital numbers): ", "", evidence)
    return f"{unit_labels().get(unit, unit)}: {reasons}"
