# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs of `predict` that are killed at a chosen moment, each forked from a process that has imported torch.

`python -m tests.test_backend.fork_server` reads a JSON line for each run: its `arguments`, and `kill_at`, the number of the moment
(or null; negative, and the run is not killed then but terminated, which it answers). It writes one for each: `status` (negative:
the signal), `printed`, and `moments`, how many there were. Tiles of 64 px and a save after each row of windows make a small scene
have many of them.
"""

import json
import os
import signal
import sys
import tempfile
from pathlib import Path

import torch

from backend import job  # noqa: F401 - so that what is forked need not import it
from backend.__main__ import main
from backend.output import map_writer, raster, tiles
from backend.output.journal import Journal
from backend.output.part_state import PartState
from backend.output.raster import OutputRaster
from backend.output.row_spill import RowSpill

MOMENTS = (
    (map_writer.MapWriter, "save"), (OutputRaster, "_flush"), (OutputRaster, "_open"), (OutputRaster, "_sync"),
    (OutputRaster, "_check_whole"), (PartState, "restore"), (RowSpill, "append"), (RowSpill, "save"), (Journal, "write"),
    (Journal, "remove"), (Path, "replace"),
)  # fmt: skip
"""There is a moment before and one after each call of these."""


class Moments:
    """Counts moments, and ends the process at the one that was chosen as a kill does: nothing is flushed or closed."""

    def __init__(self, kill_at):
        self.count, self.kill_at = 0, kill_at

    def pass_one(self):
        self.count += 1
        if self.kill_at is not None and self.count == abs(self.kill_at):
            os.kill(os.getpid(), signal.SIGKILL if self.kill_at > 0 else signal.SIGTERM)

    def around(self, function):
        def wrapped(*arguments, **keywords):
            self.pass_one()
            result = function(*arguments, **keywords)
            self.pass_one()
            return result

        return wrapped


def run(arguments, kill_at, answer):
    moments = Moments(kill_at)
    for owner, name in MOMENTS:
        setattr(owner, name, moments.around(getattr(owner, name)))
    map_writer.SAVE_S = 0.0
    raster.TILE_PX = tiles.TILE_PX = 64  # the least that GDAL makes overviews of
    status = main(arguments)
    sys.stdout.flush()
    Path(answer).write_text(str(moments.count))
    os._exit(status)


def serve():
    torch.set_num_threads(1)  # threads of OpenMP do not live on in a fork
    folder = Path(tempfile.mkdtemp())
    for line in sys.stdin:
        asked = json.loads(line)
        printed, moments = folder / "printed", folder / "moments"
        moments.unlink(missing_ok=True)
        child = os.fork()
        if child == 0:
            descriptor = os.open(printed, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(descriptor, 1)
            os.dup2(descriptor, 2)
            run(asked["arguments"], asked["kill_at"], moments)
        _, status = os.waitpid(child, 0)
        count = int(moments.read_text()) if moments.exists() else 0
        answer = {"status": os.waitstatus_to_exitcode(status), "printed": printed.read_text(), "moments": count}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    serve()
    os._exit(0)  # torch takes seconds to take itself down
