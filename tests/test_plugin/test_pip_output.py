# SPDX-License-Identifier: GPL-2.0-or-later
"""What pip prints, taken from real runs of pip 23 and 25."""

from __future__ import annotations

import pytest
from sardine.plugin.environment import pip_output
from sardine.plugin.environment.pip_output import PipProgress


def test_progress_should_name_the_package_and_count_what_is_fetched() -> None:
    progress = PipProgress()
    seen = []
    for line in [
        "Looking in indexes: https://download.pytorch.org/whl/cpu",
        "Collecting torch>=2.11",
        "  Downloading https://download.pytorch.org/whl/cpu/torch-2.14.1%2Bcpu-cp312-cp312-linux_x86_64.whl (190.5 MB)",
        "Progress 0 of 190500000",
        "Progress 95250000 of 190500000",
        "  Using cached nvidia_nccl_cu13-2.30.7-py3-none-manylinux_2_18_x86_64.whl (216.0 MB)",
        "Collecting filelock (from torch>=2.11)",
        "  Downloading filelock-4.3.1-py3-none-any.whl.metadata (2.0 kB)",
        "Installing collected packages: nvidia-nccl-cu13, Torch, typing_extensions",
    ]:
        progress.feed(line)
        seen.append((progress.text, round(progress.downloaded_mb, 1)))
    assert seen == [
        ("", 0),
        ("Looking up torch", 0),
        ("Downloading torch (190 MB)", 0),
        ("Downloading torch: 0 of 190 MB", 0),
        ("Downloading torch: 95 of 190 MB", 95.2),
        ("Downloading nvidia-nccl-cu13 (216 MB)", 406.5),
        ("Looking up filelock", 406.5),
        ("Downloading filelock", 406.5),
        ("Downloading filelock", 406.5),
    ]
    assert progress.to_install == ["nvidia-nccl-cu13", "torch", "typing-extensions"]
    assert progress.installing_text({"nvidia-nccl-cu13"}) == "Installing torch (2 of 3)"
    assert progress.installing_text(set(progress.to_install)) == "Finishing the installation"


def test_retries_should_be_told() -> None:
    progress = PipProgress()
    progress.feed("  WARNING: Retrying (Retry(total=4)) after connection broken by 'NewConnectionError'")
    assert progress.text == "No answer from the server; trying again"


def test_progress_of_local_wheels_should_name_them() -> None:
    progress = PipProgress()
    progress.feed("Processing /media/Räder, alle/rasterio-1.4.4-cp312-cp312-linux_x86_64.whl (from -r x)")
    assert progress.text == "Looking up rasterio"


def test_versions_should_be_held_as_they_were_installed() -> None:
    found = ["torch-2.14.1+cpu.dist-info", "torch", "torchvision-0.29.1+cpu.dist-info", "timm-1.0.31.dist-info"]
    assert sorted(pip_output.pinned(found, ("torch", "torchvision"))) == ["torch==2.14.1+cpu", "torchvision==0.29.1+cpu"]


SSL = """WARNING: Retrying after connection broken by 'SSLError(SSLCertVerificationError(1, 'certificate verify failed'))'
Could not fetch URL https://pypi.org/simple/torch/: There was a problem confirming the ssl certificate - skipping
ERROR: Could not find a version that satisfies the requirement torch>=2.11 (from versions: none)
ERROR: No matching distribution found for torch>=2.11"""
OFFLINE = """WARNING: Retrying after connection broken by 'NewConnectionError: Temporary failure in name resolution'
ERROR: Could not find a version that satisfies the requirement torch>=2.11 (from versions: none)
ERROR: No matching distribution found for torch>=2.11"""
NO_NAME = """WARNING: Retrying after 'NameResolutionError("HTTPSConnection(host='download.pytorch.org', port=443): Failed to res")'
ERROR: No matching distribution found for torch>=2.11"""
NOTHING = "ERROR: No matching distribution found for torch>=2.11"
PROXY = "WARNING: Retrying after 'ProxyError('Cannot connect to proxy.', OSError('Tunnel connection failed: 407 Proxy Authent'))'"
FULL = """Installing collected packages: torch
ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device
"""
CONFLICT = """ERROR: Cannot install torch==2.13 and torchvision because these package versions have conflicting dependencies.
ERROR: ResolutionImpossible: for help visit https://pip.pypa.io/"""
ENSUREPIP = """Error: Command '['/e/bin/python', '-m', 'ensurepip', '--upgrade']' returned non-zero exit status 1."""
TRACEBACK = """Traceback (most recent call last):
  File "x", line 1
zipfile.BadZipFile: File is not a zip file

[notice] a new release of pip"""


@pytest.mark.parametrize(
    ("log", "cause", "advice"),
    [
        (SSL, "", "Authentication › Manage Certificates"),
        (OFFLINE, "", "The server could not be reached."),
        (NO_NAME, "", "The server download.pytorch.org could not be reached."),
        (NOTHING, "No matching distribution found for torch>=2.11", "There is no such package for this Python and machine"),
        (PROXY, PROXY, "Options › Network"),
        (FULL, "Could not install packages due to an OSError: [Errno 28] No space left on device", "The disk is full."),
        (
            CONFLICT,
            "Cannot install torch==2.13 and torchvision because these package versions have conflicting dependencies.",
            "details",
        ),
        (ENSUREPIP, ENSUREPIP, "details"),
        (TRACEBACK, "zipfile.BadZipFile: File is not a zip file", "arrived damaged"),
        ("", "", "details"),
    ],
)
def test_failure_should_be_told_by_its_real_cause_and_what_to_do(log: str, cause: str, advice: str) -> None:
    assert pip_output.cause(log) == cause
    assert advice in pip_output.advice(log)
    assert "{" not in pip_output.advice(log)
