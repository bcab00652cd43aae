# SPDX-License-Identifier: GPL-2.0-or-later
"""How a session of these tests itself ends: in a process of its own, for what goes wrong there comes after all results."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from qgis.core import QgsRasterLayer


class Holder:
    """Something that holds a layer, and itself."""

    def __init__(self, layer: QgsRasterLayer) -> None:
        self.layer = layer
        self.itself = self


def test_layer_in_a_cycle_should_be_given_to_the_session_to_free(scene: Path) -> None:
    """By itself it shows little: the next test runs it in a session of its own."""
    holder = Holder(QgsRasterLayer(str(scene), "scene"))
    assert holder.itself.layer.isValid()


def test_session_should_end_well_with_a_layer_that_only_the_collector_frees(root: Path) -> None:
    name = f"{Path(__file__).relative_to(root)}::{test_layer_in_a_cycle_should_be_given_to_the_session_to_free.__name__}"
    # A collection in between would hide what is at stake here.
    line = [sys.executable, "-c", "import gc, sys, pytest; gc.disable(); sys.exit(pytest.main(sys.argv[1:]))", "-q", name]
    done = subprocess.run(line, cwd=root, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
