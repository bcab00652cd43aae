# SPDX-License-Identifier: GPL-2.0-or-later
"""The package as `make package` makes it, and copies of it that were tampered with: each check has to see its fault."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
import tomllib

from scripts import package as packaging
from scripts import package_checks
from scripts.package_checks import (
    LARGEST_BYTES,
    Findings,
    check_files,
    check_metadata,
    check_package,
    check_urls,
    read_metadata,
    scan,
)

ROOT = packaging.ROOT
SETTLED = (
    ("https://github.com/sardine-sar/", "https://localhost:9/"),  # port 9: nothing answers there, on any machine
    ("sardine@example.org", "sardine@uni.example"),
)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return packaging.build(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def contents(package: Path) -> dict[str, bytes]:
    """The package's files by path below its folder."""
    with zipfile.ZipFile(package) as archive:
        return {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}


def repacked(folder: Path, contents: dict[str, bytes]) -> Path:
    path = folder / "tampered.zip"
    packaging.write_zip(path, contents)
    return path


def with_entry(package: Path, folder: Path, name: str, data: bytes = b"", mode: int = 0o100644) -> Path:
    """A copy of `package` with one entry more, whatever its name."""
    path = folder / "tampered.zip"
    shutil.copy(package, path)
    with zipfile.ZipFile(path, "a") as archive:
        entry = zipfile.ZipInfo(name, packaging.FIXED_TIME)
        entry.create_system, entry.external_attr = 3, mode << 16
        archive.writestr(entry, data)
    return path


def test_package_should_pass_its_checks(package: Path) -> None:
    assert check_package(package).errors == []


def test_package_should_hold_what_runs_and_nothing_else(contents: dict[str, bytes]) -> None:
    assert {name.split("/")[0] for name in contents} == {path.split("/")[0] for path in packaging.SHIPPED}
    tracked = [path for path in packaging.tracked_files() if not path.endswith(".ts")]
    assert set(tracked) <= set(contents)
    assert {name for name in contents if name not in tracked} == set(packaging.compiled_translations())
    assert all(contents[name] == (ROOT / name).read_bytes() for name in tracked)


def test_package_should_be_the_same_bytes_from_another_folder_time_and_umask(package: Path, tmp_path: Path) -> None:
    clone = tmp_path / "another clone ü"
    before = os.umask(0o077)
    try:
        for path in reversed(packaging.tracked_files()):
            target = clone / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((ROOT / path).read_bytes())
            target.chmod(0o700)
            os.utime(target, (1_000_000_000, 1_000_000_000))
        subprocess.run(["git", "init", "-q", str(clone)], check=True)
        subprocess.run(["git", "-C", str(clone), "add", "-A"], check=True)
        (clone / "plugin" / "notes.py").write_text("untracked = True\n")
        (clone / "plugin" / "__pycache__").mkdir()
        (clone / "plugin" / "__pycache__" / "main.pyc").write_bytes(b"cache")
        again = packaging.build(tmp_path / "dist", clone)
    finally:
        os.umask(before)
    assert again.read_bytes() == package.read_bytes()


def test_package_should_not_be_made_without_git_or_of_a_part(tmp_path: Path) -> None:
    with pytest.raises(packaging.PackageError, match="git could not list the files"):
        packaging.build(tmp_path / "dist", tmp_path)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / "metadata.txt").write_text("[general]\nversion=1.0.0\n")
    subprocess.run(["git", "-C", str(tmp_path), "add", "-A"], check=True)
    with pytest.raises(packaging.PackageError, match=r"Git tracks nothing of __init__\.py, LICENSE"):
        packaging.build(tmp_path / "dist", tmp_path)
    assert not (tmp_path / "dist").exists()


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("name", "data", "found"),
    [
        ("sardine/plugin/tool.exe", b"MZ\x90", "a Windows executable or library: plugin/tool.exe"),
        ("sardine/plugin/fast", b"\x7fELF\x02", "a Linux executable or library: plugin/fast"),
        ("sardine/plugin/fast.so", b"", "takes for a program or archive: plugin/fast.so"),
        ("sardine/plugin/weights.pt", b"", "takes for a program or archive: plugin/weights.pt"),
        ("sardine/plugin/lib", b"\xcf\xfa\xed\xfe", "a macOS executable or library: plugin/lib"),
        ("sardine/plugin/start.py", b"#!/usr/bin/env python3\n", "a script that starts a program: plugin/start.py"),
        ("sardine/plugin/notes.xyz", b"", "a file type that no part of the plugin reads: plugin/notes.xyz"),
        ("sardine/plugin/__pycache__/main.txt", b"", "does not belong into the package: plugin/__pycache__/main.txt"),
        ("sardine/plugin/main.pyc", b"", "takes for a program or archive: plugin/main.pyc"),
        ("sardine/tests/test_a.py", b"", "does not belong into the package: tests/test_a.py"),
        ("sardine/training/run.py", b"", "does not belong into the package: training/run.py"),
        ("sardine/.hidden", b"", "hidden: .hidden"),
        ("sardine/plugin/main.py", b"", "in the package twice: sardine/plugin/main.py"),
        ("sardine/../evil.py", b"", "a path that leads elsewhere: sardine/../evil.py"),
        ("/etc/evil.py", b"", "a path that leads elsewhere: /etc/evil.py"),
        ("other/a.py", b"", "found other, sardine"),
        ("a.py", b"", "found a.py, sardine"),
    ],
)
def test_check_should_see_a_file_that_must_not_be_there(package: Path, tmp_path: Path, name: str, data: bytes, found: str) -> None:
    tampered = with_entry(package, tmp_path, name, data)
    assert any(found in error for error in check_files(tampered).errors)


@pytest.mark.parametrize(
    ("mode", "found"), [(0o100755, "executable: sardine/plugin/a.py"), (0o120777, "a link: sardine/plugin/a.py")]
)
def test_check_should_see_modes(package: Path, tmp_path: Path, mode: int, found: str) -> None:
    assert found in check_files(with_entry(package, tmp_path, "sardine/plugin/a.py", b"", mode)).errors


@pytest.mark.parametrize(
    "name",
    ["__init__.py", "metadata.txt", "LICENSE", "CHANGELOG.md", "plugin/main.py", "backend/job.py", "requirements/backend.txt"],
)
def test_check_should_miss_a_file_that_is_needed(contents: dict[str, bytes], tmp_path: Path, name: str) -> None:
    tampered = repacked(tmp_path, {path: data for path, data in contents.items() if path != name})
    assert f"missing: {name}" in check_files(tampered).errors


def test_check_should_miss_model_class_factory_and_licence_text(contents: dict[str, bytes], tmp_path: Path) -> None:
    kept = {path: data for path, data in contents.items() if not path.endswith(".safetensors")}
    errors = check_files(repacked(tmp_path, {**kept, "__init__.py": b"", "LICENSE": b"All rights reserved"})).errors
    assert "missing: a model in resources/models" in errors
    assert "__init__.py has no classFactory, by which QGIS loads a plugin" in errors
    assert "LICENSE is not the GNU General Public License" in errors


def test_check_should_see_a_package_that_is_too_large_or_damaged(package: Path, tmp_path: Path) -> None:
    large = with_entry(package, tmp_path, "sardine/resources/models/large.safetensors", bytes(LARGEST_BYTES))
    assert any(f"and the site takes {LARGEST_BYTES}" in error for error in check_files(large).errors)
    data = bytearray(package.read_bytes())
    place = data.index(b"classFactory")
    data[place : place + 5] = b"KLASS"
    broken = tmp_path / "broken.zip"
    broken.write_bytes(data)
    assert "damaged: sardine/__init__.py" in check_package(broken).errors
    broken.write_bytes(data[:1000])
    assert check_package(broken).errors[0].startswith("not a zip file")


def test_check_should_see_another_folder_name(contents: dict[str, bytes], tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in contents.items():
            archive.writestr(f"sardine_main/{name}", data)
    (tmp_path / "renamed.zip").write_bytes(buffer.getvalue())
    assert any("the folder is called sardine_main" in error for error in check_files(tmp_path / "renamed.zip").errors)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"tracker": ""}, "metadata.txt lacks tracker"),
        ({"about": " "}, "metadata.txt lacks about"),
        ({"about": "Needs torch, timm, rasterio and numpy."}, "about does not tell that safetensors is needed"),
        ({"tags": "radar,Radar"}, "tags are not a list of different words in lower case, separated by commas"),
        ({"tags": "radar,,sar"}, "tags are not a list of different words in lower case, separated by commas"),
        ({"version": "0.1"}, "version “0.1” is not X.Y.Z"),
        ({"version": "v0.1.0"}, "version “v0.1.0” is not X.Y.Z"),
        ({"qgisMinimumVersion": "3.22"}, "qgisMinimumVersion “3.22” is not 3.34, which the sources are checked for"),
        ({"qgisMaximumVersion": "3.99"}, "qgisMaximumVersion “3.99” is not 4.99, which the sources are checked for"),
        ({"supportsQt6": "yes"}, "supportsQt6 is not true: the Qt 6 builds of QGIS 3 would not list the plugin"),
        ({"hasProcessingProvider": "no"}, "hasProcessingProvider is not yes: qgis_process would not see the algorithms"),
        ({"experimental": "maybe"}, "experimental “maybe” is neither true nor false"),
        ({"category": "Radar"}, "category “Radar” is none of Raster, Vector, Database, Mesh, Web, Plugins"),
        ({"icon": "icon.png"}, "the icon icon.png is not in the package"),
        ({"author": "A/B"}, "the author's name holds a slash"),
        ({"email": "nobody"}, "email “nobody” is none"),
        ({"tracker": "http://bugs"}, "tracker “http://bugs” is not an https address"),
        ({"homepage": "sardine.html"}, "homepage “sardine.html” is not an https address"),
        ({"name": "SARdine Plugin"}, "the name holds “plugin”, which the site advises against"),
    ],
)
def test_check_should_see_faults_of_the_metadata(contents: dict[str, bytes], change: dict[str, str], found: str) -> None:
    metadata, problems = read_metadata(contents["metadata.txt"])
    assert problems == []
    assert check_metadata(metadata, contents) == []
    assert found in check_metadata({**metadata, **change}, contents)


@pytest.mark.parametrize("text", ["[general]\nabout=95% of pixels\n", "[other]\n", "[general]\nname=a\nname=b\n", "\xff"])
def test_check_should_see_metadata_that_the_site_cannot_parse(contents: dict[str, bytes], tmp_path: Path, text: str) -> None:
    errors = check_files(repacked(tmp_path, {**contents, "metadata.txt": text.encode("latin-1")})).errors
    assert any(error.startswith("metadata.txt cannot be parsed") for error in errors)


@pytest.mark.parametrize(
    ("name", "old", "found"),
    [
        ("CHANGELOG.md", b"## ", "CHANGELOG.md says 9.9.9, metadata.txt says "),
        ("backend/versions.py", b'SARDINE_VERSION = "', "backend/versions.py says 9.9.9, metadata.txt says "),
        ("metadata.txt", b"changelog=", "changelog does not begin with "),
    ],
)
def test_check_should_see_versions_that_differ(
    contents: dict[str, bytes], tmp_path: Path, name: str, old: bytes, found: str
) -> None:
    version = packaging.version()
    changed = contents[name].replace(old + version.encode(), old + b"9.9.9", 1)
    assert f"{found}{version}" in check_files(repacked(tmp_path, {**contents, name: changed})).errors


def test_project_should_have_the_version_of_the_package(root: Path) -> None:
    assert tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"] == packaging.version()


def test_scans_should_see_what_blocks_a_version(contents: dict[str, bytes], tmp_path: Path) -> None:
    key = "AKIA" + "Z7MIRQ2N5VCXW4TB"  # of the form of a cloud key, made up, and put together here so that no scan takes it for one
    tampered = repacked(
        tmp_path,
        {
            **contents,
            "plugin/a.py": b"import subprocess\nsubprocess.call('ls', shell=True)\nassert True\n",
            "plugin/b.py": f'key = "{key}"\n'.encode(),
            "plugin/c.py": b"def broken(:\n",
        },
    )
    found = scan(tampered)
    tests = {line.split(":")[0] for line in found if "/a.py" in line}
    assert tests == {"bandit B101", "bandit B404", "bandit B602", "bandit B607"}
    assert [line for line in found if "/c.py" in line] == [
        "bandit could not read ./sardine/plugin/c.py: syntax error while parsing AST from file"
    ]
    assert [line for line in found if "b.py" in line] == ["detect-secrets: sardine/plugin/b.py:1: AWS Access Key"]


def settled(contents: dict[str, bytes]) -> dict[str, bytes]:
    """The package as it would be with addresses that are no placeholders, and with a date in the changelog."""
    metadata = contents["metadata.txt"].decode()
    for old, new in SETTLED:
        metadata = metadata.replace(old, new)
    changelog = contents["CHANGELOG.md"].replace(b"(unreleased)", b"(2026-12-01)")
    return {**contents, "metadata.txt": metadata.encode(), "CHANGELOG.md": changelog}


def test_release_should_be_refused_with_placeholders(contents: dict[str, bytes], tmp_path: Path) -> None:
    """Whatever metadata.txt says today."""
    metadata = settled(contents)["metadata.txt"].decode()
    for old, new in SETTLED:
        metadata = metadata.replace(new, old)
    changelog = contents["CHANGELOG.md"].replace(b"\n## " + packaging.version().encode(), b"\n## 0.1.0 (unreleased)", 1)
    package = repacked(tmp_path, {**contents, "metadata.txt": metadata.encode(), "CHANGELOG.md": changelog})
    told, refused = check_files(package), check_files(package, release=True)
    expected = [
        "tracker is a placeholder: https://github.com/sardine-sar/sardine/issues",
        "repository is a placeholder: https://github.com/sardine-sar/sardine",
        "homepage is a placeholder: https://github.com/sardine-sar/sardine",
        "email is a placeholder: sardine@example.org",
        "CHANGELOG.md calls its newest version unreleased: write the date there",
    ]
    assert (told.warnings, told.errors) == (expected, [])
    assert (refused.warnings, refused.errors) == ([], expected)


def test_release_should_be_refused_with_addresses_that_do_not_answer(contents: dict[str, bytes], tmp_path: Path) -> None:
    package = repacked(tmp_path, settled(contents))
    assert check_files(package) == Findings()
    errors = check_files(package, release=True).errors
    assert [error.split(" ")[0] for error in errors] == ["tracker", "repository", "homepage"]
    assert all("does not answer" in error for error in errors)
    assert len(check_urls(dict.fromkeys(("tracker", "repository", "homepage"), "https://localhost:9/"), timeout_s=1)) == 3


def test_command_should_leave_no_package_that_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(package_checks, "OLDEST_QGIS", (3, 22))
    assert packaging.main(["--out", str(tmp_path)]) == 1
    assert list(tmp_path.iterdir()) == []
    told = capsys.readouterr()
    assert "error: qgisMinimumVersion “3.34” is not 3.22, which the sources are checked for" in told.err
    assert "removed: it has the errors above" in told.out
