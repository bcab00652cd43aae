# SPDX-License-Identifier: GPL-2.0-or-later
"""A run of `sardine:classify_samples` from the panel."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, ClassVar

from ....backend.model_card import ClassSpec
from ....backend.protocol import ErrorCode, SardineError
from ...processing.classify_samples import ClassifySamplesAlgorithm
from ...translation import tr
from ..run_queue import Run

ALGORITHM_ID = "sardine:classify_samples"


class ClassesRun(Run):
    """After its end `details` are the backend's, `card` has the person's classes, `classifier` is the file of the classifier."""

    algorithm_id = ALGORITHM_ID
    rasters: ClassVar[Mapping[str, str]] = {name: style for name, (_, style) in ClassifySamplesAlgorithm.rasters.items()}
    file_words: ClassVar[Mapping[str, str]] = {"CLASSES": "your_classes", "CONFIDENCE": "your_classes_confidence"}

    details: Mapping[str, Any] = {}
    classifier = ""

    @property
    def title(self) -> str:
        return tr("{scene} · your classes").format(scene=self.scene_name)

    def labels(self) -> dict[str, str]:
        return {"CLASSES": tr("Your classes"), "CONFIDENCE": tr("Confidence of your classes")}

    def take(self, results: Mapping[str, Any]) -> None:
        try:
            self.details = json.loads(results.get("REPORT", ""))
            classes = tuple(ClassSpec(item["code"], item["name"], item["colour"]) for item in self.details["classes"])
        except (ValueError, KeyError, TypeError) as error:
            raise SardineError(
                ErrorCode.PROTOCOL_MISMATCH, tr("The backend's report was not understood."), "", tr("Set up the backend again.")
            ) from error
        self.card = dataclasses.replace(self.card, classes=classes)
        self.classifier = results.get("CLASSIFIER", "")

    def told_besides(self) -> list[str]:
        """What the backend warned of, but for what is read off the details."""
        return [text for text in self.feedback.warnings if text not in self.details.get("judging_notes", ())]


class PreviewRun(ClassesRun):
    """One of many, while samples are drawn."""

    is_quiet = True
