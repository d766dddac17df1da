"""Defines how requests leave the network: through which proxy, and which certificates are trusted."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from exporter.files import FileError, read_secret, read_text

_CERTIFICATE = re.compile("-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL | re.ASCII)


@dataclass(frozen=True)
class Egress:
    """`proxy` is a URL, which may hold the proxy's credentials; `tls` has the trusted CAs, True for the system's."""

    proxy: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | bool = True


def check_proxy(url: str) -> str:
    """The URL of a proxy without a slash at its end. Raises ValueError, whose text does not show the URL."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable or not url.isprintable() or " " in url or parts.path not in {"", "/"} or "?" in url or "#" in url:
        raise ValueError("it is not the URL of a proxy, such as http://proxy.example:3128")
    return url.rstrip("/")


def read_proxy(path: Path) -> str:
    """The URL of a proxy in a file. Raises FileError."""
    try:
        return check_proxy(read_secret(path).strip())
    except ValueError as error:
        raise FileError(path, str(error)) from None


def trust(ca_file: Path) -> ssl.SSLContext:
    """Trust the CA certificates in a PEM file, and no others. Raises FileError."""
    # Only the certificates: bundles also have comments in UTF-8, which OpenSSL does not accept as text.
    certificates = _CERTIFICATE.findall(read_text(ca_file))
    if not certificates:
        raise FileError(ca_file, "it has no certificate in PEM format")
    try:
        context = ssl.create_default_context(cadata="\n".join(certificates))
    except (ssl.SSLError, ValueError):
        raise FileError(ca_file, "it has a certificate that is not valid") from None
    context.set_alpn_protocols(["http/1.1"])
    return context
