# SPDX-License-Identifier: GPL-2.0-or-later
"""A method run over labelled scenes: mapped, compared, drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backend.protocol import SardineError
from training.evaluate.figures import labelled_px
from training.evaluate.maps import Mapper, read_radar
from training.evaluate.output import LeftOut, say
from training.evaluate.pictures import Picture, picture_of
from training.evaluate.scenes import LabelledScene, label_on_grid
from training.evaluate.score import SceneScore, score_scene
from training.metrics import IGNORE


@dataclass(frozen=True)
class Measured:
    """Scores of one method, scenes that were left out, and pictures of its maps."""

    method: str
    scores: tuple[SceneScore, ...]
    left_out: tuple[LeftOut, ...]
    pictures: tuple[Picture, ...] = ()


def measure(mapper: Mapper, scenes: Sequence[LabelledScene], picture_px: int = 0, only_labelled: bool = False) -> Measured:
    """Maps and scores each scene; one that the backend refuses is left out with its reason.

    With `only_labelled` a method need not map the other pixels. Raises SardineError as the backend does while it runs.
    """
    scores: list[SceneScore] = []
    left_out: list[LeftOut] = []
    pictures: list[Picture] = []
    for number, scene in enumerate(scenes, 1):
        try:
            radar = read_radar(scene)
            label = None if scene.label is None else label_on_grid(scene, radar.grid)
            labelled = None if label is None or not only_labelled else scene.legend.truth(label.values) != IGNORE
            found = mapper.map(scene, scene.legend, labelled)
        except SardineError as error:
            if not error.refused:
                raise
            left_out.append(LeftOut(scene.label_set.name, scene.name, str(error)))
            continue
        if found is None:
            continue
        if radar.grid != found.grid:
            raise ValueError(f"The map of {scene.name} lies on another grid than the radar image.")
        score = score_scene(scene, found, label, radar.values_db, radar.simulated)
        if label is not None and not labelled_px(score):
            left_out.append(LeftOut(scene.label_set.name, scene.name, "no pixel is labelled"))
            continue
        scores.append(score)
        if picture_px:
            pictures.append(picture_of(scene, radar.values_db, found, label, picture_px))
        say(f"{mapper.name}: {number} of {len(scenes)} {scene.name}")
    return Measured(mapper.name, tuple(scores), tuple(left_out), tuple(pictures))
