# SPDX-License-Identifier: GPL-2.0-or-later
"""Proxy and certificates as QGIS has them, in the form that pip reads. Checks of certificates are never switched off."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from qgis.core import QgsApplication, QgsNetworkAccessManager
from qgis.PyQt.QtCore import QUrl
from qgis.PyQt.QtNetwork import QNetworkProxy, QNetworkProxyQuery, QSslConfiguration

PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


def proxy_variables(urls: Iterable[str]) -> dict[str, str]:
    """What QGIS would use to reach `urls`, as environment variables; empty where it uses no proxy of its own.

    Variables and not arguments: the list of processes, which others may read, shows arguments, and with them a password.
    """
    factory = QgsNetworkAccessManager.instance().proxyFactory()
    direct, result = [], {}
    for url in map(QUrl, urls):
        proxies = factory.queryProxy(QNetworkProxyQuery(url)) if factory is not None else []
        address = next((text for text in map(_address, proxies) if text), "")
        if address:
            result["HTTPS_PROXY"] = result["HTTP_PROXY"] = address
        else:
            direct.append(url.host())
    if result and direct:
        result["NO_PROXY"] = ",".join(sorted(set(direct)))
    return result


def _address(proxy: QNetworkProxy) -> str:
    kinds = {
        QNetworkProxy.ProxyType.HttpProxy: "http",
        QNetworkProxy.ProxyType.HttpCachingProxy: "http",
        QNetworkProxy.ProxyType.Socks5Proxy: "socks5h",
    }
    kind = kinds.get(proxy.type())
    if kind is None or not proxy.hostName():
        return ""
    user = f"{quote(proxy.user(), safe='')}:{quote(proxy.password(), safe='')}@" if proxy.user() else ""
    host = f"[{proxy.hostName()}]" if ":" in proxy.hostName() else proxy.hostName()
    return f"{kind}://{user}{host}:{proxy.port()}"


def write_certificates(path: Path, others: Iterable[Path]) -> Path:
    """A PEM file at `path` of all authorities that QGIS trusts, the system's among them, and of those in the files `others`.

    pip's `--cert` takes the place of pip's own list, so the latter has to be among `others`: Windows fetches an authority's
    certificate only when a program of its own first meets it, so its list alone may lack one. Raises OSError.
    """
    trusted = QgsApplication.authManager().trustedCaCertsCache() or QSslConfiguration.systemCaCertificates()
    texts = {bytes(certificate.toPem()).decode("ascii").strip() for certificate in trusted}
    parts = sorted(texts)
    parts += [file.read_text(encoding="utf-8", errors="replace").strip() for file in others if file.is_file()]
    path.write_text("\n".join([*parts, ""]), encoding="utf-8")
    return path
