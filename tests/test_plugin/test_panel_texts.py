# SPDX-License-Identifier: GPL-2.0-or-later
"""What the panel writes: areas, reports, cards and file names. Nothing is run."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from sardine.backend.model_card import ModelCard, read_header
from sardine.backend.protocol import JobResult, decode
from sardine.plugin.layers.class_areas import areas_text, class_areas
from sardine.plugin.layers.metadata import metadata_of
from sardine.plugin.panel.model_text import card_html, trained_on
from sardine.plugin.panel.outputs import free_paths
from sardine.plugin.report import plugin_version, shorten

from tests.test_plugin.children import RESULT


@pytest.fixture
def card(header_model: Path) -> ModelCard:
    return read_header(header_model).card


@pytest.fixture
def result() -> JobResult:
    return decode(json.dumps({**RESULT, "class_area_ha": {"10": 30.0, "80": 10.0}, "outputs": {"landcover": "/maps/lc.tif"}}))


def test_areas_should_be_sorted_and_sum_to_the_whole(result: JobResult, card: ModelCard) -> None:
    rows = class_areas(result, card)
    assert [(row.name, row.area_ha, row.percent) for row in rows] == [
        ("Tree cover", 30.0, 75.0),
        ("Permanent water bodies", 10.0, 25.0),
        ("Built-up", 0.0, 0.0),
    ]


def test_areas_should_be_text_that_a_spreadsheet_reads(result: JobResult, card: ModelCard) -> None:
    classes = (dataclasses.replace(card.classes[1], name='Trees, "old"'), card.classes[0])
    text = areas_text(class_areas(result, dataclasses.replace(card, classes=classes)), ",")
    assert text.splitlines() == [
        "code,class,area_ha,percent",
        '10,"Trees, ""old""",30.0000,75.000',
        "80,Permanent water bodies,10.0000,25.000",
    ]


def test_metadata_should_tell_title_licence_and_making(result: JobResult, card: ModelCard) -> None:
    metadata = metadata_of("LANDCOVER", "Land cover: s1", "s1", result, card)
    assert metadata.title() == "Land cover: s1"
    assert metadata.licenses() == ["Model: GPL-2.0-or-later"]
    assert metadata.identifier() == "/maps/lc.tif"
    assert "from s1 with the model test model" in metadata.abstract()
    assert "no real one" in metadata.abstract()
    assert "Decibels (dB): e" in metadata.history()
    assert "Model test model, SHA-256 of its weights h" in metadata.history()


def test_card_should_be_shown_with_nothing_of_it_taken_for_markup(card: ModelCard) -> None:
    html = card_html(dataclasses.replace(card, description="<img src='file:///etc/passwd'>", licence="<b>"))
    assert "<img" not in html
    assert "&lt;img" in html
    assert "VV, VH" in html
    assert 'background-color:#0064c8"' in html
    assert "no real one" in html


def test_card_should_make_a_paragraph_of_each_line_of_the_description(card: ModelCard) -> None:
    html = card_html(dataclasses.replace(card, description="For a first look.\n\nKnown to fail: <layover>.\n"))
    assert html.startswith("<p>For a first look.</p><p>Known to fail: &lt;layover&gt;.</p><p><b>")


@pytest.mark.parametrize(
    ("stores", "told"),
    [
        ([{"real_places": ["Berlin", "Para"]}, {"real_places": []}], "5 simulated scenes and scenes of 2 real places"),
        ([{"real_places": ["a", "b", "c", "d", "e", "f", "g"]}], "7 scenes"),
        ([{"real_places": 3}, "a store"], "7 scenes"),
        (None, "7 scenes"),
    ],
)
def test_card_should_tell_simulated_scenes_from_real_places(card: ModelCard, stores: object, told: str) -> None:
    training = {"simulated_only": False, "scenes": 7, "data": {"stores": stores}}
    assert trained_on(dataclasses.replace(card, training=training)) == told


def test_results_should_be_numbered_together_and_replace_nothing(tmp_path: Path) -> None:
    names = {"LANDCOVER": "landcover", "CONFIDENCE": "confidence"}
    first = free_paths(tmp_path, "a/b: ü?", names, set())
    assert [Path(path).name for path in first.values()] == ["a_b_ ü__landcover.tif", "a_b_ ü__confidence.tif"]
    Path(first["CONFIDENCE"]).touch()
    second = free_paths(tmp_path, "a/b: ü?", names, set())
    assert [Path(path).name for path in second.values()] == ["a_b_ ü__landcover_2.tif", "a_b_ ü__confidence_2.tif"]
    third = free_paths(tmp_path, "a/b: ü?", names, set(second.values()))
    assert [Path(path).name for path in third.values()] == ["a_b_ ü__landcover_3.tif", "a_b_ ü__confidence_3.tif"]


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("No file /home/ada/secret site/s1_vv.tif.", "No file …/s1_vv.tif."),
        (r"C:\Users\Ada L\s1.tif", "…/s1.tif"),
        ("0.5 megapixels/s and sigma0/gamma0", "0.5 megapixels/s and sigma0/gamma0"),
        ("VV=/data/x/a.tif:1;VH=/data/x/b.tif:2", "VV=…/a.tif:1;VH=…/b.tif:2"),
        (f'File "{Path.home()}/projects/x.py", line 3', 'File "…/x.py", line 3'),
    ],
)
def test_report_should_cut_paths_to_their_last_part(text: str, short: str) -> None:
    assert shorten(text) == short


def test_report_should_know_the_plugins_version(root: Path) -> None:
    assert f"version={plugin_version()}\n" in (root / "metadata.txt").read_text()
