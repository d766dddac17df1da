"""Tests the way out: a proxy sees its own credentials alone, and only trusted servers see those of the API."""

from __future__ import annotations

import asyncio
import base64
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from exporter.api.client import Client
from exporter.api.credentials import BasicCredentials, ClientCredentials, Credentials
from exporter.api.egress import MAX_CA_SIZE, MAX_CERTIFICATES, Egress, check_proxy, read_proxy, trust
from exporter.api.errors import ApiError
from exporter.api.rate_limiter import RateLimiter
from exporter.api.transport import Options, open_transport
from exporter.files import FileError
from tests.api.fakes import SECRET, Recorder
from tests.api.test_connections import Server, http
from tests.support.certificates import make_certificate
from tests.support.virtual_time import run_virtual, virtual_clock

# Of the proxy, and of the API.
PASSWORD, KEY = "pr0xy-p@ss", f"key-{SECRET}"
ACCOUNT = BasicCredentials(KEY, KEY)
TENANT = ClientCredentials("tenant", SECRET)


class Proxy:
    """Opens tunnels, and keeps all that it could read: what is sent to it, and what goes through it."""

    def __init__(self, reply: bytes = b"HTTP/1.1 200 Connection established\r\n\r\n") -> None:
        self.heads: list[str] = []
        self.through = b""
        self.url = ""
        self._reply = reply

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
            writer.write(self._reply)
            host, _, port = self.heads[-1].split(" ")[1].rpartition(":")
            if b" 200 " in self._reply and host:
                to_api, from_api = await asyncio.open_connection(host, int(port))
                await asyncio.gather(self._copy(reader, from_api), self._copy(to_api, writer))
        writer.close()

    async def _copy(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await source.read(2**16):
                self.through += data
                sink.write(data)
        sink.close()


@asynccontextmanager
async def proxying(proxy: Proxy, tls: ssl.SSLContext | None = None) -> AsyncIterator[Proxy]:
    async with await asyncio.start_server(proxy.serve, "127.0.0.1", 0, ssl=tls) as server:
        proxy.url = f"http{'s' if tls else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield proxy
        await asyncio.sleep(0.01)  # of virtual time


async def answer(_: str, writer: asyncio.StreamWriter) -> None:
    """A token, and a tenant."""
    writer.write(http(b'{"access_token": "token-S3CR3T", "expires_in": 9999, "data": {}}'))


@asynccontextmanager
async def api_over_tls(folder: Path, name: str = "server") -> AsyncIterator[tuple[str, Server]]:
    """An API with a self-signed certificate."""
    one = Server(answer)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    async with await asyncio.start_server(one.serve, "127.0.0.1", 0, ssl=context) as server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}", one
        await asyncio.sleep(0.01)  # of virtual time


@asynccontextmanager
async def connected(url: str, egress: Egress) -> AsyncIterator[Client]:
    async with open_transport(url, Options(30.0, 10_000, egress)) as transport:
        clock = virtual_clock()
        yield Client(transport, RateLimiter(float("inf"), clock), clock, Recorder())


async def outcome(one: Client, credentials: Credentials = ACCOUNT) -> str:
    """`success`, or the text of the error, in which there is no secret."""
    try:
        await one.api(credentials).get_one("/tenant", lambda fields: fields)
    except ApiError as error:
        text = f"{error.reason}: {error}"
        assert SECRET not in text
        assert PASSWORD not in text
        return text
    return "success"


@pytest.mark.parametrize("over_tls", [False, True])
def test_a_proxy_sees_its_own_credentials_and_no_others(
    tmp_path: Path,
    over_tls: bool,  # noqa: FBT001 - a table
) -> None:
    make_certificate(tmp_path, "server")

    async def scenario() -> None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
        async with api_over_tls(tmp_path) as (url, server), proxying(Proxy(), context if over_tls else None) as proxy:
            address = proxy.url.replace("://", "://me:pr0xy-p%40ss@")
            async with connected(url, Egress(address, trust(tmp_path / "server.pem"))) as one:
                assert await outcome(one) == "success"
                assert await outcome(one, TENANT) == "success"
                assert await outcome(one, TENANT) == "success"
            basic = "Basic " + base64.b64encode(f"me:{PASSWORD}".encode()).decode()
            assert len(proxy.heads) == 3, "callers share no tunnel"
            for head in proxy.heads:
                assert head.startswith("CONNECT 127.0.0.1:")
                assert f"Proxy-Authorization: {basic}\r\n" in head
                assert "\r\nAuthorization:" not in head
                assert base64.b64encode(KEY.encode()).decode()[:20] not in head
                assert SECRET not in head
            assert SECRET.encode() not in proxy.through
            assert sum(map(len, server.asked)) == 5

    run_virtual(scenario())


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (http(SECRET.encode(), f"407 {SECRET}", "Proxy-Authenticate: Basic"), "network: the proxy refused .* HTTP 407"),
        (http(b"", "403 No"), "network: the proxy refused .* HTTP 403"),
        (http(b"", "502 No"), "network: the proxy refused .* HTTP 502"),
        (http(b"", "302 Found", f"Location: http://{SECRET}.invalid/"), "network: the proxy refused .* HTTP 302"),
        (b"", "network: "),
        (b"SSH-2.0\r\n\r\n", "bad_response: "),
        (f"HTTP/1.1 200 {SECRET}\r\n\r\nnot TLS".encode(), "network: "),
    ],
)
def test_a_proxy_that_opens_no_tunnel_is_a_network_error(
    reply: bytes, expected: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with proxying(Proxy(reply)) as proxy:
            address = proxy.url.replace("://", f"://me:{SECRET}@")
            async with connected("https://127.0.0.1:1", Egress(address)) as one:
                with caplog.at_level("DEBUG"):
                    assert re.match(expected, await outcome(one))
            assert all(head.startswith("CONNECT ") for head in proxy.heads)
            assert SECRET not in caplog.text

    run_virtual(scenario())


def test_a_proxy_that_is_down_is_named_as_the_cause() -> None:
    async def scenario() -> None:
        async with proxying(Proxy()) as proxy:
            address = proxy.url
        async with connected("https://127.0.0.1:1", Egress(address)) as one:
            assert await outcome(one) == "network: the connection to the proxy failed: Connection refused"

    run_virtual(scenario())


@pytest.mark.parametrize("through_proxy", [True, False])
def test_only_a_server_with_a_trusted_certificate_is_talked_to(
    tmp_path: Path,
    through_proxy: bool,  # noqa: FBT001 - a table
) -> None:
    make_certificate(tmp_path, "server")
    make_certificate(tmp_path, "other")

    async def scenario() -> None:
        async with api_over_tls(tmp_path) as (url, server), proxying(Proxy()) as proxy:
            address = proxy.url if through_proxy else None
            for tls in (True, trust(tmp_path / "other.pem")):
                async with connected(url, Egress(address, tls)) as one:
                    assert "certificate or protocol was not accepted" in await outcome(one)
            assert not [asked for asked in server.asked if asked]
            async with connected(url, Egress(address)) as one:
                await outcome(one)
                # A reload.
                one.transport.options.egress = Egress(address, trust(tmp_path / "server.pem"))  # type: ignore[attr-defined]
                assert await outcome(one) == "success"

    run_virtual(scenario())


@pytest.mark.parametrize(
    "url",
    ["http://proxy:3128", "https://proxy.example", "http://[::1]:8080", "http://me:pass%40@proxy:1", "http://proxy/"],
)
def test_a_proxy_may_have_a_port_and_credentials(url: str) -> None:
    assert check_proxy(url) == url.rstrip("/")


NO_PROXIES = [
    *("", "proxy:3128", "socks5://proxy", "http://", "http://proxy:0", "http://proxy:99999", "http://proxy/path"),
    *("http://proxy?x", "http://proxy#x", "http://pro xy", "http://proxy\n", "//proxy", "http://[::1"),
]


@pytest.mark.parametrize("url", NO_PROXIES)
def test_what_is_no_proxy_is_refused_and_not_shown(url: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not the URL of a proxy") as caught:
        check_proxy(url)
    assert len(url) < 9 or url not in str(caught.value)
    file = tmp_path / "proxy"
    file.write_text(f"socks5://me:{SECRET}@proxy")
    with pytest.raises(FileError, match="not the URL of a proxy") as of_file:
        read_proxy(file)
    assert SECRET not in str(of_file.value)


BEGIN, END = "-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\n"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (BEGIN * MAX_CERTIFICATES, "a certificate without an end"),
        (BEGIN * (MAX_CERTIFICATES + 1), f"more than {MAX_CERTIFICATES} certificates"),
        ((BEGIN + END) * (MAX_CERTIFICATES + 1), f"more than {MAX_CERTIFICATES} certificates"),
        (BEGIN + "A" * MAX_CA_SIZE + END, "larger than 2 MiB"),
        ("# comment\n" * MAX_CA_SIZE, "larger than"),
        (END * MAX_CERTIFICATES, "no certificate"),
    ],
)
def test_a_file_that_would_take_long_is_refused_by_its_size(content: str, expected: str, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text(content)
    with pytest.raises(FileError, match=expected):
        trust(file)


def test_a_certificate_that_is_cut_off_is_refused_also_after_a_whole_one(tmp_path: Path) -> None:
    whole = make_certificate(tmp_path, "a").read_text()
    file = tmp_path / "ca.pem"
    file.write_text(whole + whole[:200])
    with pytest.raises(FileError, match="without an end"):
        trust(file)


def test_as_many_certificates_as_allowed_are_read(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text(make_certificate(tmp_path, "a").read_text() * MAX_CERTIFICATES)
    assert len(trust(file).get_ca_certs()) == 1


def test_a_file_of_certificates_may_have_comments(tmp_path: Path) -> None:
    make_certificate(tmp_path, "a")
    make_certificate(tmp_path, "b")
    bundle = tmp_path / "bundle.pem"
    bundle.write_text("# École\n" + (tmp_path / "a.pem").read_text() + "\n# b\n" + (tmp_path / "b.pem").read_text())
    context = trust(bundle)
    assert len(context.get_ca_certs()) == 2, "the system's are not trusted as well"


@pytest.mark.parametrize(
    "content",
    [
        "",
        SECRET,
        f"{BEGIN}AAAA\n{END}",
        f"{BEGIN}É\n{END}",
        f"{BEGIN}{BEGIN}AAAA\n{END}",
        f"{END}{BEGIN}",
        "-----BEGIN PRIVATE KEY-----\nAA",
    ],
)
def test_a_file_without_a_certificate_is_refused_and_not_shown(content: str, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text(content)
    with pytest.raises(FileError, match="certificate") as caught:
        trust(file)
    assert SECRET not in str(caught.value)
