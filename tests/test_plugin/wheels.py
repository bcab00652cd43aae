# SPDX-License-Identifier: GPL-2.0-or-later
"""Small real wheels for set-ups without internet.

A wheel of the backend's packages holds its name and its version, and one of them a `.pth` line that points to the place where the
real packages are installed on this machine: venv, pip and the backend's own check are the real ones, without gigabytes to copy.
"""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path


def write_wheel(folder: Path, name: str, version: str, files: Mapping[str, bytes], requires: Iterable[str] = ()) -> Path:
    """`<name>-<version>-py3-none-any.whl` with `files` at the root of site-packages."""
    name = name.replace("-", "_")  # as file names have it
    info = f"{name}-{version}.dist-info"
    metadata = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}", *(f"Requires-Dist: {line}" for line in requires)]
    all_files = {
        **files,
        f"{info}/METADATA": ("\n".join(metadata) + "\n").encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = []
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for inside, content in all_files.items():
            archive.writestr(inside, content)
            sha = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            record.append(f"{inside},sha256={sha},{len(content)}")
        archive.writestr(f"{info}/RECORD", "\n".join([*record, f"{info}/RECORD,,", ""]))
    return path


def write_backend_wheels(folder: Path, python: str, names: Iterable[str]) -> Path:
    """A folder with a wheel for each of `names`, and torchvision, as they are installed for `python`."""
    folder.mkdir(parents=True, exist_ok=True)
    code = (
        "import json, os, sys; from importlib.metadata import version; import torch; "
        "print(json.dumps([os.path.dirname(os.path.dirname(torch.__file__)), {n: version(n) for n in sys.argv[1:]}]))"
    )
    done = subprocess.run([python, "-c", code, *names, "torchvision"], check=True, capture_output=True, text=True, timeout=120)
    place, versions = json.loads(done.stdout)
    for name, version in versions.items():
        requires = {"timm": ["torch", "torchvision"], "torchvision": [f"torch=={versions['torch'].split('+')[0]}"]}.get(name, ())
        files = {"of_this_machine.pth": f"{place}\n".encode()} if name == "tqdm" else {}
        write_wheel(folder, name, version, files, requires)
    return folder


def write_slow_wheel(folder: Path, name: str, version: str) -> Path:
    """A wheel of so many files that pip writes for seconds: time enough to end it in the middle."""
    return write_wheel(folder, name, version, {f"{name}/m{number}.py": b"x = 1\n" for number in range(3000)})
