# SPDX-License-Identifier: GPL-2.0-or-later
"""What a set-up was told to do, the lock that keeps a second window out, and how its pip reaches the internet."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from qgis.PyQt.QtCore import QLockFile

from ..child.backend_environment import child_environment
from ..locations import qgis_folders
from ..translation import tr
from . import folder as folders
from .base_python import PythonFacts
from .builds import PYPI, Build, PipOptions
from .network_settings import PROXY_VARIABLES, proxy_variables, write_certificates

KEPT_PIP_VARIABLES = ("PIP_INDEX_URL", "PIP_CONFIG_FILE", "PIP_PROXY", "PIP_DEFAULT_TIMEOUT", "PIP_CLIENT_CERT")
"""A person's own, for a mirror of PyPI. Others could mix builds of torch, or come from QGIS."""

CERTIFICATE_VARIABLES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
OLDEST_RAW_PIP = (24, 1)
MARGIN_MB = 500


@dataclass(frozen=True)
class SetupPlan:
    """All that was decided before: where, from which Python, which build, from which folder of wheels (None: the internet)."""

    path: Path
    base: PythonFacts
    build: Build
    requirements: tuple[str, ...]
    wheels: Path | None = None

    @property
    def needed_mb(self) -> int:
        """Free space that the set-up takes at its peak."""
        return needed_mb(self.build, self.wheels)


def needed_mb(build: Build, wheels: Path | None) -> int:
    """Wheels lie in pip's cache and in its temporary folder while they are unpacked; those of a folder are read where they are."""
    return build.installed_mb + (0 if wheels is not None else 2 * build.download_mb) + MARGIN_MB


def pip_options(plan: SetupPlan) -> PipOptions:
    """The options of all pip commands that follow; writes the file of certificates. Raises OSError."""
    names = [name for name in folders.distributions(plan.path) if name.startswith("pip-") and name.endswith("info")]
    version = tuple(int(part) for part in names[0].split("-")[1].split(".")[:2] if part.isdigit()) if names else ()
    work = folders.work_folder(plan.path)
    certificates = None
    if plan.wheels is None:
        own = list(folders.site_packages(plan.path).glob("pip/_vendor/certifi/cacert.pem"))
        own += [Path(os.environ[name]) for name in CERTIFICATE_VARIABLES if os.environ.get(name)]
        certificates = write_certificates(work / "certificates.pem", own)
    return PipOptions(work / "cache", plan.wheels, certificates, version >= OLDEST_RAW_PIP)


def pip_variables(plan: SetupPlan, index: str | None = None) -> dict[str, str]:
    """The child's environment: cleaned as the backend's is, with QGIS's proxy, and temporary files where space was checked.

    Where a command names its source, an `index` or a folder of wheels, pip's configuration is not read: an `extra-index-url` or
    `find-links` there would mix in other builds of torch.
    """
    environment = child_environment(os.environ, Path(), qgis_folders())
    del environment["PYTHONPATH"]
    environment.update({name: os.environ[name] for name in KEPT_PIP_VARIABLES if name in os.environ})
    # REQUESTS_CA_BUNDLE goes before pip's --cert, whose file holds what these name.
    environment = {name: value for name, value in environment.items() if name.upper() not in CERTIFICATE_VARIABLES}
    if plan.wheels is None:
        proxies = proxy_variables([PYPI, "https://files.pythonhosted.org/", plan.build.index or PYPI])
        if proxies:
            environment = {name: value for name, value in environment.items() if name.upper() not in PROXY_VARIABLES}
            environment.update(proxies)
    if plan.wheels is not None or index is not None:
        environment["PIP_CONFIG_FILE"] = os.devnull
    temporary = str(folders.work_folder(plan.path) / "tmp")
    return {**environment, "TMPDIR": temporary, "TEMP": temporary, "TMP": temporary}


def take_lock(path: Path) -> tuple[QLockFile | None, str]:
    """The lock of the environment at `path`, or who holds it. A lock whose process is gone is taken over."""
    lock = QLockFile(f"{path}.lock")
    lock.setStaleLockTime(0)
    if lock.tryLock(0):
        return lock, ""
    if lock.error() != QLockFile.LockError.LockFailedError:
        return None, tr("The folder {folder} cannot be written to.").format(folder=path.parent)
    _, process, host, _ = lock.getLockInfo()
    return None, tr(
        "Another QGIS window is setting it up (process {process} on {host}). This one goes on when that is done."
    ).format(process=process, host=host)
