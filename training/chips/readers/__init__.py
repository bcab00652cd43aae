# SPDX-License-Identifier: GPL-2.0-or-later
"""Layouts of files that people have. A reader knows names and folders; pixels are read later, by the backend."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from training.chips.config import SourceConfig
from training.chips.readers import m3leo, reference, scenes
from training.chips.scene_items import Found


@dataclass(frozen=True)
class Layout:
    """How a kind of source is read, and what its settings are where the configuration leaves them open."""

    find: Callable[[SourceConfig, tuple[str, ...]], Found]
    defaults: Mapping[str, object]


LAYOUTS: Mapping[str, Layout] = {
    "scenes": Layout(scenes.find, {"files": ("**/*.tif", "**/*.tiff")}),
    "simulated": Layout(
        scenes.find,
        {
            "files": ("scene_*.tif",),
            "label_replace": {"^scene_": "label_"},
            "legend": "worldcover",
            "place": "file",
            "units": "db",
        },
    ),
    # Bonafilia et al. 2020: S1Hand/Ghana_103272_S1Hand.tif beside LabelHand/Ghana_103272_LabelHand.tif; places are countries.
    "sen1floods11": Layout(
        scenes.find,
        {
            "files": ("**/*_S1Hand.tif", "**/*_S1.tif"),
            "bands": ("VV", "VH"),
            "label_replace": {"S1Hand": "LabelHand", r"_S1\.tif$": "_label.tif"},
            "legend": "sen1floods11",
            "places": {r"(?:.*/)?([A-Za-z-]+)_\d+_[^/]*": r"\1"},
            "units": "db",
        },
    ),
    # SEN12MS: ROIs1158_spring/s1_1/ROIs1158_spring_s1_1_p30.tif beside lc_1/..lc_1_p30.tif (band 1: IGBP);
    # DFC2020: s1_validation/ROIs0000_validation_s1_0_p0.tif beside dfc_validation/..dfc_0_p0.tif.
    "dfc2020": Layout(
        scenes.find_dfc2020,
        {
            "files": ("**/*_s1_*.tif",),
            "bands": ("VV", "VH"),
            "places": {r"(?:.*/)?(ROIs\d+_[a-z]+)_s1_(\d+)_p\d+\.tif": r"\1_\2"},
            "units": "db",
        },
    ),
    "m3leo": Layout(m3leo.find, {"legend": "worldcover", "place": "file", "split": "csv"}),
    # SSL4EO-S12: s1/0000000/S1A_IW_GRDH_1SDV_20200607T010800_.../VV.tif and VH.tif, or both bands in one file.
    "ssl4eo": Layout(
        scenes.find,
        {
            "files": ("**/*.tif",),
            "places": {r"(?:.*/)?(\d{6,8})/S1[AB]_[^/]*(?:/[^/]*)?": r"ssl4eo_\1"},
            "same_ground": r"(?:.*/)?(\d{6,8})/S1[AB]_",
            "units": "db",
        },
    ),
    "single_pol": Layout(scenes.find, {"files": ("**/*.tif", "**/*.tiff", "**/*.png"), "units": "scaled"}),
    "reference": Layout(reference.find, {"place": "file", "split": "polygons"}),
}
