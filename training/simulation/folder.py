# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes a folder of simulated scenes, several at a time."""

from __future__ import annotations

import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed

from training.config import SimulateConfig
from training.simulation.scene_files import scene_path, write_scene
from training.simulation.simulate import simulate_scene


def simulate_folder(config: SimulateConfig) -> None:
    """Makes the scenes of `config`, scene n from seed `config.seed + n`."""
    config.out.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    pixels = config.height_px * config.width_px
    if config.workers == 1:
        for number in range(config.scenes):
            simulate_one(config, number)
            _show(number + 1, config.scenes, pixels, started)
    else:
        with ProcessPoolExecutor(config.workers) as pool:
            jobs = [pool.submit(simulate_one, config, number) for number in range(config.scenes)]
            for done, job in enumerate(as_completed(jobs), start=1):
                job.result()
                _show(done, config.scenes, pixels, started)
    print(file=sys.stderr)


def simulate_one(config: SimulateConfig, number: int) -> None:
    """Writes scene `number` of the folder and its label."""
    scene = simulate_scene(config.seed + number, (config.height_px, config.width_px), config.radar, config.landscape)
    write_scene(scene, scene_path(config.out, number), config.crs)


def _show(done: int, total: int, pixels: int, started: float) -> None:
    elapsed = time.monotonic() - started
    if not sys.stderr.isatty() and done % 50 and done != total:
        return
    left_s = elapsed / done * (total - done)
    rate = done * pixels / elapsed / 1e6
    print(f"\r{done} of {total} scenes  {rate:.1f} Mpx/s  {left_s:.0f} s left ", end="", file=sys.stderr, flush=True)
