"""Tests what is sent over real sockets, and that whatever comes back ends in the right `ApiError`."""

from __future__ import annotations

import ast
import asyncio
import gzip
import inspect
import json
import logging
import re
import traceback
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
import pytest

from exporter.api import auth, client, days, errors, fields, models, rate_limiter, transport, wire
from exporter.api.client import Client
from exporter.api.credentials import BasicCredentials, BearerToken, ClientCredentials, Credentials, NamedCredentials
from exporter.api.errors import REASONS, ApiError
from exporter.api.transport import HttpTransport, Options, open_transport
from exporter.polling.sources import FileSource, Filter
from exporter.simulator import Fault, Simulator, serve
from tests.api.fakes import SECRET, Recorder, get_state
from tests.support.fetches import FETCHES, PATHS, good_reply
from tests.support.virtual_time import run_virtual, virtual_clock

LARGEST = 200_000
TIMEOUT = 30.0
STATE = "/tenant/state"
TOKEN = "/oauth/token"
ENTRY = ClientCredentials(f"id-{SECRET}", f"secret-{SECRET}")


@asynccontextmanager
async def connected(base_url: str, max_bytes: int = LARGEST) -> AsyncIterator[Client]:
    """A client over HTTP, in virtual time."""
    async with open_transport(base_url, Options(TIMEOUT, max_bytes)) as http:
        clock = virtual_clock()
        yield Client(http, rate_limiter.RateLimiter(float("inf"), clock), clock, Recorder())


@asynccontextmanager
async def simulated(**more: Any) -> AsyncIterator[tuple[Simulator, Client]]:
    """A simulated API, and a client that is connected to it."""
    simulator = Simulator(tenants=3, stories=[], record=True, now=virtual_clock().now, **more)
    async with serve(simulator) as base_url, connected(base_url) as one:
        yield simulator, one


def actor(simulator: Simulator) -> ClientCredentials | BasicCredentials:
    """The first tenant's credentials."""
    held = simulator.tenants()[0].credentials
    kind = BasicCredentials if held.type == "basic" else ClientCredentials
    return kind(held.client_id, held.client_secret)


def account_kinds(simulator: Simulator) -> list[Credentials]:
    return [
        BasicCredentials(simulator.api_key, simulator.api_key),
        ClientCredentials(simulator.client_id, simulator.client_secret),
        BearerToken(simulator.token),
    ]


class RawServer:
    """A socket that says the same bytes to everyone, and keeps what it was asked.

    `body` is sent over and over after `head`, until the other side has had enough; `answer` decides by request.
    """

    def __init__(self, head: bytes = b"", body: bytes = b"", answer: Callable[[str], bytes] | None = None) -> None:
        self.requests: list[str] = []
        self.url = ""
        self._head = head
        self._body = body
        self._answer = answer or (lambda _: self._head)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = re.search(r"(?i)^content-length: (\d+)", head, re.MULTILINE)
            self.requests.append(head + (await reader.readexactly(int(length[1]) if length else 0)).decode())
            writer.write(self._answer(self.requests[-1]))
            await writer.drain()
            for _ in range(2_000 if self._body else 0):
                writer.write(self._body)
                await writer.drain()
        writer.close()

    @property
    def lines(self) -> list[str]:
        return [request.partition("\r\n")[0] for request in self.requests]


@asynccontextmanager
async def raw(
    head: bytes = b"", body: bytes = b"", answer: Callable[[str], bytes] | None = None
) -> AsyncIterator[RawServer]:
    """A `RawServer` that serves while the block runs."""
    one = RawServer(head, body, answer)
    server = await asyncio.start_server(one.serve, "127.0.0.1", 0)
    async with server:
        one.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield one
        await asyncio.sleep(0.01)  # of virtual time: those who still speak see that nobody listens


def http(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


TOKEN_REPLY = http(b'{"access_token": "t", "expires_in": 3600}')


async def everything(one: Client, credentials: Credentials) -> None:
    """Get all that the exporter gets. Failures are left to others."""
    for fetch in FETCHES.values():
        with suppress(ApiError):
            await fetch(one, credentials)


def only_reads(method: str, path: str) -> bool:
    return (method == "GET" and path.startswith("/v2/interop/")) or (method, path) == ("POST", TOKEN)


def answer_by_path(request: str) -> bytes:
    """A token, or the good reply for a path; 404 where the reference has none."""
    path = request.split(" ")[1].partition("?")[0]
    if path == TOKEN:
        return TOKEN_REPLY
    body = good_reply(path.removeprefix(wire.PREFIX))
    return http(json.dumps(body).encode(), "404 Not Found" if body is None else "200 OK")


@pytest.mark.parametrize("failure", [b"", http(b"", "401 No"), http(b"{}", "405 No"), TOKEN_REPLY])
def test_nothing_but_get_and_the_token_request_ever_leaves(failure: bytes) -> None:
    """Each request fails in its turn, while all others get a good reply."""
    failing = [""]

    def answer(request: str) -> bytes:
        path = request.split(" ")[1].partition("?")[0]
        return failure if path.removeprefix(wire.PREFIX) in failing else answer_by_path(request)

    async def scenario() -> None:
        async with raw(answer=answer) as server, connected(server.url) as one:
            for name, paths in PATHS.items():
                for failing[0] in [*paths, TOKEN]:
                    for credentials in (ENTRY, BearerToken("ready"), BasicCredentials("key", "key")):
                        with suppress(ApiError):
                            await FETCHES[name](one, credentials)
            assert len(server.lines) > 30
            for line in server.lines:
                method, target, version = line.split(" ")
                assert only_reads(method, target.partition("?")[0])
                assert version == "HTTP/1.1"

    run_virtual(scenario())


def test_every_endpoint_is_asked_and_none_but_those_of_the_reference() -> None:
    async def scenario() -> None:
        async with raw(answer=answer_by_path) as server, connected(server.url) as one:
            await everything(one, ENTRY)
            paths = {line.split(" ")[1].partition("?")[0] for line in server.lines}
            assert paths == {TOKEN} | {wire.PREFIX + path for of_one in PATHS.values() for path in of_one}
            assert all(good_reply(path.removeprefix(wire.PREFIX)) for path in paths - {TOKEN})

    run_virtual(scenario())


FAULTS: list[tuple[Fault, str]] = [
    (Fault("unauthorized", endpoint=STATE), "auth"),
    (Fault("revoked_secret"), "auth"),
    (Fault("expired_token", endpoint=STATE), "auth"),
    (Fault("unauthorized", endpoint=TOKEN), "auth"),
    (Fault("forbidden", endpoint=STATE), "forbidden"),
    (Fault("not_found", endpoint=STATE), "not_found"),
    (Fault("not_found", endpoint=TOKEN), "bad_response"),
    (Fault("throttle"), "throttled"),
    (Fault("throttle", retry_after=5), "throttled"),
    (Fault("throttle", retry_after="date", seconds=3600), "throttled"),
    (Fault("throttle", retry_after="soon"), "throttled"),
    (Fault("unavailable", endpoint=STATE), "server"),
    (Fault("unavailable", retry_after=5), "server"),
    (Fault("server_error", endpoint=STATE), "server"),
    (Fault("server_error", endpoint=TOKEN, status=504), "server"),
    (Fault("html", endpoint=STATE), "server"),
    (Fault("html", endpoint=STATE, status=200), "bad_response"),
    (Fault("html", endpoint=TOKEN, status=200), "bad_response"),
    (Fault("not_json", endpoint=STATE), "bad_response"),
    (Fault("not_json", endpoint=TOKEN), "bad_response"),
    (Fault("redirect", endpoint=STATE), "bad_response"),
    (Fault("redirect", endpoint=TOKEN), "bad_response"),
    (Fault("huge", endpoint=STATE, size=10 * LARGEST), "bad_response"),
    (Fault("huge", endpoint=TOKEN, size=10 * LARGEST), "bad_response"),
    (Fault("gzip_bomb", endpoint=STATE, size=10 * LARGEST), "bad_response"),
    (Fault("reset", endpoint=STATE), "network"),
    (Fault("reset", endpoint=TOKEN), "network"),
    (Fault("cut", endpoint=STATE), "network"),
    (Fault("hang", endpoint=STATE), "timeout"),
    (Fault("hang", endpoint=TOKEN), "timeout"),
    (Fault("latency", endpoint=STATE, seconds=TIMEOUT + 5), "timeout"),
    *((Fault("wrong_json", endpoint=STATE, body=body), "bad_response") for body in ("[]", '{"data": 5}', "null")),
    (Fault("wrong_json", endpoint=STATE, body="[" * 100_000 + "]" * 100_000), "bad_response"),
]


def oauth_actor(simulator: Simulator) -> ClientCredentials:
    """The credentials of a tenant that has an OAuth2 client."""
    held = next(row.credentials for row in simulator.tenants() if row.credentials.type != "basic")
    return ClientCredentials(held.client_id, held.client_secret)


@pytest.mark.parametrize(("fault", "expected"), FAULTS, ids=lambda value: getattr(value, "kind", value))
def test_each_fault_ends_in_its_reason_and_passes_when_it_is_over(fault: Fault, expected: str) -> None:
    async def scenario() -> None:
        async with simulated() as (simulator, one):
            api = one.api(oauth_actor(simulator))
            handle = simulator.faults.add(fault)
            with pytest.raises(ApiError) as caught:
                await get_state(api)
            assert caught.value.reason == expected
            handle.remove()
            await asyncio.sleep(900)
            assert (await get_state(api)).flags
            assert all(only_reads(seen.method, seen.path) for seen in simulator.requests)
            # What the server saw, the observer was told: nothing is sent behind the client's back.
            unlogged = 1 if fault.kind == "latency" else 0  # the simulator logs a request when it answers
            assert len(simulator.requests) + unlogged == len(one.observer.requests) == one.rate_limiter.acquired

    run_virtual(scenario())


def test_every_reason_but_bug_is_produced_by_some_fault() -> None:
    assert {expected for _, expected in FAULTS} == set(REASONS) - {"bug"}


KINDS = sorted({fault.kind for fault, _ in FAULTS})


@pytest.mark.parametrize("kind", KINDS)
def test_under_every_fault_only_reads_leave_whoever_asks(kind: str) -> None:
    async def scenario() -> None:
        async with simulated() as (simulator, one):
            simulator.faults.add(Fault(kind, every=2, size=2 * LARGEST))
            for credentials in (*account_kinds(simulator), actor(simulator)):
                await everything(one, credentials)
            assert len(simulator.requests) > 40
            assert {(seen.method, seen.endpoint == TOKEN) for seen in simulator.requests} <= {
                ("GET", False),
                ("POST", True),
            }

    run_virtual(scenario())


@pytest.mark.parametrize("paging", ["next", "none", "ignored", "empty_last"])
@pytest.mark.parametrize("nulls", [True, False])
def test_all_tenants_are_found_with_all_kinds_of_credentials(paging: str, nulls: bool) -> None:  # noqa: FBT001 - a table
    async def scenario() -> None:
        size = None if paging == "ignored" else 2
        async with simulated(paging=paging, nulls=nulls, page_size=size) as (simulator, one):
            expected = {row.id for row in simulator.tenants()}
            for credentials in account_kinds(simulator):
                if paging == "ignored":  # it promises more for ever, which no list may be made of
                    with pytest.raises(ApiError):
                        await one.api(credentials).get_list("/tenants", models.Tenant.parse)
                    continue
                found = await one.api(credentials).get_list("/tenants", models.Tenant.parse)
                assert {tenant.id for tenant in found if tenant} == expected
            myself = await one.api(actor(simulator)).get_one("/tenant", models.Tenant.parse)
            assert myself is not None
            assert myself.id == simulator.tenants()[0].id

    run_virtual(scenario())


def test_a_rotated_secret_is_an_auth_error_until_the_new_one_is_used() -> None:
    async def scenario() -> None:
        async with simulated() as (simulator, one):
            old = one.api(actor(simulator))
            await get_state(old)
            simulator.rotate(simulator.tenants()[0].id)
            with pytest.raises(ApiError, match="refused"):
                await get_state(old)
            assert (await get_state(one.api(actor(simulator)))).flags

    run_virtual(scenario())


def test_the_transport_can_send_two_things_and_no_third() -> None:
    # `to` and `apart` give a transport to another address or for another caller, and send nothing.
    assert {name for name in vars(HttpTransport) if not name.startswith("_")} == {"to", "apart", "get", "post_token"}
    verbs = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "CONNECT", "TRACE"}
    for module in (auth, rate_limiter, client, days, errors, fields, models, transport, wire):
        nodes = list(ast.walk(ast.parse(inspect.getsource(module))))
        texts = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
        methods = {text for text in texts if text.upper() in verbs and text.isupper()}
        assert methods == ({"GET", "POST"} if module is transport else set())
        imported = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        assert not imported & {"http.client", "urllib.request", "socket", "requests"}
        assert ("aiohttp" in imported) == (module is transport)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("path", [STATE, TOKEN])
def test_a_redirect_is_not_followed_and_the_other_host_hears_nothing(status: int, path: str) -> None:
    async def scenario() -> None:
        async with raw(http(b"{}")) as elsewhere:
            redirect = http(b"", f"{status} Elsewhere", f"Location: {elsewhere.url}/v2/interop{STATE}")

            def answer(request: str) -> bytes:
                return redirect if path in request else TOKEN_REPLY

            async with raw(answer=answer) as server, connected(server.url) as one:
                with pytest.raises(ApiError, match="redirect") as caught:
                    await get_state(one.api(ENTRY))
                assert caught.value.reason == "bad_response"
                assert elsewhere.requests == []

    run_virtual(scenario())


def test_a_next_page_on_another_host_is_asked_for_here() -> None:
    async def scenario() -> None:
        async with raw(http(b"{}")) as elsewhere:
            more = f'{{"data": [{{"id": "a"}}], "paging": {{"next": "{elsewhere.url}/x?page=1"}}}}'.encode()

            def answer(request: str) -> bytes:
                return http(more if "page=0" in request else b'{"data": [{"id": "b"}], "paging": {}}')

            async with raw(answer=answer) as server, connected(server.url) as one:
                found = await one.api(BearerToken("ready")).get_list("/clouds", lambda cloud: cloud.ident())
                assert found == ["a", "b"]
                assert elsewhere.requests == []
                assert [line.split(" ")[1].split("?")[1] for line in server.lines] == ["page=0", "page=1"]

    run_virtual(scenario())


def test_proxies_and_cookies_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with raw(http(b"{}")) as proxy:
            for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
                monkeypatch.setenv(name, proxy.url)
            async with (
                raw(http(b'{"data": {}}', "200 OK", "Set-Cookie: a=b; Path=/")) as server,
                connected(server.url) as one,
            ):
                for _ in range(2):
                    await get_state(one.api(BearerToken("ready")))
                assert len(server.requests) == 2
                assert "ookie" not in server.requests[1]
                # A jar would keep none for an address such as this one anyway, so look at the jar itself.
                assert isinstance(one.transport._session.cookie_jar, aiohttp.DummyCookieJar)
            assert proxy.requests == []

    run_virtual(scenario())


def test_the_token_endpoint_sees_no_authorization_header() -> None:
    async def scenario() -> None:
        async with raw(answer=answer_by_path) as server, connected(server.url) as one:
            await get_state(one.api(ENTRY))
            sent_token, sent_get = server.requests
            assert "authorization" not in sent_token.lower()
            assert "application/x-www-form-urlencoded" in sent_token
            assert "\r\nAuthorization: Bearer t\r\n" in sent_get
            assert SECRET not in sent_get

    run_virtual(scenario())


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
TINY_CHUNKS = b"1\r\nx\r\n" * 10_000
MIB = 2**20


@pytest.fixture
def peak() -> Iterator[Callable[[], int]]:
    """Bytes that were held at most since the test began."""
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("head", "body"),
    [
        (HEAD + b"\r\n", b"x" * 65_536),
        (CHUNKED, b"10000\r\n" + b"x" * 65_536 + b"\r\n"),
        (CHUNKED, TINY_CHUNKS),
        (HEAD, b"X-More: " + b"y" * 5_000 + b"\r\n"),
        (HEAD + b"X-Long: ", b"y" * 65_536),
        (b"HTTP/1.1 200 ", b"y" * 65_536),
        (HEAD + b"Content-Length: 104857600\r\n\r\n", b"x" * 65_536),
        (HEAD + b"Content-Encoding: gzip\r\n\r\n", gzip.compress(b"x" * 10 * MIB)),
    ],
    ids=["body", "chunks", "tiny chunks", "headers", "header", "status line", "announced", "gzip"],
)
def test_a_reply_without_end_is_given_up_while_it_is_read(head: bytes, body: bytes, peak: Callable[[], int]) -> None:
    async def scenario() -> None:
        # aiohttp takes seconds to parse 200,000 chunks of a byte.
        most = LARGEST // 10 if body is TINY_CHUNKS else LARGEST
        async with raw(head, body) as server, connected(server.url, most) as one:
            with pytest.raises(ApiError) as caught:
                await get_state(one.api(BearerToken("ready")))
            assert caught.value.reason == "bad_response"
            assert len(server.requests) == 1
            assert peak() < 16 * MIB

    run_virtual(scenario())


def test_a_gzip_bomb_is_given_up_while_it_unpacks(peak: Callable[[], int]) -> None:
    async def scenario() -> None:
        async with simulated() as (simulator, one):
            simulator.faults.add(Fault("gzip_bomb", endpoint=STATE, size=64 * MIB))
            before = peak()
            with pytest.raises(ApiError, match="larger than 200000 bytes"):
                await get_state(one.api(actor(simulator)))
            assert peak() < before + 8 * MIB

    run_virtual(scenario())


@pytest.mark.parametrize(("size", "good"), [(LARGEST, True), (LARGEST + 1, False)])
def test_the_largest_reply_is_exactly_as_large_as_allowed(size: int, good: bool) -> None:  # noqa: FBT001 - a table
    async def scenario() -> None:
        body = b'{"data": {}}'.ljust(size)
        async with raw(http(body)) as server, connected(server.url) as one:
            if good:
                await get_state(one.api(BearerToken("ready")))
            else:
                with pytest.raises(ApiError, match="larger"):
                    await get_state(one.api(BearerToken("ready")))

    run_virtual(scenario())


@pytest.mark.parametrize(
    ("sent", "expected", "requests"),
    [
        (b"", "network", 3),
        (HEAD, "network", 3),
        (HEAD + b"Content-Length: 100\r\n\r\n{", "network", 3),
        (HEAD + b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nabcde", "bad_response", 1),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "bad_response", 1),
        (HEAD + b"Content-Length: abc\r\n\r\n{}", "bad_response", 1),
        (HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}", "bad_response", 1),
        (http(b"abc", "200 OK", "Content-Encoding: odd"), "bad_response", 1),
        (http(b"", "204 No Content"), "bad_response", 1),
        (http(b"", "999 What"), "server", 3),
        (b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n", "bad_response", 1),
    ],
)
def test_odd_bytes_end_in_the_right_reason_and_each_request_is_counted(
    sent: bytes, expected: str, requests: int
) -> None:
    async def scenario() -> None:
        async with raw(sent) as server, connected(server.url) as one:
            with pytest.raises(ApiError) as caught:
                await get_state(one.api(BearerToken("ready")))
            assert caught.value.reason == expected
            assert len(server.requests) == len(one.observer.requests) == one.rate_limiter.acquired == requests

    run_virtual(scenario())


def test_a_port_that_nobody_listens_on_is_a_network_error() -> None:
    async def scenario() -> None:
        async with raw() as server:
            url = server.url
        async with connected(url) as one:
            with pytest.raises(ApiError) as caught:
                await get_state(one.api(BearerToken("ready")))
            assert caught.value.reason == "network"
            assert one.observer.retries == ["network"] * 2

    run_virtual(scenario())


def test_interim_replies_without_a_last_one_are_a_timeout() -> None:
    async def interim(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n" * 50)
        await reader.read()
        writer.close()

    async def scenario() -> None:
        async with await asyncio.start_server(interim, "127.0.0.1", 0) as server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            async with connected(url) as one:
                with pytest.raises(ApiError) as caught:
                    await get_state(one.api(BearerToken("ready")))
                assert caught.value.reason == "timeout"
            await asyncio.sleep(0.01)  # of virtual time

    run_virtual(scenario())


ECHO = (
    f"X-Echo: {SECRET}",
    f"Location: https://{SECRET}.invalid/",
    f"Set-Cookie: {SECRET}={SECRET}",
    f"Retry-After: {SECRET}",
)
LEAKS = [
    *(
        http(SECRET.encode(), f"{status} {SECRET}", *ECHO)
        for status in (200, 204, 302, 400, 401, 403, 404, 429, 500, 503)
    ),
    http(b'{"data": {"id": "' + SECRET.encode() + b'/", "auth": {"client_secret": 5}}}', "200 OK", *ECHO),
    http(b"<html>" + SECRET.encode(), "200 OK"),
    HEAD + f"Content-Length: {SECRET}\r\n\r\n".encode(),
    f"{SECRET}\r\n\r\n".encode(),
    HEAD + f"X: {SECRET}".encode() * 10_000,
    HEAD + f"Content-Length: 100\r\n\r\n{SECRET}".encode(),
    HEAD + f"Content-Encoding: gzip\r\nContent-Length: 10\r\n\r\n{SECRET}....".encode(),
    b"",
]


@pytest.mark.parametrize("sent", LEAKS)
@pytest.mark.parametrize("at_token", [True, False])
def test_no_secret_is_in_an_error_a_repr_or_a_log(
    sent: bytes,
    at_token: bool,  # noqa: FBT001 - a table
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario() -> None:
        def answer(request: str) -> bytes:
            return sent if request.startswith("POST") == at_token else TOKEN_REPLY

        async with raw(answer=answer) as server, connected(server.url) as one:
            api = one.api(ENTRY)
            (outcome,) = await asyncio.gather(api.get_one("/tenant", models.Tenant.parse), return_exceptions=True)
            if isinstance(outcome, BaseException):
                assert isinstance(outcome, ApiError)
                assert SECRET not in "".join(traceback.format_exception(outcome))
            for thing in (one, one.transport, one.rate_limiter, api, api.identity, outcome):
                assert SECRET not in f"{thing}{thing!r}"
            found = await FileSource(one, lambda: [NamedCredentials("entry", ENTRY)], Filter()).get_tenants()
            assert SECRET not in repr(found)

    with caplog.at_level(logging.DEBUG):
        run_virtual(scenario())
    assert SECRET not in caplog.text
