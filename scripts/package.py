# SPDX-License-Identifier: GPL-2.0-or-later
"""The zip that QGIS installs: `python -m scripts.package [--release]` writes and checks dist/sardine-X.Y.Z.zip.

It holds what git tracks of `SHIPPED`, and the translations compiled. Order, times and modes are fixed and nothing is
compressed, so that a commit gives the same bytes on every machine, whatever its zlib.
"""

from __future__ import annotations

import argparse
import configparser
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NAME = "sardine"
"""The folder that QGIS installs into, and the plugin's id."""

SHIPPED = ("__init__.py", "metadata.txt", "LICENSE", "CHANGELOG.md", "backend", "plugin", "resources", "requirements/backend.txt")
"""Not the README: its pictures and commands are those of a clone, and the plugin brings help of its own."""

SOURCES_ONLY = (".ts",)
"""Of the translations the compiled ones ship."""

FIXED_TIME = (1980, 1, 1, 0, 0, 0)
"""The earliest that a zip can hold. QGIS does not keep the times of what it unpacks."""

LRELEASE_NAMES = ("lrelease", "lrelease-qt5", "lrelease-qt6", "lrelease6", "/usr/lib/qt5/bin/lrelease", "/usr/lib/qt6/bin/lrelease")


class PackageError(Exception):
    """The package could not be made; the text says what to do."""


def version(root: Path = ROOT) -> str:
    """The version in `root`'s metadata.txt."""
    metadata = configparser.ConfigParser(interpolation=None)
    metadata.read(root / "metadata.txt", encoding="utf-8")
    return metadata.get("general", "version")


def build(folder: Path, root: Path = ROOT) -> Path:
    """Writes the package of the work tree `root` into `folder`; returns its path. Raises PackageError."""
    contents = {path: (root / path).read_bytes() for path in tracked_files(root) if not path.endswith(SOURCES_ONLY)}
    contents.update(compiled_translations(root))
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{NAME}-{version(root)}.zip"
    part = target.with_suffix(".zip.part")
    try:
        write_zip(part, contents)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return target


def tracked_files(root: Path = ROOT) -> list[str]:
    """Paths below `root` of the files in `SHIPPED` that git tracks. Raises PackageError."""
    listed = _git(root, "ls-files", "-z", "--", *SHIPPED)
    paths = [path for path in listed.split("\0") if path]
    missing = [path for path in SHIPPED if not any(found == path or found.startswith(f"{path}/") for found in paths)]
    if missing:
        raise PackageError(f"Git tracks nothing of {', '.join(missing)}: commit it first.")
    gone = [path for path in paths if not (root / path).is_file()]
    if gone:
        raise PackageError(f"Git tracks files that are not there: {', '.join(gone)}. Restore them, or commit that they are gone.")
    return paths


def uncommitted(root: Path = ROOT) -> list[str]:
    """Files of `SHIPPED` that differ from the last commit, or that git does not track."""
    return [line[3:] for line in _git(root, "status", "--porcelain", "--", *SHIPPED).splitlines()]


def compiled_translations(root: Path = ROOT) -> dict[str, bytes]:
    """What `lrelease` makes of each tracked .ts file, by path below `root`. Raises PackageError."""
    sources = [path for path in tracked_files(root) if path.endswith(".ts")]
    if not sources:
        return {}
    program = next((found for found in map(shutil.which, (os.environ.get("LRELEASE", ""), *LRELEASE_NAMES)) if found), None)
    if program is None:
        raise PackageError(
            "lrelease, which compiles translations, is not on the path. Install it (Debian: qttools5-dev-tools, "
            "Fedora: qt5-linguist), or set LRELEASE to it."
        )
    compiled = {}
    with tempfile.TemporaryDirectory() as folder:
        for source in sources:
            target = Path(folder) / (Path(source).stem + ".qm")
            done = subprocess.run(
                [program, "-silent", str(root / source), "-qm", str(target)], capture_output=True, text=True, check=False
            )
            if done.returncode or not target.is_file():
                raise PackageError(f"{program} could not compile {source}: {done.stderr.strip() or done.stdout.strip()}")
            compiled[str(Path(source).with_suffix(".qm").as_posix())] = target.read_bytes()
    return compiled


def write_zip(target: Path, contents: Mapping[str, bytes]) -> None:
    """Writes `contents` (by path below the plugin's folder) to the zip `target`: stored, sorted, mode 644, one time for all."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(contents):
            entry = zipfile.ZipInfo(f"{NAME}/{path}", FIXED_TIME)
            entry.create_system = 3  # Unix, so that the mode counts wherever the zip is made
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, contents[path])


def _git(root: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise PackageError("git is not on the path; the package is made from what it tracks.") from None
    if done.returncode:
        raise PackageError(f"git could not list the files of {root}: {done.stderr.strip()}")
    return done.stdout


def main(arguments: list[str] | None = None) -> int:
    """Builds, checks, reports; 0 where the package may be installed (with --release: published), 1 where not."""
    from scripts.package_checks import check_package

    parser = argparse.ArgumentParser(prog="python -m scripts.package", description=__doc__)
    parser.add_argument("--release", action="store_true", help="refuse what may not be published, and ask the network for each URL")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="the folder to write into")
    options = parser.parse_args(arguments)
    try:
        package = build(options.out)
        changed = uncommitted()
    except PackageError as error:
        print(error, file=sys.stderr)
        return 1
    findings = check_package(package, release=options.release)
    errors, warnings = findings.errors, findings.warnings
    if changed:
        (errors if options.release else warnings).append(f"not as committed: {', '.join(changed)}")
    size_mb = package.stat().st_size / 1e6
    if errors:
        package.unlink()  # nobody must install or publish it by mistake
    for text in warnings:
        print(f"warning: {text}")
    for text in errors:
        print(f"error: {text}", file=sys.stderr)
    print(f"{package}  {size_mb:.1f} MB  {'removed: it has the errors above' if errors else 'checked'}")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
