# SPDX-License-Identifier: GPL-2.0-or-later
"""Terminals of all kinds: encodings that lack letters, readers that leave, streams that are closed. None ends a command."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import rasterio
import torch

from backend.__main__ import main
from backend.network.model import build_model
from backend.network.model_file import save_model
from tests.test_backend.cards import small_card
from tests.test_backend.test_bad_input import radar, write_tif

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("model") / "Łódź.safetensors"
    save_model(path, small_card(name="model of Łódź"), build_model(small_card()))
    return path


def shell(line, **environment):
    """Runs `line` with $PYTHON and $MODEL, and returns status, stdout and stderr (bytes) of the whole."""
    child = subprocess.run(
        ["bash", "-c", line], capture_output=True, timeout=60, check=False,
        env={**os.environ, "PYTHON": sys.executable, "PYTHONPATH": str(ROOT), **environment},
    )  # fmt: skip
    assert b"Traceback" not in child.stderr
    assert b"Exception ignored" not in child.stderr
    return child.returncode, child.stdout, child.stderr


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_letters_that_a_terminal_lacks_should_be_escaped(model, encoding):
    status, out, _ = shell('"$PYTHON" -m backend describe "$MODEL"', MODEL=str(model), PYTHONIOENCODING=encoding)
    assert status == 0
    assert out.decode(encoding).startswith("model of Łódź" if encoding == "utf-8" else "model of \\u0141")
    status, _, err = shell('"$PYTHON" -m backend describe /none/Łódź', PYTHONIOENCODING=encoding)
    assert status == 2
    assert b"model_missing" in err


@pytest.mark.parametrize("redirection", ["| true", "| head -1", ">&-", ">/dev/full", "<&-", "2>&-", "2>/dev/full"])
def test_streams_that_are_gone_should_change_no_exit_status(model, redirection):
    if "/dev/full" in redirection and not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    line = f'set -o pipefail; "$PYTHON" -m backend describe "$MODEL" {redirection}'
    assert shell(line, MODEL=str(model))[0] == 0


def test_refusal_should_keep_its_status_where_nobody_reads_it():
    assert shell('"$PYTHON" -m backend describe /none 2>&-')[0] == 2
    assert shell('"$PYTHON" -m backend describe /none --json >&- 2>/dev/full')[0] == 2


def test_job_without_stdin_should_end_as_cancelled():
    status, out, _ = shell('"$PYTHON" -m backend job <&-')
    assert status == 130
    assert json.loads(out.splitlines()[-1])["code"] == "cancelled"


def test_negative_bounds_should_be_taken_in_any_notation(model, tmp_path, capsys):
    scene = write_tif(tmp_path / "scene.tif", radar(), crs=None, transform=rasterio.Affine.identity(), descriptions=("VV", "VH"))
    run = ["predict", "--band", f"VV={scene}:1", "--band", f"VH={scene}:2", "--model", str(model), "--json", "--spacing-m", "10"]
    for number, bounds in enumerate((["0", "-100", "200", "0"], ["-1e-3", "-1.0e+2", "2e2", "-.0e0"])):
        out = tmp_path / f"{number}.tif"
        assert main([*run, "--bounds", *bounds, "--landcover", str(out)]) == 0
        message = json.loads(capsys.readouterr().out)
        assert message["type"] == "result", message
        assert (message["height"], message["width"]) == (10, 20)
    assert main([*run, "--bounds", "0", "0", "200", "100", "--landcover", str(tmp_path / "c.tif")]) == 2
    assert "y runs upwards" in json.loads(capsys.readouterr().out)["needed"]


def test_names_that_are_no_letters_should_be_refused(model, tmp_path, capsys):
    scene = write_tif(tmp_path / "scene.tif", radar(), descriptions=("VV", "VH"))
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.tif")

    def code(scene, out):
        bands = ["--band", f"VV={scene}:1", "--band", f"VH={scene}:2"]
        assert main(["predict", *bands, "--model", str(model), "--landcover", out, "--json"]) == 2
        return json.loads(capsys.readouterr().out)["code"]

    assert code(scene, odd) == "output_unsuitable"
    assert code(odd, str(tmp_path / "out.tif")) == "source_unreadable"
