# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs a module as `python -m` does, and ends it with all that it started as soon as standard input is closed.

    python -I child_guard.py MODULE ARGUMENTS…

Run by the Python of an environment that is being set up, never imported. QGIS holds the other end of the pipe: it closes it to
cancel, and it is closed too where QGIS is killed, so no pip goes on downloading for a window that is gone.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading


def _end_with_input() -> None:
    while os.read(0, 1024):
        pass
    if hasattr(os, "killpg"):
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os._exit(1)  # Windows: the launcher of a virtual environment holds its child in a job, which ends with it


def main() -> None:
    """Runs the module that the arguments name."""
    if hasattr(os, "setpgid"):
        os.setpgid(0, 0)  # a group of its own, to be ended as one
    threading.Thread(target=_end_with_input, daemon=True).start()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
