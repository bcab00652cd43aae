# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of builds, and the commands that follow from it for machines that are out of reach here."""

from __future__ import annotations

from pathlib import Path

import pytest
from sardine.plugin.environment import builds
from sardine.plugin.environment.builds import Gpu, PipOptions

ADA, PASCAL, BLACKWELL = ("RTX 4070", (8, 9)), ("GTX 1080", (6, 1)), ("RTX 5090", (12, 0))
REQUIREMENTS = ["torch>=2.11", "timm>=1.0.20", "rasterio>=1.4"]


@pytest.mark.parametrize(
    ("system", "machine", "gpus", "key"),
    [
        ("linux", "x86_64", [], "cpu"),
        ("linux", "aarch64", [], "cpu"),
        ("linux", "x86_64", [Gpu(ADA[0], 580, ADA[1])], "cu130"),
        ("linux", "x86_64", [Gpu(ADA[0], 550, ADA[1])], "cu126"),
        ("linux", "x86_64", [Gpu(ADA[0], 470, ADA[1])], "cpu"),
        ("win32", "AMD64", [], "cpu"),
        ("win32", "AMD64", [Gpu(PASCAL[0], 580, PASCAL[1])], "cu126"),
        ("win32", "AMD64", [Gpu(BLACKWELL[0], 591, BLACKWELL[1])], "cu130"),
        ("win32", "AMD64", [Gpu(BLACKWELL[0], 570, BLACKWELL[1])], "cpu"),
        ("win32", "AMD64", [Gpu(PASCAL[0], 580, PASCAL[1]), Gpu(ADA[0], 580, ADA[1])], "cu130"),
        ("darwin", "arm64", [], "mps"),
    ],
)
def test_suggestion_should_follow_machine_card_and_driver(system: str, machine: str, gpus: list[Gpu], key: str) -> None:
    suggested = builds.suggest(system, machine, gpus)
    assert suggested is not None
    assert suggested.key == key


@pytest.mark.parametrize(("system", "machine"), [("darwin", "x86_64"), ("win32", "ARM64"), ("linux", "i686"), ("win32", "x86")])
def test_machines_without_a_build_should_have_none(system: str, machine: str) -> None:
    assert builds.fitting_builds(system, machine) == []
    assert builds.suggest(system, machine, []) is None


def test_gpus_should_be_read_from_what_the_driver_prints() -> None:
    text = "NVIDIA GeForce RTX 3060, 580.95.05, 8.6\nTesla P4, Rev, 2, 535.1, 6.1\nNVIDIA-SMI has failed because it could not\n\n"
    assert builds.parse_gpus(text) == [Gpu("NVIDIA GeForce RTX 3060", 580, (8, 6)), Gpu("Tesla P4, Rev, 2", 535, (6, 1))]


COMMON = [
    *("pip", "install", "--no-input", "--no-user", "--disable-pip-version-check", "--only-binary", ":all:"),
    *("--progress-bar", "raw", "--cache-dir", "/c"),
]
OPTIONS = PipOptions(Path("/c"))


@pytest.mark.parametrize(
    ("key", "index"),
    [
        ("cpu", ["--index-url", "https://download.pytorch.org/whl/cpu"]),
        ("cu126", ["--index-url", "https://download.pytorch.org/whl/cu126"]),
        ("cu130", ["--index-url", "https://download.pytorch.org/whl/cu130"]),
        ("mps", []),
        ("pypi", []),
    ],
)
def test_torch_and_torchvision_should_come_from_one_index_in_one_command(key: str, index: list[str]) -> None:
    arguments = builds.torch_arguments(builds.build_of(key), OPTIONS, REQUIREMENTS)
    assert arguments == [*COMMON, *index, "torch>=2.11", "torchvision"]


def test_packages_should_come_from_pypi_with_torch_held() -> None:
    arguments = builds.package_arguments(OPTIONS, REQUIREMENTS, Path("/e/constraints.txt"))
    assert arguments == [*COMMON, "--constraint", "/e/constraints.txt", *REQUIREMENTS]


def test_folder_of_wheels_should_take_the_place_of_every_index(tmp_path: Path) -> None:
    options = PipOptions(Path("/c"), tmp_path / "Räder & so", Path("/ca.pem"), raw_progress=False)
    for build in builds.BUILDS:
        arguments = builds.torch_arguments(build, options, REQUIREMENTS)
        assert "--index-url" not in arguments
        position = arguments.index("--no-index")
        assert arguments[position : position + 3] == ["--no-index", "--find-links", str(tmp_path / "Räder & so")]
        assert arguments[arguments.index("--progress-bar") + 1] == "off"


def test_certificates_should_be_added_and_never_switched_off() -> None:
    options = PipOptions(Path("/c"), certificates=Path("/e/ca ü.pem"))
    for build in builds.BUILDS:
        for arguments in (
            builds.torch_arguments(build, options, REQUIREMENTS),
            builds.package_arguments(options, REQUIREMENTS, Path("/k")),
        ):
            assert arguments[arguments.index("--cert") + 1] == "/e/ca ü.pem"
            assert "--trusted-host" not in arguments
            assert all(not argument.startswith("http:") for argument in arguments)


def test_every_build_should_have_a_label_and_a_place_where_it_comes_from() -> None:
    assert len({builds.label(build) for build in builds.BUILDS}) == len(builds.BUILDS)
    assert builds.hosts(builds.build_of("cpu"), None) == "download.pytorch.org, pypi.org"
    assert builds.hosts(builds.build_of("mps"), None) == "pypi.org"
    assert builds.hosts(builds.build_of("mps"), Path("/w")) == "/w"


@pytest.mark.parametrize(
    ("line", "name"), [("torch>=2.11", "torch"), ("Torch_Vision[x]>=2 ; os == 'x'", "torch-vision"), ("a.b", "a-b")]
)
def test_package_name_should_be_normalised(line: str, name: str) -> None:
    assert builds.package_name(line) == name
