# SPDX-License-Identifier: GPL-2.0-or-later
"""Each bad input ends with its own code, one clear sentence, exit status 2, no traceback, and nothing left on disk.

Run through the command line's own `main`, as a person runs it. What happens half-way through a run is in test_faults.py.
"""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from rasterio.transform import from_origin

from backend.__main__ import main
from backend.model_card import CARD_FORMAT, CARD_KEY
from backend.network.model import build_model
from backend.network.model_file import save_model
from tests.test_backend.cards import VV, encoder_only_card, small_card

UTM = "EPSG:32633"
ROOT = Path(__file__).parents[2]


def write_tif(path, bands, *, crs=UTM, transform=None, descriptions=(), **profile):
    bands = np.asarray(bands)
    if transform is None:
        transform = from_origin(500_000, 5_400_000, 10, 10)
    with rasterio.open(
        path, "w", driver="GTiff", height=bands.shape[1], width=bands.shape[2], count=bands.shape[0], dtype=bands.dtype, crs=crs,
        transform=transform, **profile,
    ) as file:  # fmt: skip
        file.write(bands)
        for index, text in enumerate(descriptions, 1):
            file.set_band_description(index, text)
    return path


def radar(rows=64, columns=64, seed=0):
    """Speckled land in dB: VV about -10, VH about -17."""
    rng = np.random.default_rng(seed)
    speckle_db = 10 * np.log10(rng.gamma(4.4, 1 / 4.4, (2, rows, columns)))
    return (np.array([-10.0, -17.0])[:, None, None] + speckle_db).astype(np.float32)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("model") / "m.safetensors"
    save_model(path, small_card(), build_model(small_card()))
    return path


@pytest.fixture
def scene(tmp_path):
    return write_tif(tmp_path / "scene.tif", radar(), descriptions=("VV", "VH"))


def arguments(scene, model, out, *extra, bands=None):
    bands = bands or [f"VV={scene}:1", f"VH={scene}:2"]
    named = [part for band in bands for part in ("--band", band)]
    return ["predict", *named, "--model", str(model), "--landcover", str(out), "--json", *extra]


@pytest.fixture
def refused(tmp_path, capsys):
    """Runs `predict` and returns the failure, after checking all that each refusal has in common."""

    def run(args, status=2):
        before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
        assert main(args) == status
        printed = capsys.readouterr()
        failure = json.loads(printed.out.splitlines()[-1])
        assert failure["type"] == "failure"
        sentences = [failure[key] for key in ("found", "needed", "action")]
        assert all(text.endswith(".") for text in sentences), sentences
        assert "Traceback" not in printed.err
        assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()} == before
        return failure

    return run


def test_good_input_should_pass_the_same_way(scene, model, tmp_path, capsys):
    assert main(arguments(scene, model, tmp_path / "lc.tif")) == 0
    assert json.loads(capsys.readouterr().out)["type"] == "result"
    with rasterio.open(tmp_path / "lc.tif") as file:
        assert set(np.unique(file.read(1))) <= {10, 50, 80}


# The sources


def test_missing_file(refused, model, tmp_path):
    assert refused(arguments(tmp_path / "none.tif", model, tmp_path / "lc.tif"))["code"] == "source_missing"


def test_file_that_is_no_raster(refused, model, tmp_path):
    text = tmp_path / "scene.tif"
    text.write_text("not a raster")
    assert refused(arguments(text, model, tmp_path / "lc.tif"))["code"] == "source_not_raster"


def test_truncated_raster(refused, model, tmp_path):
    scene = write_tif(tmp_path / "scene.tif", radar(512, 512), descriptions=("VV", "VH"))
    scene.write_bytes(scene.read_bytes()[:200_000])
    assert refused(arguments(scene, model, tmp_path / "lc.tif"))["code"] == "source_unreadable"


def test_band_number_beyond_the_file(refused, scene, model, tmp_path):
    failure = refused(arguments(scene, model, tmp_path / "lc.tif", bands=[f"VV={scene}:1", f"VH={scene}:7"]))
    assert failure["code"] == "band_absent"
    assert "7" in failure["found"]


def test_no_crs_and_no_spacing(refused, model, tmp_path):
    scene = write_tif(tmp_path / "scene.tif", radar(), crs=None, transform=rasterio.Affine.identity(), descriptions=("VV", "VH"))
    failure = refused(arguments(scene, model, tmp_path / "lc.tif"))
    assert failure["code"] == "crs_missing"
    assert "spacing" in failure["action"].lower()


def test_bands_swapped_against_their_descriptions(refused, scene, model, tmp_path):
    failure = refused(arguments(scene, model, tmp_path / "lc.tif", bands=[f"VV={scene}:2", f"VH={scene}:1"]))
    assert failure["code"] == "bands_swapped"


def test_bands_swapped_by_their_values(refused, model, tmp_path):
    scene = write_tif(tmp_path / "scene.tif", radar()[::-1])
    assert refused(arguments(scene, model, tmp_path / "lc.tif", "--units", "db"))["code"] == "bands_swapped"


def test_same_band_given_twice(refused, model, tmp_path):
    scene = write_tif(tmp_path / "scene.tif", radar())
    failure = refused(arguments(scene, model, tmp_path / "lc.tif", bands=[f"VV={scene}:1", f"VH={scene}:1"]))
    assert failure["code"] == "band_duplicate"


def test_needed_band_absent(refused, scene, model, tmp_path):
    failure = refused(arguments(scene, model, tmp_path / "lc.tif", bands=[f"VV={scene}:1"]))
    assert failure["code"] == "band_absent"
    assert "VH" in str(failure)


def test_model_for_other_bands(refused, scene, tmp_path):
    card = small_card(bands=tuple(dataclasses.replace(VV, role=role) for role in ("VV_spring", "VV_autumn", "VH_spring")))
    other = tmp_path / "other.safetensors"
    save_model(other, card, build_model(card))
    failure = refused(arguments(scene, other, tmp_path / "lc.tif"))
    assert failure["code"] == "request_invalid"  # the roles given are not the model's; one that is missing is band_absent
    assert "VV_spring" in failure["needed"]


def test_unit_that_cannot_be_told(refused, model, tmp_path):
    grey = np.random.default_rng(0).integers(1, 255, (2, 64, 64)).astype(np.uint8)
    scene = write_tif(tmp_path / "scene.tif", grey, descriptions=("VV", "VH"))
    failure = refused(arguments(scene, model, tmp_path / "lc.tif"))
    assert failure["code"] == "unit_ambiguous"
    assert "--units scaled" in failure["found"]


def test_digital_numbers_without_calibration(refused, model, tmp_path):
    numbers = np.random.default_rng(0).integers(50, 900, (2, 64, 64)).astype(np.uint16)
    scene = write_tif(tmp_path / "scene.tif", numbers * np.array([2, 1], np.uint16)[:, None, None], descriptions=("VV", "VH"))
    failure = refused(arguments(scene, model, tmp_path / "lc.tif", "--units", "dn"))
    assert failure["code"] == "calibration_missing"
    assert "55.5" in failure["action"]


def test_complex_band(refused, model, tmp_path):
    scene = write_tif(tmp_path / "scene.tif", radar().astype(np.complex64), descriptions=("VV", "VH"))
    assert refused(arguments(scene, model, tmp_path / "lc.tif"))["code"] == "source_complex"


def test_scene_without_a_valid_pixel(refused, model, tmp_path):
    scene = write_tif(tmp_path / "scene.tif", np.full((2, 64, 64), np.nan, np.float32), descriptions=("VV", "VH"))
    assert refused(arguments(scene, model, tmp_path / "lc.tif", "--units", "db"))["code"] == "source_all_nodata"


def test_layers_that_do_not_overlap(refused, scene, model, tmp_path):
    elsewhere = write_tif(tmp_path / "vh.tif", radar()[1:], transform=from_origin(600_000, 5_400_000, 10, 10), descriptions=("VH",))
    failure = refused(arguments(scene, model, tmp_path / "lc.tif", bands=[f"VV={scene}:1", f"VH={elsewhere}:1"]))
    assert failure["code"] == "layers_do_not_overlap"


def test_spacing_far_too_coarse(refused, model, tmp_path):
    scene = write_tif(tmp_path / "scene.tif", radar(), transform=from_origin(500_000, 5_400_000, 40, 40), descriptions=("VV", "VH"))
    assert refused(arguments(scene, model, tmp_path / "lc.tif"))["code"] == "spacing_too_coarse"


def test_bounds_outside_the_scene(refused, scene, model, tmp_path):
    failure = refused(arguments(scene, model, tmp_path / "lc.tif", "--bounds", "0", "0", "10", "10"))
    assert failure["code"] == "bounds_outside"


def test_bounds_in_an_unknown_crs(refused, scene, model, tmp_path):
    failure = refused(arguments(scene, model, tmp_path / "lc.tif", "--bounds", "0", "0", "1", "1", "--bounds-crs", "EPSG:0"))
    assert failure["code"] in ("request_invalid", "bounds_outside")


def test_mask_that_cannot_be_read(refused, scene, model, tmp_path):
    mask = tmp_path / "mask.geojson"
    mask.write_text("{}")
    assert refused(arguments(scene, model, tmp_path / "lc.tif", "--mask", str(mask)))["code"] == "mask_unreadable"
    assert refused(arguments(scene, model, tmp_path / "lc.tif", "--mask", str(tmp_path / "none.gpkg")))["code"] == "mask_unreadable"


def test_mask_outside_the_scene(refused, scene, model, tmp_path):
    mask = tmp_path / "mask.geojson"
    ring = [[100.0, 1.0], [100.1, 1.0], [100.1, 1.1], [100.0, 1.0]]
    feature = {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [ring]}}
    mask.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    assert refused(arguments(scene, model, tmp_path / "lc.tif", "--mask", str(mask)))["code"] == "mask_outside"


@pytest.mark.parametrize("band", ["VV=", "=scene.tif", "VV=scene.tif:0"])
def test_band_that_makes_no_sense(refused, scene, model, tmp_path, band):
    assert refused(arguments(scene, model, tmp_path / "lc.tif", bands=[band]))["code"] == "request_invalid"


@pytest.mark.parametrize("extra", ["--overlap=1.5", "--overlap=-0.1", "--overlap=nan", "--batch-size=0", "--spacing-m=0"])
def test_number_out_of_range(refused, scene, model, tmp_path, extra):
    assert refused(arguments(scene, model, tmp_path / "lc.tif", extra))["code"] == "request_invalid"


# The outputs


def test_no_output_asked_for(refused, scene, model):
    args = ["predict", "--band", f"VV={scene}:1", "--band", f"VH={scene}:2", "--model", str(model), "--json"]
    assert refused(args)["code"] == "request_invalid"


def test_output_folder_missing(refused, scene, model, tmp_path):
    assert refused(arguments(scene, model, tmp_path / "none" / "lc.tif"))["code"] == "output_folder_missing"


def test_output_that_exists(refused, scene, model, tmp_path):
    (tmp_path / "lc.tif").write_bytes(b"precious")
    assert refused(arguments(scene, model, tmp_path / "lc.tif"))["code"] == "output_exists"
    assert (tmp_path / "lc.tif").read_bytes() == b"precious"


@pytest.mark.parametrize("name", ["scene.tif", "link.tif"])
def test_output_that_is_the_input(refused, scene, model, tmp_path, name):
    (tmp_path / "link.tif").symlink_to(scene)
    assert refused(arguments(scene, model, tmp_path / name, "--overwrite"))["code"] == "output_is_input"


def test_output_that_is_the_model(refused, scene, model, tmp_path):
    own = tmp_path / "model.tif"
    own.write_bytes(model.read_bytes())
    assert refused(arguments(scene, own, own, "--overwrite"))["code"] == "output_is_input"


def test_two_outputs_of_one_name(refused, scene, model, tmp_path):
    out = tmp_path / "lc.tif"
    assert refused(arguments(scene, model, out, "--confidence", str(out)))["code"] in ("request_invalid", "output_unsuitable")


def test_output_that_is_no_tiff(refused, scene, model, tmp_path):
    assert refused(arguments(scene, model, tmp_path / "lc.png"))["code"] == "output_unsuitable"


AS_NOBODY = """
import os, sys
from backend.__main__ import main
# A run as root first: the other user may not be able to read this Python, but what is imported stays imported.
first = main([os.environ["WARM_UP"] if part == sys.argv[-1] else part for part in sys.argv[1:]])
os.setgid(65534); os.setuid(65534)
sys.exit(main(sys.argv[1:]) if first == 0 else 99)
"""


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can run a child as another user")
def test_output_folder_that_is_read_only(model, tmp_path_factory):
    import tempfile

    # A folder that the other user can reach: pytest's own lie below one that only root may enter.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        scene = write_tif(folder / "scene.tif", radar(), descriptions=("VV", "VH"))
        own_model = folder / "m.safetensors"
        own_model.write_bytes(model.read_bytes())
        locked = folder / "locked"
        locked.mkdir(mode=0o555)
        args = arguments(scene, own_model, folder)[:-3]  # without --landcover
        command = [sys.executable, "-c", AS_NOBODY, *args, "--json", "--landcover", str(locked / "lc.tif")]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "WARM_UP": str(folder / "first.tif")}
        child = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
        assert child.returncode == 2, child.stderr
        assert json.loads(child.stdout.splitlines()[-1])["code"] == "output_read_only"
        assert list(locked.iterdir()) == []


# The model


def test_model_missing(refused, scene, tmp_path):
    assert refused(arguments(scene, tmp_path / "none.safetensors", tmp_path / "lc.tif"))["code"] == "model_missing"


def test_model_truncated(refused, scene, model, tmp_path):
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(model.read_bytes()[:-10])
    assert refused(arguments(scene, cut, tmp_path / "lc.tif"))["code"] == "model_truncated"


def test_model_corrupt(refused, scene, model, tmp_path):
    content = bytearray(model.read_bytes())
    content[-1] ^= 255
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(content)
    assert refused(arguments(scene, bad, tmp_path / "lc.tif"))["code"] == "model_corrupt"


def test_model_with_a_hostile_header(refused, scene, tmp_path):
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes((2**62).to_bytes(8, "little") + b"{}")
    assert refused(arguments(scene, bad, tmp_path / "lc.tif"))["code"] == "model_header_invalid"


def test_model_of_a_newer_format(refused, scene, tmp_path):
    card = json.loads(small_card().to_json())
    card["format"] = CARD_FORMAT + 1
    header = json.dumps({"__metadata__": {CARD_KEY: json.dumps(card)}}).encode()
    newer = tmp_path / "newer.safetensors"
    newer.write_bytes(len(header).to_bytes(8, "little") + header)
    assert refused(arguments(scene, newer, tmp_path / "lc.tif"))["code"] == "model_format_newer"


def test_model_with_weights_that_are_not_finite(refused, scene, tmp_path):
    import hashlib

    import safetensors.torch

    tensors = {name: tensor.clone() for name, tensor in build_model(small_card()).state_dict().items()}
    tensors["decoder.classify.bias"][0] = float("nan")
    plain = safetensors.torch.save(tensors)
    start = 8 + int.from_bytes(plain[:8], "little")
    card = small_card(weights_sha256=hashlib.sha256(plain[start:]).hexdigest())
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(safetensors.torch.save(tensors, metadata={CARD_KEY: card.to_json()}))
    assert refused(arguments(scene, bad, tmp_path / "lc.tif"))["code"] == "model_weights_not_finite"


def test_model_should_be_refused_before_any_raster_is_opened(refused, tmp_path):
    failure = refused(arguments(tmp_path / "none.tif", tmp_path / "none.safetensors", tmp_path / "lc.tif"))
    assert failure["code"] == "model_missing"


def test_land_cover_of_a_model_without_classes(refused, scene, tmp_path):
    encoder = tmp_path / "encoder.safetensors"
    save_model(encoder, encoder_only_card(), build_model(encoder_only_card()))
    failure = refused(arguments(scene, encoder, tmp_path / "lc.tif"))
    assert failure["code"] == "request_invalid"
    assert "attention" in str(failure).lower()


# The machine


@pytest.mark.parametrize("device", ["cuda:99", "quantum"])
def test_device_that_is_not_there(refused, scene, model, tmp_path, device):
    assert refused(arguments(scene, model, tmp_path / "lc.tif", "--device", device))["code"] in (
        "device_unavailable",
        "request_invalid",
    )


BARE = """
import sys
sys.path.insert(0, sys.argv[1])
from backend.__main__ import main
sys.exit(main(sys.argv[2:]))
"""


def test_interpreter_without_torch(tmp_path):
    # -S leaves out site-packages: a Python with nothing installed.
    request = arguments("s.tif", tmp_path / "none", tmp_path / "lc.tif")
    child = subprocess.run(
        [sys.executable, "-I", "-S", "-c", BARE, str(ROOT), *request], capture_output=True, text=True, timeout=60
    )
    assert child.returncode == 2, child.stderr
    assert json.loads(child.stdout.splitlines()[-1])["code"] == "interpreter_unsuitable"
