# SPDX-License-Identifier: GPL-2.0-or-later
"""QGIS's proxy and certificates on their way to pip, from QGIS's own settings."""

from __future__ import annotations

import dataclasses
import http.server
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from qgis.core import QgsNetworkAccessManager, QgsSettings
from sardine.plugin.environment import folder as folders
from sardine.plugin.environment.network_settings import proxy_variables
from sardine.plugin.environment.plan import CERTIFICATE_VARIABLES, SetupPlan, pip_options, pip_variables

PYPI, PYTORCH = "https://pypi.org/simple", "https://download.pytorch.org/whl/cpu"


@pytest.fixture
def proxy(qgis_app: object) -> Iterator[QgsSettings]:
    """QGIS's proxy settings; `apply` them as its options dialog does. None are left afterwards."""
    settings = QgsSettings()
    settings.remove("proxy")
    yield settings
    settings.remove("proxy")
    QgsNetworkAccessManager.instance().setupDefaultProxyAndCache()


def choose(settings: QgsSettings, **values: object) -> None:
    for name, value in {"proxyEnabled": True, "proxyHost": "proxy.firma", "proxyPort": "8080", **values}.items():
        settings.setValue(f"proxy/{name}", value)
    QgsNetworkAccessManager.instance().setupDefaultProxyAndCache()


def test_no_proxy_of_qgis_should_leave_the_environment_as_it_is(proxy: QgsSettings) -> None:
    QgsNetworkAccessManager.instance().setupDefaultProxyAndCache()
    assert proxy_variables([PYPI, PYTORCH]) == {}


def test_http_proxy_should_be_passed_with_its_password_quoted(proxy: QgsSettings) -> None:
    choose(proxy, proxyType="HttpProxy", proxyUser="ada@firma", proxyPassword="p:@/ö")
    address = "http://ada%40firma:p%3A%40%2F%C3%B6@proxy.firma:8080"
    assert proxy_variables([PYPI, PYTORCH]) == {"HTTP_PROXY": address, "HTTPS_PROXY": address}


def test_exception_from_the_proxy_should_be_passed_too(proxy: QgsSettings) -> None:
    choose(proxy, proxyType="HttpProxy", noProxyUrls=["https://pypi.org"])
    assert proxy_variables([PYPI, PYTORCH])["NO_PROXY"] == "pypi.org"


def test_socks_proxy_should_be_passed_as_one(proxy: QgsSettings) -> None:
    choose(proxy, proxyType="Socks5Proxy")
    assert proxy_variables([PYPI])["HTTPS_PROXY"] == "socks5h://proxy.firma:8080"


def test_child_should_get_the_proxy_in_place_of_other_ones_and_never_as_an_argument(
    proxy: QgsSettings,
    plan: SetupPlan,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("https_proxy", "http://old:1")
    monkeypatch.setenv("PIP_TRUSTED_HOST", "pypi.org")
    monkeypatch.setenv("PIP_TARGET", "/nowhere")
    monkeypatch.setenv("PIP_INDEX_URL", "https://mirror.firma/simple")
    online = dataclasses.replace(plan, wheels=None)
    assert pip_variables(online)["https_proxy"] == "http://old:1"
    choose(proxy, proxyType="HttpProxy", proxyUser="ada", proxyPassword="geheim")
    variables = pip_variables(online)
    assert "https_proxy" not in variables
    assert variables["HTTPS_PROXY"] == "http://ada:geheim@proxy.firma:8080"
    assert variables["PIP_INDEX_URL"] == "https://mirror.firma/simple"
    assert not {"PIP_TRUSTED_HOST", "PIP_TARGET", "PYTHONPATH"} & set(variables)
    folders.work_folder(plan.path).mkdir(parents=True)
    arguments = pip_options(online).install(PYTORCH, ["torch"])
    assert "geheim" not in " ".join(arguments)
    assert "--trusted-host" not in arguments
    assert pip_variables(plan)["PIP_CONFIG_FILE"] == pip_variables(online, PYTORCH)["PIP_CONFIG_FILE"] == os.devnull
    assert "PIP_CONFIG_FILE" not in variables
    assert "HTTPS_PROXY" not in pip_variables(plan)


def make_authority(folder: Path) -> tuple[Path, Path]:
    """A key and a certificate that signs itself."""
    key, certificate = folder / "key.pem", folder / "firma.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    return key, certificate


@pytest.fixture
def https_server(tmp_path: Path) -> Iterator[tuple[str, Path, list[str]]]:
    """A server on this machine with a certificate of its own authority: its address, the authority's file, what it was asked."""
    asked: list[str] = []
    key, certificate = make_authority(tmp_path)

    class Empty(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.HTTPServer(("localhost", 0), Empty)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"https://localhost:{server.server_port}/simple", certificate, asked
    server.shutdown()


def test_pip_should_trust_a_companys_authority_only_where_it_was_given(
    https_server: tuple[str, Path, list[str]],
    plan: SetupPlan,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    proxy: QgsSettings,
) -> None:
    address, authority, asked = https_server
    online = dataclasses.replace(plan, wheels=None)
    (folders.work_folder(plan.path) / "tmp").mkdir(parents=True)
    for name in CERTIFICATE_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)

    def ask() -> None:
        arguments = dataclasses.replace(pip_options(online), raw_progress=False).install(
            address, ["--retries", "0", "sardine-nothing"]
        )
        command = [sys.executable, "-I", "-m", *arguments]
        subprocess.run(command, capture_output=True, env=pip_variables(online), timeout=120)

    ask()
    assert asked == []
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/etc/ssl/certs/ca-certificates.crt")
    ask()
    assert asked == ["/simple/sardine-nothing/"]
    certificates = (folders.work_folder(plan.path) / "certificates.pem").read_text()
    assert authority.read_text().strip() in certificates
    assert certificates.count("BEGIN CERTIFICATE") > 1


IN_A_PROFILE = """
import sys
sys.path.insert(0, sys.argv[1])
import tests.conftest
from pathlib import Path
from qgis.core import QgsApplication
from qgis.PyQt.QtNetwork import QSslCertificate
application = QgsApplication([], True, sys.argv[2])
application.initQgis()
manager = QgsApplication.authManager()
manager.setMasterPassword("for a test", True)
manager.storeCertAuthority(QSslCertificate.fromPath(sys.argv[3])[0])
manager.rebuildCaCertsCache()
manager.rebuildTrustedCaCertsCache()
from sardine.plugin.environment.network_settings import write_certificates
write_certificates(Path(sys.argv[4]), [])
"""
"""A QGIS of its own: pytest's has no store of certificates."""


def test_authority_that_was_added_in_qgis_should_be_passed_beside_the_systems(tmp_path: Path, root: Path) -> None:
    _, authority = make_authority(tmp_path)
    out = tmp_path / "all ü.pem"
    command = [sys.executable, "-c", IN_A_PROFILE, str(root), str(tmp_path / "profile"), str(authority), str(out)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    text = out.read_text()
    assert authority.read_text().strip() in text
    assert text.count("BEGIN CERTIFICATE") > 20
