# SPDX-License-Identifier: GPL-2.0-or-later
"""What pip prints becomes a progress with the current package, and of a failure the sentence that tells its cause."""

from __future__ import annotations

import re

from ..translation import tr
from .builds import package_name

_DOWNLOADING = re.compile(
    r"^\s*(?:Downloading|Using cached) (?:\S*/)?([A-Za-z0-9._]+?)-\d\S*\.whl(?:\.metadata)?(?: \(([\d.]+) (k|M|G)?B\))?"
)
_COLLECTING = re.compile(r"^\s*(?:Collecting|Processing) (\S+)")
_PROCESSED = re.compile(r"^\s*Processing (?:.*[/\\])?([A-Za-z0-9._]+?)-\d\S*\.whl")
_RAW = re.compile(r"^\s*Progress (\d+) of (\d+)\s*$")
_INSTALLING = re.compile(r"^\s*Installing collected packages: (.*)$")
_MB = {None: 1e-6, "k": 1e-3, "M": 1.0, "G": 1e3}


class PipProgress:
    """Follows one pip command line by line.

    `text` names the current package; `downloaded_mb` counts what has been fetched or taken from the cache; `to_install` is
    what pip says it installs, normalised, once it does.
    """

    def __init__(self) -> None:
        self.text = ""
        self.to_install: list[str] = []
        self._whole_mb = 0.0
        self._package = ""
        self._of_mb = 0.0
        self._done_mb = 0.0

    @property
    def downloaded_mb(self) -> float:
        return self._whole_mb + self._done_mb

    def feed(self, line: str) -> None:
        """Takes one line of stdout."""
        raw = _RAW.match(line)
        if raw:
            done, total = int(raw.group(1)), int(raw.group(2))
            self._done_mb = done / 1e6
            self._of_mb = total / 1e6
            if total > 2e6:
                self.text = tr("Downloading {package}: {done:.0f} of {total:.0f} MB").format(
                    package=self._package, done=done / 1e6, total=total / 1e6
                )
            return
        downloading = _DOWNLOADING.match(line)
        if downloading:
            self._whole_mb += self._of_mb or self._done_mb
            self._package = package_name(downloading.group(1))
            size = downloading.group(2)
            self._of_mb = float(size) * _MB[downloading.group(3)] if size else 0.0
            self._done_mb = self._of_mb if "Using cached" in line else 0.0
            shown = tr("Downloading {package} ({size:.0f} MB)") if self._of_mb >= 1 else tr("Downloading {package}")
            self.text = shown.format(package=self._package, size=self._of_mb)
            return
        if line.lstrip().startswith("WARNING: Retrying"):
            self.text = tr("No answer from the server; trying again")
            return
        installing = _INSTALLING.match(line)
        if installing:
            self._whole_mb += self._of_mb
            self._of_mb = self._done_mb = 0.0
            self.to_install = [package_name(name) for name in installing.group(1).split(",")]
            return
        collecting = _PROCESSED.match(line) or _COLLECTING.match(line)
        if collecting:
            self.text = tr("Looking up {package}").format(package=package_name(collecting.group(1)))

    def installing_text(self, installed: set[str]) -> str:
        """Which package pip is writing, when `installed` (normalised names) are done; pip itself does not tell."""
        for number, name in enumerate(self.to_install, start=1):
            if name not in installed:
                return tr("Installing {package} ({number} of {count})").format(
                    package=name, number=number, count=len(self.to_install)
                )
        return tr("Finishing the installation")


def installed_packages(distributions: list[str]) -> set[str]:
    """Normalised names of what has a `.dist-info` folder among the names in a site-packages folder.

    >>> sorted(installed_packages(["Torch-2.14.1.dist-info", "torch", "nvidia_nccl_cu13-2.30.dist-info"]))
    ['nvidia-nccl-cu13', 'torch']
    """
    return {package_name(name.rsplit("-", 1)[0]) for name in _versions(distributions)}


def pinned(distributions: list[str], names: tuple[str, ...]) -> list[str]:
    """Requirements that hold `names` at the versions found, for example `torch==2.14.1+cpu`."""
    found = dict(name.rsplit("-", 1) for name in _versions(distributions))
    return [f"{name}=={version}" for name, version in found.items() if package_name(name) in names]


def _versions(distributions: list[str]) -> list[str]:
    return [name[: -len(".dist-info")] for name in distributions if name.endswith(".dist-info")]


def cause(log: str) -> str:
    """The line of pip's (or Python's) output that tells why it failed: its last ERROR, else what its last exception says.

    Empty where pip found nothing because nobody answered: `advice` tells that, and "No matching distribution" would mislead.
    """
    if re.search(_NO_ANSWER, log, re.IGNORECASE) and "No matching distribution found" in log:
        return ""
    lines = [line.rstrip() for line in log.splitlines() if line.strip()]
    for line in reversed(lines):
        if line.startswith("ERROR:") and not line.startswith("ERROR: ResolutionImpossible"):  # the line before says of what
            return line.removeprefix("ERROR:").strip()
    traces = [number for number, line in enumerate(lines) if line.startswith("Traceback (")]
    for line in lines[traces[-1] + 1 :] if traces else []:
        if not line.startswith(" "):
            return line
    return lines[-1].strip() if lines else ""


def sentence(text: str) -> str:
    """`text` with a full stop, where it is not empty."""
    return f"{text.rstrip('. ')}." if text else ""


def advice(log: str) -> str:
    """What to do about a failure, where its log shows one that is known."""
    for pattern, text in _known():
        if re.search(pattern, log, re.IGNORECASE):
            return text.format(server=_server(log))
    return tr("The details hold all that was printed.")


_TLS = r"CERTIFICATE_VERIFY_FAILED|SSLCertVerificationError|certificate verify failed"
_PROXY = r"ProxyError|407 Proxy|Tunnel connection failed"
_SOCKS = r"SOCKS support"
_UNREACHED = (
    r"NewConnectionError|Max retries exceeded|Temporary failure in name resolution|ConnectTimeout|Read timed out"
    r"|ReadTimeout|NameResolutionError|Failed to resolve"
    r"|getaddrinfo failed|Connection refused|Network is unreachable|IncompleteRead|ConnectionResetError"
)
_NO_ANSWER = "|".join((_TLS, _PROXY, _SOCKS, _UNREACHED))


def _server(log: str) -> str:
    """The server that was asked last, where pip names it."""
    named = re.findall(r"host='([^']+)'", log)
    return tr("The server {name}").format(name=named[-1]) if named else tr("The server")


def _known() -> tuple[tuple[str, str], ...]:
    """Patterns of logs and what to do, the more special ones first: a proxy's refusal is also a connection that failed."""
    return (
        (
            r"No space left on device|not enough space|WinError 112\b|Errno 28\b",
            tr("The disk is full. Make room or choose another folder, then press Retry."),
        ),
        (
            _TLS,
            tr(
                "The certificate of the server or of your proxy is not trusted. Add your organisation's certificate under "
                "Settings › Options › Authentication › Manage Certificates, then press Retry."
            ),
        ),
        (
            _PROXY,
            tr("The proxy refused. Set it up under Settings › Options › Network, then press Retry."),
        ),
        (
            _SOCKS,
            tr("pip cannot use a SOCKS proxy. Set an HTTP proxy under Settings › Options › Network, or use a folder of wheels."),
        ),
        (
            _UNREACHED,
            tr(
                "{server} could not be reached. Check the connection and press Retry; or choose another build under “Computes on”, "
                "which may come from another server; or take the packages from a folder of wheels."
            ),
        ),
        (
            r"THESE PACKAGES DO NOT MATCH THE HASHES|BadZipFile|Wheel .* is invalid|is not a valid wheel",
            tr("A package arrived damaged. Press Retry; of a folder of wheels, copy that file again."),
        ),
        (
            r"No matching distribution found|Could not find a version that satisfies",
            tr("There is no such package for this Python and machine where it was looked for. Take another Python, or add it."),
        ),
        (
            r"Permission denied|Access is denied|WinError (5|32)\b|Errno 13\b|Read-only file system",
            tr(
                "A file could not be written. Close other programs that may use the folder (a virus scanner too), then press Retry."
            ),
        ),
    )
