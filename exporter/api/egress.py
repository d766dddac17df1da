"""Defines how requests leave the network: through which proxy, and which certificates are trusted."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from exporter.files import FileContentError, FileError, read_secret, read_text

# Characters and certificates of a CA file. The CAs of a system are some 150, in 300 kB with comments.
MAX_CA_SIZE = 2**21
MAX_CERTIFICATES = 500
_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


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
        raise FileContentError(path, str(error)) from None


def trust(ca_file: Path) -> ssl.SSLContext:
    """Trust the CA certificates in a PEM file, and no others. Raises FileError."""
    certificates = _certificates(ca_file)
    try:
        context = ssl.create_default_context(cadata="\n".join(certificates))
    except (ssl.SSLError, TypeError, ValueError):  # TypeError: it is not ASCII
        raise FileContentError(ca_file, "it has a certificate that is not valid") from None
    context.set_alpn_protocols(["http/1.1"])
    return context


def _certificates(ca_file: Path) -> list[str]:
    """Only the certificates: bundles also have comments in UTF-8, which OpenSSL does not accept as text."""
    text = read_text(ca_file)
    if len(text) > MAX_CA_SIZE:
        raise FileError(ca_file, f"it is larger than {MAX_CA_SIZE >> 20} MiB")
    # A regular expression would look for the end again from each beginning.
    _, *blocks = text.split(_BEGIN, MAX_CERTIFICATES + 1)
    if not blocks:
        raise FileContentError(ca_file, "it has no certificate in PEM format")
    if len(blocks) > MAX_CERTIFICATES:
        raise FileError(ca_file, f"it has more than {MAX_CERTIFICATES} certificates")
    parts = [block.partition(_END) for block in blocks]
    if not all(end for _, end, _ in parts):
        raise FileContentError(ca_file, "it has a certificate without an end")
    return [_BEGIN + content + end for content, end, _ in parts]
