"""Tests that basic auth accepts the configured users and rejects all others."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import aiohttp
import bcrypt
import pytest
import structlog

from exporter.web import AccessRules, Verifier, limits
from exporter.web.passwords import Passwords, bcrypt_cost, parse_basic_auth
from tests.support.virtual_time import run_virtual
from tests.web.serving import HASHED, PASSWORD, serving


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def access() -> AccessRules:
    return AccessRules(passwords=Passwords({"prometheus": HASHED}, Verifier()))


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The hashes that bcrypt was asked about."""
    hashes: list[bytes] = []
    original = bcrypt.checkpw

    def checkpw(password: bytes, hashed: bytes) -> bool:
        hashes.append(hashed)
        return original(password, hashed)

    monkeypatch.setattr(bcrypt, "checkpw", checkpw)
    return hashes


@pytest.mark.parametrize(
    "headers",
    [
        {},
        basic("prometheus", "wrong"),
        basic("prometheus", ""),
        basic("nobody", PASSWORD),
        {"Authorization": "Bearer " + PASSWORD},
        {"Authorization": "Basic ???"},
        {"Authorization": "Basic " + base64.b64encode(b"no colon").decode()},
        {"Authorization": "Basic " + base64.b64encode(b"\xff\xfe:x").decode()},
        {"Authorization": "Basic " + base64.b64encode(b"prometheus:\0").decode()},
    ],
)
@pytest.mark.parametrize("path", ["/", "/metrics", "/no-such-path", "/-/healthy/"])
def test_every_page_needs_the_password(path: str, headers: dict[str, str]) -> None:
    async def scenario() -> None:
        rules = access()
        async with serving(access=lambda: rules) as (client, _), client.get(path, headers=headers) as response:
            assert response.status == 401
            assert response.headers["WWW-Authenticate"] == 'Basic realm="kimono-exporter", charset="UTF-8"'
            assert "kimono_up" not in await response.text()

    asyncio.run(scenario())


def test_the_password_opens_every_path() -> None:
    async def scenario() -> None:
        rules = access()
        async with serving(access=lambda: rules) as (client, _):
            for path, status in [("/", 200), ("/metrics", 200), ("/no-such-path", 404)]:
                async with client.get(path, headers=basic("prometheus", PASSWORD)) as response:
                    assert response.status == status

    asyncio.run(scenario())


def test_the_health_paths_stay_open_and_say_the_same() -> None:
    async def scenario() -> None:
        rules = access()
        async with serving(access=lambda: rules) as (client, _):
            for path in ("/-/healthy", "/-/ready", "/healthz", "/readyz"):
                async with client.get(path) as response:
                    assert (response.status, await response.text()) == (200, "ok\n")

    asyncio.run(scenario())


def test_new_rules_count_from_the_next_request_on() -> None:
    async def scenario() -> None:
        rules: list[AccessRules | None] = [None]
        async with serving(access=lambda: rules[0]) as (client, _):
            for now, status in [(None, 200), (access(), 401), (None, 200)]:
                rules[0] = now
                async with client.get("/metrics") as response:
                    assert response.status == status

    asyncio.run(scenario())


def test_an_unknown_user_costs_as_much_as_the_costliest_known_one(checked: list[bytes]) -> None:
    async def scenario() -> None:
        costly = bcrypt.hashpw(b"x", bcrypt.gensalt(6)).decode()
        door = Passwords({"cheap": HASHED, "costly": costly}, Verifier())
        assert not await door.accepts("nobody", b"x", "")
        assert [hashed[:7] for hashed in checked] == [b"$2b$06$"]

    asyncio.run(scenario())


def test_a_password_longer_than_bcrypt_reads_is_cut_as_the_hash_was() -> None:
    long = b"p" * 100
    hashed = bcrypt.hashpw(long[:72], bcrypt.gensalt(4)).decode()
    assert asyncio.run(Passwords({"a": hashed}, Verifier()).accepts("a", long, ""))


def test_a_password_that_bcrypt_refuses_to_look_at_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    def checkpw(_password: bytes, _hashed: bytes) -> bool:
        raise ValueError("password may not contain NUL bytes")

    door = Passwords({"prometheus": HASHED}, Verifier())
    monkeypatch.setattr(bcrypt, "checkpw", checkpw)
    assert not asyncio.run(door.accepts("prometheus", b"\0", ""))


def test_a_password_that_is_not_checked_in_time_gets_503_and_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    async def to_thread(*_: object) -> bool:
        await asyncio.sleep(limits.PASSWORD_SECONDS + 1)
        return False

    monkeypatch.setattr(asyncio, "to_thread", to_thread)

    async def ask(client: aiohttp.ClientSession, password: str) -> tuple[int, str]:
        async with client.get("/metrics", headers=basic("prometheus", password)) as response:
            return response.status, response.headers.get("Retry-After", "")

    async def scenario() -> None:
        rules = access()
        async with serving(access=lambda: rules) as (client, _):
            replies = await asyncio.gather(*(ask(client, f"wrong {number}") for number in range(5)))
            assert sorted(replies) == [(401, ""), *[(503, "5")] * 4]

    with structlog.testing.capture_logs() as logs:
        run_virtual(scenario())
    assert {entry["event"] for entry in logs} == {"too many passwords to check: refused requests"}


def test_the_repr_of_the_rules_tells_no_hash() -> None:
    assert HASHED not in repr(access())


def test_a_password_may_hold_colons() -> None:
    assert parse_basic_auth(basic("user", "a:b:c")["Authorization"]) == ("user", b"a:b:c")


@pytest.mark.parametrize("prefix", ["$2a$", "$2b$", "$2y$"])
def test_the_hashes_of_the_usual_tools_are_read(prefix: str) -> None:
    assert bcrypt_cost(prefix + HASHED[4:]) == 4


@pytest.mark.parametrize(
    "text",
    [
        "",
        "secret",
        HASHED[:-1],
        HASHED + "x",
        HASHED.replace("$04$", "$99$"),
        HASHED.replace("$04$", "$01$"),
        HASHED + "\n",
    ],
)
def test_what_is_no_bcrypt_hash_is_recognized(text: Any) -> None:
    assert bcrypt_cost(text) is None
