# SPDX-License-Identifier: GPL-2.0-or-later
"""A person's way from “Install from ZIP” to styled layers, in a QGIS of its own; story.py tells what is clicked."""

from __future__ import annotations

import json
import os
import subprocess

import pytest
import rasterio

from backend.model_card import read_header
from scripts import package
from tests.test_desktop.conftest import CREATES, Visit, places

ROOT = package.ROOT
(MODEL,) = (ROOT / "resources/models").glob("*.safetensors")
MODEL_NAME = read_header(MODEL).card.name


def test_qgis_should_end_well(visit: Visit) -> None:
    assert (visit.status, (visit.folder / "crash.txt").read_text()) == (0, "")


def test_plugin_should_run_from_the_profile_and_not_from_the_clone(visit: Visit) -> None:
    assert visit.told("plugin") == str(visit.profile / "profiles/default/python/plugins/sardine/__init__.py")
    assert str(ROOT) not in " ".join(visit.told("python_path"))


def test_switching_off_twice_should_leave_nothing(visit: Visit) -> None:
    assert visit.told("left_1") == {}
    assert visit.told("left_2") == {}


def test_panel_should_tell_a_new_user_what_is_missing(visit: Visit) -> None:
    assert visit.told("no_backend") == "The backend is not set up yet."
    assert visit.told("set_up").startswith("✓ ")


def test_set_up_should_open_where_it_can_be_seen_whole(visit: Visit) -> None:
    assert visit.told("dialog_is_on_the_screen"), visit.told("frame")


@pytest.mark.skipif(not CREATES, reason="fetches gigabytes and takes minutes: make desktop CREATE=1")
def test_create_should_make_an_environment_and_leave_nothing_else(visit: Visit) -> None:
    assert visit.told("set_up").startswith("✓ The environment is ready.")
    stamp = json.loads((visit.python.parents[1] / "sardine.json").read_text())
    assert set(stamp["versions"]) >= {"torch", "timm", "rasterio"}
    home = visit.python.parents[2]
    assert sorted(path.name for path in home.iterdir()) == [visit.python.parents[1].name]


def test_clicks_alone_should_lead_to_styled_layers(visit: Visit) -> None:
    name = visit.scene.stem
    assert visit.told("layers") == {
        name: "multibandcolor",
        "Land cover": "paletted",
        "Confidence": "singlebandgray",
        "Attention": "singlebandpseudocolor",
    }
    assert visit.told("groups") == [f"{name} · {MODEL_NAME}"]


def test_samples_drawn_on_the_map_should_become_a_map_of_their_classes(visit: Visit) -> None:
    drawn = places(visit.original)
    if not drawn:
        pytest.skip("nobody knows where this scene shows what: SARDINE_PLACES can tell")
    assert visit.told("own_samples") == {name: len(spots) for name, spots in drawn.items()}
    assert "Preview after" in visit.told("preview")
    assert {row[0] for row in visit.told("own_classes")} == set(drawn)
    scene = visit.scene.stem
    assert {"Your classes", "Confidence of your classes", "Where unsure", f"Samples of {scene}"} <= set(visit.told("own_layers"))


def test_cancel_should_leave_nothing(visit: Visit) -> None:
    assert visit.told("cancel") == f"Nothing of {visit.scene.stem} · {MODEL_NAME} was kept."
    assert visit.told("parts_after_cancel") == []


def test_killed_backend_should_be_told_with_a_report(visit: Visit) -> None:
    assert "was ended by signal 9 in the middle of the run" in visit.told("kill")
    report = visit.told("report")
    assert "Outcome: failed" in report
    assert str(visit.folder) not in report
    assert visit.told("parts_after_kill") == []


def test_closing_qgis_during_a_run_should_leave_no_process(visit: Visit) -> None:
    assert visit.left_processes == []


def test_qgis_process_should_run_what_was_installed(visit: Visit, tmp_path) -> None:
    """In the same profile, with the Python that was set up in the panel, and with the same result as the clone's backend."""
    environ = {"PATH": os.defpath, "HOME": str(visit.scene.parent), "LANG": "C.UTF-8", "QT_QPA_PLATFORM": "offscreen"}
    environ["QGIS_CUSTOM_CONFIG_PATH"] = str(visit.profile)
    line = ["qgis_process", "run", "sardine:landcover", "--", f"INPUT={visit.scene}", f"LANDCOVER={tmp_path / 'installed.tif'}"]
    done = subprocess.run([*line, "DEVICE=cpu"], env=environ, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    line = ["predict", "--band", f"VV={visit.scene}:1", "--band", f"VH={visit.scene}:2", "--model", str(MODEL), "--device", "cpu"]
    clone = [str(visit.python), "-m", "backend", *line, "--landcover", str(tmp_path / "clone.tif")]
    subprocess.run(clone, check=True, cwd=ROOT, timeout=300)
    with rasterio.open(tmp_path / "installed.tif") as installed, rasterio.open(tmp_path / "clone.tif") as expected:
        assert (installed.read() == expected.read()).all()
