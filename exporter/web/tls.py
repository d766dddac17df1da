"""Builds the server's TLS context from `tls_server_config` of the Prometheus exporter toolkit.

A setting that Python's ssl module does not support is reported as a problem, never ignored.
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from exporter.web.pem import PemSetting
from exporter.web.section import ConfigSection
from exporter.web.stamps import Stamp

MAXIMUM_VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
# At Python's security level, OpenSSL supports nothing below TLS 1.2, so a lower minimum has the same effect.
MINIMUM_VERSIONS = dict.fromkeys(("TLS10", "TLS11"), ssl.TLSVersion.TLSv1_2) | MAXIMUM_VERSIONS
CLIENT_AUTH = {
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
# Python's ssl module can't ask for a certificate without verifying it.
UNVERIFIED_CLIENT_AUTH = {"RequestClientCert", "RequireClientCert", "RequireAnyClientCert"}
# The file uses Go's names; the values are OpenSSL's.
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
# The suites of TLS 1.3 may be named, but are always on, in Go and in Python.
TLS13_SUITES = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}
CURVES = {"CurveP256": "prime256v1", "CurveP384": "secp384r1", "CurveP521": "secp521r1", "X25519": "X25519"}


@dataclass(frozen=True)
class Tls:
    """The context, None without TLS; the allowed client names, empty for all; the files that were read."""

    context: ssl.SSLContext | None = None
    client_names: frozenset[str] = frozenset()
    files: Mapping[Path, Stamp] = field(default_factory=dict)


def load_tls(section: ConfigSection, directory: Path) -> Tls:
    """Read the certificates and build the context.

    Problems are added to the section; the context must not be used then.
    """
    if not section:
        return Tls()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate, private_key = (PemSetting.read(section, key, directory) for key in ("cert", "key"))
    if certificate and private_key:
        _load_certificate(section, certificate, private_key, context)
    client_ca = _clients(section, directory, context)
    _versions(section, context)
    _suites(section, context)
    _curve(section, context)
    names = _client_names(section, context)
    section.reject_unknown()
    files = {each.path: each.stamp for each in (certificate, private_key, client_ca) if each and each.path}
    return Tls(context, names, files)


def is_allowed_client(certificate: Mapping[str, Any] | None, names: frozenset[str]) -> bool:
    """Whether a client certificate, as `getpeercert` gives it, has one of the names.

    Without a certificate, a client is allowed here: if one is required, the TLS handshake has failed.
    """
    if not names or certificate is None:
        return True
    found = certificate.get("subjectAltName", ())
    return not names.isdisjoint(_address(value) if kind == "IP Address" else value for kind, value in found)


def _address(text: str) -> str:
    """Write an IP address in its short form: OpenSSL writes ::1 as 0:0:0:0:0:0:0:1."""
    try:
        return str(ipaddress.ip_address(text.strip()))
    except ValueError:
        return text


def _load_certificate(
    section: ConfigSection, certificate: PemSetting, private_key: PemSetting, context: ssl.SSLContext
) -> None:
    try:
        with certificate.as_file() as certificate_file, private_key.as_file() as key_file:
            # With no password, OpenSSL would prompt for one on the terminal.
            context.load_cert_chain(certificate_file, key_file, password="")
    except ssl.SSLError as error:
        section.problem(certificate.key, f"can't load the certificate and {private_key.key}: {_reason(error)}")
    except OSError as error:
        section.problem(certificate.key, f"can't load the certificate and {private_key.key}: {error.strerror}")


def _clients(section: ConfigSection, directory: Path, context: ssl.SSLContext) -> PemSetting | None:
    kind = section.text("client_auth_type") or "NoClientCert"
    is_set = section.text("client_ca") or section.text("client_ca_file")
    if kind in UNVERIFIED_CLIENT_AUTH:
        section.problem(
            "client_auth_type",
            f"{kind} is not supported, because Python always verifies certificates; use RequireAndVerifyClientCert",
        )
    elif kind not in CLIENT_AUTH:
        section.problem("client_auth_type", f"must be one of {', '.join(CLIENT_AUTH)}")
    elif kind == "NoClientCert":
        if is_set:
            section.problem("client_auth_type", "must not be NoClientCert if a client CA is set")
    elif not is_set:
        section.problem("client_ca_file", f"{kind} needs either this setting or client_ca")
    else:
        context.verify_mode = CLIENT_AUTH[kind]
        authority = PemSetting.read(section, "client_ca", directory)
        if authority:
            _load_authority(section, authority, context)
        return authority
    return None


def _load_authority(section: ConfigSection, authority: PemSetting, context: ssl.SSLContext) -> None:
    try:
        with authority.as_file() as file:
            context.load_verify_locations(file)
    except ssl.SSLError:
        section.problem(authority.key, "contains no valid certificate")
    except OSError as error:
        section.problem(authority.key, f"can't load the certificate: {error.strerror}")


def _versions(section: ConfigSection, context: ssl.SSLContext) -> None:
    minimum = section.text("min_version") or "TLS12"
    maximum = section.text("max_version") or "TLS13"
    if minimum not in MINIMUM_VERSIONS:
        section.problem("min_version", f"must be one of {', '.join(MINIMUM_VERSIONS)}")
    elif maximum not in MAXIMUM_VERSIONS:
        section.problem("max_version", f"must be one of {', '.join(MAXIMUM_VERSIONS)}; OpenSSL has no older ones")
    elif MINIMUM_VERSIONS[minimum] > MAXIMUM_VERSIONS[maximum]:
        section.problem("max_version", "must not be lower than min_version")
    else:
        context.minimum_version = MINIMUM_VERSIONS[minimum]
        context.maximum_version = MAXIMUM_VERSIONS[maximum]


def _suites(section: ConfigSection, context: ssl.SSLContext) -> None:
    if not section.flag("prefer_server_cipher_suites", default=True):
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    names = section.texts("cipher_suites")
    if not set(names) <= CIPHER_SUITES.keys() | TLS13_SUITES:
        section.problem("cipher_suites", f"supports only {', '.join([*CIPHER_SUITES, *sorted(TLS13_SUITES)])}")
        return
    older = [CIPHER_SUITES[name] for name in names if name in CIPHER_SUITES]
    if older:
        try:
            context.set_ciphers(":".join(older))
        except ssl.SSLError:
            section.problem("cipher_suites", "has no suite that this OpenSSL supports")
    elif names and context.minimum_version < ssl.TLSVersion.TLSv1_3:
        section.problem("cipher_suites", "has no suite for TLS 1.2; add one, or set min_version: TLS13")


def _curve(section: ConfigSection, context: ssl.SSLContext) -> None:
    names = section.texts("curve_preferences")
    if not set(names) <= CURVES.keys():
        section.problem("curve_preferences", f"supports only {', '.join(CURVES)}")
    elif len(names) > 1:
        section.problem(
            "curve_preferences",
            "must have one entry, because Python can't limit TLS to several curves; remove the setting to allow all",
        )
    elif names:
        try:
            context.set_ecdh_curve(CURVES[names[0]])
        except (ssl.SSLError, ValueError):
            section.problem("curve_preferences", "is a curve that this OpenSSL does not support")


def _client_names(section: ConfigSection, context: ssl.SSLContext) -> frozenset[str]:
    names = section.texts("client_allowed_sans")
    if names and context.verify_mode == ssl.CERT_NONE:
        section.problem("client_allowed_sans", "needs client_auth_type: RequireAndVerifyClientCert")
    return frozenset(map(_address, names))


def _reason(error: ssl.SSLError) -> str:
    """Return OpenSSL's reason without its source lines."""
    return error.reason.replace("_", " ").lower() if error.reason else "not valid PEM"
