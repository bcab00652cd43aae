# SPDX-License-Identifier: GPL-2.0-or-later
"""Small rasters, model files and interpreters, made on the spot."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from osgeo import gdal, osr

gdal.UseExceptions()
CHILDREN = Path(__file__).parent / "children.py"

CARD = {
    "format": 1,
    "name": "test model",
    "description": "for tests",
    "licence": "GPL-2.0-or-later",
    "bands": [
        {"role": "VV", "clip_db": [-30.0, 5.0], "mean_db": -12.5, "std_db": 5.25},
        {"role": "VH", "clip_db": [-38.0, 0.0], "mean_db": -20.25, "std_db": 6.0},
    ],
    "classes": [
        {"code": 80, "name": "Permanent water bodies", "colour": "#0064c8"},
        {"code": 10, "name": "Tree cover", "colour": "#006400"},
        {"code": 50, "name": "Built-up", "colour": "#fa0000"},
    ],
    "window_px": 32,
    "spacing_m": 10.0,
    "encoder": {"embed_dim": 16, "depth": 2, "num_heads": 2, "patch_px": 8, "position_grid": 4},
    "decoder": {"blocks": [0, 1], "width": 8, "skip_width": 4},
    "attention_block": 1,
    "training": {"simulated_only": True},
}
EITHER_BAND = {"bands": [{**band, "optional": True} for band in CARD["bands"]]}
"""The change of the card that makes a model do with one band."""

GROUND_KM2 = 100 / 0.9996**2 / 1e6
"""What a pixel of 10 m on the middle meridian of a UTM zone covers: the projection draws it smaller by its scale factor."""


def write_raster(path: Path, bands: np.ndarray, *, descriptions: Sequence[str] = (), epsg: int | None = 32633) -> Path:
    """A GeoTIFF of 10 m pixels from `bands` [bands, rows, columns]."""
    kind = {"float32": gdal.GDT_Float32, "uint8": gdal.GDT_Byte, "uint16": gdal.GDT_UInt16}[bands.dtype.name]
    file = gdal.GetDriverByName("GTiff").Create(str(path), bands.shape[2], bands.shape[1], bands.shape[0], kind)
    if epsg is not None:
        system = osr.SpatialReference()
        system.ImportFromEPSG(epsg)
        file.SetProjection(system.ExportToWkt())
        file.SetGeoTransform((500_000, 10, 0, 5_400_000, 0, -10))
    for number, band in enumerate(bands, start=1):
        file.GetRasterBand(number).WriteArray(band)
        if descriptions:
            file.GetRasterBand(number).SetDescription(descriptions[number - 1])
    file = None
    return path


def radar_db(rows: int = 64, columns: int = 72, seed: int = 0) -> np.ndarray:
    """VV and VH in dB, float32 [2, rows, columns]: land with speckle, water in the left third, NaN in one corner."""
    rng = np.random.default_rng(seed)
    db = np.array([-10.0, -17.0])[:, None, None] + 10 * np.log10(rng.gamma(4.4, 1 / 4.4, (2, rows, columns)))
    db[:, :, : columns // 3] -= 9
    db[:, :5, -5:] = np.nan
    return db.astype(np.float32)


def read_raster(path: str | Path) -> np.ndarray:
    """All bands of a raster, [bands, rows, columns]."""
    values = gdal.Open(str(path)).ReadAsArray()
    return values if values.ndim == 3 else values[None]


def write_header_only_model(path: Path, **changes: object) -> Path:
    """A model file with a card and no tensor: enough for the plugin, which reads no weights."""
    header = json.dumps({"__metadata__": {"sardine_model_card": json.dumps({**CARD, **changes})}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    return path


def write_model(path: Path, python: str, root: Path, **changes: object) -> Path:
    """A model file with random weights, made by the backend's own interpreter; `changes` are of its card."""
    code = (
        "import pathlib, sys, torch; from backend.model_card import ModelCard; from backend.network.model import build_model; "
        "from backend.network.model_file import save_model; torch.manual_seed(0); card = ModelCard.from_json(sys.argv[2]); "
        "save_model(pathlib.Path(sys.argv[1]), card, build_model(card))"
    )
    subprocess.run(
        [python, "-P", "-c", code, str(path), json.dumps({**CARD, **changes})],
        check=True,
        env={**os.environ, "PYTHONPATH": str(root)},
        timeout=120,
    )
    return path


def write_interpreter(path: Path, habit: str) -> Path:
    """An executable that the plugin takes for a Python, and that is one of children.py's whatever its arguments are."""
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{CHILDREN}" {habit}\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def big_scene(folder: Path) -> Path:
    """A scene that even the smallest model maps for seconds."""
    return write_raster(folder / "big.tif", radar_db(1500, 2000), descriptions=("VV", "VH"))


def qgis_process_environment(profile: Path, backend_python: str) -> dict[str, str]:
    """Where `qgis_process` finds the plugin and the plugin its backend."""
    own = {"QGIS_CUSTOM_CONFIG_PATH": str(profile), "SARDINE_PYTHON": backend_python, "QT_QPA_PLATFORM": "offscreen"}
    return {**os.environ, **own}


def qgis_process_program() -> str:
    """The real `qgis_process`. Its absence is a failure."""
    program = os.environ.get("QGIS_PROCESS") or shutil.which("qgis_process")
    assert program, "qgis_process is needed: put it on the path, or set QGIS_PROCESS"
    return program


def run_qgis_process(profile: Path, backend_python: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What the real `qgis_process` answers to `arguments`."""
    environ = qgis_process_environment(profile, backend_python)
    return subprocess.run([qgis_process_program(), *arguments], env=environ, capture_output=True, text=True, timeout=240)
