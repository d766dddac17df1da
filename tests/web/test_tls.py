"""Tests that TLS follows the configuration file, also after a reload."""

from __future__ import annotations

import asyncio
import os
import ssl
import tempfile
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest
import yaml

from exporter import files
from exporter.files import MAX_BYTES
from exporter.web import AccessError, AccessRules, load_access_rules
from exporter.web.pem import PemSetting
from tests.web.conftest import MakeCertificate
from tests.web.serving import serving


def load(tmp_path: Path, server: str, more: str = "") -> AccessRules:
    path = tmp_path / "web.yml"
    path.write_text(f"tls_server_config: {{cert_file: {server}.pem, key_file: {server}.key{more}}}")
    return load_access_rules(path)


def trusting(tmp_path: Path, name: str, client: str | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=tmp_path / f"{name}.pem")
    if client:
        context.load_cert_chain(tmp_path / f"{client}.pem", tmp_path / f"{client}.key")
    return context


async def ready(address: str, context: ssl.SSLContext) -> int:
    """The answer on a new connection."""
    async with aiohttp.ClientSession() as client, client.get(address + "/-/ready", ssl=context) as response:
        return response.status


def test_the_pages_are_served_over_tls_and_over_nothing_else(tmp_path: Path, make_certificate: MakeCertificate) -> None:
    make_certificate("server")

    async def scenario() -> None:
        access = load(tmp_path, "server")
        async with serving(access=lambda: access) as (client, running):
            assert running.addresses[0].startswith("https://127.0.0.1:")
            async with client.get("/metrics", ssl=trusting(tmp_path, "server")) as response:
                assert response.status == 200
            plain = running.addresses[0].replace("https", "http")
            async with aiohttp.ClientSession() as other:
                with pytest.raises(aiohttp.ClientError):
                    await other.get(plain + "/metrics")

    asyncio.run(scenario())


def test_a_renewed_certificate_is_shown_to_new_connections_and_old_ones_go_on(
    tmp_path: Path, make_certificate: MakeCertificate
) -> None:
    make_certificate("server")
    make_certificate("renewed")

    async def scenario() -> None:
        access = load(tmp_path, "server")
        async with serving(access=lambda: access) as (client, running):
            before = running.addresses
            trusted = trusting(tmp_path, "server")
            async with client.get("/-/ready", ssl=trusted) as response:
                await response.read()
            running.set_tls(load(tmp_path, "renewed").ssl_context)
            assert running.addresses == before
            assert await ready(running.addresses[0], trusting(tmp_path, "renewed")) == 200
            with pytest.raises(aiohttp.ClientConnectorCertificateError):
                await ready(running.addresses[0], trusting(tmp_path, "server"))
            async with client.get("/-/ready", ssl=trusted) as response:  # on the connection that it has
                assert response.status == 200

    asyncio.run(scenario())


def test_tls_can_be_put_on_while_the_server_runs(tmp_path: Path, make_certificate: MakeCertificate) -> None:
    make_certificate("server")

    async def scenario() -> None:
        async with serving() as (_, running):
            running.set_tls(load(tmp_path, "server").ssl_context)
            assert running.addresses[0].startswith("https://")
            assert await ready(running.addresses[0], trusting(tmp_path, "server")) == 200

    asyncio.run(scenario())


REQUIRE = ", client_auth_type: RequireAndVerifyClientCert, client_ca_file: prometheus.pem"


def test_a_client_without_the_required_certificate_is_rejected(
    tmp_path: Path, make_certificate: MakeCertificate
) -> None:
    for name in ("server", "prometheus", "stranger"):
        make_certificate(name)

    async def scenario() -> None:
        access = load(tmp_path, "server", REQUIRE)
        async with serving(access=lambda: access) as (_, running):
            for client, welcome in [("prometheus", True), ("stranger", False), (None, False)]:
                context = trusting(tmp_path, "server", client)
                async with aiohttp.ClientSession(running.addresses[0]) as newcomer:
                    try:
                        async with newcomer.get("/metrics", ssl=context) as response:
                            assert welcome
                            assert response.status == 200
                    except aiohttp.ClientError:
                        assert not welcome

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("names", "status"), [("prometheus", 200), ("'::1'", 200), ("someone-else", 403), ("prometheus.example", 403)]
)
def test_only_the_allowed_names_are_let_in(
    tmp_path: Path, make_certificate: MakeCertificate, names: str, status: int
) -> None:
    for name in ("server", "prometheus"):
        make_certificate(name)

    async def scenario() -> None:
        access = load(tmp_path, "server", REQUIRE + f", client_allowed_sans: [{names}]")
        async with serving(access=lambda: access) as (client, _):
            context = trusting(tmp_path, "server", "prometheus")
            for path in ("/metrics", "/-/healthy"):
                async with client.get(path, ssl=context) as response:
                    assert response.status == status

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("names", "client", "status"), [("prometheus", "prometheus", 200), ("x", "prometheus", 403), ("x", None, 200)]
)
def test_where_certificates_are_optional_the_names_are_those_of_the_given_ones(
    tmp_path: Path, make_certificate: MakeCertificate, names: str, client: str | None, status: int
) -> None:
    for name in ("server", "prometheus"):
        make_certificate(name)

    async def scenario() -> None:
        optional = REQUIRE.replace("RequireAndVerifyClientCert", "VerifyClientCertIfGiven")
        access = load(tmp_path, "server", optional + f", client_allowed_sans: [{names}]")
        async with serving(access=lambda: access) as (session, _):
            context = trusting(tmp_path, "server", client)
            async with session.get("/metrics", ssl=context) as response:
                assert response.status == status

    asyncio.run(scenario())


@pytest.mark.parametrize("in_memory", [True, False])
@pytest.mark.parametrize("inline", [("cert", "key", "client_ca"), ("cert",), ("key",), ("client_ca",)])
def test_certificates_and_keys_may_stand_in_the_file(
    tmp_path: Path,
    make_certificate: MakeCertificate,
    monkeypatch: pytest.MonkeyPatch,
    inline: tuple[str, ...],
    *,
    in_memory: bool,
) -> None:
    for name in ("server", "prometheus"):
        make_certificate(name)
    if in_memory:
        monkeypatch.delattr(tempfile, "NamedTemporaryFile")
    else:
        monkeypatch.delattr(os, "memfd_create", raising=False)
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    files = {"cert": "server.pem", "key": "server.key", "client_ca": "prometheus.pem"}
    settings: dict[str, str] = {"client_auth_type": "RequireAndVerifyClientCert"}
    for key, file in files.items():
        text = f"# élève {key}\n" + (tmp_path / file).read_text()
        settings |= {key: text} if key in inline else {f"{key}_file": file}
    (tmp_path / "web.yml").write_text(yaml.safe_dump({"tls_server_config": settings}, allow_unicode=True))
    before = set(tmp_path.iterdir())
    access = load_access_rules(tmp_path / "web.yml")
    assert set(tmp_path.iterdir()) == before, "no file with a key is left"

    async def scenario() -> None:
        async with serving(access=lambda: access) as (client, _):
            context = trusting(tmp_path, "server", "prometheus")
            async with client.get("/metrics", ssl=context) as response:
                assert response.status == 200
            with pytest.raises(aiohttp.ClientError):
                await client.get("/metrics", ssl=trusting(tmp_path, "server"))

    asyncio.run(scenario())


def test_no_setting_shows_an_inline_key(tmp_path: Path, make_certificate: MakeCertificate) -> None:
    make_certificate("server")
    key = (tmp_path / "server.key").read_text()
    content = {"tls_server_config": {"cert_file": "server.pem", "key": key}}
    (tmp_path / "web.yml").write_text(yaml.safe_dump(content))
    assert key[40:60] not in repr(load_access_rules(tmp_path / "web.yml"))
    assert key[40:60] not in repr(PemSetting("key", key.encode()))
    (tmp_path / "web.yml").write_text(yaml.safe_dump({"tls_server_config": {"cert": key, "key": key + key, key: key}}))
    with pytest.raises(AccessError) as caught:
        load_access_rules(tmp_path / "web.yml")
    assert key[40:60] not in str(caught.value)


def test_a_client_below_the_lowest_version_is_rejected(tmp_path: Path, make_certificate: MakeCertificate) -> None:
    make_certificate("server")

    async def scenario() -> None:
        access = load(tmp_path, "server", ", min_version: TLS13")
        context = trusting(tmp_path, "server")
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        async with serving(access=lambda: access) as (client, _):
            with pytest.raises(aiohttp.ClientConnectorError):
                await client.get("/metrics", ssl=context)

    asyncio.run(scenario())


@pytest.mark.parametrize("setting", ["cert_file", "key_file", "client_ca_file"])
@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: path.write_bytes(b"x" * (MAX_BYTES + 1)), "it is larger than 16 MiB"),
        (os.mkfifo, "it is not a regular file"),
        (Path.mkdir, "Is a directory"),
        (lambda path: path.symlink_to("/dev/zero"), "it is not a regular file"),
        (lambda path: path.symlink_to(path), "Too many levels of symbolic links"),
    ],
)
def test_only_regular_files_of_a_bounded_size_are_read(
    *,
    tmp_path: Path,
    make_certificate: MakeCertificate,
    setting: str,
    make: Callable[[Path], object],
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing ever writes to the named pipe."""
    monkeypatch.setattr(files, "READ_SECONDS", 0.2)
    make_certificate("server")
    odd = tmp_path / "odd.pem"
    make(odd)
    given = {"cert_file": "server.pem", "key_file": "server.key", "client_ca_file": "server.pem"}
    given |= {"client_auth_type": "RequireAndVerifyClientCert", setting: odd.name}
    path = tmp_path / "web.yml"
    path.write_text(yaml.safe_dump({"tls_server_config": given}))
    with pytest.raises(AccessError) as caught:
        load_access_rules(path)
    assert caught.value.problems == (f"tls_server_config.{setting}: can't read {str(odd)!r}: {reason}",)
