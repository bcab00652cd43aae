# SPDX-License-Identifier: GPL-2.0-or-later
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import pytest

from backend.output.paths import check_output_paths, part_path
from backend.protocol import ErrorCode, SardineError

ROOT = Path(__file__).parents[2]


def refusal(outputs, inputs=(), *, overwrite=False):
    outputs = {name: str(path) for name, path in outputs.items()}
    with pytest.raises(SardineError) as caught:
        check_output_paths(outputs, [str(path) for path in inputs], overwrite=overwrite)
    assert caught.value.refused
    for part in (caught.value.found, caught.value.needed, caught.value.action):
        assert part.endswith(".")
    return caught.value.code


def test_good_paths_should_come_back_absolute_and_leave_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    targets = check_output_paths({"landcover": "lc.tif", "attention": "Über [1].TIFF"}, [], overwrite=False)
    assert targets == {"landcover": tmp_path / "lc.tif", "attention": tmp_path / "Über [1].TIFF"}
    assert list(tmp_path.iterdir()) == []


def test_folder_that_is_missing_should_be_refused(tmp_path):
    assert refusal({"landcover": tmp_path / "none" / "lc.tif"}) == ErrorCode.OUTPUT_FOLDER_MISSING


@pytest.mark.parametrize("name", ["lc.png", "lc", "lc.tif.part", "lc.", ".tif"])
def test_name_that_is_no_geotiff_should_be_refused(tmp_path, name):
    assert refusal({"landcover": tmp_path / name}) == ErrorCode.OUTPUT_UNSUITABLE


def test_folder_as_output_should_be_refused(tmp_path):
    (tmp_path / "lc.tif").mkdir()
    assert refusal({"landcover": tmp_path / "lc.tif"}, overwrite=True) == ErrorCode.OUTPUT_UNSUITABLE


def test_name_too_long_for_the_part_should_be_refused(tmp_path):
    assert refusal({"landcover": tmp_path / ("a" * 249 + ".tif")}) == ErrorCode.OUTPUT_UNSUITABLE


def test_existing_output_should_be_refused_without_leave(tmp_path):
    (tmp_path / "lc.tif").write_bytes(b"old")
    assert refusal({"landcover": tmp_path / "lc.tif"}) == ErrorCode.OUTPUT_EXISTS
    check_output_paths({"landcover": str(tmp_path / "lc.tif")}, [], overwrite=True)
    assert (tmp_path / "lc.tif").read_bytes() == b"old"


@pytest.mark.parametrize("overwrite", [True, False])
@pytest.mark.parametrize(
    "form",
    [
        "{scene}",
        "{folder}/sub/../scene.tif",
        "{folder}/link.tif",
        "{folder}/hard.tif",
        'NETCDF:"{scene}":vv',
        "GTIFF_DIR:1:{scene}",
    ],
)
def test_input_as_output_should_be_refused_however_it_is_named(tmp_path, form, overwrite):
    scene = tmp_path / "scene.tif"
    scene.write_bytes(b"precious")
    (tmp_path / "sub").mkdir()
    (tmp_path / "link.tif").symlink_to(scene)
    (tmp_path / "hard.tif").hardlink_to(scene)
    source = form.format(scene=scene, folder=tmp_path)
    assert refusal({"landcover": scene}, [source], overwrite=overwrite) == ErrorCode.OUTPUT_IS_INPUT
    assert scene.read_bytes() == b"precious"


def test_link_to_the_input_as_output_should_be_refused(tmp_path):
    scene = tmp_path / "scene.tif"
    scene.write_bytes(b"precious")
    (tmp_path / "lc.tif").symlink_to(scene)
    assert refusal({"landcover": tmp_path / "lc.tif"}, [scene], overwrite=True) == ErrorCode.OUTPUT_IS_INPUT


def test_archive_that_holds_the_input_should_not_be_replaced(tmp_path):
    archive = tmp_path / "scene.tif"  # a zip by another name
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a/vv.tif", b"pixels")
    for source in (f"/vsizip/{archive}/a/vv.tif", f"/vsizip//{str(archive).lstrip('/')}/a/vv.tif"):
        assert refusal({"landcover": archive}, [source], overwrite=True) == ErrorCode.OUTPUT_IS_INPUT


def test_input_named_as_the_part_should_not_be_removed(tmp_path):
    scene = tmp_path / "lc.tif.part"
    scene.write_bytes(b"precious")
    assert refusal({"landcover": tmp_path / "lc.tif"}, [scene]) == ErrorCode.OUTPUT_IS_INPUT
    assert scene.read_bytes() == b"precious"


def test_two_outputs_in_one_file_should_be_refused(tmp_path):
    (tmp_path / "sub").mkdir()
    one, other = tmp_path / "lc.tif", tmp_path / "sub" / ".." / "lc.tif"
    assert refusal({"landcover": one, "confidence": other}) == ErrorCode.OUTPUT_UNSUITABLE


def test_link_as_output_should_be_followed(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "lc.tif").symlink_to(tmp_path / "real" / "map.tif")
    targets = check_output_paths({"landcover": str(tmp_path / "lc.tif")}, [], overwrite=False)
    assert targets["landcover"] == tmp_path / "real" / "map.tif"


def test_part_of_another_run_should_outlive_the_check(tmp_path):
    """A second run on the same output that is refused later must not have spoiled the first."""
    part = part_path(tmp_path / "lc.tif")
    part.write_bytes(b"of a run that goes on")
    check_output_paths({"landcover": str(tmp_path / "lc.tif")}, [], overwrite=False)
    assert part.read_bytes() == b"of a run that goes on"


def test_source_that_is_no_path_should_be_no_trouble(tmp_path):
    sources = [
        "",
        "::",
        "https://example.org/a.tif",
        "C:\\scenes\\a.tif",
        "a" * 5000,
        "zero\0byte",
        "/vsicurl/https://example.org/a",
    ]
    check_output_paths({"landcover": str(tmp_path / "lc.tif")}, sources, overwrite=False)


AS_NOBODY = """
import os, sys
sys.path.insert(0, sys.argv[2])
import numpy, backend.output.paths as p  # before the change of user, who may not be able to read this folder
os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    p.check_output_paths({"landcover": sys.argv[1]}, [], overwrite=True)
except p.SardineError as error:
    print(error.code.value, error.refused)
"""


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can run a child as another user")
@pytest.mark.parametrize("case", ["folder", "file"])
def test_place_without_leave_to_write_should_be_refused(case):
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders can be entered by root alone
        folder = Path(name)
        folder.chmod(0o555 if case == "folder" else 0o777)
        if case == "file":
            (folder / "lc.tif").write_bytes(b"of root")
            (folder / "lc.tif").chmod(0o444)
        command = [sys.executable, "-c", AS_NOBODY, str(folder / "lc.tif"), str(ROOT)]
        child = subprocess.run(command, capture_output=True, text=True, check=True)
        assert child.stdout.split() == ["output_read_only", "True"]
        assert [path.name for path in folder.iterdir()] == (["lc.tif"] if case == "file" else [])
