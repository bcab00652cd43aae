# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether a package may be installed and published: the rules of plugins.qgis.org, and what this project promises beside.

The site's rules are those of its validator.py and security_scanner.py (github.com/qgis/QGIS-Plugins-Website, read in
November 2026): what it refuses, what blocks a version from download, and what it tells the reviewers.
"""

from __future__ import annotations

import configparser
import json
import re
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from urllib.parse import urlparse

LARGEST_BYTES = 25_000_000
REQUIRED_KEYS = ("name", "description", "version", "qgisMinimumVersion", "author", "email", "about", "tracker", "repository")
"""Required by the site."""

WANTED_KEYS = ("icon", "category", "tags", "changelog", "homepage", "qgisMaximumVersion", "supportsQt6", "hasProcessingProvider")
"""Without them the plugin is not found, not listed for QGIS 4, or its algorithms are unknown to qgis_process."""

BOOLEANS = ("experimental", "deprecated", "server", "supportsQt6", "hasProcessingProvider")
CATEGORIES = ("Raster", "Vector", "Database", "Mesh", "Web", "Plugins")
URL_KEYS = ("tracker", "repository", "homepage")
PLACEHOLDERS = ("example.org", "example.com", "example.net", "github.com/sardine-sar/")
"""Addresses that nobody of this project answers yet. Take out the last one when the repository is there."""

EXTERNAL_PACKAGES = ("torch", "timm", "rasterio", "numpy", "safetensors")
"""What is not in the package and must be told in `about`."""

OLDEST_QGIS, NEWEST_QGIS = (3, 34), (4, 99)
FORBIDDEN_FOLDERS = ("__MACOSX", ".git", "__pycache__", "tests", "training", "docs", ".venv")
SUSPICIOUS_SUFFIXES = (
    ".exe", ".dll", ".so", ".dylib", ".bat", ".sh", ".ps1", ".cmd", ".pyc", ".pyo", ".pyd", ".a", ".o", ".lib", ".jar", ".class",
    ".whl", ".zip", ".gz", ".tar", ".deb", ".msi", ".pkl", ".pickle", ".pt", ".pth",
)  # fmt: skip
EXPECTED_SUFFIXES = (".py", ".txt", ".md", ".svg", ".png", ".html", ".css", ".qml", ".qm", ".model3", ".json", ".safetensors", "")
MAGIC = {
    b"\x7fELF": "a Linux executable or library",
    b"MZ": "a Windows executable or library",
    b"\xcf\xfa\xed\xfe": "a macOS executable or library",
    b"\xce\xfa\xed\xfe": "a macOS executable or library",
    b"\xca\xfe\xba\xbe": "a macOS library or a Java class",
    b"!<arch>\n": "a static library",
    b"#!": "a script that starts a program",
    b"PK\x03\x04": "an archive",
    b"\x1f\x8b": "an archive",
}


@dataclass
class Findings:
    """`errors` forbid the package; `warnings` forbid its publication only."""

    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def check_package(package: Path, *, release: bool = False) -> Findings:
    """All checks on the zip `package`. With `release`, warnings are errors and each URL of the metadata is asked for."""
    findings = check_files(package, release=release)
    if not check_archive(package):  # else it is not to be unpacked
        findings.errors += scan(package)
    return findings


def check_files(package: Path, *, release: bool = False) -> Findings:
    """What can be said of the zip without unpacking it and without other programs; see `check_package`."""
    problems = check_archive(package)
    if problems:
        return Findings(problems)
    with zipfile.ZipFile(package) as archive:
        folder = archive.namelist()[0].split("/")[0]
        contents = {entry.filename.partition("/")[2]: archive.read(entry) for entry in archive.infolist()}
    findings = Findings(check_contents(contents, folder))
    metadata, problems = read_metadata(contents.get("metadata.txt", b""))
    findings.errors += problems
    if problems:
        return findings
    findings.errors += check_metadata(metadata, contents) + check_versions(metadata, contents)
    findings.warnings += check_placeholders(metadata, contents)
    if release:
        findings.errors += findings.warnings or check_urls(metadata)
        findings.warnings = []
    return findings


def scan(package: Path) -> list[str]:
    """What bandit and detect-secrets find in the zip."""
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(package) as archive:
            archive.extractall(folder)
        return run_bandit(Path(folder)) + run_detect_secrets(Path(folder))


def check_archive(package: Path) -> list[str]:
    """Size, readability, and names that do not leave the plugin's one folder."""
    size = package.stat().st_size
    problems = [f"the package has {size} bytes, and the site takes {LARGEST_BYTES}"] if size > LARGEST_BYTES else []
    try:
        with zipfile.ZipFile(package) as archive:
            broken = archive.testzip()
            entries = archive.infolist()
    except zipfile.BadZipFile as error:
        return [*problems, f"not a zip file: {error}"]
    names = [entry.filename for entry in entries]
    problems += [f"damaged: {broken}"] if broken else []
    problems += [f"in the package twice: {name}" for name in sorted({name for name in names if names.count(name) > 1})]
    problems += [
        f"a path that leads elsewhere: {name}"
        for name in names
        if ".." in name or name.startswith("/") or "\\" in name or ":" in name
    ]
    folders = sorted({name.split("/")[0] for name in names})
    if len(folders) != 1 or not folders[0].isidentifier() or any("/" not in name for name in names):
        problems.append(f"one folder named as a Python module is needed at the top, found {', '.join(folders) or 'nothing'}")
    modes = {entry.filename: entry.external_attr >> 16 for entry in entries}
    problems += [f"executable: {name}" for name, mode in modes.items() if mode & 0o111]
    problems += [f"a link: {name}" for name, mode in modes.items() if mode & 0o170000 == 0o120000]
    return problems


def check_contents(contents: Mapping[str, bytes], folder: str) -> list[str]:
    """What has to be in the package, and what must not be. `contents` is by path below the package's `folder`."""
    needed = (
        "__init__.py",
        "metadata.txt",
        "LICENSE",
        "CHANGELOG.md",
        "plugin/main.py",
        "backend/job.py",
        "requirements/backend.txt",
    )
    problems = [f"missing: {name}" for name in needed if name not in contents]
    if folder != "sardine":
        problems.append(f"the folder is called {folder}: QGIS would take it for another plugin than sardine")
    if not any(name.startswith("resources/models/") and name.endswith(".safetensors") for name in contents):
        problems.append("missing: a model in resources/models")
    if b"def classFactory(" not in contents.get("__init__.py", b""):
        problems.append("__init__.py has no classFactory, by which QGIS loads a plugin")
    if b"GNU GENERAL PUBLIC LICENSE" not in contents.get("LICENSE", b""):
        problems.append("LICENSE is not the GNU General Public License")
    for name, data in contents.items():
        problems += _problems_of_file(PurePosixPath(name), data)
    return problems


def _problems_of_file(path: PurePosixPath, data: bytes) -> Iterable[str]:
    for part in path.parts:
        if part in FORBIDDEN_FOLDERS:
            yield f"does not belong into the package: {path}"
        elif part.startswith("."):
            yield f"hidden: {path}"
    suffix = path.suffix.lower()
    if suffix in SUSPICIOUS_SUFFIXES:
        yield f"a file type that the site takes for a program or archive: {path}"
    elif suffix not in EXPECTED_SUFFIXES:
        yield f"a file type that no part of the plugin reads: {path} (add {suffix} to EXPECTED_SUFFIXES if one does)"
    for start, what in MAGIC.items():
        if data.startswith(start):
            yield f"{what}: {path}"


def read_metadata(data: bytes) -> tuple[dict[str, str], list[str]]:
    """The keys of metadata.txt as the site and QGIS parse them, or why they cannot."""
    parser = configparser.ConfigParser()  # with interpolation: a single % is an error there, so it has to be one here
    parser.optionxform = str  # type: ignore[method-assign,assignment]
    try:
        parser.read_string(data.decode("utf-8"))
        return dict(parser.items("general")), []
    except (configparser.Error, UnicodeDecodeError) as error:
        return {}, [f"metadata.txt cannot be parsed: {error}"]


def check_metadata(metadata: Mapping[str, str], files: Iterable[str]) -> list[str]:
    """metadata.txt against the site's rules and against `files`, the package's paths below its folder."""
    problems = [f"metadata.txt lacks {key}" for key in (*REQUIRED_KEYS, *WANTED_KEYS) if not metadata.get(key, "").strip()]
    if not re.fullmatch(r"\d+\.\d+\.\d+", metadata.get("version", "")):
        problems.append(f"version “{metadata.get('version')}” is not X.Y.Z")
    for key, expected in (("qgisMinimumVersion", OLDEST_QGIS), ("qgisMaximumVersion", NEWEST_QGIS)):
        found = metadata.get(key, "")
        if not re.fullmatch(r"\d+\.\d+(\.\d+)?", found) or tuple(map(int, found.split(".")[:2])) != expected:
            problems.append(f"{key} “{found}” is not {expected[0]}.{expected[1]}, which the sources are checked for")
    problems += [
        f"{key} “{metadata[key]}” is neither true nor false"
        for key in BOOLEANS
        if key in metadata and metadata[key].lower() not in ("true", "false", "yes", "no")
    ]
    if metadata.get("supportsQt6", "").lower() != "true":  # the site takes “true” and “1” alone
        problems.append("supportsQt6 is not true: the Qt 6 builds of QGIS 3 would not list the plugin")
    if metadata.get("hasProcessingProvider", "").lower() != "yes":  # qgis_process looks for this word
        problems.append("hasProcessingProvider is not yes: qgis_process would not see the algorithms")
    if metadata.get("category") not in CATEGORIES:
        problems.append(f"category “{metadata.get('category')}” is none of {', '.join(CATEGORIES)}")
    if metadata.get("icon") not in set(files):
        problems.append(f"the icon {metadata.get('icon')} is not in the package")
    tags = [tag.strip() for tag in metadata.get("tags", "").split(",")]
    if "" in tags or len(set(tags)) < len(tags) or any(tag != tag.lower() for tag in tags):
        problems.append("tags are not a list of different words in lower case, separated by commas")
    if "/" in metadata.get("author", ""):
        problems.append("the author's name holds a slash")
    if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s.]+", metadata.get("email", "")):
        problems.append(f"email “{metadata.get('email')}” is none")
    for key in URL_KEYS:
        parts = urlparse(metadata.get(key, ""))
        if parts.scheme != "https" or not parts.netloc:
            problems.append(f"{key} “{metadata.get(key)}” is not an https address")
    about = metadata.get("about", "")
    problems += [f"about does not tell that {name} is needed" for name in EXTERNAL_PACKAGES if name not in about]
    if "plugin" in metadata.get("name", "").lower():
        problems.append("the name holds “plugin”, which the site advises against")
    return problems


def check_versions(metadata: Mapping[str, str], contents: Mapping[str, bytes]) -> list[str]:
    """One version in metadata.txt, at the head of the changelog and in the backend, which tells it to the plugin."""
    version = metadata.get("version", "")
    problems = [] if metadata.get("changelog", "").strip().startswith(version) else [f"changelog does not begin with {version}"]
    for name, pattern in (("CHANGELOG.md", r"^## (\S+)"), ("backend/versions.py", r'^SARDINE_VERSION = "(.*)"$')):
        found = re.search(pattern, contents.get(name, b"").decode("utf-8", "replace"), re.MULTILINE)
        if found is None or found.group(1) != version:
            problems.append(f"{name} says {found.group(1) if found else 'no version'}, metadata.txt says {version}")
    return problems


def check_placeholders(metadata: Mapping[str, str], contents: Mapping[str, bytes]) -> list[str]:
    """What must not be published: addresses that lead nowhere, a version that is not out."""
    found = [
        f"{key} is a placeholder: {metadata[key]}"
        for key in (*URL_KEYS, "email")
        if any(text in metadata.get(key, "") for text in PLACEHOLDERS)
    ]
    if re.search(rb"^## .*\(unreleased\)", contents.get("CHANGELOG.md", b""), re.MULTILINE):
        found.append("CHANGELOG.md calls its newest version unreleased: write the date there")
    return found


def check_urls(metadata: Mapping[str, str], timeout_s: float = 10.0) -> list[str]:
    """Each address of the metadata answers, as the site asks for: within 10 s, with a status below 400."""
    problems = []
    for key in URL_KEYS:
        request = urllib.request.Request(metadata[key], method="HEAD", headers={"User-Agent": "Mozilla/5.0"})  # noqa: S310
        try:
            urllib.request.urlopen(request, timeout=timeout_s).close()  # noqa: S310  # check_metadata has seen that it is https
        except (urllib.error.URLError, OSError, ValueError) as error:
            problems.append(f"{key} {metadata[key]} does not answer: {error}")
    return problems


def run_bandit(folder: Path) -> list[str]:
    """Findings of bandit, of any severity, on all Python below `folder`. The site blocks a version on them."""
    report = _report("bandit", ["-m", "bandit", "--quiet", "--recursive", "--format", "json", "."], folder)
    broken = [f"bandit could not read {item['filename']}: {item['reason']}" for item in report["errors"]]
    return broken + [
        f"bandit {item['test_id']}: {item['filename']}:{item['line_number']}: {item['issue_text']}" for item in report["results"]
    ]


def run_detect_secrets(folder: Path) -> list[str]:
    """Findings of detect-secrets on all files below `folder`, with the site's options. The site blocks a version on them."""
    arguments = ["-m", "detect_secrets", "scan", "--all-files", "--exclude-files", r"metadata\.txt", "."]
    found = _report("detect-secrets", arguments, folder)["results"]
    return [f"detect-secrets: {name}:{hit['line_number']}: {hit['type']}" for name, hits in sorted(found.items()) for hit in hits]


def _report(tool: str, arguments: list[str], folder: Path) -> dict:
    """The JSON that a tool of this Python prints; both exit with other statuses than their findings would have it."""
    done = subprocess.run([sys.executable, *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    try:
        return json.loads(done.stdout)
    except ValueError:
        raise RuntimeError(f"{tool} did not run ({sys.executable}): {done.stderr.strip()[-500:]}") from None
