# SPDX-License-Identifier: GPL-2.0-or-later
"""How outputs are compressed: by how many of GDAL's threads, and how hard."""

from __future__ import annotations

import functools
import threading

import numpy as np
import rasterio
from rasterio.io import MemoryFile

THREADS = 2
"""Compression runs beside the network; more threads than this would take its cores."""

DEFLATE_LEVEL = 5
"""Deflate's level 6, GDAL's own, takes up to three times the time for files 1% to 6% smaller (measured). A file that is opened
to be written on has it all the same: GDAL takes no level there."""


@functools.cache
def compression_threads() -> str:
    """How many threads GDAL may compress with, for its options. They run when this returns, for as long as the process does.

    GDAL starts its threads with the first tiles, and where the system refuses one (memory is short) it waits for that thread's
    tiles for ever (`CPLWorkerThreadPool::SubmitJob`). So they are started here, before the run takes its memory; where the
    system refuses two threads of ours, GDAL gets none and compresses in the thread that writes.
    """
    if not _threads_start():
        return "1"
    size_px = 64
    with (
        MemoryFile() as memory,
        memory.open(
            driver="GTiff", dtype="uint8", count=1, height=size_px, width=size_px, tiled=True, blockxsize=16, blockysize=16,
            compress="deflate", num_threads=THREADS, transform=rasterio.Affine.scale(2.0),
        ) as dataset,
    ):  # fmt: skip
        dataset.write(np.zeros((1, size_px, size_px), dtype=np.uint8))
    return str(THREADS)


def _threads_start() -> bool:
    """Whether the system starts as many threads at once."""
    end = threading.Event()
    threads = [threading.Thread(target=end.wait, daemon=True) for _ in range(THREADS)]
    started = []
    try:
        for thread in threads:
            thread.start()
            started.append(thread)
    except RuntimeError:  # "can't start new thread"
        pass
    end.set()
    for thread in started:
        thread.join()
    return len(started) == THREADS
