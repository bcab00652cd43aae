# SPDX-License-Identifier: GPL-2.0-or-later
"""How well a model file finds one class on labelled scenes, through the backend as it is used: warped, windowed, blended."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT

from backend.job import run_job
from backend.protocol import BandSource, JobRequest, OutputPaths
from training.config import MeasureConfig


@dataclass(frozen=True)
class Found:
    """Pixels of one scene: `both` are the class in map and label, `either` in at least one, `truth` in the label."""

    scene: str
    both: int
    either: int
    truth: int


def measure(config: MeasureConfig) -> list[Found]:
    """Maps each scene, compares, prints, and writes `config.out` as figures for a model card.

    Raises FileNotFoundError where no scene has a label, SardineError as the backend does, ValueError where the label holds no
    pixel of the class.
    """
    scenes = [
        path
        for folder in config.folders
        for path in sorted(folder.glob(f"*{config.scene_suffix}"))
        if _label(path, config).is_file()
    ]
    if not scenes:
        raise FileNotFoundError(
            f"No *{config.scene_suffix} with a *{config.label_suffix} beside it in {', '.join(map(str, config.folders))}."
        )
    found = [_compare(scene, config) for scene in scenes]
    for one in found:
        print(f"{one.scene:40} IoU {one.both / one.either if one.either else float('nan'):.3f}  truth {one.truth} px")
    either, with_truth = sum(one.either for one in found), [one for one in found if one.truth]
    if not with_truth:
        raise ValueError(f"No label holds the value {config.label_value}.")
    pooled = sum(one.both for one in found) / either
    mean = float(np.mean([one.both / one.either for one in with_truth]))
    print(f"pooled IoU {pooled:.3f}, mean over the {len(with_truth)} scenes with the class {mean:.3f}")
    figures = [
        {"name": f"IoU {config.class_name}, pooled", "value": round(pooled, 4), "measured_on": config.measured_on},
        {"name": f"IoU {config.class_name}, mean over scenes", "value": round(mean, 4), "measured_on": config.measured_on},
    ]
    config.out.parent.mkdir(parents=True, exist_ok=True)
    config.out.write_text(json.dumps(figures, indent=1))
    return found


def _label(scene: Path, config: MeasureConfig) -> Path:
    return scene.with_name(scene.name.removesuffix(config.scene_suffix) + config.label_suffix)


def _compare(scene: Path, config: MeasureConfig) -> Found:
    with tempfile.TemporaryDirectory() as folder:
        landcover = str(Path(folder) / "landcover.tif")
        request = JobRequest(
            bands=(BandSource("VV", str(scene), 1), BandSource("VH", str(scene), 2)),
            model=str(config.model),
            outputs=OutputPaths(landcover=landcover),
            units=config.units,
            device=config.device,
        )
        run_job(request, lambda _message: None, lambda: False)
        with rasterio.open(landcover) as file:
            mapped = file.read(1)
            truth, labelled = _truth_on(file, _label(scene, config), config)
    counted = labelled & (mapped != 0)
    is_class, is_truth = mapped == config.class_code, truth == config.label_value
    return Found(
        scene.name,
        int((is_class & is_truth & counted).sum()),
        int(((is_class | is_truth) & counted).sum()),
        int((is_truth & counted).sum()),
    )


def _truth_on(
    grid: rasterio.DatasetReader, label: Path, config: MeasureConfig
) -> tuple[npt.NDArray[np.integer], npt.NDArray[np.bool_]]:
    """The label on the map's grid (nearest neighbour), and where it says something."""
    with (
        rasterio.open(label) as file,
        WarpedVRT(
            file,
            crs=grid.crs,
            transform=grid.transform,
            height=grid.height,
            width=grid.width,
            resampling=Resampling.nearest,
            src_nodata=config.label_void,
            nodata=config.label_void,
        ) as warped,
    ):
        values = warped.read(1)
    return values, values != config.label_void
