"""Asks the running exporter whether it is healthy, by its own settings: the command `healthcheck`, for containers.

It starts nothing and needs no credentials. It reads `web.config_file` for one hint alone, so that a file that became
invalid while the exporter runs does not make the exporter unhealthy.
"""

from __future__ import annotations

import http.client
import ssl
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from exporter.files import FileError, read_yaml
from exporter.settings import LEAVES, Settings, SettingsError
from exporter.threads import within
from exporter.web.connection import SERVER_NAME

PATH = "/-/healthy"
# For the whole answer; Docker and Kubernetes wait for some seconds.
_SECONDS = 3.0
_IPV4, _IPV6 = "127.0.0.1", "::1"
_UNKNOWN_PORT = "port 0 takes any free port, so there is none to ask"


@dataclass(frozen=True)
class Health:
    """Whether the exporter is healthy, and a line that says why."""

    ok: bool
    text: str


class _NoResponseError(Exception):
    """There was a connection, but no HTTP response on it."""


def healthcheck(settings: Settings) -> Health:
    """Ask the exporter that runs with these settings. Blocks for 3 s at most. Raises SettingsError for port 0."""
    host, port = settings.web.listen()
    if not port:
        raise SettingsError((LEAVES["web.listen_address"].problem(_UNKNOWN_PORT),))
    try:
        return within(_SECONDS, _ask, _hosts(host), port, settings.web.config_file)
    except TimeoutError:
        return Health(ok=False, text=f"no answer from port {port} within {_SECONDS:g} s")


def _hosts(host: str | None) -> tuple[str, ...]:
    """Where to ask. To listen on every address of a family, or of both, includes the loopback address."""
    if host is None:
        return _IPV4, _IPV6
    return (_IPV4,) if host == "0.0.0.0" else (host,)  # noqa: S104 - not to bind


def _ask(hosts: tuple[str, ...], port: int, config_file: Path | None) -> Health:
    needs_certificate = _needs_certificate(config_file)
    # The file may have changed since the exporter read it. A server without TLS answers the handshake with an error.
    schemes = ("https", "http") if config_file else ("http",)
    causes = []
    for host in hosts:
        try:
            return _ask_host(host, port, schemes, needs_certificate=needs_certificate)
        except OSError as error:
            causes.append(f"can't connect to {host} port {port}: {error.strerror or error}")
    return Health(ok=False, text=causes[0])


def _ask_host(host: str, port: int, schemes: tuple[str, ...], *, needs_certificate: bool) -> Health:
    """Raises OSError without a connection."""
    causes = []
    for scheme in schemes:
        url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}{PATH}"
        try:
            return _response(scheme, host, port, url)
        except _NoResponseError as error:
            if needs_certificate and scheme == "https":
                return Health(ok=True, text=f"{url} asks for a client certificate: it runs, no more is known")
            causes.append(f"{url} gives no HTTP response: {error}")
    return Health(ok=False, text=causes[0])


def _response(scheme: str, host: str, port: int, url: str) -> Health:
    """Raises OSError without a connection, `_NoResponseError` without a response."""
    connection = http.client.HTTPConnection(host, port, timeout=_SECONDS)
    connection.connect()
    try:
        if scheme == "https":
            connection.sock = _unverified().wrap_socket(connection.sock)
        connection.request("GET", PATH)
        response = connection.getresponse()
        response.read(1024)
    except TimeoutError:
        return Health(ok=False, text=f"{url} gives no response within {_SECONDS:g} s")
    except (OSError, http.client.HTTPException) as error:  # an SSLError is an OSError
        raise _NoResponseError(getattr(error, "reason", None) or type(error).__name__) from None
    finally:
        connection.close()
    if response.headers.get("Server") != SERVER_NAME:
        return Health(ok=False, text=f"{url} is not this exporter: another program has the port")
    return Health(ok=response.status == HTTPStatus.OK, text=f"{url} answers HTTP {response.status}")


def _unverified() -> ssl.SSLContext:
    """The certificate has the name under which Prometheus knows the exporter, not that of the loopback address.

    Nothing secret is sent, and what is received decides only whether a container is healthy.
    """
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _needs_certificate(config_file: Path | None) -> bool:
    """Whether a TLS handshake fails without a client certificate. False if the file is not valid."""
    try:
        content = read_yaml(config_file) if config_file else None
    except FileError:
        return False
    tls = content.get("tls_server_config") if isinstance(content, dict) else None
    return isinstance(tls, dict) and tls.get("client_auth_type") == "RequireAndVerifyClientCert"
