# SPDX-License-Identifier: GPL-2.0-or-later
from __future__ import annotations

import re

from qgis.core import QgsApplication
from sardine.backend.protocol import ErrorCode, SardineError
from sardine.plugin.error_text import actions, describe, headings


def test_each_error_code_should_have_a_heading_of_its_own() -> None:
    texts = headings()
    assert set(texts) == set(ErrorCode)
    assert len(set(texts.values())) == len(ErrorCode)


def test_describe_should_say_found_needed_and_what_to_do_in_qgis() -> None:
    error = SardineError(ErrorCode.UNIT_AMBIGUOUS, "The values run from 0 to 255.", "The unit must be known.", "Give --units.")
    assert describe(error) == (
        "Unit of the values not certain: The values run from 0 to 255. The unit must be known. "
        "Choose it under “Unit of the pixel values”."
    )


def test_describe_should_keep_the_action_where_qgis_has_no_other() -> None:
    error = SardineError(ErrorCode.DISK_FULL, "The disk is full.", "2 GB are needed.", "Make room.")
    assert describe(error) == "Disk full: The disk is full. 2 GB are needed. Make room."


def test_describe_should_make_no_words_about_a_cancel() -> None:
    assert describe(SardineError(ErrorCode.CANCELLED, "The run was cancelled.", "", "")) == "Cancelled."


def test_actions_should_name_parameters_as_the_dialog_does(plugin) -> None:
    algorithm = QgsApplication.processingRegistry().algorithmById("sardine:landcover")
    shown = {parameter.description() for parameter in algorithm.parameterDefinitions()}
    named = [name for action in actions().values() for name in re.findall("“(.+?)”", action)]
    assert len(named) >= 5
    assert [name for name in named if name not in shown] == []
