"""With which certificate, and to which clients, does the server speak TLS?

`tls_server_config` of the Prometheus exporter toolkit, as far as Python's ssl module can do it. What it can't
do is a problem and not ignored: who asks for a curve or a client certificate must get it, or be told.
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from exporter.web.section import Section

# OpenSSL at Python's security level speaks nothing older than TLS 1.2, so a lower floor comes to the same.
MINIMUM_VERSIONS = {
    "TLS10": ssl.TLSVersion.TLSv1_2,
    "TLS11": ssl.TLSVersion.TLSv1_2,
    "TLS12": ssl.TLSVersion.TLSv1_2,
    "TLS13": ssl.TLSVersion.TLSv1_3,
}
MAXIMUM_VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
CLIENT_AUTH = {
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
UNVERIFIED_CLIENT_AUTH = {"RequestClientCert", "RequireClientCert", "RequireAnyClientCert"}
# Go's names, which the file uses, and OpenSSL's.
CIPHER_SUITES = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
}
# Those of TLS 1.3 can be named and are always on, in Go and in Python alike.
TLS13_SUITES = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}
CURVES = {"CurveP256": "prime256v1", "CurveP384": "secp384r1", "CurveP521": "secp521r1", "X25519": "X25519"}


def read_tls(section: Section, directory: Path) -> tuple[ssl.SSLContext | None, frozenset[str]]:
    """Make the server's context, None without TLS, and the client names (SANs) that are let in, empty for all.

    The certificates are read here and now. What is wrong is noted in the section; the context is then of no use.
    """
    if not section:
        return None, frozenset()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _certificate(section, directory, context)
    _clients(section, directory, context)
    _versions(section, context)
    _suites(section, context)
    _curve(section, context)
    names = _client_names(section, context)
    section.close()
    return context, names


def subject_names(certificate: Mapping[str, Any] | None) -> frozenset[str]:
    """Give the subject alternative names of a peer's verified certificate, as `getpeercert` has them."""
    names = (certificate or {}).get("subjectAltName", ())
    return frozenset(_address(value) if kind == "IP Address" else value for kind, value in names)


def _address(text: str) -> str:
    """Write an address in its short form: OpenSSL spells ::1 as 0:0:0:0:0:0:0:1."""
    try:
        return str(ipaddress.ip_address(text.strip()))
    except ValueError:
        return text


def _certificate(section: Section, directory: Path, context: ssl.SSLContext) -> None:
    for key in ("cert", "key"):
        section.refuse(key, f"Python's ssl reads files only; set {key}_file")
    certificate, private_key = (_file(section, key, directory) for key in ("cert_file", "key_file"))
    if certificate is None or private_key is None:
        return
    try:
        # Without a password of its own, OpenSSL would ask for one on the terminal.
        context.load_cert_chain(certificate, private_key, password="")
    except ssl.SSLError as error:
        section.problem("cert_file", f"the certificate and key_file can't be used: {_reason(error)}")


def _file(section: Section, key: str, directory: Path) -> Path | None:
    name = section.text(key)
    if not name:
        section.problem(key, "is missing")
        return None
    path = directory / name
    try:
        path.read_bytes()
    except OSError as error:
        section.problem(key, f"{path} can't be read: {error.strerror}")
        return None
    return path


def _clients(section: Section, directory: Path, context: ssl.SSLContext) -> None:
    kind = section.text("client_auth_type") or "NoClientCert"
    has_file, inline = bool(section.text("client_ca_file")), section.text("client_ca")
    if kind in UNVERIFIED_CLIENT_AUTH:
        section.problem(
            "client_auth_type",
            f"{kind} takes certificates that nobody has verified, which Python's ssl can't; "
            "use RequireAndVerifyClientCert",
        )
    elif kind not in CLIENT_AUTH:
        section.problem("client_auth_type", f"must be one of {', '.join(CLIENT_AUTH)}")
    elif kind == "NoClientCert":
        if has_file or inline:
            section.problem("client_auth_type", "a client CA is set, but no client is asked for a certificate")
    elif has_file == bool(inline):
        section.problem("client_ca_file", f"{kind} needs either this or client_ca")
    else:
        _trust(section, context, _file(section, "client_ca_file", directory) if has_file else None, inline)
        context.verify_mode = CLIENT_AUTH[kind]


def _trust(section: Section, context: ssl.SSLContext, path: Path | None, inline: str) -> None:
    if path is None and not inline:
        return
    try:
        context.load_verify_locations(cafile=path, cadata=inline or None)
    except (ssl.SSLError, ValueError):
        section.problem("client_ca_file" if path else "client_ca", "holds no certificate that can be used")


def _versions(section: Section, context: ssl.SSLContext) -> None:
    minimum = section.text("min_version") or "TLS12"
    maximum = section.text("max_version") or "TLS13"
    if minimum not in MINIMUM_VERSIONS:
        section.problem("min_version", f"must be one of {', '.join(MINIMUM_VERSIONS)}")
    elif maximum not in MAXIMUM_VERSIONS:
        section.problem("max_version", f"must be one of {', '.join(MAXIMUM_VERSIONS)}: OpenSSL speaks nothing older")
    elif MINIMUM_VERSIONS[minimum] > MAXIMUM_VERSIONS[maximum]:
        section.problem("max_version", "must not be below min_version")
    else:
        context.minimum_version = MINIMUM_VERSIONS[minimum]
        context.maximum_version = MAXIMUM_VERSIONS[maximum]


def _suites(section: Section, context: ssl.SSLContext) -> None:
    if not section.switch("prefer_server_cipher_suites", default=True):
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    names = section.texts("cipher_suites")
    if not set(names) <= CIPHER_SUITES.keys() | TLS13_SUITES:
        section.problem("cipher_suites", f"must be of {', '.join([*CIPHER_SUITES, *sorted(TLS13_SUITES)])}")
        return
    older = [CIPHER_SUITES[name] for name in names if name in CIPHER_SUITES]
    if older:
        context.set_ciphers(":".join(older))
    elif names and context.minimum_version < ssl.TLSVersion.TLSv1_3:
        section.problem("cipher_suites", "leaves TLS 1.2 without any; set min_version: TLS13 to go without it")


def _curve(section: Section, context: ssl.SSLContext) -> None:
    names = section.texts("curve_preferences")
    if not set(names) <= CURVES.keys():
        section.problem("curve_preferences", f"must be of {', '.join(CURVES)}")
    elif len(names) > 1:
        section.problem("curve_preferences", "Python's ssl takes one curve, or all by default")
    elif names:
        context.set_ecdh_curve(CURVES[names[0]])


def _client_names(section: Section, context: ssl.SSLContext) -> frozenset[str]:
    names = section.texts("client_allowed_sans")
    if names and context.verify_mode != ssl.CERT_REQUIRED:
        section.problem("client_allowed_sans", "needs client_auth_type: RequireAndVerifyClientCert")
    return frozenset(map(_address, names))


def _reason(error: ssl.SSLError) -> str:
    """Give OpenSSL's reason in words, without its source lines."""
    return (error.reason or "not readable as PEM").replace("_", " ").lower()
