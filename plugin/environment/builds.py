# SPDX-License-Identifier: GPL-2.0-or-later
"""Which torch goes with which machine, from which index, and the pip commands that follow. Standard library alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..translation import tr

PYPI = "https://pypi.org/simple"
PYTORCH = "https://download.pytorch.org/whl/"

LINUX, LINUX_ARM = ("linux", "x86_64"), ("linux", "aarch64")
WINDOWS = ("win32", "amd64")
APPLE = ("darwin", "arm64")


@dataclass(frozen=True)
class Gpu:
    """An NVIDIA GPU as its driver tells it; `capability` is (major, minor), `driver` the first number of its version."""

    name: str
    driver: int
    capability: tuple[int, int]


@dataclass(frozen=True)
class Build:
    """A build of torch with the torchvision that belongs to it, both from `index`; everything else comes from PyPI.

    torchvision's operators need the torch that they were compiled for, and `import timm` imports torchvision: a CPU torch
    beside PyPI's torchvision does not work. An `index` of None is pip's own default, PyPI or the mirror that pip is set to.
    Sizes are of the whole environment.
    """

    key: str
    index: str | None
    machines: tuple[tuple[str, str], ...]
    download_mb: int
    installed_mb: int
    least_driver: int = 0
    capabilities: tuple[tuple[int, int], tuple[int, int]] | None = None


BUILDS = (
    # Drivers: NVIDIA, CUDA Compatibility, table 1 (CUDA 13.x from 580, 12.x from 525). Capabilities: PyTorch's RELEASE.md, CUDA
    # support matrix (13.0: Turing 7.5 and later; 12.6: Maxwell 5.0 to Hopper 9.0). CUDA 12.6 ends with torch 2.14, which stays.
    Build("cu130", PYTORCH + "cu130", (LINUX, WINDOWS), 3000, 6500, 580, ((7, 5), (99, 0))),
    Build("cu126", PYTORCH + "cu126", (LINUX, WINDOWS), 3000, 6500, 525, ((5, 0), (9, 0))),
    Build("mps", None, (APPLE,), 300, 1200),
    Build("cpu", PYTORCH + "cpu", (LINUX, LINUX_ARM, WINDOWS), 350, 1500),
    # For networks that reach PyPI alone: what PyPI has for Linux is a CUDA build, which computes on a CPU too.
    Build("pypi", None, (LINUX,), 3000, 6500),
)
"""The order in which they are offered: the first that fits the machine and its GPU is the choice of `suggest`.

Sizes were measured for `pypi` on Linux; the others are estimates, rounded up.
"""


def label(build: Build) -> str:
    """The name of a build in a list."""
    return {
        "cu130": tr("NVIDIA GPU (CUDA 13.0)"),
        "cu126": tr("NVIDIA GPU, older card or driver (CUDA 12.6)"),
        "mps": tr("Apple GPU and CPU"),
        "cpu": tr("CPU"),
        "pypi": tr("CPU and NVIDIA GPU, from PyPI alone"),
    }[build.key]


def build_of(key: str) -> Build:
    """The row of the table. Raises KeyError for a key that is not in it."""
    return {build.key: build for build in BUILDS}[key]


def fitting_builds(system: str, machine: str) -> list[Build]:
    """The builds that exist for a Python of `sys.platform` and `platform.machine()`; empty where torch has none any more."""
    machine = {"arm64": "aarch64"}.get(machine.lower(), machine.lower()) if system == "linux" else machine.lower()
    return [build for build in BUILDS if (system, machine) in build.machines]


def suggest(system: str, machine: str, gpus: Iterable[Gpu]) -> Build | None:
    """The build for a machine: the newest CUDA that driver and card of one of `gpus` can do, else Apple's or the CPU's."""
    found = list(gpus)
    for build in fitting_builds(system, machine):
        if build.capabilities is None:
            return build
        least, most = build.capabilities
        if any(gpu.driver >= build.least_driver and least <= gpu.capability <= most for gpu in found):
            return build
    return None


GPU_QUERY = ("--query-gpu=name,driver_version,compute_cap", "--format=csv,noheader")
"""Arguments of `nvidia-smi`, which comes with NVIDIA's driver."""


def parse_gpus(text: str) -> list[Gpu]:
    """What `nvidia-smi` with GPU_QUERY printed; lines that are no GPU are passed over.

    >>> parse_gpus("NVIDIA GeForce RTX 3060, 580.95.05, 8.6")
    [Gpu(name='NVIDIA GeForce RTX 3060', driver=580, capability=(8, 6))]
    """
    gpus = []
    for line in text.splitlines():
        parts = [part.strip() for part in line.rsplit(",", 2)]
        try:
            name, driver, capability = parts
            major, minor = capability.split(".")
            gpus.append(Gpu(name, int(driver.split(".")[0]), (int(major), int(minor))))
        except ValueError:
            continue
    return gpus


@dataclass(frozen=True)
class PipOptions:
    """What all pip commands of one set-up have in common.

    `wheels` is a folder that takes the internet's place. `certificates` is a PEM file with all authorities that are trusted.
    `raw_progress` is False for a pip before 24.1, which does not know it.
    """

    cache: Path
    wheels: Path | None = None
    certificates: Path | None = None
    raw_progress: bool = True

    def install(self, index: str | None, packages: Sequence[str]) -> list[str]:
        """Arguments after `python`: pip installs `packages`, from `index` or pip's default unless there is a folder of wheels."""
        # Wheels alone: a build from source would need a compiler, and would run the code of whoever uploaded it.
        arguments = ["pip", "install", "--no-input", "--no-user", "--disable-pip-version-check", "--only-binary", ":all:"]
        arguments += ["--progress-bar", "raw" if self.raw_progress else "off", "--cache-dir", str(self.cache)]
        if self.wheels is not None:
            return [*arguments, "--no-index", "--find-links", str(self.wheels), *packages]
        if self.certificates is not None:
            arguments += ["--cert", str(self.certificates)]
        if index is not None:
            arguments += ["--index-url", index]
        return [*arguments, *packages]


def torch_arguments(build: Build, options: PipOptions, requirements: Iterable[str]) -> list[str]:
    """Torch with its torchvision, both from one index, before anything that depends on them can choose another."""
    torch = [line for line in requirements if package_name(line) == "torch"]
    return options.install(build.index, [*torch, "torchvision"])


def package_arguments(options: PipOptions, requirements: Sequence[str], constraints: Path) -> list[str]:
    """All that the backend needs, with torch and torchvision held by `constraints` at what was installed before."""
    return options.install(None, ["--constraint", str(constraints), *requirements])


def package_name(requirement: str) -> str:
    """The name in a line of a requirements file, as PEP 503 writes it.

    >>> package_name("Torch_Vision[x]>=2 ; python_version > '3'")
    'torch-vision'
    """
    name = requirement.strip()
    for sign in "[<>=!~; @":
        name = name.split(sign)[0]
    return name.lower().replace("_", "-").replace(".", "-")


def hosts(build: Build, wheels: Path | None) -> str:
    """Where the packages come from, for people."""
    if wheels is not None:
        return str(wheels)
    names = [] if build.index is None else [build.index.split("/")[2]]
    return ", ".join([*names, PYPI.split("/")[2]])
