# SPDX-License-Identifier: GPL-2.0-or-later
"""The part of the visit in which a person has the backend's environment made, for real: minutes, and gigabytes from the network."""

from __future__ import annotations

from collections.abc import Generator

from person import Person
from qgis.PyQt.QtWidgets import QWidget

FROM_PYPI = "CPU and NVIDIA GPU, from PyPI alone"
LONGEST_S = 1500


def create(me: Person, dialog: QWidget) -> Generator[object, None, QWidget]:
    """Presses Create and waits; returns the dialog that shows how it ended.

    Where the server of the proposed build cannot be reached, takes the one that comes from PyPI alone, as the message advises, and
    presses Retry.
    """
    me.tell(offered=me.seen("cost", dialog).text())
    yield from me.click((yield from me.button("Create")))
    yield from me.until(lambda: has_ended(me, dialog) or "Downloading torch" in told(me, dialog), "torch, or why not", LONGEST_S)
    if has_ended(me, dialog):
        me.tell(refused=told(me, dialog))
        yield from me.picture("08_server_not_reached")
        yield from me.choose((yield from me.find("build", inside=dialog)), FROM_PYPI)
        yield from me.picture("08_another_build")
        yield from me.click((yield from me.button("Retry")))
        yield from me.until(lambda: has_ended(me, dialog) or "Downloading torch" in told(me, dialog), "torch", LONGEST_S)
    if has_ended(me, dialog):
        raise RuntimeError(told(me, dialog))
    yield from me.rest(3.0)
    yield from me.picture("08_downloading")
    # QGIS can be used meanwhile, and the set-up be left to itself.
    yield from me.click((yield from me.find("setup_close", inside=dialog)))
    yield from me.rest(1.0)
    yield from me.picture("08_meanwhile")
    yield from me.click((yield from me.find("set_up_backend")))
    dialog = yield from me.find("sardine_setup_dialog")
    yield from me.until(lambda: has_ended(me, dialog) or "Installing" in told(me, dialog), "the installation", LONGEST_S)
    yield from me.picture("08_installing")
    yield from me.until(lambda: has_ended(me, dialog), "the environment to be made", LONGEST_S)
    yield from me.picture("08_environment_ready")
    return dialog


def told(me: Person, dialog: QWidget) -> str:
    """What the set-up dialog says below its choices."""
    stage = me.seen("setup_stage", dialog)
    return stage.text() if stage is not None else ""


def has_ended(me: Person, dialog: QWidget) -> bool:
    """Whether what the dialog was asked to do has ended, well or not."""
    return told(me, dialog)[:1] in ("✓", "⚠")
