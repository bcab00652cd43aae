# SPDX-License-Identifier: GPL-2.0-or-later
"""Which unit a layer's values are in, and the evidence for it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class UnitReport:
    """`unit` is db, power, amplitude, dn or scaled; `backscatter` is sigma0, gamma0 or None where nothing tells."""

    unit: str
    evidence: str
    backscatter: str | None
    certain: bool
